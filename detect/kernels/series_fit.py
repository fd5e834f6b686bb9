"""Least squares per pixel, a strip of pixels at a time, so that every step runs over lanes.

Each lane is computed from its own values in the order of the dates; the answer cannot depend on
the block or the strip a pixel lies in.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["fit_rows"]

STRIP = 64
"""Pixels of a strip."""

TOLERANCE = 1e-4
"""Least share of a regressor that the ones before it may leave unexplained."""

NORMAL_MAD = 1.4826
"""Standard deviations per median absolute deviation of a normal distribution."""

BISQUARE = 4.685
"""Tuning constant of Tukey's bisquare: 95 % efficiency on normal noise."""

NEAR = 0.2
"""Residual, in scales, up to which an observation has full weight in the first rounds."""

ROUNDS = 3
"""Rounds of weights that fall with the residual, before one of bisquare and the last fit."""

LARGEST = 3.0e38
"""Largest coefficient: float32 ends a little above."""

LEAST_SCALE = 1e-6
"""Least standard deviation relative to the root mean square of the values: float32 noise."""


@njit(nogil=True, cache=True, error_model="numpy")
def fit_rows(
    design: NDArray[np.float64],  # (date, coefficient)
    values: NDArray[np.float32],  # (date, y, x)
    used: NDArray[np.bool_],  # (date, y, x), changed: what is screened out becomes False
    limit: float,  # residuals beyond limit × robust scale are screened; 0: none is
    least_sigma: float,  # least standard deviation, in units of the values
    coefficients: NDArray[np.float32],  # (coefficient, y, x), written; 0 where there is no fit
    sigma: NDArray[np.float32],  # (y, x), written; 0 where there is no fit
    count: NDArray[np.int32],  # (y, x), written: observations fitted; 0 where there is no fit
) -> None:
    """Write the robustly screened least-squares fit of every pixel."""
    dates, size = design.shape
    height, width = sigma.shape
    v, w, r = np.empty((dates, STRIP)), np.empty((dates, STRIP)), np.empty((dates, STRIP))
    bits = np.empty((dates, STRIP), np.int32)
    gram = np.empty((size * (size + 1) // 2, STRIP))
    beta = np.empty((size, STRIP))
    total, floor, scale = np.empty(STRIP), np.empty(STRIP), np.empty(STRIP)
    fitted = np.empty(STRIP, np.bool_)
    for y in range(height):
        for first in range(0, width, STRIP):
            last = min(first + STRIP, width)
            _load(values[:, y, first:last], used[:, y, first:last], v, w)
            _floors(v, w, least_sigma, total, floor)
            if limit > 0:
                for turn in range(ROUNDS + 2):
                    _solve(design, v, w, gram, beta, fitted)
                    _residuals(design, v, beta, r)
                    if turn == 0 or turn >= ROUNDS:
                        _robust_scale(r, used[:, y, first:last], bits, floor, scale)
                    _reweight(r, used[:, y, first:last], scale, limit, turn - ROUNDS, w)
                _keep(w, used[:, y, first:last])
            _solve(design, v, w, gram, beta, fitted)
            _residuals(design, v, beta, r)
            _standard_error(r, w, size, floor, total, scale, fitted)
            for s in range(last - first):
                x = first + s
                ok = fitted[s]
                count[y, x] = np.int32(total[s]) if ok else np.int32(0)
                sigma[y, x] = min(scale[s], LARGEST) if ok else 0.0
                for i in range(size):
                    coefficients[i, y, x] = min(max(beta[i, s], -LARGEST), LARGEST) if ok else 0.0


@njit(nogil=True, cache=True)
def _load(
    values: NDArray[np.float32],  # (date, lane)
    used: NDArray[np.bool_],  # (date, lane), False where a value is not finite
    v: NDArray[np.float64],  # (date, STRIP), written, 0 where not used
    w: NDArray[np.float64],  # (date, STRIP), written: 0 or 1
) -> None:
    """Copy a strip; lanes past its end are empty."""
    lanes = values.shape[1]
    v[:] = 0.0
    w[:] = 0.0
    for t in range(v.shape[0]):
        for s in range(lanes):
            if used[t, s]:
                if np.isfinite(values[t, s]):
                    v[t, s] = values[t, s]
                    w[t, s] = 1.0
                else:
                    used[t, s] = False


@njit(nogil=True, cache=True, error_model="numpy")
def _floors(
    v: NDArray[np.float64],
    w: NDArray[np.float64],
    least_sigma: float,
    total: NDArray[np.float64],  # (STRIP,), scratch
    floor: NDArray[np.float64],  # (STRIP,), written
) -> None:
    """Write the least standard deviation that a lane can have."""
    total[:] = 0.0
    floor[:] = 0.0
    for t in range(v.shape[0]):
        for s in range(STRIP):
            total[s] += w[t, s]
            floor[s] += v[t, s] * v[t, s]
    for s in range(STRIP):
        noise = LEAST_SCALE * np.sqrt(floor[s] / max(total[s], 1.0))
        floor[s] = max(noise, least_sigma, 1e-30)


@njit(nogil=True, cache=True, error_model="numpy")
def _solve(
    design: NDArray[np.float64],
    v: NDArray[np.float64],
    w: NDArray[np.float64],
    gram: NDArray[np.float64],  # (pair, STRIP), scratch: lower triangle, row after row
    beta: NDArray[np.float64],  # (coefficient, STRIP), written
    fitted: NDArray[np.bool_],  # (STRIP,), written: False where the regressors do not suffice
) -> None:
    """Solve the weighted normal equations of every lane by Cholesky factors."""
    dates, size = design.shape
    gram[:] = 0.0
    beta[:] = 0.0
    t = 0
    while t + 4 <= dates:
        _add_four(design[t : t + 4], v[t : t + 4], w[t : t + 4], gram, beta)
        t += 4
    while t < dates:
        for i in range(size):
            for s in range(STRIP):
                beta[i, s] += design[t, i] * (w[t, s] * v[t, s])
            for j in range(i + 1):
                product, target = design[t, i] * design[t, j], gram[i * (i + 1) // 2 + j]
                for s in range(STRIP):
                    target[s] += product * w[t, s]
        t += 1
    fitted[:] = True
    for i in range(size):
        row = i * (i + 1) // 2
        for j in range(i + 1):
            column, target = j * (j + 1) // 2, gram[row + j]
            if i == j:
                _pivot(gram, row, i, fitted)
                continue
            for k in range(j):
                a, b = gram[row + k], gram[column + k]
                for s in range(STRIP):
                    target[s] -= a[s] * b[s]
            diagonal = gram[column + j]
            for s in range(STRIP):
                target[s] /= diagonal[s]
    _substitute(gram, beta)


@njit(nogil=True, cache=True)
def _add_four(
    x: NDArray[np.float64],  # (4, coefficient)
    v: NDArray[np.float64],  # (4, STRIP)
    w: NDArray[np.float64],  # (4, STRIP)
    gram: NDArray[np.float64],
    beta: NDArray[np.float64],
) -> None:
    """Add four dates to the sums: each sum is loaded and stored a quarter as often."""
    w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
    v0, v1, v2, v3 = v[0], v[1], v[2], v[3]
    k = 0
    for i in range(x.shape[1]):
        a, b, c, d = x[0, i], x[1, i], x[2, i], x[3, i]
        right = beta[i]
        for s in range(STRIP):
            right[s] += (a * (w0[s] * v0[s]) + b * (w1[s] * v1[s])) + (
                c * (w2[s] * v2[s]) + d * (w3[s] * v3[s])
            )
        for j in range(i + 1):
            e, f, g, h = a * x[0, j], b * x[1, j], c * x[2, j], d * x[3, j]
            target = gram[k]
            for s in range(STRIP):
                target[s] += (e * w0[s] + f * w1[s]) + (g * w2[s] + h * w3[s])
            k += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _pivot(gram: NDArray[np.float64], row: int, i: int, fitted: NDArray[np.bool_]) -> None:
    """Turn a diagonal element into its Cholesky factor, or mark the lane as not solvable."""
    target = gram[row + i]
    for s in range(STRIP):
        whole = target[s]
        rest = whole
        for k in range(i):
            rest -= gram[row + k, s] * gram[row + k, s]
        enough = rest > TOLERANCE * whole
        fitted[s] &= enough
        target[s] = np.sqrt(rest) if enough else 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def _substitute(factor: NDArray[np.float64], beta: NDArray[np.float64]) -> None:
    """Solve with a Cholesky factor, forth and back, in place."""
    size = beta.shape[0]
    for i in range(size):
        row, target = i * (i + 1) // 2, beta[i]
        for k in range(i):
            for s in range(STRIP):
                target[s] -= factor[row + k, s] * beta[k, s]
        for s in range(STRIP):
            target[s] /= factor[row + i, s]
    for i in range(size - 1, -1, -1):
        target = beta[i]
        for k in range(i + 1, size):
            below = factor[k * (k + 1) // 2 + i]
            for s in range(STRIP):
                target[s] -= below[s] * beta[k, s]
        diagonal = factor[i * (i + 1) // 2 + i]
        for s in range(STRIP):
            target[s] /= diagonal[s]


@njit(nogil=True, cache=True)
def _residuals(
    design: NDArray[np.float64],
    v: NDArray[np.float64],
    beta: NDArray[np.float64],
    r: NDArray[np.float64],  # (date, STRIP), written
) -> None:
    """Write value − model."""
    size = beta.shape[0]
    for t in range(v.shape[0]):
        target, value, x = r[t], v[t], design[t]
        one = beta[0]
        for s in range(STRIP):
            target[s] = value[s] - x[0] * one[s]
        for i in range(1, size - 1, 2):
            a, b, one, two = x[i], x[i + 1], beta[i], beta[i + 1]
            for s in range(STRIP):
                target[s] -= a * one[s] + b * two[s]
        if size % 2 == 0:
            a, one = x[size - 1], beta[size - 1]
            for s in range(STRIP):
                target[s] -= a * one[s]


@njit(nogil=True, cache=True)
def _robust_scale(
    r: NDArray[np.float64],
    used: NDArray[np.bool_],  # (date, lane)
    bits: NDArray[np.int32],  # (date, STRIP), scratch
    floor: NDArray[np.float64],
    scale: NDArray[np.float64],  # (STRIP,), written
) -> None:
    """Write the scaled median absolute residual of every lane.

    The bits of floats that are not negative are ordered as the floats are, so the median is found
    bit by bit from the top, to 1 part in 32, by counting alone.
    """
    dates, lanes = used.shape
    half = np.zeros(STRIP, np.int32)
    absolute = np.empty(STRIP, np.float32)
    for t in range(dates):
        for s in range(STRIP):
            absolute[s] = abs(r[t, s])
        as_bits, target = absolute.view(np.int32), bits[t]
        target[:] = np.int32(2147483647)
        for s in range(lanes):
            if used[t, s]:
                target[s] = as_bits[s]
                half[s] += np.int32(1)
    median, below = np.zeros(STRIP, np.int32), np.empty(STRIP, np.int32)
    middle = np.empty(STRIP, np.int32)
    for bit in range(30, 17, -1):
        below[:] = 0
        for s in range(STRIP):
            middle[s] = median[s] + np.int32(1 << bit)
        for t in range(dates):
            row = bits[t]
            for s in range(STRIP):
                below[s] -= row[s] < middle[s]
        for s in range(STRIP):
            if 2 * below[s] + half[s] > 0:
                median[s] = middle[s]
    found = median.view(np.float32)
    for s in range(STRIP):
        scale[s] = max(NORMAL_MAD * found[s], floor[s])


@njit(nogil=True, cache=True, error_model="numpy")
def _reweight(
    r: NDArray[np.float64],
    used: NDArray[np.bool_],  # (date, lane)
    scale: NDArray[np.float64],
    limit: float,  # in scales, of the hard weights
    kind: int,  # below 0: as for least absolute residuals; 0: bisquare; above: 1 or 0
    w: NDArray[np.float64],  # (date, STRIP), written
) -> None:
    """Write the weights of the next fit."""
    dates, lanes = used.shape
    for t in range(dates):
        row, target = r[t], w[t]
        for s in range(lanes):
            u = abs(row[s]) / scale[s]
            if kind > 0:
                weight = 1.0 if u <= limit else 0.0
            elif kind == 0:
                u = min(u / BISQUARE, 1.0)
                weight = (1.0 - u * u) * (1.0 - u * u)
            else:
                weight = NEAR / max(u, NEAR)
            target[s] = weight if used[t, s] else 0.0


@njit(nogil=True, cache=True)
def _keep(w: NDArray[np.float64], used: NDArray[np.bool_]) -> None:
    """Mark what was screened out as not used."""
    for t in range(used.shape[0]):
        for s in range(used.shape[1]):
            used[t, s] = w[t, s] > 0


@njit(nogil=True, cache=True, error_model="numpy")
def _standard_error(
    r: NDArray[np.float64],
    w: NDArray[np.float64],  # 0 or 1
    size: int,
    floor: NDArray[np.float64],
    total: NDArray[np.float64],  # (STRIP,), written: observations
    scale: NDArray[np.float64],  # (STRIP,), written
    fitted: NDArray[np.bool_],  # (STRIP,), changed: False where there are too few observations
) -> None:
    """Write the residual standard error: √(Σ r² / (n − coefficients))."""
    total[:] = 0.0
    scale[:] = 0.0
    for t in range(r.shape[0]):
        for s in range(STRIP):
            total[s] += w[t, s]
            scale[s] += w[t, s] * (r[t, s] * r[t, s])
    for s in range(STRIP):
        fitted[s] &= total[s] >= 2 * size
        scale[s] = max(np.sqrt(scale[s] / max(total[s] - size, 1.0)), floor[s])
