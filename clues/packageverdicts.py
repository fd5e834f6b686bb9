"""What people filled in, as a package hands it on: each entry with who and when, nothing altered.

An entry is a cell of the ledger: the verdict on a patch, or one of the answers beside it. A later
entry of a cell stands for it, and an empty one empties it.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from clues.store.answers import VERDICT, filled_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clues.store.repository import Store

__all__ = ["VERDICT_TABLE", "filled_totals", "no_verdicts", "present_cells", "verdict_table"]

VERDICT_TABLE = ("patch_id", "clue_no", "name", "value", "by", "at")
"""Columns, all texts; ``name`` is the key of the ledger's column, ``at`` UTC."""


def no_verdicts() -> pd.DataFrame:
    """Return the table of a run in which nobody filled in anything."""
    return _table([])


def verdict_table(store: "Store", clue_numbers: "Mapping[str, str]") -> pd.DataFrame:
    """Return what people filled in for patches, in their order, then by cell and entry.

    Parameters
    ----------
    store : Store
    clue_numbers : mapping of str to str
        Of the patches that are told, by patch id, "" for one that is no clue.
    """
    with store.engine.connect() as connection:
        filled = {f.patch_id: f for f in filled_in(connection) if f.history and not f.gone}
    rows: list[tuple[str, ...]] = []
    for patch_id, clue_no in clue_numbers.items():
        history = filled[patch_id].history if patch_id in filled else {}
        for name in sorted(history):
            for _, cell in history[name]:
                at = cell.at.strftime("%Y-%m-%dT%H:%M:%SZ") if cell.at else ""
                rows.append((patch_id, clue_no, name, cell.value, cell.by, at))
    return _table(rows)


def present_cells(verdicts: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return what cells hold now that are not empty, by patch."""
    found: dict[str, dict[str, str]] = {}
    columns = (verdicts[name] for name in ("patch_id", "name", "value"))
    for patch_id, name, value in zip(*columns, strict=True):
        found.setdefault(str(patch_id), {})[str(name)] = str(value)
    told = {p: {n: v for n, v in cells.items() if v} for p, cells in found.items()}
    return {p: cells for p, cells in told.items() if cells}


def filled_totals(verdicts: pd.DataFrame) -> dict[str, Any]:
    """Return how many patches and cells are filled in, and how many verdicts of each kind."""
    present = present_cells(verdicts)
    told = [cells[VERDICT] for cells in present.values() if VERDICT in cells]
    return {
        "patches": len(present),
        "cells": sum(map(len, present.values())),
        "verdicts": {word: told.count(word) for word in sorted(set(told))},
    }


def _table(rows: list[tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(VERDICT_TABLE), dtype="str")
