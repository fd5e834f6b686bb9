"""Clues for other programs as GeoJSON (RFC 7946)."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.outputs.history import history_properties
from clues.outputs.reportfigures import rows_in
from clues.outputs.severity import SeverityLevel, severity_text
from clues.outputs.tables import ClueTables
from configs.units import metres2
from tiles.files import atomic_path
from tiles.geodesy import to_cgcs2000

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["lonlat_outlines", "write_geojson"]

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


def write_geojson(tables: ClueTables, path: Path) -> None:
    """Write the clues with their findings as GeoJSON in longitude, latitude.

    Coordinates are CGCS2000 (EPSG:4490, taken as WGS 84 by RFC 7946) rounded to nine decimals;
    areas are m² and, as in the ledger, the unit of the rule set with two decimals. Beside the
    features stand ``name``, ``attribution`` and ``versions``, which programs may pass over. The
    bytes depend on the clues alone.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        Written atomically.
    """
    clues, unit = tables.clues, tables.title.speech.area_unit
    leads, areas = tables.leads_by_patch(), rows_in(clues["area_dm2"].tolist(), unit)
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="\n") as handle:
        handle.write('{"type": "FeatureCollection", ')
        for name, value in _members(tables).items():
            handle.write(f'"{name}": {json.dumps(value, ensure_ascii=False)}, ')
        handle.write('"features": [')
        for i, (record, findings, outline) in enumerate(_clues(tables)):
            feature = {
                "type": "Feature",
                "id": record["clue_no"] or record["patch_id"],
                "properties": _properties(record, findings, (unit, areas[i]), tables.levels)
                | _leads(record, leads),
                "geometry": shapely.geometry.mapping(outline),
            }
            handle.write(",\n" if i else "\n")
            handle.write(json.dumps(feature, ensure_ascii=False, default=_json_value))
        handle.write("\n]}\n")


def _clues(tables: ClueTables) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], Any]]:
    """Yield the clues with their findings and outlines, some thousands in memory."""
    for part in tables.parts(tables.clues["patch_id"], ("trace", "geometry")):
        findings, clues = part.findings_by_patch(), part.clues
        records = clues.drop(columns="geometry").to_dict("records")
        for record, outline in zip(records, lonlat_outlines(clues), strict=True):
            named = {str(name): value for name, value in record.items()}
            yield named, findings.get(str(record["patch_id"]), []), outline


def _members(tables: ClueTables) -> dict[str, Any]:
    """Return what stands beside the features, as RFC 7946 section 6.1 allows."""
    title = tables.title
    return {
        "name": title.stem or title.run_name,
        "attribution": title.attribution,
        "versions": title.versions,
    }


def _properties(
    record: dict[str, Any],
    findings: list[dict[str, Any]],
    area: tuple[str, Decimal],
    levels: Sequence[SeverityLevel],
) -> dict[str, Any]:
    properties: dict[str, Any] = {"clue_no": record["clue_no"], "patch_id": record["patch_id"]}
    properties |= {name: _plain(record[name]) for name in (*PATCH_TEXTS, *DATES)}
    properties |= {
        "area_m2": metres2(record["area_dm2"]),
        f"area_{area[0]}": area[1],
        "confidence": int(record["confidence"]),
        "priority": int(record["priority"]),
    }
    properties |= {
        f"severity_{language}": severity_text(findings, levels, language)
        for language in ("zh", "en")
    }
    properties |= history_properties(record)
    properties["findings"] = [
        {name: _plain(f[name]) for name in FINDING_TEXTS}
        | {"severity": int(f["severity"])}
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
    """Return the outlines in degrees of CGCS2000, longitude first, with RFC 7946 ring order."""
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
