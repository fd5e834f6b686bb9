"""The clue ledger (线索台账) as a workbook: what inspectors read, fill in and hand back.

Sheet 1 is the list people work with: county upwards, cropland downwards. What they need on paper
is printed, the reasons stand to the right of it. Sheet 2 holds the machine's columns, sheet 3 says
what every column and code means, and the hidden sheet ``tuban`` holds what a filled-in ledger is
read back by: see `clues.outputs.ledgerkeys`, which says what a reader may rely on. Every text is
written as text: a cell that begins with ``=`` stays text. The only formulas are the sums of what
people fill in, in the total row.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from clues.outputs.chineseledger import CHINESE_FORM, LEDGER_COLUMNS, MACHINE_COLUMNS
from clues.outputs.columns import Column, Form, Row
from clues.outputs.earlier import earlier_words, write_earlier
from clues.outputs.englishledger import english_form
from clues.outputs.ledgerkeys import KEY_SHEET, key_rows, row_check
from clues.outputs.ledgerlook import (
    EXCEL_TEXT_LIMIT,
    add_picture,
    formats_of,
    print_setup,
    row_height,
    text_height,
)
from clues.outputs.ledgerrows import LedgerRows
from clues.outputs.tables import ClueTables
from configs.vocabulary import change_types
from tiles.files import atomic_path

__all__ = [
    "LEDGER_COLUMNS",
    "MACHINE_COLUMNS",
    "PICTURED",
    "Thumbnails",
    "form_of",
    "write_ledger",
]

PICTURED = 500
"""Clues with pictures in the list, those of the highest priority."""

Thumbnails = Mapping[str, tuple[bytes, bytes]]
"""JPEG before and after, by clue number."""

HEAD_ROW = {"list": 2, "machine": 1}
SUMMED = ("area", "fill_area")
NUMBERS = ("area", "whole", "degree", "measure")
MADE = dt.datetime(2000, 1, 1)
"""Printed as the day a workbook was made: the bytes depend on the clues alone."""


def form_of(tables: ClueTables) -> Form:
    """Return the form of the ledger in the language of the rule set."""
    speech = tables.title.speech
    return CHINESE_FORM if speech.language == "zh" else english_form(speech)


def write_ledger(tables: ClueTables, path: Path, thumbnails: Thumbnails | None = None) -> None:
    """Write the ledger workbook.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``.xlsx``; written atomically.
    thumbnails : mapping of str to (bytes, bytes), optional
        JPEG before and after by clue number. The first `PICTURED` clues by priority that are in
        it show theirs, as pictures that move with their row; without any there are no columns
        for them.
    """
    import xlsxwriter

    rows, form = LedgerRows(tables), form_of(tables)
    shown = _pictured(tables, thumbnails or {})
    columns = _with_pictures(form) if shown else form.columns
    options = {"strings_to_formulas": False, "strings_to_urls": False, "constant_memory": True}
    with atomic_path(path) as part, xlsxwriter.Workbook(str(part), options) as book:
        book.set_properties({"title": _heading(tables, form), "author": "tuban", "created": MADE})
        formats = formats_of(book)
        checks = _write_list(book, formats, form, tables, (columns, rows, shown))
        _write_machine(book, formats, form, rows)
        if form.leads and tables.leads is not None and len(tables.leads):
            _write_leads(book, formats, form, rows)
        if tables.earlier:
            write_earlier(book, formats, tables.title.speech, tables.earlier)
        _write_dictionary(book, formats, form, tables, columns)
        _write_keys(book, form, tables, columns, (rows, checks))


def _heading(tables: ClueTables, form: Form) -> str:
    return f"{tables.title.stem} {form.title}".strip()


def _pictured(tables: ClueTables, thumbnails: Thumbnails) -> Thumbnails:
    ranked = tables.clues.sort_values(["priority", "clue_no"], ascending=[False, True])
    first = [str(number) for number in ranked["clue_no"][:PICTURED]]
    return {clue: thumbnails[clue] for clue in first if clue in thumbnails}


def _with_pictures(form: Form) -> tuple[Column, ...]:
    at = [column.key for column in form.columns].index("clue_no") + 1
    return (*form.columns[:at], *form.pictures, *form.columns[at:])


def _write_list(
    book: Any,
    formats: Mapping[str, Any],
    form: Form,
    tables: ClueTables,
    content: tuple[Sequence[Column], Sequence[Row], Thumbnails],
) -> list[str]:
    """Write the list; return the check of each row."""
    columns, rows, shown = content
    sheet = book.add_worksheet(form.sheets[0])
    keys = [column.key for column in columns]
    printed = keys.index(form.last_printed)
    frozen = keys.index("clue_no") + 1
    # pictures shown in the cells tell the height of the rows, which is written before the cells
    _set_up_columns(sheet, columns)
    sheet.set_row(0, 34)
    heading = f"{_heading(tables, form)}{form.gap[0] if tables.gaps else ''}"
    sheet.merge_range(0, 0, 0, printed, heading, formats["title"])
    sheet.set_row(1, 58)
    _write_heads(sheet, formats, columns, 1)
    checks, fixed = [], [i for i, column in enumerate(columns) if column.is_checked]
    totals = {i: Decimal(0) for i, c in enumerate(columns) if c.kind in SUMMED}
    for r, row in enumerate(rows, start=2):
        pictures = shown.get(str(row.patch["clue_no"]))
        values = [column.value(row) for column in columns]
        height = row_height(columns, values, pictured=pictures is not None)
        sheet.set_row(r, height)
        _write_row(sheet, formats, columns, values, r)
        checks.append(row_check(values[i] for i in fixed))
        for i in totals:
            totals[i] += values[i] if isinstance(values[i], Decimal) else 0
        for c, jpeg in zip((frozen, frozen + 1), pictures or (), strict=False):
            add_picture(sheet, r, c, jpeg, height)
    _write_total(sheet, formats, columns, (len(rows), totals), form.total)
    _add_choices(sheet, form, columns, len(rows))
    sheet.freeze_panes(2, frozen)
    sheet.autofilter(1, 0, max(len(rows) + 1, 1), len(columns) - 1)
    sheet.print_area(0, 0, len(rows) + 2, printed)
    sheet.repeat_rows(0, 1)
    widths = [column.width for column in columns[: printed + 1]]
    print_setup(sheet, tables.title.attribution, form.page, width=sum(widths))
    return checks


def _set_up_columns(sheet: Any, columns: Sequence[Column]) -> None:
    for c, column in enumerate(columns):
        sheet.set_column(c, c, column.width)


def _write_heads(
    sheet: Any, formats: Mapping[str, Any], columns: Sequence[Column], row: int
) -> None:
    for c, column in enumerate(columns):
        sheet.write_string(row, c, column.title, formats["head"])


def _write_row(
    sheet: Any,
    formats: Mapping[str, Any],
    columns: Sequence[Column],
    values: Sequence[Any],
    r: int,
) -> None:
    for c, (column, value) in enumerate(zip(columns, values, strict=True)):
        if value is None or value == "":
            sheet.write_blank(r, c, None, formats[column.kind])
        elif isinstance(value, dt.date):
            sheet.write_datetime(r, c, value, formats[column.kind])
        elif column.kind in NUMBERS or isinstance(value, Decimal):
            sheet.write_number(r, c, float(value), formats[column.kind])
        else:
            sheet.write_string(r, c, str(value)[:EXCEL_TEXT_LIMIT], formats[column.kind])


def _write_total(
    sheet: Any,
    formats: Mapping[str, Any],
    columns: Sequence[Column],
    content: tuple[int, Mapping[int, Decimal]],
    label: str,
) -> None:
    from xlsxwriter.utility import xl_range

    count, totals = content
    last = count + 2
    sheet.set_row(last, 22)
    sheet.write_string(last, 0, label, formats["total"])
    for c, column in enumerate(columns[1:], start=1):
        if column.kind == "fill_area" and count:
            cells = xl_range(2, c, last - 1, c)
            sheet.write_formula(last, c, f"=SUM({cells})", formats["total_area"], float(totals[c]))
        elif column.kind == "area":
            sheet.write_number(last, c, float(totals[c]), formats["total_area"])
        else:
            sheet.write_blank(last, c, None, formats["total"])


def _add_choices(sheet: Any, form: Form, columns: Sequence[Column], count: int) -> None:
    """Let the cells that inspectors fill in take what can be read back, and nothing else."""
    wanted: dict[str, dict[str, Any]] = {
        "fill_area": {"validate": "decimal", "criteria": ">=", "value": 0},
        "fill_day": {"validate": "date", "criteria": ">=", "value": dt.date(2000, 1, 1)},
    }
    for c, column in enumerate(columns):
        rule = wanted.get(column.kind)
        if column.key in form.choices:
            rule = {"validate": "list", "source": list(form.choices[column.key])}
        if rule is None or not count:
            continue
        title, text = form.hints[column.kind]
        sheet.data_validation(
            2, c, count + 1, c, rule | {"error_title": title, "error_message": text}
        )


def _write_machine(book: Any, formats: Mapping[str, Any], form: Form, rows: Sequence[Row]) -> None:
    sheet = book.add_worksheet(form.sheets[1])
    keys = [column.key for column in form.machine]
    _write_table(sheet, {**formats, "text": formats["line"]}, form.machine, rows)
    sheet.freeze_panes(1, keys.index("clue_no") + 1)


def _write_leads(book: Any, formats: Mapping[str, Any], form: Form, rows: Sequence[Row]) -> None:
    sheet = book.add_worksheet(form.sheets[3])
    single = [Row(r.number, r.patch, [], [], [lead]) for r in rows for lead in r.leads]
    _write_table(sheet, formats, form.leads, single, wrapped=True)
    sheet.freeze_panes(1, 1)


def _write_table(
    sheet: Any,
    formats: Mapping[str, Any],
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    wrapped: bool = False,
) -> None:
    _set_up_columns(sheet, columns)
    _write_heads(sheet, formats, columns, 0)
    for r, row in enumerate(rows, start=1):
        values = [column.value(row) for column in columns]
        if wrapped:
            sheet.set_row(r, row_height(columns, values, pictured=False))
        _write_row(sheet, formats, columns, values, r)
    sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)
    sheet.repeat_rows(0)
    sheet.repeat_columns(0, 1)
    print_setup(sheet, "", "", width=None)


def _write_dictionary(
    book: Any,
    formats: Mapping[str, Any],
    form: Form,
    tables: ClueTables,
    columns: Sequence[Column],
) -> None:
    sheet = book.add_worksheet(form.sheets[2])
    told = [*columns, *form.machine]
    if form.leads and tables.leads is not None and len(tables.leads):
        told += form.leads
    earlier = earlier_words(tables.title.speech) if tables.earlier else []
    lines: list[Sequence[str]] = [form.head]
    lines += [(form.gap[1], gap.zh if form.language == "zh" else gap.en) for gap in tables.gaps]
    lines += [(c.title, c.meaning) for c in told if c.meaning != form.repeated]
    lines += [line for line in earlier if line not in lines]
    lines += [(t.code, form.kind(t)) for t in change_types()]
    names = tables.rule_names.items()
    lines += [(code, name[form.language]) for code, name in names if name.get(form.language)]
    lines += [(f"{form.version} {key}", value) for key, value in tables.title.versions.items()]
    widths = (24, 90)
    for c, width in enumerate(widths):
        sheet.set_column(c, c, width)
    for r, pair in enumerate(lines):
        sheet.set_row(r, text_height(list(zip(pair, widths, strict=True)), least=18))
        for c, text in enumerate(pair):
            sheet.write_string(r, c, text, formats["head" if r == 0 else "text"])
    sheet.freeze_panes(1, 0)
    print_setup(sheet, "", form.page, width=sum(widths))


def _write_keys(
    book: Any,
    form: Form,
    tables: ClueTables,
    columns: Sequence[Column],
    content: tuple[Sequence[Row], Sequence[str]],
) -> None:
    sheet = book.add_worksheet(KEY_SHEET)
    for r, cells in enumerate(key_rows(tables, form, HEAD_ROW, columns, *content)):
        for c, text in enumerate(cells):
            sheet.write_string(r, c, text)
    sheet.hide()
