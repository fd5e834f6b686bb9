"""Pieces against exact set arithmetic, on the worked county and on random rectangles."""

import datetime as dt
from itertools import pairwise

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from clues.delivered import load_patches
from clues.layers import LayerTable, OneMap, build_onemap
from clues.overlay import apportion, pieces
from configs.errors import InputError
from configs.layers import LayersFile, LayerSpec, PatchSource
from tiles.geodesy import ellipsoidal_area

CRS = "EPSG:4526"
X, Y = 38_500_000.0, 4_060_000.0
ROLES = ["landuse", "approval", "supply", "redline", "basic_farmland"]


def onemap_of(layers, crs=CRS):
    """Build a One-Map from {role: {id: polygon}} in memory."""
    tables = {}
    for role, shapes in layers.items():
        keys = [f"{role}:{i}" for i in shapes]
        table = geopandas.GeoDataFrame({"key": keys}, geometry=list(shapes.values()), crs=crs)
        spec = LayerSpec(role=role, source="memory")
        empty = pd.DataFrame()
        tables[role] = LayerTable(role, (spec,), table, empty, empty, "0", True)
    return OneMap(crs, tables, LayersFile())


def patches_of(*shapes, crs=CRS):
    area = np.rint(ellipsoidal_area(shapes, crs) * 100).astype(np.int64)
    dates = {"before_from": dt.date(2025, 3, 5), "after_to": dt.date(2025, 6, 12)}
    return geopandas.GeoDataFrame({"area_dm2": area, **dates}, geometry=list(shapes), crs=crs)


def rectangle(x0, y0, x1, y1):
    return shapely.box(X + x0, Y + y0, X + x1, Y + y1)


def by_keys(found):
    result = {}
    for keys, area in zip(found.keys, found.area_dm2.tolist(), strict=True):
        result[keys] = result.get(keys, 0) + area
    return result


# --- the worked county ---------------------------------------------------------------------------

WORKED = {
    "P1": {"DLTB 1 A1 C1 G1": 6400},
    "P2": {"DLTB 1 A2 C1 G2": 3600, "DLTB 1 C1": 1200},
    "P3": {"DLTB 3 Y1": 2400},
    "P4": {"DLTB 5": 1700, "DLTB 5 L1": 2500},
    "P5": {"DLTB 3 F1": 1200},
    "P6": {"DLTB 4": 900},
    "P7": {"DLTB 5": 1200, "DLTB 5 K1": 800},
    "P8": {"DLTB 2 S1": 320},
    "P9": {"DLTB 1": 150},
}
NAMES = {
    "landuse": "DLTB",
    "basic_farmland": "YJJBNTTB",
    "redline": "STBHHX",
    "growth_boundary": "CZKFBJ",
    "approval": "JSYDSP",
    "supply": "TDGY",
    "temporary": "LSYD",
    "facility": "SSNYD",
    "mining_right": "CKQ",
}


def short(keys):
    ids = [k.split(":")[1] for k in keys]
    land = [f"DLTB {i[-1]}" for i in ids if len(i) == 18]
    return " ".join([*land, *sorted(i for i in ids if len(i) != 18)])


@pytest.mark.parametrize("crs", ["EPSG:4526", "EPSG:4490", "EPSG:4547"])
def test_worked_county(oracle_dir, crs):
    specs = [LayerSpec(role=r, source=oracle_dir / f"{n}.geojson") for r, n in NAMES.items()]
    onemap = build_onemap(LayersFile(layers=specs), crs=crs)
    patches, _ = load_patches(PatchSource(source="BHTB.geojson"), oracle_dir, crs)
    found = pieces(patches, onemap)
    result = {}
    for i, keys in enumerate(found.keys):
        name = patches["patch_id"][found.patch[i]]
        result.setdefault(name, {})[short(keys)] = found.area_dm2[i] / 100
    assert result == WORKED


# --- rules of the arrangement --------------------------------------------------------------------


def test_touching_is_not_overlapping():
    onemap = onemap_of({"redline": {"a": rectangle(100, 0, 200, 100)}, "plan": {}})
    found = pieces(patches_of(rectangle(0, 0, 100, 100)), onemap)
    assert found.keys == [()]


def test_no_layers_at_all():
    found = pieces(patches_of(rectangle(0, 0, 10, 10)), OneMap(CRS, {}, LayersFile()))
    assert (found.keys, found.area_dm2.tolist()) == ([()], [10_000])


def test_no_patches():
    onemap = onemap_of({"redline": {"a": rectangle(0, 0, 9, 9)}})
    patches = patches_of(rectangle(0, 0, 10, 10)).iloc[:0]
    assert len(pieces(patches, onemap)) == 0


def test_overlapping_approvals_are_not_counted_twice():
    approvals = {"a": rectangle(0, 0, 60, 100), "b": rectangle(50, 0, 100, 100)}
    found = pieces(patches_of(rectangle(0, 0, 100, 100)), onemap_of({"approval": approvals}))
    assert by_keys(found) == {
        ("approval:a",): 500_000,
        ("approval:a", "approval:b"): 100_000,
        ("approval:b",): 400_000,
    }


def test_holes_of_patches_and_of_features():
    patch = rectangle(0, 0, 100, 100) - rectangle(40, 40, 60, 60)
    ring = rectangle(20, 20, 80, 80) - rectangle(30, 30, 70, 70)
    found = pieces(patches_of(patch), onemap_of({"redline": {"a": ring}}))
    assert by_keys(found) == {("redline:a",): 200_000, (): 760_000}


def test_slivers_join_the_longest_neighbour():
    crooked = shapely.Polygon(
        [(X - 5, Y - 5), (X + 50.03, Y - 5), (X + 50, Y + 105), (X - 5, Y + 105)]
    )
    layers = {"approval": {"a": rectangle(-5, -5, 50, 105)}, "supply": {"a": crooked}}
    found = pieces(patches_of(rectangle(0, 0, 100, 100)), onemap_of(layers))
    assert by_keys(found) == pytest.approx(
        {("approval:a", "supply:a"): 500_000, (): 500_000}, abs=200
    )
    assert found.area_dm2.sum() == 1_000_000
    fine = pieces(
        patches_of(rectangle(0, 0, 100, 100)), onemap_of(layers), min_area_m2=0, min_width_m=0
    )
    assert len(fine) == 3


def test_corner_below_a_square_metre_joins_and_a_small_patch_stays():
    layers = {"basic_farmland": {"a": rectangle(-5, -5, 0.9, 0.9)}}
    patches = patches_of(rectangle(0, 0, 100, 100), rectangle(0, 0, 0.5, 0.5))
    found = pieces(patches, onemap_of(layers))
    assert found.keys == [(), ("basic_farmland:a",)]
    assert found.area_dm2.tolist() == [1_000_000, 25]


def test_parts_that_touch_at_a_corner():
    patch = shapely.MultiPolygon([rectangle(0, 0, 10, 10), rectangle(10, 10, 20, 20)])
    found = pieces(patches_of(patch), onemap_of({"redline": {"a": rectangle(0, 0, 5, 30)}}))
    assert by_keys(found) == {("redline:a",): 5000, (): 15_000}


def test_features_with_long_outlines_are_followed_in_runs():
    angle = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    circle = shapely.Polygon(np.column_stack([X + 500 * np.cos(angle), Y + 500 * np.sin(angle)]))
    circle = shapely.set_precision(circle - circle.buffer(-50), 0.001)
    shapes = [
        rectangle(
            -20 + 500 * np.cos(a), -20 + 500 * np.sin(a), 20 + 500 * np.cos(a), 20 + 500 * np.sin(a)
        )
        for a in angle[::50]
    ]
    found = pieces(patches_of(*shapes), onemap_of({"redline": {"a": circle}}))
    for i, shape in enumerate(shapes):
        mine = found.patch == i
        inside = found.area_dm2[mine & np.array([bool(k) for k in found.keys])].sum()
        assert inside / 100 == pytest.approx(shapely.intersection(shape, circle).area, abs=0.05)


def test_another_crs_is_refused():
    onemap = onemap_of({"redline": {"a": rectangle(0, 0, 9, 9)}})
    patches = patches_of(rectangle(0, 0, 10, 10)).to_crs("EPSG:4547")
    with pytest.raises(InputError, match="EPSG:4547"):
        pieces(patches, onemap)


# --- properties ----------------------------------------------------------------------------------

tens = st.integers(0, 9).map(lambda v: 10.0 * v)
sides = st.integers(1, 9).map(lambda v: 10.0 * v)
boxes = st.builds(lambda x, y, w, h: rectangle(x, y, x + w, y + h), tens, tens, sides, sides)


def triangle(points):
    return shapely.Polygon([(X + x, Y + y) for x, y in points])


def slanted(x, y, width, height, rise, lean):
    return triangle([(x, y), (x + width, y + rise * height), (x + lean * width, y + height)])


lengths, halves = st.integers(15, 90), st.floats(0, 0.5).map(lambda v: round(v, 2))
triangles = st.builds(slanted, tens, tens, lengths, lengths, halves, halves)
shapes = st.one_of(boxes, triangles)
maps = st.dictionaries(
    st.sampled_from(ROLES),
    st.dictionaries(st.sampled_from("abcd"), shapes, min_size=1, max_size=4),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(maps, st.lists(shapes, min_size=1, max_size=3))
def test_pieces_partition_each_patch_and_know_their_features(layers, patch_shapes):
    patches = patches_of(*patch_shapes)
    found = pieces(patches, onemap_of(layers), min_area_m2=0, min_width_m=0)
    assert np.bincount(found.patch, found.area_dm2).tolist() == patches["area_dm2"].tolist()
    assert (found.area_dm2 >= 0).all()
    assert (np.diff(found.patch) >= 0).all()
    polygons = {f"{r}:{i}": s for r, m in layers.items() for i, s in m.items()}
    for i, patch in enumerate(patch_shapes):
        mine = np.flatnonzero(found.patch == i)
        assert shapely.union_all(found.geometry[mine]).symmetric_difference(patch).area < 0.5
        for key, polygon in polygons.items():
            area = sum(found.area_dm2[p] for p in mine if key in found.keys[p]) / 100
            assert area == pytest.approx(polygon.intersection(patch).area, abs=0.5)


@settings(max_examples=40, deadline=None)
@given(maps, st.lists(shapes, min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_order_of_layers_features_and_patches_is_irrelevant(layers, patch_shapes, random):
    def shuffled(items):
        items = list(items)
        random.shuffle(items)
        return items

    other = {r: dict(shuffled(m.items())) for r, m in shuffled(layers.items())}
    first = pieces(patches_of(*patch_shapes), onemap_of(layers))
    second = pieces(patches_of(*patch_shapes), onemap_of(other))
    assert first.keys == second.keys
    assert first.area_dm2.tolist() == second.area_dm2.tolist()
    assert shapely.to_wkb(first.geometry).tolist() == shapely.to_wkb(second.geometry).tolist()
    alone = [pieces(patches_of(p), onemap_of(other)) for p in patch_shapes]
    assert first.keys == [k for f in alone for k in f.keys]
    assert first.area_dm2.tolist() == [a for f in alone for a in f.area_dm2.tolist()]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1e7), min_size=1, max_size=6), min_size=1, max_size=5),
    st.data(),
)
def test_apportion_is_whole_and_exact(groups, data):
    totals = np.array(
        data.draw(st.lists(st.integers(0, 10**9), min_size=len(groups), max_size=len(groups)))
    )
    weights = np.array([w for g in groups for w in g])
    group = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    shares = apportion(weights, group, totals)
    assert np.bincount(group, shares).tolist() == totals.tolist()
    assert (shares >= 0).all()
    for g, total in enumerate(totals):
        mine = weights[group == g]
        if mine.sum() > 0:
            exact = mine / mine.sum() * total
            assert np.abs(shares[group == g] - exact).max() < 1 + 1e-6 * total


def test_pairs_of_neighbours_meet_without_gap():
    layers = {"approval": {"a": triangle([(0, 0), (97, 13), (31, 88)])}}
    found = pieces(patches_of(rectangle(0, 0, 100, 100)), onemap_of(layers))
    assert all(a.intersection(b).area < 0.01 for a, b in pairwise(found.geometry))
