"""Land cover of every pixel compared between the dates, and what a pair of covers means.

The comparison is a second source of candidates (exact mode): where the covers of both dates differ
over three by three pixels, something may have changed even if the image hardly did.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from configs.transitions import transitions
from configs.vocabulary import change_type
from models.features import HALO
from models.landcover import LandcoverState, vote_pair
from tiles.block import Block

__all__ = ["COMPARED_HALO", "change_kinds", "compare_covers"]

COMPARED_HALO = HALO + 2
"""Pixels around a core that `compare_covers` reads: opening by 3 × 3 pixels looks at two more."""

BATCH = 1 << 16
"""Pixels classified at a time: their features take 12 MB."""

LIKELY, SURE = 60, 80
"""Least percent of the trees, at both dates, for a candidate and for a certain one: as much as a
forest of ten classes seldom gives to a mixed pixel, and twice as sure as not."""

WINDOW = np.ones((3, 3), np.bool_)


@lru_cache(maxsize=8)
def _kinds(classes: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    table = transitions()
    kinds = table.table(classes)[0].reshape(-1)
    silent = [code == "unknown" or change_type(code).is_pseudo for code in table.codes()]
    return kinds, ~np.array(silent)[kinds]


def change_kinds(classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the kind of change that each pair of covers means, (classes²,), whatever the form."""
    return _kinds(classes)[0]


def _cover_pairs(
    state: LandcoverState,
    block: Block,
    after: NDArray[np.float32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
    """Return the pairs of covers of pixels, and the percent of the trees at the weaker date."""
    pairs, percent = np.zeros(len(rows), np.int16), np.zeros(len(rows), np.int8)
    for start in range(0, len(rows) if state.is_known else 0, BATCH):
        part = slice(start, start + BATCH)
        votes = vote_pair(state, block.before, after, block.valid, rows[part], cols[part])
        best = votes.argmax(axis=2)
        pairs[part] = best[:, 0] * len(state.classes) + best[:, 1]
        percent[part] = votes.max(axis=2).min(axis=1) * 100 // votes[:, 0].sum(axis=1)
    return pairs, percent


def compare_covers(
    state: LandcoverState, block: Block, after: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find where the covers of both dates differ.

    Parameters
    ----------
    state : LandcoverState
    block : Block
        Its extent reaches `COMPARED_HALO` pixels beyond its core.
    after : ndarray of float32, shape (band, y, x)
        The later date in the earlier one's radiometry.

    Returns
    -------
    weak, strong : ndarray of bool, shape (y, x) of the core
        Candidates that hold a square of three by three, and the middles of squares that are sure.
        Changes from crop to crop and between equal covers are none.

    References
    ----------
    .. [1] Singh (1989). Digital change detection techniques using remotely-sensed data.
       doi:10.1080/01431168908903939
    """
    area = block.core.expand(2)
    window = area.slices_in(block.extent)
    valid = block.valid[window]
    at = np.nonzero(valid)
    rows, cols = at[0] + window[0].start, at[1] + window[1].start
    pairs, percent = _cover_pairs(state, block, after, rows, cols)
    real = _kinds(state.classes)[1][pairs]
    weak, strong = np.zeros(valid.shape, np.bool_), np.zeros(valid.shape, np.bool_)
    weak[at], strong[at] = real & (percent >= LIKELY), real & (percent >= SURE)
    inner = ndimage.binary_erosion(weak, WINDOW)
    opened = ndimage.binary_dilation(inner, WINDOW)
    core = block.core.slices_in(area)
    return opened[core], ndimage.binary_erosion(strong, WINDOW)[core]
