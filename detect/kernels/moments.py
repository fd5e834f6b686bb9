"""Exact-order sums over a sample: one thread, float64, always the same order of additions."""

import math

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner, kernel

__all__ = [
    "add_histogram",
    "chi_square_tail",
    "map_rows",
    "reweighted_moments",
    "weighted_moments",
]

STRIP = 256
"""Pixels worked at a time, so that all columns of them stay in the first-level cache."""


@kernel
def weighted_moments(
    values: NDArray[np.float64],  # (pixel, column)
    weight: NDArray[np.float64],  # (pixel,)
    sums: NDArray[np.float64],  # (column,), written: Σ weight · value
    products: NDArray[np.float64],  # (column, column), written: Σ weight · value · valueᵀ
) -> float:
    """Write weighted sums and products; return the sum of the weights."""
    count, columns = values.shape
    sums[:] = 0.0
    products[:] = 0.0
    total = 0.0
    for p in range(count):
        w = weight[p]
        total += w
        for i in range(columns):
            scaled = w * values[p, i]
            sums[i] += scaled
            for j in range(columns):
                products[i, j] += scaled * values[p, j]
    return total


@kernel
def map_rows(
    values: NDArray[np.float64],  # (pixel, column)
    matrix: NDArray[np.float64],  # (row, column)
    offset: NDArray[np.float64],  # (row,)
    out: NDArray[np.float64],  # (pixel, row), written: matrix · value + offset
) -> None:
    """Write an affine map of every row."""
    for p in range(values.shape[0]):
        for i in range(matrix.shape[0]):
            total = offset[i]
            for j in range(matrix.shape[1]):
                total += matrix[i, j] * values[p, j]
            out[p, i] = total


@kernel
def add_histogram(
    score: NDArray[np.uint16],  # (y, x)
    valid: NDArray[np.bool_],  # (y, x)
    counts: NDArray[np.int64],  # (65536,), one is added per valid pixel
) -> None:
    """Count scores."""
    for y in range(score.shape[0]):
        for x in range(score.shape[1]):
            if valid[y, x]:
                counts[score[y, x]] += 1


@inner
def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return the probability that a chi-square variable is greater, in closed form."""
    half = 0.5 * statistic
    term = math.exp(-half)
    if degrees % 2 == 0:
        total = term
        for k in range(1, degrees // 2):
            term *= half / k
            total += term
        return total
    total = math.erfc(math.sqrt(half))
    term *= 2.0 * math.sqrt(half / math.pi)
    for k in range(1, (degrees + 1) // 2):
        total += term
        term *= half / (k + 0.5)
    return total


@kernel
def reweighted_moments(
    values: NDArray[np.float64],  # (column, pixel)
    matrix: NDArray[np.float64],  # (row, column)
    offset: NDArray[np.float64],  # (row,)
    sums: NDArray[np.float64],  # (column,), written: Σ weight · value
    products: NDArray[np.float64],  # (column, column), written: Σ weight · value · valueᵀ
) -> float:
    """Write sums weighted by the chance of |matrix · value + offset|²; return Σ weight."""
    columns, count = values.shape
    rows = matrix.shape[0]
    sums[:] = 0.0
    products[:] = 0.0
    total = 0.0
    weight, statistic, variate = np.empty(STRIP), np.empty(STRIP), np.empty(STRIP)
    block, scaled = np.zeros((columns, STRIP)), np.zeros(STRIP)
    for first in range(0, count, STRIP):
        n = min(STRIP, count - first)
        for c in range(columns):
            for x in range(n):
                block[c, x] = values[c, first + x]
        statistic[:] = 0.0
        for i in range(rows):
            variate[:] = offset[i]
            for c in range(0, columns - 1, 2):
                m, v, k, u = matrix[i, c], block[c], matrix[i, c + 1], block[c + 1]
                for x in range(STRIP):
                    variate[x] += m * v[x] + k * u[x]
            if columns % 2:
                m, v = matrix[i, columns - 1], block[columns - 1]
                for x in range(STRIP):
                    variate[x] += m * v[x]
            for x in range(STRIP):
                statistic[x] += variate[x] * variate[x]
        weight[:] = 0.0
        for x in range(n):
            weight[x] = chi_square_tail(statistic[x], rows)
            total += weight[x]
        for c in range(columns):
            v = block[c]
            for x in range(STRIP):
                scaled[x] = weight[x] * v[x]
            sums[c] += _dot(weight, v)
            for d in range(c + 1):
                products[c, d] += _dot(scaled, block[d])
    for c in range(columns):
        for d in range(c):
            products[d, c] = products[c, d]
    return total


@inner
def _dot(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the product of two strips; eight sums in a fixed order, which vector units keep."""
    a = b = c = d = e = f = g = h = 0.0
    for x in range(0, STRIP, 8):
        a += first[x] * second[x]
        b += first[x + 1] * second[x + 1]
        c += first[x + 2] * second[x + 2]
        d += first[x + 3] * second[x + 3]
        e += first[x + 4] * second[x + 4]
        f += first[x + 5] * second[x + 5]
        g += first[x + 6] * second[x + 6]
        h += first[x + 7] * second[x + 7]
    return ((a + e) + (b + f)) + ((c + g) + (d + h))
