"""Weighted least squares of a strip of lanes: residuals, sums, Cholesky factors.

The same code serves float32 and float64. Dates come in groups, so that a sum is loaded and stored
once for all of them; no lane sees another.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner, inner_ieee

__all__ = ["GROUP", "STRIP", "add_group", "residuals_of", "solve"]

STRIP = 128
"""Lanes of a strip."""

GROUP = 4
"""Dates of a group."""

TOLERANCE = 1e-4
"""Least share of a regressor that the ones before it may leave unexplained."""

DROPPED = 1e15
"""Pivot of a regressor that the ones before it explain: its coefficient becomes nearly 0."""

Reals = NDArray[Any]
"""Float32 or float64, the same in all arguments but where it is told."""


@inner
def residuals_of(
    x: Reals,  # (GROUP, coefficient)
    v: NDArray[np.float32],  # (GROUP, STRIP)
    beta: Reals,  # (coefficient, STRIP)
    r: Reals,  # (GROUP, STRIP), written
) -> None:
    """Write value − model for a group of dates."""
    r0, r1, r2, r3 = r[0], r[1], r[2], r[3]
    v0, v1, v2, v3 = v[0], v[1], v[2], v[3]
    a, b, c, d = x[0, 0], x[1, 0], x[2, 0], x[3, 0]
    one = beta[0]
    for s in range(STRIP):
        r0[s] = v0[s] - a * one[s]
        r1[s] = v1[s] - b * one[s]
        r2[s] = v2[s] - c * one[s]
        r3[s] = v3[s] - d * one[s]
    for i in range(1, beta.shape[0]):
        a, b, c, d = x[0, i], x[1, i], x[2, i], x[3, i]
        one = beta[i]
        for s in range(STRIP):
            r0[s] -= a * one[s]
            r1[s] -= b * one[s]
            r2[s] -= c * one[s]
            r3[s] -= d * one[s]


@inner
def add_group(
    x: Reals,  # (GROUP, coefficient)
    right: Reals,  # (GROUP, STRIP), weighted
    w: Reals,  # (GROUP, STRIP), weights
    gram: Reals,  # (pair, STRIP), changed: lower triangle, row after row
    beta: Reals,  # (coefficient, STRIP), changed
) -> None:
    """Add a group of dates to the weighted products of regressors with each other and `right`."""
    w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
    r0, r1, r2, r3 = right[0], right[1], right[2], right[3]
    k = 0
    for i in range(x.shape[1]):
        a, b, c, d = x[0, i], x[1, i], x[2, i], x[3, i]
        target = beta[i]
        for s in range(STRIP):
            target[s] += (a * r0[s] + b * r1[s]) + (c * r2[s] + d * r3[s])
        for j in range(i + 1):
            e, f, g, h = a * x[0, j], b * x[1, j], c * x[2, j], d * x[3, j]
            target = gram[k]
            for s in range(STRIP):
                target[s] += (e * w0[s] + f * w1[s]) + (g * w2[s] + h * w3[s])
            k += 1


@inner_ieee
def solve(
    gram: Reals,  # (pair, STRIP), changed: Cholesky factor with the inverse of its diagonal
    beta: Reals,  # (coefficient, STRIP), changed: right side, then solution
    fitted: NDArray[np.bool_],  # (STRIP,), written: False where the regressors do not suffice
) -> None:
    """Solve the normal equations of every lane, in place."""
    size = beta.shape[0]
    fitted[:] = True
    for i in range(size):
        row = i * (i + 1) // 2
        for j in range(i):
            column, target = j * (j + 1) // 2, gram[row + j]
            for k in range(j):
                a, b = gram[row + k], gram[column + k]
                for s in range(STRIP):
                    target[s] -= a[s] * b[s]
            inverse = gram[column + j]
            for s in range(STRIP):
                target[s] *= inverse[s]
        _pivot(gram, row, i, fitted)
    _substitute(gram, beta)


@inner
def _substitute(gram: Reals, beta: Reals) -> None:
    """Solve with a factor, forth and back, in place."""
    size = beta.shape[0]
    for i in range(size):
        row, target = i * (i + 1) // 2, beta[i]
        for k in range(i):
            below, known = gram[row + k], beta[k]
            for s in range(STRIP):
                target[s] -= below[s] * known[s]
        inverse = gram[row + i]
        for s in range(STRIP):
            target[s] *= inverse[s]
    for i in range(size - 1, -1, -1):
        target = beta[i]
        for k in range(i + 1, size):
            below, known = gram[k * (k + 1) // 2 + i], beta[k]
            for s in range(STRIP):
                target[s] -= below[s] * known[s]
        inverse = gram[i * (i + 1) // 2 + i]
        for s in range(STRIP):
            target[s] *= inverse[s]


@inner_ieee
def _pivot(gram: Reals, row: int, i: int, fitted: NDArray[np.bool_]) -> None:
    """Turn a diagonal element into the inverse of its Cholesky factor, or drop the regressor."""
    target = gram[row + i]
    rest = target.copy()
    for k in range(i):
        below = gram[row + k]
        for s in range(STRIP):
            rest[s] -= below[s] * below[s]
    for s in range(STRIP):
        enough = rest[s] > TOLERANCE * target[s]
        fitted[s] &= enough
        target[s] = 1.0 / np.sqrt(rest[s] if enough else DROPPED)
