"""Local windows whose answer at a pixel does not depend on where the array begins.

Every sum runs over the window's own pixels in a fixed order; there are no running sums along a row
or a column. Outside the array everything counts as zero, exactly as a pixel that is not valid, so
an array cut anywhere beyond the radius of the window gives the same bits. Taps are taken several
at a time only to save trips to memory.
"""

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner, kernel

__all__ = ["box_means", "box_row", "fir_smooth", "product_rows"]


@kernel
def fir_smooth(
    source: NDArray[np.float32],  # (y, x), zero where not valid
    taps: NDArray[np.float32],  # (radius + 1,), centre first; the kernel is symmetric
    inverse_weight: NDArray[np.float32],  # (y, x), multiplies the result
    out: NDArray[np.float32],  # (y, x), written
) -> None:
    """Write the normalised symmetric filter of a plane, columns first."""
    height, width = source.shape
    radius = taps.size - 1
    nothing = np.zeros(width, np.float32)
    padded = np.zeros(width + 2 * radius, np.float32)
    middle = padded[radius : radius + width]
    for y in range(height):
        row = source[y]
        for x in range(width):
            middle[x] = taps[0] * row[x]
        k = 1
        while k + 1 <= radius:
            a = source[y - k] if y - k >= 0 else nothing
            b = source[y + k] if y + k < height else nothing
            c = source[y - k - 1] if y - k - 1 >= 0 else nothing
            d = source[y + k + 1] if y + k + 1 < height else nothing
            for x in range(width):
                middle[x] += taps[k] * (a[x] + b[x]) + taps[k + 1] * (c[x] + d[x])
            k += 2
        if k == radius:
            a = source[y - k] if y - k >= 0 else nothing
            b = source[y + k] if y + k < height else nothing
            for x in range(width):
                middle[x] += taps[k] * (a[x] + b[x])
        _fir_along(padded, taps, inverse_weight[y], out[y])


@inner
def _fir_along(
    padded: NDArray[np.float32],  # (x + 2 radius,)
    taps: NDArray[np.float32],  # (radius + 1,)
    inverse: NDArray[np.float32],  # (x,)
    target: NDArray[np.float32],  # (x,), written
) -> None:
    width, radius = target.size, taps.size - 1
    middle = padded[radius:]
    for x in range(width):
        target[x] = taps[0] * middle[x]
    k = 1
    while k + 1 <= radius:
        a, b = padded[radius - k :], padded[radius + k :]
        c, d = padded[radius - k - 1 :], padded[radius + k + 1 :]
        for x in range(width):
            target[x] += taps[k] * (a[x] + b[x]) + taps[k + 1] * (c[x] + d[x])
        k += 2
    if k == radius:
        a, b = padded[radius - k :], padded[radius + k :]
        for x in range(width):
            target[x] += taps[k] * (a[x] + b[x])
    for x in range(width):
        target[x] *= inverse[x]


@kernel
def box_means(
    source: NDArray[np.float32],  # (y, x), zero where not valid
    radius: int,
    inverse_count: NDArray[np.float32],  # (y, x), multiplies the sums
    out: NDArray[np.float32],  # (y, x), written
) -> None:
    """Write the means over square windows of (2 radius + 1)² pixels."""
    height, width = source.shape
    nothing = np.zeros(width, np.float32)
    padded = np.zeros(width + 2 * radius, np.float32)
    for y in range(height):
        target, inverse = out[y], inverse_count[y]
        box_row(source, y, radius, nothing, padded, target)
        for x in range(width):
            target[x] *= inverse[x]


@inner
def box_row(
    source: NDArray[np.float32],  # (y, x), zero where not valid
    y: int,
    radius: int,
    nothing: NDArray[np.float32],  # (x,), zeros
    padded: NDArray[np.float32],  # (x + 2 radius,), scratch, zero in its first and last `radius`
    target: NDArray[np.float32],  # (x,), written
) -> None:
    """Write one row of the sums over square windows."""
    height, width = source.shape
    middle = padded[radius : radius + width]
    middle[:] = np.float32(0)
    k = y - radius
    while k + 3 <= y + radius:
        a = source[k] if 0 <= k < height else nothing
        b = source[k + 1] if 0 <= k + 1 < height else nothing
        c = source[k + 2] if 0 <= k + 2 < height else nothing
        d = source[k + 3] if 0 <= k + 3 < height else nothing
        for x in range(width):
            middle[x] += (a[x] + b[x]) + (c[x] + d[x])
        k += 4
    while k <= y + radius:
        a = source[k] if 0 <= k < height else nothing
        for x in range(width):
            middle[x] += a[x]
        k += 1
    _sum_along(padded, radius, target)


@inner
def product_rows(
    first: NDArray[np.float32],  # (y, x), zero where not valid
    second: NDArray[np.float32],  # (y, x), zero where not valid
    y: int,
    radius: int,
    nothing: NDArray[np.float32],  # (x,), zeros
    padded: NDArray[np.float32],  # (3, x + 2 radius), scratch, zero in the outer `radius` columns
    out: NDArray[np.float32],  # (3, x), written
) -> None:
    """Write one row of the sums of first², second² and first × second over square windows."""
    height, width = first.shape
    xx = padded[0, radius : radius + width]
    yy = padded[1, radius : radius + width]
    xy = padded[2, radius : radius + width]
    for x in range(width):
        xx[x], yy[x], xy[x] = nothing[x], nothing[x], nothing[x]
    k = y - radius
    while k <= y + radius:
        more = k + 1 <= y + radius and 0 <= k + 1 < height
        a = first[k] if 0 <= k < height else nothing
        b = second[k] if 0 <= k < height else nothing
        c = first[k + 1] if more else nothing
        d = second[k + 1] if more else nothing
        for x in range(width):
            xx[x] += a[x] * a[x] + c[x] * c[x]
            yy[x] += b[x] * b[x] + d[x] * d[x]
            xy[x] += a[x] * b[x] + c[x] * d[x]
        k += 2
    for i in range(3):
        _sum_along(padded[i], radius, out[i])


@inner
def _sum_along(
    padded: NDArray[np.float32],  # (x + 2 radius,)
    radius: int,
    target: NDArray[np.float32],  # (x,), written
) -> None:
    width = target.size
    target[:] = np.float32(0)
    k = 0
    while k + 3 <= 2 * radius:
        a, b, c, d = padded[k:], padded[k + 1 :], padded[k + 2 :], padded[k + 3 :]
        for x in range(width):
            target[x] += (a[x] + b[x]) + (c[x] + d[x])
        k += 4
    while k <= 2 * radius:
        a = padded[k:]
        for x in range(width):
            target[x] += a[x]
        k += 1
