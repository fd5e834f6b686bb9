"""Slivers: pieces too small or too thin to mean anything join a neighbour in their patch."""

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["is_sliver", "join_slivers", "merged", "shared_borders", "strongest"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def is_sliver(
    geometry: NDArray[np.object_], area_m2: Floats, *, min_area_m2: float, min_width_m: float
) -> NDArray[np.bool_]:
    """Tell which polygons are below an area or a width (twice the area by the outline).

    Parameters
    ----------
    geometry : ndarray of Polygon or MultiPolygon, shape (n,)
        In any unit; `area_m2` tells the scale.
    area_m2 : ndarray of float64, shape (n,)
    min_area_m2, min_width_m : float
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        outline_m = shapely.length(geometry) * np.sqrt(area_m2 / shapely.area(geometry))
        width = 2 * area_m2 / outline_m
    return np.asarray(~((area_m2 >= min_area_m2) & (width >= min_width_m)))


def shared_borders(
    geometry: NDArray[np.object_], group: Ints, wanted: NDArray[np.bool_]
) -> tuple[Ints, Ints, Floats]:
    """Return the borders that wanted faces share with the other faces of their group.

    Parameters
    ----------
    geometry : ndarray of Polygon, shape (n,)
        Faces of arrangements, which have the vertices of common borders in common.
    group : ndarray of int64, shape (n,)
        Ascending.
    wanted : ndarray of bool, shape (n,)

    Returns
    -------
    face, neighbour : ndarray of int64, shape (m,)
        Sorted by both.
    length : ndarray of float64, shape (m,)
        Above 0, in units of the coordinates.
    """
    face = np.flatnonzero(wanted)
    first = np.searchsorted(group, group[face])
    count = np.searchsorted(group, group[face], side="right") - first
    face, first = np.repeat(face, count), np.repeat(first, count)
    neighbour = first + np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    boxes = shapely.bounds(geometry)
    a, b = boxes[face], boxes[neighbour]
    near = (a[:, :2] <= b[:, 2:]).all(axis=1) & (b[:, :2] <= a[:, 2:]).all(axis=1)
    near &= face != neighbour
    face, neighbour = face[near], neighbour[near]
    used, place = np.unique(np.concatenate([face, neighbour]), return_inverse=True)
    lines = shapely.boundary(geometry[used])
    a, b = lines[place[: len(face)]], lines[place[len(face) :]]
    length = shapely.length(shapely.intersection(a, b))
    shared = length > 0
    return face[shared], neighbour[shared], length[shared]


def join_slivers(
    geometry: NDArray[np.object_],
    patch: Ints,
    area_m2: Floats,
    *,
    min_area_m2: float,
    min_width_m: float,
) -> Ints:
    """Return for each piece the piece it belongs to in the end.

    From the smallest sliver on, each joins the neighbour with the longest common border, counting
    what joined either before; among equals the larger, then the earlier. A sliver without a
    neighbour in its patch stays.

    Parameters
    ----------
    geometry : ndarray of Polygon, shape (n,)
        Faces of arrangements.
    patch : ndarray of int64, shape (n,)
        Ascending.
    area_m2 : ndarray of float64, shape (n,)
    min_area_m2, min_width_m : float
        See `is_sliver`.

    Returns
    -------
    ndarray of int64, shape (n,)
        Its own index where a piece stays.
    """
    host = np.arange(len(patch), dtype=np.int64)
    small = is_sliver(geometry, area_m2, min_area_m2=min_area_m2, min_width_m=min_width_m)
    face, neighbour, length = shared_borders(geometry, patch, small)
    borders: dict[int, dict[int, float]] = {}
    for f, n, b in zip(face.tolist(), neighbour.tolist(), length.tolist(), strict=True):
        borders.setdefault(f, {})[n] = b
    area = area_m2.tolist()
    joined_by: dict[int, list[int]] = {}
    for sliver in sorted(borders, key=lambda i: (area[i], i)):
        own: dict[int, float] = {}
        for member in (sliver, *joined_by.get(sliver, ())):
            for n, b in borders.get(member, {}).items():
                own[int(host[n])] = own.get(int(host[n]), 0.0) + b
        own.pop(sliver, None)
        if not own:
            continue
        best = strongest(own, area)
        moving = [sliver, *joined_by.pop(sliver, [])]
        host[moving] = best
        joined_by.setdefault(best, []).extend(moving)
        area[best] += area[sliver]
    return host


def strongest(border: dict[int, float], size: Mapping[int, float] | Sequence[float]) -> int:
    """Return the neighbour with the longest border; among equals the larger, then the earlier."""
    return min(border, key=lambda n: (-border[n], -size[n], n))


def merged(geometry: NDArray[np.object_], group: Ints, grid: float) -> NDArray[np.object_]:
    """Return the union of the pieces of each group, in the order of the group numbers.

    Pieces share the vertices of common borders, so dropping those borders is enough; where that
    fails (after slivers have joined, say) the outlines are noded.

    Parameters
    ----------
    geometry : ndarray of Polygon or MultiPolygon, shape (n,)
    group : ndarray of int64, shape (n,)
    grid : float
        Precision of the union.
    """
    order = np.argsort(group, kind="stable")
    names, first, count = np.unique(group[order], return_index=True, return_counts=True)
    result = geometry[order[first]].copy()
    several = np.flatnonzero(count > 1)
    members = order[np.isin(group[order], names[several])]
    place = np.searchsorted(names[several], group[members])
    if len(several):
        bundles = shapely.geometrycollections(geometry[members], indices=place)
        try:
            unions = shapely.coverage_union_all(bundles[:, None], axis=1)
        except shapely.errors.GEOSException:  # borders that do not match
            unions = np.full(len(bundles), None, dtype=object)
        sums = np.bincount(place, weights=shapely.area(geometry[members]))
        wrong = ~shapely.is_valid(unions) | ~np.isclose(shapely.area(unions), sums, rtol=1e-9)
        unions[wrong] = shapely.union_all(bundles[wrong][:, None], grid_size=grid, axis=1)
        result[several] = shapely.normalize(unions)
    return result
