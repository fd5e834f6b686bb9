"""Segments in the manner of CCDC: real and invented breaks, one state however it is reached."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from configs.errors import InputError
from detect.series import SeriesSettings, SeriesState, fit_series, series_breaks
from tests.detect.invented_breaks import invented_breaks, scores
from tests.detect.invented_series import followed, invented
from tests.detect.test_monitors import EDGES

EPOCH = dt.date(1970, 1, 1).toordinal()

REACHED_OF_REAL = 5
"""Breaks of eight within two observations. Two of the eight are two observations apart, which no
model of twelve observations can tell."""


def breaks_of(state):
    days = state.arrays["breaks"]
    return [[int(d) for d in pixel if d] for pixel in days.reshape(-1, days.shape[2])]


def test_breaks_of_a_real_pixel_are_those_of_the_reference(data_dir):
    folder = data_dir / "pyccd_pixels"
    table = np.loadtxt(folder / "test_3657_3610_observations.csv", delimiter=",")
    _, order = np.unique(table[:, 0], return_index=True)
    table = table[order]
    days = table[:, 0].astype(np.int64) - EPOCH
    clear = np.isin(table[:, 8], (0, 1)) & np.all((table[:, 1:8] > 0) & (table[:, 1:8] < 1e4), 1)
    values = np.ascontiguousarray(table[:, 2:7, None, None]).astype(np.float32)
    state = fit_series(days, values, clear[:, None, None], method="ccdc", harmonics=3, trend=True)
    # its days are those of MATLAB, 366 after the proleptic ordinals of the observations
    spans = np.unique(
        np.loadtxt(folder / "test_3657_3610_coefficients.csv", delimiter=",")[:, :2], axis=0
    )
    spans = spans.astype(np.int64) - 366 - EPOCH
    assert np.isin(spans, days).all()
    whole = spans[spans[:, 0] < spans[:, 1]]
    ends = whole[:-1, 1].tolist()
    # one observation alone stands between two segments: the change after it is listed too
    ends.insert(6, int(whole[6, 0]))
    assert len(ends) == 8
    dates = days[clear]
    found = np.searchsorted(dates, breaks_of(state)[0])
    near = np.abs(np.searchsorted(dates, ends)[:, None] - found) <= 2
    one_to_one = linear_sum_assignment(near, maximize=True)
    assert np.count_nonzero(near[one_to_one]) >= REACHED_OF_REAL
    assert found.size <= 8


def test_invented_breaks_are_found():
    reached, false = [], []
    for seed in range(1, 6):
        days, values, valid, truth = invented_breaks(200, seed=seed)
        state = fit_series(days, values, valid, method="ccdc", harmonics=3, trend=True)
        found = breaks_of(state)
        reached.append(scores(found, truth)[2])
        false.append(sum(len(f) for f, t in zip(found, truth, strict=True) if not t))
    assert np.mean(reached) >= 0.8, reached
    assert max(false) <= 10


def test_a_series_taken_in_date_by_date_ends_in_the_same_state(tmp_path):
    days, values, valid, _ = invented_breaks(12, seed=2)
    whole = fit_series(days, values, valid, method="ccdc", harmonics=3, trend=True)
    cut = 30
    state = fit_series(
        days[:cut], values[:cut], valid[:cut], method="ccdc", harmonics=3, trend=True
    )
    state.save(tmp_path / "state.npz")
    state = SeriesState.load(tmp_path / "state.npz")
    state = followed(state, days[cut:], values[cut:], valid[cut:])
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(state.arrays[name], array, err_msg=name)
    alone = fit_series(
        days, values[..., 3:5], valid[..., 3:5], method="ccdc", harmonics=3, trend=True
    )
    for name, array in alone.arrays.items():
        np.testing.assert_array_equal(array, whole.arrays[name][:, 3:5], err_msg=name)


def test_the_model_is_that_of_least_squares():
    days = np.arange(16_000, 17_500, 16, dtype=np.int64)
    values, valid = invented(days, (1, 3), bands=2, seed=3)
    plan = SeriesSettings(alpha=1e-9)
    state = fit_series(days, values, valid, method="ccdc", harmonics=2, trend=True, settings=plan)
    for x in range(3):
        count = state.arrays["fitted"][0, x]
        start = state.arrays["start"][0, x]
        used = np.flatnonzero(valid[:, 0, x])
        used = used[days[used] >= start][:count]
        angle = 2 * np.pi * days[used, None] / 365.25 * np.array([1, 2])
        waves = np.stack([np.cos(angle), np.sin(angle)], axis=2).reshape(used.size, 4)
        slope = (days[used, None] - start) / 365.25
        design = np.hstack([np.ones((used.size, 1)), waves, slope])
        for b in range(2):
            beta, rest, *_ = np.linalg.lstsq(design, values[used, b, 0, x].astype(float))
            np.testing.assert_allclose(state.arrays["coefficients"][0, x, b], beta, atol=1e-5)
            sigma = np.sqrt(rest[0] / (used.size - 6))
            assert state.arrays["sigma"][0, x, b] == pytest.approx(sigma, rel=1e-4)


def test_a_running_change_is_told_before_it_is_confirmed():
    days = np.arange(16_000, 17_500, 16, dtype=np.int64)
    values, valid = invented(days, (1, 1), clear=1.0, bands=2, seed=4)
    values[80:, 0] -= 0.4
    state = fit_series(days[:80], values[:80], valid[:80], method="ccdc")
    running = series_breaks(followed(state, days[80:83], values[80:83], valid[80:83]))
    assert (running.first_seen[0, 0], running.confirmed[0, 0]) == (days[80], 0)
    assert 0 < running.confidence[0, 0] < 100
    told = series_breaks(followed(state, days[80:86], values[80:86], valid[80:86]))
    assert (told.first_seen[0, 0], told.confirmed[0, 0]) == (days[80], days[85])
    assert told.magnitude[0, 0] == pytest.approx(-0.4, abs=0.05)
    assert told.confidence[0, 0] == 100


def test_too_many_confirmations_are_refused():
    days = np.arange(16_000, 16_100, 16, dtype=np.int64)
    values, valid = invented(days, (1, 1))
    with pytest.raises(InputError, match="in a row"):
        fit_series(days, values, valid, method="ccdc", settings=SeriesSettings(confirm=25))


@settings(max_examples=60, deadline=None)
@given(
    two=st.tuples(EDGES, EDGES),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    clear=st.sampled_from([0.0, 0.3, 1.0]),
    dates=st.integers(1, 90),
    step=st.sampled_from([1, 16, 365]),
    shape=st.sampled_from([(1, 1), (2, 2), (0, 2)]),
    harmonics=st.integers(0, 4),
    trend=st.booleans(),
)
def test_degenerate_series_give_finite_answers(
    two, share, clear, dates, step, shape, harmonics, trend
):
    rng = np.random.default_rng(5)
    days = 16_000 + step * np.arange(dates + 8, dtype=np.int64)
    size = (days.size, 2, *shape)
    values = np.where(rng.random(size) < share, two[0], two[1]).astype(np.float32)
    valid = rng.random((days.size, *shape)) < clear
    state = fit_series(
        days[:dates],
        values[:dates],
        valid[:dates],
        method="ccdc",
        harmonics=harmonics,
        trend=trend,
    )
    state = followed(state, days[dates:], values[dates:], valid[dates:])
    for name, array in state.arrays.items():
        assert np.all(np.isfinite(array)), name
    breaks = series_breaks(state)
    assert np.all((breaks.confirmed == 0) | (breaks.confirmed > breaks.first_seen))
    assert np.all(breaks.confidence <= 100)
