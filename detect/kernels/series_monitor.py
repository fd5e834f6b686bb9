"""One new date against the model of every pixel: EWMA, CUSUM, MOSUM.

All three follow the standardised residual, clipped so that one cloud cannot confirm a change. They
differ in the statistic and its limit; what a signal means is the same for all. What changes is
written to new arrays: a state is never altered.
"""

import math

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner, inner_ieee, kernel_ieee

__all__ = ["CUSUM", "EWMA", "MOSUM", "start_rows", "update_rows"]

EWMA, CUSUM, MOSUM = range(3)

LARGEST = 3.0e38
"""Largest magnitude told: float32 ends a little above."""


@kernel_ieee
def start_rows(
    method: int,
    design: NDArray[np.float64],  # (date, coefficient)
    values: NDArray[np.float32],  # (date, y, x)
    used: NDArray[np.bool_],  # (date, y, x)
    coefficients: NDArray[np.float32],  # (coefficient, y, x)
    sigma: NDArray[np.float32],  # (y, x), 0 where there is no model
    count: NDArray[np.int32],  # (y, x), observations of the history
    memory: float,  # weight of the newest (EWMA), window per history (MOSUM)
    clip: float,  # standardised residuals are held within ± clip
    process: NDArray[np.float64],  # (y, x), written
    window: NDArray[np.float32],  # (y, x, slot), written: the last residuals, oldest first (MOSUM)
) -> None:
    """Write the process at the end of the history; that of CUSUM is zero."""
    dates, height, width = values.shape
    process[:] = 0.0
    window[:] = np.float32(0)
    if method == CUSUM:
        return
    left, scaled, inverse = np.zeros(width, np.int64), np.empty(width), np.empty(width)
    for y in range(height):
        row = process[y]
        for x in range(width):
            left[x] = _slots(count[y, x], memory) if method == MOSUM else 0
            inverse[x] = 1.0 / sigma[y, x] if sigma[y, x] > 0 else 0.0
        for turn in range(dates):
            t = turn if method == EWMA else dates - 1 - turn
            _residual_row(design[t], values[t, y], coefficients[:, y], scaled)
            use = used[t, y]
            for x in range(width):
                step = min(max(scaled[x] * inverse[x], -clip), clip)
                scaled[x] = step if use[x] and inverse[x] > 0 else 0.0
                if method == EWMA and use[x]:
                    row[x] += memory * (scaled[x] - row[x])
            if method == MOSUM:
                for x in range(width):
                    if use[x] and inverse[x] > 0 and left[x] > 0:
                        left[x] -= 1
                        row[x] += _exchange(window, y, x, left[x], scaled[x])


@inner
def _residual_row(
    regressors: NDArray[np.float64],  # (coefficient,)
    values: NDArray[np.float32],  # (x,)
    coefficients: NDArray[np.float32],  # (coefficient, x)
    out: NDArray[np.float64],  # (x,), written
) -> None:
    """Write value − model for a row of pixels."""
    out[:] = values
    for i in range(regressors.size):
        one, share = regressors[i], coefficients[i]
        for x in range(out.size):
            out[x] -= one * share[x]


@kernel_ieee
def update_rows(
    method: int,
    day: int,
    regressors: NDArray[np.float64],  # (coefficient,)
    values: NDArray[np.float32],  # (y, x)
    valid: NDArray[np.bool_],  # (y, x)
    coefficients: NDArray[np.float32],  # (coefficient, y, x)
    sigma: NDArray[np.float32],  # (y, x), 0 where there is no model
    count: NDArray[np.int32],  # (y, x), observations of the history
    parameters: tuple[float, float, float, int],  # memory, limit, clip, confirmations
    process: NDArray[np.float64],  # (y, x), changed
    seen: NDArray[np.int32],  # (y, x), changed: observations after the history
    window: NDArray[np.float32],  # (y, x, slot), changed (MOSUM)
    run: NDArray[np.int16],  # (y, x), changed: signals in a row, negative for a loss
    first_seen: NDArray[np.int32],  # (y, x), changed: day of the first signal of the run
    confirmed: NDArray[np.int32],  # (y, x), changed: day of confirmation
    magnitude: NDArray[np.float32],  # (y, x), changed: mean residual of the run
) -> None:
    """Take one date in; a pixel whose change is confirmed stays as it is.

    Memory is the weight of the newest observation (EWMA) or the window per history (MOSUM); the
    limit is that of the process (EWMA) or a critical value (CUSUM, MOSUM).
    """
    memory, limit, clip, confirm = parameters
    height, width = values.shape
    for y in range(height):
        for x in range(width):
            if not valid[y, x] or sigma[y, x] <= 0 or confirmed[y, x] != 0:
                continue
            residual = values[y, x] - _expected(regressors, coefficients, y, x)
            if not math.isfinite(residual):
                continue
            scaled = min(max(residual / sigma[y, x], -clip), clip)
            if method == MOSUM:
                slot = seen[y, x] % _slots(count[y, x], memory)
                process[y, x] += _exchange(window, y, x, slot, scaled)
            elif method == CUSUM:
                process[y, x] += scaled
            else:
                process[y, x] += memory * (scaled - process[y, x])
            seen[y, x] += 1
            level = abs(process[y, x]) - _limit(method, limit, count[y, x], seen[y, x])
            side = 1 if process[y, x] > 0 else -1
            if level <= 0 or side * residual <= 0:
                if run[y, x] != 0:
                    run[y, x], first_seen[y, x], magnitude[y, x] = 0, 0, 0.0
                continue
            if side * run[y, x] <= 0:
                run[y, x], first_seen[y, x], magnitude[y, x] = 0, day, 0.0
            length = abs(run[y, x]) + 1
            step = (residual - magnitude[y, x]) / length
            magnitude[y, x] = min(max(magnitude[y, x] + step, -LARGEST), LARGEST)
            run[y, x] = side * length
            if length >= confirm:
                confirmed[y, x] = day


@inner
def _expected(
    regressors: NDArray[np.float64], coefficients: NDArray[np.float32], y: int, x: int
) -> float:
    """Return what the model expects of a pixel."""
    total = 0.0
    for i in range(regressors.size):
        total += regressors[i] * coefficients[i, y, x]
    return total


@inner
def _exchange(window: NDArray[np.float32], y: int, x: int, slot: int, scaled: float) -> float:
    """Put the newest residual in the place of the oldest; return the difference."""
    oldest = np.float64(window[y, x, slot])
    window[y, x, slot] = scaled
    return np.float64(window[y, x, slot]) - oldest


@inner
def _slots(count: int, memory: float) -> int:
    """Return the observations that a moving sum holds."""
    return max(int(memory * count), 1)


@inner_ieee
def _limit(method: int, limit: float, count: int, seen: int) -> float:
    """Return what the process may reach: of the published boundary, in standard deviations."""
    if method == EWMA:
        return limit
    time = (count + seen) / count
    if method == CUSUM:
        return math.sqrt(
            count * time * (time - 1.0) * (limit * limit + math.log(time / (time - 1.0)))
        )
    return limit * math.sqrt(2.0 * count * max(math.log(time), 1.0))
