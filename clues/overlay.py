"""Pieces: the arrangement of all One-Map polygons over each patch.

Every piece carries the set of features that cover it, so that coverage by a set of documents is
the area of the pieces that meet the set: two approvals on one place are never counted twice.

The outlines that cross a patch are noded together by snap rounding to 1 mm; the faces that they
bound belong to the features that hold their inner point. All of it is done for many patches at
once, by compiled loops that give the same answer as GEOS, or leave it to GEOS.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from clues.arrangement import faces_within
from clues.crossing import Crossing, crossing, long_outlines
from clues.layers import OneMap
from clues.quality import DEGREE_GRID, METRE_GRID
from clues.slivers import join_slivers, merged
from configs.errors import InputError
from tiles.geodesy import ellipsoidal_area

if TYPE_CHECKING:
    from clues.crossing import Crossing

__all__ = ["COMPILED_FROM", "Pieces", "apportion", "grid_of", "pieces", "runs_of"]

RUN_VERTICES = 5
"""Outlines are looked up in runs of this many vertices, so that a redline costs what is near."""

COMPILED_FROM = 2000
"""Patches at a time from which loops are compiled: to load them takes the time in which GEOS cuts
as many, and to compile them, once on a machine, twenty seconds."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """Pieces of patches, ordered by patch, then north to south, west to east.

    Attributes
    ----------
    patch : ndarray of int64, shape (n,)
        Row of the patch table.
    geometry : ndarray of Polygon or MultiPolygon, shape (n,)
    area_dm2 : ndarray of int64, shape (n,)
        The pieces of a patch sum up to the area of the patch, exactly.
    offsets, feature : ndarray of int64, shape (n + 1,) and (m,)
        Piece i is covered by the rows ``feature[offsets[i]:offsets[i + 1]]`` of `features`,
        ascending.
    features : DataFrame
        `OneMap.features`.
    patches : GeoDataFrame
        The patches that were cut.
    """

    patch: Ints
    geometry: NDArray[np.object_]
    area_dm2: Ints
    offsets: Ints
    feature: Ints
    features: pd.DataFrame
    patches: Any

    def __len__(self) -> int:
        return len(self.patch)

    @cached_property
    def owner(self) -> Ints:
        """Piece of each entry of `feature`."""
        return np.repeat(np.arange(len(self.patch)), np.diff(self.offsets))

    @cached_property
    def keys(self) -> list[tuple[str, ...]]:
        """Sorted keys of the features that cover each piece."""
        names = self.features["key"].to_numpy(dtype=object)[self.feature]
        return [tuple(names[a:b]) for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]


def pieces(
    patches: Any, onemap: OneMap, *, min_area_m2: float = 1.0, min_width_m: float = 0.1
) -> Pieces:
    """Cut patches along all polygons of the One-Map.

    Parameters
    ----------
    patches : GeoDataFrame
        Patches in the CRS of `onemap`, with `area_dm2`.
    onemap : OneMap
    min_area_m2, min_width_m : float
        A piece below one of them is a sliver of digitising and joins the neighbour in its patch
        with which it shares the longest border (width: twice the area by the outline).

    Returns
    -------
    Pieces
        The same whatever the order of layers and features. Features that only touch a patch do
        not cover it.

    Raises
    ------
    InputError
        If the patches are in another CRS than the layers.
    """
    _require_crs(patches, onemap)
    outline = patches.geometry.to_numpy()
    shapes = _geometry(onemap)
    candidates = onemap.tree.query(outline).astype(np.int64)
    compiled, grid = len(outline) >= COMPILED_FROM, grid_of(onemap.crs)
    near = candidates[0], candidates[1]
    met = crossing(outline, shapes, near, RUN_VERTICES - 1, compiled=compiled)
    geometry, owner, inner = _faces(outline, met, grid, compiled)
    order = _canonical_order(geometry, owner, inner)
    geometry, owner = geometry[order], owner[order]
    face, covered_by = _face_features(owner, inner[order], shapes, met)
    shapely.destroy_prepared(long_outlines(shapes[np.unique(candidates[1])]))
    totals = patches["area_dm2"].to_numpy(dtype=np.int64)
    rough = shapely.area(geometry) * (totals / 100 / shapely.area(outline))[owner]
    host = join_slivers(geometry, owner, rough, min_area_m2=min_area_m2, min_width_m=min_width_m)
    if (host != np.arange(len(host))).any():
        kept = np.unique(host)
        geometry, owner = merged(geometry, host, grid_of(onemap.crs)), owner[kept]
        place = np.full(len(host), -1)
        place[kept] = np.arange(len(kept))
        stays = place[face] >= 0
        face, covered_by = place[face[stays]], covered_by[stays]
    area = _areas(geometry, owner, totals, onemap.crs)
    offsets = np.searchsorted(face, np.arange(len(owner) + 1)).astype(np.int64)
    area_dm2 = apportion(area, owner, totals)
    return Pieces(owner, geometry, area_dm2, offsets, covered_by, onemap.features, patches)


def apportion(weights: NDArray[np.float64], group: Ints, totals: Ints) -> Ints:
    """Share whole numbers by weight so that each group sums up to its total.

    Largest remainder: shares are rounded down and the units left over go to the largest
    fractions; ties go to the earlier row.

    Parameters
    ----------
    weights : ndarray of float64, shape (n,)
        Not negative.
    group : ndarray of int64, shape (n,)
        Ascending; group g shares ``totals[g]``.
    totals : ndarray of int64

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> apportion(np.array([1.0, 1.0, 1.0]), np.array([0, 0, 0]), np.array([100]))
    array([34, 33, 33])
    """
    sums = np.bincount(group, weights=weights, minlength=len(totals))
    counts = np.bincount(group, minlength=len(totals))
    even = sums[group] <= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(even, 1 / counts[group], weights / sums[group]) * totals[group]
    floor = np.floor(share).astype(np.int64)
    left = totals - np.bincount(group, weights=floor, minlength=len(totals)).astype(np.int64)
    by_remainder = np.lexsort((np.arange(len(group)), floor - share, group))
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    rank = np.empty(len(group), dtype=np.int64)
    rank[by_remainder] = np.arange(len(group)) - first[group]
    return np.asarray(floor + (rank < left[group]), dtype=np.int64)


def _require_crs(patches: Any, onemap: OneMap) -> None:
    if patches.crs is None or not pyproj.CRS(patches.crs).equals(
        pyproj.CRS(onemap.crs), ignore_axis_order=True
    ):
        raise InputError(
            f"the patches are in {patches.crs}, the layers in {onemap.crs}",
            "pieces(patches, onemap)",
            "read the layers with `crs` of the patches",
        )


def _geometry(onemap: OneMap) -> NDArray[np.object_]:
    return np.asarray(onemap.features["geometry"].to_numpy(dtype=object))


def grid_of(crs: str) -> float:
    """Return the precision of coordinates in a CRS, in its unit."""
    return DEGREE_GRID if pyproj.CRS(crs).is_geographic else METRE_GRID


def _faces(
    outline: NDArray[np.object_], met: "Crossing", grid: float, compiled: bool
) -> tuple[NDArray[np.object_], Ints, NDArray[np.float64]]:
    """Return the faces into which patches fall, the patch of each, a point inside it."""
    faces = faces_within(met.drawings, outline[met.cut], grid, compiled=compiled)
    # patches that nothing cuts, and those thinner than the precision
    alone = np.setdiff1d(np.arange(len(outline)), met.cut[faces.drawing])
    return (
        np.concatenate([outline[alone], faces.geometry]),
        np.concatenate([alone, met.cut[faces.drawing]]),
        np.concatenate([_inner_points(outline[alone]), faces.inner]),
    )


def _inner_points(geometry: NDArray[np.object_]) -> NDArray[np.float64]:
    return np.asarray(shapely.get_coordinates(shapely.point_on_surface(geometry)))


def runs_of(rings: NDArray[np.object_]) -> tuple[NDArray[np.object_], Ints]:
    """Chop rings into lines of at most `RUN_VERTICES` vertices that share their end points."""
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    start = np.searchsorted(ring, np.arange(len(rings)))
    step = RUN_VERTICES - 1
    within = np.arange(len(ring)) - start[ring]
    segment = np.flatnonzero(ring[1:] == ring[:-1])  # from vertex i to vertex i + 1
    part = within[segment] // step
    opens = np.ones(len(segment), dtype=bool)
    opens[1:] = (part[1:] != part[:-1]) | (ring[segment[1:]] != ring[segment[:-1]])
    closes = np.append(opens[1:], True)
    run = np.cumsum(opens) - 1
    vertices = np.concatenate([segment, segment[closes] + 1])
    of = np.concatenate([run, run[closes]])
    order = np.lexsort((vertices, of))
    runs = shapely.linestrings(xy[vertices[order]], indices=of[order])
    return runs, ring[segment[opens]]


def _canonical_order(
    geometry: NDArray[np.object_], owner: Ints, inner: NDArray[np.float64]
) -> Ints:
    """Return the order by patch, then north to south, west to east, then shape."""
    west, south, east, north = shapely.bounds(geometry).T
    keys = (inner[:, 1], inner[:, 0], east, south, west, -north, owner)
    return np.lexsort(keys).astype(np.int64)


def _face_features(
    owner: Ints, inner: NDArray[np.float64], geometry: NDArray[np.object_], met: "Crossing"
) -> tuple[Ints, Ints]:
    """Return (face, feature) for each feature that covers a face, sorted by both."""
    first = np.searchsorted(owner, met.patch)
    count = np.searchsorted(owner, met.patch, side="right") - first
    pair = np.repeat(np.arange(len(met.patch)), count)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    face = first[pair] + within
    boxes = shapely.bounds(geometry[met.feature])[pair]
    points = inner[face]
    covers = (boxes[:, :2] <= points).all(axis=1) & (points <= boxes[:, 2:]).all(axis=1)
    covers |= met.whole[pair]
    tested = np.flatnonzero(covers & ~met.whole[pair])
    outlines = geometry[met.feature[pair[tested]]]
    covers[tested] = shapely.intersects_xy(outlines, points[tested, 0], points[tested, 1])
    face, named = face[covers], met.feature[pair[covers]]
    order = np.lexsort((named, face))
    return face[order], named[order]


def _areas(
    geometry: NDArray[np.object_], owner: Ints, totals: Ints, crs: str
) -> NDArray[np.float64]:
    """Return m² of the pieces; a patch in one piece has the area it came with."""
    alone = np.bincount(owner, minlength=len(totals))[owner] == 1
    area = totals[owner] / 100.0
    area[~alone] = ellipsoidal_area(geometry[~alone], crs)
    return np.asarray(area)
