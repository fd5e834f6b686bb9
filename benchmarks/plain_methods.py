"""The field's plain methods in NumPy: z-scored change vectors, IR-MAD and ISFA, each cut in two."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from benchmarks.labelled import LabelledPair

__all__ = ["PLAIN_METHODS", "plain_answer"]

Array = NDArray[np.float64]


def vector_otsu(before: Array, after: Array) -> NDArray[np.bool_]:
    """Return which rows of (pixel, band) values change by z-scored CVA and Otsu's threshold."""
    before, after = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (before, after))
    length = np.sqrt(((after - before) ** 2).sum(axis=1))
    counts, edges = np.histogram(length, 256)
    middle = (edges[:-1] + edges[1:]) / 2
    low = np.cumsum(counts)
    moment = np.cumsum(counts * middle)
    high = low[-1] - low
    with np.errstate(divide="ignore", invalid="ignore"):
        between = low * high * (moment / low - (moment[-1] - moment) / high) ** 2
    return length > middle[np.nanargmax(between)]


def mad_kmeans(before: Array, after: Array) -> NDArray[np.bool_]:
    """Return which rows change by IR-MAD and two means of the root of its statistic."""

    def variates(x: Array, y: Array, weight: Array) -> Array:
        joint = np.hstack([x, y])
        mean = np.average(joint, axis=0, weights=weight)
        covariance = np.cov(joint.T, aweights=weight, ddof=0)
        n = x.shape[1]
        root_x, root_y = (
            np.linalg.inv(np.linalg.cholesky(c)) for c in (covariance[:n, :n], covariance[n:, n:])
        )
        left, rho, right = np.linalg.svd(root_x @ covariance[:n, n:] @ root_y.T)
        difference = (x - mean[:n]) @ (left.T @ root_x).T - (y - mean[n:]) @ (right @ root_y).T
        return difference / np.sqrt(2 * (1 - np.minimum(rho, 1 - 1e-9)))

    return _two_means(_reweighted(before, after, variates))


def slow_kmeans(before: Array, after: Array) -> NDArray[np.bool_]:
    """Return which rows change by iterative slow feature analysis and two means."""

    def variates(x: Array, y: Array, weight: Array) -> Array:
        x, y = (
            (v - np.average(v, axis=0, weights=weight))
            / np.sqrt(np.diag(np.cov(v.T, aweights=weight, ddof=0)))
            for v in (x, y)
        )
        total = weight.sum()
        difference = x - y
        moved = (difference * weight[:, None]).T @ difference / total
        spread = ((x * weight[:, None]).T @ x + (y * weight[:, None]).T @ y) / (2 * total)
        root = np.linalg.inv(np.linalg.cholesky(spread))
        values, vectors = np.linalg.eigh(root @ moved @ root.T)
        return difference @ (root.T @ vectors) / np.sqrt(np.maximum(values, 1e-9))

    return _two_means(_reweighted(before, after, variates))


def _reweighted(
    before: Array, after: Array, variates: Callable[[Array, Array, Array], Array]
) -> Array:
    """Return the root of the statistic after re-weighting by the probability of no change."""
    bands = before.shape[1]
    weight = np.ones(before.shape[0])
    statistic = np.zeros(before.shape[0])
    for _ in range(30):
        last = statistic
        statistic = (variates(before, after, weight) ** 2).sum(axis=1)
        if np.max(np.abs(np.sqrt(statistic) - np.sqrt(last))) < 1e-3:
            break
        weight = np.maximum(chdtrc(bands, statistic), 1e-6)
    return np.sqrt(statistic)


def _two_means(values: Array) -> NDArray[np.bool_]:
    low, high = np.percentile(values, [5, 99.9])
    for _ in range(200):
        above = values > (low + high) / 2
        if not above.any() or above.all():
            break
        low, high = values[~above].mean(), values[above].mean()
    return values > (low + high) / 2


PLAIN_METHODS: dict[str, Callable[[Array, Array], NDArray[np.bool_]]] = {
    "z-scored CVA + Otsu": vector_otsu,
    "IR-MAD + k-means": mad_kmeans,
    "ISFA + k-means": slow_kmeans,
}


def plain_answer(pair: LabelledPair, name: str) -> NDArray[np.bool_]:
    """Return the map of a method over the valid pixels of a registered pair."""
    with pair.reader as reader:
        block = reader.read(pair.extent, 0)
    answer = np.zeros(block.valid.shape, np.bool_)
    before, after = (v[:, block.valid].T.astype(float) for v in (block.before, block.after))
    answer[block.valid] = PLAIN_METHODS[name](before, after)
    return answer
