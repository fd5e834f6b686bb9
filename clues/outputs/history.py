"""What a ledger says of a clue in time: its object, fate, first sight, limitation and batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clues.objects import FATE_NAMES
from clues.outputs.columns import Column, Row, day_text
from configs.layers import AreaUnit
from configs.speech import Speech
from configs.units import UNIT_NAMES, area_in

__all__ = [
    "HISTORY",
    "HistoryField",
    "added_area",
    "history_columns",
    "history_properties",
    "history_text",
    "object_lines",
    "reason_text",
    "told_in",
]


@dataclass(frozen=True)
class HistoryField:
    """One thing that is told of a clue in time.

    Attributes
    ----------
    key : str
    zh, en : str
        Titles.
    meaning_zh, meaning_en : str
    short : str
        Name in a Shapefile.
    width : int
        Bytes there.
    value : callable
        From a row and the language.
    """

    key: str
    zh: str
    en: str
    meaning_zh: str
    meaning_en: str
    short: str
    width: int
    value: Callable[[Row, str], str]


def _object(row: Row, _language: str) -> str:
    return _text(row, "object_id") or str(row.patch["patch_id"])


def _fate(row: Row, language: str) -> str:
    return FATE_NAMES[_text(row, "fate") or "new"][0 if language == "zh" else 1]


def _parents(row: Row, language: str) -> str:
    return _text(row, "object_parents").replace(",", "、" if language == "zh" else ", ")


def _own(name: str) -> Callable[[Row, str], str]:
    return lambda row, _language: _text(row, name)


def _day(name: str) -> Callable[[Row, str], str]:
    return lambda row, _language: day_text(row.patch.get(name))


def _text(row: Row, name: str) -> str:
    value = row.patch.get(name)
    return value if isinstance(value, str) else ""


HISTORY = (
    HistoryField(
        *("object_id", "对象编号", "Object", "同一地物各期不变的编号"),
        *("number of the thing on the ground, the same in all periods", "DXBH", 20, _object),
    ),
    HistoryField(
        "fate",
        "变化状态",
        "Fate",
        "与以往各期相比：新增、扩大、持续、缩小、消失、分割、合并",
        "compared with earlier periods: new, grown, persisting, shrunk, ended, split, merged",
        "BHZT",
        12,
        _fate,
    ),
    HistoryField(
        *("parents", "上级对象", "Came from", "分割、合并前的对象编号"),
        *("objects that were split or merged into it", "SJDX", 120, _parents),
    ),
    HistoryField(
        *("first_seen", "首次发现", "First seen", "首次发现的后时相日期"),
        *("day of the later image that showed it first", "SCFX", 10, _day("first_seen")),
    ),
    HistoryField(
        "limitation_until",
        "处罚时效截止",
        "Limitation",
        "从首次发现的后时相起算的最早届满日；行为连续或者继续的，从行为终了之日起计算",
        "earliest day on which punishment lapses, from the first sight; an act that goes on counts "
        "from its end",
        "SXJZ",
        10,
        _day("limitation_until"),
    ),
    HistoryField(
        *("issue_batch", "批次", "Batch", "下发批次：年度和批次号"),
        *("in which it was issued: year and number", "XFPC", 10, _own("issue_batch")),
    ),
    HistoryField(
        *("issue_date", "下发日期", "Issued", "批次下发日期"),
        *("day on which the batch was issued", "XFRQ", 10, _day("issue_date")),
    ),
    HistoryField(
        *("due_date", "办理期限", "Due", "应当办结的日期"),
        *("day on which it is due", "BLQX", 10, _day("due_date")),
    ),
)


def added_area(row: Row, unit: AreaUnit) -> Any:
    """Return the ground that the period added, in a unit; all of a patch that is new."""
    value = row.patch.get("added_dm2")
    added = row.patch["area_dm2"] if value is None or value != value else value
    if added == row.patch["area_dm2"]:
        return row.area_as(unit)
    return area_in(int(added), unit)


def history_columns(speech: Speech) -> tuple[Column, ...]:
    """Return the columns of the machine's sheet, in the language of a rule set."""
    zh, unit = speech.language == "zh", speech.area_unit
    columns = []
    for f in HISTORY:
        title, meaning = (f.zh, f.meaning_zh) if zh else (f.en, f.meaning_en)
        columns.append(Column(f.key, title, 14, meaning, told_in(f, speech.language)))
    symbol = UNIT_NAMES[unit][0 if zh else 1]
    title = f"新增面积（{symbol}）" if zh else f"Added ({symbol})"
    meaning = "本期比上期增加的面积" if zh else "ground that this period added"
    added = Column("added", title, 11, meaning, lambda r: added_area(r, unit), "area")
    return (*columns[:3], added, *columns[3:])


def told_in(field: HistoryField, language: str) -> Callable[[Row], str]:
    """Return what tells a field of a row in a language."""
    return lambda row: field.value(row, language)


def history_text(row: Row, speech: Speech) -> str:
    """Return in a sentence what a register adds to the reasons of a clue; "" of a new one."""
    zh, unit = speech.language == "zh", speech.area_unit
    fate = _text(row, "fate") or "new"
    verdict = _text(row, "former_verdict")
    if fate == "new" or (fate == "persisting" and not verdict):
        return ""
    symbol = UNIT_NAMES[unit][0 if zh else 1]
    added = f"{added_area(row, unit):.2f} {symbol}"
    first, name = day_text(row.patch.get("first_seen")), FATE_NAMES[fate]
    if zh:
        told = f"对象{_object(row, 'zh')}（首次发现 {first}）{name[0]}，本期新增面积 {added}"
        return f"{told}；原核实结论：{verdict}。" if verdict else f"{told}。"
    told = f"Object {_object(row, 'en')}, first seen on {first}: {name[1]}; added now {added}"
    return f"{told}; judged before." if verdict else f"{told}."


def reason_text(row: Row, speech: Speech) -> str:
    """Return the reasons of a clue, parcel by parcel, after what a register tells of it."""
    told, reasons = history_text(row, speech), row.joined(f"reason_{speech.language}")
    return "\n".join(text for text in (told, reasons) if text)


def history_properties(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a program reads of a clue in time: codes, ISO days, lists, square metres."""
    row = Row(0, record, [], [])
    days = ("first_seen", "limitation_until", "issue_date", "due_date")
    return {
        "object_id": _object(row, "en"),
        "fate": _text(row, "fate") or "new",
        "parents": [p for p in _text(row, "object_parents").split(",") if p],
        "added_m2": added_area(row, "m2"),
        "batch": _text(row, "issue_batch") or None,
    } | {name: day_text(record.get(name)) or None for name in days}


def object_lines(history: list[dict[str, Any]], unit: AreaUnit, language: str) -> list[str]:
    """Return what became of an object, period by period, and until when it can be punished."""
    if not history:
        return []
    zh, last = language == "zh", history[-1]
    symbol = UNIT_NAMES[unit][0 if zh else 1]
    name, number = last["object_id"], last["clue_no"]
    if zh:
        lines = [f"对象 {name}" + (f"，线索 {number}" if number else "") + "："]
    else:
        lines = [f"object {name}" + (f", clue {number}" if number else "") + ":"]
    for row in history:
        fate, added = FATE_NAMES[row["fate"]], area_in(row["added_dm2"], unit)
        area, parents = area_in(row["area_dm2"], unit), ", ".join(row["parents"])
        if zh:
            text = f"  {row['period_after']} {fate[0]}，面积 {area:.2f} {symbol}"
            text += f"，新增 {added:.2f} {symbol}" if added else ""
            text += f"，来自 {parents}" if parents else ""
            text += "" if row["is_observed"] else "，该期未观测到"
        else:
            text = f"  {row['period_after']} {fate[1]}, {area:.2f} {symbol}"
            text += f", {added:.2f} {symbol} added" if added else ""
            text += f", from {parents}" if parents else ""
            text += "" if row["is_observed"] else ", not observed"
        lines.append(f"{text} ({row['name']})")
    if until := last["limitation_until"]:
        lines.append(
            f"  处罚时效最早于 {until} 届满；行为连续或者继续的，从行为终了之日起计算"
            if zh
            else f"  punishment lapses on {until} at the earliest; an act that goes on counts from "
            "its end"
        )
    return lines
