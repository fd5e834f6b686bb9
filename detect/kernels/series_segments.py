"""Segments of a pixel's series: a model per segment, a break where it fails several times in a row.

One observation after the other, whether they are the past or the present, so a series taken in at
once and one taken in date by date end in the same state.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detect.kernels.small_fits import (
    factor,
    fit_small,
    leverage,
    noise_floor,
    onset,
    reject_outliers,
    solve,
)
from tiles.compiled import inner, inner_ieee, kernel_ieee

__all__ = ["BUFFER", "KEPT_BREAKS", "LEAST", "Segments", "advance_rows"]

BUFFER = 24
"""Observations that a pixel holds: those that start a model, or those that contradict it."""

KEPT_BREAKS = 12
"""Newest breaks that a state remembers."""

LEAST = 12
"""Observations that start a model."""

PER_COEFFICIENT = 3
"""Observations per coefficient: with more of them a model gets further waves."""

GROWTH = 1.33
"""A model is fitted again when it has so many times the observations of its last fit."""

SLOPE_YEARS = 2.0
"""A segment gets a slope when it is so long: in one year a slope is hard to tell from a season."""

COHERENCE = 0.5
"""Least share of the squared residuals of a break that lies in one direction: 45° squared."""

YEAR = 365.25
"""Days of a year: the period of the first wave, and the least length of a start."""

CLIP = 1e6
"""Standard deviations beyond which it does not matter how far a residual goes."""

LARGEST = 3.0e38
"""Largest number told: float32 ends a little above."""


class Segments(NamedTuple):
    """The state of every pixel, arrays of shape (y, x, …), all changed in place.

    The sums of a pixel are the lower triangle of the normal matrix, then for every band the right
    sides and the sum of squares.
    """

    sums: NDArray[np.float64]  # (y, x, sum)
    coefficients: NDArray[np.float32]  # (y, x, band, coefficient)
    sigma: NDArray[np.float32]  # (y, x, band)
    start: NDArray[np.int32]  # (y, x), first day of the segment
    members: NDArray[np.int32]  # (y, x), observations in the sums
    fitted: NDArray[np.int32]  # (y, x), observations at the last fit; 0 without a model
    used: NDArray[np.int16]  # (y, x), coefficients of the last fit
    held: NDArray[np.int16]  # (y, x), observations in the buffer
    buffer_days: NDArray[np.int32]  # (y, x, slot)
    buffer: NDArray[np.float32]  # (y, x, slot, band)
    run: NDArray[np.int16]  # (y, x), signals in a row
    strength: NDArray[np.float32]  # (y, x), mean of root of statistic / threshold over the run
    first_seen: NDArray[np.int32]  # (y, x), of the running or the newest confirmed change
    confirmed: NDArray[np.int32]  # (y, x)
    magnitude: NDArray[np.float32]  # (y, x), of the first band
    breaks: NDArray[np.int32]  # (y, x, slot), first days of the changes confirmed, newest first


@kernel_ieee
def advance_rows(
    days: NDArray[np.int64],  # (date,)
    waves: NDArray[np.float64],  # (date, 1 + 2 · harmonics), one, then cosines and sines
    values: NDArray[np.float32],  # (date, band, y, x)
    valid: NDArray[np.bool_],  # (date, y, x)
    trend: bool,
    thresholds: NDArray[np.float64],  # (degrees of freedom,), of the sum of squared residuals
    confirm: int,  # observations in a row beyond it that make a break
    least_sigma: float,
    s: Segments,
) -> None:
    """Take the dates in, pixel by pixel."""
    dates, bands, height, width = values.shape
    row, seen = np.empty(waves.shape[1] + int(trend)), np.empty(bands)
    for y in range(height):
        for x in range(width):
            for t in range(dates):
                finite = valid[t, y, x]
                for b in range(bands):
                    seen[b] = values[t, b, y, x]
                    finite &= math.isfinite(seen[b])
                if not finite:
                    continue
                if s.fitted[y, x] == 0:
                    _hold(s, y, x, days[t], seen)
                    _start(s, y, x, row, trend, least_sigma)
                    continue
                _regressors(waves[t], days[t] - s.start[y, x], trend, row)
                if _contradicts(s, y, x, row, seen, thresholds):
                    _hold(s, y, x, days[t], seen)
                    _signal(s, y, x, days[t], row, trend, thresholds, confirm)
                else:
                    _accept(s, y, x, days[t], row, seen, trend, least_sigma)


@inner
def _hold(s: Segments, y: int, x: int, day: int, seen: NDArray[np.float64]) -> None:
    """Put an observation into the buffer.

    When it is full the oldest makes room, or, before there is a model, every second one: what is
    held must span a year.
    """
    if s.held[y, x] == BUFFER and s.fitted[y, x] > 0:
        _remove(s, y, x, 0, 1)
    if s.held[y, x] == BUFFER:
        for k in range(BUFFER // 2):
            s.buffer_days[y, x, k] = s.buffer_days[y, x, 2 * k]
            s.buffer[y, x, k] = s.buffer[y, x, 2 * k]
        s.held[y, x] = BUFFER // 2
    at = s.held[y, x]
    s.buffer_days[y, x, at] = day
    for b in range(seen.size):
        s.buffer[y, x, at, b] = seen[b]
    s.held[y, x] += 1


@inner
def _remove(s: Segments, y: int, x: int, at: int, gone: int) -> None:
    """Take observations out of the buffer."""
    s.held[y, x] -= gone
    for k in range(at, s.held[y, x]):
        s.buffer_days[y, x, k] = s.buffer_days[y, x, k + gone]
        s.buffer[y, x, k] = s.buffer[y, x, k + gone]


@inner_ieee
def _start(
    s: Segments, y: int, x: int, row: NDArray[np.float64], trend: bool, least_sigma: float
) -> None:
    """Start a model when the buffer holds a year without outliers that one model explains."""
    held = s.held[y, x]
    days, seen = s.buffer_days[y, x, :held], s.buffer[y, x, :held]
    if held < LEAST or days[held - 1] - days[0] < YEAR:
        return
    rows = np.empty((held, 4 if row.size > 2 else 2))
    keep = np.ones(held, np.bool_)
    for k in range(held):
        _regressors(_waves(days[k], rows.shape[1] - 1), days[k] - days[0], True, rows[k])
    for b in range(seen.shape[1]):
        reject_outliers(rows, seen[:, b], least_sigma, keep)
    kept = np.flatnonzero(keep)
    if kept.size < LEAST or days[kept[-1]] - days[kept[0]] < YEAR:
        return
    span = (days[kept[-1]] - days[kept[0]]) / YEAR
    if not _steady(rows, span, seen, keep, kept[0], kept[-1], least_sigma):
        _remove(s, y, x, 0, 1)
        return
    s.sums[y, x] = 0.0
    s.start[y, x], s.members[y, x] = days[kept[0]], 0
    value = np.empty(seen.shape[1])
    for o in kept:
        for b in range(value.size):
            value[b] = seen[o, b]
        waves = _waves(days[o], row.size - int(trend))
        _regressors(waves, days[o] - days[kept[0]], trend, row)
        _add(s, y, x, row, value)
    _refit(s, y, x, days[kept[-1]], row.size, trend, least_sigma)


@inner_ieee
def _steady(
    rows: NDArray[np.float64],  # (observation, coefficient), the last one the slope
    years: float,
    seen: NDArray[np.float32],  # (observation, band)
    keep: NDArray[np.bool_],
    first: int,
    last: int,
    least_sigma: float,
) -> bool:
    """Return whether slope and both ends stay within three standard deviations on average."""
    size, bands = rows.shape[1], seen.shape[1]
    slope, begin, end = 0.0, 0.0, 0.0
    beta, residual = np.empty(size), np.empty(rows.shape[0])
    weight = keep.astype(np.float64)
    for b in range(bands):
        sigma = fit_small(rows, seen[:, b], weight, least_sigma, beta, residual)
        if sigma <= 0:
            return False
        slope += abs(beta[size - 1]) * years / (3.0 * sigma)
        begin += abs(residual[first]) / (3.0 * sigma)
        end += abs(residual[last]) / (3.0 * sigma)
    return bool(max(slope, begin, end) < bands)


@inner
def _waves(day: int, size: int) -> NDArray[np.float64]:
    """Return one, then cosine and sine of each wave."""
    out = np.ones(size)
    for k in range(1, (size + 1) // 2):
        angle = 2.0 * math.pi * k * (day / YEAR)
        out[2 * k - 1], out[2 * k] = math.cos(angle), math.sin(angle)
    return out


@inner
def _regressors(
    waves: NDArray[np.float64], elapsed: int, trend: bool, row: NDArray[np.float64]
) -> None:
    """Write the regressors: the slope comes after two waves, so that a model can do without it."""
    slope = min(row.size - 1, 5) if trend else row.size
    for i in range(row.size):
        if i == slope:
            row[i] = elapsed / YEAR
        else:
            row[i] = waves[i if i < slope else i - 1]


@inner
def _coefficients(count: int, years: float, size: int, trend: bool) -> int:
    """Return the coefficients that so many observations over so many years carry."""
    slope = min(size - 1, 5) if trend else size
    used = min(3, slope)
    while used < size:
        more = used + (1 if used == slope else 2)
        if (used == slope and years < SLOPE_YEARS) or PER_COEFFICIENT * more > count:
            break
        used = more
    return used


@inner
def _add(s: Segments, y: int, x: int, row: NDArray[np.float64], seen: NDArray[np.float64]) -> None:
    """Add an observation to the sums."""
    sums, k = s.sums[y, x], 0
    for i in range(row.size):
        for j in range(i + 1):
            sums[k] += row[i] * row[j]
            k += 1
    for b in range(seen.size):
        for i in range(row.size):
            sums[k] += row[i] * seen[b]
            k += 1
        sums[k] += seen[b] * seen[b]
        k += 1
    s.members[y, x] += 1


@inner_ieee
def _refit(
    s: Segments, y: int, x: int, day: int, size: int, trend: bool, least_sigma: float
) -> None:
    """Fit the model of the segment to its sums, if its dates allow it."""
    count, sums = s.members[y, x], s.sums[y, x]
    used = _coefficients(count, (day - s.start[y, x]) / YEAR, size, trend)
    pairs = size * (size + 1) // 2
    root, beta = np.empty((used, used)), np.empty(used)
    if not factor(sums, root):
        return
    for b in range(s.sigma.shape[2]):
        right = sums[pairs + b * (size + 1) : pairs + (b + 1) * (size + 1)]
        rest = max(right[size] - solve(root, right, beta), 0.0) / max(count - used, 1)
        floor = noise_floor(right[size], count, least_sigma)
        s.sigma[y, x, b] = min(max(math.sqrt(rest), floor), LARGEST)
        for i in range(size):
            whole = beta[i] if i < used else 0.0
            s.coefficients[y, x, b, i] = min(max(whole, -LARGEST), LARGEST)
    s.fitted[y, x], s.used[y, x] = count, used


@inner_ieee
def _standardise(
    s: Segments,
    y: int,
    x: int,
    row: NDArray[np.float64],
    seen: NDArray[np.float64],
    scaled: NDArray[np.float64],  # (band,), written
) -> float:
    """Write the standardised residuals; return the sum of their squares."""
    total = 0.0
    for b in range(seen.size):
        left = seen[b]
        for i in range(row.size):
            left -= row[i] * s.coefficients[y, x, b, i]
        scaled[b] = min(max(left / s.sigma[y, x, b], -CLIP), CLIP)
        total += scaled[b] * scaled[b]
    return total


@inner
def _threshold(s: Segments, y: int, x: int, thresholds: NDArray[np.float64]) -> float:
    """Return what the squared residuals may reach, given the observations behind the model."""
    return float(thresholds[min(s.fitted[y, x] - s.used[y, x], thresholds.size - 1)])


@inner_ieee
def _contradicts(
    s: Segments,
    y: int,
    x: int,
    row: NDArray[np.float64],
    seen: NDArray[np.float64],
    thresholds: NDArray[np.float64],
) -> bool:
    """Return whether an observation lies beyond what noise and a forecast's variance explain."""
    squares = _standardise(s, y, x, row, seen, np.empty(seen.size))
    threshold = _threshold(s, y, x, thresholds)
    if squares <= threshold:
        return False
    root = np.empty((s.used[y, x], s.used[y, x]))
    if factor(s.sums[y, x], root):
        squares /= 1.0 + leverage(root, row)
    return bool(squares > threshold)


@inner
def _accept(
    s: Segments,
    y: int,
    x: int,
    day: int,
    row: NDArray[np.float64],
    seen: NDArray[np.float64],
    trend: bool,
    least_sigma: float,
) -> None:
    """Take an observation into the model; those that contradicted it before were outliers."""
    _add(s, y, x, row, seen)
    s.held[y, x] -= s.run[y, x]
    s.run[y, x] = 0
    _hold(s, y, x, day, seen)
    if s.confirmed[y, x] == 0:
        s.first_seen[y, x], s.magnitude[y, x], s.strength[y, x] = 0, 0.0, 0.0
    if s.members[y, x] <= BUFFER or s.members[y, x] >= GROWTH * s.fitted[y, x]:
        _refit(s, y, x, day, row.size, trend, least_sigma)


@inner_ieee
def _signal(
    s: Segments,
    y: int,
    x: int,
    day: int,
    row: NDArray[np.float64],  # scratch
    trend: bool,
    thresholds: NDArray[np.float64],
    confirm: int,
) -> None:
    """Tell the running change; break when it is long enough and goes one way."""
    s.run[y, x] += 1
    held, run, bands = s.held[y, x], s.run[y, x], s.buffer.shape[3]
    seen, scaled, mean = np.empty(bands), np.empty((held, bands)), np.zeros(bands)
    squares, strength, threshold = 0.0, 0.0, _threshold(s, y, x, thresholds)
    for k in range(held):
        then = s.buffer_days[y, x, k]
        _regressors(_waves(then, row.size - int(trend)), then - s.start[y, x], trend, row)
        for b in range(bands):
            seen[b] = s.buffer[y, x, k, b]
        square = _standardise(s, y, x, row, seen, scaled[k])
        if k >= held - run:
            squares += square / run
            strength += math.sqrt(square / threshold) / run
            for b in range(bands):
                mean[b] += scaled[k, b] / run
    length = np.sum(mean * mean)
    if run >= confirm and length < COHERENCE * squares:
        _remove(s, y, x, held - run, 1)
        s.run[y, x] -= 1
        return
    first = held - run
    if run >= confirm:
        first = onset(scaled, first, math.sqrt(threshold))
    if s.confirmed[y, x] == 0 or run >= confirm:
        step = np.sort(scaled[first:, 0])
        middle = 0.5 * (step[(step.size - 1) // 2] + step[step.size // 2]) * s.sigma[y, x, 0]
        s.first_seen[y, x] = s.buffer_days[y, x, first]
        s.magnitude[y, x] = min(max(middle, -LARGEST), LARGEST)
        s.strength[y, x] = min(strength, CLIP)
    if run >= confirm:
        for k in range(KEPT_BREAKS - 1, 0, -1):
            s.breaks[y, x, k] = s.breaks[y, x, k - 1]
        s.breaks[y, x, 0] = s.first_seen[y, x]
        s.confirmed[y, x], s.run[y, x], s.fitted[y, x] = day, 0, 0
        _remove(s, y, x, 0, held - run)  # what lies before may still be the change going on
