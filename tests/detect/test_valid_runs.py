"""What no run covers is covered by boxes, every pixel once."""

import numpy as np
import pytest

from detect.valid_runs import hidden_boxes, mask_runs
from tiles.grid import Extent


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_boxes_are_the_complement(share):
    extent = Extent(-7, 100, 33, 153)
    valid = np.random.default_rng(int(100 * share)).random(extent.shape) < share
    valid[10:20, 20:40] = False
    boxes = hidden_boxes(mask_runs(valid, extent), extent)
    count = np.zeros(extent.shape, int)
    for row0, col0, row1, col1 in boxes:
        assert row1 > row0
        assert col1 > col0
        count[row0 + 7 : row1 + 7, col0 - 100 : col1 - 100] += 1
    np.testing.assert_array_equal(count, ~valid)


def test_a_block_is_one_box():
    extent = Extent(0, 0, 30, 30)
    valid = np.ones(extent.shape, np.bool_)
    valid[5:12, 8:20] = False
    assert hidden_boxes(mask_runs(valid, extent), extent).tolist() == [[5, 8, 12, 20]]
