"""Outlines as arrays: rings of shapes, and short runs of them that may meet other shapes."""

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.kernels.outlinearrays import Met, Rings

__all__ = ["rings_of", "runs_in_reach", "spans"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shapes = NDArray[np.object_]


def rings_of(shapes: Shapes) -> Rings:
    """Return the rings of polygons; only those of several rings are taken to pieces."""
    simple = (shapely.get_type_id(shapes) == 3) & (shapely.get_num_interior_rings(shapes) == 0)
    parts, of_part = shapely.get_parts(shapes[~simple], return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    shape = np.concatenate([np.flatnonzero(simple), np.flatnonzero(~simple)[of_part[part]]])
    length = np.concatenate([shapely.get_num_coordinates(s) for s in (shapes[simple], rings)])
    order = np.argsort(shape, kind="stable")
    start = np.concatenate([[0], np.cumsum(length[order])]).astype(np.int64)
    first = np.searchsorted(shape[order], np.arange(len(shapes) + 1)).astype(np.int64)
    return Rings(shapely.get_coordinates(shapes), start, first)


def runs_in_reach(outline: Shapes, lines: Rings, of_shape: Ints, of_line: Ints, step: int) -> Met:
    """Return the runs whose boxes meet those of shapes; whether they meet these is unclear.

    Parameters
    ----------
    outline : ndarray of Polygon or MultiPolygon
    lines : Rings
        The outlines to be followed.
    of_shape, of_line : ndarray of int64, shape (pairs,)
        Rows of both, sorted by both.
    step : int
        Segments of a run.
    """
    segments = np.diff(lines.start) - 1
    count = -(-segments // step)
    ring = np.repeat(np.arange(len(count)), count)
    start = lines.start[ring] + step * spans(np.zeros_like(count), count)
    stop = np.minimum(start + step + 1, lines.start[ring + 1])
    of_run = np.searchsorted(lines.first, ring, side="right") - 1
    names = np.repeat(np.arange(len(start)), stop - start)
    runs = shapely.linestrings(lines.xy[spans(start, stop)], indices=names)
    shape, run = shapely.STRtree(runs).query(outline)
    lines_in_all = len(lines.first)
    asked, told = of_shape * lines_in_all + of_line, shape * lines_in_all + of_run[run]
    pair = np.minimum(np.searchsorted(asked, told), len(asked) - 1)
    wanted = asked[pair] == told
    pair, run = pair[wanted], run[wanted]
    order = np.lexsort((run, pair))
    pair, run = pair[order], run[order]
    return Met(pair, start[run], stop[run], np.ones(len(pair), dtype=bool))


def spans(start: Ints, stop: Ints) -> Ints:
    """Return the numbers of ranges, one range after the other."""
    count = stop - start
    return np.asarray(np.arange(count.sum()) + np.repeat(start - np.cumsum(count) + count, count))
