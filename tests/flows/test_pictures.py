"""Pictures of clues: one pass over the images, the first by priority, the patch marked on both."""

import io
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
from PIL import Image

from flows.pictures import BLOCK, LEAST_PX, first_by_priority, in_image_order, thumbnails
from tests.flows.minicounty import CRS, box, paint, write_image
from tiles.chips import ChipCutter
from tiles.grid import AnalysisGrid
from tiles.reader import default_grid
from tiles.sensors import open_epoch


@pytest.fixture
def tables():
    """Three clues in ledger order; the second and the third come first by priority."""
    clues = gpd.GeoDataFrame(
        {"clue_no": ["A1", "A2", "A3"], "priority": [1, 4, 4]},
        geometry=[box(60, 60, 30, 50), box(10, 150, 2, 3), box(10, 10, 60, 12)],
        crs=CRS,
    )
    return SimpleNamespace(clues=clues)


def test_pictures_are_cut_block_by_block():
    grid = AnalysisGrid(CRS, 10.0, 10.0)
    step = BLOCK * 10.0
    frames = {
        f"{row}{col}{i}": (x, y, x + 100, y + 100)
        for i in range(2)
        for row in range(2)
        for col in range(2)
        for x, y in [(col * step + 300 + 50 * i, -row * step - 500)]
    }
    order = in_image_order(dict(reversed(frames.items())), grid)
    assert order == ["000", "001", "010", "011", "100", "101", "110", "111"]


def test_thumbnails_show_the_first_by_priority(tables, tmp_path: Path):
    cover = np.zeros((192, 192), np.uint8)
    for name, date in (("a_20240101.tif", 0), ("b_20250101.tif", 1)):
        write_image(tmp_path / name, paint(cover, date))
    before, after = (open_epoch([tmp_path / n]) for n in ("a_20240101.tif", "b_20250101.tif"))
    assert first_by_priority(tables, 2) == ["A2", "A3"]
    with ChipCutter(before, after, default_grid(before, after), least_px=LEAST_PX) as cutter:
        made = thumbnails(cutter, tables, first=2, side_px=128)
        again = thumbnails(cutter, tables, first=2, side_px=128)
    assert list(made) == ["A2", "A3"]
    assert made == again
    for name, (wide, high) in (("A2", (12, 8)), ("A3", (11.6, 58.2))):
        for picture in made[name]:
            marked = _marked(Image.open(io.BytesIO(picture)))
            for x, y in ((-wide / 2, 0), (wide / 2, 0), (0, -high / 2), (0, high / 2)):
                near = marked[round(62 + y) : round(67 + y), round(62 + x) : round(67 + x)]
                assert near.any(), (name, x, y)
            assert marked.mean() < 0.05


def _marked(picture):
    """Return the pixels that have the colour of the outline."""
    assert picture.size == (128, 128)
    red, green, blue = np.asarray(picture, np.int32).transpose(2, 0, 1)
    return (red > 215) & (green > 180) & (blue < 90)
