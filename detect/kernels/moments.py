"""Exact-order sums over a sample: one thread, float64, always the same order of additions."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["add_histogram", "map_rows", "weighted_moments"]


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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
