"""Clouds of quality rasters grow by metres on the ground, whatever the grid and the tiles."""

import datetime as dt
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.run import RunConfig
from configs.sensors import sensor_names, sensor_spec
from flows.plan import make_plan
from tiles.grid import plan_tiles
from tiles.lineage import scene_lineage
from tiles.reader import PairReader, common_bands, default_grid, pair_extent
from tiles.scene import Epoch
from tiles.sensors import open_epoch

MakeTif = Callable[..., Path]

CLOUD, NODATA, CLEAR = 9, 0, 4
NAME = "T49QCD_20250901T031122"


def sentinel(make_tif: MakeTif, scl: NDArray[np.uint8], size: float, scl_size: float) -> Epoch:
    """One scene in the supplier's naming, its bands at `size` and its SCL at `scl_size` metres."""
    ratio = int(scl_size / size)
    shape = (scl.shape[0] * ratio, scl.shape[1] * ratio)
    band = np.full(shape, 1500, np.uint16)
    folder = make_tif(f"{size}/{NAME}_B04.tif", band, size=size).parent
    make_tif(f"{size}/{NAME}_B08.tif", band, size=size)
    make_tif(f"{size}/{NAME}_SCL.tif", scl, size=scl_size)
    return open_epoch([folder], date=dt.date(2025, 9, 1))


def with_margin(epoch: Epoch, margin_m: float) -> Epoch:
    def changed(scene):
        return replace(scene, mask=replace(scene.mask, margin_m=margin_m))

    return replace(epoch, scenes=tuple(changed(s) for s in epoch.scenes))


def reader_of(epoch: Epoch) -> PairReader:
    return PairReader(epoch, epoch, default_grid(epoch, epoch), bands=common_bands(epoch, epoch))


def valid_of(epoch: Epoch) -> NDArray[np.bool_]:
    reader = reader_of(epoch)
    return reader.read(pair_extent(epoch, epoch, reader.grid)).valid


@pytest.mark.parametrize("size", [10.0, 20.0, 30.0])
def test_a_cloud_grows_by_the_same_metres_on_any_grid(make_tif: MakeTif, size: float) -> None:
    scl = np.full((80, 80), CLEAR, np.uint8)
    scl[40, 40] = CLOUD
    epoch = with_margin(sentinel(make_tif, scl, size, size), 90.0)
    rows, cols = np.indices(scl.shape)
    away = np.hypot(rows - 40, cols - 40) * size
    np.testing.assert_array_equal(valid_of(epoch), away > 90.0)


def test_the_sensor_says_how_far(make_tif: MakeTif) -> None:
    scl = np.full((60, 60), CLEAR, np.uint8)
    scl[30, 30] = CLOUD  # a pixel of 20 m: rows and columns 60 and 61 of the bands
    epoch = sentinel(make_tif, scl, 10.0, 20.0)
    assert epoch.scenes[0].mask.margin_m == 60.0
    hidden = np.argwhere(~valid_of(epoch))
    assert hidden.min(axis=0).tolist() == [54, 54]
    assert hidden.max(axis=0).tolist() == [67, 67]
    told = scene_lineage(epoch.scenes[0], ("red",), default_grid(epoch, epoch)).sentences()
    assert told[-1] == f"masked by {NAME}_SCL.tif, grown by 60 m"


def test_the_edge_of_the_data_does_not_grow(make_tif: MakeTif) -> None:
    scl = np.full((40, 40), CLEAR, np.uint8)
    scl[:, :5] = NODATA
    valid = valid_of(sentinel(make_tif, scl, 20.0, 20.0))
    np.testing.assert_array_equal(valid, np.broadcast_to(np.arange(40) >= 5, (40, 40)))


def test_the_same_for_any_tiling(make_tif: MakeTif) -> None:
    # Clouds beside every border of the fixed cells of 256 pixels, and beyond the first tiles.
    rng = np.random.default_rng(7)
    scl = np.where(rng.random((300, 280)) < 0.0015, CLOUD, CLEAR).astype(np.uint8)
    scl[127:129, 125:130] = CLOUD
    epoch = with_margin(sentinel(make_tif, scl, 10.0, 20.0), 200.0)
    reader = reader_of(epoch)
    extent = pair_extent(epoch, epoch, reader.grid)
    whole = reader.read(extent).valid
    assert 0.1 < whole.mean() < 0.9
    for size, halo in ((97, 0), (150, 23), (256, 5)):
        fresh = pickle.loads(pickle.dumps(reader))
        for tile in reversed(plan_tiles(extent, size)):
            block = fresh.read(tile.extent, halo)
            inner = block.extent.intersect(extent)
            np.testing.assert_array_equal(
                block.valid[inner.slices_in(block.extent)], whole[inner.slices_in(extent)]
            )


def test_the_config_overrides_the_sensor_and_grows_own_masks(
    make_tif: MakeTif, tmp_path: Path
) -> None:
    image = np.full((1, 40, 40), 900, np.uint16)
    own = np.zeros((40, 40), np.uint8)
    own[20, 20] = 1
    scenes = {
        name: {
            "scenes": [make_tif(f"{name}.tif", image)],
            "date": day,
            "mask": make_tif("m.tif", own),
        }
        for name, day in (("before", "2024-09-01"), ("after", "2025-09-01"))
    }
    lost = []
    for clouds in ({}, {"mask_margin_m": 10}, {"mask_margin_m": 20}):
        plan = make_plan(RunConfig.model_validate({"name": "a", "clouds": clouds} | scenes))
        lost.append(int((~plan.reader().read(plan.extent).valid).sum()))
    assert lost == [1, 5, 13]


def test_every_quality_band_says_its_margin_with_a_source() -> None:
    told = {
        (name, quality.token): quality.margin_m
        for name in sensor_names()
        for quality in sensor_spec(name).quality
    }
    assert all(metres > 0 for metres in told.values()), told
