"""The omnibus test on xarray: a series of radar images, lazily, chunk by chunk.

A series is a DataArray of dims ``(time, band, y, x)``, in memory or on Dask: linear intensities
(not decibels) of one or two polarisations, NaN where there is no value.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.omnibus import omnibus_changes, omnibus_test

if TYPE_CHECKING:
    import xarray

__all__ = ["omnibus_arrays", "omnibus_change_arrays"]

DIMS = ("time", "band", "y", "x")
COVARIANCE_PLANES = 4

Array = NDArray[Any]


def omnibus_arrays(
    series: "xarray.DataArray", looks: float, *, full: bool = False
) -> "xarray.DataArray":
    """Return the p-value of all dates being alike.

    Parameters
    ----------
    series : DataArray of dims (time, band, y, x)
        At least two dates. With `full` the bands are C11, Re C12, Im C12, C22.
    looks : float
        Equivalent number of looks; `detect.radar.fit_radar` estimates it from a pair.
    full : bool
        One covariance matrix of two polarisations instead of independent intensities.

    Returns
    -------
    DataArray of float32, dims (y, x)
        NaN where a date has no value.

    Raises
    ------
    InputError
        If the dims or the bands are not as above, or there is only one date.
    """
    channels = _channels(series, full)
    function = partial(_p_values, looks=[looks] * channels, full=full)
    return _applied(series, function, np.float32, None)


def omnibus_change_arrays(
    series: "xarray.DataArray", looks: float, significance: float = 1e-3, *, full: bool = False
) -> "xarray.DataArray":
    """Tell between which dates every pixel changed.

    Parameters
    ----------
    series : DataArray of dims (time, band, y, x)
    looks : float
    significance : float
        Of every single test.
    full : bool

    Returns
    -------
    DataArray of bool, dims (interval, y, x)
        Coordinate ``interval``: the date at which the change is first seen. False where a date
        has no value.

    Raises
    ------
    InputError
        As `omnibus_arrays`.
    """
    channels = _channels(series, full)
    function = partial(_changes, looks=[looks] * channels, significance=significance, full=full)
    return _applied(series, function, np.bool_, series.sizes["time"] - 1)


def _channels(series: "xarray.DataArray", full: bool) -> int:
    """Return the number of independent channels of a series that can be tested."""
    if series.dims != DIMS:
        raise InputError(f"the series has the dims {series.dims}", "series", f"transpose to {DIMS}")
    if series.sizes["time"] < 2:
        raise InputError("the series has one date", "series", "give at least two dates")
    if full and series.sizes["band"] != COVARIANCE_PLANES:
        raise InputError(
            f"a covariance matrix has {COVARIANCE_PLANES} planes, not {series.sizes['band']}",
            "series",
            "give C11, Re C12, Im C12, C22, or full=False for intensities",
        )
    return 1 if full else series.sizes["band"]


def _p_values(values: Array, *, looks: Sequence[float], full: bool) -> Array:
    valid, filled = _filled(values)
    return np.where(valid, omnibus_test(filled, looks, full=full), np.nan).astype(np.float32)


def _changes(values: Array, *, looks: Sequence[float], significance: float, full: bool) -> Array:
    valid, filled = _filled(values)
    return omnibus_changes(filled, looks, significance, full=full) & valid


def _filled(values: Array) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    valid = np.asarray(np.isfinite(values).all(axis=(0, 1)), np.bool_)
    return valid, np.where(valid, values, 1.0).astype(np.float64)


def _applied(
    series: "xarray.DataArray",
    function: Callable[[Array], Array],
    dtype: type[np.generic],
    intervals: int | None,
) -> "xarray.DataArray":
    import xarray

    if series.chunks is None:
        data = function(series.data)
    else:
        whole = series.data.rechunk({0: -1, 1: -1})
        lead = () if intervals is None else ((intervals,),)
        data = whole.map_blocks(
            function,
            dtype=dtype,
            chunks=lead + whole.chunks[2:],
            drop_axis=[0, 1],
            new_axis=None if intervals is None else 0,
            meta=np.empty((0,) * (2 + len(lead)), dtype),
        )
    coords: dict[str, Any] = {d: series[d] for d in ("y", "x") if d in series.coords}
    if intervals is None:
        return xarray.DataArray(data, dims=("y", "x"), coords=coords)
    if "time" in series.coords:
        coords["interval"] = ("interval", series["time"].to_numpy()[1:])
    return xarray.DataArray(data, dims=("interval", "y", "x"), coords=coords)
