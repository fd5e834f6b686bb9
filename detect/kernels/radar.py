"""Per-pixel arithmetic of radar intensities. Where `valid` is False the output is zero."""

import math

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import kernel

__all__ = ["log_ratios", "ratio_statistic", "root_of_squares"]


@kernel
def log_ratios(
    before: NDArray[np.float32],  # (channel, y, x)
    after: NDArray[np.float32],  # (channel, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    power: float,  # of the values in the intensity; 0: the values are decibels
    floor: NDArray[np.float32],  # (channel, 2) smallest value taken for a signal, by date
    centre: NDArray[np.float32],  # (channel,)
    out: NDArray[np.float32],  # (channel, y, x), written: ln(after / before) − centre
) -> None:
    """Write the logarithms of the intensity ratios."""
    per_decibel = math.log(10.0) / 10.0
    for b in range(out.shape[0]):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                ratio = 0.0
                if valid[y, x]:
                    first = max(before[b, y, x], floor[b, 0])
                    second = max(after[b, y, x], floor[b, 1])
                    if power > 0:
                        ratio = power * (math.log(second) - math.log(first)) - centre[b]
                    else:
                        ratio = per_decibel * (second - first) - centre[b]
                out[b, y, x] = ratio


@kernel
def ratio_statistic(
    ratios: NDArray[np.float32],  # (channel, y, x) logarithms, zero where not valid
    weight: NDArray[np.float64],  # (channel,): 4 × looks × correction
    out: NDArray[np.float32],  # (y, x), written: root of Σ weight · ln cosh(ratio / 2)
) -> None:
    """Write the root of the likelihood ratio of two gamma intensities per channel."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            total = 0.0
            for b in range(ratios.shape[0]):
                half = abs(ratios[b, y, x]) / 2.0
                total += weight[b] * (half + math.log1p(math.exp(-2.0 * half)) - math.log(2.0))
            out[y, x] = math.sqrt(max(total, 0.0))


@kernel
def root_of_squares(
    planes: NDArray[np.float32],  # (channel, y, x)
    out: NDArray[np.float32],  # (y, x), written: root of Σ value²
) -> None:
    """Write the length over the channels."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            total = np.float32(0)
            for b in range(planes.shape[0]):
                total += planes[b, y, x] * planes[b, y, x]
            out[y, x] = np.sqrt(total)
