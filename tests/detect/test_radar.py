"""Radar pairs: the log-ratio by its formula, the omnibus test of a pair as that of a series."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from detect.auto import fit_change, score_block
from detect.omnibus import omnibus_test
from detect.radar import fit_radar, radar_statistic
from detect.score import change_statistic
from tests.detect.invented import block_of, cells_of

LOOKS = 4.4


def speckled(seed=0, shape=(150, 160)):
    """Return intensities of two channels at two dates, changed in a square."""
    rng = np.random.default_rng(seed)
    ground = np.exp(gaussian_filter(rng.normal(size=(2, *shape)), (0, 5, 5)) * 5)
    ground *= np.array([0.1, 0.02])[:, None, None]
    pair = [ground * rng.gamma(LOOKS, size=(2, *shape)) / LOOKS for _ in range(2)]
    truth = np.zeros(shape, np.bool_)
    truth[60:80, 70:95] = True
    pair[1][:, truth] *= 8
    return pair[0].astype(np.float32), (1.3 * pair[1]).astype(np.float32), truth


def sample(*dates):
    return [d.reshape(d.shape[0], -1).T.astype(np.float64) for d in dates]


def fit(block, method, **options):
    return fit_change(
        cells_of(block, 10),
        method=method,
        sensitivity="medium",
        target="any",
        pixel_m=10.0,
        wavelengths=(None, None),
        **options,
    )


@pytest.mark.parametrize("kind", ["intensity", "amplitude", "decibel"])
def test_values_of_any_kind_give_the_same_statistic(kind):
    before, after, _ = speckled()
    power = fit_radar(*sample(before, after))
    wanted = radar_statistic(block_of(before, after), power, 10.0)
    change = {
        "intensity": lambda v: 7 * v,
        "amplitude": lambda v: 600 * np.sqrt(v),
        "decibel": lambda v: 10 * np.log10(v) - 3,
    }[kind]
    dates = [change(d).astype(np.float32) for d in (before, after)]
    state = fit_radar(*sample(*dates))
    assert state.power == {"intensity": 1, "amplitude": 2, "decibel": 0}[kind]
    found = radar_statistic(block_of(*dates), state, 10.0)
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    np.testing.assert_allclose(state.looks, LOOKS, rtol=0.1)


def test_the_log_ratio_is_its_formula():
    before, after, _ = speckled(shape=(40, 50))
    state = fit_radar(*sample(before, after))
    found = radar_statistic(block_of(before, after), state, 1000.0)
    ratio = np.log(after.astype(float) / before)
    middle = np.median(ratio, axis=(1, 2), keepdims=True)
    spread = 1.4826 * np.median(abs(ratio - middle), axis=(1, 2), keepdims=True)
    score = np.clip((ratio - middle) / spread, -6, 6)
    taps = np.exp(-0.5 * (np.arange(-3, 4) / 0.7) ** 2)[None, :] * np.ones((2, 1))
    taps = taps[0] / taps[0].sum()
    for axis in (1, 2):
        score = np.apply_along_axis(np.convolve, axis, score, taps, "same")
    inner = slice(4, -4), slice(4, -4)
    wanted = np.sqrt((score**2).sum(axis=0))[inner]
    np.testing.assert_allclose(found[inner], wanted, rtol=1e-3, atol=1e-3)


def test_the_omnibus_statistic_of_a_pair_is_that_of_a_series_of_two():
    before, after, _ = speckled()
    state = fit_radar(*sample(before, after), omnibus=True, looks=LOOKS)
    statistic = radar_statistic(block_of(before, after), state, 10.0).astype(float)
    gain = np.exp(state.centre.astype(float))[:, None, None]
    series = np.stack([before * gain, after]).astype(np.float64)
    wanted = omnibus_test(series, [LOOKS, LOOKS])
    np.testing.assert_allclose(state.law.p_value(statistic**2), wanted, rtol=2e-3, atol=1e-9)


@pytest.mark.parametrize("looks", [None, LOOKS])
def test_the_omnibus_test_lets_through_what_it_says(looks):
    before, after, truth = speckled(shape=(400, 400))
    block = block_of(before, after, halo=10)
    state = fit(block, "omnibus", significance=1e-2, looks=looks)
    assert "omnibus test of radar intensities of 4." in state.notes[0]
    strong = score_block(block, state).strong
    assert strong[~truth].mean() == pytest.approx(1e-2, rel=0.3)
    assert strong[truth].mean() > 0.8


@pytest.mark.parametrize("threshold", ["default", "kittler", "rosin", "significance"])
def test_a_change_of_backscatter_is_found(threshold):
    before, after, truth = speckled()
    block = block_of(before, after, halo=10)
    state = fit(block, "logratio", threshold=threshold)
    scores = score_block(block, state)
    assert scores.strong[truth].mean() > 0.8
    assert scores.strong[~truth].mean() < 0.05


def test_ground_without_echo_stays_finite():
    before, after, _ = speckled()
    before[:, :20] = 0
    after[:, 30:40] = 0
    before[:, 100:] = after[:, 100:] = 0
    for method in ("logratio", "omnibus"):
        block = block_of(before, after, halo=10)
        assert np.isfinite(change_statistic(block, fit(block, method))).all()
