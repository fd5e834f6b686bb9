"""Per-pixel arithmetic of a block, fused so that every plane is walked once.

Each pixel is computed from its own values in a fixed order of bands, without reductions over
pixels, so the answer cannot depend on the block it is computed in. Where `valid` is False the
output is zero, whatever the input holds there.
"""

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import kernel

__all__ = [
    "capped_root",
    "change_length",
    "difference_score",
    "evidence_product",
    "mixed_squares",
    "predict_residuals",
    "quantise",
    "rescale",
    "robust_scores",
    "root_of_product",
    "variate_statistic",
]


@kernel
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


@kernel
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
    width = valid.shape[1]
    value, total = np.empty(width, np.float64), np.empty(width, np.float64)
    for y in range(valid.shape[0]):
        total[:] = 0.0
        for i in range(variates):
            value[:] = offset[i]
            for b in range(bands):
                gain, loss = project_before[i, b], project_after[i, b]
                u, v = before[b, y], after[b, y]
                for x in range(width):
                    value[x] += gain * u[x] - loss * v[x]
            for x in range(width):
                total[x] += value[x] * value[x]
        use, target = valid[y], out[y]
        for x in range(width):
            target[x] = np.sqrt(total[x]) if use[x] else 0.0


@kernel
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


@kernel
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


@kernel
def difference_score(
    change: NDArray[np.float32],  # (y, x)
    valid: NDArray[np.bool_],  # (y, x)
    centre: np.float32,
    inverse_scale: np.float32,
    limit: np.float32,
    out: NDArray[np.float32],  # (y, x), written: (change − centre) / scale within ± limit
) -> None:
    """Write the standardised change of one plane."""
    for y in range(change.shape[0]):
        for x in range(change.shape[1]):
            if valid[y, x]:
                out[y, x] = min(max((change[y, x] - centre) * inverse_scale, -limit), limit)
            else:
                out[y, x] = np.float32(0)


@kernel
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
            row, use, target = values[b, y], valid[y], out[b, y]
            for x in range(width):
                score = min(max((row[x] - middle) * inverse, low), high)
                target[x] = score if use[x] else np.float32(0)


@kernel
def predict_residuals(
    first: NDArray[np.float32],  # (band, y, x) robust scores of the predicting date
    context: NDArray[np.float32],  # (band, y, x) their local means
    second: NDArray[np.float32],  # (band, y, x) robust scores of the predicted date
    valid: NDArray[np.bool_],  # (y, x)
    coefficients: NDArray[np.float32],  # (band, 2 band + 1): own values, local means, intercept
    inverse_scale: NDArray[np.float32],  # (band,)
    weight: NDArray[np.float32],  # (band,)
    out: NDArray[np.float32],  # (band, y, x), written: (second − prediction) / scale
    squares: NDArray[np.float32],  # (y, x), written: Σ weight² residual²
) -> None:
    """Write what one date cannot predict of the other, and its weighted sum of squares."""
    bands, height, width = first.shape
    for y in range(height):
        use, total = valid[y], squares[y]
        total[:] = np.float32(0)
        for b in range(bands):
            row, seen = out[b, y], second[b, y]
            intercept, inverse = coefficients[b, 2 * bands], inverse_scale[b]
            square = weight[b] * weight[b]
            for x in range(width):
                row[x] = seen[x] - intercept
            k = 0
            while k + 1 < bands:
                a, c = coefficients[b, k], coefficients[b, bands + k]
                d, e = coefficients[b, k + 1], coefficients[b, bands + k + 1]
                u, p, v, q = first[k, y], context[k, y], first[k + 1, y], context[k + 1, y]
                for x in range(width):
                    row[x] -= (a * u[x] + c * p[x]) + (d * v[x] + e * q[x])
                k += 2
            if k < bands:
                a, c = coefficients[b, k], coefficients[b, bands + k]
                u, p = first[k, y], context[k, y]
                for x in range(width):
                    row[x] -= a * u[x] + c * p[x]
            for x in range(width):
                residual = row[x] * inverse if use[x] else np.float32(0)
                row[x] = residual
                total[x] += square * (residual * residual)


@kernel
def mixed_squares(
    residuals: NDArray[np.float32],  # (band, y, x), zero where not valid
    mix: NDArray[np.float32],  # (component, band)
    out: NDArray[np.float32],  # (y, x), written: |mix · residual|²
) -> None:
    """Write the squared length of the mixed residuals."""
    bands, height, width = residuals.shape
    component = np.zeros(width, np.float32)
    for y in range(height):
        total = out[y]
        total[:] = np.float32(0)
        for i in range(mix.shape[0]):
            component[:] = np.float32(0)
            for b in range(bands):
                weight, values = mix[i, b], residuals[b, y]
                if weight != 0:
                    for x in range(width):
                        component[x] += weight * values[x]
            for x in range(width):
                total[x] += component[x] * component[x]


@kernel
def capped_root(
    squares: NDArray[np.float32],  # (y, x), not negative
    cap: np.float32,
    out: NDArray[np.float32],  # (y, x), written: min(cap, √square)
) -> None:
    """Write capped lengths."""
    for y in range(squares.shape[0]):
        row, target = squares[y], out[y]
        for x in range(row.size):
            target[x] = min(cap, np.sqrt(row[x]))


@kernel
def change_length(
    before: NDArray[np.float32],  # (band, y, x)
    after: NDArray[np.float32],  # (band, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    centres: NDArray[np.float32],  # (2, band) before, after
    inverse_scales: NDArray[np.float32],  # (2, band)
    low: np.float32,
    high: np.float32,
    out: NDArray[np.float32],  # (y, x), written: length of the difference of the clipped scores
) -> None:
    """Write the length of the change vector of robust scores, see `robust_scores`."""
    bands, height, width = before.shape
    for y in range(height):
        use, total = valid[y], out[y]
        total[:] = np.float32(0)
        for b in range(bands):
            u, v = before[b, y], after[b, y]
            c, d = centres[0, b], centres[1, b]
            f, g = inverse_scales[0, b], inverse_scales[1, b]
            for x in range(width):
                first = min(max((u[x] - c) * f, low), high)
                second = min(max((v[x] - d) * g, low), high)
                total[x] += (second - first) * (second - first)
        for x in range(width):
            total[x] = np.sqrt(total[x]) if use[x] else np.float32(0)


@kernel
def evidence_product(
    forward: NDArray[np.float32],  # (y, x) smoothed magnitude, not negative
    backward: NDArray[np.float32],  # (y, x) the same the other way
    forward_variance: NDArray[np.float32],  # (y, x)
    backward_variance: NDArray[np.float32],  # (y, x)
    structure: NDArray[np.float32],  # (y, x), not negative
    out: NDArray[np.float32],  # (y, x), written: m^7/8 · t^1/8 · structure^1/4
) -> None:
    """Write magnitude, texture and structure as one statistic.

    m = √(forward · backward); t = the same of the standard deviations. Both measure the residuals,
    so their exponents add to one: a doubled contrast doubles the statistic. Texture has the least
    eighth, since it tells the same less locally, and structure twice that, since it is bounded; on
    labelled cities neither twice nor none of the texture, nor half as much structure again, does
    better (`benchmarks/attempts.md`). Eighths, for the sake of roots and products only: their bits
    do not depend on the length of the vectors the compiler chooses, as those of a power function
    do.
    """
    none = np.float32(0)
    for y in range(out.shape[0]):
        m1, m2, v1, v2 = forward[y], backward[y], forward_variance[y], backward_variance[y]
        z, target = structure[y], out[y]
        for x in range(target.size):
            square = m1[x] * m2[x]
            texture = np.sqrt(np.sqrt(max(v1[x], none) * max(v2[x], none)))
            eighth = square * square * square * np.sqrt(square) * texture * (z[x] * z[x])
            target[x] = np.sqrt(np.sqrt(np.sqrt(eighth)))
