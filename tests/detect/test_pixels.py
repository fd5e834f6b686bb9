"""Fused pixel arithmetic equals plain NumPy and never lets invalid pixels through."""

import numpy as np
import pytest

from detect.kernels.moments import add_histogram, map_rows, weighted_moments
from detect.kernels.pixels import (
    capped_root,
    change_length,
    difference_score,
    evidence_product,
    mixed_squares,
    predict_residuals,
    quantise,
    rescale,
    robust_scores,
    root_of_product,
    variate_statistic,
)

SHAPE = (7, 11)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def valid(rng):
    return rng.random(SHAPE) > 0.3


def planes(rng, bands=4):
    return rng.normal(size=(bands, *SHAPE)).astype(np.float32)


def single(*values):
    return np.array(values, np.float32)


def test_robust_scores_clip_and_blank(rng, valid):
    values, out = planes(rng), np.empty((4, *SHAPE), np.float32)
    values[:, ~valid] = np.nan
    centre, inverse = single(0.1, 0, 0, 0), single(1, 2, 30, 0)
    robust_scores(values, valid, centre, inverse, np.float32(-6), np.float32(10), out)
    wanted = np.clip((values - centre[:, None, None]) * inverse[:, None, None], -6, 10)
    np.testing.assert_allclose(out, np.where(valid, wanted, 0), rtol=1e-6)
    assert (out[3] == 0).all()


def test_rescale_is_a_line_per_band(rng, valid):
    values, out = planes(rng), np.empty((4, *SHAPE), np.float32)
    gain, offset = single(1, 2, 0.5, 1), single(0, 1, -1, 3)
    rescale(values, valid, gain, offset, out)
    wanted = values * gain[:, None, None] + offset[:, None, None]
    np.testing.assert_allclose(out, np.where(valid, wanted, 0), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bands", [1, 2, 3, 6])
def test_predict_residuals(rng, valid, bands):
    first, context, second = (planes(rng, bands) for _ in range(3))
    coefficients = rng.normal(size=(bands, 2 * bands + 1)).astype(np.float32)
    inverse, weight = (rng.random(bands).astype(np.float32) for _ in range(2))
    out, squares = np.empty_like(first), np.empty(SHAPE, np.float32)
    predict_residuals(first, context, second, valid, coefficients, inverse, weight, out, squares)
    design = np.concatenate([first, context, np.ones((1, *SHAPE))]).astype(np.float64)
    wanted = (second - np.einsum("bk,kyx->byx", coefficients, design)) * inverse[:, None, None]
    wanted = np.where(valid, wanted, 0)
    np.testing.assert_allclose(out, wanted, atol=1e-4)
    total = np.einsum("b,byx->yx", weight.astype(np.float64) ** 2, wanted**2)
    np.testing.assert_allclose(squares, total, atol=1e-4, rtol=1e-4)


def test_mixed_squares_and_capped_root(rng):
    residuals, mix = planes(rng), rng.normal(size=(4, 4)).astype(np.float32)
    squares, length = np.empty(SHAPE, np.float32), np.empty(SHAPE, np.float32)
    mixed_squares(residuals, mix, squares)
    wanted = (np.einsum("ib,byx->iyx", mix.astype(np.float64), residuals) ** 2).sum(axis=0)
    np.testing.assert_allclose(squares, wanted, rtol=1e-4)
    capped_root(squares, np.float32(2), length)
    np.testing.assert_allclose(length, np.minimum(2, np.sqrt(wanted)), rtol=1e-4)


def test_change_length(rng, valid):
    before, after, out = planes(rng), planes(rng), np.empty(SHAPE, np.float32)
    before[:, ~valid] = np.nan
    centre, inverse = (rng.random((2, len(before))).astype(np.float32) for _ in range(2))
    change_length(before, after, valid, centre, inverse, np.float32(-0.5), np.float32(1), out)
    scores = [
        np.clip((i - c[:, None, None]) * s[:, None, None], -0.5, 1)
        for i, c, s in zip((before, after), centre, inverse, strict=True)
    ]
    wanted = np.where(valid, np.linalg.norm(scores[1] - scores[0], axis=0), 0)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-6)


def test_variate_statistic(rng, valid):
    before, after, out = planes(rng), planes(rng), np.empty(SHAPE, np.float32)
    before[:, ~valid] = np.nan
    a, b, offset = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=3)
    variate_statistic(before, after, valid, a, b, offset, out)
    variates = np.einsum("ib,byx->iyx", a, before) - np.einsum("ib,byx->iyx", b, after)
    wanted = np.linalg.norm(variates + offset[:, None, None], axis=0)
    np.testing.assert_allclose(out, np.where(valid, wanted, 0), rtol=1e-5)


def test_evidence_product_is_a_weighted_geometric_mean(rng):
    m1, m2, v1, v2, z = (rng.random(SHAPE).astype(np.float32) for _ in range(5))
    v1[0, 0] = -1e-6
    out = np.empty(SHAPE, np.float32)
    evidence_product(m1, m2, v1, v2, z, out)
    texture = (np.maximum(v1, 0) * v2) ** 0.25
    wanted = np.sqrt(m1 * m2) ** (7 / 8) * texture ** (1 / 8) * z ** (1 / 4)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-12)


def test_root_of_product_counts_negatives_as_zero():
    out = np.empty((1, 3), np.float32)
    root_of_product(single(4, -1, 2)[None], single(9, 1, 8)[None], out)
    np.testing.assert_array_equal(out, [[6, 0, 4]])


def test_quantise_rounds_caps_and_blanks():
    values, out = single(0, 0.49, 0.5, 1.2, 1e9, np.inf, 3)[None], np.empty((1, 7), np.uint16)
    quantise(values, np.array([[1, 1, 1, 1, 1, 1, 0]], np.bool_), np.float32(1), out)
    np.testing.assert_array_equal(out, [[0, 0, 1, 1, 65535, 65535, 0]])


def test_difference_score(rng, valid):
    change, out = planes(rng, 1)[0], np.empty(SHAPE, np.float32)
    difference_score(change, valid, np.float32(0.5), np.float32(3), np.float32(2), out)
    want = np.clip((change - 0.5) * 3, -2, 2)
    np.testing.assert_allclose(out, np.where(valid, want, 0), rtol=1e-5, atol=1e-6)


def test_moments_map_and_histogram(rng, valid):
    values, weight = rng.normal(size=(50, 3)), rng.random(50)
    sums, products = np.empty(3), np.empty((3, 3))
    assert weighted_moments(values, weight, sums, products) == pytest.approx(weight.sum())
    np.testing.assert_allclose(sums, weight @ values)
    np.testing.assert_allclose(products, (values * weight[:, None]).T @ values)
    matrix, offset, out = rng.normal(size=(2, 3)), rng.normal(size=2), np.empty((50, 2))
    map_rows(values, matrix, offset, out)
    np.testing.assert_allclose(out, values @ matrix.T + offset)
    score, counts = rng.integers(0, 9, SHAPE).astype(np.uint16), np.zeros(65536, np.int64)
    add_histogram(score, valid, counts)
    np.testing.assert_array_equal(counts[:9], np.bincount(score[valid], minlength=9))
