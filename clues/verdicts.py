"""Verdicts of people on patches: one reader for the store, filled-in ledgers and plain tables."""

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from clues.store.repository import Store
from clues.store.verdicts import stored_verdicts
from clues.workbooks import read_workbook
from configs.errors import InputError
from configs.verdicts import verdict_meaning

__all__ = ["VERDICT_COLUMNS", "SettledVerdicts", "read_verdicts", "settle"]

VERDICT_COLUMNS = (
    *("patch_id", "parcel_no", "line", "verdict", "meaning"),
    *("reason", "by", "at", "source"),
)
"""Columns of a table of verdicts, all texts; ``meaning`` is real, pseudo or open."""

HEADS = {
    "patch_id": ("patch_id", "patch id", "patch", "图斑编号", "图斑号"),
    "parcel_no": ("parcel_no", "parcel", "地块号", "地块编号"),
    "line": ("line", "判定线"),
    "verdict": ("verdict", "finding", "核实认定意见", "核查结论", "核实结论"),
    "reason": ("verdict_reason", "remarks", "核查说明", "核查描述", "备注"),
    "by": ("by", "checked by", "核查人", "核查人员"),
    "at": ("at", "checked on", "核查日期", "核查时间"),
    "source": ("source", "verdict_source", "核查来源"),
}
"""Names of the columns in files; the ledger's are among them."""

HEAD_ROWS = 5
"""Rows of a sheet among which its heads are looked for: a title may stand above them."""

SHOWN = 5
MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class SettledVerdicts:
    """One verdict per patch.

    Attributes
    ----------
    pseudo : dict of str to bool
        By patch, in order of the ids: whether people found a pseudo-change.
    contradicted : tuple of str
        Patches that are real and pseudo at the same time: set aside.
    open : tuple of str
        Patches whose verdicts settle nothing.
    """

    pseudo: dict[str, bool]
    contradicted: tuple[str, ...]
    open: tuple[str, ...]


def read_verdicts(source: Path) -> pd.DataFrame:
    """Read verdicts from a clue store, a filled-in ledger, or a table of one's own.

    Parameters
    ----------
    source : Path
        ``.sqlite``, ``.xlsx`` or ``.csv``. A table needs a column for the patch and one for the
        verdict, named as in `HEADS`; rows without a verdict are not judged yet and left out.

    Returns
    -------
    DataFrame
        Columns as `VERDICT_COLUMNS`, in the order of the source.

    Raises
    ------
    InputError
        If it cannot be read, lacks a column, or holds a word that is no verdict.
    """
    if not source.is_file():
        raise InputError("the file does not exist", str(source), "name a file of verdicts")
    suffix = source.suffix.lower()
    if suffix in (".sqlite", ".db"):
        rows = _stored(source)
    elif suffix in (".xlsx", ".csv") and source.stat().st_size <= MAX_BYTES:
        rows = _tabled(_sheets(source, suffix), source)
    else:
        raise InputError(
            "verdicts are read from .sqlite, .xlsx and .csv files up to 64 MB",
            str(source),
            "give the store of a run, a filled-in ledger, or a table",
        )
    return _checked(rows, source)


def verdicts_of(store: Store) -> pd.DataFrame:
    """Return the verdicts of an open clue store as `read_verdicts` does."""
    rows = [(f"verdict {i}", row) for i, row in enumerate(stored_verdicts(store), 1)]
    return _checked(rows, store.place)


def _stored(source: Path) -> list[tuple[str, dict[str, Any]]]:
    with source.open("rb") as handle:
        if handle.read(16) != b"SQLite format 3\x00":
            raise InputError("it is no SQLite database", str(source), "give clues.sqlite of a run")
    store = Store.at(source)
    try:
        return [(f"verdict {i}", row) for i, row in enumerate(stored_verdicts(store), 1)]
    finally:
        store.close()


def _sheets(source: Path, suffix: str) -> Iterator[tuple[str, list[Sequence[Any]]]]:
    """Yield name and rows of the sheets of a file."""
    if suffix == ".csv":
        data = source.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("gb18030", errors="replace")
        yield "", list(csv.reader(io.StringIO(text)))
        return
    yield from read_workbook(source).items()


def _tabled(
    sheets: Iterator[tuple[str, list[Sequence[Any]]]], source: Path
) -> list[tuple[str, dict[str, Any]]]:
    found, told = [], False
    for title, rows in sheets:
        at, columns = _heads(rows)
        if columns is None:
            continue
        told = True
        place = f"sheet {title}, row" if title else "row"
        for number, row in enumerate(rows[at + 1 :], at + 2):
            cells = {name: row[c] if c < len(row) else None for name, c in columns.items()}
            if _text(cells["verdict"]):
                found.append((f"{place} {number}", cells))
    if not told:
        raise InputError(
            "no table with a column for the patch and one for the verdict",
            str(source),
            f"name them {HEADS['patch_id'][0]} and {HEADS['verdict'][0]}, or as in the ledger",
        )
    return found


def _heads(rows: list[Sequence[Any]]) -> tuple[int, dict[str, int] | None]:
    """Return the row of the heads of a sheet and the place of each column that it has."""
    for at, row in enumerate(rows[:HEAD_ROWS]):
        heads = [_text(cell).casefold() for cell in row]
        columns = {
            name: heads.index(next(w for w in words if w in heads))
            for name, words in HEADS.items()
            if any(w in heads for w in words)
        }
        if {"patch_id", "verdict"} <= set(columns):
            return at, columns
    return 0, None


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value).strip()


def _checked(rows: list[tuple[str, dict[str, Any]]], source: Path | str) -> pd.DataFrame:
    table: dict[str, list[str]] = {name: [] for name in VERDICT_COLUMNS}
    unknown: dict[str, str] = {}
    for place, cells in rows:
        texts = {name: _text(cells.get(name)) for name in VERDICT_COLUMNS}
        if not texts["patch_id"]:
            raise InputError("a verdict names no patch", f"{source}, {place}", "fill in its id")
        meaning = verdict_meaning(texts["verdict"])
        if meaning is None:
            unknown.setdefault(texts["verdict"], place)
            continue
        texts |= {"meaning": meaning, "at": _moment(texts["at"], f"{source}, {place}")}
        for name, text in texts.items():
            table[name].append(text)
    if unknown:
        shown = [f"{word!r} ({place})" for word, place in list(unknown.items())[:SHOWN]]
        raise InputError(
            f"{len(unknown)} words are no verdict: {', '.join(shown)}",
            str(source),
            "write 合法, 违法, 其他 or 伪变化 (lawful, unlawful, other, no change), or nothing",
        )
    return pd.DataFrame(table, dtype=object)


def _moment(text: str, where: str) -> str:
    """Return a day or moment so that later ones are greater; "" where it is not told."""
    if not text:
        return ""
    try:
        moment = dt.datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise InputError(f"{text!r} is no date", where, "write it as 2025-10-31") from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return moment.isoformat()


def settle(verdicts: pd.DataFrame) -> SettledVerdicts:
    """Return one verdict per patch; the order of the rows and doubles do not matter.

    Of the verdicts on one parcel and line the latest counts. A patch with a parcel that really
    changed is real; one whose parcels are all pseudo-changes is pseudo. Where the latest verdicts
    on a parcel contradict each other the patch is set aside.

    Parameters
    ----------
    verdicts : DataFrame
        From `read_verdicts`; tables of several sources may be joined.
    """
    told: dict[str, dict[tuple[str, str], dict[str, set[str]]]] = {}
    names = ("patch_id", "parcel_no", "line", "at", "meaning")
    for patch, parcel, line, at, meaning in set(
        zip(*(verdicts[n].tolist() for n in names), strict=True)
    ):
        parcels = told.setdefault(patch, {})
        parcels.setdefault((parcel, line), {}).setdefault(at, set()).add(meaning)
    pseudo: dict[str, bool] = {}
    contradicted, unsettled = [], []
    for patch in sorted(told):
        last = [moments[max(moments)] - {"open"} for moments in told[patch].values()]
        meanings: set[str] = set().union(*last)
        if any(len(m) > 1 for m in last):
            contradicted.append(patch)
        elif "real" in meanings:
            pseudo[patch] = False
        elif meanings and all(last):
            pseudo[patch] = True
        else:
            unsettled.append(patch)
    return SettledVerdicts(pseudo, tuple(contradicted), tuple(unsettled))
