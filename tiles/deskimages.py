"""Both dates and the change of a run as display images: what the desk cuts its map tiles from.

They show the pair as the run saw it: its mosaic, its registration, one tone curve for both dates.
Nothing without image is stored: it is transparent.
"""

import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from configs.errors import ResourceError
from tiles.files import PART_MARK, atomic_path
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import gdal_env, open_raster, read_failure
from tiles.reader import PairReader
from tiles.registration import Registration
from tiles.scene import Epoch
from tiles.stretch import colour_bands, stretch_of

__all__ = ["CHANGE_COLOUR", "write_change_image", "write_date_images"]

BLOCK = 512
"""Rows of a strip."""

TILE = 256
"""Side of a map tile, and of a block of the written files."""

WIDE = 4096
"""Columns that are read at once: what one keeps in memory."""

CHANGE_COLOUR = (255, 0, 200)
"""No ground looks like it."""

FIRST_CHANGE = 2
"""Value of ``change.tif`` from which a pixel is changed; see `flows.joining`."""

PLAIN_PROFILE = {
    "driver": "GTiff",
    "dtype": "uint8",
    "count": 3,
    "tiled": True,
    "blockxsize": BLOCK,
    "blockysize": BLOCK,
    "compress": "zstd",
    "zstd_level": 1,
    "photometric": "rgb",
    "sparse_ok": True,
    "bigtiff": "if_safer",
}
COG_OPTIONS = {
    "TILING_SCHEME": "GoogleMapsCompatible",
    "ZOOM_LEVEL_STRATEGY": "UPPER",
    "BLOCKSIZE": str(TILE),
    "SPARSE_OK": "YES",
    "BIGTIFF": "IF_SAFER",
}
"""A block of the file is a tile of the map, at all zooms that people look at: it is read, not
warped, when they look."""

PHOTO_OPTIONS = {
    "COMPRESS": "JPEG",
    "QUALITY": "88",
    "WARP_RESAMPLING": "CUBIC",
    "OVERVIEW_RESAMPLING": "AVERAGE",
}
DRAWN_OPTIONS = {
    "COMPRESS": "DEFLATE",
    "WARP_RESAMPLING": "NEAREST",
    "OVERVIEW_RESAMPLING": "NEAREST",
}

Strip = tuple[Window, NDArray[np.uint8], NDArray[np.bool_]]
"""Where in the file, red-green-blue of shape (y, x, 3), and where there is image."""


def write_date_images(
    paths: tuple[Path, Path],
    pair: tuple[Epoch, Epoch],
    grid: AnalysisGrid,
    extent: Extent,
    registration: Registration | None,
    *,
    step: Callable[[], None] | None = None,
) -> None:
    """Write both dates of a pair as cloud-optimised GeoTIFFs of three bands and a mask.

    They lie on the tiles of web maps; both on the same.

    Parameters
    ----------
    paths : tuple of Path
        Before, after; each replaced as a whole when it is written.
    pair : tuple of Epoch
    grid : AnalysisGrid
    extent : Extent
        Ground that is shown.
    registration : Registration or None
        Applied to the after date, as in the run: the dates lie on each other pixel by pixel.
    step : callable, optional
        Called after each strip.

    Raises
    ------
    RasterError
        If an image cannot be read.
    ResourceError
        If a file cannot be written.
    """
    colours = colour_bands(*pair)
    with PairReader(*pair, grid, bands=colours, registration=registration) as reader:
        stretch = stretch_of(reader)

        def strips(date: int) -> Iterator[Strip]:
            for window, part in _parts(extent):
                values, valid, _ = reader.read_date(date, part)
                yield window, stretch.picture(values, valid), valid
                if step is not None:
                    step()

        place = {"crs": grid.crs, "transform": grid.transform(extent)}
        size = {"height": extent.height, "width": extent.width}
        for date, path in enumerate(paths):
            _write(path, place | size, strips(date), PHOTO_OPTIONS)


def write_change_image(path: Path, change: Path) -> None:
    """Write the changed pixels of a run in one colour; all others are transparent.

    Parameters
    ----------
    path : Path
        Replaced as a whole when it is written.
    change : Path
        ``change.tif`` of the run.

    Raises
    ------
    RasterError, ResourceError
    """
    with gdal_env(), open_raster(change) as ds:

        def strips() -> Iterator[Strip]:
            for window, _ in _parts(Extent(0, 0, ds.height, ds.width)):
                with read_failure(change, (1,), window):
                    changed = ds.read(1, window=window) >= FIRST_CHANGE
                picture = np.zeros((*changed.shape, 3), np.uint8)
                picture[changed] = CHANGE_COLOUR
                yield window, picture, changed

        size = {"height": ds.height, "width": ds.width}
        place = {"crs": ds.crs, "transform": ds.transform}
        _write(path, place | size, strips(), DRAWN_OPTIONS)


def _parts(extent: Extent) -> Iterator[tuple[Window, Extent]]:
    for row in range(extent.row0, extent.row1, BLOCK):
        for col in range(extent.col0, extent.col1, WIDE):
            part = Extent(row, col, min(row + BLOCK, extent.row1), min(col + WIDE, extent.col1))
            yield Window(col - extent.col0, row - extent.row0, part.width, part.height), part


def _levels(side: int) -> int:
    """Return at how many zooms blocks are tiles: until one tile holds an image of that side."""
    return max(1, math.ceil(math.log2(max(side, TILE) / TILE)))


def _write(
    path: Path, profile: Mapping[str, Any], strips: Iterator[Strip], options: Mapping[str, str]
) -> None:
    """Write a plain file first: a cloud-optimised one cannot be written strip by strip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_name(f"{PART_MARK}{uuid.uuid4().hex[:8]}-plain-{path.name}")
    try:
        with gdal_env(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            with rasterio.open(plain, "w", **PLAIN_PROFILE, **profile) as out:
                for window, picture, valid in strips:
                    if valid.any():
                        out.write(picture.transpose(2, 0, 1), window=window)
                    out.write_mask(valid, window=window)
            with atomic_path(path) as part:
                levels = _levels(max(profile["height"], profile["width"]))
                cog = {**COG_OPTIONS, **options, "ALIGNED_LEVELS": str(levels)}
                copy_raster(plain, part, driver="COG", **cog)
    except RasterioError as error:
        raise ResourceError(
            f"the image cannot be written ({error})", str(path), "check space and rights"
        ) from error
    finally:
        plain.unlink(missing_ok=True)
