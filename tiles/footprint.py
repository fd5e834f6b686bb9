"""Where a scene lies and what of it can be used: outlines from headers, areas from few pixels."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from rasterio.transform import from_gcps
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window

from configs.errors import RasterError
from tiles.geodesy import transformer
from tiles.masks import is_unusable
from tiles.ortho import orientation, to_ground
from tiles.rasters import (
    RasterFacts,
    crs_name,
    gdal_env,
    inspect_raster,
    open_raster,
    read_failure,
)
from tiles.scene import BandSource, MaskSource, Scene, Terrain
from tiles.warp import require_place

__all__ = ["Seen", "outline", "seen"]

COARSE_PX = 256
"""Pixels along the longer side at which areas are looked at."""

LONLAT = "EPSG:4326"


@dataclass(frozen=True)
class Seen:
    """What a scene shows, in longitude and latitude.

    Attributes
    ----------
    valid, usable : shapely geometry
        Polygons with data; without cloud, shadow and whatever else the quality band excludes.
        Made from at most 256 × 256 pixels.
    usable_percent : float
        Of the valid area.
    """

    valid: Any
    usable: Any
    usable_percent: float


def outline(scene: Scene, crs: str) -> Any:
    """Return the polygon of a scene's raster in a CRS, from the header alone.

    Raises
    ------
    RasterError
        If the raster lies nowhere.
    """
    facts = inspect_raster(_finest(scene).path)
    return _placed(shapely.box(0, 0, facts.width, facts.height), facts, scene, crs)


def seen(scene: Scene) -> Seen:
    """Return what a scene shows, from a few of its pixels.

    Raises
    ------
    RasterError
        If the raster lies nowhere or cannot be read.
    """
    band = _finest(scene)
    facts = inspect_raster(band.path)
    valid = _valid(band, facts)
    usable = valid & _unmasked(scene.mask, facts, valid.shape)
    counts = (int(usable.sum()), int(valid.sum()))
    areas = [_area(part, facts, scene) for part in (valid, usable)]
    share = 100.0 * counts[0] / counts[1] if counts[1] else 0.0
    return Seen(areas[0], areas[1], round(share, 2))


def _finest(scene: Scene) -> BandSource:
    bands = [(inspect_raster(b.path), b) for b in scene.bands.values()]
    return min(bands, key=lambda pair: -pair[0].width * pair[0].height)[1]


def _coarse_shape(facts: RasterFacts) -> tuple[int, int]:
    step = max(1.0, max(facts.height, facts.width) / COARSE_PX)
    return max(1, math.ceil(facts.height / step)), max(1, math.ceil(facts.width / step))


def _read(source: BandSource | MaskSource, facts: RasterFacts) -> NDArray[Any]:
    whole = Window(0, 0, facts.width, facts.height)
    with (
        gdal_env(),
        open_raster(source.path) as ds,
        read_failure(source.path, (source.index,), whole),
    ):
        return np.asarray(ds.read(source.index, out_shape=_coarse_shape(facts)))


def _valid(band: BandSource, facts: RasterFacts) -> NDArray[np.bool_]:
    values = _read(band, facts)
    valid = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, np.bool_)
    nodata = 0.0 if band.nodata is None or math.isnan(band.nodata) else band.nodata
    return np.asarray(valid & (values != nodata) & (values != 0), np.bool_)


def _unmasked(
    mask: MaskSource | None, image: RasterFacts, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(shape, np.bool_)
    facts = inspect_raster(mask.path)
    stored = _read(mask, facts)
    usable = (~is_unusable(stored, mask)).astype(np.uint8)
    if not facts.georeferenced or not image.georeferenced:
        rows = np.arange(shape[0]) * stored.shape[0] // shape[0]
        cols = np.arange(shape[1]) * stored.shape[1] // shape[1]
        return np.asarray(usable[np.ix_(rows, cols)] == 1)
    out = np.zeros(shape, np.uint8)
    reproject(
        usable,
        out,
        src_transform=_coarse(facts, stored.shape),
        src_crs=facts.crs or image.crs,
        dst_transform=_coarse(image, shape),
        dst_crs=image.crs or facts.crs,
        resampling=Resampling.nearest,
    )
    return np.asarray(out == 1, np.bool_)


def _coarse(facts: RasterFacts, shape: tuple[int, ...]) -> Affine:
    return facts.transform @ Affine.scale(facts.width / shape[1], facts.height / shape[0])


def _area(mask: NDArray[np.bool_], facts: RasterFacts, scene: Scene) -> Any:
    """Return the polygons of a coarse mask in longitude and latitude."""
    pixels = Affine.scale(facts.width / mask.shape[1], facts.height / mask.shape[0])
    found = shapes(mask.astype(np.uint8), mask=mask, connectivity=4, transform=pixels)
    union = shapely.union_all([shapely.from_geojson(json.dumps(shape)) for shape, _ in found])
    return _placed(union, facts, scene, LONLAT)


def _moved(t: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = points[:, 0], points[:, 1]
    return np.column_stack((t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f))


def _by_control_points(facts: RasterFacts) -> tuple[Affine, str]:
    """Return the mean transform of an image that is not geocoded: enough for an outline."""
    if not facts.control_points:
        require_place(facts)
    with open_raster(facts.path) as ds:
        points, crs = ds.gcps
    return from_gcps(points), crs_name(crs)


def _placed(shape: Any, facts: RasterFacts, scene: Scene, crs: str) -> Any:
    """Bring a shape from pixels (column, row) into a CRS."""
    step = max(facts.width, facts.height) / 8
    dense = shapely.segmentize(shape, step) if not shape.is_empty else shape
    if facts.is_raw:
        look = orientation(facts, Terrain(None, scene.terrain.height_m))
        placed = shapely.transform(
            dense, lambda p: np.column_stack(to_ground(look, p[:, 1].tolist(), p[:, 0].tolist()))
        )
        own = LONLAT
    elif facts.georeferenced:
        placed = shapely.transform(dense, lambda p: _moved(facts.transform, p))
        own = facts.crs or ""
    else:
        t, own = _by_control_points(facts)
        placed = shapely.transform(dense, lambda p: _moved(t, p))
    if not own:
        raise RasterError(
            "the raster has no coordinate reference system",
            str(facts.path),
            "write the CRS into the file, for example gdal_edit.py -a_srs EPSG:…",
        )
    if own == crs:
        return shapely.make_valid(placed)
    change = transformer(own, crs)
    moved = shapely.transform(placed, lambda p: np.column_stack(change.transform(p[:, 0], p[:, 1])))
    return shapely.make_valid(moved)
