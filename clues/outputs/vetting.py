"""What vetting found, for other programs: JSON, GeoJSON (RFC 7946), GeoPackage."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from clues.measures import plain_records
from clues.outputs.exchange import lonlat_outlines
from clues.vettingtext import ANSWER_NAMES, use_text
from configs.units import metres2, mu
from tiles.files import atomic_path, write_json

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from clues.vetting import Vetting

__all__ = [
    "summary",
    "write_vetting_geojson",
    "write_vetting_geopackage",
    "write_vetting_json",
]

AREAS = (
    "area_dm2",
    "cropland_dm2",
    "cropland_net_dm2",
    "farmland_dm2",
    "construction_dm2",
    "unused_dm2",
    "unknown_dm2",
)
NAMES_ZH = {
    "parcel_id": "地块编号",
    "name": "项目名称",
    "holder": "用地单位",
    "use_zh": "申请用途",
    "applied": "申请日期",
    "check_zh": "审查事项",
    "answer_zh": "审查结论",
    "area_m2": "面积平方米",
    "area_mu": "面积亩",
    "failed_zh": "不通过事项",
    "asked_zh": "待核事项",
}


def write_vetting_json(vetting: "Vetting", head: dict[str, Any], path: Path) -> None:
    """Write the answers with their numbers, sources and sentences, parcel by parcel."""
    checks, features, classes = (
        _by_parcel(t) for t in (vetting.checks, vetting.features, vetting.classes)
    )
    parcels = []
    for record in plain_records(vetting.parcels.drop(columns="geometry")):
        parcel = record["parcel_id"]
        own = [
            c | {"on_features": [f for f in features.get(parcel, []) if f["check"] == c["check"]]}
            for c in checks[parcel]
        ]
        parcels.append(record | {"checks": own, "classes": classes.get(parcel, [])})
    write_json(path, head | {"parcels": parcels}, plain=_plain)


def write_vetting_geojson(vetting: "Vetting", path: Path) -> None:
    """Write the parcels with their answers in longitude, latitude (CGCS2000)."""
    summaries = summary(vetting)
    outlines = lonlat_outlines(vetting.parcels)
    features = []
    for i, record in enumerate(plain_records(summaries)):
        features.append(
            {
                "type": "Feature",
                "id": record["parcel_id"],
                "properties": {k: v for k, v in record.items() if not k.endswith("_dm2")}
                | {n.replace("_dm2", "_m2"): float(metres2(record[n])) for n in AREAS},
                "geometry": shapely.geometry.mapping(outlines[i]),
            }
        )
    write_json(path, {"type": "FeatureCollection", "features": features}, plain=_plain)


def write_vetting_geopackage(vetting: "Vetting", path: Path) -> None:
    """Write the parcels (``地块审查``) and what speaks against them by check (``涉及范围``)."""
    names = {c.code: c.name for c in vetting.rules.checks}
    conflicts = vetting.conflicts.copy()
    conflicts["check_zh"] = [names[c].zh for c in conflicts["check"]]
    conflicts["answer_zh"] = [ANSWER_NAMES[a]["zh"] for a in conflicts["outcome"]]
    parcels = summary(vetting).set_geometry(vetting.parcels.geometry)
    with atomic_path(path) as part:
        for layer, table in (("地块审查", parcels), ("涉及范围", conflicts)):
            table["area_m2"] = [float(metres2(a)) for a in table["area_dm2"]]
            table["area_mu"] = [float(mu(a)) for a in table["area_dm2"]]
            wanted = [n for n in NAMES_ZH if n in table]
            out = table[[*wanted, "geometry"]].rename(columns=NAMES_ZH)
            out.to_file(part, layer=layer, driver="GPKG", engine="pyogrio")


def summary(vetting: "Vetting") -> "gpd.GeoDataFrame":
    """Return one row per parcel without outline: fields, answer, failed and asked checks."""
    names = {c.code: c.name for c in vetting.rules.checks}
    table = vetting.parcels.drop(columns="geometry").copy()
    parcels = plain_records(table)
    checks = _by_parcel(vetting.checks)
    table["applied"] = [r["applied"] and r["applied"].isoformat() for r in parcels]
    for language in ("zh", "en"):
        table[f"use_{language}"] = [use_text(r, language) for r in parcels]
        table[f"answer_{language}"] = [ANSWER_NAMES[r["outcome"]][language] for r in parcels]
        for column, outcome in (("failed", "fail"), ("asked", "ask")):
            table[f"{column}_{language}"] = [
                ("、" if language == "zh" else ", ").join(
                    getattr(names[c["check"]], language)
                    for c in checks[p]
                    if c["outcome"] == outcome
                )
                for p in table["parcel_id"]
            ]
    import geopandas

    return geopandas.GeoDataFrame(table)


def _by_parcel(table: "pd.DataFrame") -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in plain_records(table):
        groups.setdefault(record["parcel_id"], []).append(record)
    return groups


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
