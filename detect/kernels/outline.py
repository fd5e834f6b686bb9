"""Smoothing of pixel outlines by half a pixel at most, area and pixels kept.

A *jog* is a side of one pixel's length whose corners turn opposite ways: a step of a staircase
that stands for a slanted edge. The outline is led straight through the middle of each jog, over
half of the shorter side beside it, so that as much is cut off as is filled in. Jogs that follow
one another are passed by one line through their middles; where the corners of such a row are odd
in number, its two outermost are cut by half as much, which again balances.

The rule looks at the sides of one ring alone and is the same in both directions, so two areas that
share an outline keep sharing it. Every pixel centre stays on its side of the outline.
"""

import numpy as np
from numpy.typing import NDArray

from detect.kernels.trace import Rings
from tiles.compiled import inner, kernel

__all__ = ["PARTS", "smooth_rings", "smoothed"]

PARTS = 4
"""Steps per pixel side in which smoothed vertices are counted."""


@inner
def _push(y: NDArray[np.int64], x: NDArray[np.int64], lo: int, at: int, py: int, px: int) -> int:
    """Append a vertex to a ring begun at `lo`; drop those that it makes needless."""
    while at > lo:
        if y[at - 1] == py and x[at - 1] == px:
            return at
        if at - lo < 2:
            break
        dy, dx = y[at - 1] - y[at - 2], x[at - 1] - x[at - 2]
        if dy * (px - x[at - 1]) != dx * (py - y[at - 1]):
            break
        at -= 1
    y[at], x[at] = py, px
    return at + 1


@inner
def _close(y: NDArray[np.int64], x: NDArray[np.int64], lo: int, at: int) -> int:
    """Begin a ring at its north-west vertex and repeat that one; return its end."""
    while at - lo > 3:  # the seam of the ring may lie on a straight side or double a vertex
        last, before = at - 1, at - 2
        dy, dx = y[last] - y[before], x[last] - x[before]
        if (y[last] == y[lo] and x[last] == x[lo]) or dy * (x[lo] - x[last]) == dx * (
            y[lo] - y[last]
        ):
            at -= 1
            continue
        dy, dx = y[lo] - y[last], x[lo] - x[last]
        if dy * (x[lo + 1] - x[lo]) != dx * (y[lo + 1] - y[lo]):
            break
        for k in range(lo, last):
            y[k], x[k] = y[k + 1], x[k + 1]
        at -= 1
    n, start = at - lo, lo
    for k in range(lo + 1, at):
        if (y[k], x[k]) < (y[start], x[start]):
            start = k
    for first, last in ((lo, start - 1), (start, at - 1), (lo, at - 1)):  # three mirrors turn
        while first < last:
            y[first], y[last] = y[last], y[first]
            x[first], x[last] = x[last], x[first]
            first, last = first + 1, last - 1
    y[lo + n], x[lo + n] = y[lo], x[lo]
    return lo + n + 1


@kernel
def smooth_rings(
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    ring_start: NDArray[np.int64],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    out_start: NDArray[np.int64],
) -> None:
    """Write smoothed rings.

    Parameters
    ----------
    row, col : ndarray of int64, shape (vertices,)
        Vertices of rectilinear rings as of `Rings`: closed, no three in a line.
    ring_start : ndarray of int64, shape (rings + 1,)
    y, x : ndarray of int64, shape (2 vertices,)
        Written, in quarters of a pixel.
    out_start : ndarray of int64, shape (rings + 1,)
        Written.
    """
    at = int(np.int64(0))  # no literal, for which callees would be compiled anew
    jog = np.zeros(len(row), np.bool_)
    for ring in range(len(ring_start) - 1):
        lo, n = ring_start[ring], ring_start[ring + 1] - ring_start[ring] - 1
        out_start[ring] = begin = at
        start = -1
        for i in range(n):
            a, b, c, d = lo + (i - 1) % n, lo + i, lo + i + 1, lo + (i + 1) % n + 1
            dy, dx = row[c] - row[b], col[c] - col[b]
            before = (row[b] - row[a]) * dx - (col[b] - col[a]) * dy
            after = dy * (col[d] - col[c]) - dx * (row[d] - row[c])
            jog[b] = abs(dy) + abs(dx) == 1 and (before > 0) != (after > 0)
            if not jog[b]:
                start = i  # a ring turns round, so not all of its sides are jogs
        i = start + 1
        while i <= start + n:
            if not jog[lo + i % n]:
                if not jog[lo + (i - 1) % n]:
                    k = lo + i % n
                    at = _push(y, x, begin, at, PARTS * row[k], PARTS * col[k])
                i += 1
                continue
            end = i
            while jog[lo + (end + 1) % n]:
                end += 1
            at = _pass_jogs(row, col, lo, n, i, end, y, x, begin, at)
            i = end + 1
        at = _close(y, x, begin, at)
    out_start[-1] = at


@inner
def _pass_jogs(
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    lo: int,
    n: int,
    first: int,
    last: int,
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    begin: int,
    at: int,
) -> int:
    """Write the line through the jogs `first` … `last` (sides of a ring); return the new end."""
    p, q, r, s = lo + (first - 1) % n, lo + first % n, lo + (last + 1) % n, lo + (last + 2) % n
    iy, ix, oy, ox = row[q] - row[p], col[q] - col[p], row[s] - row[r], col[s] - col[r]
    left, right = abs(iy) + abs(ix), abs(oy) + abs(ox)
    count = last - first + 1
    reach = 2 * min(left, right) if count == 1 else 1 + count % 2
    at = _push(
        y, x, begin, at, PARTS * row[q] - reach * iy // left, PARTS * col[q] - reach * ix // left
    )
    if count % 2 == 0:
        t, u = lo + (first + 1) % n, lo + last % n
        at = _push(y, x, begin, at, 2 * (row[q] + row[t]), 2 * (col[q] + col[t]))
        at = _push(y, x, begin, at, 2 * (row[u] + row[r]), 2 * (col[u] + col[r]))
    return _push(
        y, x, begin, at, PARTS * row[r] + reach * oy // right, PARTS * col[r] + reach * ox // right
    )


def smoothed(rings: Rings) -> Rings:
    """Return rings without the staircase of pixels, their vertices in quarters of a pixel.

    No vertex of the outline moves by more than half a pixel; each ring keeps its area to the last
    digit, and its pixel centres.

    Parameters
    ----------
    rings : Rings
        Of `detect.kernels.trace.trace_rings`.
    """
    y, x = np.empty(2 * len(rings.row), np.int64), np.empty(2 * len(rings.row), np.int64)
    start = np.empty_like(rings.ring_start)
    smooth_rings(rings.row, rings.col, rings.ring_start, y, x, start)
    end = int(start[-1])
    return Rings(y[:end].copy(), x[:end].copy(), start, rings.piece_start)
