"""Directions of change vectors, pixel by pixel. Where `valid` is False the output is zero."""

import math

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import kernel

__all__ = ["angles_from_grey", "angles_in_plane"]


@kernel
def angles_from_grey(
    first: NDArray[np.float32],  # (band, y, x)
    second: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    out: NDArray[np.float32],  # (y, x), written: 0 to π; 0 where nothing changed
) -> None:
    """Write the angle between the change vector and equal increase of all bands."""
    bands, height, width = first.shape
    for y in range(height):
        for x in range(width):
            total, square = 0.0, 0.0
            for b in range(bands):
                difference = np.float64(second[b, y, x]) - np.float64(first[b, y, x])
                total += difference
                square += difference * difference
            if valid[y, x] and square > 0:
                cosine = total / math.sqrt(square * bands)
                out[y, x] = math.acos(min(max(cosine, -1.0), 1.0))
            else:
                out[y, x] = 0.0


@kernel
def angles_in_plane(
    first: NDArray[np.float32],  # (band, y, x)
    second: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    along: int,
    across: int,
    out: NDArray[np.float32],  # (y, x), written: 0 to 2 π; 0 where nothing changed
) -> None:
    """Write the angle of the change vector in the plane of two bands, from the first of them."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = 0.0
            if valid[y, x]:
                u = second[along, y, x] - first[along, y, x]
                v = second[across, y, x] - first[across, y, x]
                angle = math.atan2(v, u)
                out[y, x] = angle if angle >= 0 else angle + 2 * math.pi
