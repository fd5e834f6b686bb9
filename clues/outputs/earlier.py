"""The sheet of clues that other periods listed and that wait for an answer: what is not new."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clues.objects import FATE_NAMES
from clues.outputs.columns import day_text
from clues.outputs.ledgerlook import print_setup
from configs.layers import AreaUnit
from configs.speech import Speech
from configs.units import UNIT_NAMES, area_in

__all__ = ["EARLIER_SHEETS", "EarlierClue", "earlier_words", "write_earlier"]

EARLIER_SHEETS = {"zh": "前期线索", "en": "Earlier clues"}

STATUS = {"open": ("未下发", "not issued"), "issued": ("已下发，未反馈", "issued, no answer")}

COLUMNS = (
    ("线索编号", "Clue", 19, "其他期次列出的线索编号", "number that another period gave"),
    ("状态", "Status", 16, "未下发，或已下发尚未反馈", "not issued, or issued without an answer"),
    ("批次", "Batch", 9, "最近一次下发批次", "in which it was last issued"),
    ("下发日期", "Issued", 11, "批次下发日期", "day on which the batch was issued"),
    ("办理期限", "Due", 11, "应当办结的日期", "day on which the answer is due"),
    ("本期状态", "Fate", 9, "本期与以往各期相比", "this period compared with earlier ones"),
    ("是否观测到", "Observed", 9, "最近一期是否观测到", "whether the last period saw it"),
    ("面积", "Area", 10, "对象现有面积", "of the object now"),
    ("经度", "Longitude", 12, "CGCS2000，度", "CGCS2000, degrees"),
    ("纬度", "Latitude", 12, "CGCS2000，度", "CGCS2000, degrees"),
    ("首次发现", "First seen", 11, "首次发现的后时相日期", "day of the image that showed it first"),
    ("处罚时效截止", "Limitation", 13, "最早届满日", "earliest day of its end"),
    (
        "列出期次",
        "Listed by",
        24,
        "列出该线索的任务，在其台账中反馈",
        "run in whose ledger to answer",
    ),
    ("对象编号", "Object", 17, "同一地物各期不变的编号", "number of the thing in all periods"),
)


@dataclass(frozen=True)
class EarlierClue:
    """A clue of another period that is open or issued, and that is no clue of this one."""

    clue_no: str
    status: str
    batch: str
    issue_date: dt.date | None
    due_date: dt.date | None
    fate: str
    is_observed: bool
    area_dm2: int
    lon: float | None
    lat: float | None
    first_seen: dt.date | None
    limitation_until: dt.date | None
    run: str
    object_id: str


def earlier_words(speech: Speech) -> list[tuple[str, str]]:
    """Return title and meaning of the columns, in the language of a rule set."""
    zh = speech.language == "zh"
    return [(_title(c, speech), c[3] if zh else c[4]) for c in COLUMNS]


def _title(column: tuple[str, str, int, str, str], speech: Speech) -> str:
    title = column[0] if speech.language == "zh" else column[1]
    if column[0] != "面积":
        return title
    symbol = UNIT_NAMES[speech.area_unit][0 if speech.language == "zh" else 1]
    return f"{title}（{symbol}）" if speech.language == "zh" else f"{title} ({symbol})"


def write_earlier(
    book: Any, formats: Mapping[str, Any], speech: Speech, clues: Sequence[EarlierClue]
) -> None:
    """Write the sheet into a workbook.

    Parameters
    ----------
    book : xlsxwriter.Workbook
    formats : mapping of str to Format
        See `clues.outputs.ledgerlook.formats_of`.
    speech : Speech
    clues : sequence of EarlierClue
        In the order of their numbers.
    """
    sheet = book.add_worksheet(EARLIER_SHEETS["zh" if speech.language == "zh" else "en"])
    for c, column in enumerate(COLUMNS):
        sheet.set_column(c, c, column[2])
        sheet.write_string(0, c, _title(column, speech), formats["head"])
    for r, clue in enumerate(clues, start=1):
        for c, (value, kind) in enumerate(_cells(clue, speech.language == "zh", speech.area_unit)):
            if value is None or value == "":
                sheet.write_blank(r, c, None, formats[kind])
            elif kind == "line":
                sheet.write_string(r, c, str(value), formats[kind])
            else:
                sheet.write_number(r, c, float(value), formats[kind])
    sheet.autofilter(0, 0, max(len(clues), 1), len(COLUMNS) - 1)
    sheet.freeze_panes(1, 1)
    sheet.repeat_rows(0)
    print_setup(sheet, "", "", width=sum(column[2] for column in COLUMNS))


def _cells(clue: EarlierClue, zh: bool, unit: AreaUnit) -> list[tuple[Any, str]]:
    word = 0 if zh else 1
    seen = (("是", "yes") if clue.is_observed else ("否", "no"))[word]
    days = [day_text(day) for day in (clue.issue_date, clue.due_date)]
    told = (clue.clue_no, STATUS[clue.status][word], clue.batch, *days)
    cells = [(value, "line") for value in (*told, FATE_NAMES[clue.fate][word], seen)]
    lonlat = [None if v is None else round(v, 6) for v in (clue.lon, clue.lat)]
    ends = (day_text(clue.first_seen), day_text(clue.limitation_until), clue.run, clue.object_id)
    return [
        *cells,
        (area_in(clue.area_dm2, unit), "area"),
        *((value, "degree") for value in lonlat),
        *((value, "line") for value in ends),
    ]
