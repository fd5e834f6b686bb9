"""What else is known of a member pixel: the change of the common indices."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from configs.indices import spectral_index
from detect.component_tables import NO_VALUE
from detect.indices import index_bands, index_program
from tiles.block import Block

__all__ = ["INDICES", "STEPS", "index_changes"]

INDICES = ("NDVI", "NDBI", "NDWI")
"""Vegetation, built-up land, water: normalised differences, which need no unit of reflectance."""

STEPS = 10_000
"""Values are whole numbers of 1 / STEPS, so that their sums do not depend on the tiling."""


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
