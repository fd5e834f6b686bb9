"""The omnibus test: whether radar intensities or covariances of several dates are the same.

Multi-looked intensities follow gamma distributions and covariance matrices Wishart distributions,
so that all dates are alike can be tested by a likelihood ratio Q without any threshold but a
significance. Channels are either independent intensities (VV and VH as delivered) or together one
2 × 2 covariance matrix (four planes: C11, real and imaginary part of C12, C22).

References
----------
.. [1] Conradsen, Nielsen, Schou, Skriver (2003). A test statistic in the complex Wishart
   distribution and its application to change detection in polarimetric SAR data.
   doi:10.1109/TGRS.2002.808066
.. [2] Conradsen, Nielsen, Skriver (2016). Determining the points of change in time series of
   polarimetric SAR data. doi:10.1109/TGRS.2015.2510160
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtr, chdtrc, fdtri

__all__ = ["LikelihoodLaw", "looks_of_ratios", "omnibus_changes", "omnibus_law", "omnibus_test"]

Array = NDArray[np.float64]

SMALLEST = 1e-30
"""Determinants and intensities below count as this."""

LOOKS = (0.3, 1e4)
"""Range of an estimated number of looks."""


@dataclass(frozen=True)
class LikelihoodLaw:
    """The distribution of −2 ρ ln Q where nothing changed: chi-square and one correction.

    Attributes
    ----------
    freedom : int
        Degrees of freedom.
    corrections : tuple of float
        ρ of each independent channel.
    weight : float
        Weight ω₂ of the second term.
    """

    freedom: int
    corrections: tuple[float, ...]
    weight: float

    def p_value(self, statistic: Array) -> Array:
        """Return the probability of at least this statistic where nothing changed, 0–1."""
        f = self.freedom
        more = chdtr(f + 4, statistic) - chdtr(f, statistic)
        return np.asarray(np.clip(chdtrc(f, statistic) - self.weight * more, 0.0, 1.0), np.float64)

    def threshold(self, significance: float) -> float:
        """Return the statistic of which `significance` is the p-value."""

        def excess(value: float) -> float:
            return float(self.p_value(np.array([value]))[0]) - significance

        top = 1.0
        while excess(top) > 0:
            top *= 2.0
        return float(brentq(excess, 0.0, top))


def omnibus_law(dates: int, looks: Sequence[float], *, full: bool = False) -> LikelihoodLaw:
    """Return the distribution of the test that all of so many dates are alike.

    Parameters
    ----------
    dates : int
        At least two.
    looks : sequence of float
        Equivalent number of looks of every independent channel.
    full : bool
        One covariance matrix of two polarisations instead of intensities.
    """
    k, p = dates, 2 if full else 1
    corrections, weight = [], 0.0
    for n in looks:
        rho = 1 - (2 * p * p - 1) / (6 * (k - 1) * p) * (k / n - 1 / (n * k))
        # With fewer looks than the expansion holds for the statistic is left as it is.
        rho = max(rho, 0.1)
        weight += p * p * (p * p - 1) / (24 * rho**2) * (k / n**2 - 1 / (n * k) ** 2)
        weight -= p * p * (k - 1) / 4 * (1 - 1 / rho) ** 2
        corrections.append(rho)
    return LikelihoodLaw((k - 1) * p * p * len(corrections), tuple(corrections), weight)


def _law_of_date(number: int, looks: Sequence[float], full: bool) -> LikelihoodLaw:
    """Return the distribution of the test that date `number` is like those before it."""
    j, p = number, 2 if full else 1
    corrections, weight = [], 0.0
    for n in looks:
        rho = max(1 - (2 * p * p - 1) / (6 * p * n) * (1 + 1 / (j * (j - 1))), 0.1)
        rest = 1 + (2 * j - 1) / (j * (j - 1)) ** 2
        weight += p * p * (p * p - 1) / (24 * n**2) * rest / rho**2
        weight -= p * p / 4 * (1 - 1 / rho) ** 2
        corrections.append(rho)
    return LikelihoodLaw(p * p * len(corrections), tuple(corrections), weight)


def omnibus_test(series: Array, looks: Sequence[float], *, full: bool = False) -> Array:
    """Return the p-value of all dates being alike, float64 (y, x).

    Parameters
    ----------
    series : ndarray of float64, shape (time, plane, y, x)
        Linear intensities, not decibels; with `full` C11, Re C12, Im C12, C22.
    looks : sequence of float
        Equivalent number of looks of every intensity; one number with `full`.
    full : bool
    """
    law = omnibus_law(series.shape[0], looks, full=full)
    logs = [_log_determinants(date, full) for date in series]
    return law.p_value(_likelihood(series, logs, looks, law, full))


def omnibus_changes(
    series: Array, looks: Sequence[float], significance: float, *, full: bool = False
) -> NDArray[np.bool_]:
    """Tell between which dates every pixel changed, bool (interval, y, x).

    Where the dates from one on are not all alike, each is tested against those before it; the
    first that differs starts the next stretch.

    Parameters
    ----------
    series : ndarray of float64, shape (time, plane, y, x)
        As for `omnibus_test`.
    looks : sequence of float
    significance : float
        Of every single test.
    full : bool
    """
    count, shape = series.shape[0], series.shape[2:]
    logs = [_log_determinants(date, full) for date in series]
    changed = np.zeros((count - 1, *shape), np.bool_)
    start = np.zeros(shape, np.int64)
    for first in range(count - 1):
        law = omnibus_law(count - first, looks, full=full)
        whole = _likelihood(series[first:], logs[first:], looks, law, full)
        open_ = (start == first) & (law.p_value(whole) < significance)
        for last in range(first + 1, count):
            statistic, law = _of_date(series[first : last + 1], logs[first:], looks, full)
            found = open_ & (law.p_value(statistic) < significance)
            changed[last - 1] |= found
            start[found] = last
            open_ &= ~found
    return changed


def _log_determinants(planes: Array, full: bool) -> Array:
    """Return the logarithms of the determinants, float64 (channel, y, x)."""
    if full:
        planes = (planes[0] * planes[3] - planes[1] ** 2 - planes[2] ** 2)[None]
    return np.asarray(np.log(np.maximum(planes, SMALLEST)), np.float64)


def _likelihood(
    series: Array, logs: Sequence[Array], looks: Sequence[float], law: LikelihoodLaw, full: bool
) -> Array:
    """Return −2 ρ ln Q of all dates of a series, not negative."""
    k, p = series.shape[0], 2 if full else 1
    total = _log_determinants(_sum(series), full)
    each = p * k * np.log(k) + _sum(logs) - k * total
    return _summed(each, looks, law)


def _of_date(
    series: Array, logs: Sequence[Array], looks: Sequence[float], full: bool
) -> tuple[Array, LikelihoodLaw]:
    """Return −2 ρ ln R of the last date against all before it, and its distribution."""
    j, p = series.shape[0], 2 if full else 1
    before = _log_determinants(_sum(series[:-1]), full)
    total = _log_determinants(_sum(series), full)
    scale = p * (j * np.log(j) - (j - 1) * np.log(j - 1))
    each = scale + (j - 1) * before + logs[j - 1] - j * total
    law = _law_of_date(j, looks, full)
    return _summed(each, looks, law), law


def _sum(planes: Sequence[Array] | Array) -> Array:
    """Add planes one after the other, whatever their shape."""
    out = np.zeros_like(planes[0])
    for plane in planes:
        out = out + plane
    return out


def _summed(each: Array, looks: Sequence[float], law: LikelihoodLaw) -> Array:
    """Return −2 Σ ρ n ln q over the channels, not negative."""
    terms = [-2 * c * n * e for c, n, e in zip(law.corrections, looks, each, strict=True)]
    return np.maximum(_sum(terms), 0.0)


def looks_of_ratios(ratios: Array) -> float:
    """Estimate the equivalent number of looks from the logarithms of intensity ratios.

    The ratio of two equal gamma intensities of n looks is F(2 n, 2 n), whatever the ground looks
    like; the median distance of its logarithm from zero tells n, and few changes do not move it.

    Parameters
    ----------
    ratios : ndarray of float64, shape (n,)
        ln(after / before) less its median.
    """
    middle = float(np.median(np.abs(ratios))) if ratios.size else 0.0

    def excess(looks: float) -> float:
        return float(np.log(fdtri(2 * looks, 2 * looks, 0.75))) - middle

    low, high = LOOKS
    if excess(high) >= 0:
        return high
    return low if excess(low) <= 0 else float(brentq(excess, low, high))
