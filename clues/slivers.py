"""Slivers: pieces too small or too thin to mean anything join a neighbour in their patch."""

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["join_slivers", "shared_borders"]

Ints = NDArray[np.int64]


def join_slivers(
    geometry: NDArray[np.object_],
    patch: Ints,
    area_m2: NDArray[np.float64],
    *,
    min_area_m2: float,
    min_width_m: float,
) -> Ints:
    """Return for each piece the piece it belongs to in the end.

    From the smallest sliver on, each joins the neighbour (already joined ones counted together)
    with the longest common border; among equals the larger, then the earlier. A sliver without a
    neighbour in its patch stays.

    Parameters
    ----------
    geometry : ndarray of Polygon, shape (n,)
        Faces of an arrangement, which share the vertices of common borders.
    patch : ndarray of int64, shape (n,)
        Ascending.
    area_m2 : ndarray of float64, shape (n,)
    min_area_m2, min_width_m : float
        Below one of them a piece is a sliver; its width is twice its area by its outline.

    Returns
    -------
    ndarray of int64, shape (n,)
        Its own index where a piece stays.
    """
    host = np.arange(len(patch), dtype=np.int64)
    count = np.bincount(patch, minlength=1)[patch] if len(patch) else np.empty(0)
    planar, outline = shapely.area(geometry), shapely.length(geometry)
    with np.errstate(divide="ignore", invalid="ignore"):
        outline_m = outline * np.sqrt(area_m2 / planar)  # also right where units are degrees
        width = 2 * area_m2 / outline_m
    is_sliver = (count > 1) & ~((area_m2 >= min_area_m2) & (width >= min_width_m))
    for number in np.unique(patch[is_sliver]):
        members = np.flatnonzero(patch == number)
        local = _hosts(geometry[members], area_m2[members], is_sliver[members])
        host[members] = members[local]
    return host


def shared_borders(geometry: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the length of the common border of each two faces, shape (n, n), 0 on the diagonal."""
    n = len(geometry)
    first, second = np.triu_indices(n, 1)
    near = shapely.intersects(geometry[first], geometry[second])
    first, second = first[near], second[near]
    lines = shapely.boundary(geometry)
    length = shapely.length(shapely.intersection(lines[first], lines[second]))
    border = np.zeros((n, n))
    border[first, second] = border[second, first] = length
    return border


def _hosts(
    geometry: NDArray[np.object_], area_m2: NDArray[np.float64], is_sliver: NDArray[np.bool_]
) -> Ints:
    """Return the host of each face of one patch, see `join_slivers`."""
    border = shared_borders(geometry)
    area = area_m2.astype(np.float64).copy()
    host = np.arange(len(area), dtype=np.int64)
    waiting = is_sliver.copy()
    while waiting.any():
        candidates = np.flatnonzero(waiting)
        sliver = int(candidates[np.lexsort((candidates, area[candidates]))[0]])
        waiting[sliver] = False
        if not border[sliver].any():
            continue
        others = np.flatnonzero(border[sliver] > 0)
        best = others[np.lexsort((others, -area[others], -border[sliver, others]))[0]]
        host[host == sliver] = best
        area[best] += area[sliver]
        border[best] += border[sliver]
        border[:, best] += border[:, sliver]
        border[best, best] = 0
        border[sliver] = border[:, sliver] = 0
    return host
