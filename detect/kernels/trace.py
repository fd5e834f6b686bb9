"""Runs → rings: outlines of pixel areas that are valid polygons by the OGC rules.

A *piece* is an area whose pixels hang together by their edges, so its inside is connected and it
is one polygon: a shell and holes. An 8-connected component is several pieces that touch at
corners only, a valid multipolygon.

The tracer walks over run ends, never over a bitmap: between two neighbouring rows, each column at
which a run starts or ends on one side only is a corner. A corner has one horizontal and one
vertical edge; both are directed so that the piece lies on the left (north up), which makes
``following`` one array and every ring a cycle in it. Where two pixels meet only at a vertex, two
corners share it and each keeps to its own pixel. A cycle that comes back to such a vertex is cut
there: what is cut off encloses background, so it is a hole that touches the ring in one point.
The background corridors between the two passes lie outside the curve and cannot cross, hence the
cuts do not depend on where the walk began.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner, kernel

__all__ = ["Rings", "find_corners", "trace_rings", "walk_rings"]

FAR = np.iinfo(np.int64).max
UNSEEN, DONE = -1, -2


class Rings(NamedTuple):
    """Closed rings of pieces, in global pixel corners.

    Attributes
    ----------
    row, col : ndarray of int64, shape (vertices,)
        Vertices; every ring repeats its first one, its north-west vertex (smallest row, then
        smallest column). No three in a line. North up, shells run counter-clockwise.
    ring_start : ndarray of int64, shape (rings + 1,)
        Ring i holds vertices ``ring_start[i]:ring_start[i + 1]``.
    piece_start : ndarray of int64, shape (pieces + 1,)
        Piece i holds rings ``piece_start[i]:piece_start[i + 1]``: the shell, then the holes by
        their north-west vertex.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    ring_start: NDArray[np.int64]
    piece_start: NDArray[np.int64]


@inner
def _line_corners(
    line: int,
    upper: tuple[int, int],
    lower: tuple[int, int],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    top: NDArray[np.int64],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    following: NDArray[np.int64],
    twin: NDArray[np.int64],
    count: int,
) -> int:
    """Write the corners on the line between two rows of a piece; return the new count.

    ``upper`` and ``lower`` are half-open ranges of runs. End 2i is the left end of run i, end
    2i + 1 its right end; ``top[end]`` is the corner at the top of the vertical edge there.
    """
    u, u_end, w, w_end = 2 * upper[0], 2 * upper[1], 2 * lower[0], 2 * lower[1]
    begin, opened, eastward = count, -1, False
    while u < u_end or w < w_end:
        xu = xw = FAR
        if u < u_end:
            xu = last[u >> 1] + 1 if u & 1 else first[u >> 1]
        if w < w_end:
            xw = last[w >> 1] + 1 if w & 1 else first[w >> 1]
        if xu == xw and (u & 1) == (w & 1):  # the vertical edge goes on
            top[w] = top[u]
            u, w = u + 1, w + 1
            continue
        y[count], x[count], twin[count] = line, min(xu, xw), -1
        if count > begin and x[count - 1] == x[count]:
            twin[count], twin[count - 1] = count - 1, count
        # at a shared vertex the right end comes first: each corner keeps to its own pixel
        if xu < xw or (xu == xw and u & 1):
            if u & 1:
                following[count] = top[u]
            else:
                following[top[u]] = count
            u += 1
        else:
            top[w] = count
            w += 1
        if opened < 0:
            opened, eastward = count, (u & 1) == 1  # inside the upper row only: a southern edge
        else:
            if eastward:
                following[opened] = count
            else:
                following[count] = opened
            opened = -1
        count += 1
    return count


@kernel
def find_corners(
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    run_start: NDArray[np.int64],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    following: NDArray[np.int64],
    twin: NDArray[np.int64],
    corner_start: NDArray[np.int64],
) -> None:
    """Write the corners of all pieces.

    Parameters
    ----------
    row, first, last : ndarray of int64, shape (n,)
        Runs sorted by (piece, row, first).
    run_start : ndarray of int64, shape (pieces + 1,)
        Runs of piece i are ``run_start[i]:run_start[i + 1]``; its rows have no gap.
    y, x, following, twin : ndarray of int64, shape (4 n,)
        Written: line and column of each corner, the next corner of its ring, and the other corner
        at the same vertex or −1. The first corner of a piece is the north-west one of its shell.
    corner_start : ndarray of int64, shape (pieces + 1,)
        Written.
    """
    top = np.empty(2 * len(row), np.int64)
    count = int(np.int64(0))  # no literal, for which callees would be compiled anew
    for p in range(len(run_start) - 1):
        corner_start[p] = count
        end = run_start[p + 1]
        lower = upper = (run_start[p], run_start[p])
        while upper[1] < end:
            i = lower[1]
            while i < end and row[i] == row[lower[1]]:
                i += 1
            upper, lower = lower, (lower[1], i)
            line = row[lower[0]] if lower[0] < end else row[end - 1] + 1
            count = _line_corners(
                line, upper, lower, first, last, top, y, x, following, twin, count
            )
    corner_start[-1] = count


@inner
def _write_ring(
    stack: NDArray[np.int64],
    lo: int,
    hi: int,
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    out_y: NDArray[np.int64],
    out_x: NDArray[np.int64],
    at: int,
) -> int:
    """Write corners ``stack[lo:hi]`` as a ring closed at its north-west vertex; return its end."""
    start = lo
    for s in range(lo + 1, hi):
        if (y[stack[s]], x[stack[s]]) < (y[stack[start]], x[stack[start]]):
            start = s
    for k in range(hi - lo + 1):
        corner = stack[lo + (start - lo + k) % (hi - lo)]
        out_y[at], out_x[at] = y[corner], x[corner]
        at += 1
    return at


@kernel
def walk_rings(
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    following: NDArray[np.int64],
    twin: NDArray[np.int64],
    corner_start: NDArray[np.int64],
    out_y: NDArray[np.int64],
    out_x: NDArray[np.int64],
    ring_start: NDArray[np.int64],
    ring_piece: NDArray[np.int64],
    ring_hole: NDArray[np.bool_],
) -> int:
    """Write the rings of all pieces, cut where a ring meets itself; return how many.

    Parameters
    ----------
    y, x, following, twin : ndarray of int64, shape (corners,)
        From `find_corners`.
    corner_start : ndarray of int64, shape (pieces + 1,)
        From `find_corners`.
    out_y, out_x : ndarray of int64, shape (corners + corners // 4,)
        Written: vertices of the closed rings (a ring has at least four corners).
    ring_start, ring_piece, ring_hole : ndarray, shape (corners // 4 + 1,)
        Written: first vertex of each ring and the end, its piece, whether it is a hole.
    """
    stack = np.empty(len(y), np.int64)
    place = np.full(len(y), UNSEEN)
    none = int(np.int64(0))  # no literal, for which callees would be compiled anew
    rings = at = none
    ring_start[0] = 0
    for p in range(len(corner_start) - 1):
        for begin in range(corner_start[p], corner_start[p + 1]):
            if place[begin] != UNSEEN:
                continue
            depth, corner = none, begin
            while depth == 0 or corner != begin:
                other = twin[corner]
                if other >= 0 and place[other] >= 0:
                    lo = place[other]
                    at = _write_ring(stack, lo, depth, y, x, out_y, out_x, at)
                    ring_piece[rings], ring_hole[rings] = p, True
                    rings += 1
                    ring_start[rings] = at
                    for s in range(lo + 1, depth):
                        place[stack[s]] = DONE
                    place[corner], depth = DONE, lo + 1
                else:
                    stack[depth], place[corner] = corner, depth
                    depth += 1
                corner = following[corner]
            at = _write_ring(stack, none, depth, y, x, out_y, out_x, at)
            ring_piece[rings], ring_hole[rings] = p, begin != corner_start[p]
            rings += 1
            ring_start[rings] = at
            for s in range(depth):
                place[stack[s]] = DONE
    return rings


def trace_rings(
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    run_start: NDArray[np.int64],
) -> Rings:
    """Return the rings of all pieces.

    Parameters
    ----------
    row, first, last : ndarray of int64, shape (n,)
        Runs sorted by (piece, row, first); the last column is inclusive. Runs of a row do not
        touch, and the runs of a piece hang together by pixel edges.
    run_start : ndarray of int64, shape (pieces + 1,)
        Runs of piece i are ``run_start[i]:run_start[i + 1]``, at least one.

    Returns
    -------
    Rings
        About 200 bytes per run are needed on the way.
    """
    pieces = len(run_start) - 1
    y, x, following, twin = (np.empty(4 * len(row), np.int64) for _ in range(4))
    corner_start = np.zeros(pieces + 1, np.int64)
    find_corners(row, first, last, run_start, y, x, following, twin, corner_start)
    n = int(corner_start[-1])
    out_y, out_x = np.empty(n + n // 4, np.int64), np.empty(n + n // 4, np.int64)
    start, piece = np.empty(n // 4 + 1, np.int64), np.empty(n // 4 + 1, np.int64)
    hole = np.empty(n // 4 + 1, np.bool_)
    rings = walk_rings(
        y[:n], x[:n], following[:n], twin[:n], corner_start, out_y, out_x, start, piece, hole
    )
    begin, length = start[:rings], np.diff(start[: rings + 1])
    order = np.lexsort((out_x[begin], out_y[begin], hole[:rings], piece[:rings]))
    ring_start = np.concatenate([[0], np.cumsum(length[order])]).astype(np.int64)
    shift = np.repeat(begin[order] - ring_start[:-1], length[order])
    source = np.arange(ring_start[-1]) + shift
    piece_start = np.searchsorted(piece[:rings][order], np.arange(pieces + 1)).astype(np.int64)
    return Rings(out_y[source], out_x[source], ring_start, piece_start)
