"""The sample that tells whether an offset is in the pixels."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from tiles.offsets import DARK_PERCENT, WIDE_PERCENT, WINDOW_PX, WINDOWS, darkest
from tiles.scene import BandSource

HEIGHT, WIDTH = 700, 900


@pytest.mark.parametrize("blocks", [{}, {"tiled": True, "blockxsize": 64, "blockysize": 64}])
def test_the_sample_is_the_same_however_the_file_is_cut(tmp_path: Path, blocks):
    pixels = np.random.default_rng(0).integers(1, 60_000, (2, HEIGHT, WIDTH)).astype(np.uint16)
    place = {"crs": "EPSG:32650", "transform": Affine(10, 0, 5e5, 0, -10, 4e6)}
    shape = {"count": 2, "height": HEIGHT, "width": WIDTH, "dtype": "uint16"}
    with rasterio.open(path := tmp_path / "a.tif", "w", **shape, **place, **blocks) as out:
        out.write(pixels)
        assert out.block_shapes[0][1] == blocks.get("blockxsize", WIDTH)
    middles = (np.arange(WINDOWS) + 0.5) / WINDOWS
    starts = [((side - WINDOW_PX) * middles).astype(int) for side in (HEIGHT, WIDTH)]
    rows, cols = ((at[:, None] + np.arange(WINDOW_PX)).ravel() for at in starts)
    found = darkest([BandSource(path, index) for index in (1, 2)])
    for band, told in zip(pixels[:, rows][:, :, cols], found, strict=True):
        assert told == tuple(np.percentile(band, (DARK_PERCENT, WIDE_PERCENT)))
