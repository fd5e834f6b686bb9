"""Outlines of joined components: pixel edges, or smoothed by half a pixel at most."""

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from detect.components import Components
from detect.kernels.outline import PARTS, smoothed
from detect.kernels.runs import link_runs, number_roots
from detect.kernels.trace import trace_rings
from tiles.grid import AnalysisGrid

__all__ = ["outlines"]

BATCH_RUNS = 500_000
"""Runs traced at once (about 100 MB on the way), unless one component has more."""


def outlines(
    components: Components, grid: AnalysisGrid, *, smooth: bool = False
) -> NDArray[np.object_]:
    """Return the outline of each component.

    Parameters
    ----------
    components : Components
    grid : AnalysisGrid
        Grid of the pixels.
    smooth : bool
        Whether the steps of slanted edges are smoothed, see `detect.kernels.outline`: area in the
        plane of the grid, pixel centres and common borders are kept.

    Returns
    -------
    ndarray of shapely Polygon or MultiPolygon, shape (components,)
        Valid, in the grid's CRS, shells counter-clockwise, rings from their north-west vertex,
        without vertices inside straight edges. A component whose parts touch only at corners is
        a MultiPolygon of them.
    """
    parts: list[NDArray[np.object_]] = []
    owners: list[NDArray[np.int64]] = []
    for runs, run_start, owner in _piece_batches(components):
        rings = trace_rings(runs[0], runs[1], runs[2], run_start)
        if smooth:
            rings = smoothed(rings)
            x, y = grid.xy(rings.row / PARTS, rings.col / PARTS)
        else:
            x, y = grid.xy(rings.row, rings.col)
        offsets = (rings.ring_start, rings.piece_start)
        parts.append(
            shapely.from_ragged_array(
                shapely.GeometryType.POLYGON, np.column_stack([x, y]), offsets
            )
        )
        owners.append(owner)
    result = np.empty(len(components), object)
    if parts:
        part, owner = np.concatenate(parts), np.concatenate(owners)
        several = np.bincount(owner, minlength=len(components)) > 1
        single = ~several[owner]
        result[owner[single]] = part[single]
        if several.any():
            number = np.cumsum(several) - 1
            result[several] = shapely.multipolygons(part[~single], indices=number[owner[~single]])
    return result


def _piece_batches(
    components: Components,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield runs (3, n) sorted by piece, the first run of each piece, the component of each."""
    runs = components.row, components.first, components.last, components.comp
    row, first, last, comp = (a.astype(np.int64, copy=False) for a in runs)
    piece, parent = np.empty(len(row), np.int64), np.arange(len(row))
    # Neighbours of another component are no part of a piece: each has lines of its own.
    height = components.stats.row_max - components.stats.row_min + 2
    line = row + (np.cumsum(height) - height - components.stats.row_min)[comp]
    own = np.lexsort((first, line))
    link_runs(line[own], first[own], last[own], np.arange(len(row)), 0, parent)
    number_roots(parent, piece)
    order = own[np.lexsort((piece, comp[own]))]
    piece, comp = np.sort(piece), comp[order]
    run_start = np.flatnonzero(np.diff(piece, prepend=-1, append=-1))
    owner = comp[run_start[:-1]]
    batch = run_start[:-1] // BATCH_RUNS
    edges = np.flatnonzero(np.diff(batch, prepend=-1, append=-1))
    for lo, hi in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        pick = order[run_start[lo] : run_start[hi]]
        starts = run_start[lo : hi + 1] - run_start[lo]
        yield np.array([row[pick], first[pick], last[pick]]), starts, owner[lo:hi]
