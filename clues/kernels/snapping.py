"""Lines → grid points and edges: snap rounding, where no rounding of numbers can change the answer.

The hot pixels are the cells of the grid that hold a vertex or a crossing; every segment bends to
the centres of all hot pixels that it passes. Each question (on which side, in which cell) is
answered with a margin of `DOUBT` of a cell, far above the noise of the coordinates. A drawing in
which a single question falls into the margin is given back as doubtful: it is for an exact noder.
What is not doubtful is therefore what any exact snap rounding of the same lines gives.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner, kernel

__all__ = ["Snapped", "snapped"]

DOUBT = 0.01
"""Margin in cells; the tolerance at which GEOS takes a vertex to lie on a segment."""
NOISE_SHARE = 8.0
"""The noise of coordinates must stay below this part of the margin."""
FAR = 2.0**30
"""Cells that a drawing may reach from its first vertex, so that products stay exact enough."""
ROOM = 3
"""Hot pixels and edges for which there is room, per vertex; what needs more is doubtful."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sides = tuple[float, float, float, float]


class Snapped(NamedTuple):
    """Drawings on a grid.

    Attributes
    ----------
    clear : ndarray of bool, shape (drawings,)
        False where the answer hangs on the rounding of numbers: such a drawing has nothing here.
    points : ndarray of float64, shape (points, 2)
        Whole cells from the origin of the drawing, west to east, then south to north.
    of_points, of_edges : ndarray of int64, shape (drawings + 1,)
        Drawing i has the points ``of_points[i]:of_points[i + 1]``, and edges likewise.
    origin : ndarray of float64, shape (drawings, 2)
        Whole cells; ``(points + origin) / scale`` are coordinates.
    edges : ndarray of int64, shape (edges, 2)
        Rows among the drawing's points; an edge may be told several times.
    """

    clear: NDArray[np.bool_]
    points: Floats
    of_points: Ints
    origin: Floats
    edges: Ints
    of_edges: Ints


@inner
def _cells(xy: Floats, scale: float, local: Floats, cell: Floats, origin: Floats) -> float:
    """Write vertices and their cells from the first one's; return the noise, -1 if unclear."""
    noise = 0.0
    for i in range(len(xy)):
        for k in range(2):
            noise = max(noise, 4 * 2.0**-52 * abs(xy[i, k] * scale))
    clear = noise * NOISE_SHARE < DOUBT
    for k in range(2):
        origin[k] = np.floor(xy[0, k] * scale + 0.5)
        for i in range(len(xy)):
            local[i, k] = xy[i, k] * scale - origin[k]
            cell[i, k] = np.floor(local[i, k] + 0.5)
            off = abs(local[i, k] - cell[i, k])
            zero = cell[i, k] + origin[k] == 0.0  # which has two signs
            clear &= off < 0.5 - noise and abs(local[i, k]) < FAR and not zero
    return noise if clear else -1.0


@inner
def _sort(key: Ints, order: Ints, count: int) -> None:
    """Sort the first rows of an order by their keys, ascending (Shell's way)."""
    gap = count // 2
    while gap:
        for i in range(gap, count):
            row, at = order[i], i
            while at >= gap and key[order[at - gap]] > key[row]:
                order[at] = order[at - gap]
                at -= gap
            order[at] = row
        gap = 1 if gap == 2 else gap * 5 // 11


@inner
def _segments(xy: Floats, line: Ints, local: Floats) -> tuple[Ints, int]:
    """Return the first vertex of every segment that has a length, west to east; how many."""
    starts, west = np.empty(len(xy), np.int64), np.empty(len(xy), np.int64)
    n = 0
    for i in range(len(xy) - 1):
        if line[i] == line[i + 1] and not _same(xy, i, i + 1):
            starts[n] = i
            west[i] = np.int64(np.floor(min(local[i, 0], local[i + 1, 0])))
            n += 1
    _sort(west, starts, n)
    return starts, n


@inner
def _side(local: Floats, s: int, p: int) -> float:
    """Return twice the area of segment s and vertex p: above 0 where p lies on the left."""
    dx, dy = local[s + 1, 0] - local[s, 0], local[s + 1, 1] - local[s, 1]
    return float(dx * (local[p, 1] - local[s, 1]) - dy * (local[p, 0] - local[s, 0]))


@inner
def _length(local: Floats, s: int) -> float:
    dx, dy = local[s + 1, 0] - local[s, 0], local[s + 1, 1] - local[s, 1]
    return float(np.sqrt(dx * dx + dy * dy))


@inner
def _same(xy: Floats, a: int, b: int) -> bool:
    return bool(xy[a, 0] == xy[b, 0] and xy[a, 1] == xy[b, 1])


@inner
def _holds(local: Floats, cell: Floats, p: int, reach: float) -> bool:
    """Tell whether the cell of vertex p holds all within a distance of it."""
    off = max(abs(local[p, 0] - cell[p, 0]), abs(local[p, 1] - cell[p, 1]))
    return bool(off + reach < 0.5 - DOUBT)


@inner
def _touch(xy: Floats, local: Floats, cell: Floats, s: int, t: int, sides: Sides) -> int:
    """Return 0 if segments of which one ends near the other cross in the cell of that end; or -1.

    `sides` are the distances of the ends of t from s and of the ends of s from t.
    """
    for k in range(2):
        level = xy[s, k] == xy[s + 1, k] and xy[t, k] == xy[t + 1, k]
        if level and xy[s, k] == xy[t, k]:
            return 0  # on one line along an axis: they overlap, their ends are all there is
    slant = abs(sides[1] - sides[0]) / _length(local, t)
    if slant * 0.5 <= 2 * DOUBT:
        return -1
    for k in range(4):
        p = (t, t + 1, s, s + 1)[k]
        if abs(sides[k]) <= DOUBT and not _holds(local, cell, p, 2 * DOUBT / slant):
            return -1
    return 0


@inner
def _crossing(
    xy: Floats, local: Floats, cell: Floats, s: int, t: int, noise: float, found: Floats
) -> int:
    """Return 1 and the cell in which segments cross, 0 if that is no new cell, -1 if unclear."""
    if _same(xy, s, t) or _same(xy, s, t + 1) or _same(xy, s + 1, t) or _same(xy, s + 1, t + 1):
        return 0
    long_s, long_t = _length(local, s), _length(local, t)
    if long_s == 0 or long_t == 0:
        return -1
    c, d = _side(local, s, t) / long_s, _side(local, s, t + 1) / long_s
    if (c > DOUBT and d > DOUBT) or (c < -DOUBT and d < -DOUBT):
        return 0
    a, b = _side(local, t, s) / long_t, _side(local, t, s + 1) / long_t
    if (a > DOUBT and b > DOUBT) or (a < -DOUBT and b < -DOUBT):
        return 0
    if min(min(abs(a), abs(b)), min(abs(c), abs(d))) <= DOUBT:
        return _touch(xy, local, cell, s, t, (c, d, a, b))
    slip = 8 * noise * long_t / abs(c - d)  # the flatter they cross, the farther noise moves it
    for k in range(2):
        at = local[t, k] + (local[t + 1, k] - local[t, k]) * (c / (c - d))
        found[k] = np.floor(at + 0.5)
        if abs(at - found[k]) > 0.5 - slip:
            return -1
    return 1


@inner
def _crossings(xy: Floats, line: Ints, local: Floats, cell: Floats, noise: float) -> int:
    """Add the cells in which segments cross to those of the vertices; all, or -1 if unclear."""
    segments, many = _segments(xy, line, local)
    west, bounds = np.empty(many), np.empty((many, 3))
    for i in range(many):
        s = segments[i]
        west[i] = np.floor(min(local[s, 0], local[s + 1, 0]))
        bounds[i, 0] = max(local[s, 0], local[s + 1, 0]) + DOUBT
        bounds[i, 1] = min(local[s, 1], local[s + 1, 1])
        bounds[i, 2] = max(local[s, 1], local[s + 1, 1])
    n, found = len(xy), np.empty(2)
    for i in range(many):
        for j in range(i + 1, many):
            if west[j] > bounds[i, 0]:
                break
            if bounds[j, 1] > bounds[i, 2] + DOUBT or bounds[i, 1] > bounds[j, 2] + DOUBT:
                continue
            told = _crossing(xy, local, cell, segments[i], segments[j], noise, found)
            if told < 0 or n == len(cell):
                return -1
            if told:
                cell[n, 0], cell[n, 1] = found[0], found[1]
                n += 1
    return n


@inner
def _nodes(cell: Floats, count: int, node: Ints, points: Floats) -> int:
    """Write the hot pixels west to east, south to north, and the one of each cell; how many."""
    key, order = np.empty(count, np.int64), np.empty(count, np.int64)
    for i in range(count):
        key[i] = np.int64(cell[i, 0]) * (np.int64(1) << 31) + np.int64(cell[i, 1])
        order[i] = i
    _sort(key, order, count)
    n = 0
    for i in range(count):
        row = order[i]
        if i == 0 or key[row] != key[order[i - 1]]:
            points[n, 0], points[n, 1] = cell[row, 0], cell[row, 1]
            n += 1
        node[row] = n - 1
    return n


@inner
def _passes(local: Floats, s: int, x: float, y: float) -> int:
    """Tell whether segment s passes the cell around a point: 1 yes, 0 no, -1 unclear."""
    ax, ay, bx, by = local[s, 0], local[s, 1], local[s + 1, 0], local[s + 1, 1]
    beside = max(min(ax, bx) - x, x - max(ax, bx))
    gap = max(beside, max(min(ay, by) - y, y - max(ay, by))) - 0.5
    if gap > DOUBT:
        return 0
    dx, dy = bx - ax, by - ay
    away = abs(dx * (y - ay) - dy * (x - ax)) - 0.5 * (abs(dx) + abs(dy))
    gap = max(gap, away / np.sqrt(dx * dx + dy * dy))
    if gap > DOUBT:
        return 0
    return 1 if gap < -DOUBT else -1


@inner
def _chain(local: Floats, s: int, node: Ints, points: Floats, count: int, into: Ints) -> int:
    """Write the hot pixels that segment s passes, in order; return how many, -1 if unclear."""
    a, b = node[s], node[s + 1]
    west, east = min(local[s, 0], local[s + 1, 0]) - 1, max(local[s, 0], local[s + 1, 0]) + 1
    falls = (local[s + 1, 0] - local[s, 0]) * (local[s + 1, 1] - local[s, 1]) < 0
    k = min(a, b)
    while k > 0 and points[k - 1, 0] > west:
        k -= 1
    n = 0
    while k < count and points[k, 0] < east:
        told = 1
        if k != a and k != b:
            told = _passes(local, s, points[k, 0], points[k, 1])
        if told < 0:
            return -1
        if told:
            at = n  # from west to east; along one column by the direction of the segment
            while at > 0 and points[into[at - 1], 0] == points[k, 0] and falls:
                into[at] = into[at - 1]
                at -= 1
            into[at] = k
            n += 1
        k += 1
    if into[0] != a:
        for i in range(n // 2):
            into[i], into[n - 1 - i] = into[n - 1 - i], into[i]
    return n if into[0] == a and into[n - 1] == b else -1


@inner
def _edges(
    xy: Floats, line: Ints, local: Floats, node: Ints, points: Floats, count: int, edges: Ints
) -> int:
    """Write the edges between hot pixels that the segments bend to; how many, -1 if unclear."""
    chain, n = np.empty(count, np.int64), 0
    before, latest = -1, -1  # the two points before on the line
    for i in range(len(xy) - 1):
        if line[i] != line[i + 1]:
            before, latest = -1, -1
            continue
        if node[i] == node[i + 1]:
            continue
        many = _chain(local, i, node, points, count, chain)
        if many < 0 or n + many > len(edges):
            return -1
        for k in range(1, many):
            if chain[k] == before and chain[k - 1] == latest:
                return -1  # there and back: what hangs on it is unclear
            before, latest = chain[k - 1], chain[k]
            edges[n, 0], edges[n, 1] = before, latest
            n += 1
    return n


@kernel
def snapped(xy: Floats, line: Ints, offsets: Ints, scale: float) -> Snapped:
    """Snap the lines of many drawings to a grid, each drawing by itself.

    Parameters
    ----------
    xy : ndarray of float64, shape (n, 2)
        Vertices, in units of the CRS.
    line : ndarray of int64, shape (n,)
        Line of each vertex, ascending.
    offsets : ndarray of int64, shape (drawings + 1,)
        Drawing i has the vertices ``offsets[i]:offsets[i + 1]``.
    scale : float
        Cells per unit.
    """
    many = len(offsets) - 1
    clear, origin = np.zeros(many, np.bool_), np.empty((many, 2))
    points, edges = np.empty((ROOM * len(xy), 2)), np.empty((ROOM * len(xy), 2), np.int64)
    of_points, of_edges = np.zeros(many + 1, np.int64), np.zeros(many + 1, np.int64)
    for i in range(many):
        a, b = offsets[i], offsets[i + 1]
        part, name, p, e = xy[a:b], line[a:b], of_points[i], of_edges[i]
        of_points[i + 1], of_edges[i + 1] = p, e
        local, cell = np.empty((b - a, 2)), np.empty((ROOM * (b - a), 2))
        noise = _cells(part, scale, local, cell, origin[i])
        if noise < 0:
            continue
        crossed = _crossings(part, name, local, cell, noise)
        if crossed < 0 or p + crossed > len(points):
            continue
        node = np.empty(crossed, np.int64)
        count = _nodes(cell, crossed, node, points[p:])
        joined = _edges(part, name, local, node, points[p:], count, edges[e:])
        if joined < 0:
            continue
        clear[i] = True
        of_points[i + 1], of_edges[i + 1] = p + count, e + joined
    points, edges = points[: of_points[many]], edges[: of_edges[many]]
    return Snapped(clear, points, of_points, origin, edges, of_edges)
