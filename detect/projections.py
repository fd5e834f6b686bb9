"""IR-MAD: the linear combinations of two dates that differ least, re-weighted by no-change."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from detect.kernels.pixels import variate_statistic
from detect.sample import affine_map, weighted_covariance
from tiles.block import Block

__all__ = ["MadState", "fit_irmad", "irmad_statistic"]

ITERATIONS = 50
"""Most re-weightings."""

TOLERANCE = 1e-4
"""Largest change of a canonical correlation at which the fit has settled."""

RIDGE = 1e-9
"""Added to the variances, relative to each of them, so that copied bands can be inverted."""


@dataclass(frozen=True)
class MadState:
    """A fitted IR-MAD transform.

    Attributes
    ----------
    project_before, project_after : ndarray of float64, shape (variate, band)
        Weights of the bands in each standardised variate.
    offset : ndarray of float64, shape (variate,)
        Constant term of each variate.
    correlations : tuple of float
        Canonical correlations of the two dates, descending.
    iterations : int
        Re-weightings done.
    """

    project_before: NDArray[np.float64]
    project_after: NDArray[np.float64]
    offset: NDArray[np.float64]
    correlations: tuple[float, ...]
    iterations: int


def fit_irmad(before: NDArray[np.float64], after: NDArray[np.float64]) -> MadState | None:
    """Fit the iteratively re-weighted multivariate alteration detection on a sample.

    Parameters
    ----------
    before, after : ndarray of float64, shape (pixel, band)
        The two dates at the sampled pixels, in canonical order.

    Returns
    -------
    MadState or None
        None where no band varies at both dates.

    References
    ----------
    .. [1] Nielsen (2007). The regularized iteratively reweighted MAD method for change detection
       in multi- and hyperspectral data. doi:10.1109/TIP.2006.888195
    """
    bands = before.shape[1]
    used = np.flatnonzero((np.ptp(before, axis=0) > 0) & (np.ptp(after, axis=0) > 0))
    if before.shape[0] <= 2 * bands or not used.size:
        return None
    scale_before, scale_after = before[:, used].std(axis=0), after[:, used].std(axis=0)
    joint = np.hstack([before[:, used] / scale_before, after[:, used] / scale_after])
    weight = np.ones(joint.shape[0])
    last = np.zeros(used.size)
    done = 0
    while done < ITERATIONS:
        done += 1
        a, b, offset, correlations = _variates(joint, weight)
        variates = affine_map(joint, np.hstack([a, -b]), offset)
        statistic = np.sum(variates**2, axis=1)
        weight = np.asarray(chdtrc(used.size, statistic), np.float64)
        if np.max(np.abs(correlations - last)) < TOLERANCE or weight.sum() < 4 * bands:
            break
        last = correlations
    wide_a, wide_b = np.zeros((used.size, bands)), np.zeros((used.size, bands))
    wide_a[:, used], wide_b[:, used] = a / scale_before, b / scale_after
    return MadState(wide_a, wide_b, offset, tuple(correlations.tolist()), done)


def _variates(
    joint: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the standardised MAD variates of weighted data: rows a, rows b, offset, ρ."""
    n = joint.shape[1] // 2
    mean, covariance = weighted_covariance(joint, weight)
    covariance += np.diag(RIDGE * np.diag(covariance))
    root_x = np.linalg.inv(np.linalg.cholesky(covariance[:n, :n]))
    root_y = np.linalg.inv(np.linalg.cholesky(covariance[n:, n:]))
    left, correlations, right = np.linalg.svd(root_x @ covariance[:n, n:] @ root_y.T)
    correlations = np.minimum(correlations, 1.0 - 1e-9)
    spread = np.sqrt(2.0 * (1.0 - correlations))[:, None]
    a, b = (left.T @ root_x) / spread, (right @ root_y) / spread
    return a, b, b @ mean[n:] - a @ mean[:n], correlations


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
