"""One flat row per clue, as tables and maps of other programs want it, and what each field says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from clues.outputs.columns import (
    Row,
    class_text,
    credit_text,
    day_text,
    document_texts,
    main_class,
    severity,
    told_leads,
    versions_text,
)
from clues.outputs.history import HISTORY, added_area, told_in
from clues.outputs.imagesources import images_text
from clues.outputs.ledgerrows import LedgerRows
from clues.outputs.tables import ClueTables
from configs.layers import AreaUnit
from configs.speech import PLAIN, Speech
from configs.units import metres2
from configs.vocabulary import Outcome, change_type

__all__ = ["FLAT_FIELDS", "FlatField", "flat_fields", "flat_rows"]


@dataclass(frozen=True)
class FlatField:
    """One field of a flat row.

    Attributes
    ----------
    key : str
        Name in Parquet.
    zh : str
        Name in CSV and KML.
    short : str
        Name in a Shapefile: at most ten letters and digits, the same bytes in every encoding.
    width : int
        Bytes of a text in a Shapefile; 0: a number.
    decimals : int
        Of a number.
    """

    key: str
    zh: str
    short: str
    width: int
    value: Callable[[Row], Any]
    decimals: int = 0


def _area(name: str) -> Callable[[Row], float]:
    return lambda row: float(row.area_as("mu", name))


def _own(name: str) -> Callable[[Row], str]:
    return lambda row: str(row.patch[name] or "")


def _added(row: Row, unit: AreaUnit) -> float:
    return float(added_area(row, unit))


FLAT_FIELDS = (
    FlatField("number", "序号", "XH", 0, lambda r: r.number),
    FlatField("clue_no", "线索编号", "XSBH", 20, _own("clue_no")),
    FlatField("patch_id", "图斑编号", "TBBH", 20, _own("patch_id")),
    FlatField("county_code", "行政区代码", "XZQDM", 6, _own("county_code")),
    FlatField("county_name", "行政区名称", "XZQMC", 100, _own("county_name")),
    FlatField("before", "前时相", "QSX", 10, lambda r: day_text(r.patch["before_to"])),
    FlatField("after", "后时相", "HSX", 10, lambda r: day_text(r.patch["after_to"])),
    FlatField("change_type", "变化代码", "BHDM", 20, _own("change_type")),
    FlatField(
        "change", "变化类型", "BHLX", 60, lambda r: change_type(r.patch["change_type"]).name_zh
    ),
    FlatField("tblx", "图斑类型", "TBLX", 4, _own("tblx")),
    FlatField("class_scheme", "原地类体系", "DLTX", 12, lambda r: main_class(r)[0]),
    FlatField("class_code", "原地类编码", "DLBM", 8, lambda r: main_class(r)[1]),
    FlatField("former_class", "原地类", "DLMC", 60, partial(class_text, language="zh")),
    FlatField("area_m2", "面积平方米", "MJ", 0, lambda r: float(metres2(r.patch["area_dm2"])), 2),
    FlatField("area_mu", "面积亩", "MJM", 0, lambda r: float(r.area_as("mu")), 2),
    FlatField("cropland_mu", "耕地亩", "GDM", 0, _area("cropland_dm2"), 2),
    FlatField("pbf_mu", "永久基本农田亩", "YJJBNTM", 0, _area("pbf_dm2"), 2),
    FlatField("redline_mu", "生态红线亩", "STHXM", 0, _area("redline_dm2"), 2),
    FlatField("outside_mu", "开发边界外亩", "BJWM", 0, _area("outside_boundary_dm2"), 2),
    FlatField("outcome", "判定代码", "PDDM", 20, _own("outcome")),
    FlatField("suggestion", "判定建议", "PDJY", 30, lambda r: Outcome(r.patch["outcome"]).name_zh),
    FlatField("severity", "严重程度", "YZCD", 60, partial(severity, language="zh")),
    FlatField("rule", "规则代码", "GZDM", 40, lambda r: r.joined("rule", "、")),
    FlatField("flags", "控制线标记", "KZXBJ", 40, lambda r: r.joined("flags", "、")),
    FlatField("confidence", "置信度", "ZXD", 0, lambda r: int(r.patch["confidence"])),
    FlatField("priority", "优先级", "YXJ", 0, lambda r: int(r.patch["priority"])),
    FlatField("lon", "经度", "JD", 0, lambda r: round(float(r.patch["lon"]), 6), 6),
    FlatField("lat", "纬度", "WD", 0, lambda r: round(float(r.patch["lat"]), 6), 6),
    FlatField("sheet", "图幅号", "TFH", 14, _own("sheet")),
    *(FlatField(f.key, f.zh, f.short, f.width, told_in(f, "zh")) for f in HISTORY),
    FlatField("added_mu", "新增面积亩", "XZM", 0, partial(_added, unit="mu"), 2),
    FlatField("documents", "批准文件及覆盖", "PZWJ", 254, partial(document_texts, speech=PLAIN)),
    FlatField("reason_zh", "理由", "LY", 254, lambda r: r.joined("reason_zh")),
    FlatField("questions_zh", "待核问题", "DHWT", 254, lambda r: r.joined("questions_zh")),
    FlatField("sources", "线索来源", "XSLY", 254, told_leads),
    FlatField("before_image", "前影像源", "QYXY", 254, partial(images_text, date="before")),
    FlatField("after_image", "后影像源", "HYXY", 254, partial(images_text, date="after")),
    FlatField("attribution", "影像署名", "YXSM", 254, credit_text),
    FlatField("versions", "数据版本", "SJBB", 254, versions_text),
)
"""In Chinese, whatever the language of the rule set: these are the fields of deliveries."""


CONTROL_NAMES = {
    "area_mu": "area",
    "cropland_mu": "cropland",
    "pbf_mu": "pbf",
    "redline_mu": "redline",
    "outside_mu": "outside_boundary",
}


def flat_fields(speech: Speech = PLAIN) -> tuple[FlatField, ...]:
    """Return the fields in the language of a rule set, with areas in its unit.

    Chinese ones are `FLAT_FIELDS`. English ones have no Chinese sources and no doubled unit.
    """
    if speech.language == "zh":
        return FLAT_FIELDS
    unit, own = speech.area_unit, {f.key: f for f in _english_fields(speech)}
    fields = []
    for field in FLAT_FIELDS:
        stem = CONTROL_NAMES.get(field.key)
        if stem is not None:
            area = partial(_in_unit, name=f"{stem}_dm2", unit=unit)
            fields.append(replace(field, key=f"{stem}_{unit}", value=area))
        elif field.key == "added_mu":
            fields.append(replace(field, key=f"added_{unit}", value=partial(_added, unit=unit)))
        elif field.key != "sources":
            fields.append(own.get(field.key.removesuffix("_zh"), field))
    return tuple({field.key: field for field in fields}.values())


def _in_unit(row: Row, name: str, unit: AreaUnit) -> float:
    return float(row.area_as(unit, name))


def _english_fields(speech: Speech) -> tuple[FlatField, ...]:
    def text(key: str, value: Callable[[Row], str]) -> FlatField:
        return FlatField(key, "", "", 254, value)

    return (
        *(text(f.key, told_in(f, "en")) for f in HISTORY),
        text("change", lambda r: change_type(r.patch["change_type"]).name_en),
        text("former_class", partial(class_text, language="en")),
        text("suggestion", lambda r: speech.outcome(r.patch["outcome"])),
        text("severity", partial(severity, language="en")),
        text("rule", lambda r: r.joined("rule", ", ")),
        text("flags", lambda r: r.joined("flags", ", ")),
        text("documents", partial(document_texts, speech=speech)),
        text("reason", lambda r: r.joined("reason_en")),
        text("questions", lambda r: r.joined("questions_en")),
    )


def flat_rows(tables: ClueTables, speech: Speech = PLAIN) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield patch and values by key of every clue, in the order of the ledger."""
    fields = flat_fields(speech)
    for row in LedgerRows(tables):
        yield str(row.patch["patch_id"]), {f.key: f.value(row) for f in fields}
