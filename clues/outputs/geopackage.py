"""The clues as a GeoPackage, the format to go on working with: everything told, styles inside.

Values are words of the language of the ledger; codes of change, answer and rule stand in columns
of their own. Coordinates are those of the Shapefile: the three-degree zone of CGCS2000 that other
layers of the county are kept in, not the grid of the images. Outside the country's zones it is the
grid's system.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clues.outputs.flat import FlatField, flat_fields, flat_rows
from clues.outputs.geopackagestyles import add_styles, style_by_answer
from clues.outputs.layerstream import write_layer
from clues.outputs.national import in_national_crs, national_zone
from clues.outputs.palette import OUTCOME_COLOURS
from clues.outputs.tables import ClueTables
from clues.rowgroups import BATCH
from configs.speech import Speech
from configs.units import area_in, metres2
from configs.vocabulary import change_type
from tiles.files import atomic_path

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["write_geopackage"]

LAYER_NAMES = {
    "zh": ("线索", "地块", "未列线索图斑"),
    "en": ("clues", "parcels", "dismissed"),
}
ANSWER = {"zh": "判定代码", "en": "outcome"}
"""Field that layers are coloured by."""

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

Told = tuple[str, str, str]
PLAIN_FIELDS: tuple[Told, ...] = (
    ("clue_no", "线索编号", ""),
    ("patch_id", "图斑编号", ""),
    ("county_code", "行政区代码", ""),
    ("county_name", "行政区名称", ""),
    ("before_to", "前时相", "day"),
    ("after_to", "后时相", "day"),
    ("line", "判定线代码", ""),
    ("line", "判定线", "line"),
    ("parcel_id", "地块编号", ""),
    ("change_type", "变化代码", ""),
    ("change_type", "变化类型", "change"),
    ("tblx", "图斑类型", ""),
    ("area_dm2", "面积平方米", "m2"),
    ("area_dm2", "面积", "area"),
    ("cropland_dm2", "耕地", "area"),
    ("pbf_dm2", "永久基本农田", "area"),
    ("redline_dm2", "生态红线", "area"),
    ("outside_boundary_dm2", "开发边界外", "area"),
    ("outcome", "判定代码", ""),
    ("outcome", "判定建议", "outcome"),
    ("severity", "严重程度级别", ""),
    ("rule", "规则代码", ""),
    ("rules", "全部规则", ""),
    ("flags", "控制线标记", ""),
    ("confidence", "置信度", ""),
    ("priority", "优先级", ""),
    ("documents", "涉及文件", ""),
    ("reason", "理由", "spoken"),
    ("questions", "待核问题", "spoken"),
)
"""Column of patches or findings, its Chinese name, and how its values are told."""


def write_geopackage(tables: ClueTables, path: Path) -> None:
    """Write clues, parcels and dismissed patches as layers of one GeoPackage.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        Written atomically; layers ``线索`` with the fields of CSV and Shapefile, ``地块``,
        ``未列线索图斑`` (in English ``clues``, ``parcels``, ``dismissed``), and ``其他来源线索``
        if there are leads. QGIS opens clues and parcels coloured by the machine's answer.
    """
    speech = tables.title.speech
    names = LAYER_NAMES[speech.language]
    dismissed = tables.patches["disposition"] != "clue"
    kinds = [tables.clues.geom_type.unique(), _parcel_kinds(tables)]
    kinds.append(tables.patches.geometry[dismissed.to_numpy()].geom_type.unique())
    layers = [_clue_parts(tables), _parcel_parts(tables), _dismissed_parts(tables, dismissed)]
    with atomic_path(path) as part:
        for name, kind, frames in zip(names, kinds, layers, strict=True):
            write_layer(part, name, (_placed(f, tables) for f in frames), kind)
        if tables.leads is not None and len(tables.leads):
            days = [
                None if v is None or v != v else v.isoformat() for v in tables.leads["received"]
            ]
            texts = tables.leads.assign(received=days)
            leads = texts[[*LEAD_NAMES_ZH, "geometry"]].rename(columns=LEAD_NAMES_ZH)
            placed = _placed(leads, tables)
            placed.to_file(part, layer="其他来源线索", driver="GPKG", engine="pyogrio")
        add_styles(part, dict.fromkeys(names[:2], _style(speech)))


def _parcel_kinds(tables: ClueTables) -> set[str]:
    """Return the kinds of the outlines of parcels."""
    kinds: set[str] = set()
    for table in tables.finding_batches(("geometry",)):
        kinds |= set(table.geom_type)
    return kinds


def _parcel_parts(tables: ClueTables) -> "Iterator[gpd.GeoDataFrame]":
    """Yield the layer of parcels in the order of patches, lines and parcels."""
    for part in tables.parts(tables.patches["patch_id"], ("trace",)):
        numbers = dict(zip(part.patches["patch_id"], part.patches["clue_no"], strict=True))
        findings = part.findings.sort_values(["patch_id", "line", "parcel_no"])
        order = {p: i for i, p in enumerate(part.patches["patch_id"])}
        findings = findings.iloc[np.argsort(findings["patch_id"].map(order), kind="stable")]
        findings = findings.assign(clue_no=findings["patch_id"].map(numbers))
        yield _plain_layer(findings, tables.title.speech)


def _dismissed_parts(
    tables: ClueTables, dismissed: "pd.Series[bool]"
) -> "Iterator[gpd.GeoDataFrame]":
    rows = tables.patches[dismissed.to_numpy()]
    for start in range(0, max(len(rows), 1), BATCH):
        yield _plain_layer(rows.iloc[start : start + BATCH], tables.title.speech)


def _placed(table: "gpd.GeoDataFrame", tables: ClueTables) -> "gpd.GeoDataFrame":
    if national_zone(tables) is None:
        return table
    return table.set_geometry(in_national_crs(table.geometry, tables))


def _style(speech: Speech) -> str:
    answers = {code: (speech.outcome(code), colour) for code, colour in OUTCOME_COLOURS.items()}
    return style_by_answer(ANSWER[speech.language], answers)


def _clue_parts(tables: ClueTables) -> "Iterator[gpd.GeoDataFrame]":
    """Yield the layer of clues in the order of the ledger."""
    import geopandas as gpd
    import pandas as pd

    speech, clues = tables.title.speech, tables.clues
    fields, places = flat_fields(speech), pd.Index(clues["patch_id"])
    told = flat_rows(tables, speech)
    for _ in range(0, max(len(clues), 1), BATCH):
        rows = list(islice(told, BATCH))
        columns = {
            (f.zh if speech.language == "zh" else f.key): pd.Series(
                [values[f.key] for _, values in rows], dtype=_kind(f)
            )
            for f in fields
        }
        shapes = clues.geometry.iloc[places.get_indexer([patch for patch, _ in rows])]
        yield gpd.GeoDataFrame(columns, geometry=shapes.to_numpy(), crs=tables.patches.crs)


def _kind(field: FlatField) -> Any:
    return object if field.width else float if field.decimals else "int64"


def _plain_layer(table: "gpd.GeoDataFrame", speech: Speech) -> "gpd.GeoDataFrame":
    zh, unit = speech.language == "zh", speech.area_unit
    told = _tellers(speech)
    columns: dict[str, list[Any]] = {}
    for source, title, how in PLAIN_FIELDS:
        column = f"{source}_{speech.language}" if how == "spoken" else source
        if column not in table:
            continue
        name = title if zh else _english(source, how, unit)
        if zh and how == "area":
            name = f"{title}亩"
        values = table[column].tolist()
        columns[name] = values if how in ("", "spoken") else [told[how](v) for v in values]
    found = table[["geometry"]].assign(**columns)
    return found[[*columns, "geometry"]]


def _tellers(speech: Speech) -> Mapping[str, Callable[[Any], Any]]:
    zh, unit = speech.language == "zh", speech.area_unit

    def change(code: str) -> str:
        kind = change_type(code)
        return kind.name_zh if zh else kind.name_en

    return {
        "day": lambda v: None if v is None or v != v else v.isoformat(),
        "line": speech.line,
        "change": change,
        "outcome": speech.outcome,
        "m2": lambda v: float(metres2(v)),
        "area": lambda v: float(area_in(v, unit)),
    }


def _english(source: str, how: str, unit: str) -> str:
    stem = source.removesuffix("_dm2")
    by_kind = {
        "line": "line_name",
        "change": "change",
        "outcome": "suggestion",
        "m2": "area_m2",
        "area": f"{stem}_{unit}",
    }
    return by_kind.get(how, source)
