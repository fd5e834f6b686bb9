"""Thresholds on integer histograms of quantised scores."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["histogram_median", "kittler_threshold", "otsu_threshold", "rosin_threshold"]


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


def kittler_threshold(counts: NDArray[np.int64]) -> int:
    """Split a histogram where two Gaussians make the fewest errors.

    Parameters
    ----------
    counts : ndarray of int64, shape (bins,)
        Pixels per quantised score.

    Returns
    -------
    int
        Lowest score of the upper side; ties go to the lowest threshold. One above the highest
        score where no split is better than a single Gaussian.

    Notes
    -----
    A score stands for all values that round to it, so 1/12 is added to the variances: a side that
    lies in one bin has a width too.

    References
    ----------
    .. [1] Kittler, Illingworth (1986). Minimum error thresholding.
       doi:10.1016/0031-3203(86)90030-0
    """
    total = int(counts.sum())
    if not total:
        return 1
    top = int(np.flatnonzero(counts)[-1]) + 1
    share = counts[:top] / total
    score = np.arange(top) - float(share @ np.arange(top))
    sums = np.cumsum(np.stack([share, share * score, share * score**2]), axis=1)
    lows, highs = sums[:, :-1], sums[:, -1:] - sums[:, :-1]
    below = np.cumsum(counts[: top - 1])
    usable = (below > 0) & (below < total)
    cost = np.full(top - 1, np.inf)
    cost[usable] = sum(_side_cost(side[:, usable]) for side in (lows, highs))
    alone = float(_side_cost(sums[:, -1:])[0])
    if not usable.any() or cost.min() >= alone:
        return top
    return int(np.argmin(cost)) + 1


def _side_cost(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P ln σ² − 2 P ln P of sides given by Σ share, Σ share · score, Σ share · score²."""
    part, moment, square = sums
    variance = np.maximum(square / part - (moment / part) ** 2, 0) + 1 / 12
    return np.asarray(part * (np.log(variance) - 2 * np.log(part)), np.float64)


def rosin_threshold(counts: NDArray[np.int64]) -> int:
    """Split a histogram of one peak at the corner where its slope turns into its tail.

    The corner is the bin farthest below the line from the peak to the end of the histogram.

    Parameters
    ----------
    counts : ndarray of int64, shape (bins,)
        Pixels per score; bins fine enough to leave gaps make the peak a matter of chance.

    Returns
    -------
    int
        Lowest score of the upper side; ties go to the lowest threshold. One above the highest
        score where the histogram falls to its end without a corner.

    References
    ----------
    .. [1] Rosin (2001). Unimodal thresholding. doi:10.1016/S0031-3203(00)00136-9
    """
    filled = np.flatnonzero(counts)
    if not filled.size:
        return 1
    peak, end = int(np.argmax(counts)), int(filled[-1])
    if end - peak < 2:
        return end + 1
    steps = np.arange(end - peak + 1)
    line = counts[peak] + (float(counts[end]) - counts[peak]) * steps / (end - peak)
    gap = line - counts[peak : end + 1]
    return peak + int(np.argmax(gap)) if gap.max() > 1e-9 * counts[peak] else end + 1


def histogram_median(counts: NDArray[np.int64]) -> int:
    """Return the lower median of the scores in a histogram (score,); 0 where it is empty."""
    below = np.cumsum(counts)
    return int(np.searchsorted(below, (below[-1] + 1) // 2)) if below[-1] else 0
