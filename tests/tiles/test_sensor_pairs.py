"""Two sensors, two resolutions, one of them turned: the coarser gives the grid."""

import math

import numpy as np
from affine import Affine

from tests.tiles.conftest import MakeTif, Texture
from tests.tiles.test_pansharpen import shrink
from tiles.gate import gate_report
from tiles.grid import plan_tiles
from tiles.pairgrid import common_bands, pair_extent, resolution_ratio
from tiles.reader import PairReader, default_grid
from tiles.registration import Registration
from tiles.sensors import open_epoch

NAMES = ("blue", "green", "red", "nir", "swir1", "swir2")


def test_a_turned_fine_image_against_a_coarse_one(make_tif: MakeTif, texture: Texture):
    """A plane of values comes back exactly from a turned image of 5 m on a grid of 20 m."""
    turn = Affine.rotation(17.0)
    place = Affine.translation(500_000, 4_000_000) @ Affine.scale(1, -1) @ turn @ Affine.scale(5.0)
    rows, cols = np.mgrid[:400, :420] + 0.5
    xs = place.a * cols + place.b * rows + place.c
    ys = place.d * cols + place.e * rows + place.f
    plane = (0.3 + (xs - 500_000) * 1e-4 - (ys - 4_000_000) * 5e-5).astype(np.float32)
    fine = make_tif("fine.tif", np.stack([plane] * 4), transform=place, descriptions=NAMES[:4])
    wide = np.stack([shrink(texture((600, 600), s), 4) for s in range(6)])
    coarse = make_tif("coarse.tif", wide, x=499_400, y=4_000_600, size=20.0, descriptions=NAMES)
    before, after = open_epoch([fine]), open_epoch([coarse])
    for dates in ((before, after), (after, before)):
        grid = default_grid(*dates)
        assert (grid.crs, grid.x_resolution) == ("EPSG:32650", 20.0)
        bands = common_bands(*dates)
        assert bands == NAMES[:4]
        extent = pair_extent(*dates, grid)
        with PairReader(*dates, grid, bands=bands) as reader:
            block = reader.read(extent)
            for tile in plan_tiles(extent, 37):
                part = reader.read(tile.extent)
                here = tile.extent.slices_in(extent)
                np.testing.assert_array_equal(part.before, block.before[(slice(None), *here)])
                np.testing.assert_array_equal(part.after, block.after[(slice(None), *here)])
        turned = block.before if dates[0] is before else block.after
        r, c = np.mgrid[extent.row0 : extent.row1, extent.col0 : extent.col1]
        x, y = grid.xy(r + 0.5, c + 0.5)
        expected = 0.3 + (x - 500_000) * 1e-4 - (y - 4_000_000) * 5e-5
        assert block.valid.sum() > 0.8 * 400 * 420 / 16
        np.testing.assert_allclose(turned[0][block.valid], expected[block.valid], atol=2e-4)
    checks = gate_report(
        before, after, bands=bands, overlap_percent=100.0, valid_percent=100.0,
        resolution_ratio=resolution_ratio(before, after, grid),
        found=Registration(0, 0, 0, 0, 0.0), left=Registration(0, 0, 0, 0, 0.0),
    )  # fmt: skip
    named = {check.name: check for check in checks}
    assert named["common bands"].detail == "blue, green, red, nir"
    assert math.isclose(named["resolution"].value or 0.0, 1.0, rel_tol=1e-3)
