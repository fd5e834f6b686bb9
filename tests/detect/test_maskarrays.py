"""Masks and change maps on xarray: lazy masks, and the map that `tuban detect` writes."""

import dask
import numpy as np
import pytest
import rasterio
import xarray
from affine import Affine
from typer.testing import CliRunner

from detect import maskarrays
from detect.dataarrays import fit_arrays, score_arrays
from detect.maskarrays import change_array, mask_arrays
from flows.cli.app import build_app
from tests.detect.invented import SIX, changed_pair, uneven
from tiles.geodesy import metres_per_unit

SHAPE = (300, 280)
PIXEL = 10.0
WEST, NORTH = 200 * 256 * PIXEL, 1560 * 256 * PIXEL
"""A corner of sample cells, which a run counts from the origin of its grid."""


@pytest.fixture(scope="module")
def pair():
    """A pair whose noise follows no one law, so that ``auto`` draws edges."""
    block = uneven(*changed_pair(SHAPE, 4)[:2], sd=0.005, halo=0)
    before, after = block.before, block.after
    before[:, 40:60, 100:140] = np.nan
    before[:, 76:78, 130] = np.nan
    coords = {"y": NORTH - PIXEL * np.arange(300), "x": WEST + PIXEL * np.arange(280)}
    coords |= {"wavelength": ("band", list(SIX[:4]))}
    return [xarray.DataArray(d, dims=("band", "y", "x"), coords=coords) for d in (before, after)]


@pytest.mark.parametrize("method", [pytest.param("auto", marks=pytest.mark.slow), "irmad"])
def test_masks_are_lazy_and_those_of_the_scores(pair, method):
    state = fit_arrays(*pair, method=method)
    whole = mask_arrays(*pair, state)
    score = score_arrays(*pair, state)
    weak, strong = whole.sel(plane="weak"), whole.sel(plane="strong")
    assert (weak | ~strong).all()
    assert strong.any()
    assert (score.where(strong, 65535) >= state.strong).all()
    assert (score.where(weak, 65535) >= state.weak).all()
    if method == "irmad":
        np.testing.assert_array_equal(strong, score >= state.strong)
    else:
        assert (score.where(~strong, 0) >= state.strong).any()
    for chunks in ((4, 97, 130), (2, 64, 64), (1, 300, 41)):
        sizes = dict(zip(("band", "y", "x"), chunks, strict=True))
        with dask.config.set(scheduler=lambda *_a, **_k: pytest.fail("computed while building")):
            lazy = mask_arrays(*(i.chunk(sizes) for i in pair), state)
        assert lazy.dtype == whole.dtype == np.bool_
        np.testing.assert_array_equal(lazy.compute(), whole)


@pytest.mark.parametrize("method", [pytest.param("auto", marks=pytest.mark.slow), "cva"])
def test_the_map_is_that_of_the_run(pair, method, tmp_path, monkeypatch):
    options = {"crs": "EPSG:32650", "transform": Affine(PIXEL, 0, WEST, 0, -PIXEL, NORTH)}
    for name, image in zip(("before.tif", "after.tif"), pair, strict=True):
        with rasterio.open(
            tmp_path / name, "w", driver="GTiff", count=4, dtype="float32",
            height=SHAPE[0], width=SHAPE[1], nodata=np.nan, **options,
        ) as ds:  # fmt: skip
            ds.write(image.to_numpy())
    words = ["detect", "before.tif", "after.tif", "-o", "map.tif", "--method", method]
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(build_app(), [*words, "--workers", "1"])
    assert done.exit_code == 0, done.output
    with rasterio.open(tmp_path / "map.tif") as ds:
        written = ds.read(1)
    middle = WEST + PIXEL * SHAPE[1] / 2, NORTH - PIXEL * SHAPE[0] / 2
    true = float(np.sqrt(np.prod(metres_per_unit("EPSG:32650", *middle)))) * PIXEL
    state = fit_arrays(*pair, method=method, pixel_m=true)
    own = change_array(*pair, state)
    assert set(np.unique(own)) == {0, 1, 2}
    np.testing.assert_array_equal(own, written)
    monkeypatch.setattr(maskarrays, "TILE", 70)
    lazily = [i.chunk({"band": 2, "y": 64, "x": 50}) for i in pair]
    np.testing.assert_array_equal(change_array(*lazily, state), written)
