"""A block: both dates of one extent of the analysis grid, ready for arithmetic."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tiles.grid import Extent

__all__ = ["Block"]


@dataclass(frozen=True)
class Block:
    """Both dates on the same pixels.

    Attributes
    ----------
    extent : Extent
        Pixels of the arrays, halo included.
    core : Extent
        Pixels this block answers for; inside `extent`.
    bands : tuple of str
        Names of the bands, the same at both dates.
    before, after : ndarray of float32, shape (band, y, x)
        Reflectance or DN × scale + offset; finite everywhere, 0 where not valid.
    valid : ndarray of bool, shape (y, x)
        True where both dates may be read.
    source : ndarray of uint8, shape (2, y, x)
        Index of the scene each pixel came from, per date; 255 where there is none.
    """

    extent: Extent
    core: Extent
    bands: tuple[str, ...]
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    valid: NDArray[np.bool_]
    source: NDArray[np.uint8]

    def with_after(self, after: NDArray[np.float32]) -> "Block":
        """Return the block with another after date (normalised)."""
        return replace(self, after=after)

    @property
    def core_slices(self) -> tuple[slice, slice]:
        """Slices that cut the core out of the arrays."""
        return self.core.slices_in(self.extent)
