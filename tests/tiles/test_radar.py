"""Radar as it is delivered: backscatter from amplitudes, laid on the map by control points."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.control import GroundControlPoint

from configs.errors import RasterError
from tests.tiles.deliverymade import grd, sigma_divisor, swath
from tiles.calibration import calibrated
from tiles.lineage import geometry_checks, scene_lineage
from tiles.pairgrid import pair_extent
from tiles.reader import PairReader, default_grid
from tiles.scene import Epoch, Scene
from tiles.sensors import open_epoch

SIDE = 96

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def power_at(row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """Return a smooth field of backscatter of two polarisations."""
    waves = 1 + 0.6 * np.sin(row / 9) * np.cos(col / 7)
    return np.stack([0.08 * waves, 0.02 * waves]).astype(np.float32)


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return grd(tmp_path, power=power_at(*np.indices((SIDE, SIDE))))


def opened(product: Path) -> Scene:
    return open_epoch([product]).scenes[0]


def test_amplitudes_become_backscatter(product: Path):
    band = opened(product).bands["vv"]
    assert band.calibration is not None
    with rasterio.open(band.path) as raster:
        stored = raster.read(1).astype(np.float32)
    rows, cols = np.indices(stored.shape)
    wanted = (stored / sigma_divisor(rows, cols)) ** 2
    np.testing.assert_allclose(calibrated(stored, band.calibration, 0, 0), wanted, rtol=1e-5)
    part = calibrated(stored[30:50, 60:90], band.calibration, 30, 60)
    np.testing.assert_array_equal(part, calibrated(stored, band.calibration, 0, 0)[30:50, 60:90])


def pixel_of(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of ground points by Newton's method on the forward formula."""
    row, col = np.full(lon.shape, SIDE / 2), np.full(lon.shape, SIDE / 2)
    for _ in range(8):
        x, y = swath(row, col)
        a, b, c, d = 1.1e-4 + 4e-8 * col, -2e-5, -1.5e-5, -9e-5
        det = a * d - b * c
        col = col + (d * (lon - x) - b * (lat - y)) / det
        row = row + (a * (lat - y) - c * (lon - x)) / det
    return row, col


def test_control_points_lay_it_on_the_map(product: Path):
    epoch = Epoch.of([opened(product)])
    grid = default_grid(epoch, epoch)
    assert grid.crs == "EPSG:4548"
    assert 9 < grid.x_resolution < 11
    extent = pair_extent(epoch, epoch, grid)
    reader = PairReader(epoch, epoch, grid, bands=("vv", "vh"))
    block = reader.read(extent)
    rows, cols = np.indices(block.valid.shape)
    place = grid.transform(extent)
    x, y = place.c + (cols + 0.5) * place.a, place.f + (rows + 0.5) * place.e
    back = Transformer.from_crs(grid.crs, 4326, always_xy=True)
    row, col = pixel_of(*back.transform(x, y))
    inside = (np.minimum(row, col) > 3) & (np.maximum(row, col) < SIDE - 3)
    assert inside.sum() > 6000
    assert block.valid[inside].all()
    wanted = power_at(row - 0.5, col - 0.5)
    for number in range(2):
        wrong = (block.before[number] / wanted[number] - 1)[inside]
        assert np.sqrt(np.mean(wrong**2)) < 0.02
    for cell in list(extent.cells(50)):
        part = reader.read(cell.intersect(extent))
        there = (slice(None), *part.extent.slices_in(extent))
        np.testing.assert_array_equal(part.before, block.before[there])


def test_how_it_was_laid_is_said(product: Path):
    scene = opened(product)
    epoch = Epoch.of([scene])
    grid = default_grid(epoch, epoch)
    told = scene_lineage(scene, ("vv",), grid).sentences()
    assert told[0] == "geocoded by 49 control points at 50 to 50 m"
    terrain = next(c for c in geometry_checks(epoch, epoch, ("vv",), grid) if "terrain" in c.name)
    assert not terrain.passed
    assert "relief displaces" in terrain.remedy


def test_a_product_without_its_calibration_is_refused(product: Path):
    lost = next(product.rglob("calibration-*-vh-*.xml"))
    text = lost.read_text(encoding="utf-8")
    lost.unlink()
    with pytest.raises(
        RasterError, match=rf"calibration file of the image is missing: {lost.name}"
    ):
        opened(product)
    for old, new in (("<sigmaNought count='3'>4", "<sigmaNought count='3'>x"), ("<line>", "<l>")):
        lost.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(RasterError, match=r"calibration file cannot be used|cannot be read"):
            opened(product)


def test_points_in_another_crs_are_refused(product: Path):
    epoch = Epoch.of([opened(product)])
    for path in product.rglob("*.tiff"):
        with rasterio.open(path, "r+") as raster:
            points = [GroundControlPoint(p.row, p.col, p.x, p.y) for p in raster.gcps[0]]
            raster.gcps = (points, rasterio.CRS.from_epsg(32650))
    with pytest.raises(RasterError, match=r"not geocoded: it has 49 control points only"):
        default_grid(epoch, epoch)
