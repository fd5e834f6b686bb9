"""The rows of the ledger, made some hundreds at a time: a province has more clues than memory.

Areas in a coarser unit are rounded over the whole list: its rows add up to the rounded total, which
is what the run says, and no row is more than 0.01 from its own value.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import overload

import numpy as np
from numpy.typing import NDArray

from clues.outputs.columns import Row
from clues.outputs.reportfigures import rows_in
from clues.outputs.tables import ClueTables
from clues.rowgroups import records

__all__ = ["LedgerRows"]

BATCH, WINDOW = 1000, 20_000
"""Clues that are rows at a time, and clues whose tables are in memory."""

UNTOLD = ("trace", "geometry")
"""Columns of findings that no row tells."""


class LedgerRows(Sequence[Row]):
    """The clues as they stand in the list: county upwards, cropland downwards.

    Rows are made when they are asked for, and a batch is kept until the next one.

    Parameters
    ----------
    tables : ClueTables
    """

    def __init__(self, tables: ClueTables) -> None:
        clues, findings = tables.clues, tables.findings
        leading = findings[findings["line"] == tables.leading_line]
        cropland = leading.groupby("patch_id")["cropland_dm2"].sum().to_dict()
        keys = zip(
            clues["county_code"].tolist(),
            (-int(cropland.get(p, 0)) for p in clues["patch_id"].tolist()),
            clues["clue_no"].tolist(),
            range(len(clues)),
            strict=True,
        )
        order = [key[-1] for key in sorted(keys)]
        self._tables = tables
        self._ids = clues["patch_id"].to_numpy(dtype=object)[order]
        self._spread: dict[tuple[str, str], dict[str, Decimal]] = {}
        self._made: tuple[int, list[Row]] = (-1, [])
        self._window: tuple[int, ClueTables] = (-1, tables)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        place = range(len(self))[at]
        return self._batch(place // BATCH)[place % BATCH]

    def __iter__(self) -> Iterator[Row]:
        for number in range(-(-len(self) // BATCH)):
            yield from self._batch(number)

    def _area(self, patch_id: str, name: str, unit: str) -> Decimal:
        if (name, unit) not in self._spread:
            self._spread[name, unit] = self._spread_over(name, unit)
        return self._spread[name, unit][patch_id]

    def _spread_over(self, name: str, unit: str) -> dict[str, Decimal]:
        tables = self._tables
        if name == "area_dm2":
            own = tables.clues.set_index("patch_id")[name].to_dict()
        else:
            leading = tables.findings[tables.findings["line"] == tables.leading_line]
            own = leading.groupby("patch_id")[name].sum().to_dict()
        areas = [int(own.get(patch, 0)) for patch in self._ids]
        return dict(zip(self._ids, rows_in(areas, unit), strict=True))

    def _batch(self, number: int) -> list[Row]:
        if self._made[0] != number:
            start = number * BATCH
            self._made = number, self._rows(self._ids[start : start + BATCH], start)
        return self._made[1]

    def _around(self, start: int) -> ClueTables:
        """Return the tables of the clues around one, read from files once for all of them."""
        number = start // WINDOW
        if self._tables.folder is None:
            return self._tables
        if self._window[0] != number:
            ids = self._ids[number * WINDOW : (number + 1) * WINDOW]
            self._window = number, self._tables.only(set(ids), UNTOLD)
        return self._window[1]

    def _rows(self, ids: NDArray[np.object_], start: int) -> list[Row]:
        tables = self._around(start).only(set(ids))
        parts = (
            tables.findings_by_patch(),
            tables.coverage_by_patch(),
            tables.leads_by_patch(),
            tables.classes_by_patch(),
        )
        own = {r["patch_id"]: r for r in records(tables.patches.drop(columns="geometry"))}
        rows = []
        for place, name in enumerate(ids, start + 1):
            found, covered, leads, classes = (p.get(name, []) for p in parts)
            about = (tables.leading_line, classes, tables.title, tables.rule_names)
            filled = tables.filled.get(str(name), {})
            told = (*about, filled, tables.levels, self._area)
            rows.append(Row(place, own[name], found, covered, leads, *told))
        return rows
