"""What a quality raster hides: which of its values, and how far around them on the ground."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tiles.grid import AnalysisGrid, Extent
from tiles.scene import MaskSource

__all__ = ["grown_cell", "is_unusable", "mask_codes"]

HIDDEN, USABLE, GROWING = 0, 1, 2
"""Codes of a mask on the grid; what lies beyond the raster is hidden and hides nothing else."""

TOLERANCE_PX = 0.05
"""A projection's metres are not quite those of the ground; a margin of whole pixels stays so."""


def is_unusable(stored: NDArray[np.generic], mask: MaskSource) -> NDArray[np.bool_]:
    """Return where a quality raster (y, x) holds a value, or a bit, that makes a pixel unusable."""
    return _holds(stored, mask, mask.unusable)


def _holds(
    stored: NDArray[np.generic], mask: MaskSource, wanted: tuple[int, ...]
) -> NDArray[np.bool_]:
    if mask.kind == "values":
        return np.isin(stored, wanted)
    width = stored.dtype.itemsize * 8
    bits = sum(1 << b for b in wanted if b < width)
    unsigned = stored.view(f"u{stored.dtype.itemsize}")
    return np.asarray((unsigned & unsigned.dtype.type(bits)) != 0)


def mask_codes(stored: NDArray[np.generic], mask: MaskSource) -> NDArray[np.uint8]:
    """Return `HIDDEN`, `USABLE` or `GROWING` (hidden, and hides its surroundings) per pixel."""
    codes = np.where(is_unusable(stored, mask), np.uint8(HIDDEN), np.uint8(USABLE))
    if mask.margin_m > 0:
        codes[_holds(stored, mask, mask.growing)] = GROWING
    return codes


def grown_cell(
    codes_of: Callable[[Extent], NDArray[np.uint8]],
    cell: Extent,
    grid: AnalysisGrid,
    margin_m: float,
) -> NDArray[np.bool_]:
    """Return the usable pixels of a cell, clouds of the neighbouring cells included.

    A pixel is lost where its centre lies within the margin of the centre of a growing pixel.

    Parameters
    ----------
    codes_of : callable
        Returns the codes of any fixed cell of the grid.
    cell : Extent
        Fixed cell; metres are those at its middle, so the answer is the same for any tiling.
    grid : AnalysisGrid
    margin_m : float
        Metres on the ground.
    """
    mx, my = grid.pixel_metres(cell)
    reach = margin_m + TOLERANCE_PX * min(mx, my)
    halo = int(reach / min(mx, my))
    if halo == 0:
        return np.asarray(codes_of(cell) == USABLE, np.bool_)
    wide = cell.expand(halo)
    codes = np.empty(wide.shape, np.uint8)
    for near in wide.cells():
        part = near.intersect(wide)
        codes[part.slices_in(wide)] = codes_of(near)[part.slices_in(near)]
    usable = codes == USABLE
    growing = codes == GROWING
    if growing.any():
        from scipy import ndimage

        usable &= ndimage.distance_transform_edt(~growing, sampling=(my, mx)) > reach
    return np.asarray(usable[cell.slices_in(wide)], np.bool_)
