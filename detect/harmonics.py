"""The harmonic year: what a pixel looks like on any day when nothing happens to it."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["YEAR_DAYS", "harmonic_design"]

YEAR_DAYS = 365.25
"""Days of a year, the period of the first harmonic."""


def harmonic_design(
    days: NDArray[np.int64], harmonics: int, *, trend: bool, origin: int
) -> NDArray[np.float64]:
    """Return the regressors of a harmonic model.

    Parameters
    ----------
    days : ndarray of int64, shape (t,)
        Days since 1970-01-01.
    harmonics : int
        Waves per year: 1 is the annual wave, 2 adds the half-yearly.
    trend : bool
        Whether the model has a slope, in units per year.
    origin : int
        Day on which the trend is zero.

    Returns
    -------
    ndarray of float64, shape (t, coefficient)
        One, the years since `origin` (with `trend`), then cosine and sine of each wave.
    """
    days = np.asarray(days, np.int64)
    columns = [np.ones(days.size)]
    if trend:
        columns.append((days - origin) / YEAR_DAYS)
    for k in range(1, harmonics + 1):
        angle = 2.0 * np.pi * k * (days / YEAR_DAYS)
        columns += [np.cos(angle), np.sin(angle)]
    return np.column_stack(columns)
