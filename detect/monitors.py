"""EWMA, CUSUM and MOSUM: the residuals of a stable history, followed date by date."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.harmonics import coefficient_count, harmonic_design
from detect.kernels.series_fit import fit_rows
from detect.kernels.series_monitor import EWMA, start_rows, update_rows
from detect.series_state import SeriesSettings, SeriesState

__all__ = ["confirmations", "fit_monitor", "update_monitor"]

METHODS = {"ewma": EWMA}

CHANGED = ("process", "seen", "window", "run", "first_seen", "confirmed", "magnitude")
"""Arrays that a new date changes; models are shared between states."""


def fit_monitor(
    days: NDArray[np.int64],
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    *,
    method: Any,
    harmonics: int,
    trend: bool,
    settings: SeriesSettings,
) -> SeriesState:
    """Fit models on a history of one band, shape (t, y, x), days ascending.

    References
    ----------
    .. [1] Brooks, Wynne, Thomas, Blinn, Coulston (2014). On-the-fly massively multitemporal change
       detection using statistical quality control charts and Landsat data.
       doi:10.1109/TGRS.2013.2272545
    .. [2] Verbesselt, Zeileis, Herold (2012). Near real-time disturbance detection using satellite
       image time series. doi:10.1016/j.rse.2012.02.022
    """
    origin = int(days[-1])
    design = harmonic_design(days, harmonics, trend=trend, origin=origin)
    height, width = values.shape[1:]
    used = valid.copy()
    coefficients = np.empty((coefficient_count(harmonics, trend), height, width), np.float32)
    sigma, count = np.empty((height, width), np.float32), np.empty((height, width), np.int32)
    screen = 0.0 if settings.history == "all" else settings.clip
    fit_rows(design, values, used, screen, settings.least_sigma, coefficients, sigma, count)
    memory, _ = _parameters(method, settings)
    window = np.empty((height, width, 0), np.float32)
    process = np.empty((height, width))
    start_rows(
        METHODS[method],
        design,
        values,
        used,
        coefficients,
        sigma,
        count,
        memory,
        settings.clip,
        process,
        window,
    )
    arrays: dict[str, NDArray[Any]] = {
        "coefficients": coefficients,
        "sigma": sigma,
        "count": count,
        "process": process,
        "window": window,
        "seen": np.zeros((height, width), np.int32),
        "run": np.zeros((height, width), np.int16),
        "first_seen": np.zeros((height, width), np.int32),
        "confirmed": np.zeros((height, width), np.int32),
        "magnitude": np.zeros((height, width), np.float32),
    }
    return SeriesState(method, settings, harmonics, trend, 1, origin, origin, arrays)


def update_monitor(
    state: SeriesState, day: int, values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> SeriesState:
    """Take one date of one band in, shape (y, x)."""
    regressors = harmonic_design(
        np.array([day]), state.harmonics, trend=state.trend, origin=state.origin
    )[0]
    changed = {name: state.arrays[name].copy() for name in CHANGED}
    memory, limit = _parameters(state.method, state.settings)
    update_rows(
        METHODS[state.method],
        day,
        regressors,
        values,
        valid,
        state.arrays["coefficients"],
        state.arrays["sigma"],
        state.arrays["count"],
        (memory, limit, state.settings.clip, confirmations(state)),
        *(changed[name] for name in CHANGED),
    )
    return SeriesState(
        state.method,
        state.settings,
        state.harmonics,
        state.trend,
        state.bands,
        state.origin,
        day,
        dict(state.arrays) | changed,
    )


def confirmations(state: SeriesState) -> int:
    """Return the signals in a row that confirm a change."""
    return state.settings.confirm or 3


def _parameters(method: str, settings: SeriesSettings) -> tuple[float, float]:
    """Return the memory and the limit of the process."""
    share = settings.memory
    return share, settings.limit * math.sqrt(share / (2.0 - share))
