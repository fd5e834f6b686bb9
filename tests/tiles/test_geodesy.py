"""Control numbers of the national area formula, and Geod where both must agree."""

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from tiles.geodesy import (
    COEFFICIENTS,
    E2,
    SEMI_MINOR_M,
    ellipsoidal_area,
    metres_per_unit,
    ring_areas,
    sheet_number,
    to_cgcs2000,
)

SHEETS = [
    ("J50G080009", 114.5, 36.0 + 40 / 60, 25_828_284.22),
    ("J50G003039", 116.375, 39.875, 24_728_895.82),
    ("F49G021085", 113.25, 23.125, 29_535_760.36),
    ("L52G054010", 126.5625, 45.75, 22_513_739.66),
]


def test_ellipsoid_constants() -> None:
    assert pytest.approx(6356752.314140356, abs=1e-8) == SEMI_MINOR_M
    assert pytest.approx(0.006694380022900686, rel=1e-13) == E2
    expected = (
        1.0033640898341927,
        0.0011241893819271072,
        1.6994594735188535e-06,
        2.717857845577432e-09,
        4.358419004834252e-12,
    )
    assert pytest.approx(expected, rel=1e-12) == COEFFICIENTS


@pytest.mark.parametrize(("sheet", "west", "south", "area"), SHEETS)
def test_sheets(sheet: str, west: float, south: float, area: float) -> None:
    box = shapely.box(west, south, west + 3.75 / 60, south + 2.5 / 60)
    assert ellipsoidal_area([box], "EPSG:4490")[0] == pytest.approx(area, abs=0.01)
    assert sheet_number(west + 0.01, south + 0.01) == sheet


def test_one_degree_cell() -> None:
    area = ellipsoidal_area([shapely.box(114, 36, 115, 37)], "EPSG:4490")[0]
    assert area == pytest.approx(9_941_644_196.7, abs=0.1)


@pytest.mark.parametrize(
    ("east", "area"), [(38_500_000, 999_999.99), (38_600_000, 999_751.28), (38_630_000, 999_580.67)]
)
def test_projected_square(east: int, area: float) -> None:
    square = shapely.box(east, 4_060_000, east + 1000, 4_061_000)
    assert ellipsoidal_area([square], "EPSG:4526")[0] == pytest.approx(area, abs=0.01)


@settings(max_examples=50, deadline=None)
@given(
    x=st.floats(38_400_000, 38_600_000),
    y=st.floats(2_500_000, 5_000_000),
    turn=st.floats(0, 6.28),
    size=st.floats(20, 700),
    sides=st.integers(3, 9),
)
def test_geod_agrees_on_small_polygons(
    x: float, y: float, turn: float, size: float, sides: int
) -> None:
    angles = turn + np.linspace(0, 2 * np.pi, sides, endpoint=False)
    polygon = shapely.Polygon(
        np.column_stack([x + size * np.cos(angles), y + size * np.sin(angles)])
    )
    lonlat = to_cgcs2000(shapely.get_coordinates(polygon), "EPSG:4526")
    geod = abs(pyproj.Geod(a=6378137.0, rf=298.257222101).polygon_area_perimeter(*lonlat.T)[0])
    # The formula takes the middle longitude of a slanted side: up to 3e-5 in a 1 km triangle.
    assert ellipsoidal_area([polygon], "EPSG:4526")[0] == pytest.approx(geod, rel=5e-5)


def test_holes_parts_and_other_geometries() -> None:
    outer = shapely.box(38_500_000, 4_060_000, 38_501_000, 4_061_000)
    inner = shapely.box(38_500_200, 4_060_200, 38_500_400, 4_060_400)
    far = shapely.box(38_505_000, 4_060_000, 38_505_100, 4_060_100)
    ring = shapely.difference(outer, inner)
    both = shapely.MultiPolygon([ring, far])
    line = shapely.LineString([(0, 0), (1, 1)])
    whole, hole, part, holed, multi = ellipsoidal_area([outer, inner, far, ring, both], "EPSG:4526")
    assert holed == pytest.approx(whole - hole, abs=1e-6)
    assert multi == pytest.approx(whole - hole + part, abs=1e-6)
    assert ellipsoidal_area([None, shapely.Polygon(), line], "EPSG:4526").tolist() == [0, 0, 0]
    assert ellipsoidal_area([], "EPSG:4526").shape == (0,)


def test_area_does_not_depend_on_the_batch_or_the_direction() -> None:
    boxes = [
        shapely.box(38_500_000 + i * 50, 4_060_000, 38_500_030 + i * 50, 4_060_040)
        for i in range(9)
    ]
    together = ellipsoidal_area(boxes, "EPSG:4526")
    alone = [ellipsoidal_area([b], "EPSG:4526")[0] for b in boxes]
    assert together.tolist() == alone
    turned = ellipsoidal_area([shapely.reverse(b) for b in boxes], "EPSG:4526")
    np.testing.assert_allclose(turned, together, rtol=1e-12)


def test_ring_areas_sign_and_no_rings() -> None:
    ring = np.array([[114.0, 36], [114.01, 36], [114.01, 36.01], [114, 36.01], [114, 36]])
    offsets = np.array([0, 5, 10])
    first, second = ring_areas(np.concatenate([ring, ring[::-1]]), offsets)
    assert first == pytest.approx(-second)
    assert ring_areas(np.empty((0, 2)), np.array([0])).shape == (0,)


def test_metres_per_unit() -> None:
    assert metres_per_unit("EPSG:32651", 500_000, 4_000_000) == pytest.approx(
        (1 / 0.9996,) * 2, rel=1e-5
    )
    mx, my = metres_per_unit("EPSG:4326", 109.5, 21.6)
    assert mx == pytest.approx(111_320 * np.cos(np.radians(21.6)), rel=2e-3)
    assert my == pytest.approx(110_700, rel=1e-3)
