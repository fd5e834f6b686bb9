"""One date of a run as a picture for maps: a whole frame, or windows around places in one file."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from configs.errors import ResourceError
from tiles.files import atomic_path
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import gdal_env
from tiles.reader import PairReader
from tiles.registration import Registration
from tiles.scene import Epoch
from tiles.stretch import Stretch, colour_bands, stretch_of

__all__ = ["BaseImage", "BasePicture"]

BLOCK = 256
"""Side of a block of the written file; only blocks around places are stored."""

STRIP_PIXELS = 8_000_000
JPEG_QUALITY = 85

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class BasePicture:
    """A picture of a frame.

    Attributes
    ----------
    image : ndarray of uint8, shape (y, x, 3)
        Red, green, blue; white where there is no image.
    bounds : tuple of float
        West, south, east, north in the CRS of the grid: whole pixels around what was asked for.
    """

    image: NDArray[np.uint8]
    bounds: Bounds


class BaseImage:
    """Cuts base pictures of one date out of a pair; use it in a ``with`` block.

    All have the stretch of the whole pair, so pages and dates can be compared.

    Parameters
    ----------
    before, after : Epoch
    grid : AnalysisGrid
    registration : Registration or None
        Applied to the after date, so that outlines lie where they were found.
    date : int
        0 before, 1 after.
    """

    def __init__(
        self,
        before: Epoch,
        after: Epoch,
        grid: AnalysisGrid,
        registration: Registration | None = None,
        *,
        date: int = 1,
    ) -> None:
        colours = colour_bands(before, after)
        self._reader = PairReader(before, after, grid, bands=colours, registration=registration)
        self._grid, self._date = grid, date

    def __enter__(self) -> "BaseImage":
        return self

    def __exit__(self, *exception: object) -> None:
        self._reader.close()

    @cached_property
    def _stretch(self) -> Stretch:
        return stretch_of(self._reader)

    def picture(self, bounds: Bounds, most_px: int) -> BasePicture:
        """Return the picture of a frame, averaged to at most `most_px` pixels a side.

        Parameters
        ----------
        bounds : tuple of float
            West, south, east, north in the CRS of the grid.
        most_px : int
        """
        extent = self._grid.extent_of(bounds)
        step = max(1, math.ceil(max(extent.shape) / most_px))
        rows, cols = (math.ceil(n / step) * step for n in extent.shape)
        extent = Extent(extent.row0, extent.col0, extent.row0 + rows, extent.col0 + cols)
        strips = [_averaged(*self._read(part), step) for part in _strips(extent, step)]
        values = np.concatenate([v for v, _ in strips], axis=1)
        valid = np.concatenate([ok for _, ok in strips])
        return BasePicture(self._stretch.picture(values, valid), self._grid.bounds(extent))

    def write_windows(self, path: Path, windows: Iterable[Bounds]) -> int:
        """Write the ground of some windows as one sparse GeoTIFF with a mask; return its blocks.

        What lies in no window is not stored and is transparent.

        Parameters
        ----------
        path : Path
            Written atomically; JPEG inside, tiled.
        windows : iterable of tuple of float
            West, south, east, north in the CRS of the grid; at least one.

        Raises
        ------
        ResourceError
            If the file cannot be written.
        """
        blocks = sorted({b for window in windows for b in _blocks(self._grid.extent_of(window))})
        row0, col0 = (BLOCK * min(b[i] for b in blocks) for i in (0, 1))
        row1, col1 = (BLOCK * (max(b[i] for b in blocks) + 1) for i in (0, 1))
        profile = {
            "driver": "GTiff",
            "dtype": "uint8",
            "count": 3,
            "height": row1 - row0,
            "width": col1 - col0,
            "crs": self._grid.crs,
            "transform": self._grid.transform(Extent(row0, col0, row1, col1)),
            "tiled": True,
            "blockxsize": BLOCK,
            "blockysize": BLOCK,
            "compress": "jpeg",
            "photometric": "ycbcr",
            "jpeg_quality": JPEG_QUALITY,
            "sparse_ok": True,
            "bigtiff": "if_safer",
        }
        try:
            with gdal_env(), atomic_path(path) as part, rasterio.open(part, "w", **profile) as out:
                for block in blocks:
                    values, valid = self._read(_block_extent(block))
                    image = self._stretch.picture(values, valid)
                    window = Window(BLOCK * block[1] - col0, BLOCK * block[0] - row0, BLOCK, BLOCK)
                    out.write(image.transpose(2, 0, 1), window=window)
                    out.write_mask(valid, window=window)
        except RasterioError as error:
            raise ResourceError(
                f"the image cannot be written: {error}", str(path), "check space and rights"
            ) from error
        return len(blocks)

    def _read(self, extent: Extent) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        values, valid, _ = self._reader.read_date(self._date, extent)
        return values, valid


def _strips(extent: Extent, step: int) -> Iterator[Extent]:
    height = max(1, STRIP_PIXELS // (extent.width * step)) * step
    for row in range(extent.row0, extent.row1, height):
        yield Extent(row, extent.col0, min(row + height, extent.row1), extent.col1)


def _averaged(
    values: NDArray[np.float32], valid: NDArray[np.bool_], step: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the means of the valid pixels of squares of `step` pixels."""
    if step == 1:
        return values, valid
    rows, cols = (n // step for n in valid.shape)
    cells = (len(values), rows, step, cols, step)
    known = valid.reshape(cells[1:])
    count = known.sum(axis=(1, 3))
    total = np.where(known, values.reshape(cells), 0).sum(axis=(2, 4))
    return (total / np.maximum(count, 1)).astype(np.float32), count > 0


def _blocks(extent: Extent) -> Iterator[tuple[int, int]]:
    for row in range(extent.row0 // BLOCK, -(-extent.row1 // BLOCK)):
        for col in range(extent.col0 // BLOCK, -(-extent.col1 // BLOCK)):
            yield row, col


def _block_extent(block: tuple[int, int]) -> Extent:
    row, col = (BLOCK * n for n in block)
    return Extent(row, col, row + BLOCK, col + BLOCK)
