"""Label rasters of people: what changed and what did not, on the pixels of the grid."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window

from configs.errors import RasterError
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import RasterFacts, gdal_env, inspect_raster, open_raster, read_failure

__all__ = ["CHANGED", "MOST_PIXELS", "UNCHANGED", "UNKNOWN", "read_label_raster"]

UNKNOWN, UNCHANGED, CHANGED = 0, 1, 2

MOST_PIXELS = 100_000_000
"""Largest label raster: it is read whole."""

SHOWN = 12


def read_label_raster(
    path: Path,
    grid: AnalysisGrid,
    extent: Extent,
    *,
    changed: Collection[int],
    unchanged: Collection[int],
    image: RasterFacts,
) -> NDArray[np.uint8]:
    """Read the first band of a label raster onto an extent, nearest pixel.

    Parameters
    ----------
    path : Path
    grid : AnalysisGrid
    extent : Extent
    changed, unchanged : collection of int
        Values; all others are unknown. Without a changed one nothing changed.
    image : RasterFacts
        The earlier image: a label raster that does not tell where it lies must have its size.

    Returns
    -------
    ndarray of uint8, shape (y, x)
        `UNKNOWN`, `UNCHANGED` or `CHANGED`; unknown beyond the raster.

    Raises
    ------
    RasterError
        If it cannot be placed, is too large, or holds none of the values of change, or of no
        change where nothing changed.
    """
    facts = inspect_raster(path)
    size = (facts.height, facts.width)
    if facts.height * facts.width > MOST_PIXELS:
        raise RasterError(
            f"the labels have {size[0]} × {size[1]} pixels, at most {MOST_PIXELS} are read",
            str(path),
            "cut them into several places",
        )
    transform, crs = _place(facts, image, path)
    window = Window(0, 0, facts.width, facts.height)
    with gdal_env(), open_raster(path) as source, read_failure(path, (1,), window):
        stored = source.read(1)
    codes = np.zeros(stored.shape, np.uint8)
    codes[np.isin(stored, list(unchanged))] = UNCHANGED
    codes[np.isin(stored, list(changed))] = CHANGED
    code, name, wanted = (
        (CHANGED, "of change", changed) if changed else (UNCHANGED, "of no change", unchanged)
    )
    if not (codes == code).any():
        values = np.unique(stored)
        told = ", ".join(f"{v:g}" for v in values[:SHOWN]) + (" …" if len(values) > SHOWN else "")
        raise RasterError(
            f"no pixel of the labels has a value {name} ({_listed(wanted)}); they hold {told}",
            str(path),
            "say which values they are, such as changed: [255] and unchanged: [0]; "
            "changed: [] where nothing changed",
        )
    out = np.zeros(extent.shape, np.uint8)
    with gdal_env():
        reproject(
            codes,
            out,
            src_transform=transform,
            src_crs=crs or grid.crs,
            dst_transform=grid.transform(extent),
            dst_crs=grid.crs,
            resampling=Resampling.nearest,
        )
    return out


def _place(facts: RasterFacts, image: RasterFacts, path: Path) -> tuple[Affine, str | None]:
    """Return where the labels lie, and in which CRS if that is told."""
    if facts.georeferenced:
        return facts.transform, facts.crs or image.crs
    if (facts.height, facts.width) != (image.height, image.width) or image.is_raw:
        raise RasterError(
            f"the labels do not tell where they lie, and their {facts.height} × {facts.width} "
            f"pixels are not the {image.height} × {image.width} of the earlier image",
            str(path),
            "write them with the georeference of the earlier image, or in its size",
        )
    return image.transform, image.crs


def _listed(values: Collection[int]) -> str:
    return ", ".join(str(v) for v in sorted(values))
