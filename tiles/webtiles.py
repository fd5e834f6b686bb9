"""Map tiles of the desk: 256 × 256 pixels of a display image, cut where people may look."""

import io
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.errors import InputError, RasterError
from tiles.rasters import gdal_env, open_raster

if TYPE_CHECKING:
    from rio_tiler.models import ImageData

__all__ = [
    "FORMATS",
    "MOST_ZOOM",
    "SIDE",
    "TileAddress",
    "cut_tile",
    "native_zoom",
    "to_mercator",
    "warm",
]

SIDE = 256
"""Pixels along a tile."""

MOST_ZOOM = 22
"""Deepest zoom that is answered: 4 cm a pixel at the equator."""

FORMATS = {"png": ("PNG", "image/png"), "webp": ("WEBP", "image/webp")}
"""Name for the encoder and media type, by suffix."""

WEBP_QUALITY = 85
RADIUS = 6378137.0
HALF_WORLD = math.pi * RADIUS
MOST_LATITUDE = 85.051128779806604
SNAP = 0.05
"""Part of a zoom by which the pixels of a tile may be coarser than those of the image."""


@dataclass(frozen=True)
class TileAddress:
    """Zoom, column and row of a tile in web Mercator, as maps number them.

    Raises
    ------
    InputError
        If there is no such tile.
    """

    z: int
    x: int
    y: int

    def __post_init__(self) -> None:
        if not (
            0 <= self.z <= MOST_ZOOM and 0 <= self.x < 1 << self.z and 0 <= self.y < 1 << self.z
        ):
            raise InputError(
                f"there is no map tile {self.z}/{self.x}/{self.y}",
                "the address of the tile",
                f"zoom from 0 to {MOST_ZOOM}, column and row below 2 to the power of zoom",
            )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in web Mercator metres."""
        side = 2 * HALF_WORLD / (1 << self.z)
        west, north = -HALF_WORLD + self.x * side, HALF_WORLD - self.y * side
        return west, north - side, west + side, north


def to_mercator(shape: Any) -> Any:
    """Return a shape in longitude and latitude in web Mercator metres."""

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        lat = np.radians(np.clip(points[:, 1], -MOST_LATITUDE, MOST_LATITUDE))
        x = RADIUS * np.radians(points[:, 0])
        return np.stack([x, RADIUS * np.log(np.tan(math.pi / 4 + lat / 2))], axis=1)

    return shapely.transform(shape, moved)


def cut_tile(path: Path, address: TileAddress, suffix: str, within: Any = None) -> bytes | None:
    """Return an encoded tile of a display image, transparent where there is none.

    Parameters
    ----------
    path : Path
        As `tiles.deskimages` wrote it; never a name that a client gave.
    address : TileAddress
    suffix : {"png", "webp"}
    within : geometry, optional
        In web Mercator metres; what lies outside is transparent too.

    Returns
    -------
    bytes or None
        None where nothing would be seen.

    Raises
    ------
    RasterError
        If the image cannot be read.
    """
    from rasterio.errors import RasterioError
    from rio_tiler.errors import TileOutsideBounds

    with gdal_env(), open_raster(path) as dataset:
        try:
            image = _read(dataset, address)
        except TileOutsideBounds:
            return None
        except RasterioError as error:
            raise RasterError(
                f"a part of the image cannot be read ({error})",
                str(path),
                "bring the run into the desk again with `tuban desk add`",
            ) from error
    seen = np.asarray(image.mask) > 0
    if within is not None:
        seen &= _inside(address, within)
    if not seen.any():
        return None
    return _encoded(np.asarray(image.data, np.uint8), seen, suffix)


def warm() -> None:
    """Load what cuts tiles, so that the first one is not slow."""
    import rio_tiler.io  # noqa: F401 - loaded, not used

    _mercator()


def _read(dataset: Any, address: TileAddress) -> "ImageData":
    from rio_tiler.io import Reader

    reader = Reader(None, dataset=dataset, tms=_mercator())
    finer = address.z > _native_zoom(dataset)
    method = "nearest" if finer else "bilinear"
    return reader.tile(
        address.x,
        address.y,
        address.z,
        tilesize=SIDE,
        indexes=(1, 2, 3),
        resampling_method=method,
        reproject_method=method,
    )


def native_zoom(path: Path) -> int:
    """Return the zoom at which the pixels of a display image are shown as they are.

    Raises
    ------
    RasterError
        If it cannot be read.
    """
    with gdal_env(), open_raster(path) as dataset:
        return _native_zoom(dataset)


def _native_zoom(dataset: Any) -> int:
    """Return the first zoom whose pixels are no coarser than those of an image."""
    from rasterio.warp import transform_bounds

    west, south, east, north = transform_bounds(dataset.crs, "EPSG:3857", *dataset.bounds)
    side = min((east - west) / dataset.width, (north - south) / dataset.height)
    zoom = math.log2(2 * HALF_WORLD / SIDE / side)
    return min(max(math.ceil(zoom - SNAP), 0), MOST_ZOOM)


@lru_cache(maxsize=1)
def _mercator() -> Any:
    import morecantile

    return morecantile.tms.get("WebMercatorQuad")


def _inside(address: TileAddress, within: Any) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies in a shape."""
    from affine import Affine
    from rasterio.features import geometry_mask

    west, south, east, north = address.bounds
    if within.contains(shapely.box(west, south, east, north)):
        return np.ones((SIDE, SIDE), np.bool_)
    if not within.intersects(shapely.box(west, south, east, north)):
        return np.zeros((SIDE, SIDE), np.bool_)
    side = (east - west) / SIDE
    place = Affine(side, 0, west, 0, -side, north)
    return np.asarray(geometry_mask([within], (SIDE, SIDE), place, invert=True), np.bool_)


def _encoded(colours: NDArray[np.uint8], seen: NDArray[np.bool_], suffix: str) -> bytes:
    from PIL import Image

    alpha = np.where(seen, np.uint8(255), np.uint8(0))
    pixels = np.where(seen, colours, np.uint8(0))
    picture = Image.fromarray(np.ascontiguousarray(np.stack([*pixels, alpha], axis=-1)), "RGBA")
    target = io.BytesIO()
    if suffix == "webp":
        picture.save(target, FORMATS[suffix][0], quality=WEBP_QUALITY, method=2)
    else:
        picture.save(target, FORMATS[suffix][0], compress_level=4)
    return target.getvalue()
