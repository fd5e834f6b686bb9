"""Compiled cutting against GEOS: the same pairs, runs, faces and pieces, to the bit."""

from contextlib import contextmanager

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given, settings
from hypothesis import strategies as st

import clues.overlay
from clues.arrangement import Drawings, clear_faces, faces_by_geos
from clues.crossing import crossing
from clues.overlay import RUN_VERTICES, pieces, runs_of
from flows.rehearsal import rehearse_cutting
from tests.clues.test_overlay import X, Y, onemap_of, patches_of, rectangle

GRID = 0.001
FEW = 1 << 30
MILLIMETRES = st.integers(-3, 3).map(lambda n: n * GRID)


@st.composite
def shape(draw):
    """Boxes, rings, parts that touch, slanted shapes off by millimetres, threads; turned or not."""
    x, y = (10.0 * draw(st.integers(0, 9)) for _ in range(2))
    w, h = (10.0 * draw(st.integers(1, 9)) for _ in range(2))
    kind = draw(st.sampled_from(["box", "ring", "parts", "slanted", "thread", "triangle"]))
    found = shapely.box(x, y, x + w, y + h)
    if kind == "ring":
        found -= shapely.box(x + w / 4, y + h / 4, x + w * 3 / 4, y + h * 3 / 4)
    elif kind == "parts":
        found = shapely.box(x, y, x + 5, y + 5) | shapely.box(x + 5, y + 5, x + w + 5, y + h + 5)
    elif kind == "slanted":
        off = [draw(MILLIMETRES) for _ in range(4)]
        corners = [
            (x, y + off[0]),
            (x + w, y + off[1]),
            (x + w + off[2], y + h),
            (x + off[3], y + h),
        ]
        found = shapely.Polygon(corners)
    elif kind == "thread":
        found = shapely.box(x, y, x + w, y + draw(st.sampled_from([0.0004, 0.001, 0.002, 0.01])))
    elif kind == "triangle":
        top = (x + draw(st.integers(0, 9)), y + h)
        found = shapely.Polygon([(x, y), (x + w, y + draw(st.integers(0, 5))), top])
    turned = shapely.affinity.rotate(found, draw(st.sampled_from([0, 0, 90, 45, 17.3])), (50, 50))
    placed = shapely.affinity.translate(turned, X, Y)
    snapped = shapely.set_precision(placed, GRID)
    keeps = draw(st.booleans()) or snapped.area == 0  # not every patch lies on the grid
    return placed if keeps else snapped


maps = st.dictionaries(
    st.sampled_from(["landuse", "approval", "redline"]),
    st.dictionaries(st.sampled_from("abcdef"), shape(), min_size=1, max_size=6),
    min_size=1,
    max_size=3,
)
scenes = st.tuples(maps, st.lists(shape(), min_size=1, max_size=6))


@contextmanager
def compiled_from(least):
    """Use compiled loops from so many patches on: 0 for all, `FEW` for none."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(clues.overlay, "COMPILED_FROM", least)
        yield


def met(layers, patch_shapes, compiled=True):
    onemap = onemap_of(layers)
    outline = np.array(patch_shapes, dtype=object)
    geometry = onemap.features["geometry"].to_numpy(dtype=object)
    candidates = onemap.tree.query(outline).astype(np.int64)
    step = RUN_VERTICES - 1
    return outline, geometry, crossing(outline, geometry, (*candidates,), step, compiled=compiled)


def written(faces):
    rows = zip(faces.drawing, shapely.to_wkb(faces.geometry), map(bytes, faces.inner), strict=True)
    return sorted(rows)


def blobs(rng, count, radius):
    """Return shapes of 12 slanted sides spread over a square kilometre, on the grid."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, (count, 12)))
    reach = rng.uniform(0.4, 1, (count, 12, 1)) * radius
    ring = reach * np.stack([np.cos(angle), np.sin(angle)], axis=2)
    ring += rng.uniform(0, 1000, (count, 1, 2)) + np.array([X, Y])
    found = shapely.set_precision(shapely.make_valid(shapely.polygons(ring)), GRID)
    return found[shapely.get_type_id(found) == 3]


@settings(max_examples=60, deadline=None)
@given(scenes, st.booleans())
def test_pairs_and_runs_are_those_of_geos(scene, compiled):
    outline, geometry, found = met(*scene, compiled)
    patch, feature = (g.ravel() for g in np.indices((len(outline), len(geometry))))
    meet = shapely.intersects(outline[patch], geometry[feature])
    patch, feature = patch[meet], feature[meet]
    whole = shapely.covers(geometry[feature], outline[patch])
    assert found.patch.tolist() == patch.tolist()
    assert found.feature.tolist() == feature.tolist()
    assert found.whole.tolist() == whole.tolist()
    assert found.cut.tolist() == sorted(set(patch[~whole].tolist()))
    for i, cut in enumerate(found.cut):
        rings = shapely.get_rings(shapely.get_parts(outline[cut]))
        across = shapely.get_parts(geometry[feature[(patch == cut) & ~whole]])
        runs, _ = runs_of(shapely.get_rings(across))
        lines = [*rings, *runs[shapely.intersects(outline[cut], runs)]]
        told = slice(*found.drawings.offsets[i : i + 2])
        assert np.array_equal(found.drawings.xy[told], shapely.get_coordinates(lines))
        assert len(set(found.drawings.line[told].tolist())) == len(lines)


@settings(max_examples=100, deadline=None)
@given(scenes)
def test_what_is_clear_is_what_geos_gives(scene):
    outline, _, found = met(*scene)
    clear, faces = clear_faces(found.drawings, outline[found.cut], GRID)
    others = faces_by_geos(found.drawings, np.flatnonzero(clear), GRID)
    x, y = others.inner.T
    within = shapely.intersects_xy(outline[found.cut[others.drawing]], x, y)
    assert written(faces) == written(type(others)(*(values[within] for values in others)))


@settings(max_examples=40, deadline=None)
@given(scenes)
def test_pieces_are_those_of_geos_alone(scene):
    layers, patch_shapes = scene
    patches = patches_of(*patch_shapes)
    with compiled_from(0):
        first = pieces(patches, onemap_of(layers))
    with compiled_from(FEW):
        second = pieces(patches, onemap_of(layers))
    assert shapely.to_wkb(first.geometry).tolist() == shapely.to_wkb(second.geometry).tolist()
    for name in ("patch", "area_dm2", "offsets", "feature"):
        assert getattr(first, name).tolist() == getattr(second, name).tolist()


def test_most_drawings_are_clear_and_all_of_them_right():
    rng = np.random.default_rng(5)
    layers = {"approval": dict(enumerate(blobs(rng, 200, 60)))}
    outline, _, found = met(layers, list(blobs(rng, 150, 60)))
    clear, faces = clear_faces(found.drawings, outline[found.cut], GRID)
    assert clear.mean() > 0.9
    assert len(faces.geometry) > 4 * clear.sum()
    others = faces_by_geos(found.drawings, np.flatnonzero(clear), GRID)
    x, y = others.inner.T
    within = shapely.intersects_xy(outline[found.cut[others.drawing]], x, y)
    assert written(faces) == written(type(others)(*(values[within] for values in others)))


def drawing_of(*lines):
    xy, line = shapely.get_coordinates(lines, return_index=True)
    return Drawings(xy, line.astype(np.int64), np.array([0, len(xy)]))


@pytest.mark.parametrize(
    ("lines", "clear", "faces"),
    [
        ([rectangle(0, 0, 9, 9).exterior], True, 1),
        ([rectangle(0, 0, 9, 9).exterior, rectangle(3, 3, 6, 6).exterior], True, 2),
        ([rectangle(0, 0, 9, 9).exterior, rectangle(5, 0, 9, 9).exterior], True, 2),
        # a face that comes back to one of its points, a line there and back, a crossing half-way
        # between two cells
        ([rectangle(0, 0, 9, 9).exterior, rectangle(0, 0, 3, 3).exterior], True, 2),
        (
            [
                rectangle(0, 0, 9, 9).exterior,
                shapely.LineString([(X, Y), (X + 2, Y + 4), (X + 4, Y + 2), (X, Y)]),
            ],
            False,
            2,
        ),
        (
            [
                rectangle(0, 0, 9, 9).exterior,
                shapely.LineString([(X + 1, Y + 1), (X + 4, Y + 4), (X + 1, Y + 1)]),
            ],
            False,
            1,
        ),
        (
            [
                rectangle(0, 0, 9, 9).exterior,
                shapely.LineString([(X + 2, Y - 1), (X + 2.001, Y + 1), (X + 2, Y + 10)]),
            ],
            False,
            2,
        ),
    ],
)
def test_what_hangs_on_rounding_is_left_to_geos(lines, clear, faces):
    drawings, outline = drawing_of(*lines), np.array([rectangle(0, 0, 9, 9)], dtype=object)
    told, found = clear_faces(drawings, outline, GRID)
    assert told.tolist() == [clear]
    assert len(found.geometry) == (faces if clear else 0)
    assert len(faces_by_geos(drawings, np.array([0]), GRID).geometry) == faces


def test_what_is_rehearsed_is_compiled_as_a_run_needs_it():
    from clues.kernels import faces, nearness, snapping

    loops = (nearness.runs_met, nearness.lines_of, snapping.snapped, faces.faces_of)
    rehearse_cutting()
    before = [len(loop.signatures) for loop in loops]
    layers = {"approval": {"a": rectangle(3, 3, 20, 20)}}
    with compiled_from(0):
        pieces(patches_of(rectangle(0, 0, 9, 9)), onemap_of(layers))
    assert [len(loop.signatures) for loop in loops] == before == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("crs", "origin", "scale"),
    [
        ("EPSG:4526", (38_500_000.0, 4_030_000.0), 1.0),
        ("EPSG:4490", (114.0, 36.4), 1e-5),
        ("EPSG:4490", (-70.0, -33.0), 1e-5),
    ],
)
def test_other_systems_give_the_same_pieces(crs, origin, scale):
    rng = np.random.default_rng(3)

    def moved(shapes):
        return shapely.transform(shapes, lambda xy: (xy - (X, Y)) * scale + origin)

    layers = {"approval": dict(enumerate(moved(blobs(rng, 60, 60))))}
    patches = patches_of(*moved(blobs(rng, 40, 60)), crs=crs)
    found = []
    for least in (0, FEW):
        with compiled_from(least):
            found.append(pieces(patches, onemap_of(layers, crs=crs)))
    first, second = found
    assert len(first) > 100
    assert shapely.to_wkb(first.geometry).tolist() == shapely.to_wkb(second.geometry).tolist()
    assert first.area_dm2.tolist() == second.area_dm2.tolist()
