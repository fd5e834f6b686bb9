"""Per-pixel arithmetic of a block, fused so that every plane is walked once.

Each pixel is computed from its own values in a fixed order of bands, without reductions over
pixels, so the answer cannot depend on the block it is computed in. Where `valid` is False the
input is not read and the output is zero.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "add_squares",
    "band_ratio",
    "change_length",
    "change_magnitude",
    "correlation_factor",
    "difference_score",
    "evidence_product",
    "predict_residuals",
    "quantise",
    "rescale",
    "robust_scores",
    "root_of_product",
    "subtract_squared_means",
    "variate_statistic",
]


@njit(nogil=True, cache=True)
def robust_scores(
    values: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    centre: NDArray[np.float32],  # (band,)
    inverse_scale: NDArray[np.float32],  # (band,)
    low: np.float32,
    high: np.float32,
    out: NDArray[np.float32],  # (band, y, x), written: clipped (value − centre) / scale
) -> None:
    """Write clipped robust scores."""
    bands, height, width = values.shape
    for b in range(bands):
        middle, inverse = centre[b], inverse_scale[b]
        for y in range(height):
            for x in range(width):
                if valid[y, x]:
                    score = (values[b, y, x] - middle) * inverse
                    out[b, y, x] = min(max(score, low), high)
                else:
                    out[b, y, x] = np.float32(0)


@njit(nogil=True, cache=True)
def rescale(
    values: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    gain: NDArray[np.float32],  # (band,)
    offset: NDArray[np.float32],  # (band,)
    out: NDArray[np.float32],  # (band, y, x), written
) -> None:
    """Write gain × value + offset."""
    bands, height, width = values.shape
    for b in range(bands):
        for y in range(height):
            for x in range(width):
                if valid[y, x]:
                    out[b, y, x] = gain[b] * values[b, y, x] + offset[b]
                else:
                    out[b, y, x] = np.float32(0)


@njit(nogil=True, cache=True)
def predict_residuals(
    first: NDArray[np.float32],  # (band, y, x) robust scores of the predicting date
    context: NDArray[np.float32],  # (band, y, x) their local means
    second: NDArray[np.float32],  # (band, y, x) robust scores of the predicted date
    valid: NDArray[np.bool_],  # (y, x)
    coefficients: NDArray[np.float32],  # (band, 2 band + 1): own values, local means, intercept
    inverse_scale: NDArray[np.float32],  # (band,)
    out: NDArray[np.float32],  # (band, y, x), written: (second − prediction) / scale
) -> None:
    """Write what one date cannot predict of the other."""
    bands, height, width = first.shape
    for y in range(height):
        use = valid[y]
        for b in range(bands):
            row, seen = out[b, y], second[b, y]
            intercept, inverse = coefficients[b, 2 * bands], inverse_scale[b]
            for x in range(width):
                row[x] = seen[x] - intercept
            for k in range(bands):
                own, near = coefficients[b, k], coefficients[b, bands + k]
                values, means = first[k, y], context[k, y]
                for x in range(width):
                    row[x] -= own * values[x] + near * means[x]
            for x in range(width):
                row[x] = row[x] * inverse if use[x] else np.float32(0)


@njit(nogil=True, cache=True)
def change_magnitude(
    residuals: NDArray[np.float32],  # (band, y, x), zero where not valid
    mix: NDArray[np.float32],  # (band, band) weights of the residuals in each component
    cap: np.float32,
    out: NDArray[np.float32],  # (y, x), written: min(cap, length of mix · residual)
) -> None:
    """Write the capped length of the mixed residuals."""
    bands, height, width = residuals.shape
    component = np.zeros(width, np.float32)
    for y in range(height):
        row = out[y]
        row[:] = np.float32(0)
        for b in range(mix.shape[0]):
            component[:] = np.float32(0)
            for k in range(bands):
                weight = mix[b, k]
                if weight != 0:
                    values = residuals[k, y]
                    for x in range(width):
                        component[x] += weight * values[x]
            for x in range(width):
                row[x] += component[x] * component[x]
        for x in range(width):
            row[x] = min(cap, np.sqrt(row[x]))


@njit(nogil=True, cache=True)
def change_length(
    first: NDArray[np.float32],  # (band, y, x), zero where not valid
    second: NDArray[np.float32],  # (band, y, x), zero where not valid
    out: NDArray[np.float32],  # (y, x), written: length of second − first
) -> None:
    """Write the length of the change vector."""
    bands, height, width = first.shape
    for y in range(height):
        row = out[y]
        row[:] = np.float32(0)
        for b in range(bands):
            for x in range(width):
                difference = second[b, y, x] - first[b, y, x]
                row[x] += difference * difference
        for x in range(width):
            row[x] = np.sqrt(row[x])


@njit(nogil=True, cache=True)
def variate_statistic(
    before: NDArray[np.float32],  # (band, y, x)
    after: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    project_before: NDArray[np.float64],  # (variate, band)
    project_after: NDArray[np.float64],  # (variate, band)
    offset: NDArray[np.float64],  # (variate,)
    out: NDArray[np.float32],  # (y, x), written: root of the sum of squared variates
) -> None:
    """Write the root of the chi-square statistic of the MAD variates."""
    variates, bands = project_before.shape
    for y in range(valid.shape[0]):
        for x in range(valid.shape[1]):
            total = 0.0
            if valid[y, x]:
                for i in range(variates):
                    value = offset[i]
                    for b in range(bands):
                        value += project_before[i, b] * before[b, y, x]
                        value -= project_after[i, b] * after[b, y, x]
                    total += value * value
            out[y, x] = np.sqrt(total)


@njit(nogil=True, cache=True)
def add_squares(
    planes: NDArray[np.float32],  # (band, y, x)
    weight: NDArray[np.float32],  # (band,)
    out: NDArray[np.float32],  # (y, x), written: Σ weight² plane²
) -> None:
    """Write the weighted sum of squares over the bands."""
    bands, height, width = planes.shape
    for y in range(height):
        row = out[y]
        row[:] = np.float32(0)
        for b in range(bands):
            square = weight[b] * weight[b]
            values = planes[b, y]
            for x in range(width):
                row[x] += square * (values[x] * values[x])


@njit(nogil=True, cache=True)
def subtract_squared_means(
    sums: NDArray[np.float32],  # (y, x) box sums of one band
    inverse_count: NDArray[np.float32],  # (y, x)
    weight: np.float32,
    out: NDArray[np.float32],  # (y, x), changed: minus weight² × mean²
) -> None:
    """Turn a sum of mean squares into a sum of variances, one band at a time."""
    square = weight * weight
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            mean = sums[y, x] * inverse_count[y, x]
            out[y, x] -= square * (mean * mean)


@njit(nogil=True, cache=True)
def root_of_product(
    first: NDArray[np.float32],  # (y, x)
    second: NDArray[np.float32],  # (y, x)
    out: NDArray[np.float32],  # (y, x), written: geometric mean, negative factors count as zero
) -> None:
    """Write the geometric mean of two planes."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            product = max(first[y, x], np.float32(0)) * max(second[y, x], np.float32(0))
            out[y, x] = np.sqrt(product)


@njit(nogil=True, cache=True)
def correlation_factor(
    sums: NDArray[np.float32],  # (5, y, x): box sums of x, y, x², y², x y
    inverse_count: NDArray[np.float32],  # (y, x)
    floor: np.float32,  # added to both variances
    share: np.float32,  # 1 / number of bands
    out: NDArray[np.float32],  # (y, x), the correlation × share is added to it
) -> None:
    """Add one band to the mean local correlation."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            inverse = inverse_count[y, x]
            mean_x, mean_y = sums[0, y, x] * inverse, sums[1, y, x] * inverse
            var_x = max(sums[2, y, x] * inverse - mean_x * mean_x, np.float32(0)) + floor
            var_y = max(sums[3, y, x] * inverse - mean_y * mean_y, np.float32(0)) + floor
            both = sums[4, y, x] * inverse - mean_x * mean_y
            out[y, x] += share * (both / np.sqrt(var_x * var_y))


@njit(nogil=True, cache=True)
def evidence_product(
    magnitude: NDArray[np.float32],  # (y, x)
    texture: NDArray[np.float32],  # (y, x)
    structure: NDArray[np.float32],  # (y, x)
    out: NDArray[np.float32],  # (y, x), written: magnitude^7/8 · texture^1/8 · structure^1/4
) -> None:
    """Write the weighted geometric mean of magnitude, texture and structure."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            m, s = magnitude[y, x], structure[y, x]
            square = m * m
            eighth = square * square * square * m * texture[y, x] * (s * s)
            out[y, x] = np.sqrt(np.sqrt(np.sqrt(eighth)))


@njit(nogil=True, cache=True)
def quantise(
    statistic: NDArray[np.float32],  # (y, x), not negative
    valid: NDArray[np.bool_],  # (y, x)
    unit: np.float32,  # quantised steps per unit of the statistic
    out: NDArray[np.uint16],  # (y, x), written: rounded half up, at most 65535; 0 where not valid
) -> None:
    """Write integer scores."""
    top = np.float32(65535)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            if valid[y, x]:
                step = min(statistic[y, x] * unit + np.float32(0.5), top)
                out[y, x] = np.uint16(step)
            else:
                out[y, x] = np.uint16(0)


@njit(nogil=True, cache=True)
def band_ratio(
    values: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    numerator: NDArray[np.float32],  # (band,) weights
    denominator: NDArray[np.float32],  # (band,) weights
    constant: np.float32,  # added to the denominator
    limit: np.float32,  # the ratio is cut to ± limit
    out: NDArray[np.float32],  # (y, x), written; 0 where the denominator is not above zero
) -> None:
    """Write the ratio of two weighted band sums."""
    bands, height, width = values.shape
    for y in range(height):
        for x in range(width):
            out[y, x] = np.float32(0)
            if valid[y, x]:
                above, below = np.float32(0), constant
                for b in range(bands):
                    above += numerator[b] * values[b, y, x]
                    below += denominator[b] * values[b, y, x]
                if below > np.float32(1e-20):
                    out[y, x] = min(max(above / below, -limit), limit)


@njit(nogil=True, cache=True)
def difference_score(
    change: NDArray[np.float32],  # (y, x)
    valid: NDArray[np.bool_],  # (y, x)
    centre: np.float32,
    inverse_scale: np.float32,
    out: NDArray[np.float32],  # (y, x), written: (change − centre) / scale, zero where not valid
) -> None:
    """Write the standardised change of one plane."""
    for y in range(change.shape[0]):
        for x in range(change.shape[1]):
            if valid[y, x]:
                out[y, x] = (change[y, x] - centre) * inverse_scale
            else:
                out[y, x] = np.float32(0)
