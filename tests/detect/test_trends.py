"""Trend of a series: right slope, rare false alarms, a step told from a slope."""

import numpy as np
import pytest
from scipy.stats import kendalltau, theilslopes

from detect.trends import fit_season, is_step, monthly_medians, trend_of


def series(rng: np.random.Generator, slope: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    days = np.sort(rng.choice(np.arange(16_000, 17_500), 70, replace=False)).astype(np.int64)
    season = 0.5 + 0.2 * np.sin(2 * np.pi * days / 365.25)
    return days, season + slope * (days - 16_000) / 365.25 + rng.normal(0, 0.04, 70)


def test_slope_and_score_are_those_of_scipy():
    days, values = series(np.random.default_rng(1), -0.03)
    season = fit_season(days, values, 2)
    years, middles = monthly_medians(days, values - season.wave(days))
    found = trend_of(days, values, season)
    assert found.slope == pytest.approx(theilslopes(middles, years).slope, abs=1e-7)
    assert found.months == len(years)
    # without ties and autocorrelation both use the same normal approximation but for continuity
    assert found.p == pytest.approx(kendalltau(years, middles).pvalue, abs=0.01)


def test_a_trend_is_found_and_none_is_rarely_found():
    rng = np.random.default_rng(2)
    false = sum(_trend(*series(rng)).p < 0.05 for _ in range(100))
    found = [_trend(*series(rng, -0.05)) for _ in range(20)]
    assert false <= 10
    assert all(t.p < 0.01 for t in found)
    assert np.mean([t.slope for t in found]) == pytest.approx(-0.05, abs=0.005)


def test_a_step_is_told_from_a_slope():
    rng = np.random.default_rng(3)
    days, values = series(rng)
    assert is_step(days, values - 0.3 * (days > 17_000), 17_001, 2)
    days, values = series(rng, -0.1)
    assert not is_step(days, values, 17_001, 2)


def test_few_or_equal_values_have_no_trend():
    days = np.arange(16_000, 16_100, 20, dtype=np.int64)
    assert np.isnan(_trend(days, np.full(5, 0.4)).slope)
    days = np.arange(16_000, 17_000, 15, dtype=np.int64)
    assert _trend(days, np.full(len(days), 0.4)).p == 1.0


def _trend(days, values):
    return trend_of(days, values, fit_season(days, values, 2))
