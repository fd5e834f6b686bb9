"""The statistics on xarray: any chunks, nothing computed early, the answer of the tiles."""

from dataclasses import asdict

import dask
import numpy as np
import pytest
import xarray

from configs.errors import InputError
from detect.auto import fit_change
from detect.dataarrays import angle_arrays, fit_arrays, index_arrays, score_arrays
from detect.radararrays import omnibus_arrays, omnibus_change_arrays
from detect.score import score_block
from tests.detect.invented import SIX, block_of, changed_pair

FITTED = ["auto", "cva", "irmad", "logratio", "omnibus", "index:NDVI"]
"""MAD and ISFA are applied as IR-MAD is."""

CHUNKS = [(6, 300, 280), (6, 97, 130), (2, 64, 64), (6, 33, 280), (1, 300, 41)]


def images(missing=True):
    before, after, _ = changed_pair((300, 280))
    pair = [d.astype(np.float32) for d in (np.clip(before, 0.02, 1), np.clip(after, 0.02, 1))]
    if missing:
        pair[0][:, 40:60, 100:140] = np.nan
        pair[1][3, 200, :] = np.nan
    return [
        xarray.DataArray(
            values,
            dims=("band", "y", "x"),
            coords={
                "y": 5000.0 - 10 * np.arange(300),
                "x": 300.0 + 10 * np.arange(280),
                "wavelength": ("band", list(SIX)),
            },
        )
        for values in pair
    ]


@pytest.fixture(scope="module")
def pair():
    return images()


@pytest.fixture(scope="module", params=FITTED)
def fitted(request, pair):
    return fit_arrays(*pair, method=request.param)


def cut(pair, chunks):
    """Return the pair on Dask; what its bands are stays in memory."""
    sizes = dict(zip(("band", "y", "x"), chunks, strict=True))
    return [i.chunk(sizes).assign_coords(wavelength=("band", list(SIX))) for i in pair]


def refuse(*_args, **_options):
    raise AssertionError("computed while building")


@pytest.mark.parametrize("chunks", CHUNKS)
def test_scores_do_not_depend_on_chunks_and_are_lazy(pair, fitted, chunks):
    whole = score_arrays(*pair, fitted)
    lazily = cut(pair, chunks)
    with dask.config.set(scheduler=refuse):
        lazy = score_arrays(*lazily, fitted)
    assert lazy.chunks is not None
    assert lazy.dtype == whole.dtype == np.uint16
    np.testing.assert_array_equal(lazy.compute(), whole)
    assert lazy.coords["x"].equals(whole.coords["x"])


def test_scores_are_those_of_the_tiles(pair, fitted):
    valid = np.isfinite(pair[0]).all("band") & np.isfinite(pair[1]).all("band")
    block = block_of(*(p.to_numpy() for p in pair), valid.to_numpy(), halo=fitted.halo)
    np.testing.assert_array_equal(score_block(block, fitted).score, score_arrays(*pair, fitted))
    same = fit_change(
        [block],
        method=fitted.method,
        sensitivity="medium",
        target="any",
        pixel_m=10.0,
        wavelengths=SIX,
    )
    assert same.method == fitted.method


@pytest.mark.parametrize("chunks", [CHUNKS[1], CHUNKS[4]])
@pytest.mark.parametrize("method", ["auto", "cva", "mad", "irmad", "isfa"])
def test_a_fit_does_not_depend_on_chunks(pair, method, chunks):
    one, two = (fit_arrays(*dates, method=method) for dates in (pair, cut(pair, chunks)))
    np.testing.assert_equal(asdict(two), asdict(one))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_indices_do_not_depend_on_chunks_and_are_lazy(pair, chunks):
    names, dates = ("NDVI", "NDBI", "EVI"), ("before", "change")
    whole = index_arrays(*pair, names, dates=dates)
    lazily = cut(pair, chunks)
    with dask.config.set(scheduler=refuse):
        lazy = index_arrays(*lazily, names, dates=dates)
    assert lazy.dtype == np.float32
    np.testing.assert_array_equal(lazy.compute(), whole)
    assert list(whole["plane"].to_numpy())[:2] == ["NDVI before", "NDVI change"]
    valid = np.isfinite(pair[0]).all("band") & np.isfinite(pair[1]).all("band")
    assert (np.isnan(whole[0]) == ~valid).all()
    red, nir = pair[0][2], pair[0][3]
    want = ((nir - red) / (nir + red)).where(valid)
    np.testing.assert_allclose(whole.sel(plane="NDVI before"), want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("chunks", [None, CHUNKS[1]])
def test_an_index_is_undefined_where_its_quotient_is_and_nowhere_else(pair, chunks):
    dark = [image.copy() for image in pair]
    dark[0][2:4, 100:110] = 0.0
    images = dark if chunks is None else cut(dark, chunks)
    found = index_arrays(*images, ["NDVI", "NDBI"], dates=("before", "after", "change")).compute()
    valid = np.isfinite(dark[0]).all("band") & np.isfinite(dark[1]).all("band")
    for plane in found:
        undefined = ~valid
        if str(plane["plane"].item()) in ("NDVI before", "NDVI change"):
            undefined[100:110] = True
        np.testing.assert_array_equal(~np.isfinite(plane), undefined)
        assert not np.isinf(plane).any()
    state = fit_arrays(*dark, method="index:NDVI")
    assert np.isfinite(score_arrays(*dark, state)).all()


@pytest.mark.parametrize("plane", [None, (3, 2)])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_angles_do_not_depend_on_chunks_and_are_lazy(pair, chunks, plane):
    state = fit_arrays(*pair, method="cva")
    whole = angle_arrays(*pair, state, plane)
    with dask.config.set(scheduler=refuse):
        lazy = angle_arrays(*cut(pair, chunks), state, plane)
    assert lazy.dtype == whole.dtype == np.float32
    np.testing.assert_array_equal(lazy.compute(), whole)
    valid = np.isfinite(pair[0]).all("band") & np.isfinite(pair[1]).all("band")
    assert (np.isnan(whole) == ~valid).all()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("chunks", [(1, 1, 40, 90), (4, 4, 17, 23), (2, 3, 70, 11)])
def test_the_omnibus_test_does_not_depend_on_chunks_and_is_lazy(chunks, full):
    values = np.random.default_rng(0).gamma(5.0, size=(4, 4, 70, 90)).astype(np.float32)
    values[:, 1:3] *= 0.01
    values[2:, :, 20:30] *= 9
    values[1, 0, 5, 6:9] = np.nan
    times = np.array(["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"], "M8[ns]")
    series = xarray.DataArray(values, dims=("time", "band", "y", "x"), coords={"time": times})
    lazily = series.chunk(dict(zip(series.dims, chunks, strict=True)))
    whole = omnibus_arrays(series, 5.0, full=full), omnibus_change_arrays(series, 5.0, full=full)
    with dask.config.set(scheduler=refuse):
        lazy = omnibus_arrays(lazily, 5.0, full=full), omnibus_change_arrays(lazily, 5.0, full=full)
    for one, two, dtype in zip(whole, lazy, (np.float32, np.bool_), strict=True):
        assert one.dtype == two.dtype == dtype
        assert two.chunks is not None
        np.testing.assert_array_equal(two.compute(), one)
    assert list(whole[1]["interval"].to_numpy()) == list(times[1:])
    assert whole[1].sel(interval="2024-03-01")[20:30].mean() > 0.6
    assert np.isnan(whole[0][5, 6:9]).all()
    assert not whole[1][:, 5, 6:9].any()


def test_series_that_cannot_be_tested_say_what_to_do():
    series = xarray.DataArray(np.ones((2, 3, 4, 5)), dims=("time", "band", "y", "x"))
    with pytest.raises(InputError, match="has the dims"):
        omnibus_arrays(series[0], 4.0)
    with pytest.raises(InputError, match="one date"):
        omnibus_arrays(series[:1], 4.0)
    with pytest.raises(InputError, match="has 4 planes, not 3"):
        omnibus_change_arrays(series, 4.0, full=True)


@pytest.mark.parametrize(
    ("step", "attrs", "grid"),
    [
        (9e-5, {}, {}),
        (0.25, {"units": "degrees_east"}, {}),
        (0.25, {}, {"grid_mapping_name": "latitude_longitude"}),
        (0.25, {}, {"crs_wkt": 'GEOGCRS["WGS 84"]'}),
    ],
)
def test_degrees_are_no_metres(pair, step, attrs, grid):
    x = xarray.DataArray(118.0 + step * np.arange(280), dims="x", attrs=attrs)
    marked = [i.assign_coords(x=x, spatial_ref=((), 0, grid)) for i in pair]
    with pytest.raises(InputError, match="in degrees") as caught:
        fit_arrays(*marked, method="cva")
    assert "pixel_m" in caught.value.fix
    same = fit_arrays(*marked, method="cva", pixel_m=10.0)
    assert same.notes == fit_arrays(*pair, method="cva").notes
    with pytest.raises(InputError, match="no imagery"):
        fit_arrays(*marked, pixel_m=step / 100)


@pytest.mark.parametrize("grid", [{}, {"grid_mapping_name": "transverse_mercator"}])
def test_small_steps_are_metres_where_the_image_says_so(pair, grid):
    x = xarray.DataArray(0.005 * np.arange(280), dims="x", attrs={"units": "m"})
    with pytest.raises(InputError, match="are no imagery"):
        fit_arrays(*(i.assign_coords(x=x, spatial_ref=((), 0, grid)) for i in pair))


def test_pairs_that_do_not_match_say_what_to_do(pair):
    before, after = pair
    with pytest.raises(InputError, match="has the dims") as caught:
        fit_arrays(before.transpose("y", "x", "band"), after)
    assert "transpose" in caught.value.fix
    with pytest.raises(InputError, match="have the shapes"):
        score_arrays(before, after[:, 1:], fit_arrays(before, after, method="irmad"))
    with pytest.raises(InputError, match="other x coordinates"):
        index_arrays(before, after.assign_coords(x=after["x"] + 5), ["NDVI"])
    with pytest.raises(InputError, match="ground size"):
        fit_arrays(before.drop_vars("x"), after.drop_vars("x"))
    with pytest.raises(InputError, match="no change vector") as caught:
        angle_arrays(before, after, fit_arrays(before, after, method="mad"))
    assert "cva" in caught.value.fix
    with pytest.raises(InputError, match="two different ones of 6"):
        angle_arrays(before, after, fit_arrays(before, after, method="cva"), (2, 6))
    with pytest.raises(InputError, match="needs a red band"):
        index_arrays(before.drop_vars("wavelength"), after, ["NDVI"])
