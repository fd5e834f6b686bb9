"""Samples: the same pixels in the same order whatever order the cells arrive in."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.special import chdtrc

from detect.sample import (
    affine_map,
    column_medians,
    draw_pixels,
    gather,
    order_cells,
    reweighted_covariance,
    robust_spread,
    weighted_covariance,
)
from tests.detect.invented import block_of, cells_of, changed_pair, cut


@pytest.fixture
def cells():
    before, after, _ = changed_pair((300, 530), 3)
    valid = np.random.default_rng(0).random((300, 530)) > 0.1
    return cells_of(block_of(before, after, valid, halo=2, row0=-100, col0=40), 2)


def test_cells_are_ordered_and_taken_once(cells):
    shuffled = [cells[i] for i in (3, 0, 2, 1, 5, 4, 0, 3)]
    assert [c.core for c in order_cells(shuffled)] == sorted({c.core for c in cells})


def test_the_sample_does_not_depend_on_the_order_of_the_cells(cells):
    first = gather(draw_pixels(cells, limit=5000))
    second = gather(draw_pixels(cells[::-1], limit=5000))
    for a, b in zip(first, second, strict=True):
        assert a.tobytes() == b.tobytes()
    assert 4500 < first[0].shape[0] < 5500


def test_only_valid_core_pixels_are_drawn(cells):
    for pixels in draw_pixels(cells, limit=10**9):
        rows, cols = pixels.block.core_slices
        inside = np.zeros_like(pixels.block.valid)
        inside[rows, cols] = pixels.block.valid[rows, cols]
        taken = np.zeros_like(inside)
        taken[pixels.rows, pixels.cols] = True
        np.testing.assert_array_equal(taken, inside)


def test_the_choice_of_a_pixel_does_not_depend_on_the_cutting(cells):
    limit = 4000
    whole = draw_pixels(cells, limit=limit)
    halves = []
    for cell in cells:
        middle = (cell.core.row0 + cell.core.row1) // 2
        for rows in ((cell.core.row0, middle), (middle, cell.core.row1)):
            core = type(cell.core)(rows[0], cell.core.col0, rows[1], cell.core.col1)
            halves.append(cut(cell, core, 0))

    def addresses(sample):
        return {
            (int(r) + p.block.extent.row0, int(c) + p.block.extent.col0)
            for p in sample
            for r, c in zip(p.rows, p.cols, strict=True)
        }

    assert addresses(draw_pixels(halves, limit=limit)) == addresses(whole)


def test_moments_against_numpy():
    rng = np.random.default_rng(1)
    values, weight = rng.normal(5, 2, (400, 3)), rng.random(400)
    mean, covariance = weighted_covariance(values, weight)
    np.testing.assert_allclose(mean, np.average(values, axis=0, weights=weight))
    np.testing.assert_allclose(covariance, np.cov(values.T, aweights=weight, ddof=0))
    middle = column_medians(values)
    np.testing.assert_allclose(middle, np.median(values, axis=0))
    assert robust_spread(values, middle) == pytest.approx(2.0, abs=0.3)
    matrix = rng.normal(size=(2, 3))
    np.testing.assert_allclose(
        affine_map(values, matrix, np.ones(2)), values @ matrix.T + 1, rtol=1e-12
    )


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
def test_pixels_weigh_as_chi_square_tells(rows):
    rng = np.random.default_rng(rows)
    values = rng.standard_normal((4, 70_001)) * rng.uniform(0.5, 2, 4)[:, None]
    matrix, offset = rng.normal(size=(rows, 4)), rng.normal(size=rows)
    weight = chdtrc(rows, np.sum((matrix @ values + offset[:, None]) ** 2, axis=0))
    total, mean, covariance = reweighted_covariance(values, matrix, offset)
    assert total == pytest.approx(weight.sum(), rel=1e-10)
    np.testing.assert_allclose(mean, np.average(values, axis=1, weights=weight), atol=1e-10)
    expected = np.cov(values, aweights=weight, ddof=0)
    np.testing.assert_allclose(covariance, expected, atol=1e-10)
    with ThreadPoolExecutor(2) as pool:
        shared = reweighted_covariance(values, matrix, offset, pool)
    assert shared[0] == total
    np.testing.assert_array_equal(shared[1], mean)
    np.testing.assert_array_equal(shared[2], covariance)
    everyone = reweighted_covariance(values, matrix * 0, offset * 0)
    assert everyone[0] == values.shape[1]
