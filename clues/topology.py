"""How the polygons of one layer fit together: gaps, slivers, doubles, what lies outside of others.

All functions work in the CRS the layer was drawn in: a border that is straight there is curved in
another, so that neighbours with different vertices would gape after a change of the CRS.
"""

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from clues.quality import METRE_GRID, overlapping_features, polygon_parts
from tiles.geodesy import ellipsoidal_area, metres_per_unit

__all__ = ["gaps", "outer_rings", "outside", "overlaps", "same_outlines", "slivers", "widths"]

MIN_WIDTH_M = 0.005
"""Gaps and overlaps narrower than this come from the precision of coordinates."""

MIN_AREA_M2 = 0.01

SLIVER_AREA_M2, SLIVER_WIDTH_M = 1.0, 0.1

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]


def widths(geometries: Shapes, area_m2: Floats, crs: str) -> Floats:
    """Return the mean width in metres: twice the area by the length of the outline."""
    if not len(geometries):
        return np.empty(0)
    bounds = shapely.total_bounds(geometries)
    if not np.isfinite(bounds).all():
        return np.zeros(len(geometries))
    scale = np.ones(2)
    if pyproj.CRS(crs).is_geographic:
        centre = float(bounds[0] + bounds[2]) / 2, float(bounds[1] + bounds[3]) / 2
        scale = np.array(metres_per_unit(crs, *centre))
    length = shapely.length(shapely.transform(geometries, lambda xy: xy * scale))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(length > 0, 2 * area_m2 / length, 0.0))


def _wide(geometries: Shapes, area_m2: Floats, crs: str) -> NDArray[np.bool_]:
    thick = widths(geometries, area_m2, crs) >= MIN_WIDTH_M
    return np.asarray(thick & (area_m2 >= MIN_AREA_M2))


def gaps(geometries: Shapes, crs: str) -> tuple[Shapes, Ints, Floats]:
    """Return the holes in the union of polygons.

    Returns
    -------
    shape : ndarray of Polygon, shape (n,)
    beside : ndarray of int64, shape (n,)
        The polygon each gap shares the longest border with, the first of equals.
    area_m2 : ndarray of float64, shape (n,)
    """
    parts = _union_parts(geometries)
    rings, part = shapely.get_rings(parts, return_index=True)
    inner = np.concatenate([[False], part[1:] == part[:-1]])[: len(rings)]
    shape = shapely.polygons(rings[inner])
    area = ellipsoidal_area(shape, crs)
    wide = _wide(shape, area, crs)
    shape, area = shape[wide], area[wide]
    gap, beside = shapely.STRtree(geometries).query(shape, predicate="intersects")
    unit = 1e-8 if pyproj.CRS(crs).is_geographic else METRE_GRID
    border = shapely.intersection(shapely.boundary(shape[gap]), geometries[beside])
    shared = np.round(shapely.length(border) / unit).astype(np.int64)
    best = np.lexsort((beside, -shared, gap))
    neighbour = beside[best[np.searchsorted(gap[best], np.arange(len(shape)))]]
    order = np.lexsort((-area, neighbour))
    return shape[order], neighbour[order].astype(np.int64), area[order]


def _union_parts(geometries: Shapes) -> Shapes:
    """Return the polygons of the union: what fits edge to edge is joined without noding."""
    faulty = ~shapely.is_empty(shapely.coverage_invalid_edges(geometries))
    parts = shapely.get_parts(shapely.coverage_union_all(geometries[~faulty]))
    if faulty.any():
        parts = shapely.get_parts(shapely.union_all(np.concatenate([parts, geometries[faulty]])))
    return np.asarray(parts)


def overlaps(geometries: Shapes, crs: str) -> tuple[Ints, Ints, Floats]:
    """Return pairs of polygons that overlap more than the precision explains, and m²."""
    first, second, area = overlapping_features(
        geometries, lambda g: ellipsoidal_area(g, crs), min_area_m2=MIN_AREA_M2
    )
    common = polygon_parts(shapely.intersection(geometries[first], geometries[second]))
    wide = _wide(common, area, crs)
    return first[wide], second[wide], area[wide]


def slivers(geometries: Shapes, area_m2: Floats, crs: str) -> tuple[Ints, Floats]:
    """Return the polygons below 1 m² or below 0.1 m in width, and the width of each."""
    width = widths(geometries, area_m2, crs)
    small = np.flatnonzero((area_m2 < SLIVER_AREA_M2) | (width < SLIVER_WIDTH_M))
    return small.astype(np.int64), width[small]


def same_outlines(geometries: Shapes) -> tuple[Ints, Ints]:
    """Return (later, first) for each polygon whose outline an earlier one has as well."""
    known: dict[bytes, int] = {}
    later, first = [], []
    for i, wkb in enumerate(shapely.to_wkb(geometries)):
        place = known.setdefault(wkb, i)
        if place != i:
            later.append(i)
            first.append(place)
    return np.array(later, dtype=np.int64), np.array(first, dtype=np.int64)


def outside(geometries: Shapes, covers: Shapes, crs: str) -> Floats:
    """Return the m² of each polygon outside the union of `covers`; overlaps count once."""
    tree = shapely.STRtree(covers)
    result = np.empty(len(geometries))
    polygon, cover = tree.query(geometries, predicate="intersects")
    order = np.lexsort((cover, polygon))
    polygon, cover = polygon[order], cover[order]
    starts = np.searchsorted(polygon, np.arange(len(geometries) + 1))
    rest = np.array(geometries, dtype=object)
    for i in range(len(geometries)):
        near = covers[cover[starts[i] : starts[i + 1]]]
        if len(near):
            rest[i] = shapely.difference(geometries[i], shapely.union_all(near))
    result[:] = ellipsoidal_area(polygon_parts(rest), crs)
    return result


def outer_rings(geometries: Shapes) -> Shapes:
    """Return the outer rings of the union of polygons."""
    return np.asarray(shapely.get_exterior_ring(_union_parts(geometries)))
