"""Burning polygons: pixel centres, overlaps, and the same labels for any extent."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from configs.errors import InputError
from tiles.grid import AnalysisGrid, Extent, plan_tiles
from tiles.labels import burn_labels

GRID = AnalysisGrid("EPSG:32650", 10.0, 10.0, 5.0, 7.0)


def reference(
    shapes: list[shapely.Geometry], labels: list[int], extent: Extent
) -> NDArray[np.int16]:
    """Test every pixel centre against every polygon."""
    rows, cols = np.mgrid[extent.row0 : extent.row1, extent.col0 : extent.col1]
    x, y = GRID.xy(rows + 0.5, cols + 0.5)
    out = np.zeros(extent.shape, np.int16)
    for label, shape in sorted(zip(labels, shapes, strict=True), key=lambda p: -p[0]):
        out[shapely.contains_xy(shape, x, y)] = label
    return out


@st.composite
def polygons(draw: st.DrawFn) -> shapely.Geometry:
    # Irrational offsets keep pixel centres off the edges, where two answers are right.
    x, y = draw(st.integers(-300, 6000)) + 0.137, draw(st.integers(-6000, 300)) + 0.291
    angles = np.sort(
        np.array(draw(st.lists(st.floats(0, 6.2), min_size=3, max_size=8, unique=True)))
    )
    radii = np.array(
        draw(st.lists(st.floats(20, 1500), min_size=len(angles), max_size=len(angles)))
    )
    points = np.column_stack([x + radii * np.cos(angles), y + radii * np.sin(angles)])
    return shapely.make_valid(shapely.Polygon(points), method="structure", keep_collapsed=False)


@settings(max_examples=25, deadline=None)
@given(st.lists(polygons(), min_size=1, max_size=6), st.data())
def test_equals_the_centre_rule(shapes: list[shapely.Geometry], data: st.DataObject) -> None:
    labels = [data.draw(st.integers(1, 9)) for _ in shapes]
    extent = Extent(-20, -10, 330, 340)
    burnt = burn_labels(shapes, np.array(labels), GRID, extent)
    assert burnt.dtype == np.int16
    expected = reference(shapes, labels, extent)
    assert (burnt != expected).sum() <= 2
    order = data.draw(st.permutations(range(len(shapes))))
    turned = burn_labels(
        [shapes[i] for i in order], np.array([labels[i] for i in order]), GRID, extent
    )
    np.testing.assert_array_equal(turned, burnt)


def test_the_same_for_any_extent() -> None:
    rng = np.random.default_rng(3)
    # Vertices exactly on pixel centres and edges: ties that must fall the same way everywhere.
    points = GRID.x_origin + 5.0 * rng.integers(0, 1400, (60, 3, 1)) + np.zeros((60, 3, 2))
    points[..., 1] = GRID.y_origin - 5.0 * rng.integers(0, 1400, (60, 3))
    shapes = [shapely.Polygon(p) for p in points if shapely.Polygon(p).area > 0]
    labels = rng.integers(1, 30, len(shapes))
    whole = Extent(0, 0, 700, 700)
    full = burn_labels(shapes, labels, GRID, whole)
    for size in (100, 256, 333):
        for tile in plan_tiles(whole, size):
            part = burn_labels(shapes, labels, GRID, tile.extent)
            np.testing.assert_array_equal(part, full[tile.extent.slices_in(whole)])


def test_holes_parts_empty_and_none() -> None:
    box = shapely.box(5, 7 - 100, 105, 7)
    ring = shapely.difference(box, shapely.box(35, -63, 75, -23))
    both = shapely.MultiPolygon([ring, shapely.box(205, -93, 305, 7)])
    shapes = np.array([both, None, shapely.Polygon()], dtype=object)
    burnt = burn_labels(shapes, np.array([4, 5, 6]), GRID, Extent(0, 0, 12, 40))
    expected = np.zeros((12, 40), np.int16)
    expected[:10, :10] = 4
    expected[3:7, 3:7] = 0
    expected[:10, 20:30] = 4
    np.testing.assert_array_equal(burnt, expected)
    assert not burn_labels([], np.array([], np.int64), GRID, Extent(0, 0, 5, 5)).any()


def test_smaller_label_wins() -> None:
    shapes = [shapely.box(5, -93, 105, 7), shapely.box(55, -93, 155, 7)]
    burnt = burn_labels(shapes, np.array([2, 7]), GRID, Extent(0, 0, 1, 15))
    np.testing.assert_array_equal(burnt[0], np.repeat([2, 7], [10, 5]))


@pytest.mark.parametrize("labels", [[0], [-1], [40000], [1, 2]])
def test_wrong_labels(labels: list[int]) -> None:
    with pytest.raises(InputError, match="label"):
        burn_labels([shapely.box(0, 0, 1, 1)], np.array(labels), GRID, Extent(0, 0, 2, 2))
