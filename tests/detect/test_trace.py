"""Outlines: the pixels' area and nothing else, always valid, equal to GDAL's polygons."""

from types import SimpleNamespace

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

import detect.outlines
from detect.components import join, label_tile
from detect.kernels.trace import find_corners, trace_rings, walk_rings
from detect.outlines import outlines
from tiles.grid import AnalysisGrid, Extent, plan_tiles

GRID = AnalysisGrid("EPSG:4526", 1.0, 1.0)
STRUCTURE = {4: ndimage.generate_binary_structure(2, 1), 8: np.ones((3, 3), int)}


def components_of(mask, connectivity, *, size=None, row0=0, col0=0):
    area = Extent(row0, col0, row0 + mask.shape[0], col0 + mask.shape[1])
    tiles = []
    for extent in [t.extent for t in plan_tiles(area, size)] if size else [area]:
        cut = mask[extent.slices_in(area)]
        scores = SimpleNamespace(weak=cut, strong=cut, score=cut.astype(np.uint16))
        tiles.append(label_tile(scores, extent, area, connectivity=connectivity, floor_px=1))
    return join(tiles, connectivity=connectivity, floor_px=1)


def gdal_polygons(mask, connectivity):
    """Polygonise the edge-connected parts and gather them by component."""
    label, n = ndimage.label(mask, STRUCTURE[connectivity])
    parts = [[] for _ in range(n)]
    transform = Affine(1, 0, 0, 0, -1, 0)
    for shape, value in rasterio.features.shapes(
        label.astype(np.int32), mask, connectivity=4, transform=transform
    ):
        parts[int(value) - 1].append(shapely.geometry.shape(shape))
    return [shapely.MultiPolygon(p) if len(p) > 1 else p[0] for p in parts]


def assert_right(mask, connectivity):
    found = outlines(components_of(mask, connectivity), GRID)
    assert shapely.is_valid(found).all(), [shapely.is_valid_reason(g) for g in found]
    expected = np.array(gdal_polygons(mask, connectivity), object)
    assert len(found) == len(expected)
    assert shapely.is_valid(expected).all()
    same = shapely.equals(shapely.normalize(found), shapely.normalize(expected))
    assert same.all()
    assert (shapely.area(shapely.symmetric_difference(found, expected)) == 0).all()
    assert (shapely.get_num_geometries(found) == shapely.get_num_geometries(expected)).all()
    assert_canonical(found)
    return found


def assert_canonical(geometries):
    for polygon in shapely.get_parts(geometries):
        assert polygon.exterior.is_ccw
        for ring in (polygon.exterior, *polygon.interiors):
            points = shapely.get_coordinates(ring)
            assert (points[0] == points[-1]).all()
            body = points[:-1]
            assert len(np.unique(body, axis=0)) == len(body), "a ring visits no vertex twice"
            assert (body[0] == body[np.lexsort((body[:, 0], -body[:, 1]))[0]]).all()
            steps = np.diff(points, axis=0)
            turn = steps[:, 0] * np.roll(steps[:, 1], -1) - steps[:, 1] * np.roll(steps[:, 0], -1)
            assert (turn != 0).all(), "no vertex inside a straight edge"
        assert not any(ring.is_ccw for ring in polygon.interiors)


def test_kernels_are_compiled():
    trace_rings(*(np.array([v], np.int64) for v in (0, 0, 0)), np.array([0, 1]))
    assert find_corners.signatures
    assert walk_rings.signatures


def test_one_pixel():
    rings = trace_rings(*(np.array([v], np.int64) for v in (5, 7, 7)), np.array([0, 1]))
    assert rings.row.tolist() == [5, 6, 6, 5, 5]
    assert rings.col.tolist() == [7, 7, 8, 8, 7]
    assert rings.ring_start.tolist() == [0, 5]
    assert rings.piece_start.tolist() == [0, 1]


def test_nothing():
    found = outlines(components_of(np.zeros((4, 5), bool), 8), GRID)
    assert found.shape == (0,)


PICTURES = {
    "ring closed at a corner": [".##", "#.#", "###"],
    "two squares at a corner": ["##..", "##..", "..##", "..##"],
    "diamond": [".#.", "#.#", ".#."],
    "holes at a corner": ["####", "#.##", "##.#", "####"],
    "hole at the shell": ["###.", "#.##", "####"],
    "chain of holes": ["#####", "#.###", "##.##", "###.#", "#####"],
    "holes that part the inside": ["#.###", "##.##", "###.#", "#####"],
    "hole at both sides": [".####", "#.###", "##.##", "###.#", "####."],
    "frame in frame": ["#####", "#...#", "#.#.#", "#...#", "#####"],
    "teeth": ["#.#.#", "#####", "#.#.#"],
    "staircase": ["#...", "##..", ".##.", "..##"],
}


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name, connectivity):
    mask = np.array([[c == "#" for c in line] for line in PICTURES[name]])
    assert_right(mask, connectivity)


def test_corner_cases_have_the_expected_parts():
    def shape(name, connectivity):
        mask = np.array([[c == "#" for c in line] for line in PICTURES[name]])
        return outlines(components_of(mask, connectivity), GRID)

    closed = shape("ring closed at a corner", 8)[0]
    assert (closed.geom_type, len(closed.interiors)) == ("Polygon", 1)
    diamond = shape("diamond", 8)
    assert [len(g.geoms) for g in diamond] == [4]
    assert len(shape("diamond", 4)) == 4
    holes = shape("holes at a corner", 8)[0]
    assert [len(ring.coords) for ring in holes.interiors] == [5, 5]


@settings(max_examples=150, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.sampled_from([4, 8]))
def test_any_small_mask(mask, connectivity):
    assert_right(mask, connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("density", [0.05, 0.3, 0.5, 0.6, 0.7])
def test_random_masks(density, connectivity):
    rng = np.random.default_rng(int(100 * density))
    assert_right(rng.random((70, 60)) < density, connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_large_blobs_with_speckle(connectivity):
    rng = np.random.default_rng(connectivity)
    field = ndimage.gaussian_filter(rng.standard_normal((300, 300)), 3)
    assert_right((field > 0.03) ^ (rng.random(field.shape) < 0.03), connectivity)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_tiles_and_batches_do_not_change_the_outline(size, monkeypatch):
    rng = np.random.default_rng(size)
    mask = rng.random((25, 31) if size == 1 else (90, 80)) < 0.55
    whole = outlines(components_of(mask, 8, row0=-9, col0=500), GRID)
    monkeypatch.setattr(detect.outlines, "BATCH_RUNS", 20)
    tiled = outlines(components_of(mask, 8, size=size, row0=-9, col0=500), GRID)
    assert (shapely.to_wkb(whole) == shapely.to_wkb(tiled)).all()


def test_neighbours_share_their_vertices_exactly():
    grid = AnalysisGrid("EPSG:4490", 1 / 3600 / 7, 1 / 3600 / 7, 113.1, 23.3)
    mask = np.indices((20, 30)).sum(axis=0) % 2 == 0
    found = outlines(components_of(mask, 4, row0=10_000, col0=77_777), grid)
    corners = np.unique(shapely.get_coordinates(found), axis=0)
    assert len(corners) == 21 * 31 - 2
