"""Files for other programs: GeoJSON (RFC 7946) and GeoPackage."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.outputs.geopackagestyles import add_styles, style_by_answer
from clues.outputs.palette import OUTCOME_COLOURS
from clues.outputs.tables import ClueTables
from configs.speech import Speech
from configs.units import area_in, metres2, mu
from tiles.files import atomic_path
from tiles.geodesy import to_cgcs2000

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["lonlat_outlines", "write_geojson", "write_geopackage"]

DECIMALS = 9
DATES = ("before_from", "before_to", "after_from", "after_to")
PATCH_TEXTS = ("county_code", "county_name", "change_type", "use", "outcome", "rule")
AREAS = (
    "area_dm2",
    "cropland_dm2",
    "cropland_net_dm2",
    "pbf_dm2",
    "redline_dm2",
    "outside_boundary_dm2",
    "farmland_dm2",
    "unused_dm2",
    "construction_dm2",
)
FINDING_TEXTS = (
    "line",
    "parcel_id",
    "outcome",
    "rule",
    "rules",
    "also_possible",
    "flags",
    "documents",
    "reason_zh",
    "reason_en",
    "questions_zh",
    "questions_en",
)
LEAD_TEXTS = (
    "lead_id",
    "number",
    "channel",
    "received",
    "text",
    "relation",
    "distance_m",
    "reason_zh",
    "reason_en",
)
LEAD_NAMES_ZH = {
    "number": "来件编号",
    "channel": "来件渠道",
    "received": "来件日期",
    "text": "反映内容",
    "relation": "处理方式",
    "patch_id": "图斑编号",
    "distance_m": "距离米",
    "reason_zh": "处理理由",
}
LAYER_NAMES = {
    "zh": ("线索", "地块", "未列线索图斑"),
    "en": ("clues", "parcels", "dismissed"),
}
NAMES_ZH = {
    "clue_no": "线索编号",
    "patch_id": "图斑编号",
    "county_code": "行政区代码",
    "county_name": "行政区名称",
    "before_to": "前时相",
    "after_to": "后时相",
    "change_type": "变化类型",
    "area_m2": "面积平方米",
    "area_mu": "面积亩",
    "outcome": "判定建议",
    "rule": "规则代码",
    "confidence": "置信度",
    "priority": "优先级",
    "line": "判定线",
    "parcel_id": "地块编号",
    "rules": "全部规则",
    "flags": "控制线标记",
    "documents": "涉及文件",
    "reason_zh": "理由",
    "questions_zh": "待核问题",
}


def write_geojson(tables: ClueTables, path: Path) -> None:
    """Write the clues with their findings as GeoJSON in longitude, latitude.

    Coordinates are CGCS2000 (EPSG:4490, taken as WGS 84 by RFC 7946) rounded to nine decimals;
    areas are m² and the unit of the rule set with two decimals. Beside the features stand
    ``name``, ``attribution`` and ``versions``, which programs may pass over. The bytes depend on
    the clues alone.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        Written atomically.
    """
    clues, unit = tables.clues, tables.title.speech.area_unit
    findings, leads = tables.findings_by_patch(), tables.leads_by_patch()
    outlines = lonlat_outlines(clues)
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="\n") as handle:
        handle.write('{"type": "FeatureCollection", ')
        for name, value in _members(tables).items():
            handle.write(f'"{name}": {json.dumps(value, ensure_ascii=False)}, ')
        handle.write('"features": [')
        for i, record in enumerate(clues.drop(columns="geometry").to_dict("records")):
            feature = {
                "type": "Feature",
                "id": record["clue_no"] or record["patch_id"],
                "properties": _properties(record, findings.get(record["patch_id"], []), unit)
                | _leads(record, leads),
                "geometry": shapely.geometry.mapping(outlines[i]),
            }
            handle.write(",\n" if i else "\n")
            handle.write(json.dumps(feature, ensure_ascii=False, default=_json_value))
        handle.write("\n]}\n")


def _members(tables: ClueTables) -> dict[str, Any]:
    """Return what stands beside the features, as RFC 7946 section 6.1 allows."""
    title = tables.title
    return {
        "name": title.stem or title.run_name,
        "attribution": title.attribution,
        "versions": title.versions,
    }


def write_geopackage(tables: ClueTables, path: Path) -> None:
    """Write clues, parcels and dismissed patches as layers of one GeoPackage.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        Written atomically; layers ``线索``, ``地块``, ``未列线索图斑`` (in English ``clues``,
        ``parcels``, ``dismissed``) in the CRS of the run, and
        ``其他来源线索`` as reported, if there are leads. QGIS opens clues and parcels coloured
        by the machine's answer.
    """
    findings = tables.findings.sort_values(["patch_id", "line", "parcel_no"])
    order = {p: i for i, p in enumerate(tables.patches["patch_id"])}
    findings = findings.iloc[np.argsort(findings["patch_id"].map(order), kind="stable")]
    dismissed = tables.patches[tables.patches["disposition"] != "clue"]
    speech = tables.title.speech
    names = LAYER_NAMES[speech.language]
    shown = (tables.clues, findings, dismissed)
    layers = {n: _display(t, speech) for n, t in zip(names, shown, strict=True)}
    if tables.leads is not None and len(tables.leads):
        texts = tables.leads.assign(received=tables.leads["received"].map(_plain))
        layers["其他来源线索"] = texts[[*LEAD_NAMES_ZH, "geometry"]].rename(columns=LEAD_NAMES_ZH)
    with atomic_path(path) as part:
        for name, table in layers.items():
            table.to_file(part, layer=name, driver="GPKG", engine="pyogrio")
        add_styles(part, dict.fromkeys(names[:2], _style(speech)))


def _style(speech: Speech) -> str:
    field = NAMES_ZH["outcome"] if speech.language == "zh" else "outcome"
    answers = {code: (speech.outcome(code), colour) for code, colour in OUTCOME_COLOURS.items()}
    return style_by_answer(field, answers)


def _display(table: "gpd.GeoDataFrame", speech: Speech) -> "gpd.GeoDataFrame":
    table = table.copy()
    table["area_m2"] = [float(metres2(a)) for a in table["area_dm2"]]
    table["area_mu"] = [float(mu(a)) for a in table["area_dm2"]]
    names, unit = NAMES_ZH, speech.area_unit
    if speech.language == "en":
        table[f"area_{unit}"] = [float(area_in(a, unit)) for a in table["area_dm2"]]
        names = {_english(n, unit): _english(n, unit) for n in NAMES_ZH}
    wanted = [name for name in names if name in table.columns]
    table = table[[*wanted, "geometry"]]
    for name in DATES:
        if name in table.columns:
            table[name] = [None if v is None or v != v else v.isoformat() for v in table[name]]
    return table.rename(columns=names)


def _english(name: str, unit: str) -> str:
    """Return the column that stands for one of `NAMES_ZH` in English."""
    return f"area_{unit}" if name == "area_mu" else name.replace("_zh", "_en")


def _properties(
    record: dict[str, Any], findings: list[dict[str, Any]], unit: str
) -> dict[str, Any]:
    properties: dict[str, Any] = {"clue_no": record["clue_no"], "patch_id": record["patch_id"]}
    properties |= {name: _plain(record[name]) for name in (*PATCH_TEXTS, *DATES)}
    properties |= {
        "area_m2": metres2(record["area_dm2"]),
        f"area_{unit}": area_in(record["area_dm2"], unit),
        "confidence": int(record["confidence"]),
        "priority": int(record["priority"]),
    }
    properties["findings"] = [
        {name: _plain(f[name]) for name in FINDING_TEXTS}
        | {f"{name.removesuffix('_dm2')}_m2": metres2(f[name]) for name in AREAS}
        for f in findings
    ]
    return properties


def _leads(record: dict[str, Any], leads: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return where a clue comes from; nothing where there are no leads at all."""
    if not leads:
        return {}
    own = leads.get(record["patch_id"], [])
    return {
        "origin": record.get("origin", "image"),
        "leads": [{name: _plain(lead[name]) for name in LEAD_TEXTS} for lead in own],
    }


def lonlat_outlines(table: "gpd.GeoDataFrame") -> NDArray[Any]:
    """Return the outlines in longitude, latitude with RFC 7946 ring order."""
    crs = table.crs.to_string()

    def to_lonlat(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(to_cgcs2000(xy, crs), DECIMALS)

    moved = shapely.transform(table.geometry.to_numpy(), to_lonlat)
    return np.asarray(shapely.orient_polygons(moved))


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)
