"""Least squares per pixel, a strip of pixels at a time, so that every step runs over lanes.

Each lane is computed from its own values in the order of the dates; the answer cannot depend on
the block or the strip a pixel lies in. Weights are found in float32, twice as many lanes per
instruction; what is written comes from one last fit in float64.
"""

import math

import numpy as np
from numpy.typing import NDArray

from detect.kernels.series_lanes import GROUP, STRIP, add_group, residuals_of, solve
from tiles.compiled import inner, inner_ieee, kernel_ieee

__all__ = ["fit_rows"]

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

EXPONENT = np.int32(0x7F800000)
"""Bits of a float32 that are all set where it is not finite."""

BEYOND = np.float32(1e38)
"""What residuals of dates not used get on top, so that none counts as small."""

COUNTED = 32764
"""Dates counted at a time: groups that int16 holds."""

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@kernel_ieee
def fit_rows(
    design: NDArray[np.float64],  # (date, coefficient)
    values: NDArray[np.float32],  # (date, pixel)
    used: NDArray[np.bool_],  # (date, pixel), changed: what is screened out becomes False
    limit: float,  # residuals beyond limit × robust scale are screened; 0: none is
    least_sigma: float,  # least standard deviation, in units of the values
    coefficients: NDArray[np.float32],  # (coefficient, pixel), written; 0 where there is no fit
    sigma: NDArray[np.float32],  # (pixel,), written; 0 where there is no fit
    count: NDArray[np.int32],  # (pixel,), written: observations fitted; 0 where there is no fit
) -> None:
    """Write the robustly screened least-squares fit of every pixel."""
    dates, size = design.shape
    padded = (dates + GROUP - 1) // GROUP * GROUP
    x = np.zeros((padded, size))
    x[:dates] = design
    thin = x.astype(np.float32)
    v, m = np.zeros((padded, STRIP), np.float32), np.zeros((padded, STRIP), np.float32)
    bits = np.empty((padded, STRIP), np.int16)
    beta, gram = np.empty((size, STRIP)), np.empty((size * (size + 1) // 2, STRIP))
    thin_beta, thin_gram = beta.astype(np.float32), gram.astype(np.float32)
    unit, floor, total, spread = np.empty(STRIP), np.empty(STRIP), np.empty(STRIP), np.empty(STRIP)
    fitted = np.empty(STRIP, np.bool_)
    pixels = sigma.size
    for first in range(0, pixels, STRIP):
        last = min(first + STRIP, pixels)
        _load(values, used, first, last, v, m)
        _normalise(v, m, least_sigma, unit, floor)
        if limit > 0:
            _screen(thin, v, m, limit, floor, bits, thin_gram, thin_beta, fitted)
        _keep(m, first, last, used)
        _fit(x, v, m, gram, beta, fitted)
        _standard_error(x, v, m, beta, floor, total, spread, fitted)
        for s in range(last - first):
            p = first + s
            ok = fitted[s]
            count[p] = np.int32(total[s]) if ok else np.int32(0)
            sigma[p] = min(spread[s] * unit[s], LARGEST) if ok else 0.0
            for i in range(size):
                b = beta[i, s] * unit[s]
                coefficients[i, p] = min(max(b, -LARGEST), LARGEST) if ok else 0.0


@inner
def _load(
    values: NDArray[np.float32],  # (date, pixel)
    used: NDArray[np.bool_],  # (date, pixel)
    first: int,
    last: int,
    v: NDArray[np.float32],  # (padded date, STRIP), written, 0 where not used
    m: NDArray[np.float32],  # (padded date, STRIP), written: 1 where used, 0 elsewhere
) -> None:
    """Copy a strip without what is not finite; lanes past its end are empty.

    Bits are masked instead of branching: where clouds lie cannot be guessed by a processor.
    """
    lanes = last - first
    for t in range(values.shape[0]):
        row, use = values[t, first:last].view(np.int32), used[t, first:last].view(np.uint8)
        target, mask = v[t].view(np.int32), m[t]
        for s in range(lanes):
            ok = np.int32(use[s]) & np.int32((row[s] & EXPONENT) != EXPONENT)
            mask[s] = np.float32(ok)
            target[s] = row[s] & -ok
        target[lanes:] = 0
        mask[lanes:] = ZERO


@inner_ieee
def _normalise(
    v: NDArray[np.float32],  # (date, STRIP), changed: divided by the unit
    m: NDArray[np.float32],
    least_sigma: float,
    unit: NDArray[np.float64],  # (STRIP,), written: power of two near the root mean square
    floor: NDArray[np.float64],  # (STRIP,), written: least standard deviation, in units
) -> None:
    """Bring every lane to values near 1, exactly, that float32 sums neither overflow nor vanish."""
    total, square, factor = np.zeros(STRIP), np.zeros(STRIP), np.empty(STRIP)
    for t in range(v.shape[0]):
        row, mask = v[t], m[t]
        for s in range(STRIP):
            value = np.float64(row[s])
            square[s] += value * value
            total[s] += mask[s]
    for s in range(STRIP):
        mean = np.sqrt(square[s] / max(total[s], 1.0))
        unit[s] = math.ldexp(1.0, math.frexp(mean)[1])
        factor[s] = 1.0 / unit[s]
        floor[s] = max(LEAST_SCALE * mean, least_sigma, 1e-30) * factor[s]
    for t in range(v.shape[0]):
        row = v[t]
        for s in range(STRIP):
            row[s] = np.float32(row[s] * factor[s])


@inner_ieee
def _screen(
    x: NDArray[np.float32],  # (date, coefficient)
    v: NDArray[np.float32],
    m: NDArray[np.float32],  # changed: 0 where an observation is screened out
    limit: float,
    floor: NDArray[np.float64],
    bits: NDArray[np.int16],  # (date, STRIP), scratch
    gram: NDArray[np.float32],  # (pair, STRIP), scratch
    beta: NDArray[np.float32],  # (coefficient, STRIP), scratch
    fitted: NDArray[np.bool_],  # (STRIP,), scratch
) -> None:
    """Screen out what lies far from a fit of falling weights."""
    step = np.empty_like(beta)
    scale, width = np.empty(STRIP, np.float32), np.empty(STRIP, np.float32)
    r, w = np.empty((GROUP, STRIP), np.float32), np.empty((GROUP, STRIP), np.float32)
    beta[:] = ZERO
    for turn in range(ROUNDS + 2):
        gram[:] = ZERO
        step[:] = ZERO
        for t in range(0, v.shape[0], GROUP):
            group = slice(t, t + GROUP)
            residuals_of(x[group], v[group], beta, r)
            _weights(r, m[group], width, turn, w)
            for k in range(GROUP):
                row, weight = r[k], w[k]
                for s in range(STRIP):
                    row[s] *= weight[s]
            add_group(x[group], r, w, gram, step)
        solve(gram, step, fitted)
        for i in range(beta.shape[0]):
            for s in range(STRIP):
                beta[i, s] += step[i, s]
        if turn == 0 or turn >= ROUNDS:
            for t in range(0, v.shape[0], GROUP):
                group = slice(t, t + GROUP)
                residuals_of(x[group], v[group], beta, r)
                _sortable(r, m[group], bits[group])
            _median(bits, m, scale)
            reach = NEAR if turn == 0 else BISQUARE if turn == ROUNDS else limit
            for s in range(STRIP):
                width[s] = np.float32(min(reach * max(NORMAL_MAD * scale[s], floor[s]), 1e30))
    for t in range(0, v.shape[0], GROUP):
        group = slice(t, t + GROUP)
        residuals_of(x[group], v[group], beta, r)
        _weights(r, m[group], width, ROUNDS + 2, m[group])


@inner_ieee
def _weights(
    r: NDArray[np.float32],  # (GROUP, STRIP), residuals
    m: NDArray[np.float32],
    width: NDArray[np.float32],  # (STRIP,), residual at which the weights start to fall, or end
    turn: int,  # 0: all as one; to ROUNDS: falling with the residual; next: bisquare; last: 1 or 0
    w: NDArray[np.float32],  # (GROUP, STRIP), written
) -> None:
    """Write the weights of a group of dates."""
    for k in range(GROUP):
        row, mask, target = r[k], m[k], w[k]
        if turn == 0:
            for s in range(STRIP):
                target[s] = mask[s]
        elif turn <= ROUNDS:
            for s in range(STRIP):
                target[s] = mask[s] * (width[s] / max(abs(row[s]), width[s]))
        elif turn == ROUNDS + 1:
            for s in range(STRIP):
                u = row[s] / width[s]
                u = max(ONE - u * u, ZERO)
                target[s] = mask[s] * (u * u)
        else:
            for s in range(STRIP):
                target[s] = mask[s] * np.float32(abs(row[s]) <= width[s])


@inner
def _sortable(
    r: NDArray[np.float32],  # (GROUP, STRIP)
    m: NDArray[np.float32],
    bits: NDArray[np.int16],  # (GROUP, STRIP), written
) -> None:
    """Write the upper half of absolute residuals: as whole numbers they keep their order."""
    absolute = np.empty(STRIP, np.float32)
    whole = absolute.view(np.int32)
    for k in range(GROUP):
        row, mask, target = r[k], m[k], bits[k]
        for s in range(STRIP):
            absolute[s] = abs(row[s]) + (ONE - mask[s]) * BEYOND
        for s in range(STRIP):
            target[s] = np.int16(whole[s] >> np.int32(16))


@inner
def _median(
    bits: NDArray[np.int16],  # (date, STRIP)
    m: NDArray[np.float32],  # (date, STRIP)
    scale: NDArray[np.float32],  # (STRIP,), written
) -> None:
    """Write the median absolute residual of every lane, to 1 part in 32.

    It is found bit by bit from the top, by counting alone.
    """
    half = np.zeros(STRIP, np.float32)
    for t in range(m.shape[0]):
        mask = m[t]
        for s in range(STRIP):
            half[s] += mask[s]
    median, middle = np.zeros(STRIP, np.int16), np.empty(STRIP, np.int16)
    below, total = np.empty(STRIP, np.int16), np.empty(STRIP, np.float32)
    for bit in range(14, 1, -1):
        for s in range(STRIP):
            middle[s] = median[s] + np.int16(1 << bit)
        total[:] = ZERO
        for first in range(0, m.shape[0], COUNTED):
            _count(bits[first : first + COUNTED], middle, below)
            for s in range(STRIP):
                total[s] += np.float32(below[s])
        for s in range(STRIP):
            median[s] += np.int16(total[s] + total[s] < half[s]) << bit
    whole = scale.view(np.int32)
    for s in range(STRIP):
        whole[s] = np.int32(median[s]) << np.int32(16)


@inner
def _count(
    bits: NDArray[np.int16],  # (date, STRIP)
    middle: NDArray[np.int16],  # (STRIP,)
    below: NDArray[np.int16],  # (STRIP,), written
) -> None:
    """Count the dates below the middle."""
    below[:] = 0
    for t in range(0, bits.shape[0], GROUP):
        b0, b1, b2, b3 = bits[t], bits[t + 1], bits[t + 2], bits[t + 3]
        for s in range(STRIP):
            limit = middle[s]
            n = np.int16(b0[s] < limit) + np.int16(b1[s] < limit)
            below[s] += np.int16(n + np.int16(b2[s] < limit) + np.int16(b3[s] < limit))


@inner
def _keep(m: NDArray[np.float32], first: int, last: int, used: NDArray[np.bool_]) -> None:
    """Mark what was screened out as not used."""
    for t in range(used.shape[0]):
        row, mask = used[t, first:last], m[t]
        for s in range(last - first):
            row[s] = mask[s] > ZERO


@inner_ieee
def _fit(
    x: NDArray[np.float64],
    v: NDArray[np.float32],
    m: NDArray[np.float32],
    gram: NDArray[np.float64],  # (pair, STRIP), scratch
    beta: NDArray[np.float64],  # (coefficient, STRIP), written
    fitted: NDArray[np.bool_],  # (STRIP,), written: False where the regressors do not suffice
) -> None:
    """Fit what is used by least squares."""
    thick, w = np.empty((GROUP, STRIP)), np.empty((GROUP, STRIP))
    gram[:] = 0.0
    beta[:] = 0.0
    for t in range(0, v.shape[0], GROUP):
        for k in range(GROUP):
            for s in range(STRIP):
                w[k, s] = m[t + k, s]
                thick[k, s] = v[t + k, s] * m[t + k, s]
        add_group(x[t : t + GROUP], thick, w, gram, beta)
    solve(gram, beta, fitted)


@inner_ieee
def _standard_error(
    x: NDArray[np.float64],
    v: NDArray[np.float32],
    m: NDArray[np.float32],
    beta: NDArray[np.float64],
    floor: NDArray[np.float64],
    total: NDArray[np.float64],  # (STRIP,), written: observations
    spread: NDArray[np.float64],  # (STRIP,), written
    fitted: NDArray[np.bool_],  # (STRIP,), changed: False where there are too few observations
) -> None:
    """Write the residual standard error: √(Σ r² / (n − coefficients))."""
    size = beta.shape[0]
    r = np.empty((GROUP, STRIP))
    total[:] = 0.0
    spread[:] = 0.0
    for t in range(0, v.shape[0], GROUP):
        residuals_of(x[t : t + GROUP], v[t : t + GROUP], beta, r)
        for k in range(GROUP):
            row, mask = r[k], m[t + k]
            for s in range(STRIP):
                total[s] += mask[s]
                spread[s] += mask[s] * (row[s] * row[s])
    for s in range(STRIP):
        fitted[s] &= total[s] >= 2 * size
        spread[s] = max(np.sqrt(spread[s] / max(total[s] - size, 1.0)), floor[s])
