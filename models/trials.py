"""Groups of labelled pixels, as small patches are seen: what confidence is learned on.

Samples of the forest lie inside parcels; a patch holds the mixed pixels of its rim too. So a group
is a square of the grid, most of it with one label of the map, borders included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.features import features_at
from tiles.block import Block
from tiles.grid import splitmix64

__all__ = ["TrialTable", "draw_trials", "join_trials"]

SIDE = 8
"""Side of a group in pixels; the 64 pixels that a component votes with fill it."""

LEAST_SHARE = 2
"""At least a half of a group bears its label."""

PER_CELL = 12
"""Groups per cell and class."""

SEED = 0x7472_6961


@dataclass(frozen=True)
class TrialTable:
    """Pixels of groups with their features at both dates, sorted by (group, row, col).

    Attributes
    ----------
    rows, cols, group : ndarray of int64, shape (n,)
        Address, and number of the group from 0.
    before, after : ndarray of float32, shape (n, f)
        Features; those of the later date normalised to the earlier.
    labels : ndarray of int64, shape (groups,)
        Label of each group, from 1.
    areas : ndarray of int64, shape (labels + 1,)
        Labelled pixels of the cells by label.
    """

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    group: NDArray[np.int64]
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    labels: NDArray[np.int64]
    areas: NDArray[np.int64]


def draw_trials(
    block: Block,
    after: NDArray[np.float32],
    labels: NDArray[np.int16],
    *,
    classes: int,
    roles: Sequence[str] | None = None,
) -> TrialTable:
    """Draw groups from the core of one cell.

    Parameters
    ----------
    block : Block
        A cell whose halo reaches `models.features.HALO` pixels.
    after : ndarray of float32, shape (band, y, x)
        The later date in the earlier one's radiometry.
    labels : ndarray of int16, shape (y, x) of ``block.extent``
        0 where there is no label.
    classes : int
        Largest label.
    roles : sequence of str, optional
        Role of each band.
    """
    known = np.zeros(block.extent.shape, np.bool_)
    known[block.core_slices] = ((labels > 0) & block.valid)[block.core_slices]
    at = np.nonzero(known)
    rows, cols, label = at[0] + block.extent.row0, at[1] + block.extent.col0, labels[at]
    # One number per square and label, dense within the cell: counted, not sorted.
    top, left = block.core.row0 // SIDE, block.core.col0 // SIDE
    across, kinds = (block.core.col1 - 1) // SIDE - left + 1, classes + 1
    key = ((rows // SIDE - top) * across + (cols // SIDE - left)) * kinds + label
    counted = np.bincount(key)
    squares = np.flatnonzero(counted)
    which = (np.cumsum(counted > 0) - 1)[key]
    place, kind = np.divmod(squares, kinds)
    ranks = splitmix64(place // across + top, place % across + left, SEED)
    full = np.flatnonzero(counted[squares] * LEAST_SHARE >= SIDE * SIDE)
    order = full[np.lexsort((ranks[full], kind[full]))]
    turn = np.arange(len(order)) - np.searchsorted(kind[order], kind[order])
    chosen = np.sort(order[turn < PER_CELL])
    number = np.full(len(squares), -1)
    number[chosen] = np.arange(len(chosen))
    # every other pixel of the square, as of a chessboard
    taken = (number[which] >= 0) & ((rows + cols) % 2 == 0)
    taken = np.flatnonzero(taken)[np.argsort(number[which[taken]], kind="stable")]
    local = at[0][taken], at[1][taken]
    earlier, later = (
        features_at(image, block.valid, *local, block.bands, roles=roles)
        for image in (block.before, after)
    )
    return TrialTable(
        rows[taken].astype(np.int64),
        cols[taken].astype(np.int64),
        number[which[taken]],
        earlier,
        later,
        kind[chosen].astype(np.int64),
        np.bincount(label, minlength=classes + 1).astype(np.int64),
    )


def join_trials(tables: Sequence[TrialTable]) -> TrialTable:
    """Return the groups of several cells in one table, by address of their first pixel."""
    starts = np.cumsum([0, *(len(t.labels) for t in tables)])
    group = np.concatenate([t.group + s for t, s in zip(tables, starts[:-1], strict=True)])
    rows, cols, before, after, labels = (
        np.concatenate([getattr(t, name) for t in tables])
        for name in ("rows", "cols", "before", "after", "labels")
    )
    first = np.searchsorted(group, np.arange(len(labels)))
    order = np.lexsort((cols[first], rows[first])) if len(labels) else np.empty(0, np.int64)
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels))
    by = np.argsort(rank[group], kind="stable") if len(group) else np.empty(0, np.int64)
    return TrialTable(
        rows[by],
        cols[by],
        rank[group][by],
        before[by],
        after[by],
        labels[order],
        np.sum([t.areas for t in tables], axis=0),
    )
