"""Runs of outlines that meet polygons: the few pieces of long outlines that matter for a patch.

A run meets a polygon if they have a point in common. Runs that come so near to the outline of a
polygon that rounding could decide are told as unclear.
"""

import numpy as np
from numpy.typing import NDArray

from clues.kernels.outlinearrays import Met, Rings
from tiles.compiled import inner, kernel

__all__ = ["lines_of", "runs_met"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GROUP = 64
"""Runs whose box is looked at before their own ones."""


@inner
def _box(xy: Floats, start: int, stop: int, into: Floats) -> None:
    """Write west, south, east, north of vertices."""
    into[0] = into[2] = xy[start, 0]
    into[1] = into[3] = xy[start, 1]
    for i in range(start + 1, stop):
        into[0], into[2] = min(into[0], xy[i, 0]), max(into[2], xy[i, 0])
        into[1], into[3] = min(into[1], xy[i, 1]), max(into[3], xy[i, 1])


@inner
def _apart(a: Floats, b: Floats) -> bool:
    return bool(a[0] > b[2] or b[0] > a[2] or a[1] > b[3] or b[1] > a[3])


@inner
def _reach(box: Floats) -> float:
    """Return the largest coordinate of a box."""
    return float(max(max(abs(box[0]), abs(box[1])), max(abs(box[2]), abs(box[3]))))


@inner
def _left(xy: Floats, s: int, x: float, y: float) -> float:
    """Return how far a point lies on the left of a segment's line; 0 for a segment of no length."""
    dx, dy = xy[s + 1, 0] - xy[s, 0], xy[s + 1, 1] - xy[s, 1]
    length = np.sqrt(dx * dx + dy * dy)
    return (dx * (y - xy[s, 1]) - dy * (x - xy[s, 0])) / length if length > 0 else 0.0


@inner
def _join(a: Floats, s: int, b: Floats, t: int, noise: float) -> int:
    """Tell whether two segments meet: 1 yes, 0 no, -1 unclear."""
    if min(a[s, 0], a[s + 1, 0]) > max(b[t, 0], b[t + 1, 0]) + noise:
        return 0
    if max(a[s, 0], a[s + 1, 0]) < min(b[t, 0], b[t + 1, 0]) - noise:
        return 0
    if min(a[s, 1], a[s + 1, 1]) > max(b[t, 1], b[t + 1, 1]) + noise:
        return 0
    if max(a[s, 1], a[s + 1, 1]) < min(b[t, 1], b[t + 1, 1]) - noise:
        return 0
    for i in range(s, s + 2):
        for k in range(t, t + 2):
            if a[i, 0] == b[k, 0] and a[i, 1] == b[k, 1]:
                return 1
    p, q = _left(a, s, b[t, 0], b[t, 1]), _left(a, s, b[t + 1, 0], b[t + 1, 1])
    if (p > noise and q > noise) or (p < -noise and q < -noise):
        return 0
    u, v = _left(b, t, a[s, 0], a[s, 1]), _left(b, t, a[s + 1, 0], a[s + 1, 1])
    if (u > noise and v > noise) or (u < -noise and v < -noise):
        return 0
    return 1 if min(min(abs(p), abs(q)), min(abs(u), abs(v))) > noise else -1


@inner
def _meets(
    lines: Floats, start: int, stop: int, box: Floats, xy: Floats, rings: Ints, noise: float
) -> int:
    """Tell whether a run meets a polygon of rings: 1 yes, 0 no, -1 unclear."""
    x, y = lines[start, 0], lines[start, 1]
    unclear, odd = False, False
    for r in range(len(rings) - 1):
        for t in range(rings[r], rings[r + 1] - 1):
            if (xy[t, 1] > y) != (xy[t + 1, 1] > y):
                away = _left(xy, t, x, y)
                unclear |= abs(away) <= noise
                odd ^= (away > 0) == (xy[t + 1, 1] > y)
            if min(xy[t, 0], xy[t + 1, 0]) > box[2] + noise:
                continue
            if max(xy[t, 0], xy[t + 1, 0]) < box[0] - noise:
                continue
            for s in range(start, stop - 1):
                told = _join(lines, s, xy, t, noise)
                if told > 0:
                    return 1
                unclear |= told < 0
    return -1 if unclear else 1 if odd else 0


@inner
def _boxes(rings: Rings, step: int) -> tuple[Ints, Ints, Floats, Floats]:
    """Return the first run of each ring, the first vertex of runs, boxes of runs and of groups."""
    count = len(rings.start) - 1
    first = np.zeros(count + 1, np.int64)
    for r in range(count):
        first[r + 1] = first[r] + (rings.start[r + 1] - rings.start[r] - 2) // step + 1
    opens, boxes = np.empty(first[count], np.int64), np.empty((first[count], 4))
    groups = np.empty((first[count] // GROUP + 1, 4))
    for r in range(count):
        for k in range(first[r], first[r + 1]):
            opens[k] = rings.start[r] + step * (k - first[r])
            _box(rings.xy, opens[k], min(opens[k] + step + 1, rings.start[r + 1]), boxes[k])
            group = groups[k // GROUP]
            for c in range(4):
                if k % GROUP == 0:
                    group[c] = boxes[k, c]
                elif c < 2:
                    group[c] = min(group[c], boxes[k, c])
                else:
                    group[c] = max(group[c], boxes[k, c])
    return first, opens, boxes, groups


@inner
def _near(runs: tuple[int, int], boxes: Floats, groups: Floats, box: Floats, found: Ints) -> int:
    """Write the runs whose boxes meet a box; how many."""
    n, k = 0, runs[0]
    while k < runs[1]:
        if k % GROUP == 0 and _apart(groups[k // GROUP], box):
            k += GROUP
            continue
        if not _apart(boxes[k], box):
            found[n] = k
            n += 1
        k += 1
    return n


@kernel
def runs_met(
    shapes: Rings, lines: Rings, of_shape: Ints, of_line: Ints, step: int, room: int
) -> tuple[Met, int]:
    """Return the runs of outlines that meet shapes, pair by pair.

    Parameters
    ----------
    shapes, lines : Rings
        Polygons, and the outlines to be followed.
    of_shape, of_line : ndarray of int64, shape (pairs,)
        Rows of both.
    step : int
        Segments of a run.
    room : int
        Runs for which there is room.

    Returns
    -------
    met : Met
    needed : int
        Room that is needed: what is more than `room` is not told.
    """
    first, opens, boxes, groups = _boxes(lines, step)
    pair, start = np.empty(room, np.int64), np.empty(room, np.int64)
    stop, unclear = np.empty(room, np.int64), np.empty(room, np.bool_)
    found, box, n = np.empty(len(opens), np.int64), np.empty(4), 0
    for i in range(len(of_shape)):
        p, q = of_shape[i], of_line[i]
        rings = shapes.start[shapes.first[p] : shapes.first[p + 1] + 1]
        _box(shapes.xy, rings[0], rings[-1], box)
        for ring in range(lines.first[q], lines.first[q + 1]):
            many = _near((first[ring], first[ring + 1]), boxes, groups, box, found)
            for k in found[:many]:
                last = min(opens[k] + step + 1, lines.start[ring + 1])
                noise = 8 * 2.0**-52 * (_reach(box) + _reach(boxes[k]))
                told = _meets(lines.xy, opens[k], last, boxes[k], shapes.xy, rings, noise)
                if told == 0:
                    continue
                if n < room:
                    pair[n], start[n], stop[n], unclear[n] = i, opens[k], last, told < 0
                n += 1
    kept = min(n, room)
    return Met(pair[:kept], start[:kept], stop[:kept], unclear[:kept]), n


@kernel
def lines_of(own: Floats, others: Floats, start: Ints, stop: Ints) -> tuple[Floats, Ints]:
    """Return the vertices of lines one after the other, and the line of each.

    Parameters
    ----------
    own, others : ndarray of float64, shape (n, 2) and (m, 2)
        Vertices; those of `others` are counted from n on.
    start, stop : ndarray of int64, shape (lines,)
        Line i has the vertices ``start[i]:stop[i]``.
    """
    total = 0
    for i in range(len(start)):
        total += stop[i] - start[i]
    xy, line, n = np.empty((total, 2)), np.empty(total, np.int64), 0
    for i in range(len(start)):
        mine = start[i] < len(own)
        source, shift = (own, 0) if mine else (others, len(own))
        for k in range(start[i] - shift, stop[i] - shift):
            xy[n, 0], xy[n, 1], line[n] = source[k, 0], source[k, 1], i
            n += 1
    return xy, line
