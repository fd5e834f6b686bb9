"""The analysis grid: global rows and columns, tiles, cells, and the hash that samples them.

Rows grow southwards and columns eastwards from the grid's origin, not from the area of interest,
so that a pixel has the same address in every run on the same grid.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

from tiles.geodesy import metres_per_unit

__all__ = ["CELL", "AnalysisGrid", "Extent", "Tile", "plan_tiles", "sample_cells", "splitmix64"]

CELL = 256
"""Side in pixels of the fixed cells in which sources are warped and samples are drawn."""

MOST_CELLS = 96
"""Cells of the largest sample, 6 million pixels: fits draw a hundred thousand of them, and with
their halo the cells of six bands take 450 MB. A tenth of a Sentinel-2 tile would be 185 cells."""

SNAP = 1e-6
"""Part of a pixel below which a coordinate counts as lying on a pixel edge."""


@dataclass(frozen=True, order=True)
class Extent:
    """A half-open block of global pixels: rows ``row0 ≤ r < row1``, columns ``col0 ≤ c < col1``."""

    row0: int
    col0: int
    row1: int
    col1: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.row1 - self.row0

    @property
    def width(self) -> int:
        """Columns."""
        return self.col1 - self.col0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def is_empty(self) -> bool:
        """Whether no pixel lies inside."""
        return self.height <= 0 or self.width <= 0

    def expand(self, pixels: int) -> "Extent":
        """Return the extent grown by `pixels` on all sides."""
        return Extent(
            self.row0 - pixels, self.col0 - pixels, self.row1 + pixels, self.col1 + pixels
        )

    def intersect(self, other: "Extent") -> "Extent":
        """Return the common part; it is empty when the two do not meet."""
        return Extent(
            max(self.row0, other.row0),
            max(self.col0, other.col0),
            min(self.row1, other.row1),
            min(self.col1, other.col1),
        )

    def slices_in(self, outer: "Extent") -> tuple[slice, slice]:
        """Return the slices that cut this extent out of an array that covers `outer`."""
        return (
            slice(self.row0 - outer.row0, self.row1 - outer.row0),
            slice(self.col0 - outer.col0, self.col1 - outer.col0),
        )

    def cells(self, size: int = CELL) -> Iterator["Extent"]:
        """Yield the fixed global cells that meet this extent, row-major, uncut."""
        for r in range(self.row0 // size, -(-self.row1 // size)):
            for c in range(self.col0 // size, -(-self.col1 // size)):
                yield Extent(r * size, c * size, (r + 1) * size, (c + 1) * size)


@dataclass(frozen=True)
class AnalysisGrid:
    """The raster grid on which a pair is compared.

    Parameters
    ----------
    crs : str
        ``EPSG:n`` where there is one, else WKT. Coordinates are in x, y order.
    x_resolution, y_resolution : float
        Pixel size in CRS units, both positive.
    x_origin, y_origin : float
        North-west corner of pixel (0, 0); default: multiples of the resolution from (0, 0).
    """

    crs: str
    x_resolution: float
    y_resolution: float
    x_origin: float = 0.0
    y_origin: float = 0.0

    @cached_property
    def grid_id(self) -> str:
        """Short hash that names this grid across periods."""
        text = "|".join(
            [
                pyproj.CRS(self.crs).to_wkt("WKT2_2019"),
                *(float(v).hex() for v in (self.x_resolution, self.y_resolution)),
                *(float(v).hex() for v in (self.x_origin, self.y_origin)),
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def is_geographic(self) -> bool:
        """Whether the CRS counts in degrees."""
        return bool(pyproj.CRS(self.crs).is_geographic)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON; `AnalysisGrid(**d)` reads them back."""
        return asdict(self)

    def transform(self, extent: Extent) -> Affine:
        """Return the affine transform of an array that covers `extent`."""
        return Affine(
            self.x_resolution,
            0.0,
            self.x_origin + extent.col0 * self.x_resolution,
            0.0,
            -self.y_resolution,
            self.y_origin - extent.row0 * self.y_resolution,
        )

    def xy(
        self,
        rows: NDArray[np.int64] | NDArray[np.float64],
        cols: NDArray[np.int64] | NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x, y of the north-west corners of global pixels (pass r + 0.5 for centres)."""
        return (
            np.asarray(self.x_origin + np.asarray(cols) * self.x_resolution, np.float64),
            np.asarray(self.y_origin - np.asarray(rows) * self.y_resolution, np.float64),
        )

    def bounds(self, extent: Extent) -> tuple[float, float, float, float]:
        """Return west, south, east, north of an extent in CRS units."""
        (west, east), (north, south) = self.xy(
            np.array([extent.row0, extent.row1]), np.array([extent.col0, extent.col1])
        )
        return float(west), float(south), float(east), float(north)

    def extent_of(self, bounds: tuple[float, float, float, float]) -> Extent:
        """Return the smallest extent that covers west, south, east, north in CRS units."""
        west, south, east, north = bounds
        return Extent(
            math.floor((self.y_origin - north) / self.y_resolution + SNAP),
            math.floor((west - self.x_origin) / self.x_resolution + SNAP),
            math.ceil((self.y_origin - south) / self.y_resolution - SNAP),
            math.ceil((east - self.x_origin) / self.x_resolution - SNAP),
        )

    def pixel_metres(self, extent: Extent) -> tuple[float, float]:
        """Return the ground metres of one pixel along x and y at the middle of `extent`.

        Depends on the extent of the whole analysis, never on a tile: pass that one.
        """
        west, south, east, north = self.bounds(extent)
        mx, my = metres_per_unit(self.crs, (west + east) / 2, (south + north) / 2)
        return mx * self.x_resolution, my * self.y_resolution


@dataclass(frozen=True, order=True)
class Tile:
    """One block of work; its borders lie at multiples of the tile size in global pixels."""

    row: int
    col: int
    extent: Extent

    @property
    def name(self) -> str:
        """Name used in file names and the manifest."""
        return f"r{self.row:+06d}c{self.col:+06d}"


def plan_tiles(extent: Extent, size: int) -> list[Tile]:
    """Return the tiles of `size` pixels that cover `extent`, cut to it, row-major."""
    tiles = []
    for cell in extent.cells(size):
        tiles.append(Tile(cell.row0 // size, cell.col0 // size, cell.intersect(extent)))
    return tiles


def splitmix64(row: Any, col: Any, seed: int) -> NDArray[np.uint64]:
    """Hash global (row, col) and a seed to 64 bits (SplitMix64 finaliser, twice).

    Parameters
    ----------
    row, col : int or ndarray of int64
        Broadcast together; negative values are fine.
    seed : int
        Names the purpose of the draw.

    Returns
    -------
    ndarray of uint64

    References
    ----------
    .. [1] Steele, Lea, Flood (2014). Fast splittable pseudorandom number generators.
       doi:10.1145/2660193.2660195
    """
    with np.errstate(over="ignore"):
        value = _mix(np.asarray(row, np.int64).astype(np.uint64) + np.uint64(seed))
        return _mix(value + np.asarray(col, np.int64).astype(np.uint64))


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))


def sample_cells(
    extent: Extent, seed: int, *, share: float = 0.1, minimum: int = 64, maximum: int = MOST_CELLS
) -> list[Extent]:
    """Return the cells to read for a fit, cut to `extent`, in canonical (row, col) order.

    The ``max(minimum, share × cells)`` cells with the smallest hash are taken, at most `maximum`:
    the choice depends on the extent and the seed, not on the tiling.

    Parameters
    ----------
    extent : Extent
        The whole area of the analysis.
    seed : int
        Seed of the hash.
    share : float
        Share of all cells, 0–1.
    minimum : int
        Fewest cells; all if there are fewer.
    maximum : int
        Most cells.
    """
    cells = list(extent.cells())
    count = min(max(minimum, math.ceil(share * len(cells))), maximum)
    ranks = splitmix64([c.row0 // CELL for c in cells], [c.col0 // CELL for c in cells], seed)
    chosen = sorted(np.argsort(ranks, kind="stable")[:count])
    return [cells[i].intersect(extent) for i in chosen]
