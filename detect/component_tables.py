"""Tables per component: whole-number statistics, and the member pixels to classify."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tiles.grid import splitmix64

__all__ = [
    "INDICES",
    "MEMBER_SEED",
    "NO_VALUE",
    "VALUES",
    "Columns",
    "Members",
    "Statistics",
    "sums",
]

INDICES = ("NDVI", "NDBI", "NDWI")
"""Vegetation, built-up land, water: normalised differences, which need no unit of reflectance."""

VALUES = (*INDICES, "smooth")
"""What tiles tell of a member beside its score; the last says whether its window is even."""

MEMBER_SEED = 64
"""Seed of the hash that chooses the member pixels of a component."""

HASH_BITS = 40
"""Of a hash, beside 24 of a component: what is sorted first."""

NO_VALUE = np.iinfo(np.int32).min
"""Stands where a member has no value."""

PLACE = ("comp", "row", "col")
"""Columns that say which pixel a member is."""

FAR = np.iinfo(np.int64).max


class Columns:
    """Operations shared by tables of equally long arrays."""

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the columns."""
        return [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name."""
        return {name: getattr(self, name) for name in self.names()}

    def take(self, index: NDArray[Any]) -> Self:
        """Return the rows of an index or boolean mask."""
        return type(self)(**{name: a[index] for name, a in self.arrays().items()})

    def renumbered(self, keep: NDArray[np.bool_], number: NDArray[np.int64]) -> Self:
        """Return the rows of the components of a mask, their column ``comp`` numbered anew."""
        columns = self.arrays()
        mine = keep[columns["comp"]]
        kept = {name: a[mine] for name, a in columns.items()}
        return type(self)(**kept | {"comp": number[kept["comp"]]})

    @classmethod
    def concatenate(cls, tables: Sequence[Self]) -> Self:
        """Return the rows of all tables, in order."""
        columns = [t.arrays() for t in tables]
        return cls(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})


@dataclass(frozen=True)
class Statistics(Columns):
    """Whole numbers per component, each int64 (components,).

    Attributes
    ----------
    pixels, strong, score_sum : ndarray
        Weak pixels, strong pixels among them, sum of their quantised scores.
    row_min, row_max, col_min, col_max : ndarray
        First and last row and column, inclusive.
    """

    pixels: NDArray[np.int64]
    strong: NDArray[np.int64]
    score_sum: NDArray[np.int64]
    row_min: NDArray[np.int64]
    row_max: NDArray[np.int64]
    col_min: NDArray[np.int64]
    col_max: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pixels)

    @classmethod
    def empty(cls) -> Self:
        """Return the statistics of no component."""
        return cls(*(np.empty(0, np.int64) for _ in range(7)))

    def merged(self, label: NDArray[np.int64], count: int) -> Self:
        """Return the statistics of `count` unions; row i goes to union ``label[i]``."""
        result: dict[str, NDArray[np.int64]] = {}
        for name, values in self.arrays().items():
            start = FAR if name.endswith("_min") else -FAR if name.endswith("_max") else 0
            result[name] = np.full(count, start, np.int64)
            how = {FAR: np.minimum, -FAR: np.maximum}.get(start, np.add)
            how.at(result[name], label, values)
        return type(self)(**result)


@dataclass(frozen=True)
class Members(Columns):
    """The pixels of each component with the smallest hash, sorted by (comp, hash, row, col).

    Attributes
    ----------
    comp, row, col : ndarray of int64, shape (n,)
    hash : ndarray of uint64, shape (n,)
    votes : ndarray of int32, shape (n, 2, classes)
        Votes of the trees for both dates; no classes until `TileRuns.with_votes`.
    values : ndarray of int32, shape (n, k)
        Score, then what `TileRuns.with_values` adds, `NO_VALUE` where there is none.
    """

    comp: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    hash: NDArray[np.uint64]
    votes: NDArray[np.int32]
    values: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.comp)

    @classmethod
    def empty(cls) -> Self:
        """Return no members."""
        nothing = np.empty(0, np.int64)
        return cls.of(nothing, nothing, nothing, np.empty((0, 1), np.int32))

    @classmethod
    def of(
        cls,
        comp: NDArray[np.int64],
        row: NDArray[np.int64],
        col: NDArray[np.int64],
        values: NDArray[np.int32],
    ) -> Self:
        """Return members without votes."""
        votes = np.empty((len(comp), 2, 0), np.int32)
        return cls(comp, row, col, splitmix64(row, col, MEMBER_SEED), votes, values)

    def smallest(self, limit: int) -> Self:
        """Return the `limit` members with the smallest hash of each component, sorted."""
        order = self._order()
        comp, at = self.comp[order], np.arange(len(self))
        begins = np.diff(comp, prepend=-1) != 0
        rank = at - np.maximum.accumulate(np.where(begins, at, 0))
        return self.take(order[rank < limit])

    def _order(self) -> NDArray[np.int64]:
        """Return the order by (comp, hash, row, col): by one number, where no two have the same."""
        if self.comp.max(initial=0) < 1 << (64 - HASH_BITS):
            comp = self.comp.astype(np.uint64) << np.uint64(HASH_BITS)
            order = np.argsort(key := comp | self.hash >> np.uint64(64 - HASH_BITS))
            if (key[order[1:]] != key[order[:-1]]).all():
                return order
        return np.lexsort((self.col, self.row, self.hash, self.comp))

    def narrow(self) -> Self:
        """Return the members without votes and hashes, in numbers as small as they may be."""
        whole: dict[str, Any] = {n: getattr(self, n).astype(np.int32) for n in PLACE}
        votes, hashes = self.votes[:, :, :0].copy(), np.empty((len(self), 0), np.uint64)
        return dataclasses.replace(self, votes=votes, hash=hashes, **whole)

    def percentile(self, count: int, percent: int) -> NDArray[np.int64]:
        """Return the percentile (nearest rank) of the scores of components 0 … count − 1."""
        order = np.lexsort((self.values[:, 0], self.comp))
        n = np.bincount(self.comp, minlength=count)
        rank = np.maximum(-(-n * percent // 100), 1) - 1
        picked = np.concatenate([[0], np.cumsum(n)[:-1]]) + rank
        return np.asarray(self.values[order[picked], 0], np.int64)

    def means(self, count: int) -> NDArray[np.float64]:
        """Return the means of the values after the score (components, k), NaN where none is."""
        told = self.values[:, 1:]
        known = told != NO_VALUE
        total, n = (sums(self.comp, of, count) for of in (np.where(known, told, 0), known))
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def sums(label: NDArray[np.int64], values: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Return the sums of whole numbers (n, …) by label 0 … count − 1, exact below 2⁵³."""
    total = np.empty((count, math.prod(values.shape[1:])), np.int64)
    for place, column in enumerate(values.reshape(len(values), total.shape[1]).T):
        total[:, place] = np.bincount(label, column, count)
    return total.reshape(count, *values.shape[1:])
