"""EWMA, CUSUM and MOSUM: the residuals of a stable history, followed date by date."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.critical import cusum_critical, mosum_critical, recursive_critical
from detect.harmonics import harmonic_design
from detect.kernels.series_fit import fit_rows
from detect.kernels.series_history import stable_rows
from detect.kernels.series_monitor import CUSUM, EWMA, MOSUM, start_rows, update_rows
from detect.series_state import SeriesMethod, SeriesSettings, SeriesState

__all__ = ["CONFIRM", "fit_monitor", "update_monitor"]

CONFIRM = 3
"""Signals in a row that confirm a change, unless the settings say otherwise."""

Array = NDArray[Any]

METHODS: dict[str, int] = {"ewma": EWMA, "cusum": CUSUM, "mosum": MOSUM}

CHANGED: dict[str, type[np.generic]] = {
    "process": np.float64,
    "seen": np.int32,
    "window": np.float32,
    "run": np.int16,
    "first_seen": np.int32,
    "confirmed": np.int32,
    "magnitude": np.float32,
}
"""Arrays that a new date changes; models are shared between states."""


def fit_monitor(
    days: NDArray[np.int64],
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    *,
    method: SeriesMethod,
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
    used = valid.copy()
    arrays = _models(design, values, used, method, settings)
    memory, _ = _parameters(method, settings)
    height, width = values.shape[1:]
    slots = max(int(memory * int(arrays["count"].max(initial=0))), 1) if method == "mosum" else 0
    for name, dtype in CHANGED.items():
        shape = (height, width, slots) if name == "window" else (height, width)
        arrays[name] = np.zeros(shape, dtype)
    start_rows(
        METHODS[method],
        design,
        values,
        used,
        arrays["coefficients"],
        arrays["sigma"],
        arrays["count"],
        memory,
        settings.clip,
        arrays["process"],
        arrays["window"],
    )
    return SeriesState(method, settings, harmonics, trend, 1, origin, origin, arrays)


def _models(
    design: NDArray[np.float64],
    values: NDArray[np.float32],
    used: NDArray[np.bool_],
    method: SeriesMethod,
    settings: SeriesSettings,
) -> dict[str, Array]:
    """Fit the models; what they leave out becomes False in `used`."""
    dates, height, width = values.shape
    size, pixels = design.shape[1], height * width
    coefficients = np.empty((size, pixels), np.float32)
    sigma, count = np.empty(pixels, np.float32), np.empty(pixels, np.int32)
    series, kept = values.reshape(dates, pixels), used.reshape(dates, pixels)
    history = settings.history
    if history == "auto":
        history = "robust" if method == "ewma" else "stable"
    screen = 0.0 if history == "all" else settings.clip
    fit_rows(design, series, kept, screen, settings.least_sigma, coefficients, sigma, count)
    if history == "stable":
        stable_rows(design, values, used, recursive_critical(settings.chance))
        fit_rows(design, series, kept, 0.0, settings.least_sigma, coefficients, sigma, count)
    return {
        "coefficients": coefficients.reshape(size, height, width),
        "sigma": sigma.reshape(height, width),
        "count": count.reshape(height, width),
    }


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
        (memory, limit, state.settings.clip, state.settings.confirm or CONFIRM),
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


def _parameters(method: SeriesMethod, settings: SeriesSettings) -> tuple[float, float]:
    """Return the memory and the limit of the process."""
    if method == "cusum":
        return 0.0, cusum_critical(settings.chance)
    if method == "mosum":
        return settings.window, mosum_critical(settings.chance, settings.window)
    share = settings.memory
    return share, settings.limit * math.sqrt(share / (2.0 - share))
