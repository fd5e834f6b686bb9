"""Facts of what lies near a patch or was there before: distances, former clues, shared filings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from clues.coverage import Documents, Epochs, passed_alone
from clues.kleene import threshold
from clues.overlay import runs_of
from clues.shape import ground_lengths
from configs.rules import RuleSet
from configs.vocabulary import uses
from tiles.geodesy import ellipsoidal_area

if TYPE_CHECKING:
    from clues.layers import OneMap

__all__ = [
    "DISTANCE_ROLES",
    "MAYBE_FACILITY",
    "FiledUse",
    "Former",
    "Near",
    "filed_use",
    "former_clues",
    "metres_of_unit",
    "nearest",
    "reach_of",
]

DISTANCE_ROLES = {
    "redline_distance": "redline",
    "mining_distance": "mining_right",
    "near_approval_distance": "approval",
}
"""Facts that look beyond the patch, and the role they look for."""

DEGREE_M = 111_320.0
LEAST_REACH_M = 1.0
LARGE = 33
"""Vertices from which a feature is looked up along its outline."""
MAYBE_FACILITY = ("building", "unknown")
"""Uses of which imagery cannot tell whether they serve farming."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Near:
    """The nearest feature of each patch.

    Attributes
    ----------
    distance : ndarray of float64, shape (n,)
        Metres on the ground, 0 where it meets the patch; inf beyond the reach.
    document : ndarray of int64, shape (n,)
        Row of `Documents`, −1 where there is none in reach.
    """

    distance: Floats
    document: Ints


def reach_of(rules: RuleSet, role: str) -> float:
    """Return how far, in metres, rules look for features of a role; facts say no more beyond."""
    parts = [r.when for r in rules.rules] + [f.when for f in rules.flags]
    asked = [
        threshold(leaf, rules.parameters, "length")
        for part in parts
        for _, leaf in part.walk()
        if leaf.fact in DISTANCE_ROLES and DISTANCE_ROLES[leaf.fact] == role and leaf.than is None
    ]
    return max([LEAST_REACH_M, *asked])


def nearest(
    patches: Any,
    onemap: "OneMap",
    documents: Documents,
    role: str,
    epochs: Epochs,
    *,
    meets: tuple[Ints, Ints],
    reach: float,
    test: str | None = None,
) -> Near:
    """Return the nearest feature of a role within reach, among those that may pass a date test.

    Among equals the first key counts. `meets` are the patches and documents known to meet: the
    others are looked for along the outlines.
    """
    outline = patches.geometry.to_numpy()
    n = len(outline)
    distance, document = np.full(n, np.inf), np.full(n, -1, dtype=np.int64)
    order = np.lexsort(meets[::-1])
    patch, first = np.unique(meets[0][order], return_index=True)
    distance[patch], document[patch] = 0.0, meets[1][order][first]
    apart, scale = np.flatnonzero(document < 0), metres_of_unit(onemap)
    rows = _features_near(outline[apart], onemap, 1.02 * reach / np.array(scale))
    rows = rows[documents.role[rows] == role]
    if not len(rows):
        return Near(distance, document)
    geometry = onemap.features["geometry"].to_numpy(dtype=object)[rows]
    flat, patch_flat = _flat(geometry, scale), _flat(outline[apart], scale)
    parts, part_of = _parts(flat)
    tree = shapely.STRtree(parts)
    patch, part = tree.query_nearest(patch_flat, max_distance=1.02 * reach)
    found = part_of[part]
    if test is not None:
        own = epochs.take(apart)
        passes = passed_alone(test, documents, rows[found], own.take(patch)).possible
        failed = np.unique(patch[~passes])
        more, all_near = tree.query(patch_flat[failed], predicate="dwithin", distance=1.02 * reach)
        patch, found = np.append(patch, failed[more]), np.append(found, part_of[all_near])
        passes = passed_alone(test, documents, rows[found], own.take(patch)).possible
        patch, found = patch[passes], found[passes]
    rough = shapely.distance(patch_flat[patch], flat[found])
    order = np.lexsort((rows[found], rough, patch))
    patch, first = np.unique(patch[order], return_index=True)
    chosen = found[order][first]
    lines = shapely.shortest_line(outline[apart[patch]], geometry[chosen])
    measured = ground_lengths(lines, onemap.crs)
    near = measured <= reach
    patch, chosen = apart[patch[near]], rows[chosen[near]]
    distance[patch], document[patch] = measured[near], chosen
    return Near(distance, document)


def _features_near(outline: NDArray[np.object_], onemap: "OneMap", reach: Floats) -> Ints:
    """Return the features whose boxes come within reach (along x, y) of those of outlines."""
    west, south, east, north = shapely.bounds(outline).T
    boxes = shapely.box(west - reach[0], south - reach[1], east + reach[0], north + reach[1])
    return np.unique(onemap.tree.query(boxes)[1]).astype(np.int64)


def _parts(geometry: NDArray[np.object_]) -> tuple[NDArray[np.object_], Ints]:
    """Return small features whole and the outlines of large ones in pieces, with their owners."""
    large = shapely.get_num_coordinates(geometry) > LARGE
    if not large.any():
        return geometry, np.arange(len(geometry))
    rings, ring_of = shapely.get_parts(shapely.boundary(geometry[large]), return_index=True)
    runs, run_of = runs_of(rings)
    owners = np.flatnonzero(large)[ring_of[run_of]]
    return (
        np.concatenate([geometry[~large], runs]),
        np.concatenate([np.flatnonzero(~large), owners]),
    )


def metres_of_unit(onemap: "OneMap") -> tuple[float, float]:
    """Return metres of one unit of x and y in the middle of the layers, near enough to rank."""
    if not pyproj.CRS(onemap.crs).is_geographic:
        return 1.0, 1.0
    bounds = shapely.total_bounds(onemap.features["geometry"].to_numpy(dtype=object))
    return DEGREE_M * float(np.cos(np.radians((bounds[1] + bounds[3]) / 2))), DEGREE_M


def _flat(geometry: NDArray[np.object_], scale: tuple[float, float]) -> NDArray[np.object_]:
    if scale == (1.0, 1.0):
        return geometry
    return np.asarray(shapely.transform(geometry, lambda xy: xy * scale), dtype=object)


@dataclass(frozen=True)
class Former:
    """The former clue that each patch overlaps most.

    Attributes
    ----------
    overlap : ndarray of float64, shape (n,)
        Common area by the area of both together, 0–1.
    document : ndarray of int64, shape (n,)
        Row of `Documents`, −1 where there is none.
    """

    overlap: Floats
    document: Ints


def former_clues(
    patch: Ints, area_dm2: Floats, document: Ints, patch_dm2: Floats, onemap: "OneMap"
) -> Former:
    """Return the best match among former clues; among equals the first key.

    Parameters
    ----------
    patch, area_dm2, document : ndarray, shape (links,)
        Pieces with the former clues on them.
    patch_dm2 : ndarray of float64, shape (n,)
    """
    n = len(patch_dm2)
    overlap, best = np.zeros(n), np.full(n, -1, dtype=np.int64)
    if not len(patch):
        return Former(overlap, best)
    pairs, inverse = np.unique(np.column_stack([patch, document]), axis=0, return_inverse=True)
    common = np.bincount(inverse.reshape(-1), weights=area_dm2)
    own, which = pairs[:, 0], pairs[:, 1]
    geometry = onemap.features["geometry"].to_numpy(dtype=object)
    used, at = np.unique(which, return_inverse=True)
    whole = ellipsoidal_area(geometry[used], onemap.crs)[at] * 100
    ratio = common / (patch_dm2[own] + whole - common)
    order = np.lexsort((which, -ratio, own))
    own, first = np.unique(own[order], return_index=True)
    overlap[own], best[own] = np.minimum(ratio[order][first], 1.0), which[order][first]
    return Former(overlap, best)


@dataclass(frozen=True)
class FiledUse:
    """Area of farm-facility patches inside each facility filing, over all patches of a run.

    Attributes
    ----------
    certain, possible : dict of (document, area in dm²)
        Of patches whose use is a farm facility, and of those whose use may be one.
    """

    certain: Floats
    possible: Floats


def filed_use(patches: Any, onemap: "OneMap", documents: Documents) -> FiledUse:
    """Sum up what stands inside each filing; the answer does not depend on batches."""
    zeros = np.zeros(len(documents.role))
    use = patches["use"].fillna("unknown").astype(str).to_numpy()
    known = uses()
    sure = np.array([u in known and known[u].group == "facility" for u in use], dtype=bool)
    maybe = sure | np.isin(use, MAYBE_FACILITY)
    rows = np.flatnonzero(maybe)
    filings = np.flatnonzero(documents.role == "facility")
    if not len(rows) or not len(filings):
        return FiledUse(zeros, zeros)
    outline = patches.geometry.to_numpy()[rows]
    geometry = onemap.features["geometry"].to_numpy(dtype=object)[filings]
    patch, filing = shapely.STRtree(geometry).query(outline, predicate="intersects")
    common = shapely.intersection(outline[patch], geometry[filing])
    areas = np.floor(ellipsoidal_area(common, onemap.crs) * 100 + 0.5)
    both = np.bincount(filings[filing], weights=areas, minlength=len(zeros))
    own = np.where(sure[rows[patch]], areas, 0.0)
    certain = np.bincount(filings[filing], weights=own, minlength=len(zeros))
    return FiledUse(certain.astype(np.float64), both.astype(np.float64))
