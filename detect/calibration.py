"""How the statistic of a fitted state is distributed over the sample, and where to cut it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from detect.kernels.moments import add_histogram
from detect.kernels.pixels import quantise
from detect.sample import CellPixels
from detect.score import ChangeState, change_statistic
from detect.thresholds import histogram_median, otsu_threshold

__all__ = ["Calibration", "calibrate"]

FINEST = 4096
"""Quantised steps per unit of a statistic at first."""

HIGHEST_MEDIAN = 4096
"""Median score above which the steps are made coarser, so that the tail is not cut off."""

FALSE_SHARE = 1e-3
"""Share of unchanged pixels that a threshold found on a histogram may let through."""


@dataclass(frozen=True)
class Calibration:
    """The distribution of a statistic over the valid pixels of the sample cells.

    Attributes
    ----------
    counts : ndarray of int64, shape (65536,)
        Pixels per quantised score.
    steps : int
        Quantised steps per unit of the statistic.
    """

    counts: NDArray[np.int64]
    steps: int

    @property
    def median(self) -> float:
        """Median of the statistic."""
        return histogram_median(self.counts) / self.steps

    def share_up_to(self, value: float) -> float:
        """Return the share of the pixels whose statistic is at most `value`, 0–1."""
        total = int(self.counts.sum())
        return float(self.counts[: int(value * self.steps) + 1].sum() / max(total, 1))

    def threshold(self, freedom: int) -> float:
        """Split the distribution in two and stay clear of unchanged noise.

        The lowest answer is as many medians as one in a thousand pixels would pass if nothing
        had changed and the squared statistic were chi-square with `freedom` degrees.
        """
        clear = np.sqrt(chdtri(freedom, FALSE_SHARE) / chdtri(freedom, 0.5))
        lowest = max(float(clear) * self.median, 1 / self.steps)
        return max(otsu_threshold(self.counts) / self.steps, lowest)


def calibrate(pixels: Sequence[CellPixels], state: ChangeState) -> Calibration:
    """Count the statistic of a state over all valid core pixels of the sample cells."""
    steps = FINEST
    counts = _histogram(pixels, state, steps)
    while steps > 1 and histogram_median(counts) > HIGHEST_MEDIAN:
        steps //= 4
        counts = _histogram(pixels, state, steps)
    return Calibration(counts, steps)


def _histogram(pixels: Sequence[CellPixels], state: ChangeState, steps: int) -> NDArray[np.int64]:
    counts = np.zeros(1 << 16, np.int64)
    for cell in pixels:
        core = cell.block.core_slices
        statistic = change_statistic(cell.block, state)
        if statistic is not None:
            valid = cell.block.valid[core]
            score = np.empty(valid.shape, np.uint16)
            quantise(statistic[core], valid, np.float32(steps), score)
            add_histogram(score, valid, counts)
    return counts
