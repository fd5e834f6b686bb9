"""Time series of one tile: a model per pixel, then one date after the other.

A state is fitted on a history and taken on by new dates, at a cost that does not grow with the
number of dates behind it. Days are counted from 1970-01-01; every pixel is worked from its own
values alone, so the answer does not depend on how an image is cut.
"""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect import monitors, segments
from detect.series_state import SeriesMethod, SeriesSettings, SeriesState

__all__ = [
    "SeriesBreaks",
    "SeriesMethod",
    "SeriesSettings",
    "SeriesState",
    "fit_series",
    "series_breaks",
    "update_series",
]

LAST_DAY = 2**31 - 1
"""Days are kept as int32."""


@dataclass(frozen=True)
class SeriesBreaks:
    """What a state tells of every pixel, arrays of shape (y, x).

    Attributes
    ----------
    first_seen : ndarray of int32
        Day of the first signal of the change, days since 1970-01-01; 0 for none. With CCDC that
        of the newest confirmed change, or of the running one if there is none.
    confirmed : ndarray of int32
        Day on which the change was confirmed; 0 while it is not.
    magnitude : ndarray of float32
        Mean difference to the model since the first signal, in units of the values, negative for
        a loss. With CCDC the median difference of the first band.
    confidence : ndarray of uint8
        0 to 100: half for the signals in a row, half for the size of the change (EWMA, CUSUM,
        MOSUM: `limit` standard deviations are full; CCDC: twice the root of the threshold).
    """

    first_seen: NDArray[np.int32]
    confirmed: NDArray[np.int32]
    magnitude: NDArray[np.float32]
    confidence: NDArray[np.uint8]


def fit_series(
    days: NDArray[np.int64],
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    *,
    method: SeriesMethod,
    harmonics: int = 2,
    trend: bool = False,
    settings: SeriesSettings | None = None,
) -> SeriesState:
    """Fit the models of a tile.

    Parameters
    ----------
    days : ndarray of int64, shape (t,)
        Days since 1970-01-01, ascending.
    values : ndarray of float32, shape (t, band, y, x)
        One band or index for EWMA, CUSUM and MOSUM, which take the whole of it for the history.
    valid : ndarray of bool, shape (t, y, x)
        False for clouds and gaps; values that are not finite are left out in any case.
    method : {"ewma", "cusum", "mosum", "ccdc"}
    harmonics : int
        Waves per year, 0 to 4.
    trend : bool
        Whether the model has a slope.
    settings : SeriesSettings, optional

    Returns
    -------
    SeriesState
        A pixel with fewer clear dates than twice the coefficients, or whose dates do not tell the
        waves apart, has no model and never a change.

    Raises
    ------
    InputError
        If the shapes or days do not fit, or the method does not take so many bands.
    """
    _require_series(days, values, valid, method, harmonics)
    chosen = settings or SeriesSettings()
    days = np.asarray(days, np.int64)
    values, valid = _plain(values, valid)
    if method == "ccdc":
        return segments.fit_segments(
            days, values, valid, harmonics=harmonics, trend=trend, settings=chosen
        )
    return monitors.fit_monitor(
        days,
        values[:, 0],
        valid,
        method=method,
        harmonics=harmonics,
        trend=trend,
        settings=chosen,
    )


def update_series(
    state: SeriesState, day: int, values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> SeriesState:
    """Take one new date in; the given state stays as it is.

    Parameters
    ----------
    state : SeriesState
    day : int
        Days since 1970-01-01, after the last date of the state.
    values : ndarray of float32, shape (band, y, x)
    valid : ndarray of bool, shape (y, x)

    Returns
    -------
    SeriesState
        Shares with the old one what the date does not change.

    Raises
    ------
    InputError
        If the date is not newer than the last one, or the shapes do not fit.
    """
    if not state.last_day < day <= LAST_DAY:
        raise InputError(
            f"day {day} is not after the last date of the state, day {state.last_day}",
            "day",
            "take the dates in from old to new, each once",
        )
    if values.shape != (state.bands, *state.shape) or valid.shape != state.shape:
        raise InputError(
            f"the date has the shapes {values.shape} and {valid.shape}",
            "values, valid",
            f"give {state.bands} bands of {state.shape[0]} rows and {state.shape[1]} columns",
        )
    values, valid = _plain(values, valid)
    if state.method == "ccdc":
        return segments.update_segments(state, int(day), values, valid)
    return monitors.update_monitor(state, int(day), values[0], valid)


def series_breaks(state: SeriesState) -> SeriesBreaks:
    """Return the change of every pixel, running or confirmed."""
    arrays = state.arrays
    first_seen, confirmed, magnitude = (
        arrays[name] for name in ("first_seen", "confirmed", "magnitude")
    )
    if state.method == "ccdc":
        needed = state.settings.confirm or segments.CONFIRM
        size = np.clip(arrays["strength"].astype(np.float64) - 1.0, 0.0, 1.0)
    else:
        needed = state.settings.confirm or monitors.CONFIRM
        reach = state.settings.limit * np.maximum(arrays["sigma"].astype(np.float64), 1e-30)
        size = np.minimum(np.abs(magnitude) / reach, 1.0)
    share = np.where(confirmed > 0, 1.0, np.abs(arrays["run"].astype(np.float64)) / needed)
    confidence = np.where(first_seen != 0, np.rint(50.0 * share + 50.0 * size), 0.0)
    return SeriesBreaks(first_seen, confirmed, magnitude, confidence.astype(np.uint8))


def _plain(
    values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the arrays as the kernels take them: one compiled form whatever is given."""
    return np.ascontiguousarray(values, np.float32), np.ascontiguousarray(valid, np.bool_)


def _require_series(
    days: NDArray[np.int64],
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    method: str,
    harmonics: int,
) -> None:
    if method not in get_args(SeriesMethod):
        raise InputError(
            f"there is no method {method!r}", "method", f"choose one of {get_args(SeriesMethod)}"
        )
    if not 0 <= harmonics <= 4:
        raise InputError(f"{harmonics} harmonics", "harmonics", "give 0 to 4")
    if values.ndim != 4 or valid.shape != (values.shape[0], *values.shape[2:]):
        raise InputError(
            f"the series has the shapes {values.shape} and {valid.shape}",
            "values, valid",
            "give values (t, band, y, x) and valid (t, y, x)",
        )
    days = np.asarray(days)
    if days.shape != values.shape[:1] or not days.size or np.any(np.diff(days) <= 0):
        raise InputError(
            f"{days.size} days do not fit {values.shape[0]} images",
            "days",
            "give one day per image, from old to new, each once",
        )
    if days[-1] > LAST_DAY or days[0] < -LAST_DAY:
        raise InputError("the days do not fit 32 bits", "days", "count days since 1970-01-01")
    if method != "ccdc" and values.shape[1] != 1:
        raise InputError(
            f"{method} takes one band or index, not {values.shape[1]}",
            "values",
            "give one index, or use the method ccdc",
        )
