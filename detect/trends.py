"""Trend of one series beside its season: whether a place greens, declines, or was disturbed.

A parcel is one series, the median of its pixels per date. Its season is fitted with a slope beside
it, so that neither takes the other's share, and taken away; the trend is that of the medians of the
calendar months that remain, which stand further apart in time than weather and haze last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from detect.harmonics import harmonic_design

__all__ = ["Season", "Trend", "fit_season", "is_step", "monthly_medians", "trend_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDS = 10
HUBER = 1.345
"""Residuals beyond so many standard deviations count less: 95 % efficiency at the Gaussian."""

LEAST_MONTHS = 10
"""Mann–Kendall's normal approximation needs ten values (Kendall 1975)."""

DIGITS = 9
"""Decimals that count: what rounding makes of equal values is no trend."""

LAG_LEVEL = 0.05
"""Level at which an autocorrelation counts in the variance (Hamed and Rao 1998)."""


@dataclass(frozen=True)
class Season:
    """A harmonic year with a mean.

    Attributes
    ----------
    harmonics : int
    coefficients : ndarray of float64
        Mean, then cosine and sine of each wave.
    """

    harmonics: int
    coefficients: Floats

    def at(self, days: Ints) -> Floats:
        """Return the season on days since 1970-01-01, mean included."""
        design = harmonic_design(days, self.harmonics, trend=False, origin=0)
        return np.asarray(design @ self.coefficients)

    def wave(self, days: Ints) -> Floats:
        """Return the season on days since 1970-01-01 without its mean."""
        return np.asarray(self.at(days) - self.coefficients[0])


@dataclass(frozen=True)
class Trend:
    """A trend and how sure it is.

    Attributes
    ----------
    slope : float
        Change per year; NaN where the series is too short.
    p : float
        Two-sided probability of such a trend by chance; 1 where the series is too short.
    months : int
        Calendar months with a value.
    """

    slope: float
    p: float
    months: int


def fit_season(days: Ints, values: Floats, harmonics: int) -> Season:
    """Fit a season beside a slope by Huber's M-estimator.

    Parameters
    ----------
    days : ndarray of int64, shape (n,)
        Days since 1970-01-01, ascending.
    values : ndarray of float64, shape (n,)
    harmonics : int
        Waves per year. With less than two values per coefficient the season is the median.
    """
    design = harmonic_design(days, harmonics, trend=True, origin=int(np.median(days)))
    if len(days) < 2 * design.shape[1]:
        flat = np.zeros(1 + 2 * harmonics)
        flat[0] = np.median(values)
        return Season(harmonics, flat)
    fitted = _robust(design, values)
    return Season(harmonics, np.delete(fitted, 1))


def _robust(design: Floats, values: Floats) -> Floats:
    weight = np.ones(len(values))
    fitted: Floats = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        solved = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        fitted = np.asarray(solved, np.float64)
        rest = np.abs(values - design @ fitted)
        spread = 1.4826 * float(np.median(rest))
        if spread <= 1e-12:
            break
        weight = np.minimum(1.0, HUBER * spread / np.maximum(rest, 1e-12))
    return fitted


def monthly_medians(days: Ints, values: Floats) -> tuple[Floats, Floats]:
    """Return the middle of each calendar month with values in years since 1970, and its median."""
    dates = np.asarray(days, "datetime64[D]")
    months = dates.astype("datetime64[M]").astype(np.int64)
    found = np.unique(months)
    middles = np.array([np.median(values[months == m]) for m in found], np.float64)
    return np.asarray((found + 0.5) / 12.0, np.float64), middles


def trend_of(days: Ints, values: Floats, season: Season) -> Trend:
    """Return the trend of a deseasonalised series.

    The slope is the median of the slopes of all pairs of months (Theil 1950, Sen 1968); the test
    is Mann–Kendall's (Mann 1945, Kendall 1975) with the variance corrected for autocorrelation
    (Hamed and Rao 1998).

    Parameters
    ----------
    days : ndarray of int64, shape (n,)
        Days since 1970-01-01, ascending.
    values : ndarray of float64, shape (n,)
    season : Season
        See `fit_season`.

    References
    ----------
    .. [1] Sen (1968). Estimates of the regression coefficient based on Kendall's tau.
       doi:10.1080/01621459.1968.10480934
    .. [2] Hamed, Rao (1998). A modified Mann–Kendall trend test for autocorrelated data.
       doi:10.1016/S0022-1694(97)00125-X
    """
    years, middles = monthly_medians(days, values - season.wave(days))
    middles = np.round(middles, DIGITS)
    count = len(years)
    if count < LEAST_MONTHS:
        return Trend(float("nan"), 1.0, count)
    first, second = np.triu_indices(count, 1)
    rise = middles[second] - middles[first]
    slope = float(np.median(rise / (years[second] - years[first])))
    score = float(np.sign(rise).sum())
    variance = _variance(middles) * _correction(middles - slope * years)
    z = (score - np.sign(score)) / np.sqrt(variance) if variance > 0 else 0.0
    return Trend(slope, float(2 * norm.sf(abs(z))), count)


def _variance(values: Floats) -> float:
    """Return the variance of Kendall's score without a trend, ties counted."""
    count = len(values)
    _, ties = np.unique(values, return_counts=True)
    whole = count * (count - 1) * (2 * count + 5)
    return float(whole - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18


def _correction(detrended: Floats) -> float:
    """Return Hamed and Rao's factor n / n*, never below 1, by the autocorrelations of the ranks."""
    count = len(detrended)
    ranks = rankdata(detrended) - (count + 1) / 2
    power = float(ranks @ ranks)
    if power <= 0:
        return 1.0
    lags = np.arange(1, count - 2)
    found = np.array([float(ranks[k:] @ ranks[:-k]) / power for k in lags])
    limit = norm.isf(LAG_LEVEL / 2) / np.sqrt(count)
    found[np.abs(found) <= limit] = 0.0
    total = float(((count - lags) * (count - lags - 1) * (count - lags - 2) * found).sum())
    return max(1.0 + 2.0 * total / (count * (count - 1) * (count - 2)), 1.0)


def is_step(days: Ints, values: Floats, day: int, harmonics: int) -> bool:
    """Tell whether a series is better told by a step than by a slope, beside its season.

    Both models have the same number of coefficients; that with the smaller sum of squares tells
    the series better.

    Parameters
    ----------
    days : ndarray of int64, shape (n,)
    values : ndarray of float64, shape (n,)
    day : int
        First day behind the step.
    harmonics : int
    """
    slope = harmonic_design(days, harmonics, trend=True, origin=int(days[0]))
    step = slope.copy()
    step[:, 1] = days >= day
    return _squares(step, values) < _squares(slope, values)


def _squares(design: Floats, values: Floats) -> float:
    fitted = np.linalg.lstsq(design, values, rcond=None)[0]
    return float(((values - design @ fitted) ** 2).sum())
