"""Time series on xarray: any chunks, nothing computed early, the answer of the arrays."""

import dask
import numpy as np
import pytest
import xarray

from configs.errors import InputError
from detect.series import fit_series, series_breaks
from detect.seriesarrays import breaks_arrays, fit_series_arrays, update_series_arrays
from tests.detect.invented_series import DAYS, followed, invented

CUT = 112

NAMES = ("first_seen", "confirmed", "magnitude", "confidence")


@pytest.fixture(scope="module")
def series():
    values, valid = invented(DAYS, (9, 11), bands=2, seed=1)
    values[113:, :, 3:6, 4:8] -= 0.25
    return np.where(valid[:, None], values, np.nan)


def named(values):
    dates = DAYS.astype("datetime64[D]").astype("datetime64[ns]")
    dims = ("time", "band", "y", "x") if values.ndim == 4 else ("time", "y", "x")
    return xarray.DataArray(values, dims=dims, coords={"time": dates, "x": np.arange(11) * 10.0})


def refuse(*_args, **_options):
    raise AssertionError("computed while building")


@pytest.mark.parametrize("method", ["ewma", "cusum", "mosum", "ccdc"])
@pytest.mark.parametrize("chunks", [None, (20, 4, 5), (125, 3, 11)])
def test_breaks_do_not_depend_on_chunks_and_are_lazy(series, method, chunks):
    values = series if method == "ccdc" else series[:, :1]
    valid = np.isfinite(values[:, 0])
    state = fit_series(DAYS[:CUT], values[:CUT], valid[:CUT], method=method)
    expected = series_breaks(followed(state, DAYS[CUT:], values[CUT:], valid[CUT:]))
    cube = named(values if method == "ccdc" else values[:, 0])
    if chunks:
        cube = cube.chunk(dict(zip(("time", "y", "x"), chunks, strict=True)))
    with dask.config.set(scheduler=refuse):
        lazy = fit_series_arrays(cube[:CUT], method=method)
        for k in range(CUT, DAYS.size):
            lazy = update_series_arrays(lazy, cube[k])
        found = breaks_arrays(lazy)
    assert bool(found.chunks) == (chunks is not None)
    types = {name: plane.dtype for name, plane in found.items()}
    found = found.compute(scheduler="synchronous")
    assert np.count_nonzero(found["confirmed"]) >= 12
    np.testing.assert_array_equal(found["x"], cube["x"])
    for name in NAMES:
        np.testing.assert_array_equal(found[name], getattr(expected, name), err_msg=name)
        assert found[name].dtype == types[name] == getattr(expected, name).dtype


def test_a_series_that_does_not_fit_is_refused(series):
    cube = named(series[:, 0])
    with pytest.raises(InputError, match="has the dims"):
        fit_series_arrays(cube.transpose("y", "x", "time"), method="ewma")
    state = fit_series_arrays(cube, method="ewma")
    with pytest.raises(InputError, match="has no date"):
        update_series_arrays(state, cube[0].drop_vars("time"))
    with pytest.raises(InputError, match="9 × 10 pixels"):
        update_series_arrays(state, cube[0, :, :10])
