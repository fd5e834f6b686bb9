"""A change map or a truth as one plane of class numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window

from configs.errors import RasterError
from tiles.files import atomic_path
from tiles.geodesy import metres_per_unit
from tiles.rasters import RasterFacts, gdal_env, inspect_raster, open_raster, read_failure

__all__ = ["ChangeMap", "MapStrips", "burn_truth", "read_change_map", "write_picture"]

BLOCK = 256
STRIP_PX = 8_000_000
"""Pixels of a map that are held at once."""


@dataclass(frozen=True)
class ChangeMap:
    """Class numbers of a raster.

    Attributes
    ----------
    path : Path
    classes : ndarray of uint8, shape (y, x)
    facts : RasterFacts
        Where it lies.
    """

    path: Path
    classes: NDArray[np.uint8]
    facts: RasterFacts

    @property
    def pixel_m2(self) -> float | None:
        """Ground area of a pixel in the middle of the map; None without a CRS."""
        return _pixel_m2(self.facts)

    @property
    def transform(self) -> Affine:
        """Pixel (column, row) to CRS x, y."""
        return self.facts.transform


def read_change_map(path: Path, like: ChangeMap | None = None) -> ChangeMap:
    """Read one plane of class numbers.

    Parameters
    ----------
    path : Path
        Raster of whole numbers from 0 to 255; of several bands the first counts.
    like : ChangeMap, optional
        Map whose pixels these must be.

    Raises
    ------
    RasterError
        If it is no such raster or lies elsewhere.
    """
    facts = inspect_raster(path)
    with gdal_env(), open_raster(path) as ds:
        values = _class_numbers(path, ds, Window(0, 0, ds.width, ds.height))
    if like is not None:
        _require_same(facts, like)
    return ChangeMap(path, values, facts)


class MapStrips:
    """Class numbers of a raster of any size, read strip by strip.

    Parameters
    ----------
    path : Path
        See `read_change_map`.
    pixels : int
        Of a strip at most, but one block of rows at least.
    """

    def __init__(self, path: Path, pixels: int = STRIP_PX) -> None:
        self.path, self.facts = path, inspect_raster(path)
        self.rows = max(pixels // self.facts.width // BLOCK * BLOCK, BLOCK)

    @property
    def pixel_m2(self) -> float | None:
        """Ground area of a pixel in the middle of the map; None without a CRS."""
        return _pixel_m2(self.facts)

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the first row and the class numbers of every strip."""
        height, width = self.facts.height, self.facts.width
        with gdal_env(), open_raster(self.path) as ds:
            for row in range(0, height, self.rows):
                window = Window(0, row, width, min(self.rows, height - row))
                yield row, _class_numbers(self.path, ds, window)


def _class_numbers(path: Path, ds: Any, window: Window) -> NDArray[np.uint8]:
    with read_failure(path, (1,), window):
        values = ds.read(1, window=window)
    whole = np.isfinite(values).all() and (values == np.floor(values)).all()
    if not whole or values.min() < 0 or values.max() > 255:
        raise RasterError(
            "the raster holds no class numbers",
            str(path),
            "give whole numbers from 0 to 255, for example change.tif of a run",
        )
    return np.asarray(values.astype(np.uint8))


def _pixel_m2(facts: RasterFacts) -> float | None:
    if facts.crs is None:
        return None
    x, y = facts.transform @ (facts.width / 2, facts.height / 2)
    mx, my = metres_per_unit(facts.crs, x, y)
    return float(facts.pixel_area * mx * my)


def _require_same(facts: RasterFacts, like: ChangeMap) -> None:
    same = (facts.height, facts.width) == like.classes.shape
    if facts.georeferenced and like.facts.georeferenced:
        step = max(abs(like.transform.a), abs(like.transform.e)) / 1000
        same &= facts.transform.almost_equals(like.transform, step) and facts.crs == like.facts.crs
    if not same:
        raise RasterError(
            f"the truth lies on other pixels than {like.path.name}",
            str(facts.path),
            "warp it to the grid of the map (nearest neighbour), or give polygons",
        )


def burn_truth(shapes: NDArray[np.object_], like: ChangeMap) -> NDArray[np.uint8]:
    """Return 1 where a pixel's centre lies in a polygon, else 0.

    Parameters
    ----------
    shapes : ndarray of object, shape (n,)
        Polygons in the CRS of the map.
    like : ChangeMap
    """
    pairs = [(shape, 1) for shape in shapes if shape is not None and not shape.is_empty]
    if not pairs:
        return np.zeros(like.classes.shape, np.uint8)
    burnt = rasterize(pairs, like.classes.shape, transform=like.transform, dtype="uint8")
    return np.asarray(burnt, np.uint8)


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an image (y, x, 3) as PNG."""
    import rasterio

    height, width, _ = image.shape
    with (
        gdal_env(),
        atomic_path(path) as part,
        rasterio.open(
            part, "w", driver="PNG", height=height, width=width, count=3, dtype="uint8"
        ) as ds,
    ):
        ds.write(np.moveaxis(image, 2, 0))
