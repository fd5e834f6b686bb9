"""Orthorectification against a forward model that shares nothing with it."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from configs.errors import RasterError
from tests.tiles.rawimage import Array, Camera, write_dem, write_raw
from tiles.grid import plan_tiles
from tiles.ortho import map_crs, orientation, require_terrain
from tiles.pairgrid import pair_extent, resolution_ratio
from tiles.rasters import inspect_raster
from tiles.reader import PairReader, default_grid
from tiles.scene import BandSource, Epoch, Scene, Terrain

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

CRS = "EPSG:4547"
CAMERA = Camera(lon=114.5, lat=36.7, lines=420, samples=400, gsd=3.2)
BOX = (114.46, 36.66, 114.54, 36.74)


def hills(lon: Array, lat: Array) -> Array:
    """Return heights of 90 to 310 m with slopes of up to 40 %."""
    x, y = (lon - 114.5) * 89000, (lat - 36.7) * 111000
    return 200 + 60 * np.sin(x / 190) * np.cos(y / 230) + 50 * np.sin((x + 2 * y) / 610)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an image whose bands hold the easting and northing that each pixel sees."""
    folder = tmp_path_factory.mktemp("raw")
    lon, lat = CAMERA.ground(hills)
    east, north = Transformer.from_crs(4326, CRS, always_xy=True).transform(lon, lat)
    write_raw(folder / "raw.tiff", np.stack([east - 450000, north - 4060000]).astype(np.float32))
    CAMERA.write_rpb(folder / "raw.rpb")
    write_dem(folder / "dem.tif", hills, BOX)
    return folder


def epoch(folder: Path, terrain: Terrain) -> Epoch:
    bands = {f"band{i}": BandSource(folder / "raw.tiff", i) for i in (1, 2)}
    when = dt.datetime(2024, 3, 5, tzinfo=dt.UTC)
    return Epoch.of([Scene("raw", bands, when, terrain=terrain)])


def errors_px(folder: Path, terrain: Terrain) -> Array:
    """Return the distance of each orthorectified pixel from where it belongs."""
    dates = (epoch(folder, terrain),) * 2
    grid = default_grid(*dates)
    extent = pair_extent(*dates, grid)
    with PairReader(*dates, grid, bands=("band1", "band2")) as reader:
        block = reader.read(extent)
    rows, cols = np.mgrid[extent.row0 : extent.row1, extent.col0 : extent.col1]
    xs, ys = grid.xy(rows + 0.5, cols + 0.5)
    east, north = block.before.astype(float)
    assert block.valid.mean() > 0.7
    wrong = np.hypot(east - (xs - 450000), north - (ys - 4060000)) / grid.x_resolution
    return np.asarray(wrong[block.valid])


def test_terrain_is_taken_out_to_a_fraction_of_a_pixel(delivery: Path):
    wrong = errors_px(delivery, Terrain(delivery / "dem.tif"))
    assert np.sqrt(np.mean(wrong**2)) <= 0.1
    assert np.quantile(wrong, 0.999) <= 0.5


def test_what_is_left_without_terrain(delivery: Path):
    """The same image at the constant height of its polynomials is off by the parallax."""
    wrong = errors_px(delivery, Terrain())
    assert 3 < np.sqrt(np.mean(wrong**2)) < 20


def test_heights_above_the_sea_are_raised_to_the_ellipsoid(delivery: Path, tmp_path: Path):
    write_dem(tmp_path / "sea.tif", lambda x, y: hills(x, y) + 14.0, BOX)
    wrong = errors_px(delivery, Terrain(tmp_path / "sea.tif", geoid_m=-14.0))
    assert np.sqrt(np.mean(wrong**2)) <= 0.1


def test_the_same_bits_for_any_tiling(delivery: Path):
    dates = (epoch(delivery, Terrain(delivery / "dem.tif")),) * 2
    grid = default_grid(*dates)
    extent = pair_extent(*dates, grid)
    with PairReader(*dates, grid, bands=("band1", "band2")) as reader:
        whole = reader.read(extent)
    for size in (190, 300):
        with PairReader(*dates, grid, bands=("band1", "band2")) as reader:
            for tile in plan_tiles(extent, size):
                here = tile.extent.slices_in(extent)
                block = reader.read(tile.extent)
                np.testing.assert_array_equal(block.before, whole.before[(slice(None), *here)])
                np.testing.assert_array_equal(block.valid, whole.valid[here])


def test_grid_of_a_raw_image(delivery: Path):
    raw = epoch(delivery, Terrain())
    grid = default_grid(raw, raw)
    assert (grid.crs, grid.x_resolution) == (CRS, 3.2)
    assert resolution_ratio(raw, raw, grid) == pytest.approx(1.0, abs=0.03)
    assert default_grid(raw, raw, "EPSG:32650", 5.0).x_resolution == 5.0
    facts = inspect_raster(delivery / "raw.tiff")
    look = orientation(facts, Terrain())
    assert look.note == "constant height 200 m"
    for lon, lat, crs in ((-3.4, 48.2, "EPSG:32630"), (23.0, -30.0, "EPSG:32734")):
        assert facts.rpcs is not None
        moved = type(facts.rpcs)(**facts.rpcs.to_dict() | {"long_off": lon, "lat_off": lat})
        assert map_crs(replace(look, rpc=moved), facts.height, facts.width) == crs


def test_refusals(delivery: Path, tmp_path: Path):
    lost = tmp_path / "lost.tiff"
    write_raw(lost, np.ones((1, 20, 20), np.uint16))
    scene = Epoch.of([Scene("lost", {"band1": BandSource(lost)})])
    with pytest.raises(RasterError, match="no rational polynomials") as caught:
        default_grid(scene, scene)
    assert ".rpb" in caught.value.fix
    facts = inspect_raster(delivery / "raw.tiff")
    small = tmp_path / "small.tif"
    write_dem(small, hills, (114.46, 36.66, 114.50, 36.74))
    look = orientation(facts, Terrain(small))
    with pytest.raises(RasterError, match=r"covers 50\.0 % of the area of raw"):
        require_terrain(look, (114.48, 36.68, 114.52, 36.72), "EPSG:4326", "raw")
    require_terrain(look, (114.47, 36.68, 114.49, 36.72), "EPSG:4326", "raw")
    write_raw(tmp_path / "bare.tif", np.zeros((1, 5, 5), np.float32))
    with pytest.raises(RasterError, match="no georeferencing"):
        orientation(facts, Terrain(tmp_path / "bare.tif"))
