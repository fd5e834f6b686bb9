"""The stable end of a history: recursive residuals from the newest observation backwards."""

import math

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner_ieee, kernel_ieee

__all__ = ["stable_rows"]

TOLERANCE = 1e-4
"""Least share of a regressor that the ones before it may leave unexplained at the start."""


@kernel_ieee
def stable_rows(
    design: NDArray[np.float64],  # (date, coefficient)
    values: NDArray[np.float32],  # (date, y, x)
    used: NDArray[np.bool_],  # (date, y, x), changed: what lies before the break becomes False
    critical: float,  # of the boundary critical · (1 + 2 · share of the residuals)
) -> None:
    """Leave out what lies before the point where the reversed CUSUM leaves its boundary."""
    dates, height, width = values.shape
    size = design.shape[1]
    rows, v = np.empty((dates, size)), np.empty(dates)
    at, w = np.empty(dates, np.int64), np.empty(dates)
    for y in range(height):
        for x in range(width):
            n = 0
            for t in range(dates - 1, -1, -1):
                if used[t, y, x]:
                    at[n], v[n] = t, values[t, y, x]
                    rows[n] = design[t]
                    n += 1
            first = recursive_residuals(rows[:n], v[:n], w)
            stop = _crossing(w[first:n], critical)
            if stop >= 0:
                for k in range(first + stop, n):
                    used[at[k], y, x] = False


@inner_ieee
def recursive_residuals(
    rows: NDArray[np.float64],  # (observation, coefficient)
    v: NDArray[np.float64],  # (observation,)
    w: NDArray[np.float64],  # (at least observation,), written from the first residual on
) -> int:
    """Write standardised one-step forecast errors; return the place of the first.

    The recursion starts where the regressors so far can be told apart.
    """
    n, size = rows.shape
    gram, inverse = np.zeros((size, size)), np.empty((size, size))
    right, beta, gain = np.zeros(size), np.zeros(size), np.empty(size)
    start = int(n)
    for k in range(n):
        for i in range(size):
            right[i] += rows[k, i] * v[k]
            for j in range(size):
                gram[i, j] += rows[k, i] * rows[k, j]
        if k + 1 >= size and _invert(gram, inverse):
            start = k + 1
            break
    for i in range(size):
        for j in range(size):
            beta[i] += inverse[i, j] * right[j] if start < n else 0.0
    for k in range(start, n):
        spread, error = 1.0, v[k]
        for i in range(size):
            gain[i] = 0.0
            for j in range(size):
                gain[i] += inverse[i, j] * rows[k, j]
            spread += rows[k, i] * gain[i]
            error -= rows[k, i] * beta[i]
        w[k] = error / math.sqrt(spread)
        for i in range(size):
            share = gain[i] / spread
            beta[i] += share * error
            for j in range(size):
                inverse[i, j] -= share * gain[j]
    return start


@inner_ieee
def _invert(gram: NDArray[np.float64], inverse: NDArray[np.float64]) -> bool:
    """Write the inverse by Cholesky factors; return whether the regressors can be told apart."""
    size = gram.shape[0]
    root = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            rest = gram[i, j]
            for k in range(j):
                rest -= root[i, k] * root[j, k]
            if i == j:
                if not rest > TOLERANCE * gram[i, i]:
                    return False
                root[i, i] = math.sqrt(rest)
            else:
                root[i, j] = rest / root[j, j]
    for c in range(size):
        for i in range(size):
            rest = 1.0 if i == c else 0.0
            for k in range(i):
                rest -= root[i, k] * inverse[k, c]
            inverse[i, c] = rest / root[i, i]
        for i in range(size - 1, -1, -1):
            rest = inverse[i, c]
            for k in range(i + 1, size):
                rest -= root[k, i] * inverse[k, c]
            inverse[i, c] = rest / root[i, i]
    return True


@inner_ieee
def _crossing(w: NDArray[np.float64], critical: float) -> int:
    """Return where the cumulative sum first leaves its boundary, -1 if it never does."""
    n = w.size
    if n < 2:
        return -1
    mean = 0.0
    for k in range(n):
        mean += w[k] / n
    square = 0.0
    for k in range(n):
        square += (w[k] - mean) * (w[k] - mean)
    scale = math.sqrt(square / (n - 1)) * math.sqrt(n)
    total = 0.0
    for k in range(n):
        total += w[k]
        if abs(total) > scale * critical * (1.0 + 2.0 * (k + 1) / n):
            return k
    return -1
