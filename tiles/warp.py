"""How a source is laid onto the grid: grouping by pixel grid, windows, resampling, support."""

import math
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject, transform_bounds

from configs.errors import RasterError
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import RasterFacts, inspect_raster
from tiles.scene import BandSource, Scene

__all__ = [
    "Layer",
    "cell_transform",
    "mask_layer",
    "scene_layers",
    "source_window",
    "support",
    "warp",
]

ON_GRID = 1e-3
"""Largest distance, in pixels, at which a source's pixel edges count as those of the grid."""

AVERAGE_FROM = 1.5
"""A source finer than the grid by this factor is averaged, else interpolated (cubic, 4 × 4)."""

TOLERANCE_PX = 0.01
"""Largest error of the approximated coordinate transformation, source pixels."""


@dataclass(frozen=True)
class Layer:
    """Bands of one scene that share size, transform and CRS, and so one resampling.

    Attributes
    ----------
    bands : tuple of BandSource
    positions : tuple of int
        Places of the bands in the array that is handed on.
    transform : Affine
        Registration shift included, where the CRS is that of the grid.
    shift : tuple of float
        Registration shift (dy, dx) still to be applied, grid pixels.
    ratio : float
        Source pixels per grid pixel along a side, at the middle of the source.
    offset : tuple of int or None
        Grid row and column of the source's first pixel where it lies on the grid.
    """

    bands: tuple[BandSource, ...]
    positions: tuple[int, ...]
    height: int
    width: int
    crs: str
    transform: Affine
    shift: tuple[float, float]
    ratio: float = 1.0
    offset: tuple[int, int] | None = None

    @property
    def is_averaged(self) -> bool:
        """Whether source pixels are averaged rather than interpolated."""
        return self.ratio >= AVERAGE_FROM


def scene_layers(
    scene: Scene, bands: tuple[str, ...], grid: AnalysisGrid, shift: tuple[float, float]
) -> tuple[Layer, ...]:
    """Return the bands of a scene grouped by pixel grid, finest first.

    A source without CRS is taken to be in the CRS of the grid.

    Raises
    ------
    RasterError
        If the scene lacks a band, or a file has no georeferencing.
    """
    groups: dict[tuple[object, ...], list[tuple[int, BandSource, RasterFacts]]] = {}
    for position, name in enumerate(bands):
        if name not in scene.bands:
            raise RasterError(
                f"the scene has no band {name!r}; it has {', '.join(scene.bands)}",
                scene.scene_id,
                "name bands that both dates have",
            )
        band = scene.bands[name]
        facts = inspect_raster(band.path)
        if not facts.georeferenced:
            raise RasterError(
                "the raster has no georeferencing (no geotransform)",
                str(band.path),
                "georeference it, for example gdal_translate -a_srs EPSG:… -a_ullr W N E S",
            )
        if band.index > facts.count:
            raise RasterError(
                f"the file has {facts.count} bands, band {band.index} is asked for",
                str(band.path),
                "check the band order of the sensor",
            )
        key = (facts.height, facts.width, facts.crs, tuple(facts.transform))
        groups.setdefault(key, []).append((position, band, facts))
    layers = []
    for members in groups.values():
        facts = members[0][2]
        layer = Layer(
            bands=tuple(b for _, b, _ in members),
            positions=tuple(p for p, _, _ in members),
            height=facts.height,
            width=facts.width,
            crs=facts.crs or grid.crs,
            transform=facts.transform,
            shift=shift,
        )
        layers.append(_placed(layer, grid))
    return tuple(sorted(layers, key=lambda g: (g.offset is None, g.positions)))


def _placed(layer: Layer, grid: AnalysisGrid) -> Layer:
    """Put the shift into the transform and see whether the source then lies on the grid."""
    layer = replace(layer, ratio=_ratio(layer, grid))
    if layer.crs != grid.crs:
        return layer
    dy, dx = layer.shift
    move = Affine.translation(dx * grid.x_resolution, -dy * grid.y_resolution)
    t = move @ layer.transform
    col = (t.c - grid.x_origin) / grid.x_resolution
    row = (grid.y_origin - t.f) / grid.y_resolution
    far_x = (t.a / grid.x_resolution - 1) * layer.width + t.b / grid.x_resolution * layer.height
    far_y = (-t.e / grid.y_resolution - 1) * layer.height - t.d / grid.y_resolution * layer.width
    worst = max(abs(col - round(col)), abs(row - round(row)), abs(far_x), abs(far_y))
    offset = (round(row), round(col)) if worst < ON_GRID else None
    return replace(layer, transform=t, shift=(0.0, 0.0), offset=offset)


def mask_layer(scene: Scene, grid: AnalysisGrid, shift: tuple[float, float]) -> Layer | None:
    """Return the pixel grid of a scene's mask, or None where it has none.

    Raises
    ------
    RasterError
        If the mask has no georeferencing and another size than the image.
    """
    if scene.mask is None:
        return None
    facts = inspect_raster(scene.mask.path)
    crs, transform = facts.crs or grid.crs, facts.transform
    if not facts.georeferenced:
        first = inspect_raster(next(iter(scene.bands.values())).path)
        if (first.height, first.width) != (facts.height, facts.width):
            raise RasterError(
                f"the mask has no georeferencing and {facts.height} × {facts.width} pixels, "
                f"the image {first.height} × {first.width}",
                str(scene.mask.path),
                "georeference the mask, or make it of the same size as the image",
            )
        crs, transform = first.crs or grid.crs, first.transform
    layer = Layer((), (), facts.height, facts.width, crs, transform, shift)
    return replace(_placed(layer, grid), offset=None)


def cell_transform(grid: AnalysisGrid, cell: Extent, shift: tuple[float, float]) -> Affine:
    """Return the transform of a cell moved back by the shift, onto the source as it is."""
    dy, dx = shift
    return grid.transform(cell) @ Affine.translation(-dx, -dy)


def _ratio(layer: Layer, grid: AnalysisGrid) -> float:
    """Return the source pixels per grid pixel; one figure per source, so that all cells agree."""
    t = layer.transform
    area = abs(t.determinant)
    if layer.crs != grid.crs:
        col, row = layer.width / 2, layer.height / 2
        x0, y0 = t @ (col - 5, row - 5)
        x1, y1 = t @ (col + 5, row + 5)
        box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        west, south, east, north = transform_bounds(layer.crs, grid.crs, *box)
        area *= (east - west) * (north - south) / ((box[2] - box[0]) * (box[3] - box[1]))
    return round(math.sqrt(grid.x_resolution * grid.y_resolution / area), 3)


def source_window(
    layer: Layer, target: Affine, crs: str, cell: Extent
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the source rows and columns a cell needs, kernel included; may exceed the source."""
    west, north = target @ (0, 0)
    east, south = target @ (cell.width, cell.height)
    box = (west, south, east, north)
    if layer.crs != crs:
        box = transform_bounds(crs, layer.crs, *box, densify_pts=21)
    back = ~layer.transform
    corners = [back @ (x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    margin = math.ceil(max(1.0, layer.ratio)) + 3
    rows = (min(r for _, r in corners), max(r for _, r in corners))
    cols = (min(c for c, _ in corners), max(c for c, _ in corners))
    limit = 4 * margin
    return (
        (
            max(math.floor(rows[0]) - margin, -limit),
            min(math.ceil(rows[1]) + margin, layer.height + limit),
        ),
        (
            max(math.floor(cols[0]) - margin, -limit),
            min(math.ceil(cols[1]) + margin, layer.width + limit),
        ),
    )


def support(
    layer: Layer,
    valid: NDArray[np.bool_],
    origin: Affine,
    target: Affine,
    target_crs: str,
    shape: tuple[int, int],
) -> NDArray[np.bool_]:
    """Return the target pixels all of whose kernel lies on valid source pixels."""
    if valid.all():
        return np.ones(shape, np.bool_)
    if layer.is_averaged:
        share = np.zeros(shape, np.float32)
        usable = valid.astype(np.float32)
        warp(usable, share, origin, layer.crs, target, target_crs, Resampling.average)
        return np.asarray(share > 1 - 1e-5)
    # The cubic kernel of a centre u takes the pixels floor(u - ½) - 1 … floor(u - ½) + 2.
    p = np.pad(valid, ((1, 2), (1, 2)))
    rows = p[:-3] & p[1:-2] & p[2:-1] & p[3:]
    whole = rows[:, :-3] & rows[:, 1:-2] & rows[:, 2:-1] & rows[:, 3:]
    out = np.zeros(shape, np.uint8)
    half = origin @ Affine.translation(0.5, 0.5)
    warp(whole.astype(np.uint8), out, half, layer.crs, target, target_crs, Resampling.nearest)
    return out.astype(np.bool_)


def warp(
    source: NDArray[np.generic],
    destination: NDArray[np.generic],
    source_transform: Affine,
    source_crs: str,
    target: Affine,
    target_crs: str,
    method: Resampling,
) -> None:
    """Resample `source` into `destination` (both band, y, x or y, x)."""
    # GDAL would guess the width of the kernel from the sizes of the two windows.
    reproject(
        source,
        destination,
        src_transform=source_transform,
        src_crs=source_crs,
        dst_transform=target,
        dst_crs=target_crs,
        resampling=method,
        tolerance=TOLERANCE_PX,
        num_threads=1,
        XSCALE=1.0,
        YSCALE=1.0,
    )
