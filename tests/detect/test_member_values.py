"""Index changes at member pixels."""

import numpy as np

from configs.indices import spectral_index
from detect.component_tables import NO_VALUE
from detect.member_values import INDICES, STEPS, index_changes
from tests.detect.invented import SIX, block_of, changed_pair


def test_changes_are_those_of_the_formulas():
    before, after, _ = changed_pair((30, 40))
    valid = np.ones((30, 40), bool)
    valid[3, 4] = False
    block = block_of(before, after, valid, halo=2)
    rows, cols = np.array([2, 31, 5, 17]), np.array([2, 41, 6, 9])
    found = index_changes(block, block.after, rows, cols, SIX)
    assert found.dtype == np.int32
    _, green, red, nir, swir, _ = range(6)
    for column, (one, two) in enumerate([(nir, red), (swir, nir), (green, nir)]):
        change = [
            (d[one] - d[two]) / (d[one] + d[two])
            for d in (i[:, rows - 2, cols - 2].astype(float) for i in (before, after))
        ]
        expected = np.rint((change[1] - change[0]) * STEPS)
        expected[2] = NO_VALUE
        assert np.abs(found[:, column] - expected).max() <= 1
    assert [spectral_index(n).name for n in INDICES] == list(INDICES)


def test_indices_whose_bands_are_missing_have_no_value():
    before, after, _ = changed_pair((20, 20), bands=2)
    block = block_of(before, after)
    found = index_changes(block, block.after, np.array([3]), np.array([4]), (0.66, 0.84))
    assert found[0, 0] != NO_VALUE
    assert found[0, 1:].tolist() == [NO_VALUE] * 2
    radar = index_changes(block, block.after, np.array([3]), np.array([4]), (None, None))
    assert (radar == NO_VALUE).all()
    assert index_changes(block, block.after, rows := np.empty(0, int), rows, SIX[:2]).shape == (
        0,
        3,
    )
