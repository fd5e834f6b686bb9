"""Pixels known to have changed, from elsewhere than the two dates, as scores of a block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.score import STRONG, Scores
from detect.valid_runs import Runs
from tiles.block import Block

__all__ = ["MarkState", "marked_scores"]


@dataclass(frozen=True)
class MarkState:
    """Changed pixels in runs along the rows of the grid.

    Attributes
    ----------
    row, first, last : ndarray of int64, shape (n,)
        Global row, first and last column of each run, sorted by (row, first).
    sure : ndarray of int64, shape (n,)
        Mean confidence of its pixels, 0–100.
    name : str
        Where they come from; "" for no marks at all, which is not the same as none found.
    """

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    sure: NDArray[np.int64]
    name: str

    @classmethod
    def none(cls) -> "MarkState":
        """Return the state of a run whose dates are compared."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, empty, "")

    @classmethod
    def of(cls, runs: Runs, sure: NDArray[np.int64], name: str) -> "MarkState":
        """Return marks in canonical order."""
        row, first, last = runs
        order = np.lexsort((first, row))
        return cls(row[order], first[order], last[order], sure[order], name)

    @property
    def is_there(self) -> bool:
        """Whether marks take the place of a comparison."""
        return self.name != ""

    @property
    def pixels(self) -> int:
        """How many pixels are marked."""
        return int((self.last - self.first + 1).sum())


def marked_scores(state: MarkState, block: Block) -> Scores:
    """Score the core of a block by marks: strong where a pixel is marked and usable at both dates.

    Parameters
    ----------
    state : MarkState
    block : Block
    """
    core = block.core
    score = np.zeros(core.shape, np.uint16)
    low, high = np.searchsorted(state.row, (core.row0, core.row1))
    for k in range(int(low), int(high)):
        first = max(int(state.first[k]), core.col0) - core.col0
        last = min(int(state.last[k]) + 1, core.col1) - core.col0
        if first < last:
            value = STRONG + STRONG * int(state.sure[k]) // 100
            score[int(state.row[k]) - core.row0, first:last] = value
    score[~block.valid[block.core_slices]] = 0
    changed = score > 0
    return Scores(score, changed, changed.copy())
