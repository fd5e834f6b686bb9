"""The workbook of a vetting: answers, checks, land classes, features, notes, in each language."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clues.measures import plain_records
from clues.outputs.vetting import summary
from clues.overlay import apportion
from clues.vettingtext import ANSWER_NAMES, KIND_NAMES, limit_text, source_texts, use_text
from configs.units import metres2, mu, percent
from configs.vocabulary import Language, role_name
from tiles.files import atomic_path

if TYPE_CHECKING:
    from clues.vetting import Vetting

__all__ = ["class_rows", "write_vetting_workbook"]

Row = list[Any]

HEAD, YELLOW, FONT = "#4472C4", "#FFF2CC", "微软雅黑"
COLOURS = {"fail": "#F8CBAD", "ask": "#FFE699", "pass": "#E2EFDA"}  # nosec B105 # a colour
SHEETS = {
    "zh": ("审查结论", "审查明细", "地类占用", "涉及要素", "说明"),
    "en": ("answers", "checks", "land classes", "features", "notes"),
}
CATEGORIES = {
    "agricultural": ("农用地", "agricultural"),
    "construction": ("建设用地", "construction"),
    "unused": ("未利用地", "unused"),
    "": ("不明", "not known"),
}


@dataclass(frozen=True)
class _Column:
    zh: str
    en: str
    width: int
    kind: str = "text"


ANSWER_COLUMNS = (
    _Column("地块编号", "parcel", 16),
    _Column("项目名称", "name", 20),
    _Column("用地单位", "applicant", 18),
    _Column("申请用途", "proposed use", 14),
    _Column("申请日期", "applied", 11),
    _Column("申报面积（平方米）", "stated, m²", 13, "area"),
    _Column("图上面积（平方米）", "drawn, m²", 13, "area"),
    _Column("图上面积（亩）", "drawn, mu", 11, "area"),
    _Column("审查结论", "answer", 10),
    _Column("不通过事项", "failed", 26),
    _Column("待核事项", "asked", 30),
)
CHECK_COLUMNS = (
    _Column("地块编号", "parcel", 16),
    _Column("审查事项", "check", 16),
    _Column("结论", "answer", 9),
    _Column("涉及面积下限（平方米）", "area at least, m²", 14, "area"),
    _Column("涉及面积上限（平方米）", "area at most, m²", 14, "area"),
    _Column("涉及面积下限（亩）", "area at least, mu", 11, "area"),
    _Column("占地块（%）", "share, %", 9, "area"),
    _Column("限值", "limit", 10),
    _Column("依据", "what was found", 70),
    _Column("待核问题", "question", 40),
    _Column("图层与版本", "layer and version", 26),
    _Column("要素", "features", 30),
)
CLASS_COLUMNS = (
    _Column("地块编号", "parcel", 16),
    _Column("三大类", "category", 12),
    _Column("地类编码", "code", 10),
    _Column("地类名称", "class", 18),
    _Column("面积（平方米）", "gross, m²", 14, "area"),
    _Column("面积（亩）", "gross, mu", 11, "area"),
    _Column("占地块（%）", "share, %", 9, "area"),
    _Column("扣除（平方米）", "ridges deducted, m²", 14, "area"),
    _Column("净面积（平方米）", "net, m²", 14, "area"),
)
FEATURE_COLUMNS = (
    _Column("地块编号", "parcel", 16),
    _Column("审查事项", "check", 16),
    _Column("图层", "layer", 16),
    _Column("编号", "number", 22),
    _Column("名称或类型", "name or kind", 20),
    _Column("状态或地类", "state or class", 12),
    _Column("日期", "dates", 24),
    _Column("面积（平方米）", "area, m²", 14, "area"),
    _Column("占地块（%）", "share, %", 9, "area"),
)
NOTE_COLUMNS = (_Column("项目", "item", 24), _Column("内容", "content", 80))


def write_vetting_workbook(
    vetting: "Vetting",
    notes: Sequence[tuple[str, str, str]],
    path: Path,
    *,
    languages: Sequence[Language] = ("zh", "en"),
) -> None:
    """Write answers, checks, land classes, features and notes, a set of sheets per language.

    Parameters
    ----------
    vetting : Vetting
    notes : sequence of (zh, en, value)
        Date, rule set, layers: what the answers hold for.
    path : Path
        ``.xlsx``; written atomically. Every text is written as text: ``=1+1`` stays text.
    languages : sequence of {"zh", "en"}
    """
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with atomic_path(path) as part, xlsxwriter.Workbook(str(part), options) as book:
        formats = _formats(book)
        for language in languages:
            names = SHEETS[language]
            _sheet(book, formats, names[0], _answers(vetting, language), language)
            _sheet(book, formats, names[1], _checks(vetting, language), language)
            _sheet(book, formats, names[2], _classes(vetting, language), language)
            _sheet(book, formats, names[3], _features(vetting, language), language)
            listed: list[Row] = [[zh if language == "zh" else en, v] for zh, en, v in notes]
            _sheet(book, formats, names[4], (NOTE_COLUMNS, listed, None), language)


def _formats(book: Any) -> dict[str, Any]:
    base = {"font_name": FONT, "font_size": 10, "border": 1, "valign": "top"}
    head = base | {"bold": True, "font_color": "white", "bg_color": HEAD, "text_wrap": True}
    total = base | {"bold": True, "bg_color": YELLOW}
    made = {
        "head": book.add_format(head),
        "text": book.add_format(base | {"text_wrap": True}),
        "area": book.add_format(base | {"num_format": "#,##0.00"}),
        "total": book.add_format(total),
        "total_area": book.add_format(total | {"num_format": "#,##0.00"}),
    }
    for answer, colour in COLOURS.items():
        made[answer] = book.add_format(base | {"bg_color": colour, "text_wrap": True})
    return made


def _sheet(
    book: Any,
    formats: dict[str, Any],
    name: str,
    content: tuple[Sequence[_Column], list[Row], Row | None],
    language: Language,
) -> None:
    columns, rows, total = content
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 1)
    answers = {names[language]: answer for answer, names in ANSWER_NAMES.items()}
    for c, column in enumerate(columns):
        sheet.set_column(c, c, column.width)
        sheet.write_string(0, c, column.zh if language == "zh" else column.en, formats["head"])
    for r, row in enumerate(rows, start=1):
        for c, value in enumerate(row):
            _cell(sheet, (r, c), value, formats, answers.get(value, columns[c].kind))
    if rows:
        sheet.autofilter(0, 0, len(rows), len(columns) - 1)
    for c, value in enumerate(total or ()):
        kind = "total_area" if columns[c].kind == "area" else "total"
        _cell(sheet, (len(rows) + 1, c), value, formats, kind)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _cell(sheet: Any, at: tuple[int, int], value: Any, formats: dict[str, Any], kind: str) -> None:
    if value is None:
        sheet.write_blank(*at, None, formats[kind])
    elif isinstance(value, Decimal | int | float):
        sheet.write_number(*at, float(value), formats[kind])
    else:
        sheet.write_string(*at, str(value), formats[kind])


def _answers(vetting: "Vetting", language: Language) -> tuple[Any, list[Row], Row]:
    rows: list[Row] = []
    for p in plain_records(summary(vetting)):
        stated = p["stated_m2"]
        rows.append(
            [
                p["parcel_id"],
                p["name"] or "",
                p["holder"] or "",
                use_text(p, language),
                p["applied"] or "",
                None if stated is None else Decimal(str(round(stated, 2))),
                metres2(p["area_dm2"]),
                mu(p["area_dm2"]),
                p[f"answer_{language}"],
                p[f"failed_{language}"],
                p[f"asked_{language}"],
            ]
        )
    return ANSWER_COLUMNS, rows, _total(rows, ANSWER_COLUMNS, language)


def _total(rows: list[Row], columns: Sequence[_Column], language: Language) -> Row:
    label = "合计" if language == "zh" else "total"
    sums: Row = []
    for c, column in enumerate(columns):
        own = [r[c] for r in rows if column.kind == "area" and r[c] is not None]
        sums.append(sum(own, Decimal(0)) if column.kind == "area" else "")
    return [label, *sums[1:]]


def _checks(vetting: "Vetting", language: Language) -> tuple[Any, list[Row], None]:
    checks = {c.code: c for c in vetting.rules.checks}
    rows: list[Row] = []
    for r in plain_records(vetting.checks):
        check = checks[r["check"]]
        high = r["high_dm2"]
        known = high is not None
        layer, ids = source_texts(r["source"], r["features"], language)
        rows.append(
            [
                r["parcel_id"],
                getattr(check.name, language),
                ANSWER_NAMES[r["outcome"]][language],
                metres2(r["low_dm2"]) if known else None,
                metres2(int(high)) if known else None,
                mu(r["low_dm2"]) if known else None,
                Decimal(str(round(100 * r["share_low"], 2))) if known else None,
                limit_text(check, r["limit_dm2"], language),
                r[f"sentence_{language}"],
                r[f"question_{language}"],
                layer,
                ids,
            ]
        )
    return CHECK_COLUMNS, rows, None


def class_rows(vetting: "Vetting", language: Language) -> list[Row]:
    """Return the land classes as the sheet and the page show them; mu sum up by parcel."""
    table = vetting.classes
    areas = dict(zip(vetting.parcels["parcel_id"], vetting.parcels["area_dm2"], strict=True))
    place = {p: i for i, p in enumerate(areas)}
    group = table["parcel_id"].map(place).to_numpy(dtype=np.int64)
    cents = np.array([int(mu(a) * 100) for a in areas.values()], dtype=np.int64)
    shared = apportion(table["gross_dm2"].to_numpy(dtype=np.float64), group, cents)
    rows: list[Row] = []
    for r, cent in zip(table.to_dict("records"), shared.tolist(), strict=True):
        rows.append(
            [
                r["parcel_id"],
                CATEGORIES[r["category"]][language == "en"],
                r["code"],
                r[f"name_{language}"],
                metres2(r["gross_dm2"]),
                Decimal(cent).scaleb(-2),
                percent(r["gross_dm2"], areas[r["parcel_id"]]),
                metres2(r["deducted_dm2"]),
                metres2(r["net_dm2"]),
            ]
        )
    return rows


def _classes(vetting: "Vetting", language: Language) -> tuple[Any, list[Row], Row]:
    rows = class_rows(vetting, language)
    total = _total(rows, CLASS_COLUMNS, language)
    total[6] = ""
    return CLASS_COLUMNS, rows, total


def _features(vetting: "Vetting", language: Language) -> tuple[Any, list[Row], None]:
    checks = {c.code: c.name for c in vetting.rules.checks}
    rows: list[Row] = []
    for r in plain_records(vetting.features):
        kind = KIND_NAMES.get(str(r["kind"]), ("", ""))[language == "en"]
        state = [v for v in (r["status"], r["code"]) if v]
        rows.append(
            [
                r["parcel_id"],
                getattr(checks[r["check"]], language),
                role_name(r["role"], language),
                r["number"],
                r["name"] or kind,
                " ".join(state),
                r["dates"],
                metres2(r["area_dm2"]),
                Decimal(str(round(100 * r["share"], 2))),
            ]
        )
    return FEATURE_COLUMNS, rows, None
