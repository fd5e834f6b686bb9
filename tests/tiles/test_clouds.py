"""Clouds and shadows without a quality raster: found where they are, not where roofs are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy import ndimage

from tiles.cloudmap import CloudMap, find_clouds, write_cloud_map
from tiles.clouds import CLEAR, CLOUD, SHADOW, dilated, find_obscured
from tiles.grid import AnalysisGrid, Extent
from tiles.reader import PairReader, default_grid
from tiles.sensors import open_epoch

Image = dict[str, NDArray[np.float32]]

NAMES = ("blue", "green", "red", "nir")
FIELDS = (0.09, 0.10, 0.09, 0.30)
WHITE = (0.45, 0.45, 0.46, 0.5)
SIZE, PIXEL_M = 200, 30.0
FALL = (-20, 14)
"""Rows and columns from a cloud to its shadow: 0.7 km, the sun in the south-west."""


def ground(seed: int) -> Image:
    lasting, passing = np.random.default_rng(1), np.random.default_rng(seed)
    texture = ndimage.gaussian_filter(lasting.standard_normal((SIZE, SIZE)), 2)
    texture = 1 + 0.25 * texture / texture.std()
    noise = passing.normal(0, 0.003, (4, SIZE, SIZE))
    planes = np.array(FIELDS)[:, None, None] * texture.clip(0.3, 2) + noise
    return dict(zip(NAMES, planes.astype(np.float32), strict=True))


def disc(row: int, col: int, radius: float) -> NDArray[np.float64]:
    rows, cols = np.indices((SIZE, SIZE))
    return np.asarray(np.clip((radius - np.hypot(rows - row, cols - col)) / 3 + 0.5, 0, 1))


def clouded(image: Image, clouds: list[NDArray[np.float64]]) -> Image:
    cover = np.max(clouds, axis=0)
    shade = np.max([ndimage.shift(c, FALL, order=1) for c in clouds], axis=0)
    out = {}
    for (name, plane), white in zip(image.items(), WHITE, strict=True):
        lit = plane * (1 - 0.5 * shade)
        out[name] = (lit * (1 - cover) + white * cover).astype(np.float32)
    return out


CLOUDS = [disc(60, 50, 8), disc(120, 120, 12), disc(150, 40, 6), disc(60, 150, 9)]


def codes(image: Image, other: Image, **more: float | None) -> NDArray[np.uint8]:
    valid = np.ones((SIZE, SIZE), np.bool_)
    return find_obscured(image, other, valid, pixel_m=PIXEL_M, margin_m=60.0, **more)


@pytest.mark.parametrize("sun_azimuth", [None, 215.0])
def test_clouds_and_shadows_are_found(sun_azimuth: float | None) -> None:
    clear, image = ground(2), clouded(ground(3), CLOUDS)
    found = codes(image, clear, sun_azimuth=sun_azimuth)
    thick = np.max(CLOUDS, axis=0) > 0.5
    shade = np.max([ndimage.shift(c, FALL, order=1) for c in CLOUDS], axis=0) > 0.5
    assert (found == CLOUD)[thick].mean() > 0.97
    assert (found != CLEAR)[shade].mean() > 0.95
    assert (found == SHADOW)[shade & ~thick].mean() > 0.9
    hidden = dilated(thick | shade, 250.0, PIXEL_M)
    assert (found == CLEAR)[~hidden].all()
    assert (codes(clear, image) == CLEAR).all()


def test_new_roofs_are_no_clouds() -> None:
    """Bright new halls of some hectares, dark new ponds beside them, no cloud anywhere."""
    clear, image = ground(2), ground(3)
    for row, col, side in ((30, 40, 6), (90, 140, 9), (160, 60, 4), (120, 30, 7)):
        for name, white in zip(NAMES, WHITE, strict=True):
            image[name][row : row + side, col : col + side] = white
    image["nir"][60:66, 100:112] = 0.04
    assert (codes(image, clear) == CLEAR).all()


def test_one_roof_and_one_dark_place_are_no_cloud_and_shadow() -> None:
    """Among thousands of displacements a single small object always meets something dark."""
    clear, image = ground(2), ground(3)
    for name, white in zip(NAMES, WHITE, strict=True):
        image[name][90:95, 140:145] = white
    image["nir"][60:70, 95:105] = 0.04
    assert (codes(image, clear) == CLEAR).all()


def test_a_cloud_at_the_border_needs_no_shadow_where_others_have_theirs() -> None:
    clear, image = ground(2), clouded(ground(3), [*CLOUDS, disc(9, 100, 7)])
    assert (codes(image, clear) == CLOUD)[disc(9, 100, 7) > 0.5].all()
    alone = clouded(ground(3), [disc(9, 100, 7)])
    assert (codes(alone, clear) == CLEAR).all()


def test_the_shadow_must_fall_away_from_the_sun() -> None:
    clear, image = ground(2), clouded(ground(3), CLOUDS[:1] + CLOUDS[2:])
    away = codes(image, clear, sun_azimuth=35.0)
    small = CLOUDS[2] > 0.5
    assert (away == CLEAR)[small].all()


def test_snow_is_no_cloud() -> None:
    clear, image = ground(2), clouded(ground(3), CLOUDS)
    image["swir1"] = np.full((SIZE, SIZE), 0.05, np.float32)
    assert not (codes(image, clear) == CLOUD).any()


def test_dilation_counts_metres() -> None:
    mask = np.zeros((41, 41), np.bool_)
    mask[20, 20] = True
    assert dilated(mask, 60.0, 30.0).sum() == 13
    assert dilated(mask, 60.0, 60.0).sum() == 5
    assert dilated(mask, 10.0, 30.0) is mask


@pytest.fixture
def pair(make_tif: Callable[..., Path]) -> PairReader:
    """Return a reader of a clear and a clouded date at 10 m, off the overview's pixels."""
    clear, image = ground(2), clouded(ground(3), CLOUDS)
    paths = [
        make_tif(f"{name}_2025050{i}.tif", fine, x=500030.0, y=3999990.0)
        for i, (name, planes) in enumerate((("before", clear), ("after", image)), start=1)
        for fine in [np.stack([np.kron(p, np.ones((3, 3), np.float32)) for p in planes.values()])]
    ]
    before, after = (open_epoch([p], sensor="sentinel2") for p in paths)
    return PairReader(before, after, default_grid(before, after), bands=NAMES)


def cloud_map(reader: PairReader) -> tuple[CloudMap, Extent]:
    extent = Extent(-399999, 50003, -399399, 50603)
    found = find_clouds(reader.read_dates, extent, NAMES, pixel_m=10.0, margin_m=60.0)
    assert found is not None
    return found, extent


def test_the_map_hides_pixels_of_any_tile_alike(pair: PairReader) -> None:
    found, extent = cloud_map(pair)
    assert 1 < found.percent(CLOUD)[1] < 10
    assert found.percent(CLOUD)[0] == found.percent(SHADOW)[0] == 0.0
    usable = found.usable(extent)
    for cell in extent.cells(100):
        part = cell.intersect(extent)
        there = part.slices_in(extent)
        np.testing.assert_array_equal(found.usable(part), usable[there])
    beyond = Extent(extent.row1 + 10, extent.col0, extent.row1 + 20, extent.col0 + 10)
    assert found.usable(beyond).all()
    pair.clouds = found
    block = pair.read(extent)
    assert not block.valid[~usable].any()
    assert (block.after[:, ~usable] == 0).all()


def test_the_map_is_written_on_the_grid(pair: PairReader, tmp_path: Path) -> None:
    found, _ = cloud_map(pair)
    write_cloud_map(tmp_path / "clouds.tif", found, pair.grid)
    with rasterio.open(tmp_path / "clouds.tif") as raster:
        np.testing.assert_array_equal(raster.read(), found.codes)
        assert raster.res == (30.0, 30.0)
        assert raster.bounds.left == found.extent.col0 * 10.0
        assert raster.bounds.top == -found.extent.row0 * 10.0


def test_counts_without_contrast_are_not_searched() -> None:
    grid = AnalysisGrid("EPSG:32650", 10.0, 10.0)
    image = np.full((4, 90, 90), 130.0, np.float32)
    date = (image, np.ones((90, 90), np.bool_), np.zeros((90, 90), np.uint8))
    extent = Extent(0, 0, 90, 90)
    assert grid.extent_of((0, -900, 900, 0)) == extent
    found = find_clouds(lambda _: (date, date), extent, NAMES, pixel_m=10.0, margin_m=60.0)
    assert found is None


def dates_of(first: Image, second: Image, names: tuple[str, ...] = NAMES):
    """Return a reader of two dates that lie on an analysis grid from row 0, column 0."""
    planes = [np.stack([image[n] for n in names]) for image in (first, second)]

    def read(extent: Extent):
        rows, cols = extent.slices_in(Extent(0, 0, SIZE, SIZE))
        shape = extent.shape
        valid, source = np.ones(shape, np.bool_), np.zeros(shape, np.uint8)
        return tuple((p[:, rows, cols], valid, source) for p in planes)

    return read


@pytest.mark.parametrize("date", [0, 1])
@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0.1), (0.5, -0.1), (2.0, -0.1), (2.0, 0.1)])
def test_gain_and_offset_of_a_date_make_and_hide_no_cloud(
    date: int, gain: float, offset: float
) -> None:
    whole = Extent(0, 0, SIZE, SIZE)
    settlements = ndimage.zoom(np.random.default_rng(4).random((20, 20)) > 0.8, 10, order=0)
    clear, other = ground(2), ground(3)
    for image in (clear, other):
        for name, white in zip(NAMES, (0.16, 0.17, 0.18, 0.24), strict=True):
            image[name] = np.where(settlements, np.float32(white), image[name])
    for after, hidden in ((other, False), (clouded(other, CLOUDS), True)):
        pair = [clear, after]
        pair[date] = {n: gain * p + np.float32(offset) for n, p in pair[date].items()}
        found = find_clouds(dates_of(*pair), whole, NAMES, pixel_m=PIXEL_M, margin_m=60.0)
        assert found is not None
        if hidden:
            thick = np.max(CLOUDS, axis=0) > 0.9
            assert (found.codes[1] == CLOUD)[thick].mean() > 0.9
        else:
            assert (found.codes == CLEAR).all()


SUN = {"blue": 1997.0, "green": 1812.0, "red": 1533.0, "nir": 1039.0}
AIR = {"blue": 60, "green": 40, "red": 30, "nir": 10}


def counts(image: Image, kind: str) -> Image:
    """Return what a supplier stores: reflectance times a number, or radiance in 8 or 10 bits."""
    if kind.startswith("×"):
        stored = {n: np.rint(float(kind[1:]) * p).astype(np.uint16) for n, p in image.items()}
    else:
        gain, top = (0.3, 255) if kind == "uint8" else (1.0, 1023)
        stored = {
            n: np.rint(gain * (SUN[n] * p + AIR[n])).clip(0, top).astype(np.uint16)
            for n, p in image.items()
        }
    return {n: p.astype(np.float32) for n, p in stored.items()}


def searched(first: Image, second: Image) -> NDArray[np.uint8]:
    whole = Extent(0, 0, SIZE, SIZE)
    found = find_clouds(dates_of(first, second), whole, NAMES, pixel_m=PIXEL_M, margin_m=60.0)
    assert found is not None
    return found.codes


@pytest.mark.parametrize("kind", ["×1000", "×2000", "radiance", "uint8"])
def test_counts_give_the_clouds_that_reflectance_gives(kind: str) -> None:
    clear, other = ground(2), ground(3)
    cloudy = clouded(other, CLOUDS)
    wanted = searched(clear, cloudy)[1] != CLEAR
    assert not searched(counts(clear, kind), counts(other, kind)).any()
    before, after = searched(counts(clear, kind), counts(cloudy, kind)) != CLEAR
    assert not before.any()
    assert (after & wanted).sum() > 0.9 * (after | wanted).sum()
    for mixed in (clear, counts(clear, "×1000")):
        after = searched(mixed, counts(cloudy, kind))[1] != CLEAR
        assert (after & wanted).sum() > 0.85 * (after | wanted).sum()
