"""Radiometry: the line of the unchanged land is found, whatever changed."""

import numpy as np
import pytest

from detect.normalise import apply_radiometry, fit_radiometry, fit_radiometry_samples
from tests.detect.invented import block_of, cells_of, changed_pair


def test_gain_and_offset_are_found_in_spite_of_change():
    before, _, truth = changed_pair((120, 120), 4)
    rng = np.random.default_rng(0)
    gain, offset = np.array([0.5, 2, 1.3, 40]), np.array([0.1, -0.2, 0, 3.0])
    after = (before + rng.normal(0, 0.003, before.shape) - offset[:, None, None]) / gain[
        :, None, None
    ]
    after[:, truth] *= 3
    radiometry = fit_radiometry([block_of(before, after)])
    np.testing.assert_allclose(radiometry.gain, gain, rtol=0.02)
    block = apply_radiometry(block_of(before, after), radiometry)
    assert np.median(np.abs(block.after - before)[:, ~truth]) < 0.004


def test_swapping_the_dates_inverts_the_line():
    before, after, _ = changed_pair((80, 80), 3)
    samples = [d.reshape(3, -1).T.astype(np.float64) for d in (before, after)]
    there, back = fit_radiometry_samples(*samples), fit_radiometry_samples(*samples[::-1])
    np.testing.assert_allclose(there.gain * back.gain, 1, rtol=0.02)


def test_the_answer_does_not_depend_on_the_order_of_the_cells():
    before, after, _ = changed_pair((300, 300), 2)
    cells = cells_of(block_of(before, after), 0)
    first, second = fit_radiometry(cells), fit_radiometry(cells[::-1])
    assert first.gain.tobytes() == second.gain.tobytes()
    assert first.offset.tobytes() == second.offset.tobytes()


def test_invalid_pixels_stay_zero():
    before, after, _ = changed_pair((60, 60), 2)
    valid = np.random.default_rng(1).random((60, 60)) > 0.4
    block = block_of(before, after, valid)
    out = apply_radiometry(block, fit_radiometry([block]))
    assert out.after.dtype == np.float32
    assert (out.after[:, ~valid] == 0).all()


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_constant_bands_and_tiny_samples(value):
    rng = np.random.default_rng(0)
    flat, rough = np.full((500, 1), value), rng.normal(size=(500, 1))
    both = np.hstack([flat, rough])
    radiometry = fit_radiometry_samples(both, both + 1)
    np.testing.assert_allclose(radiometry.gain * (both + 1) + radiometry.offset, both, atol=1e-6)
    nothing = fit_radiometry_samples(both[:5], both[:5])
    assert nothing.pixels == 0
    np.testing.assert_array_equal(nothing.gain, 1)


def test_a_band_that_runs_the_other_way_is_matched_by_spread():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(2000, 1))
    radiometry = fit_radiometry_samples(first, -3 * first)
    assert radiometry.gain[0] == pytest.approx(1 / 3, rel=0.1)
