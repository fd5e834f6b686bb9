"""Segments in the manner of CCDC: all bands together, one model after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from configs.errors import InputError
from detect.harmonics import harmonic_design
from detect.kernels.series_segments import BUFFER, KEPT_BREAKS, LEAST, Segments, advance_rows
from detect.series_state import SeriesSettings, SeriesState

__all__ = ["CONFIRM", "fit_segments", "update_segments"]

CONFIRM = 6
"""Observations in a row that make a break, unless the settings say otherwise."""

ALPHA = 0.01
"""Chance that an unchanged observation signals, unless the settings say otherwise."""

FREEDOM = 256
"""Degrees of freedom up to which thresholds differ."""

Array = NDArray[Any]


def fit_segments(
    days: NDArray[np.int64],
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    *,
    harmonics: int,
    trend: bool,
    settings: SeriesSettings,
) -> SeriesState:
    """Take a whole series in, shape (t, band, y, x).

    A model starts when the observations held span a year, are at least twelve without outliers,
    and slope and both ends stay within three standard deviations. It takes in what it explains
    and is fitted again as it grows, with more waves, then a slope, as observations and years
    allow. A break is a row of observations that all lie beyond the quantile of the squared
    residuals over all bands, after the variance of the forecast, and mostly in one direction [2]_.
    It is dated where a step is likeliest in the residuals held [3]_, at the latest at the first of
    the row: a small change often begins before six in a row contradict. This departs from the
    published method, as do the bounded memory, least squares instead of the lasso and that it
    works forwards only. Three harmonics and a trend are the published model.

    References
    ----------
    .. [1] Zhu, Woodcock (2014). Continuous change detection and classification of land cover
       using all available Landsat data. doi:10.1016/j.rse.2014.01.011
    .. [2] Zhu, Zhang, Yang, Aljaddani, Cohen, Qiu, Zhou (2020). Continuous monitoring of land
       disturbance based on Landsat time series. doi:10.1016/j.rse.2019.03.009
    .. [3] Hinkley (1970). Inference about the change-point in a sequence of random variables.
       doi:10.1093/biomet/57.1.1
    """
    _, bands, height, width = values.shape
    confirm = settings.confirm or CONFIRM
    if confirm > BUFFER:
        raise InputError(f"{confirm} signals in a row", "confirm", f"give at most {BUFFER}")
    size = 1 + int(trend) + 2 * harmonics
    sums = size * (size + 1) // 2 + bands * (size + 1)
    shape = (height, width)
    arrays: dict[str, Array] = {
        "sums": np.zeros((*shape, sums)),
        "coefficients": np.zeros((*shape, bands, size), np.float32),
        "sigma": np.zeros((*shape, bands), np.float32),
        "buffer_days": np.zeros((*shape, BUFFER), np.int32),
        "buffer": np.zeros((*shape, BUFFER, bands), np.float32),
        "strength": np.zeros(shape, np.float32),
        "magnitude": np.zeros(shape, np.float32),
        "breaks": np.zeros((*shape, KEPT_BREAKS), np.int32),
    }
    for name in ("start", "members", "fitted", "first_seen", "confirmed"):
        arrays[name] = np.zeros(shape, np.int32)
    for name in ("held", "run", "used"):
        arrays[name] = np.zeros(shape, np.int16)
    last = int(days[-1])
    state = SeriesState("ccdc", settings, harmonics, trend, bands, last, last, arrays)
    return _advance(state, days, values, valid)


def update_segments(
    state: SeriesState, day: int, values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> SeriesState:
    """Take one date in, shape (band, y, x)."""
    return _advance(state, np.array([day]), values[None], valid[None])


def _advance(
    state: SeriesState,
    days: NDArray[np.int64],
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
) -> SeriesState:
    """Return the state after further dates."""
    settings = state.settings
    arrays = {name: state.arrays[name].copy() for name in Segments._fields}
    advance_rows(
        days,
        harmonic_design(days, state.harmonics, trend=False, origin=0),
        values,
        valid,
        state.trend,
        _thresholds(state.bands, settings.alpha or ALPHA),
        settings.confirm or CONFIRM,
        settings.least_sigma,
        Segments(**arrays),
    )
    return SeriesState(
        "ccdc",
        settings,
        state.harmonics,
        state.trend,
        state.bands,
        state.origin,
        int(days[-1]),
        arrays,
    )


def _thresholds(bands: int, alpha: float) -> NDArray[np.float64]:
    """Return what the squared residuals of all bands may reach, by degrees of freedom.

    Squared residuals of so many bands over estimated variances follow bands × F, which nears the
    χ² distribution of the published method as observations grow. The noise of a start is not
    wholly unknown, as its outliers are gone: it counts as many observations more as it took.
    """
    freedom = np.arange(FREEDOM) + LEAST
    return np.asarray(bands * fdtri(bands, freedom, 1.0 - alpha), np.float64)
