"""Runs of joined components: kept narrow, numbered and filled some rows at a time.

An area has some ten runs for every component, so the runs are what a join holds longest: as int32,
and nothing is computed on all of them at once that can be computed on the rows of some components.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detect.component_tables import Statistics
from detect.holes import gaps_to_fill
from detect.inner import Runs

__all__ = ["AT_ONCE", "BandRuns", "fused", "holes_to_fill", "rows_of", "spans"]

AT_ONCE = 20_000
"""Components worked on at a time."""


class BandRuns:
    """Runs (row, first, last, name), sorted by (row, first), that come band by band."""

    def __init__(self) -> None:
        self._bands: list[NDArray[np.int32]] = []

    def add(self, runs: NDArray[np.int64]) -> None:
        """Append the runs of a band, shape (4, n)."""
        self._bands.append(runs.astype(np.int32))

    def since(self, row_min: int, number: NDArray[np.int64]) -> Runs:
        """Return the runs of the bands that reach a row, with the numbers of their names.

        Parameters
        ----------
        row_min : int
        number : ndarray of int64, shape (names,)
            −1 of those that are not asked for.
        """
        begin = len(self._bands)
        while begin and (
            not self._bands[begin - 1].size or self._bands[begin - 1][0, -1] >= row_min
        ):
            begin -= 1
        parts = [_numbered(band, number) for band in self._bands[begin:]]
        parts.append(np.empty((4, 0), np.int32))
        row, first, last, comp = np.concatenate(parts, axis=1).astype(np.int64)
        return row, first, last, comp

    def drained(
        self, number: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return all runs with the numbers of their names; what is taken over is given back."""
        for at, band in enumerate(self._bands):
            self._bands[at] = _numbered(band, number)
        none = np.empty((4, 0), np.int32)
        row, first, last, comp = (
            np.concatenate([none[i], *(band[i] for band in self._bands)]) for i in range(4)
        )
        self._bands.clear()
        return row, first, last, comp


def _numbered(runs: NDArray[np.int32], number: NDArray[np.int64]) -> NDArray[np.int32]:
    comp = number[runs[3]]
    mine = comp >= 0
    own = runs[:, mine]
    own[3] = comp[mine]
    return own


def fused(runs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Make one run of those that touch in a row (they were cut by a vertical seam)."""
    row, first, last = runs[:3]
    begins = np.ones(len(row), bool)
    begins[1:] = (row[1:] != row[:-1]) | (first[1:] != last[:-1] + 1)
    ends = np.ones(len(row), bool)
    ends[:-1] = begins[1:]
    whole = runs[:, begins].copy()
    whole[2] = last[ends]
    return whole


def rows_of(row: NDArray[np.integer], stats: Statistics, start: int, stop: int) -> slice:
    """Return the runs in the rows of components `start` to `stop` − 1, other components' too.

    Parameters
    ----------
    row : ndarray of int, shape (runs,)
        Ascending.
    stats : Statistics
        In the order of the first rows.
    start, stop : int
    """
    if start >= stop:
        return slice(0, 0)
    top, low = int(stats.row_min[start]), int(stats.row_max[start:stop].max())
    begin, end = np.searchsorted(row, top), np.searchsorted(row, low, side="right")
    return slice(int(begin), int(end))


def holes_to_fill(
    runs: tuple[NDArray[np.integer], ...],
    stats: Statistics,
    connectivity: int,
    hole_px: int,
) -> NDArray[np.int64]:
    """Return `gaps_to_fill` of all runs, looked for in the rows of some components at a time.

    A hole lies in the rows of the component around it, and so does what lies in the hole: the runs
    of these rows tell it as all runs do.
    """
    found = [np.empty(0, np.int64)]
    for start, stop in spans(len(stats), AT_ONCE) if hole_px > 0 else ():
        here = rows_of(runs[0], stats, start, stop)
        row, first, last, comp = (a[here].astype(np.int64) for a in runs)
        gaps = gaps_to_fill(row, first, last, comp, connectivity, hole_px)
        found.append(gaps[(comp[gaps] >= start) & (comp[gaps] < stop)] + here.start)
    return np.sort(np.concatenate(found))


def spans(count: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each batch of `count` things; one of none where there are none."""
    for start in range(0, max(count, 1), at_once):
        yield start, min(start + at_once, count)
