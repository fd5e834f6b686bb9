"""Which features meet which patches, and the runs of their outlines that do."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.arrangement import Drawings
from clues.kernels.outlinearrays import Met, Rings
from clues.outlineruns import rings_of, runs_in_reach, spans

__all__ = ["Crossing", "crossing", "long_outlines"]

FEW_VERTICES = 64
"""To look at so many vertices takes no longer than to index them."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Crossing:
    """Features on patches.

    Attributes
    ----------
    patch, feature : ndarray of int64, shape (pairs,)
        Rows that have a point in common, sorted by both.
    whole : ndarray of bool, shape (pairs,)
        Whether the feature covers all of the patch.
    cut : ndarray of int64
        Patches that some feature meets and does not cover.
    drawings : Drawings
        For each of them its outline and what runs across it of the outlines of such features:
        the whole outlines would make ten times as many faces outside the patches as inside.
    """

    patch: Ints
    feature: Ints
    whole: NDArray[np.bool_]
    cut: Ints
    drawings: Drawings


def crossing(
    outline: Shapes,
    geometry: Shapes,
    candidates: tuple[Ints, Ints],
    step: int,
    *,
    compiled: bool,
) -> Crossing:
    """Return which features meet which patches.

    Parameters
    ----------
    outline : ndarray of Polygon or MultiPolygon, shape (patches,)
    geometry : ndarray of Polygon or MultiPolygon, shape (features,)
    candidates : tuple of ndarray of int64, shape (n,)
        Rows of patches and features whose boxes meet.
    step : int
        Segments of a run.
    compiled : bool
        Whether by compiled loops; the answer is the same.
    """
    order = np.lexsort(candidates[::-1])
    patch, feature = (rows[order] for rows in candidates)
    used = np.unique(feature)
    shapely.prepare(long_outlines(geometry[used]))
    own, others = rings_of(outline), rings_of(geometry[used])
    met = _runs(own, others, patch, np.searchsorted(used, feature), step, outline, compiled)
    touched = np.zeros(len(patch), dtype=bool)
    touched[met.pair] = True
    meet, whole = _apart_or_whole(outline, geometry, own, patch, feature, touched)
    kept = meet[met.pair] & ~whole[met.pair]
    runs = _chosen(met, kept)
    cut = np.unique(patch[meet & ~whole])
    drawings = _drawings(cut, own, others, runs, patch[runs.pair], compiled)
    return Crossing(patch[meet], feature[meet], whole[meet], cut, drawings)


def long_outlines(shapes: Shapes) -> Shapes:
    """Return the shapes for which an index pays."""
    return np.asarray(shapes[shapely.get_num_coordinates(shapes) > FEW_VERTICES])


def _runs(
    own: Rings, others: Rings, patch: Ints, line: Ints, step: int, outline: Shapes, compiled: bool
) -> Met:
    """Return the runs that meet patches, pair by pair; GEOS decides what is unclear."""
    if compiled:
        met = _followed(own, others, patch, line, step)
    else:
        met = runs_in_reach(outline, others, patch, line, step)
    unclear = np.flatnonzero(met.unclear)
    vertices = spans(met.start[unclear], met.stop[unclear])
    names = np.repeat(np.arange(len(unclear)), met.stop[unclear] - met.start[unclear])
    runs = shapely.linestrings(others.xy[vertices], indices=names)
    beside = ~shapely.intersects(outline[patch[met.pair[unclear]]], runs)
    kept = np.ones(len(met.pair), dtype=bool)
    kept[unclear[beside]] = False
    return _chosen(met, kept)


def _followed(own: Rings, others: Rings, patch: Ints, line: Ints, step: int) -> Met:
    """Return the runs that meet patches by compiled loops, and those that may."""
    from clues.kernels.nearness import runs_met

    met, needed = runs_met(own, others, patch, line, step, 4 * len(patch))
    if needed > len(met.pair):
        met, _ = runs_met(own, others, patch, line, step, needed)
    return met


def _chosen(met: Met, kept: NDArray[np.bool_]) -> Met:
    return Met(met.pair[kept], met.start[kept], met.stop[kept], met.unclear[kept])


def _apart_or_whole(
    outline: Shapes,
    geometry: Shapes,
    own: Rings,
    patch: Ints,
    feature: Ints,
    touched: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pairs meet, and where the feature covers the patch.

    A feature whose outline does not meet a patch in one part has all of it or nothing.
    """
    boxes, frames = shapely.bounds(outline)[patch], shapely.bounds(geometry)[feature]
    around = (frames[:, :2] <= boxes[:, :2]).all(axis=1) & (boxes[:, 2:] <= frames[:, 2:]).all(
        axis=1
    )
    meet, whole = touched.copy(), np.zeros(len(patch), dtype=bool)
    several = shapely.get_num_geometries(outline)[patch] > 1
    free = np.flatnonzero(~touched & ~several & around)
    corner = own.xy[own.start[own.first[patch[free]]]]
    whole[free] = shapely.intersects_xy(geometry[feature[free]], corner[:, 0], corner[:, 1])
    rest = np.flatnonzero(around & (touched | several))
    whole[rest] = shapely.covers(geometry[feature[rest]], outline[patch[rest]])
    loose = np.flatnonzero(~touched & several)
    meet[loose] = shapely.intersects(geometry[feature[loose]], outline[patch[loose]])
    return meet | whole, whole


def _drawings(
    cut: Ints, own: Rings, others: Rings, runs: Met, patch: Ints, compiled: bool
) -> Drawings:
    """Return the outlines of cut patches, each with its runs."""
    ring = spans(own.first[cut], own.first[cut + 1])
    drawing = np.repeat(np.arange(len(cut)), own.first[cut + 1] - own.first[cut])
    drawing = np.concatenate([drawing, np.searchsorted(cut, patch)])
    start = np.concatenate([own.start[ring], runs.start + len(own.xy)])
    stop = np.concatenate([own.start[ring + 1], runs.stop + len(own.xy)])
    order = np.argsort(drawing, kind="stable")
    start, stop, drawing = start[order], stop[order], drawing[order]
    xy, line = _lines(own.xy, others.xy, start, stop, compiled)
    vertex = np.concatenate([[0], np.cumsum(stop - start)])
    offsets = vertex[np.searchsorted(drawing, np.arange(len(cut) + 1))]
    return Drawings(xy, line, offsets)


def _lines(
    own: Floats, others: Floats, start: Ints, stop: Ints, compiled: bool
) -> tuple[Floats, Ints]:
    """Return the vertices of lines in two arrays, of which the second follows the first."""
    if compiled:
        from clues.kernels.nearness import lines_of

        return lines_of(own, others, start, stop)
    line = np.repeat(np.arange(len(start)), stop - start)
    return np.concatenate([own, others])[spans(start, stop)], line
