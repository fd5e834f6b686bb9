"""Polygons to label pixels of the grid."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from configs.errors import InputError
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import gdal_env

__all__ = ["burn_labels"]

LARGEST = int(np.iinfo(np.int16).max)

APRON_PX = 8
"""Polygons are clipped this far outside a cell, so that the cut leaves no trace in it."""


def burn_labels(
    geometries: Any, labels: NDArray[np.integer], grid: AnalysisGrid, extent: Extent
) -> NDArray[np.int16]:
    """Burn polygons into the pixels whose centre they contain.

    Burning goes by the fixed cells of the grid, so that a pixel gets the same label whatever
    extents ask for it. Where polygons overlap the smaller label wins.

    Parameters
    ----------
    geometries : array-like of Polygon or MultiPolygon, shape (n,)
        Valid, in the CRS of the grid. None and empty ones burn nothing.
    labels : ndarray of int, shape (n,)
        1–32767.
    grid : AnalysisGrid
    extent : Extent

    Returns
    -------
    ndarray of int16, shape (y, x)
        0 where there is no polygon.

    Raises
    ------
    InputError
        If the numbers of geometries and labels differ or a label is out of range.
    """
    shapes = np.atleast_1d(np.asarray(geometries, dtype=object))
    numbers = np.asarray(labels, np.int64)
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
    out = np.zeros(extent.shape, np.int16)
    tree = shapely.STRtree(shapes)
    with gdal_env():
        for cell in extent.cells():
            found = tree.query(shapely.box(*grid.bounds(cell)))
            if not len(found):
                continue
            # Later shapes overwrite earlier ones: the smallest label comes last.
            order = found[np.lexsort((found, -numbers[found]))]
            burnt = _burn_cell(shapes[order], numbers[order], grid, cell)
            part = cell.intersect(extent)
            out[part.slices_in(extent)] = burnt[part.slices_in(cell)]
    return out


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
