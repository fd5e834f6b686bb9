"""Runs to a cloud-optimised GeoTIFF, strip by strip."""

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from configs.errors import InputError, ResourceError
from tiles.files import PART_MARK, atomic_path
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import gdal_env

__all__ = ["NODATA", "OBSERVED", "PaintRuns", "ValidRuns", "write_runs"]

NODATA = 0
"""Value of pixels that could not be observed."""

OBSERVED = 1
"""Value of pixels that were observed and show nothing."""

BLOCK = 512
"""Side of a tile of the file, and rows of a strip."""

ValidRuns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Row, first column, last column (inclusive), in global pixels, sorted by (row, first)."""

PaintRuns = tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer], NDArray[np.uint8]]
"""Row, first column, last column (inclusive), value, sorted by (row, first)."""

COG_OPTIONS = {
    "COMPRESS": "ZSTD",
    "LEVEL": "1",
    "BLOCKSIZE": str(BLOCK),
    "OVERVIEW_RESAMPLING": "NEAREST",
    "OVERVIEWS": "AUTO",
    "BIGTIFF": "IF_SAFER",
}


def write_runs(
    path: Path,
    grid: AnalysisGrid,
    extent: Extent,
    runs: PaintRuns,
    valid_runs: ValidRuns,
    *,
    tags: Mapping[str, str] | None = None,
    colours: Mapping[int, tuple[int, int, int]] | None = None,
) -> None:
    """Write a uint8 raster painted from runs: 0 unobserved, 1 observed, else the run's value.

    Memory does not grow with the raster: strips of 512 rows are painted one after another. A
    painted pixel keeps its value where it is not observed (a filled hole).

    Parameters
    ----------
    path : Path
        Replaced as a whole when the writing has succeeded.
    grid : AnalysisGrid
    extent : Extent
        Pixels of the raster; runs beyond are cut off.
    runs : tuple of row, first, last, value
        Must not overlap.
    valid_runs : tuple of row, first, last
        Observed pixels; must not overlap.
    tags : mapping of str to str, optional
        Written into the file's metadata.
    colours : mapping of value to (red, green, blue), optional
        Colour table.

    Raises
    ------
    InputError
        If the extent is empty or runs are not sorted.
    ResourceError
        If the file cannot be written.
    """
    if extent.is_empty:
        raise InputError("the raster has no pixels", str(path), "pass an extent that is not empty")
    for name, table in (("runs", runs), ("valid_runs", valid_runs)):
        if np.any(np.diff(table[0]) < 0):
            raise InputError(f"{name} are not sorted by row", "write_runs", "sort by (row, first)")
    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 1,
        "height": extent.height,
        "width": extent.width,
        "crs": grid.crs,
        "transform": grid.transform(extent),
        "nodata": NODATA,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "zstd",
        "zstd_level": 1,
        "BIGTIFF": "IF_SAFER",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_name(f"{PART_MARK}{uuid.uuid4().hex[:8]}-strips-{path.name}")
    try:
        with gdal_env():
            with rasterio.open(plain, "w", **profile) as ds:
                ds.update_tags(**dict(tags or {}))
                if colours:
                    ds.write_colormap(1, {k: (*v, 255) for k, v in colours.items()})
                for window, strip in _strips(extent, runs, valid_runs):
                    ds.write(strip, 1, window=window)
            with atomic_path(path) as part:
                copy_raster(plain, part, driver="COG", **COG_OPTIONS)
    except RasterioError as error:
        raise ResourceError(
            f"the raster cannot be written ({error})", str(path), "check the disk and run again"
        ) from error
    finally:
        plain.unlink(missing_ok=True)


def _strips(
    extent: Extent, runs: PaintRuns, valid_runs: ValidRuns
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    observed = (*valid_runs, np.full(len(valid_runs[0]), OBSERVED, np.uint8))
    for row0 in range(extent.row0, extent.row1, BLOCK):
        part = Extent(row0, extent.col0, min(row0 + BLOCK, extent.row1), extent.col1)
        strip = _paint(part, observed)
        values = _paint(part, runs)
        np.copyto(strip, values, where=values > 0)
        yield Window(0, row0 - extent.row0, part.width, part.height), strip


def _paint(part: Extent, runs: Any) -> NDArray[np.uint8]:
    """Return an extent painted with runs: a step up at each start, down behind each end.

    Runs do not overlap, so that counting modulo 256 is exact.
    """
    begin, end = np.searchsorted(runs[0], (part.row0, part.row1))
    row, first, last, value = (np.asarray(column[begin:end]) for column in runs)
    first = np.clip(first, part.col0, part.col1) - part.col0
    behind = np.clip(last + 1, part.col0, part.col1) - part.col0
    steps = np.zeros((part.height, part.width + 1), np.uint8)
    line = (row - part.row0).astype(np.int64) * steps.shape[1]
    np.add.at(steps.reshape(-1), line + first, value)
    np.subtract.at(steps.reshape(-1), line + behind, value)
    return np.cumsum(steps, axis=1, dtype=np.uint8)[:, :-1]
