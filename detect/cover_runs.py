"""What every pixel of a large component was and is: runs of equal pairs of covers.

A tile cannot know how large a component is that goes on beyond it. It tells the covers of all
pixels of components that are large in it or touch a seam, so that those of every large component
are told whatever the tiling.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from detect.component_tables import Columns
from tiles.grid import Extent

if TYPE_CHECKING:
    from detect.tile_runs import ScoreArrays, TileRuns

__all__ = ["CoverRuns", "cover_runs", "wanted_pixels"]


@dataclass(frozen=True)
class CoverRuns(Columns):
    """Runs of pixels with the same pair of covers, ndarrays of int64 (runs,) but the votes.

    Attributes
    ----------
    row, first, last, comp : ndarray
        Sorted by (row, first), the last column inclusive.
    pair : ndarray
        Number of the cover before × covers + number of the cover after.
    strong, score_sum : ndarray
        Strong pixels of the run, sum of its quantised scores.
    votes : ndarray of integers, shape (runs, 2, covers)
        Votes of the trees summed over the run, for both dates.
    """

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    comp: NDArray[np.int64]
    pair: NDArray[np.int64]
    strong: NDArray[np.int64]
    score_sum: NDArray[np.int64]
    votes: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def by_component(self) -> NDArray[np.intp]:
        """Order by component and place."""
        return np.lexsort((self.first, self.row, self.comp))

    def narrow(self) -> Self:
        """Return the same runs in int32: an area has millions of them."""
        columns: dict[str, Any] = {n: a.astype(np.int32) for n, a in self.arrays().items()}
        return type(self)(**columns)

    def wide(self) -> Self:
        """Return the runs of `narrow` in int64."""
        return type(self)(**{n: a.astype(np.int64) for n, a in self.arrays().items()})

    @classmethod
    def empty(cls) -> Self:
        """Return no runs."""
        none = np.empty(0, np.int64)
        return cls(none, none, none, none, none, none, none, np.empty((0, 2, 0), np.int64))


def wanted_pixels(
    runs: "TileRuns", least_px: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return row, column and component of the pixels to classify, in the order of the runs.

    Parameters
    ----------
    runs : TileRuns
    least_px : int
        Pixels from which a component is large; those that touch a seam may be.
    """
    chosen = (runs.stats.pixels >= least_px) | (runs.seam > 0)
    own = chosen[runs.comp]
    row, first = runs.row[own], runs.first[own]
    length = runs.last[own] - first + 1
    start = np.cumsum(length) - length
    col = np.arange(int(length.sum())) + np.repeat(first - start, length)
    return np.repeat(row, length), col, np.repeat(runs.comp[own].astype(np.int64), length)


def cover_runs(
    pixels: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    votes: NDArray[np.integer],
    scores: "ScoreArrays",
    core: Extent,
) -> CoverRuns:
    """Make runs of classified pixels.

    Parameters
    ----------
    pixels : tuple of row, column, component
        From `wanted_pixels`.
    votes : ndarray of int, shape (n, 2, covers)
        Votes of the trees for each pixel and date; ties go to the smaller cover.
    scores : ScoreArrays
        Of the tile.
    core : Extent
        Pixels of the scores.
    """
    row, col, comp = pixels
    if not len(row):
        return CoverRuns.empty()
    best = votes.argmax(axis=2)
    pair = best[:, 0] * votes.shape[2] + best[:, 1]
    begins = np.ones(len(row), np.bool_)
    begins[1:] = (row[1:] != row[:-1]) | (col[1:] != col[:-1] + 1) | (pair[1:] != pair[:-1])
    at = np.flatnonzero(begins)
    ends = np.append(at[1:], len(row)) - 1
    place = row - core.row0, col - core.col0
    strong, score = scores.strong[place].astype(np.int64), scores.score[place].astype(np.int64)
    return CoverRuns(
        row[at],
        col[at],
        col[ends],
        comp[at],
        pair[at],
        np.add.reduceat(strong, at),
        np.add.reduceat(score, at),
        np.add.reduceat(votes.astype(np.int64), at, axis=0),
    )
