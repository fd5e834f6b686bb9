"""Marks of a monitor as scores: the same pixels whatever the tile, none where a date is hidden."""

import numpy as np
import pytest

from detect.marks import MarkState, marked_scores
from detect.score import STRONG
from detect.valid_runs import mask_runs
from tiles.block import Block
from tiles.grid import Extent

AREA = Extent(40, 70, 60, 100)


def _block(extent: Extent, hidden: np.ndarray) -> Block:
    rows, cols = np.arange(extent.row0, extent.row1), np.arange(extent.col0, extent.col1)
    valid = ~hidden[np.ix_(rows - AREA.row0, cols - AREA.col0)]
    bands = np.zeros((1, *extent.shape), np.float32)
    source = np.zeros((2, *extent.shape), np.uint8)
    return Block(extent, extent, ("red",), bands, bands, valid, source)


@pytest.mark.parametrize("side", [7, 20, 64])
def test_tiles_together_show_every_mark_that_is_usable(side: int):
    rng = np.random.default_rng(side)
    mask, hidden = rng.random(AREA.shape) < 0.3, rng.random(AREA.shape) < 0.2
    runs = mask_runs(mask, AREA)
    state = MarkState.of(runs, np.full(len(runs[0]), 50), "forest v0001")
    seen = np.zeros(AREA.shape, bool)
    for row in range(AREA.row0, AREA.row1, side):
        for col in range(AREA.col0, AREA.col1, side):
            core = Extent(row, col, min(row + side, AREA.row1), min(col + side, AREA.col1))
            scores = marked_scores(state, _block(core, hidden))
            place = (
                slice(core.row0 - AREA.row0, core.row1 - AREA.row0),
                slice(core.col0 - AREA.col0, core.col1 - AREA.col0),
            )
            seen[place] = scores.strong
            assert set(np.unique(scores.score)) <= {0, STRONG * 3 // 2}
    assert np.array_equal(seen, mask & ~hidden)
    assert state.pixels == mask.sum()


def test_nothing_marked_is_not_the_same_as_no_monitor():
    none = tuple(np.empty(0, np.int64) for _ in range(3))
    assert MarkState.of(none, np.empty(0, np.int64), "forest v0002").is_there
    assert not MarkState.none().is_there
