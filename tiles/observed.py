"""How much of an outline a run could observe, read from its change raster."""

from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.io import DatasetReader
from rasterio.windows import Window

from tiles.geodesy import transformer
from tiles.rasters import crs_name, gdal_env, open_raster

__all__ = ["observed_shares"]

STRIP_ROWS = 1024
NOT_OBSERVED = 0


def observed_shares(path: Path, geometries: Any, crs: str) -> NDArray[np.float64]:
    """Return the share of each outline whose pixels were observed at both dates.

    Parameters
    ----------
    path : Path
        ``change.tif`` of a run: 0 where nothing could be observed.
    geometries : array-like of Polygon or MultiPolygon, shape (n,)
    crs : str
        CRS of the outlines.

    Returns
    -------
    ndarray of float64, shape (n,)
        0–1 by pixels whose centre lies inside; what lies outside the raster is not observed. An
        outline that holds no centre takes the pixel of its inner point.
    """
    shapes = np.asarray(geometries, dtype=object)
    with gdal_env(), open_raster(path) as raster:
        target = crs_name(raster.crs)
        if target != crs:
            move = transformer(crs, target).transform
            shapes = shapely.transform(shapes, lambda xy: np.column_stack(move(xy[:, 0], xy[:, 1])))
        return np.array([_share(raster, shape) for shape in shapes], dtype=np.float64)


def _share(raster: DatasetReader, shape: Any) -> float:
    west, south, east, north = shape.bounds
    to_pixels = ~raster.transform
    corners = np.array([to_pixels @ p for p in ((west, north), (east, south))])
    col0, row0 = (int(v) for v in np.floor(corners.min(axis=0)))
    col1, row1 = (int(v) for v in np.ceil(corners.max(axis=0)))
    inside = seen = 0
    for top in range(row0, row1, STRIP_ROWS):
        window = Window(col0, top, max(col1 - col0, 1), min(STRIP_ROWS, row1 - top))
        burnt = rasterize(
            [(shape, 1)],
            out_shape=(int(window.height), int(window.width)),
            transform=raster.transform @ Affine.translation(col0, top),
            dtype="uint8",
        ).astype(bool)
        inside += int(burnt.sum())
        seen += int((burnt & _observed(raster, window)).sum())
    if inside:
        return seen / inside
    point = shape.representative_point()
    col, row = (int(np.floor(v)) for v in to_pixels @ (point.x, point.y))
    return float(_observed(raster, Window(col, row, 1, 1))[0, 0])


def _observed(raster: DatasetReader, window: Window) -> NDArray[np.bool_]:
    """Return which pixels of a window were observed; none outside the raster."""
    out = np.zeros((int(window.height), int(window.width)), dtype=bool)
    row0, col0 = int(window.row_off), int(window.col_off)
    top, left = max(row0, 0), max(col0, 0)
    bottom, right = min(row0 + out.shape[0], raster.height), min(col0 + out.shape[1], raster.width)
    if top < bottom and left < right:
        values = raster.read(1, window=Window(left, top, right - left, bottom - top))
        out[top - row0 : bottom - row0, left - col0 : right - col0] = values != NOT_OBSERVED
    return out
