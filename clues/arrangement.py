"""Arrangements: lines noded together by snap rounding, and the faces that they bound.

Compiled loops do every drawing in which no question hangs on the rounding of numbers; GEOS does
the rest. Both give the same faces, to the bit.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.kernels.faces import faces_of
from clues.kernels.snapping import snapped

__all__ = ["faces_by_geos", "faces_of_lines"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Faces = tuple[NDArray[np.object_], Ints, Floats]


def faces_of_lines(lines: NDArray[np.object_], drawing: Ints, grid: float) -> Faces:
    """Return the faces of drawings, each noded to a grid.

    Parameters
    ----------
    lines : ndarray of LineString, shape (n,)
    drawing : ndarray of int64, shape (n,)
        Ascending, from 0, without gaps.
    grid : float
        Precision of the nodes, in units of the coordinates.

    Returns
    -------
    faces : ndarray of Polygon, shape (faces,)
        In normal form.
    drawing : ndarray of int64, shape (faces,)
    inner : ndarray of float64, shape (faces, 2)
        A point inside each face.
    """
    xy, line = shapely.get_coordinates(lines, return_index=True)
    offsets = np.searchsorted(drawing[line], np.arange(drawing[-1] + 2))
    scale = 1.0 / grid
    drawn = faces_of(snapped(xy, line.astype(np.int64), offsets.astype(np.int64), scale), scale)
    rings = shapely.linearrings(drawn.xy, indices=np.repeat(np.arange(len(drawn.length)), drawn.length))
    holed = np.bincount(drawn.face, minlength=len(drawn.drawing))[drawn.face] > 1
    faces = np.empty(len(drawn.drawing), dtype=object)
    faces[drawn.face[~holed]] = shapely.polygons(rings[~holed])
    if holed.any():
        of, place = np.unique(drawn.face[holed], return_inverse=True)
        faces[of] = shapely.normalize(shapely.polygons(rings[holed], indices=place))
    doubtful = np.flatnonzero(~drawn.clear)
    rest = ~drawn.clear[drawing]
    others, of, inner = faces_by_geos(lines[rest], np.searchsorted(doubtful, drawing[rest]), grid)
    return (
        np.concatenate([faces, others]),
        np.concatenate([drawn.drawing, doubtful[of]]),
        np.concatenate([drawn.inner, inner]),
    )


def faces_by_geos(lines: NDArray[np.object_], drawing: Ints, grid: float) -> Faces:
    """Return what `faces_of_lines` does, whatever the drawing, by GEOS alone."""
    if not len(lines):
        return np.empty(0, dtype=object), np.empty(0, dtype=np.int64), np.empty((0, 2))
    linework = shapely.multilinestrings(lines, indices=drawing)
    noded = shapely.union_all(linework[:, None], grid_size=grid, axis=1)
    faces, place = shapely.get_parts(shapely.polygonize(noded[:, None]), return_index=True)
    faces = shapely.normalize(faces)
    return faces, place, shapely.get_coordinates(shapely.point_on_surface(faces))
