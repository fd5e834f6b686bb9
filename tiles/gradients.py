"""Gradient magnitude of a smoothed image, as `scipy.ndimage.gaussian_gradient_magnitude` gives it.

Rows of a plane are added up in vectors, which the general filters of SciPy cannot do; differences
between the two are of the last bits.
"""

import math

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import kernel

__all__ = ["fill_magnitude", "gradient_magnitude"]

RADIUS = 4
"""Taps on either side, in standard deviations of one pixel."""


def _taps() -> NDArray[np.float64]:
    """Return the Gaussian and its derivative, from the centre outwards."""
    steps = np.arange(RADIUS + 1)
    bell = np.array([math.exp(-0.5 * s * s) for s in steps.tolist()])
    bell /= bell[0] + 2 * bell[1:].sum()
    return np.stack([bell, steps * bell])


TAPS = _taps()


def gradient_magnitude(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the gradient magnitude of a plane smoothed by one pixel; it is mirrored at its edges.

    Parameters
    ----------
    image : ndarray of float32, shape (y, x)
        Finite.
    """
    padded = np.pad(image.astype(np.float64), RADIUS, mode="symmetric")
    out = np.empty(image.shape, np.float64)
    fill_magnitude(padded, TAPS[0], TAPS[1], out)
    return out


@kernel
def fill_magnitude(
    padded: NDArray[np.float64],  # (y + 2 radius, x + 2 radius)
    bell: NDArray[np.float64],  # (radius + 1,) centre first
    slope: NDArray[np.float64],  # (radius + 1,) odd: minus itself on the other side
    out: NDArray[np.float64],  # (y, x), written
) -> None:
    """Write the length of the gradient: each row smoothed and differentiated down, then along."""
    height, width = out.shape
    radius = bell.size - 1
    smooth, steep = np.empty(padded.shape[1]), np.empty(padded.shape[1])
    down, right = np.empty(width), np.empty(width)
    for y in range(height):
        middle = padded[y + radius]
        for x in range(smooth.size):
            smooth[x] = bell[0] * middle[x]
            steep[x] = 0.0
        for k in range(1, radius + 1):
            above, below = padded[y + radius - k], padded[y + radius + k]
            for x in range(smooth.size):
                smooth[x] += bell[k] * (above[x] + below[x])
                steep[x] += slope[k] * (below[x] - above[x])
        for x in range(width):
            down[x] = bell[0] * steep[x + radius]
            right[x] = 0.0
        for k in range(1, radius + 1):
            for x in range(width):
                down[x] += bell[k] * (steep[x + radius - k] + steep[x + radius + k])
                right[x] += slope[k] * (smooth[x + radius + k] - smooth[x + radius - k])
        row = out[y]
        for x in range(width):
            row[x] = np.sqrt(down[x] * down[x] + right[x] * right[x])
