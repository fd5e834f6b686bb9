import doctest

import geopandas
import numpy as np
import pytest
import shapely

import clues.overlay
from clues.layers import build_onemap
from clues.quality import (
    area_mismatches,
    clean_geometries,
    overlapping_features,
    polygon_parts,
    unique_keys,
)
from configs.layers import LayersFile, LayerSpec

CRS = "EPSG:4526"
X, Y = 38_500_000.0, 4_060_000.0


def square(x, y, side=100.0):
    return shapely.box(X + x, Y + y, X + x + side, Y + y + side)


def objects(*geometries):
    result = np.empty(len(geometries), dtype=object)
    result[:] = geometries
    return result


def test_examples_in_docstrings():
    assert doctest.testmod(clues.overlay).failed == 0


def test_clean_geometries_names_what_was_wrong():
    nothing = shapely.Polygon()
    endless = shapely.Polygon([(X, Y), (X + 1, Y), (X + 1, np.inf)])
    thread = shapely.box(X, Y, X + 0.0002, Y + 50)
    bow = shapely.Polygon([(X, Y), (X + 10, Y + 10), (X + 10, Y), (X, Y + 10)])
    clean, problems = clean_geometries(
        objects(square(0, 0), None, nothing, endless, thread, bow), CRS
    )
    assert [g is None for g in clean] == [False, True, True, True, True, False]
    assert problems[:5].tolist() == [
        "",
        "no geometry",
        "no geometry",
        "coordinates that are no numbers",
        "no area on the map",
    ]
    assert "Self-intersection" in problems[5]
    assert clean[5].area == 50.0


def test_precision_is_one_millimetre_and_much_finer_in_degrees():
    rough = shapely.Polygon([(X + 0.00049, Y), (X + 10.12345, Y), (X, Y + 10)])
    clean, _ = clean_geometries(objects(rough), CRS)
    xy = shapely.get_coordinates(clean) * 1000
    assert np.abs(xy - np.rint(xy)).max() < 1e-4
    degrees = shapely.box(114.00000012344, 36, 114.001, 36.001)
    clean, _ = clean_geometries(objects(degrees), "EPSG:4490")
    assert clean[0].bounds[0] == 114.0000001234


def test_only_polygons_are_kept():
    mixed = shapely.GeometryCollection([square(0, 0), shapely.LineString([(X, Y), (X, Y - 9)])])
    lines = shapely.MultiLineString([[(0, 0), (1, 1)]])
    kept = polygon_parts(objects(mixed, lines, None, square(1, 1)))
    assert kept[0].equals(square(0, 0))
    assert kept[1] is None
    assert kept[2] is None


def test_keys_of_doubles_follow_the_geometry():
    shapes = objects(square(0, 0), square(50, 0), None, square(9, 9))
    keys = unique_keys("approval", ["A", "A", "A", None], [1, 2, 3, 4], shapes)
    back = unique_keys("approval", [None, "A", "A", "A"], [1, 2, 3, 4], shapes[::-1])
    assert sorted(keys[:3]) == ["approval:A", "approval:A#2", "approval:A#3"]
    assert keys[:3].tolist() == back[::-1][:3].tolist()
    assert (keys[3], back[0]) == ("approval:row4", "approval:row1")


def test_each_overlap_is_found_once_and_touching_is_none():
    shapes = objects(square(0, 0), square(99, 0), square(199, 0), square(0.5, 100), square(0, 0))
    first, second, area = overlapping_features(shapes, shapely.area)
    assert list(zip(first.tolist(), second.tolist(), area.tolist(), strict=True)) == [
        (0, 1, 100.0),
        (0, 4, 10_000.0),
        (1, 4, 100.0),
    ]


def test_stated_areas():
    stated, drawn = np.array([100.0, 104, 106, np.nan]), np.full(4, 100.0)
    assert area_mismatches(stated, drawn).tolist() == [2]


def test_seeded_defects_are_all_found_and_none_invented(tmp_path):
    rows = {
        "fine": (square(0, 0), "1", "20240101", 1.0),
        "beside": (square(100, 0), "2", "20240101", 1.0),
        "double id": (square(300, 0), "2", "20240101", 1.0),
        "overlap": (square(390, 0), "3", "20240101", 1.0),
        "wrong area": (square(600, 0), "4", "20240101", 15.0),
        "bad date": (square(900, 0), "5", "soon", 1.0),
    }
    shapes, ids, dates, areas = zip(*rows.values(), strict=True)
    frame = geopandas.GeoDataFrame(
        {"DKBH": ids, "PZRQ": dates, "PZMJ": areas}, geometry=list(shapes), crs=CRS
    )
    frame.to_file(tmp_path / "a.gpkg")
    spec = LayerSpec(role="approval", source=tmp_path / "a.gpkg", no_overlap=True)
    report = build_onemap(LayersFile(layers=(spec,)), crs=CRS).rejects
    found = report[["key", "field", "problem", "effect"]].values.tolist()
    assert ["approval:5", "PZRQ", "cannot be read as date", "value unknown"] in found
    assert [
        "approval:4",
        "PZMJ",
        "stated 150000.00 m², drawn 10000.00 m²",
        "listed",
    ] in found
    assert sum(f[1] == "DKBH" for f in found) == 1
    overlaps = [f for f in found if f[1] == "geometry"]
    assert len(overlaps) == 1
    assert overlaps[0][2].endswith("by 1000.00 m²")
    assert len(found) == 4


@pytest.mark.parametrize(
    ("outline", "area"),
    [
        ("POLYGON((0 0,10 10,10 0,0 10,0 0))", 50),  # crosses itself: both loops stay
        ("MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)),((5 5,15 5,15 15,5 15,5 5)))", 175),
        ("POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,8 8,8 2,2 8,2 2))", 82),  # so does a hole
        ("POLYGON((0 0,10 0,10 10,20 20,10 10,0 10,0 0))", 100),  # a spike goes
        ("POLYGON((0 0,10 0,10 10,0 10,0 0),(5 5,15 5,15 8,5 8,5 5))", 85),
    ],
)
def test_a_repaired_outline_keeps_what_its_rings_surround(outline: str, area: float):
    clean, problems = clean_geometries(
        np.array([shapely.from_wkt(outline)], dtype=object), "EPSG:4526"
    )
    assert shapely.area(clean[0]) == pytest.approx(area)
    assert clean[0].is_valid
    assert problems[0]
