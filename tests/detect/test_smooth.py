"""Windows: equal to SciPy, and the same bits wherever the array begins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.ndimage import convolve1d, uniform_filter

from detect.kernels.smooth import box_means, box_row, fir_smooth, product_rows
from detect.kernels.windows import lost_correlation, window_variance


def random_plane(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("radius", [1, 2, 3, 6, 9])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (33, 5), (30, 41)])
def test_fir_smooth_is_a_zero_padded_convolution(radius, shape):
    plane, inverse = random_plane(shape), random_plane(shape, 1)
    taps = np.exp(-0.5 * (np.arange(radius + 1) / (radius / 3)) ** 2).astype(np.float32)
    out = np.empty_like(plane)
    fir_smooth(plane, taps, inverse, out)
    kernel = np.r_[taps[:0:-1], taps].astype(np.float64)
    wanted = convolve1d(plane.astype(np.float64), kernel, axis=0, mode="constant")
    wanted = convolve1d(wanted, kernel, axis=1, mode="constant") * inverse
    np.testing.assert_allclose(out, wanted, atol=2e-5 * kernel.sum() ** 2)


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 9])
def test_box_means_are_a_uniform_filter(radius):
    plane, count = random_plane((29, 31)), (2 * radius + 1) ** 2
    out, inverse = np.empty_like(plane), np.full(plane.shape, 1 / count, np.float32)
    box_means(plane, radius, inverse, out)
    wanted = uniform_filter(plane.astype(np.float64), 2 * radius + 1, mode="constant")
    np.testing.assert_allclose(out, wanted, atol=1e-5)


@given(
    radius=st.integers(1, 5),
    row=st.integers(0, 20),
    col=st.integers(0, 20),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_windows_have_the_same_bits_wherever_the_array_begins(radius, row, col, seed):
    plane, inverse = random_plane((50, 52), seed), random_plane((50, 52), seed + 1)
    taps = np.linspace(1, 0.1, radius + 1).astype(np.float32)
    part = np.ascontiguousarray(plane[row : row + 29, col : col + 27])
    part_inverse = np.ascontiguousarray(inverse[row : row + 29, col : col + 27])
    inner = np.s_[radius : 29 - radius, radius : 27 - radius]
    outer = np.s_[row + radius : row + 29 - radius, col + radius : col + 27 - radius]
    for window in (
        lambda p, i, out: fir_smooth(p, taps, i, out),
        lambda p, i, out: box_means(p, radius, i, out),
    ):
        whole, cut = np.empty_like(plane), np.empty_like(part)
        window(plane, inverse, whole)
        window(part, part_inverse, cut)
        assert cut[inner].tobytes() == whole[outer].tobytes()


def test_rows_of_sums_and_products():
    summed, multiplied = njit(lambda *given: box_row(*given)), njit(lambda *g: product_rows(*g))
    first, second = random_plane((12, 15)), random_plane((12, 15), 1)
    nothing, padded = np.zeros(15, np.float32), np.zeros((4, 15 + 4), np.float32)
    sums, products = np.empty(15, np.float32), np.empty((3, 15), np.float32)
    for y in range(12):
        summed(first, y, 2, nothing, padded[3], sums)
        multiplied(first, second, y, 2, nothing, padded[:3], products)
        found = [sums, *products]
        planes = [first, first * first, second * second, first * second]
        for row, plane in zip(found, planes, strict=True):
            wanted = 25 * uniform_filter(plane.astype(np.float64), 5, mode="constant")[y]
            np.testing.assert_allclose(row, wanted, atol=1e-5)


@pytest.fixture
def masked():
    rng = np.random.default_rng(3)
    valid = rng.random((24, 26)) > 0.2
    first = np.where(valid, rng.normal(size=(3, 24, 26)), 0).astype(np.float32)
    second = np.where(valid, first + rng.normal(0, 0.5, first.shape), 0).astype(np.float32)
    return first, second, valid


def local(values, valid, y, x, radius):
    rows, cols = (
        slice(max(0, y - radius), y + radius + 1),
        slice(max(0, x - radius), x + radius + 1),
    )
    return values[:, rows, cols][:, valid[rows, cols]].astype(np.float64)


def inverse_counts(valid, radius):
    count = np.empty(valid.shape, np.float32)
    box_means(valid.astype(np.float32), radius, np.ones(valid.shape, np.float32), count)
    return np.where(valid, 1 / np.maximum(count, 1), 0).astype(np.float32)


def test_window_variance_counts_valid_pixels_only(masked):
    planes, _, valid = masked
    weight = np.array([1, 0.5, 0.3], np.float32)
    squares = np.einsum("b,byx->yx", weight**2, planes**2).astype(np.float32)
    out = np.empty(valid.shape, np.float32)
    window_variance(planes, squares, weight, 2, inverse_counts(valid, 2), out)
    for y, x in np.argwhere(valid):
        wanted = (weight.astype(np.float64) ** 2 * local(planes, valid, y, x, 2).var(axis=1)).sum()
        assert out[y, x] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("shared", [0.0, 0.05])
def test_lost_correlation_is_the_shrunk_correlation_of_the_chosen_bands(masked, shared):
    first, second, valid = masked
    inverse = inverse_counts(valid, 3)
    means = np.empty((2, *first.shape), np.float32)
    for side, planes in enumerate((first, second)):
        for plane, out in zip(planes, means[side], strict=True):
            box_means(plane, 3, inverse, out)
    out = np.empty(valid.shape, np.float32)
    limits = (np.float32(0.05), np.float32(shared), np.float32(1.05))
    lost_correlation(first, second, *means, np.array([0, 2]), 3, inverse, *limits, out)
    assert (out[~valid] == 0).all()
    for y, x in np.argwhere(valid):
        u, v = local(first, valid, y, x, 3), local(second, valid, y, x, 3)
        both = [
            (np.mean((u[b] - u[b].mean()) * (v[b] - v[b].mean())) + shared)
            / np.sqrt((u[b].var() + 0.05) * (v[b].var() + 0.05))
            for b in (0, 2)
        ]
        assert out[y, x] == pytest.approx(1.05 - max(0, np.mean(both)), abs=1e-4)
