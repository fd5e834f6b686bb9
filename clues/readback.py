"""A ledger that people filled in and sent back: its rows as they stand there, told by its keys."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clues.outputs.ledgerkeys import FILL_KEYS, FORMAT, KEY_SHEET, row_check
from clues.store.answers import Mark
from clues.workbooks import read_workbook
from configs.errors import InputError
from configs.vocabulary import Language

__all__ = ["LedgerFile", "LedgerRow", "read_ledger"]

AGAIN = "write the ledger again with `tuban ledger export`, and fill that one in"
SHOWN = 60
TOTALS = {"合计", "Total"}
"""What total rows begin with where the keys do not say it."""


@dataclass(frozen=True)
class LedgerRow:
    """One row of the list.

    Attributes
    ----------
    number : int
        Row of the sheet, counted from 1.
    cells : dict of str to value
        What is filled in, by key; columns that the sheet has lost are not there.
    altered : bool
        Whether anybody changed what the machine wrote; False where that cannot be told.
    """

    number: int
    clue_no: str
    patch_id: str
    cells: dict[str, Any]
    altered: bool


@dataclass(frozen=True)
class LedgerFile:
    """A ledger as it came back.

    Attributes
    ----------
    run : str
        Name of the run folder that wrote it.
    language : str
    mark : Mark
        How far the store went when it was written.
    titles : dict of str to str
        Titles of the columns that people fill in, by key.
    rows : tuple of LedgerRow
        In the order of the sheet.
    stray : tuple of (int, str)
        Rows with something in them that name no clue, and their first text.
    listed : dict of str to str
        Patch by clue, as the ledger was written.
    """

    run: str
    language: Language
    mark: Mark
    titles: dict[str, str]
    rows: tuple[LedgerRow, ...]
    stray: tuple[tuple[int, str], ...]
    listed: dict[str, str]


def read_ledger(path: Path) -> LedgerFile:
    """Read a ledger that came back, whatever program saved it.

    Raises
    ------
    InputError
        If the file as a whole cannot be used.
    """
    sheets = read_workbook(path)
    if KEY_SHEET not in sheets:
        raise InputError(
            f"it has no sheet {KEY_SHEET!r}: it is no ledger, or that sheet was taken out",
            str(path),
            AGAIN,
        )
    keys = _keys(sheets[KEY_SHEET], path)
    name, head_row = _list_sheet(keys, path)
    if name not in sheets:
        raise InputError(f"it has no sheet {name!r}", str(path), "give the sheet its name back")
    rows, at = sheets[name], head_row - 1
    head = [_text(cell) for cell in rows[at]] if at < len(rows) else []
    columns = [(k[1], k[2], k[4] == "fill") for k in keys["column"] if k[0] == "list"]
    places = _places(head, columns, path, name)
    fixed = [key for key, _, fill in columns if not fill]
    pictures = {k[1] for k in keys["column"] if k[0] == "list" and k[3] == "picture"}
    checked = [places.get(key) for key in fixed if key not in pictures]
    wrote = {row[0]: (row[1], row[2]) for row in keys["row"]}
    totals = {row[0] for row in keys["total"]} or TOTALS
    found: list[LedgerRow] = []
    stray: list[tuple[int, str]] = []
    for number, row in enumerate(rows[head_row:], start=head_row + 1):
        clue, patch = (_text(_at(row, places.get(key))) for key in ("clue_no", "patch_id"))
        if not clue and not patch:
            if _is_stray(row, places) and totals.isdisjoint(map(_text, row)):
                stray.append((number, _first(row)))
            continue
        cells = {k: _at(row, places[k]) for k in FILL_KEYS if k in places}
        check = wrote.get(clue, ("", ""))[1]
        same = not check or check == _check(row, checked)
        found.append(LedgerRow(number, clue, patch, cells, not same))
    return LedgerFile(
        _one(keys, "run"),
        "en" if _one(keys, "language") == "en" else "zh",
        _mark(_one(keys, "mark"), path),
        {key: title for key, title, _ in columns if key in FILL_KEYS},
        tuple(found),
        tuple(stray),
        {clue: patch for clue, (patch, _) in wrote.items()},
    )


def _check(row: Sequence[Any], places: Sequence[int | None]) -> str:
    """Return the check of the fixed cells of a row; "" where there cannot be one."""
    if None in places:
        return ""
    try:
        return row_check(_at(row, place) for place in places)
    except (TypeError, ValueError):
        return ""


def _keys(rows: Sequence[Sequence[Any]], path: Path) -> dict[str, list[list[str]]]:
    """Return the rows of the key sheet by kind."""
    keys: dict[str, list[list[str]]] = defaultdict(list)
    for row in rows:
        texts = [_text(cell) for cell in row]
        if texts:
            keys[texts[0]].append(texts[1:] + [""] * 5)
    if _one(keys, "tuban-ledger") != FORMAT:
        raise InputError(
            f"its keys are of format {_one(keys, 'tuban-ledger')!r}, this program reads {FORMAT}",
            f"{path}, sheet {KEY_SHEET}",
            AGAIN,
        )
    return keys


def _one(keys: Mapping[str, list[list[str]]], kind: str) -> str:
    rows = keys.get(kind)
    return rows[0][0] if rows else ""


def _mark(text: str, path: Path) -> Mark:
    try:
        return Mark.of(text) if text else Mark()
    except ValueError:
        raise InputError(
            f"its mark {text[:SHOWN]!r} is none", f"{path}, sheet {KEY_SHEET}", AGAIN
        ) from None


def _list_sheet(keys: Mapping[str, list[list[str]]], path: Path) -> tuple[str, int]:
    for kind, name, head_row, *_ in keys.get("sheet", []):
        if kind == "list" and head_row.isdecimal() and 0 < int(head_row) < 100:
            return name, int(head_row)
    raise InputError("its keys name no list", f"{path}, sheet {KEY_SHEET}", AGAIN)


def _places(
    head: Sequence[str], columns: Sequence[tuple[str, str, bool]], path: Path, sheet: str
) -> dict[str, int]:
    """Return the place of each column by its key; its title says where it is."""
    where = f"{path}, sheet {sheet}"
    titles = {title for _, title, _ in columns}
    double = sorted({t for t in head if t in titles and head.count(t) > 1})
    if double:
        raise InputError(
            f"two columns are called {double[0]!r}", where, "take out the one that was added"
        )
    places = {key: head.index(title) for key, title, _ in columns if title in head}
    titled = {key: title for key, title, _ in columns}
    for key in ("clue_no", "patch_id"):
        if key not in places:
            raise InputError(
                f"the column {titled.get(key, key)!r} is gone", where, "put it back with its title"
            )
    return places


def _is_stray(row: Sequence[Any], places: Mapping[str, int]) -> bool:
    """Tell whether a row without a clue holds something in a column that people fill in."""
    return any(_text(_at(row, places[key])) for key in FILL_KEYS if key in places)


def _at(row: Sequence[Any], place: int | None) -> Any:
    return row[place] if place is not None and place < len(row) else None


def _first(row: Sequence[Any]) -> str:
    return next((t for t in map(_text, row) if t), "")[:SHOWN]


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()
