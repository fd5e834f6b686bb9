"""Smoothed outlines: same area, same pixels, within half a pixel, fitting together."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from detect.kernels.outline import PARTS, smoothed
from detect.kernels.trace import Rings
from detect.outlines import outlines
from tests.detect.test_patches import COL0, GRID, ROW0, components_of

SIDE = 10.0


def both(mask, **options):
    found = components_of(mask, **options)
    return outlines(found, GRID), outlines(found, GRID, smooth=True), found


def assert_keeps_what_it_must(mask, connectivity=8):
    rough, fine, found = both(mask, connectivity=connectivity)
    assert shapely.is_valid(fine).all()
    np.testing.assert_allclose(shapely.area(fine), shapely.area(rough), rtol=1e-12)
    reach = shapely.hausdorff_distance(shapely.boundary(rough), shapely.boundary(fine))
    assert (reach <= SIDE / 2).all()
    rows, cols = np.indices(mask.shape)
    x, y = GRID.xy(rows + ROW0 + 0.5, cols + COL0 + 0.5)
    image = np.full(mask.shape, -1)
    for r, a, b, c in zip(found.row, found.first, found.last, found.comp, strict=True):
        image[r - ROW0, a - COL0 : b - COL0 + 1] = c
    for number, shape in enumerate(fine):
        np.testing.assert_array_equal(shapely.contains_xy(shape, x, y), image == number)
    if len(fine) > 1:
        together = shapely.union_all(fine).area
        assert together == pytest.approx(shapely.area(fine).sum(), rel=1e-12)


@settings(max_examples=120, deadline=None)
@given(
    arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans()),
    st.sampled_from([4, 8]),
)
def test_any_small_mask_keeps_area_pixels_and_neighbours(mask, connectivity):
    assert_keeps_what_it_must(mask, connectivity)


@pytest.mark.parametrize("density", [0.3, 0.5, 0.62, 0.75])
def test_large_masks_keep_area_pixels_and_neighbours(density):
    rng = np.random.default_rng(int(100 * density))
    field = ndimage.gaussian_filter(rng.standard_normal((70, 80)), rng.choice([0.6, 1.0, 2.0]))
    assert_keeps_what_it_must(field > np.quantile(field, 1 - density))


def test_the_outline_is_the_same_for_any_tiling():
    rng = np.random.default_rng(4)
    mask = ndimage.gaussian_filter(rng.standard_normal((60, 60)), 1.5) > 0
    _, whole, _ = both(mask)
    for size in (7, 16):
        assert shapely.to_wkb(both(mask, size=size)[1]).tolist() == shapely.to_wkb(whole).tolist()


def test_land_and_its_surroundings_share_one_border():
    rng = np.random.default_rng(8)
    field = ndimage.gaussian_filter(rng.standard_normal((50, 60)), 2)
    land = np.pad(field > 0, 2)
    land = ndimage.binary_opening(ndimage.binary_closing(land, np.ones((2, 2))), np.ones((2, 2)))
    parts = [*both(land, connectivity=4)[1], *both(~land, connectivity=4)[1]]
    assert shapely.coverage_is_valid(np.array(parts))
    frame = shapely.union_all(parts)
    assert frame.area == pytest.approx(land.size * SIDE**2, rel=1e-12)
    assert shapely.area(parts).sum() == pytest.approx(land.size * SIDE**2, rel=1e-12)


def rings_of(*vertices):
    row, col = np.array([*vertices, vertices[0]]).T
    return Rings(row, col, np.array([0, len(row)]), np.array([0, 1]))


def points(rings):
    return (np.stack([rings.row, rings.col], 1) / PARTS).tolist()[:-1]


def test_a_step_becomes_a_line_through_its_middle():
    step = rings_of((0, 0), (3, 0), (3, 9), (1, 9), (1, 4), (0, 4))
    assert points(smoothed(step)) == [[0, 0], [3, 0], [3, 9], [1, 9], [1, 6], [0, 2]]


def test_a_slope_of_equal_steps_becomes_one_line():
    steps = [(k, c) for k in range(8, -1, -1) for c in (3 * k + 3, 3 * k)]
    found = points(smoothed(rings_of((0, 0), (9, 0), (9, 27), *steps[:-1])))
    assert found == [[0, 0], [9, 0], [9, 27], [8, 27], [8, 25.5], [0, 1.5]]


def test_rectangles_and_single_pixels_stay_as_they_are():
    for mask in (np.ones((1, 1), bool), np.ones((4, 7), bool), np.eye(5, dtype=bool)):
        rough, fine, _ = both(mask)
        assert shapely.to_wkb(rough).tolist() == shapely.to_wkb(fine).tolist()


@settings(max_examples=30, deadline=None)
@given(arrays(np.bool_, (7, 7), elements=st.booleans()))
def test_a_border_walked_the_other_way_is_the_same(mask):
    found = components_of(mask)
    for shape in shapely.get_parts(outlines(found, GRID)):
        ring = shapely.get_coordinates(shapely.get_exterior_ring(shape))
        row = np.rint(-ring[:, 1] / SIDE).astype(np.int64)
        col = np.rint(ring[:, 0] / SIDE).astype(np.int64)
        pair = []
        for way in (1, -1):
            one = Rings(
                row[::way].copy(), col[::way].copy(), np.array([0, len(row)]), np.array([0, 1])
            )
            pair.append({tuple(p) for p in points(smoothed(one))})
        assert pair[0] == pair[1]
