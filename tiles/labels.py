"""Polygons to label pixels of the grid."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from configs.errors import InputError
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import gdal_env

__all__ = ["LabelBurner", "burn_labels"]

LARGEST = int(np.iinfo(np.int16).max)

APRON_PX = 8
"""Polygons are clipped this far outside a cell, so that the cut leaves no trace in it."""

CELLS_KEPT = 256
"""Cells of 128 kB whose labels are kept: two rows of the sample cells of a wide scene."""


class LabelBurner:
    """Burns polygons into the pixels whose centre they contain, one extent after the other.

    Burning goes by the fixed cells of the grid, so that a pixel gets the same label whatever
    extents ask for it; the last cells are kept for the neighbours. Where polygons overlap the
    smaller label wins.

    Parameters
    ----------
    geometries : array-like of Polygon or MultiPolygon, shape (n,)
        Valid, in the CRS of the grid. None and empty ones burn nothing.
    labels : ndarray of int, shape (n,)
        1–32767.
    grid : AnalysisGrid

    Raises
    ------
    InputError
        If the numbers of geometries and labels differ or a label is out of range.
    """

    def __init__(self, geometries: Any, labels: NDArray[np.integer], grid: AnalysisGrid) -> None:
        self.grid = grid
        self._shapes = np.atleast_1d(np.asarray(geometries, dtype=object))
        self._numbers = np.asarray(labels, np.int64)
        _check(self._shapes, self._numbers)
        self._tree = shapely.STRtree(self._shapes)
        self._burnt: dict[Extent, NDArray[np.int16] | None] = {}

    def burn(self, extent: Extent) -> NDArray[np.int16]:
        """Return the labels of an extent, int16 (y, x); 0 where there is no polygon."""
        out = np.zeros(extent.shape, np.int16)
        with gdal_env():
            for cell in extent.cells():
                burnt = self._cell(cell)
                if burnt is not None:
                    part = cell.intersect(extent)
                    out[part.slices_in(extent)] = burnt[part.slices_in(cell)]
        return out

    def _cell(self, cell: Extent) -> NDArray[np.int16] | None:
        if cell not in self._burnt:
            if len(self._burnt) >= CELLS_KEPT:
                del self._burnt[next(iter(self._burnt))]
            found = self._tree.query(shapely.box(*self.grid.bounds(cell)))
            # Later shapes overwrite earlier ones: the smallest label comes last.
            order = found[np.lexsort((found, -self._numbers[found]))]
            shapes, numbers = self._shapes[order], self._numbers[order]
            self._burnt[cell] = _burn_cell(shapes, numbers, self.grid, cell) if len(found) else None
        return self._burnt[cell]


def burn_labels(
    geometries: Any, labels: NDArray[np.integer], grid: AnalysisGrid, extent: Extent
) -> NDArray[np.int16]:
    """Burn polygons into the pixels of one extent, see `LabelBurner`."""
    return LabelBurner(geometries, labels, grid).burn(extent)


def _check(shapes: NDArray[np.object_], numbers: NDArray[np.int64]) -> None:
    if len(shapes) != len(numbers):
        raise InputError(
            f"{len(shapes)} geometries and {len(numbers)} labels",
            "burn_labels",
            "pass one label per geometry",
        )
    if len(numbers) and (numbers.min() < 1 or numbers.max() > LARGEST):
        raise InputError(
            f"labels from {numbers.min()} to {numbers.max()}",
            "burn_labels",
            f"use labels of 1–{LARGEST}",
        )


def _burn_cell(
    shapes: NDArray[np.object_], numbers: NDArray[np.int64], grid: AnalysisGrid, cell: Extent
) -> NDArray[np.int16]:
    clipped = shapely.clip_by_rect(shapes, *grid.bounds(cell.expand(APRON_PX)))
    pairs = [
        (shape, int(number))
        for shape, number in zip(clipped, numbers, strict=True)
        if shape is not None and not shape.is_empty and shapely.area(shape) > 0
    ]
    if not pairs:
        return np.zeros(cell.shape, np.int16)
    burnt = rasterize(
        pairs,
        out_shape=cell.shape,
        transform=grid.transform(cell),
        fill=0,
        all_touched=False,
        dtype="int16",
    )
    return np.asarray(burnt, np.int16)
