"""Lines → grid points and edges: snap rounding, where no rounding of numbers can change the answer.

The hot pixels are the cells of the grid that hold a vertex or a crossing; every segment bends to
the centres of all hot pixels that it passes. Each question (on which side, in which cell) is
answered with a margin of `DOUBT` of a cell, far above the noise of the coordinates. A drawing in
which a single question falls into the margin is given back as doubtful: it is for an exact noder.
What is not doubtful is therefore what any exact snap rounding of the same lines gives.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["snapped"]

DOUBT = 0.01
"""Margin in cells; the tolerance at which GEOS takes a vertex to lie on a segment."""
NOISE_SHARE = 8.0
"""The noise of coordinates must stay below this part of the margin."""
FAR = 2.0**30
"""Cells that a drawing may reach from its first vertex, so that products stay exact enough."""
HALF_DIAGONAL = 0.5**0.5

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(nogil=True, cache=True)
def _cells(xy: Floats, scale: float) -> tuple[bool, Floats, Floats, Floats, float]:
    """Return whether clear; vertices and their cells from the first one's, its cell, the noise."""
    n = len(xy)
    local, cell = np.empty((n, 2)), np.empty((n, 2))
    origin = np.floor(xy[0] * scale + 0.5)
    noise = 0.0
    for i in range(n):
        for k in range(2):
            noise = max(noise, 4 * 2.0**-52 * abs(xy[i, k] * scale))
    clear = noise * NOISE_SHARE < DOUBT
    for i in range(n):
        for k in range(2):
            local[i, k] = xy[i, k] * scale - origin[k]
            cell[i, k] = np.floor(local[i, k] + 0.5)
            off = abs(local[i, k] - cell[i, k])
            zero = cell[i, k] + origin[k] == 0.0  # which has two signs
            clear &= off < 0.5 - noise and abs(local[i, k]) < FAR and not zero
    return clear, local, cell, origin, noise


@njit(nogil=True, cache=True)
def _segments(xy: Floats, line: Ints) -> Ints:
    """Return the first vertex of every segment that has a length, by its western end."""
    starts = np.empty(len(xy), np.int64)
    west = np.empty(len(xy))
    n = 0
    for i in range(len(xy) - 1):
        if line[i] == line[i + 1] and (xy[i, 0] != xy[i + 1, 0] or xy[i, 1] != xy[i + 1, 1]):
            starts[n] = i
            west[n] = min(xy[i, 0], xy[i + 1, 0])
            n += 1
    return starts[:n][np.argsort(west[:n])]


@njit(nogil=True, cache=True)
def _side(local: Floats, s: int, p: int) -> float:
    """Return twice the area of segment s and vertex p: above 0 where p lies on the left."""
    dx, dy = local[s + 1, 0] - local[s, 0], local[s + 1, 1] - local[s, 1]
    return dx * (local[p, 1] - local[s, 1]) - dy * (local[p, 0] - local[s, 0])


@njit(nogil=True, cache=True)
def _length(local: Floats, s: int) -> float:
    dx, dy = local[s + 1, 0] - local[s, 0], local[s + 1, 1] - local[s, 1]
    return np.sqrt(dx * dx + dy * dy)


@njit(nogil=True, cache=True)
def _same(xy: Floats, a: int, b: int) -> bool:
    return xy[a, 0] == xy[b, 0] and xy[a, 1] == xy[b, 1]


@njit(nogil=True, cache=True)
def _holds(local: Floats, cell: Floats, p: int, reach: float) -> bool:
    """Tell whether the cell of vertex p holds all within a distance of it."""
    off = max(abs(local[p, 0] - cell[p, 0]), abs(local[p, 1] - cell[p, 1]))
    return off + reach < 0.5 - DOUBT


@njit(nogil=True, cache=True)
def _touch(xy: Floats, local: Floats, cell: Floats, s: int, t: int, sides: Floats) -> int:
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


@njit(nogil=True, cache=True)
def _crossing(
    xy: Floats, local: Floats, cell: Floats, s: int, t: int, noise: float, found: Floats
) -> int:
    """Return 1 and the cell of the crossing of two segments, 0 if it is no new cell, -1 if unclear."""
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
        return _touch(xy, local, cell, s, t, np.array([c, d, a, b]))
    slip = 8 * noise * long_t / abs(c - d)  # the flatter they cross, the farther noise moves it
    for k in range(2):
        at = local[t, k] + (local[t + 1, k] - local[t, k]) * (c / (c - d))
        found[k] = np.floor(at + 0.5)
        if abs(at - found[k]) > 0.5 - slip:
            return -1
    return 1


@njit(nogil=True, cache=True)
def _crossings(
    xy: Floats, local: Floats, cell: Floats, segments: Ints, noise: float
) -> tuple[bool, Floats]:
    """Return whether clear, and the cells in which segments cross that do not end there."""
    cells, n = np.empty((2 * len(segments), 2)), 0
    found = np.empty(2)
    for i in range(len(segments)):
        s = segments[i]
        east = max(local[s, 0], local[s + 1, 0]) + DOUBT
        south = min(local[s, 1], local[s + 1, 1]) - DOUBT
        north = max(local[s, 1], local[s + 1, 1]) + DOUBT
        for j in range(i + 1, len(segments)):
            t = segments[j]
            if min(local[t, 0], local[t + 1, 0]) > east:
                break
            if max(local[t, 1], local[t + 1, 1]) < south:
                continue
            if min(local[t, 1], local[t + 1, 1]) > north:
                continue
            told = _crossing(xy, local, cell, s, t, noise, found)
            if told < 0:
                return False, cells
            if told:
                if n == len(cells):
                    cells = np.concatenate((cells, np.empty_like(cells)))
                cells[n] = found
                n += 1
    return True, cells[:n]


@njit(nogil=True, cache=True)
def _nodes(cells: Floats, crossed: Floats) -> tuple[Floats, Ints]:
    """Return the hot pixels west to east, south to north, and the one of each vertex."""
    both = np.concatenate((cells, crossed))
    key = np.empty(len(both), np.int64)
    for i in range(len(both)):
        key[i] = np.int64(both[i, 0]) * (np.int64(1) << 31) + np.int64(both[i, 1])
    order = np.argsort(key)
    node = np.empty(len(both), np.int64)
    points, n = np.empty_like(both), 0
    for i in range(len(order)):
        if i == 0 or key[order[i]] != key[order[i - 1]]:
            points[n] = both[order[i]]
            n += 1
        node[order[i]] = n - 1
    return points[:n], node


@njit(nogil=True, cache=True)
def _passes(local: Floats, s: int, x: float, y: float, bound: Floats) -> int:
    """Tell whether segment s passes the cell around a point: 1 yes, 0 no, -1 unclear."""
    gap = max(max(bound[0] - x, x - bound[1]), max(bound[2] - y, y - bound[3])) - 0.5
    if gap > DOUBT:
        return 0
    dx, dy = local[s + 1, 0] - local[s, 0], local[s + 1, 1] - local[s, 1]
    away = abs(dx * (y - local[s, 1]) - dy * (x - local[s, 0])) / bound[4]
    if away > HALF_DIAGONAL + DOUBT:
        return 0
    gap = max(gap, away - 0.5 * (abs(dx) + abs(dy)) / bound[4])
    if gap > DOUBT:
        return 0
    return 1 if gap < -DOUBT else -1


@njit(nogil=True, cache=True)
def _chain(local: Floats, s: int, ends: tuple[int, int], points: Floats, into: Ints) -> int:
    """Write the hot pixels that segment s passes, in its direction; return how many, -1 if unclear."""
    dx, dy = local[s + 1, 0] - local[s, 0], local[s + 1, 1] - local[s, 1]
    bound = np.empty(5)
    bound[0], bound[1] = min(local[s, 0], local[s + 1, 0]), max(local[s, 0], local[s + 1, 0])
    bound[2], bound[3] = min(local[s, 1], local[s + 1, 1]), max(local[s, 1], local[s + 1, 1])
    bound[4] = np.sqrt(dx * dx + dy * dy)
    k = min(ends[0], ends[1])
    while k > 0 and points[k - 1, 0] > bound[0] - 1:
        k -= 1
    n = 0
    while k < len(points) and points[k, 0] < bound[1] + 1:
        told = 1
        if k != ends[0] and k != ends[1]:
            told = _passes(local, s, points[k, 0], points[k, 1], bound)
        if told < 0:
            return -1
        if told:
            at = n  # from west to east; along one column by the direction of the segment
            while at > 0 and points[into[at - 1], 0] == points[k, 0] and dx * dy < 0:
                into[at] = into[at - 1]
                at -= 1
            into[at] = k
            n += 1
        k += 1
    if into[0] != ends[0]:
        into[:n] = into[:n][::-1].copy()
    return n if into[0] == ends[0] and into[n - 1] == ends[1] else -1


@njit(nogil=True, cache=True)
def snapped(xy: Floats, line: Ints, scale: float) -> tuple[bool, Floats, Floats, Ints]:
    """Snap lines to a grid.

    Parameters
    ----------
    xy : ndarray of float64, shape (n, 2)
        Vertices, in units of the CRS.
    line : ndarray of int64, shape (n,)
        Line of each vertex, ascending.
    scale : float
        Cells per unit.

    Returns
    -------
    clear : bool
        False where the answer hangs on the rounding of numbers; the rest is then of no use.
    points : ndarray of float64, shape (points, 2)
        Whole cells from the origin, west to east, south to north.
    origin : ndarray of float64, shape (2,)
        Whole cells; ``(points + origin) / scale`` are coordinates.
    edges : ndarray of int64, shape (edges, 2)
        Points that edges join; an edge may be told several times.
    """
    edges, n = np.empty((2 * len(xy), 2), np.int64), 0
    clear, local, cell, origin, noise = _cells(xy, scale)
    if not clear:
        return False, cell, origin, edges
    segments = _segments(xy, line)
    clear, crossed = _crossings(xy, local, cell, segments, noise)
    if not clear:
        return False, cell, origin, edges
    points, node = _nodes(cell, crossed)
    chain = np.empty(len(points), np.int64)
    before, latest = -1, -1  # the two points before on the line
    for i in range(len(xy) - 1):
        if line[i] != line[i + 1]:
            before, latest = -1, -1
            continue
        if node[i] == node[i + 1]:
            continue
        count = _chain(local, i, (node[i], node[i + 1]), points, chain)
        if count < 0:
            return False, points, origin, edges
        for k in range(1, count):
            if chain[k] == before and chain[k - 1] == latest:
                return False, points, origin, edges  # there and back: what hangs on it is unclear
            before, latest = chain[k - 1], chain[k]
            if n == len(edges):
                edges = np.concatenate((edges, np.empty_like(edges)))
            edges[n, 0], edges[n, 1] = before, latest
            n += 1
    return True, points, origin, edges[:n]
