"""Thresholds on integer histograms of quantised scores."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["histogram_median", "otsu_threshold"]


def otsu_threshold(counts: NDArray[np.int64]) -> int:
    """Split a histogram so that the variance between its two sides is greatest.

    For a score that is a length this is also the best split into two means.

    Parameters
    ----------
    counts : ndarray of int64, shape (bins,)
        Pixels per quantised score.

    Returns
    -------
    int
        Lowest score of the upper side; ties go to the lowest threshold. One above the highest
        score where there is nothing to split.

    References
    ----------
    .. [1] Otsu (1979). A threshold selection method from gray-level histograms.
       doi:10.1109/TSMC.1979.4310076
    """
    weights = counts.astype(np.float64)
    moments = weights * np.arange(counts.size)
    total, moment = float(weights.sum()), float(moments.sum())
    low, low_moment = np.cumsum(weights)[:-1], np.cumsum(moments)[:-1]
    high = total - low
    usable = (low > 0) & (high > 0)
    if not usable.any():
        return int(np.flatnonzero(counts)[-1]) + 1 if total else 1
    gap, between = np.zeros_like(low), np.zeros_like(low)
    np.divide(moment * low - total * low_moment, low, out=gap, where=usable)
    np.divide(gap * gap * low, high, out=between, where=usable)
    return int(np.argmax(between)) + 1


def histogram_median(counts: NDArray[np.int64]) -> int:
    """Return the lower median of the scores in a histogram; 0 where it is empty."""
    below = np.cumsum(counts)
    return int(np.searchsorted(below, (below[-1] + 1) // 2)) if below[-1] else 0
