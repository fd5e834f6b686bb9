"""Statistics of square windows, finished row by row while their sums are at hand."""

import numpy as np
from numpy.typing import NDArray

from detect.kernels.smooth import box_row, product_rows
from tiles.compiled import inner, kernel

__all__ = ["lost_correlation", "near_highest", "window_variance"]


@kernel
def window_variance(
    planes: NDArray[np.float32],  # (band, y, x), zero where not valid
    squares: NDArray[np.float32],  # (y, x), Σ weight² plane²
    weight: NDArray[np.float32],  # (band,)
    radius: int,
    inverse_count: NDArray[np.float32],  # (y, x)
    out: NDArray[np.float32],  # (y, x), written; may be a little below zero
) -> None:
    """Write Σ weight² × variance of the bands in a window."""
    bands, height, width = planes.shape
    nothing = np.zeros(width, np.float32)
    padded = np.zeros(width + 2 * radius, np.float32)
    sums = np.empty(width, np.float32)
    for y in range(height):
        target, inverse = out[y], inverse_count[y]
        box_row(squares, y, radius, nothing, padded, target)
        for x in range(width):
            target[x] *= inverse[x]
        for b in range(bands):
            box_row(planes[b], y, radius, nothing, padded, sums)
            square = weight[b] * weight[b]
            for x in range(width):
                mean = sums[x] * inverse[x]
                target[x] -= square * (mean * mean)


@kernel
def lost_correlation(
    first: NDArray[np.float32],  # (band, y, x), zero where not valid
    second: NDArray[np.float32],  # (band, y, x), zero where not valid
    first_means: NDArray[np.float32],  # (band, y, x) means over the same windows
    second_means: NDArray[np.float32],  # (band, y, x)
    chosen: NDArray[np.int64],  # (n,) bands that count
    radius: int,
    inverse_count: NDArray[np.float32],  # (y, x), 0 where not valid
    floor: np.float32,  # added to both variances
    shared: np.float32,  # added to the covariance: as much as the floor where flat equals flat
    top: np.float32,  # value where the dates do not correlate
    out: NDArray[np.float32],  # (y, x), written: top − max(0, mean correlation); 0 if not valid
) -> None:
    """Write how far two dates fail to correlate in a window."""
    height, width = inverse_count.shape
    nothing = np.zeros(width, np.float32)
    padded = np.zeros((3, width + 2 * radius), np.float32)
    sums = np.empty((3, width), np.float32)
    share, none = np.float32(1.0 / chosen.size), np.float32(0)
    for y in range(height):
        target, inverse = out[y], inverse_count[y]
        target[:] = none
        for b in chosen:
            product_rows(first[b], second[b], y, radius, nothing, padded, sums)
            xx, yy, xy = sums[0], sums[1], sums[2]
            u, v = first_means[b, y], second_means[b, y]
            for x in range(width):
                var_u = max(xx[x] * inverse[x] - u[x] * u[x], none) + floor
                var_v = max(yy[x] * inverse[x] - v[x] * v[x], none) + floor
                both = xy[x] * inverse[x] - u[x] * v[x] + shared
                target[x] += share * (both / np.sqrt(var_u * var_v))
        for x in range(width):
            target[x] = top - max(target[x], none) if inverse[x] > none else none


@kernel
def near_highest(
    score: NDArray[np.uint16],  # (y, x)
    radius: int,
    percent: np.uint32,
    out: NDArray[np.bool_],  # (y, x), written
) -> None:
    """Write which scores reach a share of the highest one in their square window."""
    height, width = score.shape
    padded = np.zeros(width + 2 * radius, np.uint16)
    tallest = padded[radius : radius + width]
    highest = np.empty(width, np.uint16)
    for y in range(height):
        for x in range(width):
            tallest[x] = score[y, x]
        for k in range(max(0, y - radius), min(height, y + radius + 1)):
            _raise_to(tallest, score[k])
        for x in range(width):
            highest[x] = tallest[x]
        for k in range(2 * radius + 1):
            _raise_to(highest, padded[k : k + width])
        row, target = score[y], out[y]
        for x in range(width):
            own, top = np.uint32(row[x]), np.uint32(highest[x])
            target[x] = np.uint32(100) * own >= percent * top


@inner
def _raise_to(target: NDArray[np.uint16], other: NDArray[np.uint16]) -> None:
    for x in range(target.size):
        target[x] = target[x] if target[x] > other[x] else other[x]
