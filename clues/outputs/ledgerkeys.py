"""The key sheet of a ledger: by what a ledger that was filled in is told apart and read back.

A ledger holds one hidden sheet named ``tuban``. Programs that save the workbook (Excel, WPS,
LibreOffice) keep it; people do not see it. Every cell is text, every row begins with its kind:

=================  =================================================================================
kind               further cells
=================  =================================================================================
``tuban-ledger``   format number, ``1``
``run``            name of the run folder
``fingerprint``    `tables_fingerprint` of the judged tables
``mark``           `ClueTables.mark`: how far the store went that the filled cells come from
``mark``           `clues.store.answers.Mark`: how far the store went when this was written
``language``       ``zh`` or ``en``: of titles and choices
``version``        key, value: as printed on every product, one row each
``total``          text that the total row of the list begins with
``sheet``          ``list`` or ``machine``, name of the sheet, its head row counted from 1
``column``         ``list`` or ``machine``, key, title, kind, ``fixed`` or ``fill``; left to right
``row``            clue number, patch id, `row_check` of the fixed cells; top to bottom
=================  =================================================================================

What a reader may rely on:

* A column is found by its title in the head row, never by its place: people move columns. Keys are
  never given another meaning; `FILL_KEYS` are those that inspectors fill in.
* A row is told by clue number **and** patch id as the list shows them, never by its place: people
  sort and delete rows. The total row has no clue number and holds the ``total`` text; whatever
  else stands in it is no answer. Its sums of filled areas are the only formulas of the workbook.
* `row_check` over the fixed cells of a row, in the order of the ``column`` rows, tells whether
  anybody changed what the machine wrote. Pictures are no cells: their columns are ``fixed``,
  of kind ``picture``, and take no part in it.
* A verdict is one of `VERDICT_CHOICES` in the language of the ledger, or empty.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clues.outputs.columns import Column, Form, Row
    from clues.outputs.tables import ClueTables

__all__ = [
    "FILL_KEYS",
    "FORMAT",
    "KEY_SHEET",
    "VERDICT_CHOICES",
    "key_rows",
    "row_check",
    "tables_fingerprint",
]

KEY_SHEET, FORMAT = "tuban", "1"

FILL_KEYS = (
    *("verdict", "project", "holder"),
    *("illegal_use", "illegal_mu", "illegal_cropland_mu", "illegal_pbf_mu"),
    *("rectified", "rectification", "major", "remarks", "checked_by", "checked_on"),
)
"""Columns that inspectors fill in, in both languages where the form has them.

``illegal_*_mu`` are numbers in mu of at least 0 (in English in the unit of the rule set),
``checked_on`` is a date, the others are text.
"""

VERDICT_CHOICES = {
    "zh": ("合法", "违法", "其他", "伪变化"),
    "en": ("lawful", "unlawful", "other", "no change"),
}

DECIMALS = 6


def row_check(cells: Iterable[Any]) -> str:
    """Return the check of the fixed cells of a row, as written or as a program read them back.

    Numbers count to six decimals, empty cells and empty texts are the same, and so are the ways
    to end a line.

    Examples
    --------
    >>> row_check(["a", 1, None]) == row_check(["a", 1.0, ""])
    True
    """
    told = json.dumps([_plain(cell) for cell in cells], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _plain(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.replace("\r\n", "\n").replace("\r", "\n").replace("_x000D_", "").rstrip()
    return f"{round(float(cell), DECIMALS) + 0.0:.{DECIMALS}f}"


def tables_fingerprint(tables: "ClueTables") -> str:
    """Return what tells one judgement from another: its clues, their areas, answers, and rules."""
    names = ("clue_no", "patch_id", "area_dm2", "outcome", "rule")
    rows = sorted(zip(*(tables.clues[n].astype(str) for n in names), strict=True))
    told = json.dumps([rows, tables.title.versions.get("rules", "")], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def key_rows(
    tables: "ClueTables",
    form: "Form",
    head_row: Mapping[str, int],
    columns: Sequence["Column"],
    rows: Sequence["Row"],
    checks: Sequence[str],
) -> Iterator[Sequence[str]]:
    """Yield the rows of the key sheet.

    Parameters
    ----------
    head_row : mapping of str to int
        Head row of the sheets ``list`` and ``machine``.
    columns : sequence of Column
        Of the list as it is written, with pictures if it has some.
    rows : sequence of Row
        As the list shows them.
    checks : sequence of str
        `row_check` of each.
    """
    title = tables.title
    yield "tuban-ledger", FORMAT
    yield "run", title.run_name
    yield "fingerprint", tables_fingerprint(tables)
    yield "mark", tables.mark
    yield "language", form.language
    yield "total", form.total
    for key, value in title.versions.items():
        yield "version", key, value
    sheets = {"list": (form.sheets[0], columns), "machine": (form.sheets[1], form.machine)}
    for name, (sheet, own) in sheets.items():
        yield "sheet", name, sheet, str(head_row[name])
        for column in own:
            role = "fill" if column.is_filled else "fixed"
            yield "column", name, column.key, column.title, column.kind, role
    for row, check in zip(rows, checks, strict=True):
        yield "row", row.patch["clue_no"], row.patch["patch_id"], check
