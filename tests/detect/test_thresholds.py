"""Thresholds on histograms against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.filters import threshold_otsu

from detect.thresholds import histogram_median, otsu_threshold


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
