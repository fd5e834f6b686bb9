"""Arrangements: lines noded together by snap rounding, and the faces that they bound.

Compiled loops do every drawing in which no question hangs on the rounding of numbers; GEOS does
the rest. Both give the same faces, to the bit.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.outlineruns import spans

if TYPE_CHECKING:
    from clues.kernels.faces import Drawn

__all__ = ["Drawings", "Faces", "clear_faces", "faces_by_geos", "faces_within"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]


class Drawings(NamedTuple):
    """Lines of many drawings.

    Attributes
    ----------
    xy : ndarray of float64, shape (n, 2)
        Vertices in units of the CRS.
    line : ndarray of int64, shape (n,)
        Line of each vertex, ascending.
    offsets : ndarray of int64, shape (drawings + 1,)
        Drawing i has the vertices ``offsets[i]:offsets[i + 1]``.
    """

    xy: Floats
    line: Ints
    offsets: Ints


class Faces(NamedTuple):
    """Bounded faces of drawings.

    Attributes
    ----------
    geometry : ndarray of Polygon, shape (n,)
        In normal form.
    drawing : ndarray of int64, shape (n,)
    inner : ndarray of float64, shape (n, 2)
        A point inside each face, where `shapely.point_on_surface` puts it.
    """

    geometry: Shapes
    drawing: Ints
    inner: Floats


def faces_within(drawings: Drawings, outline: Shapes, grid: float, *, compiled: bool) -> Faces:
    """Return the faces of drawings whose inner point lies in an outline.

    Parameters
    ----------
    drawings : Drawings
    outline : ndarray of Polygon or MultiPolygon, shape (drawings,)
    grid : float
        Precision of the nodes, in units of the coordinates.
    compiled : bool
        Whether by compiled loops as far as they go; the answer is the same.
    """
    if not compiled:
        return _inside(faces_by_geos(drawings, np.arange(len(outline)), grid), outline)
    clear, faces = clear_faces(drawings, outline, grid)
    if clear.all():
        return faces
    others = _inside(faces_by_geos(drawings, np.flatnonzero(~clear), grid), outline)
    return Faces(*(np.concatenate(both) for both in zip(faces, others, strict=True)))


def clear_faces(
    drawings: Drawings, outline: Shapes, grid: float
) -> tuple[NDArray[np.bool_], Faces]:
    """Return for which drawings no question hangs on rounding, and the faces of those within."""
    from clues.kernels.faces import faces_of
    from clues.kernels.snapping import snapped

    scale = 1.0 / grid
    drawn = faces_of(snapped(*drawings, scale), scale)
    within = shapely.intersects_xy(outline[drawn.drawing], drawn.inner[:, 0], drawn.inner[:, 1])
    return drawn.clear, Faces(_polygons(drawn, within), drawn.drawing[within], drawn.inner[within])


def _polygons(drawn: "Drawn", wanted: NDArray[np.bool_]) -> Shapes:
    """Return the wanted faces in normal form; the rings are written that way already."""
    kept = wanted[drawn.face]
    length, face = drawn.length[kept], (np.cumsum(wanted) - 1)[drawn.face[kept]]
    xy = drawn.xy[np.repeat(kept, drawn.length)]
    rings = shapely.linearrings(xy, indices=np.repeat(np.arange(len(length)), length))
    count = np.bincount(face)
    if (count == 1).all():
        return np.asarray(shapely.polygons(rings))
    faces = np.asarray(shapely.polygons(rings, indices=face))
    faces[count > 1] = shapely.normalize(faces[count > 1])  # the order of holes
    return faces


def _inside(faces: Faces, outline: Shapes) -> Faces:
    within = shapely.intersects_xy(outline[faces.drawing], faces.inner[:, 0], faces.inner[:, 1])
    return Faces(*(values[within] for values in faces))


def faces_by_geos(drawings: Drawings, chosen: Ints, grid: float) -> Faces:
    """Return all faces of the chosen drawings, whatever they are."""
    start, stop = drawings.offsets[chosen], drawings.offsets[chosen + 1]
    vertices = spans(start, stop)
    lines = shapely.linestrings(
        drawings.xy[vertices], indices=np.unique(drawings.line[vertices], return_inverse=True)[1]
    )
    of_vertex = np.repeat(np.arange(len(chosen)), stop - start)
    opens = np.flatnonzero(np.diff(drawings.line[vertices], prepend=-1))
    linework = shapely.multilinestrings(lines, indices=of_vertex[opens])
    noded = shapely.union_all(linework[:, None], grid_size=grid, axis=1)
    faces, place = shapely.get_parts(shapely.polygonize(noded[:, None]), return_index=True)
    faces = shapely.normalize(faces)
    inner = shapely.get_coordinates(shapely.point_on_surface(faces))
    return Faces(faces, chosen[place], np.asarray(inner))
