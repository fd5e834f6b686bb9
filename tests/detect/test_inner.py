"""Windows that reach over the rim of a component do not tell how even its ground is."""

import numpy as np
import pytest
from scipy import ndimage

from detect.components import join
from detect.inner import REACH, lie_inside
from detect.member_values import STEPS, VALUES
from detect.patches import smooth_shares
from detect.score import Scores
from detect.tile_runs import label_tile
from tiles.grid import Extent

AREA = Extent(-20, 300, 44, 364)


def joined(mask: np.ndarray, even: np.ndarray, side: int):
    """Join tiles of a side whose members are even where a mask says so."""
    score = mask.astype(np.uint16) * 20_000
    tiles = []
    for row in range(0, 64, side):
        for col in range(0, 64, side):
            window = (slice(row, row + side), slice(col, col + side))
            core = Extent(row - 20, col + 300, row + side - 20, col + side + 300)
            scores = Scores(score[window], mask[window], mask[window])
            tile = label_tile(scores, core, AREA, floor_px=1)
            values = np.zeros((len(tile.members), len(VALUES)), np.int32)
            at = tile.members.row + 20, tile.members.col - 300
            values[:, -1] = np.where(even[at], STEPS, 0)
            tiles.append(tile.with_values(values))
    return join(tiles, floor_px=1, large_px=1)


@pytest.mark.parametrize("side", [64, 32])
def test_only_windows_inside_count_however_the_area_is_tiled(side: int):
    rng = np.random.default_rng(4)
    mask = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3) > 0.02
    even = rng.random((64, 64)) < 0.5
    found = joined(mask, even, side)
    [(_, members)] = found.large.batches()
    at = members.row + 20, members.col - 300
    # a component as a whole is surrounded by what is not changed, so the mask alone tells
    inside = ndimage.binary_erosion(mask, np.ones((2 * REACH + 1,) * 2))[at]
    runs = found.row, found.first, found.last, found.comp
    np.testing.assert_array_equal(lie_inside(runs, members), inside)
    assert inside.any()
    shares = smooth_shares(found)
    for comp in range(len(found)):
        mine = inside & (members.comp == comp)
        expected = even[at][mine].mean() if mine.any() else np.nan
        assert shares[comp] == pytest.approx(expected, nan_ok=True)
