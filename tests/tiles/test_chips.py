"""Pictures of both dates: same place, same scale, same stretch."""

import datetime as dt
import tracemalloc
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from tiles import stretch
from tiles.basemap import BaseImage
from tiles.chips import ChipCutter
from tiles.reader import default_grid
from tiles.registration import Registration
from tiles.sensors import open_epoch

MakeTif = Callable[..., Path]
Texture = Callable[..., NDArray[np.float32]]


def test_common_stretch_and_scale(make_tif: MakeTif, texture: Texture) -> None:
    image = np.stack([texture((80, 90), s) for s in range(4)])
    changed = image.copy()
    changed[:, 30:40, 40:50] = 0.9
    before = open_epoch([make_tif("a_20240101.tif", image)])
    after = open_epoch([make_tif("b_20250101.tif", changed)])
    grid = default_grid(before, after)
    x, y = 500000.0 + 300, 4000000.0 - 500
    with ChipCutter(before, after, grid) as cutter:
        first, second = cutter.cut((x, y, x + 300, y + 200), 120)
        again = cutter.cut((x, y, x + 300, y + 200), 120)
    assert first.image.shape == second.image.shape == (120, 120, 3)
    assert first.image.dtype == np.uint8
    assert first.bounds == second.bounds == (x, y - 50, x + 300, y + 250)
    assert (first.scene_id, second.scene_id) == ("a_20240101", "b_20250101")
    assert (first.civil_date, second.civil_date) == (dt.date(2024, 1, 1), dt.date(2025, 1, 1))
    # One picture pixel is a quarter of an image pixel; only the changed ones differ.
    different = (first.image != second.image).any(axis=2)
    rows, cols = np.nonzero(different)
    assert (rows.min(), rows.max() + 1, cols.min(), cols.max() + 1) == (20, 60, 40, 80)
    assert (second.image[25:55, 45:75] == 255).all()
    # Red comes first.
    window = (slice(25, 55), slice(30, 60))
    red = np.kron(image[2][window], np.ones((4, 4)))
    assert np.corrcoef(red.ravel(), first.image[..., 0].ravel())[0, 1] > 0.95
    np.testing.assert_array_equal(again[0].image, first.image)


def test_new_ground_keeps_its_texture(make_tif: MakeTif, texture: Texture) -> None:
    dark = np.stack([0.06 + 0.04 * texture((160, 160), s) for s in range(4)])
    built = dark.copy()
    built[:, 60:100, 60:100] = 0.25 + 0.1 * texture((40, 40), 9)
    built[:, 120:140, 20:60] = 0.25 + 0.1 * texture((20, 40), 8)
    before, after = (open_epoch([make_tif(n, i)]) for n, i in (("a.tif", dark), ("b.tif", built)))
    grid = default_grid(before, after)
    x, y = 500000.0, 4000000.0
    wide, near = (x, y - 1600, x + 1600, y), (x + 580, y - 1020, x + 1020, y - 580)
    with ChipCutter(before, after, grid) as cutter, BaseImage(before, after, grid) as base:
        (_, seen), (_, close) = cutter.cut(wide, 160), cutter.cut(near, 44)
        drawn = base.picture(wide, 160).image
    ground = seen.image[62:98, 62:98]
    assert (ground == 255).mean() < 0.05
    assert len(np.unique(ground)) > 20
    assert len(np.unique(seen.image[:50, :50])) > 20
    # whatever the frame and the product, a place has one colour
    np.testing.assert_array_equal(close.image, seen.image[58:102, 58:102])
    np.testing.assert_array_equal(drawn, seen.image)


def test_ground_without_image_is_striped_and_empty_chips_say_so(
    make_tif: MakeTif, texture: Texture
) -> None:
    image = np.stack([texture((40, 40), s) for s in range(4)])
    epoch = open_epoch([make_tif("a.tif", image)])
    cutter = ChipCutter(epoch, epoch, default_grid(epoch, epoch))
    x, y = 500000.0, 4000000.0
    chip, _ = cutter.cut((x - 200, y - 200, x + 200, y + 200), 40)
    stripes = {(160, 160, 160), (222, 222, 222)}
    assert set(map(tuple, chip.image[:20].reshape(-1, 3))) == stripes
    assert set(map(tuple, chip.image[20:, :20].reshape(-1, 3))) == stripes
    assert chip.image[20:, 20:].std() > 10
    assert chip.unseen == 0.75
    far, _ = cutter.cut((x + 9000, y, x + 9100, y + 100), 40)
    assert set(map(tuple, far.image.reshape(-1, 3))) == stripes
    assert (far.scene_id, far.unseen) == ("", 1.0)


def test_registration_is_applied(make_tif: MakeTif, texture: Texture) -> None:
    image = np.stack([texture((60, 60), s) for s in range(4)])
    before = open_epoch([make_tif("a.tif", image)])
    after = open_epoch([make_tif("b.tif", np.roll(image, (2, -3), (1, 2)))])
    shift = Registration(-2.0, 3.0, 1, 1, 0.0)
    cutter = ChipCutter(before, after, default_grid(before, after), shift)
    x, y = 500000.0 + 150, 4000000.0 - 450
    first, second = cutter.cut((x, y, x + 300, y + 300), 60)
    np.testing.assert_array_equal(first.image, second.image)


@pytest.mark.parametrize(("count", "channels"), [(1, 1), (2, 2), (3, 3)])
def test_bands_of_unknown_colour(
    make_tif: MakeTif, texture: Texture, count: int, channels: int
) -> None:
    image = np.stack([texture((30, 30), s) for s in range(count)])
    epoch = open_epoch([make_tif("a.tif", image)])
    cutter = ChipCutter(epoch, epoch, default_grid(epoch, epoch))
    chip, _ = cutter.cut((500000.0, 4000000.0 - 300, 500300.0, 4000000.0), 30)
    assert len({chip.image[..., i].tobytes() for i in range(3)}) == channels


def test_large_areas_are_thinned(make_tif: MakeTif, texture: Texture) -> None:
    image = np.stack([texture((1100, 1100), s, 9.0) for s in range(4)])
    epoch = open_epoch([make_tif("a.tif", image)])
    cutter = ChipCutter(epoch, epoch, default_grid(epoch, epoch))
    west, north = 500000.0, 4000000.0
    chip, _ = cutter.cut((west, north - 11000, west + 11000, north), 50)
    small = image[2].reshape(50, 22, 50, 22).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), chip.image[..., 0].ravel())[0, 1] > 0.9


def test_a_large_picture_beside_something_else_is_the_same_and_can_be_left_off(
    make_tif: MakeTif, texture: Texture
) -> None:
    image = np.stack([texture((1100, 1100), s, 9.0) for s in range(4)])
    epoch = open_epoch([make_tif("a.tif", image)])
    bounds = (500000.0, 4000000.0 - 11000, 500000.0 + 11000, 4000000.0)
    ended = Event()
    with ChipCutter(epoch, epoch, default_grid(epoch, epoch)) as cutter:
        alone, beside = cutter.cut_after(bounds, 50), cutter.cut_after(bounds, 50, ended)
        np.testing.assert_array_equal(alone.image, beside.image)
        ended.set()
        with pytest.raises(CancelledError):
            cutter.cut_after(bounds, 50, ended)


def test_degree_pixels_give_a_square_on_the_ground(data_dir: Path) -> None:
    before, after = (open_epoch([data_dir / "oscd" / "beihai" / f"imgs_{i}"]) for i in (1, 2))
    grid = default_grid(before, after)
    with ChipCutter(before, after, grid, Registration(-0.78, -0.78, 12, 12, 0.1)) as cutter:
        first, second = cutter.cut((109.50, 21.56, 109.505, 21.565), 300)
    west, south, east, north = first.bounds
    assert (north - south) * 110.7 == pytest.approx((east - west) * 103.6, rel=0.02)
    assert (str(first.civil_date), str(second.civil_date)) == ("2016-12-09", "2018-03-09")
    assert "Copernicus" in first.attribution
    assert np.corrcoef(first.image[..., 0].ravel(), second.image[..., 0].ravel())[0, 1] > 0.3


def peak_of_a_whole_frame(folder: Path, side: int) -> int:
    """Return the most bytes that a picture of a whole frame takes on the way."""
    path = folder / f"{side}.tif"
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": side, "width": side}
    place = {"crs": "EPSG:32650", "transform": Affine(10, 0, 500000, 0, -10, 4000000)}
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **place, **blocks, sparse_ok=True) as raster:
        raster.write(np.full((3, 512, 512), 90, np.uint8), window=Window(0, 0, 512, 512))
    epoch = open_epoch([path])
    with ChipCutter(epoch, epoch, default_grid(epoch, epoch)) as cutter:
        ground = (500000.0, 4000000.0 - 10 * side, 500000.0 + 10 * side, 4000000.0)
        tracemalloc.start()
        try:
            _, after = cutter.cut(ground, 200)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert after.image.shape == (200, 200, 3)
    return peak


@pytest.mark.slow
def test_a_picture_of_a_larger_area_takes_no_more_memory(tmp_path: Path) -> None:
    small, large = (peak_of_a_whole_frame(tmp_path, side) for side in (2048, 6144))
    # nine times the area, 38 million pixels more of 14 bytes each and date
    assert large - small < 150 << 20, f"{small / 2**20:.0f} and {large / 2**20:.0f} MiB"


def test_cutters_of_a_pair_look_for_its_tone_curve_once(
    make_tif: MakeTif, texture: Texture, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.stack([texture((200, 200), s, 9.0) for s in range(3)])
    epoch = open_epoch([make_tif("a.tif", image)])
    bounds = (500000.0, 4000000.0 - 1000, 501000.0, 4000000.0)
    with ChipCutter(epoch, epoch, default_grid(epoch, epoch)) as cutter:
        expected = cutter.cut_after(bounds)
    asked: list[object] = []
    real = stretch.stretch_of
    monkeypatch.setattr(stretch, "stretch_of", lambda reader: asked.append(reader) or real(reader))
    curve = stretch.PairStretch()
    for _ in range(2):
        with ChipCutter(epoch, epoch, default_grid(epoch, epoch), stretch=curve) as cutter:
            np.testing.assert_array_equal(cutter.cut_after(bounds).image, expected.image)
    assert len(asked) == 1
