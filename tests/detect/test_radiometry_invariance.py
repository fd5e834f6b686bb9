"""Another gain and offset of a date change nothing: neither scores nor the places of patches."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from detect.auto import fit_change, halo_px, score_block
from detect.projections import fit_irmad, irmad_statistic
from tests.detect.invented import SIX, block_of, cells_of, landscape
from tiles.block import Block

pytestmark = pytest.mark.slow

SIZE = 420
PIXEL_M = 10.0
GAINS, OFFSETS = (0.5, 2.0), (-0.1, 0.1)


@pytest.fixture(scope="module")
def pair() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a pair with 196 places where the ground changed, some of them hardly."""
    rng = np.random.default_rng(3)
    before = landscape((SIZE, SIZE), 6, 5)
    after = 0.9 * before + 0.03 + rng.normal(0, 0.004, before.shape)
    for row, col in product(range(10, SIZE - 20, 28), repeat=2):
        height, width = rng.integers(4, 15, 2)
        colour = rng.normal(0, 1, 6)[:, None, None] * rng.uniform(0.02, 0.2)
        after[:, row : row + height, col : col + width] += colour
    return before, after.astype(np.float32)


def patches(block: Block, method: str) -> dict[tuple[int, int], NDArray[np.bool_]]:
    """Return the changed components by the first pixel, which names a patch."""
    halo = halo_px(method, PIXEL_M)
    state = fit_change(
        cells_of(block, halo),
        method=method,
        sensitivity="medium",
        target="any",
        pixel_m=PIXEL_M,
        wavelengths=SIX,
    )
    weak = score_block(block, state)
    labels, count = ndimage.label(weak.weak, np.ones((3, 3)))
    kept = [n for n in range(1, count + 1) if (weak.strong & (labels == n)).any()]
    found = {}
    for number in kept:
        rows, cols = np.nonzero(labels == number)
        if rows.size >= 4:
            found[int(rows[0]), int(cols[0])] = labels == number
    return found


def rescaled(pair: tuple[NDArray[np.float32], ...], date: int, gain: float, offset: float) -> list:
    return [gain * d + np.float32(offset) if i == date else d for i, d in enumerate(pair)]


@pytest.mark.parametrize("method", ["auto", "cva", "irmad"])
def test_patches_keep_their_places(pair, method):
    halo = halo_px(method, PIXEL_M)
    wanted = patches(block_of(*pair, halo=halo), method)
    assert len(wanted) >= 60
    for date, gain, offset in product((0, 1), GAINS, OFFSETS):
        found = patches(block_of(*rescaled(pair, date, gain, offset), halo=halo), method)
        assert len(set(wanted) & set(found)) >= 0.99 * len(wanted), (date, gain, offset)
        for place in set(wanted) & set(found):
            both = (wanted[place] & found[place]).sum()
            assert both >= 0.95 * (wanted[place] | found[place]).sum()


def test_chi_square_of_irmad_stays(pair):
    def chi_square(dates):
        samples = [d.reshape(6, -1).T.astype(np.float64) for d in dates]
        return irmad_statistic(block_of(*dates), fit_irmad(*samples)).astype(np.float64) ** 2

    wanted = chi_square(pair)
    for date, gain, offset in product((0, 1), GAINS, OFFSETS):
        found = chi_square(rescaled(pair, date, gain, offset))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=0)
