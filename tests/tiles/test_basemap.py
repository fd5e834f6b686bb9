"""Base pictures of maps: the ground that was asked for, one stretch, nothing stored in between."""

import datetime as dt

import numpy as np
import pytest
import rasterio

from tests.flows.minicounty import CRS, NORTH, PIXEL, WEST, paint, write_image
from tiles.basemap import BaseImage
from tiles.pairgrid import default_grid
from tiles.sensors import open_epoch


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    cover = np.zeros((192, 192), np.uint8)
    cover[60:90, 100:140] = 2
    epochs = []
    for i, name in enumerate(("before", "after")):
        write_image(folder / f"{name}.tif", paint(cover * i, i))
        epochs.append(
            open_epoch(
                [folder / f"{name}.tif"],
                sensor=None,
                date=dt.date(2025, 4, 18),
                mask=None,
                time_zone="Asia/Shanghai",
            )
        )
    return epochs, default_grid(*epochs)


def test_a_picture_shows_what_was_asked_for(pair):
    (before, after), grid = pair
    bounds = (WEST + 500, NORTH - 1500, WEST + 1900, NORTH - 300)
    with BaseImage(before, after, grid) as base:
        fine, coarse = (base.picture(bounds, px) for px in (400, 50))
    assert fine.image.shape == (120, 140, 3)
    assert fine.bounds == pytest.approx(bounds)
    assert max(coarse.image.shape) <= 50
    assert coarse.bounds[0] == fine.bounds[0]
    assert coarse.bounds[3] == fine.bounds[3]
    assert fine.image[40:50, 60:80].mean() > fine.image[:20, :20].mean() + 40
    assert len(np.unique(fine.image)) > 64


def test_outside_the_images_is_white(pair):
    (before, after), grid = pair
    with BaseImage(before, after, grid, date=0) as base:
        made = base.picture((WEST - 900, NORTH - 300, WEST, NORTH), 200)
    assert (made.image == 255).all()


def test_windows_are_sparse_transparent_and_placed(pair, tmp_path):
    (before, after), grid = pair
    near = (WEST + 1000, NORTH - 900, WEST + 1400, NORTH - 600)
    with BaseImage(before, after, grid) as base:
        count = base.write_windows(tmp_path / "w.tif", [near, near])
        base.write_windows(tmp_path / "again.tif", [near])
    assert (tmp_path / "w.tif").read_bytes() == (tmp_path / "again.tif").read_bytes()
    with rasterio.open(tmp_path / "w.tif") as written:
        assert written.crs == rasterio.CRS.from_user_input(CRS)
        assert written.res == (PIXEL, PIXEL)
        row, col = written.index(WEST + 1200, NORTH - 750)
        image, mask = written.read(), written.dataset_mask()
        assert mask[row, col] == 255
        assert image[:, row - 5 : row + 5, col - 5 : col + 5].mean() > 120
        outside = written.index(WEST - 50, NORTH - 750)
        if 0 <= outside[1] < written.width:
            assert mask[outside] == 0
    assert count <= 4
