"""Many drawings at once: the faces of each as rings of coordinates, a point inside every face."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from clues.kernels.faces import rings_of_faces
from clues.kernels.snapping import snapped

__all__ = ["Drawn", "faces_of_drawings"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Drawn(NamedTuple):
    """Faces of drawings.

    Attributes
    ----------
    clear : ndarray of bool, shape (drawings,)
        False where an exact noder has to do it; such a drawing has no faces here.
    xy : ndarray of float64, shape (vertices, 2)
        Coordinates of closed rings, one after the other, in units of the CRS.
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


@njit(nogil=True, cache=True)
def _middle(xy: Floats, length: Ints) -> float:
    """Return the y between the two vertices next to the middle of a shell."""
    low = high = xy[0, 1]
    for i in range(length[0]):
        low, high = min(low, xy[i, 1]), max(high, xy[i, 1])
    centre = (low + high) / 2.0
    for i in range(length.sum()):
        y = xy[i, 1]
        if y <= centre:
            low = max(low, y)
        else:
            high = min(high, y)
    return (high + low) / 2.0


@njit(nogil=True, cache=True)
def _inner_point(xy: Floats, length: Ints, into: Floats) -> None:
    """Write the middle of the widest section of a face: shell, then holes."""
    y = _middle(xy, length)
    into[:] = xy[0]
    crossings, n, start = np.empty(len(xy)), 0, 0
    for count in length:
        for i in range(start + 1, start + count):
            x0, y0, x1, y1 = xy[i - 1, 0], xy[i - 1, 1], xy[i, 0], xy[i, 1]
            if (y0 > y and y1 > y) or (y0 < y and y1 < y) or y0 == y1:
                continue
            if (y0 == y and y1 < y) or (y1 == y and y0 < y):
                continue
            crossings[n] = x0 if x0 == x1 else x0 + (y - y0) / ((y1 - y0) / (x1 - x0))
            n += 1
        start += count
    crossings = np.sort(crossings[:n])
    width = 0.0
    for i in range(0, n - 1, 2):
        if crossings[i + 1] - crossings[i] > width:
            width = crossings[i + 1] - crossings[i]
            into[0], into[1] = (crossings[i] + crossings[i + 1]) / 2.0, y


@njit(nogil=True, cache=True)
def _room(values: Floats, needed: int) -> Floats:
    """Return an array with the same rows and place for more."""
    if needed <= len(values):
        return values
    larger = np.empty((max(needed, 2 * len(values)), values.shape[1]), values.dtype)
    larger[: len(values)] = values
    return larger


@njit(nogil=True, cache=True)
def faces_of_drawings(xy: Floats, line: Ints, offsets: Ints, scale: float) -> Drawn:
    """Node the lines of each drawing by snap rounding and return its faces.

    Parameters
    ----------
    xy : ndarray of float64, shape (n, 2)
        Vertices in units of the CRS.
    line : ndarray of int64, shape (n,)
        Line of each vertex, ascending.
    offsets : ndarray of int64, shape (drawings + 1,)
        Drawing i has the vertices ``offsets[i]:offsets[i + 1]``.
    scale : float
        Cells of the grid per unit.
    """
    many = len(offsets) - 1
    clear = np.zeros(many, np.bool_)
    out, inner = np.empty((2 * len(xy), 2)), np.empty((2 * many, 2))
    rings, faces = np.empty((4 * many, 2), np.int64), np.empty((2 * many, 1), np.int64)
    n = m = f = 0
    for i in range(many):
        a, b = offsets[i], offsets[i + 1]
        fine, points, origin, edges = snapped(xy[a:b], line[a:b], scale)
        if not fine:
            continue
        fine, ring, length, face = rings_of_faces(points, edges)
        if not fine:
            continue
        clear[i] = True
        out, rings = _room(out, n + len(ring)), _room(rings, m + len(length))
        for k in range(len(ring)):
            out[n + k] = (points[ring[k]] + origin) / scale
        at, k = n, 0
        while k < len(length):
            last = k + 1
            while last < len(length) and face[last] == face[k]:
                last += 1
            inner, faces = _room(inner, f + 1), _room(faces, f + 1)
            total = length[k:last].sum()
            _inner_point(out[at : at + total], length[k:last], inner[f])
            faces[f, 0] = i
            for r in range(k, last):
                rings[m + r, 0], rings[m + r, 1] = length[r], f
            at, k, f = at + total, last, f + 1
        n, m = n + len(ring), m + len(length)
    return Drawn(clear, out[:n], rings[:m, 0].copy(), rings[:m, 1].copy(), faces[:f, 0].copy(), inner[:f])
