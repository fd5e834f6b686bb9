"""What people filled in, as a package hands it on: each entry with who and when, nothing altered.

An entry is a cell of the ledger (the verdict on a patch, or one of the answers beside it), or the
verdict on a parcel of it on one line. A later entry of a cell or parcel stands for it, and an empty
one empties it.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from clues.store.answers import VERDICT, WITHDRAWN, filled_in
from clues.store.verdicts import stored_verdicts

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from clues.store.repository import Store

__all__ = ["VERDICT_TABLE", "filled_totals", "no_verdicts", "present_cells", "verdict_table"]

VERDICT_TABLE = ("patch_id", "clue_no", "line", "parcel_no", "name", "value", "by", "at")
"""Columns, all texts; cells of the ledger have no ``line`` and the ``parcel_no`` 0, ``name`` is the
key of the ledger's column, ``at`` UTC."""

WHOLE = ("", "0")


def no_verdicts() -> pd.DataFrame:
    """Return the table of a run in which nobody filled in anything."""
    return _table([])


def verdict_table(store: "Store", clue_numbers: "Mapping[str, str]") -> pd.DataFrame:
    """Return what people filled in for patches, in their order: by cell and entry, then by parcel.

    Parameters
    ----------
    store : Store
    clue_numbers : mapping of str to str
        Of the patches that are told, by patch id, "" for one that is no clue.
    """
    with store.engine.connect() as connection:
        filled = {f.patch_id: f for f in filled_in(connection) if f.history and not f.gone}
    parcels = _parcel_verdicts(store)
    rows: list[tuple[str, ...]] = []
    for patch_id, clue_no in clue_numbers.items():
        history = filled[patch_id].history if patch_id in filled else {}
        for name in sorted(history):
            for _, cell in history[name]:
                told = (name, cell.value, cell.by, _moment(cell.at))
                rows.append((patch_id, clue_no, *WHOLE, *told))
        rows += [(patch_id, clue_no, *told) for told in parcels.get(patch_id, ())]
    return _table(rows)


def _parcel_verdicts(store: "Store") -> dict[str, list[tuple[str, ...]]]:
    """Return the verdicts on parcels by patch: line, number, cell, value, by, at."""
    found: dict[str, list[tuple[str, ...]]] = {}
    emptied = set(WITHDRAWN.values())
    told = [row for row in stored_verdicts(store) if row["parcel_no"]]
    for row in sorted(told, key=lambda r: (r["line"], r["parcel_no"])):
        value = "" if row["verdict"] in emptied else row["verdict"]
        place = (row["line"], str(row["parcel_no"]))
        cell = (VERDICT, value, row["by"], _moment(row["at"]))
        found.setdefault(row["patch_id"], []).append((*place, *cell))
    return found


def _moment(at: "dt.datetime | None") -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def present_cells(verdicts: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return what cells of the ledger hold now that are not empty, by patch."""
    found: dict[str, dict[str, str]] = {}
    columns = (verdicts[name] for name in ("patch_id", "line", "parcel_no", "name", "value"))
    for patch_id, line, parcel_no, name, value in zip(*columns, strict=True):
        if (line, parcel_no) == WHOLE:
            found.setdefault(str(patch_id), {})[str(name)] = str(value)
    told = {p: {n: v for n, v in cells.items() if v} for p, cells in found.items()}
    return {p: cells for p, cells in told.items() if cells}


def filled_totals(verdicts: pd.DataFrame) -> dict[str, Any]:
    """Return how many patches, cells and parcels are filled in, and the verdicts of each kind."""
    present = present_cells(verdicts)
    told = [cells[VERDICT] for cells in present.values() if VERDICT in cells]
    return {
        "patches": len(present),
        "cells": sum(map(len, present.values())),
        "verdicts": _counted(told),
        "parcels": _counted(list(_present_parcels(verdicts).values())),
    }


def _present_parcels(verdicts: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """Return the verdicts that stand on parcels, by patch, line and number."""
    columns = (verdicts[name] for name in ("patch_id", "line", "parcel_no", "value"))
    rows = [tuple(map(str, row)) for row in zip(*columns, strict=True)]
    found = {(p, line, n): value for p, line, n, value in rows if (line, n) != WHOLE}
    return {place: value for place, value in found.items() if value}


def _counted(words: list[str]) -> dict[str, int]:
    return {word: words.count(word) for word in sorted(set(words))}


def _table(rows: list[tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(VERDICT_TABLE), dtype="str")
