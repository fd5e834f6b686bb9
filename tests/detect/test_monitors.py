"""EWMA, CUSUM, MOSUM against plain NumPy, published values, and degenerate inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from detect.critical import cusum_critical, mosum_critical, recursive_critical
from detect.harmonics import harmonic_design
from detect.series import SeriesSettings, fit_series, series_breaks
from tests.detect.invented_series import DAYS, followed, invented

ALL = SeriesSettings(history="all")


def reference_fit(days, values, used, harmonics, trend, origin):
    """Return coefficients and standard error of one pixel by QR."""
    angle = 2 * np.pi * np.outer(days / 365.25, np.arange(1, harmonics + 1))
    waves = np.stack([np.cos(angle), np.sin(angle)], axis=2).reshape(days.size, -1)
    slope = ((days - origin) / 365.25)[:, None][:, : int(trend)]
    design = np.hstack([np.ones((days.size, 1)), slope, waves])
    beta = np.linalg.lstsq(design[used], values[used].astype(np.float64), rcond=None)[0]
    left = values - design @ beta
    sigma = np.sqrt(np.sum(left[used] ** 2) / (used.sum() - beta.size))
    return design, beta, sigma, left / sigma


@pytest.mark.parametrize(("harmonics", "trend"), [(0, False), (1, True), (2, False), (3, True)])
def test_the_model_is_that_of_least_squares(harmonics, trend):
    values, valid = invented(DAYS, (3, 70), seed=1)
    state = fit_series(
        DAYS, values, valid, method="ewma", harmonics=harmonics, trend=trend, settings=ALL
    )
    for y, x in [(0, 0), (1, 63), (2, 69)]:
        _, beta, sigma, _ = reference_fit(
            DAYS, values[:, 0, y, x], valid[:, y, x], harmonics, trend, state.origin
        )
        np.testing.assert_allclose(state.arrays["coefficients"][:, y, x], beta, atol=1e-6)
        assert state.arrays["sigma"][y, x] == pytest.approx(sigma, rel=1e-6)
        assert state.arrays["count"][y, x] == valid[:, y, x].sum()


def test_clouds_left_in_the_history_do_not_move_the_model():
    clean, valid = invented(DAYS, (20, 20), seed=2)
    rng = np.random.default_rng(3)
    cloudy = clean - 0.6 * (rng.random(clean.shape) < 0.15).astype(np.float32)
    right = fit_series(DAYS, clean, valid, method="ewma", settings=ALL)
    robust = fit_series(DAYS, cloudy, valid, method="ewma")
    pulled = fit_series(DAYS, cloudy, valid, method="ewma", settings=ALL)

    def error(state):
        return np.abs(state.arrays["coefficients"] - right.arrays["coefficients"]).max(axis=0)

    assert np.quantile(error(robust), 0.99) < 0.01 < 0.03 < np.quantile(error(pulled), 0.01)
    ratio = robust.arrays["sigma"] / right.arrays["sigma"]
    assert 0.85 < np.quantile(ratio, 0.01) < np.quantile(ratio, 0.99) < 1.1


def reference_screen(design, y, limit):
    """Return what a fit of falling weights keeps of one pixel, in float64."""
    w, scale = np.ones(y.size), 0.0
    for turn in range(5):
        root = np.sqrt(w)
        r = y - design @ np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        if turn in (0, 3, 4):
            scale = 1.4826 * np.median(np.abs(r))
        u = np.abs(r) / scale
        w = 0.2 / np.maximum(u, 0.2) if turn < 3 else np.maximum(1 - (u / 4.685) ** 2, 0) ** 2
    return u <= limit


def test_screening_is_that_of_float64():
    values, valid = invented(DAYS, (4, 70), seed=10)
    rng = np.random.default_rng(11)
    values -= 0.5 * (rng.random(values.shape) < 0.2).astype(np.float32)
    values[:, :, 1] += 30_000  # float32 leaves 0.002 of it
    state = fit_series(DAYS, values, valid, method="ewma", settings=SeriesSettings(clip=5.0))
    design = harmonic_design(DAYS, 2, trend=False, origin=0)
    apart = []
    for y, x in np.ndindex(4, 70):
        used = valid[:, y, x]
        kept = reference_screen(design[used], values[used, 0, y, x].astype(np.float64), 5.0)
        apart.append(int(state.arrays["count"][y, x]) - int(kept.sum()))
    # the scale is known to 1 part in 32, so an observation at the limit may fall either way
    assert np.mean(np.array(apart) != 0) < 0.02


def test_the_unit_of_the_values_does_not_matter():
    values, valid = invented(DAYS, (3, 70), seed=12)
    one = fit_series(DAYS, values, valid, method="ewma").arrays
    for factor in (np.float32(2.0**60), np.float32(2.0**-60)):
        other = fit_series(DAYS, values * factor, valid, method="ewma").arrays
        np.testing.assert_array_equal(other["count"], one["count"])
        np.testing.assert_array_equal(other["sigma"], one["sigma"] * factor)
        np.testing.assert_array_equal(other["coefficients"], one["coefficients"] * factor)


@pytest.mark.parametrize("method", ["ewma", "cusum", "mosum"])
def test_the_process_is_that_of_the_books(method):
    values, valid = invented(DAYS, (2, 3), seed=4)
    values[100:, 0, 1, 1] -= 0.2
    plan = SeriesSettings(history="all", clip=1e6, confirm=1000)
    cut = 90
    state = fit_series(DAYS[:cut], values[:cut], valid[:cut], method=method, settings=plan)
    after = followed(state, DAYS[cut:], values[cut:], valid[cut:])
    for y, x in np.ndindex(2, 3):
        one, used = values[:, 0, y, x], valid[:, y, x]
        _, beta, sigma, _ = reference_fit(DAYS[:cut], one[:cut], used[:cut], 2, False, 0)
        whole = harmonic_design(DAYS, 2, trend=False, origin=0)
        z = ((one - whole @ beta) / sigma)[used]
        n, total = used[:cut].sum(), used.sum()
        if method == "ewma":
            expected = 0.0
            for value in z:
                expected = 0.7 * expected + 0.3 * value
            limit = 3 * np.sqrt(0.3 / 1.7)
        elif method == "cusum":
            expected = z[n:].sum()
            t = total / n
            limit = np.sqrt(n) * np.sqrt(t * (t - 1) * (7.78 + np.log(t / (t - 1))))
        else:
            expected = z[-int(0.25 * n) :].sum()
            limit = np.sqrt(n) * 1.34182 * np.sqrt(2)
        assert after.arrays["process"][y, x] == pytest.approx(expected, abs=2e-4)
        running = after.arrays["run"][y, x] != 0
        assert not running or abs(expected) > 0.999 * limit
    assert after.arrays["run"][1, 1] < -2


def test_critical_values_are_the_published_ones():
    # Brown, Durbin, Evans 1975, table of a; Chu, Stinchcombe, White 1996, a² of the boundary
    for alpha, value in ((0.10, 0.850), (0.05, 0.948), (0.01, 1.143)):
        assert recursive_critical(alpha) == pytest.approx(value, abs=5e-4)
    for alpha, square in ((0.10, 6.25), (0.05, 7.78)):
        # the equation gives 7.81 where the paper prints 7.78
        assert cusum_critical(alpha) ** 2 == pytest.approx(square, abs=0.04)
    assert mosum_critical(0.05, 0.25) == 1.34182
    assert mosum_critical(0.05, 0.5) < mosum_critical(0.03, 0.5) < mosum_critical(0.02, 0.5)
    with pytest.raises(InputError, match="no critical value"):
        mosum_critical(0.2, 0.25)


@pytest.mark.parametrize("window", [0.25, 0.5, 1.0])
def test_critical_values_of_mosum_hold_on_simulated_walks(window):
    rng, n = np.random.default_rng(5), 400
    largest = []
    for _ in range(8):
        walk = np.cumsum(rng.standard_normal((500, 10 * n)) / np.sqrt(n), axis=1)
        t = np.arange(1, 10 * n + 1) / n
        bridge = walk - t * walk[:, [n - 1]]
        sums = bridge[:, n:] - bridge[:, n - int(window * n) : -int(window * n)]
        bound = np.sqrt(2 * np.maximum(np.log(t[n:]), 1))
        largest.append(np.max(np.abs(sums) / bound, axis=1))
    share = np.mean(np.concatenate(largest) > mosum_critical(0.05, window))
    # a walk in steps stays a little below the continuous one that the table is of
    assert 0.03 < share < 0.06


@pytest.mark.parametrize(("method", "most"), [("cusum", 0.06), ("mosum", 0.06)])
def test_false_signals_are_as_rare_as_told(method, most):
    days = np.arange(15_000, 19_800, 16, dtype=np.int64)
    values, valid = invented(days, (40, 50), seed=6, clear=1.0)
    plan = SeriesSettings(history="all", confirm=1, clip=20)
    state = fit_series(days[:150], values[:150], valid[:150], method=method, settings=plan)
    breaks = series_breaks(followed(state, days[150:], values[150:], valid[150:]))
    assert np.mean(breaks.confirmed > 0) < most


def reference_start(design, values):
    """Return the observation at which the stable history starts, newest first worked out."""
    x, y = design[::-1], values[::-1].astype(np.float64)
    first = next(
        k
        for k in range(x.shape[1], len(y))
        if all(
            np.linalg.lstsq(x[:k, :i], x[:k, i], rcond=None)[1:2] is not None
            and np.sum((x[:k, i] - x[:k, :i] @ np.linalg.lstsq(x[:k, :i], x[:k, i])[0]) ** 2)
            > 1e-4 * np.sum(x[:k, i] ** 2)
            for i in range(x.shape[1])
        )
    )
    w = []
    for k in range(first, len(y)):
        beta = np.linalg.lstsq(x[:k], y[:k], rcond=None)[0]
        spread = 1 + x[k] @ np.linalg.inv(x[:k].T @ x[:k]) @ x[k]
        w.append((y[k] - x[k] @ beta) / np.sqrt(spread))
    total = np.cumsum(w) / (np.std(w, ddof=1) * np.sqrt(len(w)))
    out = np.abs(total) > 0.9479 * (1 + 2 * np.arange(1, len(w) + 1) / len(w))
    return len(y) - first - int(np.argmax(out)) if out.any() else 0


def test_the_stable_history_starts_after_its_last_break():
    values, valid = invented(DAYS, (3, 4), seed=7)
    values[:60, 0, 1] += 0.25
    plan = SeriesSettings(history="stable", clip=1e6)
    state = fit_series(DAYS, values, valid, method="cusum", settings=plan)
    design = harmonic_design(DAYS, 2, trend=False, origin=0)
    for y, x in np.ndindex(3, 4):
        used = valid[:, y, x]
        start = reference_start(design[used], values[used, 0, y, x])
        assert state.arrays["count"][y, x] == used.sum() - start
    assert np.all(state.arrays["count"][1] < valid[:, 1].sum(axis=0) - 20)


EDGES = st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e-30, 65535.0, 3e38, -3e38, np.nan, np.inf])


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(["ewma", "cusum", "mosum"]),
    two=st.tuples(EDGES, EDGES),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    clear=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
    dates=st.integers(1, 60),
    step=st.sampled_from([1, 16, 365]),
    shape=st.sampled_from([(1, 1), (2, 3), (0, 2)]),
    history=st.sampled_from(["all", "robust", "stable"]),
)
def test_degenerate_series_give_finite_answers(
    method, two, share, clear, dates, step, shape, history
):
    rng = np.random.default_rng(8)
    days = 16_000 + step * np.arange(dates + 8, dtype=np.int64)
    size = (days.size, 1, *shape)
    values = np.where(rng.random(size) < share, two[0], two[1]).astype(np.float32)
    valid = rng.random((days.size, *shape)) < clear
    plan = SeriesSettings(history=history)
    state = fit_series(days[:dates], values[:dates], valid[:dates], method=method, settings=plan)
    state = followed(state, days[dates:], values[dates:], valid[dates:])
    for name, array in state.arrays.items():
        assert np.all(np.isfinite(array)), name
    breaks = series_breaks(state)
    assert np.all(np.isfinite(breaks.magnitude))
    assert np.all(breaks.confidence <= 100)
    assert np.all((breaks.confirmed == 0) | (breaks.confirmed >= breaks.first_seen))
    assert np.all((breaks.first_seen == 0) == (breaks.confidence == 0))


@pytest.mark.parametrize("method", ["ewma", "cusum", "mosum"])
def test_the_answer_does_not_depend_on_how_an_image_is_cut(method):
    values, valid = invented(DAYS, (7, 150), seed=9)
    values[105:, 0, 2:5, 60:70] -= 0.2
    cut = 100

    def answer(rows, columns):
        part = (slice(None), slice(None), rows, columns)
        v, use = values[part], valid[:, rows, columns]
        state = fit_series(DAYS[:cut], v[:cut], use[:cut], method=method)
        return followed(state, DAYS[cut:], v[cut:], use[cut:]).arrays

    whole = answer(slice(None), slice(None))
    for rows, columns in [(slice(0, 3), slice(0, 150)), (slice(2, 7), slice(61, 129))]:
        part = answer(rows, columns)
        for name in ("sigma", "count", "process", "first_seen", "confirmed", "magnitude", "run"):
            np.testing.assert_array_equal(part[name], whole[name][rows, columns], err_msg=name)
        coefficients = whole["coefficients"][:, rows, columns]
        np.testing.assert_array_equal(part["coefficients"], coefficients)
