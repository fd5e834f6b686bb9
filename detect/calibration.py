"""How the statistic of a fitted state is distributed over the sample, and where to cut it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from detect.kernels.moments import add_histogram
from detect.kernels.pixels import quantise
from detect.magnitudes import smoothing_px
from detect.sample import CellPixels
from detect.score import ChangeState, change_statistic
from detect.thresholds import (
    histogram_median,
    kittler_threshold,
    otsu_threshold,
    rosin_threshold,
)

__all__ = ["Calibration", "NoChange", "calibrate"]

_Plane = tuple[NDArray[np.float32], NDArray[np.bool_]]

FINEST = 4096
"""Quantised steps per unit of a statistic at first."""

HIGHEST_MEDIAN = 4096
"""Median score above which the steps are made coarser, so that the tail is not cut off."""

FALSE_SHARE = 1e-3
"""Share of unchanged pixels that a threshold found on a histogram may let through."""

ROSIN_BINS = 256
"""Bins over the range of the scores in which the corner of their histogram is looked for."""

CALM_LEVEL = 0.80
"""Quantile above which a pixel counts as high when its surroundings are judged."""

CALM_PX = 6
"""Least distance of the eight places by which the surroundings of a pixel are judged: beyond the
reach of a sensor's blur, within most changes of ground."""

CALM_SIGMAS = 4
"""The same in standard deviations of the smoothing of a statistic: there two smoothed pixels still
correlate by exp(−4) = 0.02. Nearer, by three 0.1, what is high around a pixel tells of its own
noise, and taking only calm ones makes the tail too light."""

CALM_HIGH = 2
"""Most of the eight places that may be high around a calm pixel; of unchanged ones 1.6 are."""

CORE = (0.1, 0.2, 0.4)
"""Quantiles of all pixels that unchanged ones rule even where half of the ground has changed: the
middle one tells their scale, the others whether they are spread as theory says."""

NO_CHANGE_LEVEL = 0.05
"""Level at which the no-change distribution ends when its share is measured."""

LEAST_UNCHANGED = 0.4
"""Smallest share of unchanged pixels looked for: that of the highest quantile above."""

SHARE_ROUNDS = 30
"""Rounds of scale and share; they settle to a thousandth in ten."""


@dataclass(frozen=True)
class NoChange:
    """The unchanged pixels of a statistic whose square should be chi-square but for a factor.

    Attributes
    ----------
    scale : float
        Factor on the statistic.
    share : float
        Share of the pixels that did not change, 0–1.
    shape : float
        Spread of their lower half relative to theory; 1 where the theory holds.
    """

    scale: float
    share: float
    shape: float


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

    def quantile(self, share: float) -> float:
        """Return the value that this share of the pixels does not exceed."""
        below = np.cumsum(self.counts)
        return float(np.searchsorted(below, share * below[-1])) / self.steps

    def share_up_to(self, value: float) -> float:
        """Return the share of the pixels whose statistic is at most `value`, 0–1."""
        total = int(self.counts.sum())
        return float(self.counts[: int(value * self.steps) + 1].sum() / max(total, 1))

    def no_change(self, freedom: int) -> NoChange:
        """Fit the scaled chi-square law of the unchanged pixels by low quantiles.

        Re-weighting narrows the variates, so their own scale cannot be taken from theory.
        """
        below = np.cumsum(self.counts)
        at = (np.searchsorted(below, np.array(CORE) * below[-1]) + 0.5) / self.steps
        low, middle, high = (float(v) for v in at)
        share, scale = 1.0, 1.0
        end = float(np.sqrt(chdtri(freedom, NO_CHANGE_LEVEL)))
        for _ in range(SHARE_ROUNDS):
            scale = middle / float(np.sqrt(chdtri(freedom, 1 - CORE[1] / share)))
            found = self.share_up_to(scale * end) / (1 - NO_CHANGE_LEVEL)
            share = min(max(found, LEAST_UNCHANGED + NO_CHANGE_LEVEL), 1.0)
        ratio = np.sqrt(chdtri(freedom, 1 - CORE[2] / share) / chdtri(freedom, 1 - CORE[0] / share))
        return NoChange(scale, share, high / low / float(ratio))

    def threshold(self, freedom: int | None, split: str = "otsu") -> float:
        """Split the distribution in two and stay clear of unchanged noise.

        The lowest answer is as many medians as one in a thousand pixels would pass if nothing
        had changed and the squared statistic were chi-square with `freedom` degrees.

        Parameters
        ----------
        freedom : int or None
            None for a statistic without such a law, which has no lowest answer.
        split : {"otsu", "kittler", "rosin"}
            Any other name splits as ``otsu``.
        """
        lowest = 1 / self.steps
        if freedom is not None:
            clear = np.sqrt(chdtri(freedom, FALSE_SHARE) / chdtri(freedom, 0.5))
            lowest = max(float(clear) * self.median, lowest)
        if split == "rosin":
            found = self._corner()
        else:
            found = (kittler_threshold if split == "kittler" else otsu_threshold)(self.counts)
        return max(found / self.steps, lowest)

    def _corner(self) -> int:
        """Return Rosin's threshold of the histogram in coarse bins, in quantised steps."""
        filled = np.flatnonzero(self.counts)
        width = -(-(int(filled[-1]) + 1) // ROSIN_BINS) if filled.size else 1
        padded = np.pad(self.counts, (0, -self.counts.size % width))
        return rosin_threshold(padded.reshape(-1, width).sum(axis=1)) * width


def calibrate(
    pixels: Sequence[CellPixels], state: ChangeState, *, calm: bool = False
) -> Calibration:
    """Count the statistic of a state over all valid core pixels of the sample cells.

    Parameters
    ----------
    pixels : sequence of CellPixels
    state : ChangeState
    calm : bool
        Count only pixels in calm surroundings. The noise of a pixel does not depend on what is
        high some pixels away, change of the ground does: what is left tells of the noise.
    """
    planes = list(_statistics(pixels, state))
    steps = FINEST
    counts = _histogram(planes, steps)
    while steps > 1 and histogram_median(counts) > HIGHEST_MEDIAN:
        steps //= 4
        counts = _histogram(planes, steps)
    if calm:
        below = np.cumsum(counts)
        level = int(np.searchsorted(below, CALM_LEVEL * below[-1]))
        counts = _histogram(planes, steps, (level, _calm_px(state)))
    return Calibration(counts, steps)


def _statistics(pixels: Sequence[CellPixels], state: ChangeState) -> Iterator[_Plane]:
    """Yield the statistic of the core of each cell, and which of its pixels are valid."""
    for cell in pixels:
        core = cell.block.core_slices
        statistic = change_statistic(cell.block, state)
        if statistic is not None:
            yield np.ascontiguousarray(statistic[core]), cell.block.valid[core]


def _histogram(
    planes: Sequence[_Plane], steps: int, calm: tuple[int, int] | None = None
) -> NDArray[np.int64]:
    """Count quantised scores; with a level and a distance, only of pixels in calm surroundings."""
    counts = np.zeros(1 << 16, np.int64)
    for statistic, valid in planes:
        score = np.empty(valid.shape, np.uint16)
        quantise(statistic, valid, np.float32(steps), score)
        counted = valid
        if calm is not None:
            level, distance = calm
            counted = valid & _is_calm((score > level) & valid, distance)
        add_histogram(score, counted, counts)
    return counts


def _calm_px(state: ChangeState) -> int:
    """Return how far from a pixel its surroundings are judged."""
    sigma = smoothing_px(state.pixel_m) if state.is_smoothed else 0.0
    return max(CALM_PX, math.ceil(CALM_SIGMAS * sigma))


def _is_calm(high: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Return the pixels with few of the eight places around them high."""
    height, width = high.shape
    padded = np.pad(high, distance)
    count = np.zeros(high.shape, np.int64)
    near = round(distance / np.sqrt(2))
    for dy, dx in ((distance, 0), (0, distance), (near, near), (near, -near)):
        for row, col in ((distance + dy, distance + dx), (distance - dy, distance - dx)):
            count += padded[row : row + height, col : col + width]
    return np.asarray(count <= CALM_HIGH, np.bool_)
