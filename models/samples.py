"""Training samples from label cells: eroded, thinned by hash, the same for any tiling or order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from configs.errors import InputError
from models.features import HALO, feature_names, features_at
from models.treegrowing import Stepped, stepped
from tiles.block import Block
from tiles.grid import CELL, splitmix64

__all__ = [
    "SampleTable",
    "blocked_folds",
    "cap_samples",
    "draw_samples",
    "join_dates",
    "seen_on",
]

SMALLEST_BLOCK = 32
"""Side in pixels below which spatial blocks are not cut further."""

MOST_GROUPS = 1 << 22
"""Numbers of groups up to which gaps between them are cheaper than sorting them out."""

SPARE_DEVIATIONS = 6
"""How many more than wanted are looked at, in standard deviations of their number: one group in a
billion then holds fewer."""


@dataclass(frozen=True)
class SampleTable:
    """Labelled pixels, sorted by (row, col), each pixel once a date.

    Attributes
    ----------
    rows, cols : ndarray of int64, shape (n,)
        Global address of the pixel.
    labels : ndarray of int16, shape (n,)
        Label from 1.
    X : ndarray of float32, shape (n, f)
        Features of the pixel on the image it was drawn from.
    names : tuple of str, length f
        Names of the features.
    """

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    labels: NDArray[np.int16]
    X: NDArray[np.float32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def steps(self) -> Stepped:
        """The features in steps, for `models.treegrowing`."""
        return stepped(self.X)

    def take(self, index: NDArray[np.intp]) -> "SampleTable":
        """Return the samples at these positions."""
        return SampleTable(
            self.rows[index], self.cols[index], self.labels[index], self.X[index], self.names
        )


def draw_samples(
    block: Block,
    labels: NDArray[np.int16],
    *,
    erode_px: int = 1,
    seed: int = 0,
    per_cell_cap: int = 200,
    roles: Sequence[str] | None = None,
) -> SampleTable:
    """Draw training pixels from the before image of one block.

    A pixel is taken if it lies in the core, is valid, and all pixels within `erode_px` bear its
    label: borders are mixed and may be off by the registration residual. Per cell of 256 px and
    class the pixels with the smallest hash are kept.

    Parameters
    ----------
    block : Block
        Its halo must reach ``max(HALO, erode_px)`` pixels.
    labels : ndarray of int16, shape (y, x) of ``block.extent``
        0 where there is no label.
    erode_px : int
        Pixels dropped along label borders.
    seed : int
        Seed of the hash.
    per_cell_cap : int
        Most samples per cell and class.
    roles : sequence of str, optional
        Role of each band, see `models.features.band_roles`.

    Returns
    -------
    SampleTable

    Raises
    ------
    InputError
        If the labels do not cover the block or the halo is too small.
    """
    _check(block, labels, erode_px)
    side = 2 * erode_px + 1
    inner = ndimage.minimum_filter(labels, side, mode="constant", cval=0)
    pure = (labels > 0) & (inner == labels)
    pure &= ndimage.maximum_filter(labels, side, mode="constant", cval=0) == labels
    pure &= block.valid
    rows, cols = np.nonzero(pure[block.core_slices])
    rows, cols = rows + block.core.row0, cols + block.core.col0
    at = rows - block.extent.row0, cols - block.extent.col0
    found = labels[at]
    kept = _smallest(rows, cols, _cell_class(rows, cols, found), per_cell_cap, seed)
    local = at[0][kept], at[1][kept]
    return SampleTable(
        rows[kept],
        cols[kept],
        found[kept].astype(np.int16),
        features_at(block.before, block.valid, *local, block.bands, roles=roles),
        feature_names(block.bands, roles=roles),
    )


def seen_on(
    samples: SampleTable, block: Block, *, roles: Sequence[str] | None = None
) -> SampleTable:
    """Return samples drawn from a block with the features of another image of its pixels.

    Parameters
    ----------
    samples : SampleTable
        Of `draw_samples` on a block of the same extent and valid pixels.
    block : Block
        Its before image is looked at.
    roles : sequence of str, optional
        Role of each band.
    """
    at = samples.rows - block.extent.row0, samples.cols - block.extent.col0
    x = features_at(block.before, block.valid, *at, block.bands, roles=roles)
    return SampleTable(samples.rows, samples.cols, samples.labels, x, samples.names)


def cap_samples(
    tables: Sequence[SampleTable], per_class: int, seed: int, *, per_cell_cap: int | None = None
) -> SampleTable:
    """Join tables in any order and keep the `per_class` samples of each class with smallest hash.

    The answer depends on the set of samples only. A pixel that comes twice is taken once, with
    the smaller label. With `per_cell_cap` the cap of `draw_samples` is applied again, for cells
    that were drawn in parts.

    Raises
    ------
    InputError
        If there is no table or their features differ.
    """
    if not tables or any(t.names != tables[0].names for t in tables):
        raise InputError(
            "the sample tables have different features" if tables else "there is no sample table",
            "cap_samples(tables=...)",
            "draw all samples with the same bands and roles, from at least one cell",
        )
    rows, cols, labels = (
        np.concatenate([getattr(t, name) for t in tables]) for name in ("rows", "cols", "labels")
    )
    order = np.lexsort((labels, cols, rows))
    first = np.ones(len(order), np.bool_)
    r, c = rows[order], cols[order]
    first[1:] = (r[1:] != r[:-1]) | (c[1:] != c[:-1])
    joined = SampleTable(
        rows, cols, labels, np.concatenate([t.X for t in tables]), tables[0].names
    ).take(order[first])
    if per_cell_cap is not None:
        group = _cell_class(joined.rows, joined.cols, joined.labels)
        joined = joined.take(_smallest(joined.rows, joined.cols, group, per_cell_cap, seed))
    group = joined.labels.astype(np.int64)
    return joined.take(_smallest(joined.rows, joined.cols, group, per_class, seed))


def join_dates(tables: Sequence[SampleTable]) -> SampleTable:
    """Return the samples of several dates in one table, sorted by (row, col, date).

    Parameters
    ----------
    tables : sequence of SampleTable
        One per date, in order, with the same features.
    """
    date = np.repeat(np.arange(len(tables)), [len(t) for t in tables])
    joined = SampleTable(
        np.concatenate([t.rows for t in tables]),
        np.concatenate([t.cols for t in tables]),
        np.concatenate([t.labels for t in tables]),
        np.concatenate([t.X for t in tables]),
        tables[0].names,
    )
    return joined.take(np.lexsort((date, joined.cols, joined.rows)))


def blocked_folds(
    rows: NDArray[np.int64], cols: NDArray[np.int64], *, folds: int = 4, seed: int = 0
) -> NDArray[np.int64]:
    """Deal whole spatial blocks to folds, so that neighbours are never on both sides.

    Blocks are the cells of 256 px, halved until there are two per fold or they measure 32 px.
    They are dealt in turn, in the order of their hash.

    Returns
    -------
    ndarray of int64, shape (n,)
        Fold from 0; all 0 where there is a single block.

    References
    ----------
    .. [1] Roberts et al. (2017). Cross-validation strategies for data with temporal, spatial,
       hierarchical, or phylogenetic structure. doi:10.1111/ecog.02881
    """
    size = CELL
    while True:
        blocks, which = _squares(rows // size, cols // size)
        if len(blocks) >= 2 * folds or size <= SMALLEST_BLOCK:
            break
        size //= 2
    place = np.empty(len(blocks), np.int64)
    place[np.argsort(splitmix64(blocks[:, 0], blocks[:, 1], seed), kind="stable")] = np.arange(
        len(blocks)
    )
    return (place % folds)[which]


def _squares(
    rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct (row, col), sorted, and which of them each is."""
    if not len(rows):
        return np.empty((0, 2), np.int64), np.empty(0, np.int64)
    low, width = cols.min(), cols.max() - cols.min() + 1
    keys, which = np.unique(rows * width + (cols - low), return_inverse=True)
    blocks = np.stack([keys // width, keys % width + low], axis=1)
    return blocks, which.reshape(-1).astype(np.int64)


def _cell_class(
    rows: NDArray[np.int64], cols: NDArray[np.int64], labels: NDArray[np.int16]
) -> NDArray[np.int64]:
    """Return a number from 0 for each group of equal (cell, label), with gaps.

    Rows of three numbers are sorted a hundred times slower than one number.
    """
    key = np.zeros(len(rows), np.int64)
    for column in (rows // CELL, cols // CELL, labels.astype(np.int64)):
        low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        key = key * (high - low + 1) + (column - low)
    if len(key) and key.max() > MOST_GROUPS:
        key = np.unique(key, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return key


def _smallest(
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    group: NDArray[np.int64],
    count: int,
    seed: int,
) -> NDArray[np.intp]:
    """Return, in table order, the positions of the `count` smallest hashes of each group."""
    hashed = splitmix64(rows, cols, seed)
    near = np.flatnonzero(_may_be_smallest(hashed, group, count))
    order = near[np.lexsort((cols[near], rows[near], hashed[near], group[near]))]
    sorted_group = group[order]
    starts = np.searchsorted(sorted_group, sorted_group, side="left")
    return np.sort(order[np.arange(len(order)) - starts < count])


def _may_be_smallest(
    hashed: NDArray[np.uint64], group: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Return a superset of the `count` smallest hashes of each group, seldom a much larger one.

    Hashes are spread evenly, so a bound follows from the size of the group; a group in which too
    few lie below it is taken whole.
    """
    members = np.bincount(group)
    wanted = count + SPARE_DEVIATIONS * math.sqrt(count)
    share = np.minimum(wanted / np.maximum(members, 1), 1.0)
    near: NDArray[np.bool_] = hashed.astype(np.float64) <= share[group] * 2.0**64
    short = np.bincount(group[near], minlength=members.size) < np.minimum(members, count)
    return near | short[group]


def _check(block: Block, labels: NDArray[np.int16], erode_px: int) -> None:
    if labels.shape != block.extent.shape:
        raise InputError(
            f"labels have shape {labels.shape}, the block {block.extent.shape}",
            "draw_samples(labels=...)",
            "burn the labels over block.extent",
        )
    need = max(HALO, erode_px)
    if block.core.expand(need).intersect(block.extent) != block.core.expand(need):
        raise InputError(
            f"the halo of {block.extent} around {block.core} is below {need} px",
            "draw_samples(block=...)",
            f"read the block with halo={need} or more",
        )
