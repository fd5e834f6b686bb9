"""Edges between grid points → faces: bounded areas of a drawing, as rings of points.

Around every point the edges are sorted by direction; a walk that always takes the next edge
clockwise from where it came keeps one face on its left. Dead ends are cut off first. Walks that
run counter-clockwise are shells; the others go around a connected part of the drawing from
outside and are holes where a face of another part holds them. A face that comes back to one of
its points is left to a general polygoniser: the drawing is given back as doubtful.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clues.kernels.snapping import Snapped
from tiles.compiled import inner, kernel

__all__ = ["Drawn", "faces_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Drawn(NamedTuple):
    """Faces of drawings.

    Attributes
    ----------
    clear : ndarray of bool, shape (drawings,)
        False where an exact noder has to do it; such a drawing has no faces here.
    xy : ndarray of float64, shape (vertices, 2)
        Coordinates of closed rings, one after the other, in units of the CRS: from their lowest
        point, shells clockwise, holes counter-clockwise.
    length, face : ndarray of int64, shape (rings,)
        Vertices of each ring, and its face; the shell of a face comes first.
    drawing : ndarray of int64, shape (faces,)
        Ascending.
    inner : ndarray of float64, shape (faces, 2)
        A point inside each face: the middle of its widest section half-way between two vertices.
    """

    clear: NDArray[np.bool_]
    xy: Floats
    length: Ints
    face: Ints
    drawing: Ints
    inner: Floats


MANY = 1 << 16
"""Parts times faces up to which each is looked at for each."""
EXACT = 2.0**-50
"""Products of differences are told apart from 0 down to this share of their factors."""


@inner
def _neighbours(edges: Ints, count: int) -> tuple[Ints, Ints, Ints]:
    """Return where the neighbours of each point stand, how many, and them: each once."""
    first = np.zeros(count + 1, np.int64)
    for e in range(len(edges)):
        first[edges[e, 0] + 1] += 1
        first[edges[e, 1] + 1] += 1
    for v in range(count):
        first[v + 1] += first[v]
    degree, near = np.zeros(count, np.int64), np.empty(2 * len(edges), np.int64)
    for e in range(len(edges)):
        a, b = edges[e, 0], edges[e, 1]
        known = False
        for h in range(first[a], first[a] + degree[a]):
            known |= near[h] == b
        if not known:
            near[first[a] + degree[a]], near[first[b] + degree[b]] = b, a
            degree[a] += 1
            degree[b] += 1
    return first, degree, near


@inner
def _without(first: Ints, degree: Ints, near: Ints, v: int, w: int) -> None:
    """Strike w from the neighbours of v."""
    last = first[v] + degree[v] - 1
    for h in range(first[v], last):
        if near[h] == w:
            near[h] = near[last]
            break
    degree[v] -= 1


@inner
def _prune(first: Ints, degree: Ints, near: Ints) -> None:
    """Cut off edges that end at a point of no other edge, until there are none."""
    for start in range(len(degree)):
        v = start
        while degree[v] == 1:
            w = near[first[v]]
            degree[v] = 0
            _without(first, degree, near, w, v)
            v = w


@inner
def _turn(ax: float, ay: float, bx: float, by: float) -> int:
    """Return 1 if b lies counter-clockwise of a, -1 clockwise, 0 if that is not clear."""
    left, right = ax * by, ay * bx
    if abs(left - right) <= EXACT * (abs(left) + abs(right)):
        return 0
    return 1 if left > right else -1


@inner
def _sort_around(points: Floats, first: Ints, degree: Ints, near: Ints) -> bool:
    """Sort the neighbours of each point counter-clockwise from the east; tell whether clear."""
    for v in range(len(degree)):
        if degree[v] < 3:
            continue  # two have one order only
        for i in range(first[v] + 1, first[v] + degree[v]):
            w, at = near[i], i
            x, y = points[w, 0] - points[v, 0], points[w, 1] - points[v, 1]
            low = y < 0 or (y == 0 and x < 0)
            while at > first[v]:
                u = near[at - 1]
                p, q = points[u, 0] - points[v, 0], points[u, 1] - points[v, 1]
                under = q < 0 or (q == 0 and p < 0)
                turn = _turn(x, y, p, q)
                if low == under and turn == 0:
                    return False
                if low > under or (low == under and turn < 0):
                    break
                near[at] = u
                at -= 1
            near[at] = w
    return True


@inner
def _following(first: Ints, degree: Ints, near: Ints) -> Ints:
    """Return for each edge, as its start lists it, the next one around the face on its left."""
    following = np.full(len(near), -1, np.int64)
    for v in range(len(degree)):
        for h in range(first[v], first[v] + degree[v]):
            w = near[h]
            back = first[w]
            while near[back] != v:
                back += 1
            following[h] = (back if back > first[w] else first[w] + degree[w]) - 1
    return following


@inner
def _walks(
    points: Floats, near: Ints, following: Ints
) -> tuple[bool, Ints, Floats, NDArray[np.bool_]]:
    """Return whether clear; each walk's edge to its first point, its area, if it is pinched."""
    seen = np.zeros(len(near), np.bool_)
    visit = np.full(len(points), -1, np.int64)
    entry, area = np.empty(len(near), np.int64), np.empty(len(near))
    pinched = np.zeros(len(near), np.bool_)
    clear, n = True, 0
    for start in range(len(near)):
        if following[start] < 0 or seen[start]:
            continue
        h, sum_, terms, lowest = start, 0.0, 0.0, start
        origin = near[start]
        while not seen[h]:
            seen[h] = True
            v, w = near[h], near[following[h]]
            pinched[n] |= visit[v] == n
            visit[v] = n
            if v < near[lowest]:
                lowest = h
            ax, ay = points[v, 0] - points[origin, 0], points[v, 1] - points[origin, 1]
            bx, by = points[w, 0] - points[origin, 0], points[w, 1] - points[origin, 1]
            sum_ += ax * by - ay * bx
            terms += abs(ax * by) + abs(ay * bx)
            h = following[h]
        clear &= abs(sum_) > EXACT * terms
        entry[n], area[n] = lowest, sum_
        n += 1
    return clear, entry[:n], area[:n], pinched[:n]


@inner
def _inside(points: Floats, near: Ints, following: Ints, entry: int, p: int) -> int:
    """Tell whether a walk has point p inside: 1 yes, 0 no, -1 if unclear or on it."""
    odd, h = 0, entry
    x, y = points[p, 0], points[p, 1]
    while True:
        v, w = near[h], near[following[h]]
        if v == p:
            return -1
        ax, ay, bx, by = points[v, 0] - x, points[v, 1] - y, points[w, 0] - x, points[w, 1] - y
        if (ay > 0) != (by > 0):
            turn = _turn(ax, ay, bx, by)
            if turn == 0:
                return -1
            odd ^= (turn > 0) == (by > 0)
        h = following[h]
        if h == entry:
            return odd


@inner
def _parts(first: Ints, degree: Ints, near: Ints) -> Ints:
    """Return the connected part of each point that has edges."""
    part = np.full(len(degree), -1, np.int64)
    stack = np.empty(len(degree), np.int64)
    for start in range(len(degree)):
        if part[start] >= 0 or degree[start] == 0:
            continue
        part[start], stack[0], n = start, start, 1
        while n:
            n -= 1
            v = stack[n]
            for h in range(first[v], first[v] + degree[v]):
                if part[near[h]] < 0:
                    part[near[h]] = start
                    stack[n] = near[h]
                    n += 1
    return part


@inner
def _find_hosts(
    points: Floats, near: Ints, following: Ints, entry: Ints, area: Floats, part: Ints, host: Ints
) -> bool:
    """Write the smallest face that holds each walk around a part; tell whether clear.

    Of very many parts it is left to a polygoniser that has an index.
    """
    if (area <= 0).sum() * len(entry) > MANY:
        return False
    for hole in range(len(entry)):
        if area[hole] > 0:
            continue
        p = near[entry[hole]]
        for face in range(len(entry)):
            if area[face] <= 0 or part[near[entry[face]]] == part[p]:
                continue
            if host[hole] >= 0 and area[face] >= area[host[hole]]:
                continue
            told = _inside(points, near, following, entry[face], p)
            if told < 0:
                return False
            if told:
                host[hole] = face
    return True


@inner
def _written(near: Ints, following: Ints, entry: int, into: Ints) -> int:
    """Write the closed ring of a walk from its first point, backwards; return its length."""
    n, h = 0, entry
    while n == 0 or h != entry:
        into[n] = near[h]
        n += 1
        h = following[h]
    into[n] = near[entry]
    for i in range((n + 1) // 2):
        into[i], into[n - i] = into[n - i], into[i]
    return n + 1


@inner
def _middle(xy: Floats, a: int, shell: int, b: int) -> float:
    """Return the y half-way between the two vertices next to the middle of a shell."""
    low = high = xy[a, 1]
    for i in range(a, shell):
        low, high = min(low, xy[i, 1]), max(high, xy[i, 1])
    centre = (low + high) / 2.0
    for i in range(a, b):
        if xy[i, 1] <= centre:
            low = max(low, xy[i, 1])
        else:
            high = min(high, xy[i, 1])
    return float((high + low) / 2.0)


@inner
def _crossed(xy: Floats, a: int, b: int, y: float, crossings: Floats, n: int) -> int:
    """Add where a ring crosses a level, in order; return how many there are now."""
    for i in range(a + 1, b):
        x0, y0, x1, y1 = xy[i - 1, 0], xy[i - 1, 1], xy[i, 0], xy[i, 1]
        if (y0 > y and y1 > y) or (y0 < y and y1 < y) or y0 == y1:
            continue
        if (y0 == y and y1 < y) or (y1 == y and y0 < y):
            continue
        x = x0 if x0 == x1 else x0 + (y - y0) / ((y1 - y0) / (x1 - x0))
        at = n
        while at > 0 and crossings[at - 1] > x:
            crossings[at] = crossings[at - 1]
            at -= 1
        crossings[at] = x
        n += 1
    return n


@inner
def _inner_points(xy: Floats, length: Ints, face: Ints, into: Floats) -> None:
    """Write the middle of the widest section of each face: shell, then holes."""
    r = start = int(np.int64(0))  # no literal, for which callees would be compiled anew
    while r < len(length):
        last, end = r, start
        while last < len(length) and face[last] == face[r]:
            end += length[last]
            last += 1
        y = _middle(xy, start, start + length[r], end)
        point, at, n = into[face[r]], start, 0
        point[0], point[1] = xy[start, 0], xy[start, 1]
        crossings = np.empty(end - start)
        for k in range(r, last):
            n = _crossed(xy, at, at + length[k], y, crossings, n)
            at += length[k]
        width = 0.0
        for k in range(0, n - 1, 2):
            if crossings[k + 1] - crossings[k] > width:
                width = crossings[k + 1] - crossings[k]
                point[0], point[1] = (crossings[k] + crossings[k + 1]) / 2.0, y
        r, start = last, end


@inner
def _rings(points: Floats, edges: Ints, ring: Ints, length: Ints, shell: NDArray[np.bool_]) -> int:
    """Write the rings of bounded faces, each shell before its holes; how many, -1 if unclear."""
    first, degree, near = _neighbours(edges, len(points))
    _prune(first, degree, near)
    if not _sort_around(points, first, degree, near):
        return -1
    following = _following(first, degree, near)
    clear, entry, area, pinched = _walks(points, near, following)
    around = 0
    for k in range(len(entry)):
        around += area[k] <= 0
    host = np.full(len(entry), -1, np.int64)
    if clear and around > 1:
        part = _parts(first, degree, near)
        clear = _find_hosts(points, near, following, entry, area, part, host)
    n = rings = 0
    for face in range(len(entry)):
        if area[face] <= 0:
            continue
        for k in range(-1, len(entry) if around > 1 else 0):
            if k >= 0 and host[k] != face:
                continue
            walk = face if k < 0 else k
            clear &= not pinched[walk]
            length[rings] = _written(near, following, entry[walk], ring[n:])
            shell[rings] = k < 0
            n += length[rings]
            rings += 1
    return rings if clear else -1


@kernel
def faces_of(told: Snapped, scale: float) -> Drawn:
    """Return the bounded faces of drawings whose edges meet at points only.

    Parameters
    ----------
    told : Snapped
    scale : float
        Cells of the grid per unit.
    """
    clear, many = told.clear.copy(), len(told.edges)
    xy, drawing = np.empty((3 * many, 2)), np.empty(many, np.int64)
    length, face, inner = np.empty(many, np.int64), np.empty(many, np.int64), np.empty((many, 2))
    n = m = f = 0
    for i in range(len(clear)):
        if not clear[i]:
            continue
        points = told.points[told.of_points[i] : told.of_points[i + 1]]
        edges = told.edges[told.of_edges[i] : told.of_edges[i + 1]]
        ring, shell = np.empty(3 * len(edges), np.int64), np.empty(len(edges), np.bool_)
        rings = _rings(points, edges, ring, length[m:], shell)
        clear[i] = rings >= 0
        at = 0
        for r in range(rings):
            for _ in range(length[m + r]):
                for c in range(2):
                    xy[n + at, c] = (points[ring[at], c] + told.origin[i, c]) / scale
                at += 1
            f += shell[r]
            face[m + r], drawing[f - 1] = f - 1, i
        n, m = n + at, m + max(rings, 0)
    _inner_points(xy, length[:m], face[:m], inner)
    return Drawn(clear, xy[:n], length[:m], face[:m], drawing[:f], inner[:f])
