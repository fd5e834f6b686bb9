"""Fits of one pixel: a handful of observations, a handful of coefficients."""

import math

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner_ieee, kernel_ieee

__all__ = [
    "factor",
    "fit_small",
    "leverage",
    "noise_floor",
    "onset",
    "reject_outliers",
    "solve",
]

TOLERANCE = 1e-4
"""Least share of a regressor that the ones before it may leave unexplained."""

NORMAL_MAD = 1.4826
"""Standard deviations per median absolute deviation of a normal distribution."""

BISQUARE = 4.685
"""Tuning constant of Tukey's bisquare."""

REJECT = 4.0
"""Robust standard deviations beyond which an observation does not start a model."""

ROUNDS = 4
"""Re-weightings of the robust fit."""

LEAST_SCALE = 1e-6
"""Least standard deviation relative to the root mean square of the values: float32 noise."""


@inner_ieee
def factor(packed: NDArray[np.float64], root: NDArray[np.float64]) -> bool:
    """Write the Cholesky factor of a leading block of a packed lower triangle.

    Returns whether the regressors can be told apart.
    """
    for i in range(root.shape[0]):
        for j in range(i + 1):
            rest = packed[i * (i + 1) // 2 + j]
            for k in range(j):
                rest -= root[i, k] * root[j, k]
            if i == j:
                if not rest > TOLERANCE * packed[i * (i + 1) // 2 + i]:
                    return False
                root[i, i] = math.sqrt(rest)
            else:
                root[i, j] = rest / root[j, j]
    return True


@kernel_ieee
def solve(
    root: NDArray[np.float64], right: NDArray[np.float64], beta: NDArray[np.float64]
) -> float:
    """Write the coefficients; return the sum of squares that they explain."""
    size = root.shape[0]
    explained = 0.0
    for i in range(size):
        rest = right[i]
        for k in range(i):
            rest -= root[i, k] * beta[k]
        beta[i] = rest / root[i, i]
        explained += beta[i] * beta[i]
    for i in range(size - 1, -1, -1):
        rest = beta[i]
        for k in range(i + 1, size):
            rest -= root[k, i] * beta[k]
        beta[i] = rest / root[i, i]
    return explained


@inner_ieee
def leverage(root: NDArray[np.float64], row: NDArray[np.float64]) -> float:
    """Return the variance of a forecast due to the coefficients, in variances of the noise."""
    size = root.shape[0]
    part = np.empty(size)
    total = 0.0
    for i in range(size):
        rest = row[i]
        for k in range(i):
            rest -= root[i, k] * part[k]
        part[i] = rest / root[i, i]
        total += part[i] * part[i]
    return total


@inner_ieee
def noise_floor(square: float, count: float, least_sigma: float) -> float:
    """Return the least standard deviation of values with this sum of squares."""
    return max(LEAST_SCALE * math.sqrt(square / max(count, 1.0)), least_sigma, 1e-30)


@inner_ieee
def fit_small(
    rows: NDArray[np.float64],  # (observation, coefficient)
    values: NDArray[np.float32],  # (observation,)
    weight: NDArray[np.float64],  # (observation,)
    least_sigma: float,
    beta: NDArray[np.float64],  # (coefficient,), written
    residual: NDArray[np.float64],  # (observation,), written
) -> float:
    """Fit by weighted least squares; return the standard error, 0 if the dates do not allow it."""
    n, size = rows.shape
    packed, right = np.zeros(size * (size + 1) // 2), np.zeros(size)
    square, total = 0.0, 0.0
    for o in range(n):
        k = 0
        for i in range(size):
            scaled = weight[o] * rows[o, i]
            right[i] += scaled * values[o]
            for j in range(i + 1):
                packed[k] += scaled * rows[o, j]
                k += 1
        square += weight[o] * (np.float64(values[o]) * np.float64(values[o]))
        total += weight[o]
    root = np.empty((size, size))
    if not factor(packed, root):
        return 0.0
    solve(root, right, beta)
    rest = 0.0
    for o in range(n):
        expected = 0.0
        for i in range(size):
            expected += rows[o, i] * beta[i]
        residual[o] = values[o] - expected
        rest += weight[o] * residual[o] * residual[o]
    floor = noise_floor(square, total, least_sigma)
    return max(math.sqrt(rest / max(total - size, 1.0)), floor)


@inner_ieee
def reject_outliers(
    rows: NDArray[np.float64],  # (observation, coefficient)
    values: NDArray[np.float32],  # (observation,)
    least_sigma: float,
    keep: NDArray[np.bool_],  # (observation,), changed
) -> None:
    """Mark what a robust fit of one band does not explain."""
    n, size = rows.shape
    weight, residual, absolute = np.ones(n), np.empty(n), np.empty(n)
    beta = np.empty(size)
    square = 0.0
    for o in range(n):
        square += np.float64(values[o]) * np.float64(values[o])
    floor = noise_floor(square, n, least_sigma)
    shrink = math.sqrt(n / max(n - size, 1.0))
    scale = floor
    for _ in range(ROUNDS):
        if fit_small(rows, values, weight, least_sigma, beta, residual) <= 0:
            return
        for o in range(n):
            absolute[o] = abs(residual[o])
        absolute.sort()
        median = 0.5 * (absolute[(n - 1) // 2] + absolute[n // 2])
        scale = max(NORMAL_MAD * shrink * median, floor)
        for o in range(n):
            u = min(abs(residual[o]) / (BISQUARE * scale), 1.0)
            weight[o] = (1.0 - u * u) * (1.0 - u * u)
    for o in range(n):
        keep[o] &= abs(residual[o]) <= REJECT * scale


@inner_ieee
def onset(
    scaled: NDArray[np.float64],  # (observation, band), standardised residuals
    latest: int,
    reach: float,
) -> int:
    """Return the observation, not after `latest`, from which on a step best explains the rest.

    That is the maximum of the likelihood over date and size of the step. Residuals longer than
    `reach` are cut to it: one missed cloud must not date a change.
    """
    count, bands = scaled.shape
    total = np.zeros(bands)
    best, first = -1.0, latest
    for k in range(count - 1, -1, -1):
        length = math.sqrt(np.sum(scaled[k] * scaled[k]))
        total += scaled[k] * (reach / max(length, reach))
        gain = np.sum(total * total) / (count - k)
        if k <= latest and gain > best:
            best, first = gain, k
    return first
