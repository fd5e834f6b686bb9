"""Ellipsoidal area by the national formula, the only area in the product.

The area of a polygon is the signed sum, over its sides, of the ellipsoidal trapezoids between
the side and a reference meridian (国土调查办发〔2008〕32号). Vertices are inverse-projected to
geodetic latitude B and longitude L on CGCS2000; a side is a straight line in (B, L).
"""

from functools import lru_cache
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

__all__ = [
    "DM2_PER_M2",
    "ellipsoidal_area",
    "metres_per_unit",
    "ring_areas",
    "sheet_bounds",
    "sheet_number",
    "to_cgcs2000",
    "transformer",
]

DM2_PER_M2 = 100
"""Areas are kept as whole square decimetres: 1 dm² = 0.01 m²."""

SEMI_MAJOR_M = 6378137.0
FLATTENING = 1 / 298.257222101
SEMI_MINOR_M = SEMI_MAJOR_M * (1 - FLATTENING)
E2 = FLATTENING * (2 - FLATTENING)
COEFFICIENTS = (
    1 + 3 / 6 * E2 + 30 / 80 * E2**2 + 35 / 112 * E2**3 + 630 / 2304 * E2**4,
    1 / 6 * E2 + 15 / 80 * E2**2 + 21 / 112 * E2**3 + 420 / 2304 * E2**4,
    3 / 80 * E2**2 + 7 / 112 * E2**3 + 180 / 2304 * E2**4,
    1 / 112 * E2**3 + 45 / 2304 * E2**4,
    5 / 2304 * E2**4,
)


@lru_cache(maxsize=64)
def transformer(source: str, target: str) -> pyproj.Transformer:
    """Return a cached transformer in x, y (longitude, latitude) order."""
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def to_cgcs2000(coordinates: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    """Return (n, 2) longitude, latitude in degrees on CGCS2000 (EPSG:4490) of x, y in `crs`."""
    lon, lat = transformer(crs, "EPSG:4490").transform(coordinates[:, 0], coordinates[:, 1])
    return np.column_stack([lon, lat])


def strip_areas(
    lon1: NDArray[np.float64],
    lat1: NDArray[np.float64],
    lon2: NDArray[np.float64],
    lat2: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the signed trapezoid areas (m²) between sides and the reference meridian.

    Parameters
    ----------
    lon1, lat1, lon2, lat2 : ndarray of float64, shape (n,)
        Ends of the sides in radians; longitudes relative to the reference meridian.
    """
    half, middle = (lat2 - lat1) / 2, (lat1 + lat2) / 2
    total = np.zeros_like(half)
    for order, (coefficient, sign) in enumerate(zip(COEFFICIENTS, (1, -1, 1, -1, 1), strict=True)):
        k = 2 * order + 1
        total += sign * coefficient * np.sin(k * half) * np.cos(k * middle)
    return 2 * SEMI_MINOR_M**2 * (lon1 + lon2) / 2 * total


def ring_areas(lonlat: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the signed ellipsoidal area of closed rings.

    Parameters
    ----------
    lonlat : ndarray of float64, shape (n, 2)
        Vertices of all rings in degrees on CGCS2000; each ring repeats its first vertex.
    offsets : ndarray of int64, shape (rings + 1,)
        Ring i is ``lonlat[offsets[i]:offsets[i + 1]]``.

    Returns
    -------
    ndarray of float64, shape (rings,)
        m²; the sign tells the direction of the ring.
    """
    if len(offsets) == 1:
        return np.empty(0)
    reference = np.repeat(lonlat[offsets[:-1], 0], np.diff(offsets))
    lon, lat = np.radians(lonlat[:, 0] - reference), np.radians(lonlat[:, 1])
    sides = np.zeros(len(lon))
    sides[:-1] = strip_areas(lon[:-1], lat[:-1], lon[1:], lat[1:])
    sides[offsets[1:] - 1] = 0.0
    # reduceat sums each ring by itself: an area does not depend on what else is in the batch
    return np.asarray(np.add.reduceat(sides, offsets[:-1]))


def ellipsoidal_area(geometries: Any, crs: str) -> NDArray[np.float64]:
    """Return the ellipsoidal area of polygons on CGCS2000.

    Parameters
    ----------
    geometries : array-like of shapely Polygon or MultiPolygon, shape (n,)
        Empty geometries and None have area 0; parts that are not areal count nothing.
    crs : str
        CRS of the coordinates (any form pyproj accepts), x, y order.

    Returns
    -------
    ndarray of float64, shape (n,)
        m².

    References
    ----------
    .. [1] 国土调查办发〔2008〕32号, 图幅理论面积与图斑椭球面积计算公式及要求.

    Examples
    --------
    >>> square = shapely.box(38500000, 4060000, 38501000, 4061000)
    >>> round(float(ellipsoidal_area([square], "EPSG:4526")[0]), 2)
    999999.99
    """
    values = np.asarray(geometries, dtype=object)
    result = np.zeros(len(values))
    simple = (shapely.get_type_id(values) == 3) & (shapely.get_num_interior_rings(values) == 0)
    simple &= ~shapely.is_empty(values)  # one ring each: nothing to take to pieces
    result[simple] = np.abs(_areas_of_rings(values[simple], crs))
    others = np.flatnonzero(~simple)
    parts, owner = shapely.get_parts(values[others], return_index=True)
    areal = shapely.get_type_id(parts) == 3
    parts, owner = parts[areal], owner[areal]
    if not len(parts):
        return result
    rings, part_of = shapely.get_rings(parts, return_index=True)
    areas = np.abs(_areas_of_rings(rings, crs))
    is_shell = np.concatenate([[True], part_of[1:] != part_of[:-1]])
    np.add.at(result, others[owner[part_of]], np.where(is_shell, areas, -areas))
    return result


def _areas_of_rings(rings: Any, crs: str) -> NDArray[np.float64]:
    """Return the signed areas of shapes of one ring each."""
    counts = shapely.get_num_coordinates(rings)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return ring_areas(to_cgcs2000(shapely.get_coordinates(rings), crs), offsets)


def sheet_number(longitude: float, latitude: float) -> str:
    """Return the 1:10 000 sheet number of a point (GB/T 13989-2012).

    Examples
    --------
    >>> sheet_number(114.53, 36.69)
    'J50G080009'
    """
    d_lat, d_lon = 2.5 / 60, 3.75 / 60
    letter = chr(ord("A") + int(latitude // 4))
    column = int(longitude // 6) + 31
    row = 96 - int(latitude % 4 / d_lat)
    col = int(longitude % 6 / d_lon) + 1
    return f"{letter}{column:02d}G{row:03d}{col:03d}"


def sheet_bounds(number: str) -> tuple[float, float, float, float]:
    """Return west, south, east, north in degrees of a 1:10 000 sheet (GB/T 13989-2012).

    Raises
    ------
    ValueError
        If the text is no number of such a sheet.

    Examples
    --------
    >>> [round(v, 4) for v in sheet_bounds("J50G080009")]
    [114.5, 36.6667, 114.5625, 36.7083]
    """
    digits = number[1:3] + number[4:]
    if len(number) != 10 or number[3] != "G" or not digits.isdigit() or not "A" <= number[0] <= "V":
        raise ValueError(f"{number!r} is no number of a 1:10 000 sheet")
    row, col = int(number[4:7]), int(number[7:])
    d_lat, d_lon = 2.5 / 60, 3.75 / 60
    south = 4 * (ord(number[0]) - ord("A")) + (96 - row) * d_lat
    west = 6 * (int(number[1:3]) - 31) + (col - 1) * d_lon
    return west, south, west + d_lon, south + d_lat


def metres_per_unit(crs: str, x: float, y: float) -> tuple[float, float]:
    """Return the ground metres of one CRS unit along x and along y at a point."""
    lon, lat = (float(v) for v in transformer(crs, "EPSG:4490").transform(x, y))
    geod = pyproj.Geod(ellps="GRS80")
    step = 1e-3 if pyproj.CRS(crs).is_geographic else 100.0
    metres = []
    for dx, dy in ((step, 0.0), (0.0, step)):
        lon2, lat2 = transformer(crs, "EPSG:4490").transform(x + dx, y + dy)
        metres.append(float(geod.inv(lon, lat, lon2, lat2)[2]) / step)
    return metres[0], metres[1]
