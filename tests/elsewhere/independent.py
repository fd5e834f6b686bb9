"""Areas, repairs and overlaps by plain shapely, NumPy and pyproj: nothing of the product here.

The area of an outline is the sum over its sides of the strip between the latitudes of both ends,
as wide as the mean longitude: that is what the national rule calls the trapezoid of a side. The
strip is integrated here from the surface element M N cos(B) by Gauss and Legendre, while the
product has the rule's series. `geodesic_area` is a third way, which both come near.
Outlines that are not valid are repaired by linework: rings are noded, and what an odd number of
them surrounds is inside.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyproj
import shapely

GEOD = pyproj.Geod(ellps="GRS80")
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)


def _element(lat: np.ndarray) -> np.ndarray:
    """Return m² per square radian at a latitude."""
    bend = 1 - GEOD.es * np.sin(lat) ** 2
    return GEOD.a**2 * (1 - GEOD.es) / bend**2 * np.cos(lat)


def ring_area(ring: Any) -> float:
    """Return m² inside a ring of longitudes and latitudes."""
    lon, lat = np.radians(shapely.get_coordinates(ring)).T
    half = (lat[1:] - lat[:-1]) / 2
    middle = (lat[1:] + lat[:-1]) / 2
    strip = half * sum(
        w * _element(middle + half * node) for node, w in zip(NODES, WEIGHTS, strict=True)
    )
    mean = (lon[1:] + lon[:-1]) / 2 - lon[0]
    return abs(float(np.sum(strip * mean)))


def area(shape: Any) -> float:
    """Return m² of the polygons of a geometry in longitude and latitude."""
    total = 0.0
    for part in shapely.get_parts(shapely.get_parts(shape)):
        if part.geom_type == "Polygon":
            total += ring_area(part.exterior) - sum(ring_area(r) for r in part.interiors)
    return total


def geodesic_area(shape: Any) -> float:
    """Return m² of a polygon by Karney's geodesics, which small outlines hardly leave."""
    return abs(float(GEOD.geometry_area_perimeter(shape)[0]))


def repaired(shapes: Iterable[Any]) -> np.ndarray:
    """Return valid geometries, made by linework where they were not."""
    return np.array([s if s.is_valid else shapely.make_valid(s) for s in shapes], dtype=object)


def overlaps(left: np.ndarray, right: np.ndarray) -> list[tuple[int, int, Any]]:
    """Return (left, right, common part) of all pairs with a common area."""
    found = []
    for i, j in shapely.STRtree(right).query(left, predicate="intersects").T.tolist():
        common = shapely.intersection(left[i], right[j])
        if common.area > 0:
            found.append((i, j, common))
    return found


def play(shape: Any, cutters: Iterable[Any]) -> float:
    """Return m² by which areas of a cut shape may differ for reasons that are stated.

    Parts below 1 m² or 0.1 m wide join a neighbour; and the trapezoids of a side that is cut in
    two do not sum up to that of the whole side, which is what is shared out among the parts.
    """
    faces = list(shapely.get_parts(shape))
    for cutter in cutters:
        both = [op(f, cutter) for f in faces for op in (shapely.intersection, shapely.difference)]
        parts = shapely.get_parts(shapely.get_parts(both))
        faces = [p for p in parts if p.geom_type == "Polygon" and p.area > 0]
    sizes = [area(f) for f in faces]
    total = abs(sum(sizes) - area(shape))
    for face, size in zip(faces, sizes, strict=True):
        outline = float(GEOD.geometry_length(face))
        total += size if size < 1 or 2 * size / outline < 0.1 else 0.0
    return total
