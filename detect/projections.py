"""Linear combinations of two dates in which unchanged ground stands still: MAD, IR-MAD, ISFA.

All three end in variates that are scaled by their spread, so the sum of their squares is about
chi-square where nothing changed. MAD takes the combinations that correlate most, slow feature
analysis those of the standardised bands that move least; the iterated forms weight every pixel by
the probability that it did not change.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.kernels.pixels import variate_statistic
from detect.sample import reweighted_covariance
from tiles.block import Block

__all__ = ["MadState", "fit_irmad", "fit_isfa", "fit_mad", "irmad_statistic"]

ITERATIONS = 50
"""Most re-weightings."""

TOLERANCE = 1e-4
"""Largest change of a canonical correlation at which the fit has settled."""

RIDGE = 1e-9
"""Added to the variances, relative to each of them, so that copied bands can be inverted."""

LEAST_VARIANCE = 1e-3
"""Share of a band's variance below which its weighted variance is not followed down: a band may
be constant on the pixels that have weight."""


Array = NDArray[np.float64]
Variates = tuple[Array, Array, Array, Array]
"""Rows a and b, offsets and correlations: variate = a · before − b · after + offset."""


@dataclass(frozen=True)
class MadState:
    """Fitted variates of MAD, IR-MAD or ISFA.

    Attributes
    ----------
    project_before, project_after : ndarray of float64, shape (variate, band)
        Weights of the bands in each standardised variate.
    offset : ndarray of float64, shape (variate,)
        Constant term of each variate.
    correlations : tuple of float
        Of the two dates in each variate, descending: the canonical correlations of MAD, and
        1 − λ / 2 of the slow features with the eigenvalue λ.
    iterations : int
        Re-weightings done.
    """

    project_before: NDArray[np.float64]
    project_after: NDArray[np.float64]
    offset: NDArray[np.float64]
    correlations: tuple[float, ...]
    iterations: int


def fit_irmad(before: Array, after: Array, *, threads: int = 1) -> MadState | None:
    """Fit the iteratively re-weighted multivariate alteration detection on a sample.

    Parameters
    ----------
    before, after : ndarray of float64 or float32, shape (pixel, band)
        The two dates at the sampled pixels, in canonical order, in any order in memory.
    threads : int
        That share the work; the answer is the same for any number.

    Returns
    -------
    MadState or None
        None where no band varies at both dates.

    References
    ----------
    .. [1] Nielsen (2007). The regularized iteratively reweighted MAD method for change detection
       in multi- and hyperspectral data. doi:10.1109/TIP.2006.888195
    """
    return _reweighted(before, after, _alterations, ITERATIONS, threads)


def fit_mad(before: Array, after: Array) -> MadState | None:
    """Fit the multivariate alteration detection on a sample: one pass, every pixel counts alike.

    Parameters
    ----------
    before, after : ndarray of float64, shape (pixel, band)

    Returns
    -------
    MadState or None
        None where no band varies at both dates.

    References
    ----------
    .. [1] Nielsen, Conradsen, Simpson (1998). Multivariate alteration detection (MAD) and MAF
       postprocessing in multispectral, bitemporal image data. doi:10.1016/S0034-4257(97)00162-4
    """
    return _reweighted(before, after, _alterations, 1)


def fit_isfa(before: Array, after: Array) -> MadState | None:
    """Fit the iterative slow feature analysis on a sample.

    Parameters
    ----------
    before, after : ndarray of float64, shape (pixel, band)

    Returns
    -------
    MadState or None
        None where no band varies at both dates.

    References
    ----------
    .. [1] Wu, Du, Zhang (2014). Slow feature analysis for change detection in multispectral
       imagery. doi:10.1109/TGRS.2013.2266673
    """
    return _reweighted(before, after, _slow_features, ITERATIONS)


def _reweighted(
    before: Array,
    after: Array,
    solve: Callable[[Array, Array], Variates],
    passes: int,
    threads: int = 1,
) -> MadState | None:
    """Solve for the variates again and again, each pixel weighted by its no-change probability."""
    bands = before.shape[1]
    if before.shape[0] <= 2 * bands:
        return None
    joint, centre, scale = _standardised(before, after)
    used = np.flatnonzero((scale[:bands] > 0) & (scale[bands:] > 0))
    if not used.size:
        return None
    if used.size < bands:
        both = np.concatenate([used, used + bands])
        joint, centre, scale = joint[both], centre[both], scale[both]
    rows, offset, last = np.zeros((used.size, len(joint))), np.zeros(used.size), np.zeros(used.size)
    done = 0
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as workers:
        while done < passes:
            total, mean, covariance = reweighted_covariance(joint, rows, offset, workers)
            if done and total < 4 * bands:
                break
            done += 1
            a, b, offset, correlations = solve(mean, covariance)
            if np.max(np.abs(correlations - last)) < TOLERANCE:
                break
            rows, last = np.hstack([a, -b]), correlations
    a, b = a / scale[: used.size], b / scale[used.size :]
    offset = offset - np.hstack([a, -b]) @ centre
    wide_a, wide_b = np.zeros((used.size, bands)), np.zeros((used.size, bands))
    wide_a[:, used], wide_b[:, used] = a, b
    return MadState(wide_a, wide_b, offset, tuple(correlations.tolist()), done)


def _standardised(before: Array, after: Array) -> tuple[Array, Array, Array]:
    """Return both dates as (column, pixel) of mean 0 and spread 1, and their means and spreads.

    The spread of a constant column is 0 and its values stay.
    """
    bands = before.shape[1]
    joint = np.empty((2 * bands, before.shape[0]))
    centre, scale = np.zeros((2, 2 * bands))
    joint[:bands], joint[bands:] = before.T, after.T
    for c, values in enumerate(joint):
        if values.min() < values.max():
            centre[c] = values.mean()
            values -= centre[c]
            scale[c] = np.sqrt(np.mean(values * values))
            if scale[c] > 0:
                values /= scale[c]
    return joint, centre, scale


def _alterations(mean: Array, covariance: Array) -> Variates:
    """Return the standardised MAD variates of joint moments of both dates."""
    n = mean.size // 2
    covariance = covariance + np.diag(RIDGE * np.maximum(np.diag(covariance), LEAST_VARIANCE))
    root_x = np.linalg.inv(np.linalg.cholesky(covariance[:n, :n]))
    root_y = np.linalg.inv(np.linalg.cholesky(covariance[n:, n:]))
    left, correlations, right = np.linalg.svd(root_x @ covariance[:n, n:] @ root_y.T)
    correlations = np.minimum(correlations, 1.0 - RIDGE)
    spread = np.sqrt(2.0 * (1.0 - correlations))[:, None]
    a, b = (left.T @ root_x) / spread, (right @ root_y) / spread
    return a, b, b @ mean[n:] - a @ mean[:n], correlations


def _slow_features(mean: Array, covariance: Array) -> Variates:
    """Return the slow features of joint moments of both dates, each scaled by its spread.

    With the bands standardised by the same weights, A w = λ B w, where A is the covariance of
    the difference and B the mean of the covariances of both dates.
    """
    n = mean.size // 2
    spread = np.sqrt(np.maximum(np.diag(covariance), LEAST_VARIANCE**2))
    standard = covariance / np.outer(spread, spread)
    x, y, cross = standard[:n, :n], standard[n:, n:], standard[:n, n:]
    both = (x + y) / 2 + RIDGE * np.eye(n)
    root = np.linalg.inv(np.linalg.cholesky(both))
    values, vectors = np.linalg.eigh(root @ (x + y - cross - cross.T) @ root.T)
    values = np.maximum(values, 2 * RIDGE)
    rows = (root.T @ vectors).T / np.sqrt(values)[:, None]
    a, b = rows / spread[:n], rows / spread[n:]
    return a, b, b @ mean[n:] - a @ mean[:n], 1 - values / 2


def irmad_statistic(block: Block, state: MadState) -> NDArray[np.float32]:
    """Return the root of the chi-square statistic, float32 (y, x) over the block's extent.

    Zero where the block is not valid.
    """
    out = np.empty(block.valid.shape, np.float32)
    variate_statistic(
        block.before,
        block.after,
        block.valid,
        state.project_before,
        state.project_after,
        state.offset,
        out,
    )
    return out
