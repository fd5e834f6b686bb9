"""Time series on xarray and Dask: fit lazily, take dates in lazily, chunk by chunk.

For notebooks. A series is a DataArray of dims ``(time, y, x)`` or ``(time, band, y, x)``, NaN where
it may not be read; ``time`` holds dates. States stay with their chunks; the answer does not depend
on the chunks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.series import (
    SeriesMethod,
    SeriesSettings,
    SeriesState,
    fit_series,
    series_breaks,
    update_series,
)

if TYPE_CHECKING:
    import xarray

__all__ = ["SeriesArrays", "breaks_arrays", "fit_series_arrays", "update_series_arrays"]

PLANES: dict[str, type[np.generic]] = {
    "first_seen": np.int32,
    "confirmed": np.int32,
    "magnitude": np.float32,
    "confidence": np.uint8,
}

Array = NDArray[Any]


@dataclass(frozen=True)
class SeriesArrays:
    """States of an image, one per chunk, computed or still to be.

    Attributes
    ----------
    states : sequence of sequence of SeriesState or dask Delayed
        By rows, then columns of chunks.
    rows, columns : tuple of int
        Sizes of the chunks.
    coords : dict
        Coordinates ``y`` and ``x``, where the series had them.
    """

    states: Sequence[Sequence[Any]]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    coords: dict[str, Any]


def fit_series_arrays(
    series: "xarray.DataArray",
    *,
    method: SeriesMethod,
    harmonics: int = 2,
    trend: bool = False,
    settings: SeriesSettings | None = None,
) -> SeriesArrays:
    """Fit the models of every chunk; lazy where the series is.

    Parameters
    ----------
    series : DataArray of dims (time, y, x) or (time, band, y, x)
        Ascending in time.
    method, harmonics, trend, settings
        As for `detect.series.fit_series`.

    Returns
    -------
    SeriesArrays

    Raises
    ------
    InputError
        If the dims do not fit.
    """
    whole = _with_bands(series, "time")
    days = _days(whole["time"].to_numpy())
    pieces, rows, columns = _pieces(whole)

    def fit(values: Array) -> SeriesState:
        values, valid = _split(values)
        return fit_series(
            days, values, valid, method=method, harmonics=harmonics, trend=trend, settings=settings
        )

    coords = {d: series[d] for d in ("y", "x") if d in series.coords}
    return SeriesArrays(_mapped(fit, pieces), rows, columns, coords)


def update_series_arrays(state: SeriesArrays, image: "xarray.DataArray") -> SeriesArrays:
    """Take one date in; lazy where the state or the image is.

    Parameters
    ----------
    state : SeriesArrays
    image : DataArray of dims (y, x) or (band, y, x)
        With a scalar coordinate ``time``.
    """
    if "time" not in image.coords or image["time"].ndim:
        raise InputError("the image has no date", "image", "give it one scalar coordinate time")
    whole = _with_bands(image.drop_vars("time").expand_dims("time"), "time")
    day = int(_days(image["time"].to_numpy()[None])[0])
    pieces, rows, columns = _pieces(whole, (state.rows, state.columns))

    def update(values: Array, old: SeriesState) -> SeriesState:
        values, valid = _split(values)
        return update_series(old, day, values[0], valid[0])

    return SeriesArrays(_mapped(update, pieces, state.states), rows, columns, state.coords)


def breaks_arrays(state: SeriesArrays) -> "xarray.Dataset":
    """Return first_seen, confirmed, magnitude and confidence; lazy where the state is.

    Returns
    -------
    Dataset of dims (y, x)
        Types as in `detect.series.SeriesBreaks`.
    """
    import xarray

    planes = {}
    for name, dtype in PLANES.items():

        def plane(one: SeriesState, name: str = name) -> Array:
            return np.asarray(getattr(series_breaks(one), name))

        grid = _mapped(plane, state.states)
        planes[name] = (("y", "x"), _joined(grid, state, dtype))
    return xarray.Dataset(planes, coords=state.coords)


def _joined(grid: list[list[Any]], state: SeriesArrays, dtype: type[np.generic]) -> Any:
    """Return chunks as one array."""
    if isinstance(grid[0][0], np.ndarray):
        return np.block(grid)
    from dask import array as da

    blocks = [
        [
            da.from_delayed(one, (height, width), dtype)  # type: ignore[no-untyped-call]
            for one, width in zip(line, state.columns, strict=True)
        ]
        for line, height in zip(grid, state.rows, strict=True)
    ]
    return da.block(blocks)  # type: ignore[no-untyped-call]


def _mapped(function: Any, *grids: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Apply a function to every chunk, later where one of its arguments comes later."""
    from dask.base import is_dask_collection
    from dask.delayed import delayed

    def one(*chunk: Any) -> Any:
        if any(is_dask_collection(c) for c in chunk):
            return delayed(function, pure=False)(*chunk)
        return function(*chunk)

    return [
        [one(*chunk) for chunk in zip(*lines, strict=True)] for lines in zip(*grids, strict=True)
    ]


def _pieces(
    whole: "xarray.DataArray", like: tuple[tuple[int, ...], tuple[int, ...]] | None = None
) -> tuple[list[list[Any]], tuple[int, ...], tuple[int, ...]]:
    """Return the chunks of an image with all its dates and bands, and their sizes."""
    height, width = whole.shape[2:]
    if like is not None:
        rows, columns = like
        if (sum(rows), sum(columns)) != (height, width):
            raise InputError(
                f"the image has {height} × {width} pixels, the state {sum(rows)} × {sum(columns)}",
                "image",
                "bring it to the grid of the state",
            )
    elif whole.chunks is None:
        rows, columns = (height,), (width,)
    else:
        rows, columns = whole.chunks[2:]
    data = whole.data
    if whole.chunks is not None:
        data = data.rechunk({0: -1, 1: -1, 2: rows, 3: columns})
    tops, lefts = np.cumsum((0, *rows)), np.cumsum((0, *columns))
    pieces = [
        [_chunk(data[:, :, t : t + h, s : s + w]) for s, w in zip(lefts[:-1], columns, strict=True)]
        for t, h in zip(tops[:-1], rows, strict=True)
    ]
    return pieces, tuple(rows), tuple(columns)


def _chunk(piece: Any) -> Any:
    """Return a piece of one chunk as something a delayed function takes."""
    return piece if isinstance(piece, np.ndarray) else piece.to_delayed().item()


def _split(values: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return values and where all bands may be read."""
    plain = np.asarray(values, np.float32)
    return plain, np.asarray(np.isfinite(plain).all(axis=1), np.bool_)


def _with_bands(series: "xarray.DataArray", first: str) -> "xarray.DataArray":
    """Return a series with a band axis."""
    if series.dims == (first, "y", "x"):
        return series.expand_dims("band", axis=1)
    if series.dims != (first, "band", "y", "x"):
        raise InputError(
            f"the series has the dims {series.dims}",
            "series",
            "transpose it to (time, y, x) or (time, band, y, x)",
        )
    return series


def _days(times: Array) -> NDArray[np.int64]:
    return times.astype("datetime64[D]").astype(np.int64)
