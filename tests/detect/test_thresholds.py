"""Thresholds on histograms against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.filters import threshold_otsu, threshold_triangle

from detect.thresholds import (
    histogram_median,
    kittler_threshold,
    otsu_threshold,
    rosin_threshold,
)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=40).filter(lambda c: np.sum(c) > 0))
def test_otsu_maximises_the_variance_between_its_sides(counts):
    counts = np.array(counts, np.int64)
    values = np.repeat(np.arange(counts.size), counts).astype(float)

    def between(threshold):
        low, high = values[values < threshold], values[values >= threshold]
        if not low.size or not high.size:
            return -1.0
        return low.size * high.size * (low.mean() - high.mean()) ** 2 / values.size

    threshold = otsu_threshold(counts)
    best = max(between(t) for t in range(counts.size + 1))
    if best < 0:
        assert threshold == counts.nonzero()[0][-1] + 1
    else:
        assert between(threshold) == pytest.approx(best)


def test_otsu_agrees_with_scikit_image():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(60, 12, 9000), rng.normal(150, 20, 2000)]).astype(np.int64)
    counts = np.bincount(values, minlength=256)
    assert abs(otsu_threshold(counts) - threshold_otsu(values, nbins=256)) <= 1.5


@given(st.lists(st.integers(0, 99), max_size=60))
def test_the_median_of_a_histogram_is_the_lower_median(values):
    counts = np.bincount(np.array(values, np.int64), minlength=100)
    wanted = sorted(values)[(len(values) - 1) // 2] if values else 0
    assert histogram_median(counts) == wanted


def test_an_empty_histogram_splits_nothing():
    assert otsu_threshold(np.zeros(10, np.int64)) == 1


@given(st.lists(st.integers(0, 30), min_size=2, max_size=30).filter(lambda c: np.sum(c) > 0))
def test_kittler_illingworth_makes_the_fewest_errors(counts):
    counts = np.array(counts, np.int64)
    values = np.repeat(np.arange(counts.size), counts).astype(float)

    def cost(threshold):
        total = 0.0
        for side in (values[values < threshold], values[values >= threshold]):
            share = side.size / values.size
            if share > 0:
                total += share * (np.log(side.var() + 1 / 12) - 2 * np.log(share))
        return total

    top = int(counts.nonzero()[0][-1]) + 1
    found = kittler_threshold(counts)
    assert 0 < found <= top
    assert cost(found) == pytest.approx(min(cost(t) for t in range(1, top + 1)), abs=1e-9)


def test_kittler_illingworth_finds_the_border_of_two_gaussians_of_unequal_size():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(60, 10, 98_000), rng.normal(130, 15, 2000)])
    counts = np.bincount(values.astype(np.int64), minlength=256)
    # Where both densities times their share are equal.
    assert abs(kittler_threshold(counts) - 95) <= 3


def test_rosin_agrees_with_the_triangle_of_scikit_image():
    rng = np.random.default_rng(0)
    values = np.minimum(rng.exponential(12, 40_000), 255).astype(np.int64)
    counts = np.bincount(values, minlength=256)
    found = rosin_threshold(counts)
    assert abs(found - threshold_triangle(values, nbins=256)) <= 1.5
    peak, end = int(np.argmax(counts)), int(np.flatnonzero(counts)[-1])
    line = np.array([end - peak, counts[end] - counts[peak]], float)

    def distance(b):
        return abs(line[0] * (counts[b] - counts[peak]) - line[1] * (b - peak))

    assert found == max(range(peak, end + 1), key=distance)


@pytest.mark.parametrize("split", [kittler_threshold, rosin_threshold])
def test_histograms_that_cannot_be_split(split):
    assert split(np.zeros(10, np.int64)) == 1
    assert split(np.bincount([4] * 9, minlength=10)) == 5
    assert split(np.array([5, 4, 3, 2, 1])) in range(1, 6)
