"""What a threshold lets through: the distribution of a statistic where nothing changed.

In theory the squared statistic of standardised variates is chi-square. On real pairs it is not:
re-weighting shrinks its scale, real noise has heavier tails, smoothing makes lighter ones. So the
bulk of the scene itself tells: its upper quantiles, below the rare changes, are matched by a
scaled F distribution. Its first degrees of freedom stand for the effective number of independent
variates, its second ones for the tail (chi-square is the limit of light tails), its scale for all
the rest. The quantile of the fitted distribution at 1 − α is the threshold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import fdtri

__all__ = ["NoiseModel", "fit_noise"]

BULK = (0.80, 0.98)
"""Quantiles matched: near enough to the tail to know it, and mostly unchanged pixels."""

QUANTILES = 25
"""Quantiles matched, evenly in the logarithm of the share above them."""

FREEDOM = (0.5, 1e3)
"""Range of the first degrees of freedom; beyond it the quantiles hardly move."""

TAIL_FREEDOM = (2.0, 1e4)
"""Range of the second degrees of freedom; the upper end is chi-square for all purposes."""

FEWEST_STEPS = 8
"""Quantised steps that the lowest matched quantile needs to say anything about a shape."""


@dataclass(frozen=True)
class NoiseModel:
    """The distribution of a squared statistic where nothing changed: scale × F.

    Attributes
    ----------
    scale : float
        In squared units of the statistic.
    freedom, tail_freedom : float
        Degrees of freedom of the F distribution.
    """

    scale: float
    freedom: float
    tail_freedom: float

    def threshold(self, significance: float) -> float:
        """Return the statistic that a share `significance` of unchanged pixels exceeds."""
        upper = fdtri(self.freedom, self.tail_freedom, 1 - significance)
        return float(np.sqrt(self.scale * upper))


def fit_noise(counts: NDArray[np.int64], steps: int, freedom: int) -> NoiseModel | None:
    """Fit the distribution of a statistic where nothing changed to its upper bulk.

    Parameters
    ----------
    counts : ndarray of int64, shape (bins,)
        Pixels per quantised score, mostly unchanged ones.
    steps : int
        Quantised steps per unit of the statistic.
    freedom : int
        Number of variates: where the search for the first degrees of freedom begins.

    Returns
    -------
    NoiseModel or None
        None where the scores are too few or too alike to tell a distribution.
    """
    below = np.cumsum(counts)
    shares = 1 - np.geomspace(1 - BULK[0], 1 - BULK[1], QUANTILES)
    found = np.searchsorted(below, shares * below[-1])
    if found[0] < FEWEST_STEPS or found[-1] == found[0]:
        return None
    wanted = 2 * np.log((found + _part(counts, below, found, shares) - 0.5) / steps)
    bounds = np.log([FREEDOM, TAIL_FREEDOM])

    def misfit(shape: NDArray[np.float64]) -> float:
        return float(np.var(wanted - np.log(fdtri(*np.exp(shape), shares))))

    answers = [
        minimize(
            misfit,
            np.log([freedom, tail]),
            method="Nelder-Mead",
            bounds=bounds,
            options={"xatol": 1e-3, "fatol": 1e-10, "maxiter": 400},
        )
        for tail in (5.0, 60.0)
    ]
    first, second = np.exp(min(answers, key=lambda a: a.fun).x)
    scale = np.exp(np.mean(wanted - np.log(fdtri(first, second, shares))))
    return NoiseModel(float(scale), float(first), float(second))


def _part(
    counts: NDArray[np.int64],
    below: NDArray[np.int64],
    found: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return where in their bins the quantiles lie, 0–1, if each bin is evenly filled."""
    inside = shares * below[-1] - (below[found] - counts[found])
    return np.asarray(inside / np.maximum(counts[found], 1), np.float64)
