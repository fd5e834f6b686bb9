"""Sharpened scenes through the pair reader: aligned with pan, the same for any tiling."""

import datetime as dt
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.registration import phase_cross_correlation

from tests.tiles.conftest import MakeTif, Texture
from tests.tiles.test_pansharpen import pan_of, scene, shrink
from tiles.grid import plan_tiles
from tiles.lineage import scene_lineage
from tiles.pairgrid import pair_extent, resolution_ratio
from tiles.reader import PairReader, default_grid
from tiles.scene import BandSource, Epoch, Scene
from tiles.sharpened import is_sharpened, sharpening_of

ROLES = ("blue", "green", "red", "nir")
WEIGHTS = (0.1, 0.4, 0.4, 0.1)
Floats = NDArray[np.float32]


@pytest.fixture
def fine(texture: Texture) -> Floats:
    return (scene(texture) * 4000).round().astype(np.float32)


@pytest.fixture
def sharp(make_tif: MakeTif, fine: Floats) -> Scene:
    """Return a scene of 8 m bands and a 2 m panchromatic image, as integers."""
    ms = make_tif("ms.tif", shrink(fine, 4).round().astype(np.uint16), size=8.0)
    pan = make_tif("pan.tif", pan_of(fine, WEIGHTS).round().astype(np.uint16), size=2.0)
    bands = {role: BandSource(ms, i + 1, nodata=0.0) for i, role in enumerate(ROLES)}
    return Scene("s", bands, dt.datetime(2024, 3, 5, tzinfo=dt.UTC), pan=BandSource(pan, 1))


def reader(first: Scene, second: Scene, bands: tuple[str, ...] = ROLES) -> PairReader:
    dates = Epoch.of([first]), Epoch.of([second])
    return PairReader(*dates, default_grid(*dates), bands=bands)


def test_the_grid_has_the_pixels_of_pan(sharp: Scene, fine: Floats):
    pair = reader(sharp, sharp)
    assert pair.grid.x_resolution == 2.0
    assert resolution_ratio(pair.before, pair.after, pair.grid) == pytest.approx(1.0)
    found = sharpening_of(sharp, pair.grid)
    assert found.source == "regression"
    np.testing.assert_allclose(found.weights, WEIGHTS, atol=0.02)
    extent = pair_extent(pair.before, pair.after, pair.grid)
    block = pair.read(extent)
    inner = (slice(None), slice(20, -20), slice(20, -20))
    plain = Epoch.of([Scene("b", sharp.bands)])
    blurred = PairReader(plain, plain, pair.grid, bands=ROLES).read(extent)
    assert block.valid[20:-20, 20:-20].all()
    wrong = np.abs(block.before - fine)[inner].mean()
    assert wrong < 0.85 * np.abs(blurred.before - fine)[inner].mean()


def test_each_band_lies_where_pan_lies(sharp: Scene, fine: Floats):
    """An independent estimate: every sharpened band against pan, by their edges."""
    pair = reader(sharp, sharp)
    block = pair.read(pair_extent(pair.before, pair.after, pair.grid))
    pan = pan_of(fine, WEIGHTS)[32:-32, 32:-32]
    for band in block.before[:, 32:-32, 32:-32]:
        assert apart(band, pan) <= 0.25


def apart(image: Floats, pan: Floats) -> float:
    """Return by how many pixels the edges of an image lie beside those of pan."""
    window = np.outer(*2 * [np.hanning(image.shape[0])])
    edges = [np.hypot(*np.gradient(each)) * window for each in (pan, image)]
    shift, _, _ = phase_cross_correlation(*edges, upsample_factor=50, normalization=None)
    return float(np.hypot(*shift))


@pytest.mark.parametrize(("down", "right"), [(5.0, -3.0), (-1.4, 2.2)])
def test_bands_placed_beside_pan_are_moved_onto_it(
    sharp: Scene, make_tif: MakeTif, fine: Floats, down: float, right: float
):
    """The delivery says that the bands lie metres beside where they do."""
    stored = shrink(fine, 4).round().astype(np.uint16)
    ms = make_tif("beside.tif", stored, size=8.0, x=500000.0 + right, y=4000000.0 - down)
    bands = {role: BandSource(ms, i + 1, nodata=0.0) for i, role in enumerate(ROLES)}
    wrong = Scene("w", bands, sharp.acquired, pan=sharp.pan)
    dates = Epoch.of([wrong]), Epoch.of([sharp])
    pair = PairReader(*dates, default_grid(Epoch.of([sharp]), dates[1]), bands=ROLES)
    found = sharpening_of(wrong, pair.grid)
    np.testing.assert_allclose(found.moved, (-down / 2, -right / 2), atol=0.25)
    assert found.left_px is not None
    assert found.left_px <= 0.25
    whole = pair.grid.extent_of((500000.0, 3998976.0, 501024.0, 4000000.0))
    block = pair.read(whole.expand(-32))
    for band in block.before:
        assert apart(band, pan_of(fine, WEIGHTS)[32:-32, 32:-32]) <= 0.25
    lines = scene_lineage(wrong, ROLES, pair.grid).sentences()
    assert any("bands moved onto the panchromatic image" in line for line in lines)
    assert sharpening_of(sharp, pair.grid).moved == (0.0, 0.0)


def test_the_same_for_any_tiling_and_any_choice_of_bands(sharp: Scene):
    pair = reader(sharp, sharp)
    extent = pair_extent(pair.before, pair.after, pair.grid)
    whole = pair.read(extent)
    fresh = pickle.loads(pickle.dumps(pair))
    for tile in plan_tiles(extent, 190):
        here = tile.extent.slices_in(extent)
        block = fresh.read(tile.extent)
        np.testing.assert_array_equal(block.before, whole.before[(slice(None), *here)])
    two = reader(sharp, sharp, ("red", "blue")).read(extent)
    np.testing.assert_array_equal(two.before, whole.before[[2, 0]])


def test_pan_is_left_alone_on_a_coarser_grid(sharp: Scene, make_tif: MakeTif, fine: Floats):
    """A partner of 8 m makes the grid: the bands are on it and nothing is sharpened."""
    ms = make_tif("other.tif", shrink(fine, 4), size=8.0)
    other = Scene("o", {role: BandSource(ms, i + 1) for i, role in enumerate(ROLES)})
    pair = reader(sharp, other)
    assert pair.grid.x_resolution == 8.0
    assert not is_sharpened(sharp, pair.grid)
    block = pair.read(pair_extent(pair.before, pair.after, pair.grid))
    np.testing.assert_array_equal(block.before, shrink(fine, 4).round())


def test_nodata_of_either_image_counts(sharp: Scene, make_tif: MakeTif, fine: Floats):
    values = pan_of(fine, WEIGHTS).round().astype(np.uint16)
    values[100:110, 200:220] = 0
    holed = Scene("h", sharp.bands, pan=BandSource(make_tif("hole.tif", values, size=2.0)))
    pair = reader(holed, holed)
    block = pair.read(pair_extent(pair.before, pair.after, pair.grid))
    assert not block.valid[100:110, 200:220].any()
    assert not block.before[:, ~block.valid].any()
    assert Path(holed.bands["red"].path).name == "ms.tif"
