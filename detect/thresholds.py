"""Thresholds on integer histograms of quantised scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Split", "histogram_median", "otsu_split", "two_means_split"]


@dataclass(frozen=True)
class Split:
    """A threshold on a histogram.

    Attributes
    ----------
    threshold : int
        Scores at or above it are change; one above the highest score where nothing can be split.
    share : float
        Share of the pixels at or above it.
    separation : float
        Part of the variance between the two sides, 0–1.
    """

    threshold: int
    share: float
    separation: float


def otsu_split(counts: NDArray[np.int64]) -> Split:
    """Split a histogram so that the variance between its two sides is greatest.

    Parameters
    ----------
    counts : ndarray of int64, shape (bins,)
        Pixels per quantised score.

    Returns
    -------
    Split
        Ties go to the lowest threshold.

    References
    ----------
    .. [1] Otsu (1979). A threshold selection method from gray-level histograms.
       doi:10.1109/TSMC.1979.4310076
    """
    return _best_split(counts, np.arange(counts.size, dtype=np.float64))


def two_means_split(counts: NDArray[np.int64]) -> Split:
    """Split a histogram of roots by 2-means of the squares (the best split, not a local one).

    For a score that is the root of a chi-square statistic this is k-means with two classes on
    the statistic itself.
    """
    return _best_split(counts, np.arange(counts.size, dtype=np.float64) ** 2)


def histogram_median(counts: NDArray[np.int64]) -> int:
    """Return the lower median of the scores in a histogram; 0 where it is empty."""
    below = np.cumsum(counts)
    return int(np.searchsorted(below, (below[-1] + 1) // 2)) if below[-1] else 0


def _best_split(counts: NDArray[np.int64], values: NDArray[np.float64]) -> Split:
    weights = counts.astype(np.float64)
    total, moment = weights.sum(), float(np.sum(weights * values))
    low = np.cumsum(weights)[:-1]
    low_moment = np.cumsum(weights * values)[:-1]
    high = total - low
    usable = (low > 0) & (high > 0)
    if not usable.any():
        top = int(np.flatnonzero(counts)[-1]) if total else 0
        return Split(top + 1, 0.0, 0.0)
    gap = np.zeros_like(low)
    np.divide(moment * low - total * low_moment, low, out=gap, where=usable)
    between = np.zeros_like(low)
    np.divide(gap * gap * low, high, out=between, where=usable)
    best = int(np.argmax(between))
    variance = float(np.sum(weights * (values - moment / total) ** 2)) * total
    separation = float(between[best] / variance) if variance > 0 else 0.0
    return Split(best + 1, float(high[best] / total), separation)
