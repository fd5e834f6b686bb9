"""What could not be seen: clouds and shadows of both dates on an overview of the analysis grid.

The map is found once per run, on pixels of about 30 m whose borders lie at fixed places of the
grid, and looked up by the reader. A tile therefore gets the same answer however it is cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from tiles.cloudlight import Overview, in_one_light, plausible_light
from tiles.clouds import CLEAR, NEEDED, find_obscured
from tiles.files import atomic_path
from tiles.grid import AnalysisGrid, Extent

__all__ = ["CloudMap", "ReadDates", "find_clouds", "write_cloud_map"]

OVERVIEW_M = 30.0
"""Side of an overview pixel, as near as whole pixels of the grid allow."""

CHUNK_PX = 1024
"""Pixels read at a time."""

ROLES = (*NEEDED, "swir1")

Date = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.uint8]]
ReadDates = Callable[[Extent], tuple[Date, Date]]
"""Values (band, y, x), valid (y, x) and source (y, x) of both dates over an extent."""


@dataclass(frozen=True)
class CloudMap:
    """Codes of `tiles.clouds` per date on overview pixels.

    Attributes
    ----------
    factor : int
        Pixels of the grid along a side of an overview pixel.
    row0, col0 : int
        Overview row and column of the first one; row · factor is a row of the grid.
    codes : ndarray of uint8, shape (2, y, x)
        Of before and after.
    """

    factor: int
    row0: int
    col0: int
    codes: NDArray[np.uint8]

    @property
    def extent(self) -> Extent:
        """Pixels of the grid that the map covers."""
        rows, cols = self.codes.shape[1:]
        k = self.factor
        return Extent(self.row0 * k, self.col0 * k, (self.row0 + rows) * k, (self.col0 + cols) * k)

    def usable(self, extent: Extent) -> NDArray[np.bool_]:
        """Return where both dates are clear; beyond the map everything is."""
        rows = np.arange(extent.row0, extent.row1) // self.factor - self.row0
        cols = np.arange(extent.col0, extent.col1) // self.factor - self.col0
        clear = np.pad((self.codes == CLEAR).all(axis=0), 1, constant_values=True)
        height, width = self.codes.shape[1:]
        at_rows = np.clip(rows, -1, height) + 1
        at_cols = np.clip(cols, -1, width) + 1
        return np.asarray(clear[np.ix_(at_rows, at_cols)], np.bool_)

    def percent(self, code: int) -> tuple[float, float]:
        """Return how much of the map one code covers at each date, percent."""
        before, after = (100.0 * float((c == code).mean()) for c in self.codes)
        return before, after


def find_clouds(
    read: ReadDates,
    extent: Extent,
    bands: Sequence[str],
    *,
    pixel_m: float,
    margin_m: float,
    dates: tuple[bool, bool] = (True, True),
    sun_azimuth: tuple[float | None, float | None] = (None, None),
) -> CloudMap | None:
    """Find what clouds and their shadows hide of each date.

    Parameters
    ----------
    read : callable
        Reads both dates, registered.
    extent : Extent
        Pixels of the analysis.
    bands : sequence of str
        Names of the bands that are read.
    pixel_m : float
        Ground size of a pixel of the grid.
    margin_m : float
        Clouds and shadows are grown by this distance.
    dates : tuple of bool
        Which dates to search.
    sun_azimuth : tuple of float or None
        Of each date, degrees from north.

    Returns
    -------
    CloudMap or None
        None where the bands needed are not there, or counts without contrast.
    """
    if not all(name in bands for name in NEEDED) or not any(dates):
        return None
    factor = max(1, round(OVERVIEW_M / pixel_m))
    first, second, valid, place = _overview(read, extent, bands, factor)
    lit = plausible_light(first, second, valid)
    if lit is None:
        return None
    codes = np.full((2, *valid.shape), CLEAR, np.uint8)
    first, second = in_one_light(*lit, valid)
    for date, (image, other) in enumerate(((first, second), (second, first))):
        if dates[date]:
            codes[date] = find_obscured(
                image,
                other,
                valid,
                pixel_m=pixel_m * factor,
                margin_m=margin_m,
                sun_azimuth=sun_azimuth[date],
            )
    return CloudMap(factor, *place, codes)


def _overview(
    read: ReadDates, extent: Extent, bands: Sequence[str], factor: int
) -> tuple[Overview, Overview, NDArray[np.bool_], tuple[int, int]]:
    """Return both dates averaged to overview pixels, where most of each is valid, and its place."""
    rows = (extent.row0 // factor, -(-extent.row1 // factor))
    cols = (extent.col0 // factor, -(-extent.col1 // factor))
    shape = (rows[1] - rows[0], cols[1] - cols[0])
    names = [n for n in ROLES if n in bands]
    places = [list(bands).index(n) for n in names]
    images = np.zeros((2, len(names), *shape), np.float32)
    valid = np.zeros(shape, np.bool_)
    step = CHUNK_PX // factor
    for r in range(0, shape[0], step):
        for c in range(0, shape[1], step):
            part = Extent(r, c, min(r + step, shape[0]), min(c + step, shape[1]))
            pixels = Extent(
                (rows[0] + part.row0) * factor,
                (cols[0] + part.col0) * factor,
                (rows[0] + part.row1) * factor,
                (cols[0] + part.col1) * factor,
            )
            (before, before_ok, _), (after, after_ok, _) = read(pixels)
            ok = before_ok & after_ok
            here = (slice(part.row0, part.row1), slice(part.col0, part.col1))
            count = _sums(ok[None].astype(np.float32), factor)[0]
            valid[here] = count >= 0.5 * factor**2
            for date, values in enumerate((before, after)):
                sums = _sums(values[places] * ok, factor)
                images[(date, slice(None), *here)] = sums / np.maximum(count, 1)
    first, second = (dict(zip(names, image, strict=True)) for image in images)
    return first, second, valid, (rows[0], cols[0])


def _sums(planes: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    count, height, width = planes.shape
    split = planes.reshape(count, height // factor, factor, width // factor, factor)
    return np.asarray(split.sum(axis=(2, 4)), np.float32)


def write_cloud_map(path: Path, clouds: CloudMap, grid: AnalysisGrid) -> None:
    """Write the map as a GeoTIFF: band 1 before, band 2 after; 0 clear, 1 cloud, 2 shadow."""
    count, height, width = clouds.codes.shape
    transform = grid.transform(clouds.extent) @ rasterio.Affine.scale(clouds.factor)
    with (
        atomic_path(path) as part,
        rasterio.open(
            part,
            "w",
            driver="GTiff",
            dtype="uint8",
            count=count,
            height=height,
            width=width,
            crs=grid.crs,
            transform=transform,
            compress="deflate",
        ) as raster,
    ):
        raster.write(clouds.codes)
        raster.set_band_description(1, "before")
        raster.set_band_description(2, "after")
        raster.update_tags(TUBAN_VALUES="0 clear, 1 cloud, 2 cloud shadow")
