"""Local windows whose answer at a pixel does not depend on where the array begins.

Every sum runs over the window's own pixels in a fixed order; there are no running sums along a row
or a column. Outside the array everything counts as zero, exactly as a pixel that is not valid, so
an array cut anywhere beyond the radius of the window gives the same bits.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["add_box_sums", "box_sums", "fir_smooth"]


@njit(nogil=True, cache=True)
def fir_smooth(
    source: NDArray[np.float32],  # (y, x), zero where not valid
    taps: NDArray[np.float32],  # (radius + 1,), centre first; the kernel is symmetric
    inverse_weight: NDArray[np.float32],  # (y, x), multiplies the result
    row_sum: NDArray[np.float32],  # (x + 2 radius,), scratch, zero in its first and last `radius`
    out: NDArray[np.float32],  # (y, x), written
) -> None:
    """Write the normalised symmetric filter of a plane, columns first."""
    height, width = source.shape
    radius = taps.size - 1
    middle = row_sum[radius : radius + width]
    for y in range(height):
        row = source[y]
        for x in range(width):
            middle[x] = taps[0] * row[x]
        for k in range(1, radius + 1):
            tap = taps[k]
            if y - k >= 0 and y + k < height:
                above, below = source[y - k], source[y + k]
                for x in range(width):
                    middle[x] += tap * (above[x] + below[x])
            elif y - k >= 0 or y + k < height:
                only = source[y - k] if y - k >= 0 else source[y + k]
                for x in range(width):
                    middle[x] += tap * only[x]
        target, inverse = out[y], inverse_weight[y]
        for x in range(width):
            target[x] = taps[0] * middle[x]
        for k in range(1, radius + 1):
            tap = taps[k]
            left, right = row_sum[radius - k :], row_sum[radius + k :]
            for x in range(width):
                target[x] += tap * (left[x] + right[x])
        for x in range(width):
            target[x] *= inverse[x]


@njit(nogil=True, cache=True)
def box_sums(
    source: NDArray[np.float32],  # (y, x), zero where not valid
    radius: int,
    row_sum: NDArray[np.float32],  # (x + 2 radius,), scratch, zero in its first and last `radius`
    out: NDArray[np.float32],  # (y, x), written: sum over the (2 radius + 1)² window
) -> None:
    """Write the sums over square windows."""
    out[:] = np.float32(0)
    add_box_sums(source, source, 0, radius, row_sum, out)


@njit(nogil=True, cache=True)
def add_box_sums(
    first: NDArray[np.float32],  # (y, x), zero where not valid
    second: NDArray[np.float32],  # (y, x), zero where not valid
    product: int,  # 0: sums of `first`; 1: sums of first × second
    radius: int,
    row_sum: NDArray[np.float32],  # (x + 2 radius,), scratch, zero in its first and last `radius`
    out: NDArray[np.float32],  # (y, x), the sums are added to it
) -> None:
    """Add the sums over square windows of a plane or of a product."""
    height, width = first.shape
    middle = row_sum[radius : radius + width]
    for y in range(height):
        middle[:] = np.float32(0)
        for k in range(max(0, y - radius), min(height, y + radius + 1)):
            row, other = first[k], second[k]
            if product:
                for x in range(width):
                    middle[x] += row[x] * other[x]
            else:
                for x in range(width):
                    middle[x] += row[x]
        target = out[y]
        for k in range(2 * radius + 1):
            shifted = row_sum[k:]
            for x in range(width):
                target[x] += shifted[x]
