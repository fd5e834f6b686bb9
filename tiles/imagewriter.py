"""Images on the grid to files: one tile at a time, then one cloud-optimised GeoTIFF of all."""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from configs.errors import ResourceError
from tiles.files import PART_MARK, atomic_path
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import gdal_env, open_raster, read_failure

__all__ = ["join_images", "write_image"]

BLOCK = 512
"""Side of a block of the joined file."""

COG_OPTIONS = {
    "COMPRESS": "ZSTD",
    "LEVEL": "1",
    "PREDICTOR": "YES",
    "BLOCKSIZE": str(BLOCK),
    "OVERVIEWS": "AUTO",
    "BIGTIFF": "IF_SAFER",
}


def write_image(
    path: Path,
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    grid: AnalysisGrid,
    extent: Extent,
) -> None:
    """Write one tile; pixels that are not valid become NaN.

    Parameters
    ----------
    path : Path
        Replaced as a whole when the writing has succeeded.
    values : ndarray of float32, shape (band, y, x)
    valid : ndarray of bool, shape (y, x)
    grid : AnalysisGrid
    extent : Extent
        Pixels of the arrays.

    Raises
    ------
    ResourceError
        If the file cannot be written.
    """
    profile = _profile(grid, extent, len(values)) | {
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "zstd",
        "zstd_level": 1,
        "predictor": 3,
        "interleave": "band",
    }
    try:
        with gdal_env(), atomic_path(path) as part, rasterio.open(part, "w", **profile) as ds:
            ds.write(np.where(valid, values, np.float32(np.nan)))
    except RasterioError as error:
        raise _unwritten(path, error) from error


def join_images(
    path: Path,
    parts: Sequence[tuple[Extent, Path]],
    grid: AnalysisGrid,
    extent: Extent,
    *,
    bands: Sequence[str],
    wavelengths: Sequence[float | None],
    tags: Mapping[str, str],
) -> None:
    """Join tiles to a cloud-optimised GeoTIFF of float32 with NaN where nothing was observed.

    Memory does not grow with the image: it is written tile by tile without compression, then
    copied block by block.

    Parameters
    ----------
    path : Path
        Replaced as a whole when the writing has succeeded.
    parts : sequence of (Extent, Path)
        Tiles written by `write_image`; they cover `extent`.
    grid : AnalysisGrid
    extent : Extent
    bands : sequence of str
        Names of the bands.
    wavelengths : sequence of float or None
        Micrometres.
    tags : mapping of str to str
        Written into the metadata of the file.

    Raises
    ------
    RasterError
        If a tile cannot be read.
    ResourceError
        If the file cannot be written.
    """
    profile = _profile(grid, extent, len(bands)) | {"blockxsize": BLOCK, "blockysize": BLOCK}
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_name(f"{PART_MARK}{uuid.uuid4().hex[:8]}-plain-{path.name}")
    try:
        with gdal_env():
            with rasterio.open(plain, "w", **profile) as ds:
                ds.update_tags(**dict(tags))
                for number, (name, wavelength) in enumerate(
                    zip(bands, wavelengths, strict=True), 1
                ):
                    ds.set_band_description(number, name)
                    if wavelength is not None:
                        ds.update_tags(
                            number, wavelength=f"{wavelength}", wavelength_units="Micrometers"
                        )
                for part, file in parts:
                    _place(ds, extent, part, file)
                # The driver of the copy would take eight times as long for them.
                ds.build_overviews(_factors(extent), Resampling.average)
            with atomic_path(path) as target:
                copy_raster(plain, target, driver="COG", **COG_OPTIONS)
    except RasterioError as error:
        raise _unwritten(path, error) from error
    finally:
        plain.unlink(missing_ok=True)


def _place(ds: Any, extent: Extent, part: Extent, file: Path) -> None:
    """Copy one tile, some rows at a time and only down to its last row."""
    with open_raster(file) as tile:
        for row in range(0, part.height, BLOCK):
            height = min(BLOCK, part.height - row)
            here = Window(0, row, part.width, height)
            with read_failure(file, tuple(tile.indexes), here):
                values = tile.read(window=here)
            there = Window(
                part.col0 - extent.col0, part.row0 - extent.row0 + row, part.width, height
            )
            ds.write(values, window=there)


def _factors(extent: Extent) -> list[int]:
    """Return the reductions of the overviews, down to one block."""
    side = max(extent.shape)
    factors: list[int] = []
    while side > BLOCK * 2 ** len(factors):
        factors.append(2 ** (len(factors) + 1))
    return factors


def _profile(grid: AnalysisGrid, extent: Extent, count: int) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "dtype": "float32",
        "count": count,
        "height": extent.height,
        "width": extent.width,
        "crs": grid.crs,
        "transform": grid.transform(extent),
        "nodata": float("nan"),
        "tiled": True,
        "BIGTIFF": "IF_SAFER",
    }


def _unwritten(path: Path, error: Exception) -> ResourceError:
    return ResourceError(
        f"the image cannot be written ({error})", str(path), "check the disk and run again"
    )
