"""What else is known of a member pixel: the change of common indices, and how even it looks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from configs.indices import spectral_index
from configs.transitions import transitions
from detect.component_tables import INDICES, NO_VALUE, VALUES
from detect.indices import index_bands, index_program
from tiles.block import Block

__all__ = ["INDICES", "STEPS", "VALUES", "index_changes", "member_values"]

STEPS = 10_000
"""Values are whole numbers of 1 / STEPS, so that their sums do not depend on the tiling."""


def member_values(
    block: Block,
    after: NDArray[np.float32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    wavelengths: Sequence[float | None],
) -> NDArray[np.int32]:
    """Return the `VALUES` of pixels of a block, (n, len(VALUES)); arguments of `index_changes`.

    The last is `STEPS` where the window is even, else 0.
    """
    changes = index_changes(block, after, rows, cols, wavelengths)
    limit = transitions().smooth.variation_percent_max / 100
    even = _variation(after, block.valid, rows, cols) < limit
    return np.hstack([changes, np.where(even, STEPS, 0).astype(np.int32)[:, None]])


def _variation(
    image: NDArray[np.float32],
    valid: NDArray[np.bool_],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return deviation / mean of the brightness of 3 × 3 pixels, of those that are valid."""
    height, width = valid.shape
    values, seen = np.zeros((9, len(rows))), np.zeros((9, len(rows)), np.bool_)
    for i in range(9):
        y, x = rows + i // 3 - 1, cols + i % 3 - 1
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        y, x = y.clip(0, height - 1), x.clip(0, width - 1)
        seen[i] = inside & valid[y, x]
        for band in image:  # a fixed order of additions
            values[i] += band[y, x]
    values[~seen] = 0
    count = np.maximum(seen.sum(axis=0), 1)
    mean = values.sum(axis=0) / count
    spread = (np.where(seen, values - mean, 0) ** 2).sum(axis=0) / count
    return np.asarray(np.sqrt(spread) / np.maximum(mean, 1e-9))


def index_changes(
    block: Block,
    after: NDArray[np.float32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    wavelengths: Sequence[float | None],
) -> NDArray[np.int32]:
    """Return the change (after − before) of `INDICES` at pixels of a block.

    Parameters
    ----------
    block : Block
    after : ndarray of float32, shape (band, y, x)
        The after date in the before date's radiometry.
    rows, cols : ndarray of int64, shape (n,)
        Positions in the arrays of the block.
    wavelengths : sequence of float or None
        Centre of each band in µm.

    Returns
    -------
    ndarray of int32, shape (n, len(INDICES))
        In 1 / `STEPS`; `NO_VALUE` where a band is missing or the index has no finite value.
    """
    out = np.full((len(rows), len(INDICES)), NO_VALUE, np.int32)
    valid = block.valid[rows, cols][None]
    one, two = (np.ascontiguousarray(d[:, rows, cols][:, None]) for d in (block.before, after))
    for column, name in enumerate(INDICES):
        index = spectral_index(name)
        try:
            index_bands(index, wavelengths, block.bands)
        except InputError:
            continue
        program = index_program([index], wavelengths, names=block.bands)
        change = program.run(one, two, valid, fill=np.nan)[0, 0]
        known = np.isfinite(change)
        out[known, column] = np.rint(np.clip(change[known], -2, 2) * np.float32(STEPS))
    return out
