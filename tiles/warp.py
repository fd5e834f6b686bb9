"""How a source is laid onto the grid: grouping by pixel grid, windows, resampling, support."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.warp import Resampling, reproject, transform_bounds

from configs.errors import RasterError
from tiles.grid import AnalysisGrid, Extent
from tiles.ortho import GROUND_CRS, Orientation, ground_pixel, orientation, pixel_bounds
from tiles.rasters import RasterFacts, inspect_raster
from tiles.registration import Registration
from tiles.scene import BandSource, Scene, Terrain

__all__ = [
    "Layer",
    "Placement",
    "cell_transform",
    "mask_layer",
    "require_place",
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
class Placement:
    """Where an array of source pixels lies: by a transform, polynomials or control points.

    Attributes
    ----------
    crs : str
    transform : Affine
        Not used where there are polynomials or points.
    look : RPC, list of GroundControlPoint, or None
    options : dict
        GDAL's options of polynomials or points.
    """

    crs: str
    transform: Affine
    look: RPC | list[GroundControlPoint] | None
    options: dict[str, Any]


@dataclass(frozen=True)
class Layer:
    """Bands of one scene that share size, transform and CRS, and so one resampling.

    Attributes
    ----------
    bands : tuple of BandSource
    positions : tuple of int
        Places of the bands in the array that is handed on.
    transform : Affine
        Registration included, where it is a shift and the CRS is that of the grid.
    move : Registration or None
        Registration that is still to be applied.
    ratio : float
        Source pixels per grid pixel along a side, at the middle of the source.
    offset : tuple of int or None
        Grid row and column of the source's first pixel where it lies on the grid.
    look : Orientation or None
        How a raw image looks at the ground; it then has no transform.
    """

    bands: tuple[BandSource, ...]
    positions: tuple[int, ...]
    height: int
    width: int
    crs: str
    transform: Affine
    move: Registration | None
    ratio: float = 1.0
    offset: tuple[int, int] | None = None
    look: Orientation | None = None

    def placement(self, row: float, col: float) -> Placement:
        """Return where a window lies whose first pixel is (row, col)."""
        if self.look is not None:
            return Placement(
                self.crs, Affine.identity(), self.look.moved(row, col), self.look.options
            )
        return Placement(self.crs, self.transform @ Affine.translation(col, row), None, {})

    @property
    def is_averaged(self) -> bool:
        """Whether source pixels are averaged rather than interpolated."""
        return self.ratio >= AVERAGE_FROM


def scene_layers(
    scene: Scene, bands: tuple[str, ...], grid: AnalysisGrid, move: Registration | None = None
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
        require_place(facts)
        if band.index > facts.count:
            raise RasterError(
                f"the file has {facts.count} bands, band {band.index} is asked for",
                str(band.path),
                "check the band order of the sensor",
            )
        alone = band.path if facts.is_raw else None
        key = (facts.height, facts.width, facts.crs, tuple(facts.transform), alone)
        groups.setdefault(key, []).append((position, band, facts))
    layers = []
    for members in groups.values():
        sources = tuple(b for _, b, _ in members)
        positions = tuple(p for p, _, _ in members)
        layers.append(_layer(members[0][2], scene.terrain, grid, move, sources, positions))
    return tuple(sorted(layers, key=lambda g: (g.offset is None, g.positions)))


def require_place(facts: RasterFacts) -> None:
    """Refuse a raster of which nothing tells where it lies.

    Raises
    ------
    RasterError
    """
    if facts.georeferenced or facts.is_raw:
        return
    if facts.control_points:
        raise RasterError(
            f"the image is not geocoded: it has {facts.control_points} control points only",
            str(facts.path),
            "give it with all its control points (10 or more, in longitude and latitude), or an "
            "image that is corrected for terrain (for radar: range-Doppler with a DEM)",
        )
    raise RasterError(
        "the raster has no georeferencing (no geotransform, no rational polynomials)",
        str(facts.path),
        "put the .rpb or _RPC.TXT file of the delivery beside it, or georeference it, "
        "for example gdal_translate -a_srs EPSG:… -a_ullr W N E S",
    )


def _layer(
    facts: RasterFacts,
    terrain: Terrain,
    grid: AnalysisGrid,
    move: Registration | None,
    bands: tuple[BandSource, ...] = (),
    positions: tuple[int, ...] = (),
) -> Layer:
    look = orientation(facts, terrain) if facts.is_raw else None
    crs = GROUND_CRS if look else facts.crs or grid.crs
    size = (facts.height, facts.width)
    layer = Layer(bands, positions, *size, crs, facts.transform, move, look=look)
    return _placed(layer, grid)


def _placed(layer: Layer, grid: AnalysisGrid) -> Layer:
    """Put a shift into the transform and see whether the source then lies on the grid."""
    layer = replace(layer, ratio=_ratio(layer, grid))
    move = layer.move
    if layer.crs != grid.crs or layer.look is not None or not (move is None or move.is_shift):
        return layer
    dy, dx = (move.dy, move.dx) if move is not None else (0.0, 0.0)
    t = Affine.translation(dx * grid.x_resolution, -dy * grid.y_resolution) @ layer.transform
    col = (t.c - grid.x_origin) / grid.x_resolution
    row = (grid.y_origin - t.f) / grid.y_resolution
    far_x = (t.a / grid.x_resolution - 1) * layer.width + t.b / grid.x_resolution * layer.height
    far_y = (-t.e / grid.y_resolution - 1) * layer.height - t.d / grid.y_resolution * layer.width
    worst = max(abs(col - round(col)), abs(row - round(row)), abs(far_x), abs(far_y))
    offset = (round(row), round(col)) if worst < ON_GRID else None
    return replace(layer, transform=t, move=None, offset=offset)


def mask_layer(scene: Scene, grid: AnalysisGrid, move: Registration | None = None) -> Layer | None:
    """Return the pixel grid of a scene's mask, or None where it has none.

    Raises
    ------
    RasterError
        If the mask has no georeferencing and another size than the image.
    """
    if scene.mask is None:
        return None
    facts = inspect_raster(scene.mask.path)
    if not facts.georeferenced:
        first = inspect_raster(next(iter(scene.bands.values())).path)
        if (first.height, first.width) != (facts.height, facts.width):
            raise RasterError(
                f"the mask has no georeferencing and {facts.height} × {facts.width} pixels, "
                f"the image {first.height} × {first.width}",
                str(scene.mask.path),
                "georeference the mask, or make it of the same size as the image",
            )
        facts = first
    return replace(_layer(facts, scene.terrain, grid, move), offset=None)


def cell_transform(grid: AnalysisGrid, cell: Extent, move: Registration | None) -> Affine:
    """Return the transform of a cell moved back by the registration, onto the source as it is."""
    place = grid.transform(cell)
    return place if move is None else place @ move.cell_affine(cell)


def _ratio(layer: Layer, grid: AnalysisGrid) -> float:
    """Return the source pixels per grid pixel; one figure per source, so that all cells agree."""
    if layer.look is not None:
        side = ground_pixel(layer.look, layer.height, layer.width, grid.crs)
        return round(math.sqrt(grid.x_resolution * grid.y_resolution) / side, 3)
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
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the source rows and columns a cell needs, kernel included; may exceed the source.

    None where the cell lies beyond the source, or where nobody knows the height of the ground.
    """
    margin = math.ceil(max(1.0, layer.ratio)) + 3
    limit = 4 * margin
    box = _source_box(layer, target, crs, cell)
    if box is None:
        return None
    rows = (
        max(math.floor(box[0]) - margin, -limit),
        min(math.ceil(box[1]) + margin, layer.height + limit),
    )
    cols = (
        max(math.floor(box[2]) - margin, -limit),
        min(math.ceil(box[3]) + margin, layer.width + limit),
    )
    if rows[1] <= 0 or cols[1] <= 0 or rows[0] >= layer.height or cols[0] >= layer.width:
        return None
    return rows, cols


def _source_box(
    layer: Layer, target: Affine, crs: str, cell: Extent
) -> tuple[float, float, float, float] | None:
    """Return first and last row, first and last column of the source below a cell."""
    if layer.look is not None:
        return pixel_bounds(layer.look, target, crs, cell.shape)
    corners = [target @ (c, r) for c in (0, cell.width) for r in (0, cell.height)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    box = (min(xs), min(ys), max(xs), max(ys))
    if layer.crs != crs:
        box = transform_bounds(crs, layer.crs, *box, densify_pts=21)
    back = ~layer.transform
    pixels = [back @ (x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    cols, rows = [c for c, _ in pixels], [r for _, r in pixels]
    return min(rows), max(rows), min(cols), max(cols)


def support(
    layer: Layer,
    valid: NDArray[np.bool_],
    first: tuple[int, int],
    target: Affine,
    target_crs: str,
    shape: tuple[int, int],
) -> NDArray[np.bool_]:
    """Return the target pixels all of whose kernel lies on valid source pixels.

    Parameters
    ----------
    layer : Layer
    valid : ndarray of bool
        Usable pixels of the source window.
    first : tuple of int
        Source row and column of the window's first pixel.
    target : Affine
        Pixels of the target to CRS coordinates.
    target_crs : str
    shape : tuple of int
        Of the target.
    """
    if valid.all() and layer.look is None:
        return np.ones(shape, np.bool_)
    if layer.is_averaged:
        share = np.zeros(shape, np.float32)
        usable = valid.astype(np.float32)
        warp(usable, share, layer.placement(*first), target, target_crs, Resampling.average)
        return np.asarray(share > 1 - 1e-5)
    # The cubic kernel of a centre u takes the pixels floor(u - ½) - 1 … floor(u - ½) + 2.
    p = np.pad(valid, ((1, 2), (1, 2)))
    rows = p[:-3] & p[1:-2] & p[2:-1] & p[3:]
    whole = rows[:, :-3] & rows[:, 1:-2] & rows[:, 2:-1] & rows[:, 3:]
    out = np.zeros(shape, np.uint8)
    half = layer.placement(first[0] + 0.5, first[1] + 0.5)
    warp(whole.astype(np.uint8), out, half, target, target_crs, Resampling.nearest)
    return out.astype(np.bool_)


def warp(
    source: NDArray[np.generic],
    destination: NDArray[np.generic],
    placement: Placement,
    target: Affine,
    target_crs: str,
    method: Resampling,
) -> None:
    """Resample `source` into `destination` (both band, y, x or y, x)."""
    look = placement.look
    by_points = isinstance(look, list)
    raw = look is not None and not by_points
    # GDAL would guess the width of the kernel from the sizes of the two windows. Over terrain
    # nothing between two points tells of the third: each point is projected by itself.
    reproject(
        source,
        destination,
        src_transform=None if look is not None else placement.transform,
        rpcs=look if raw else None,
        gcps=look if by_points else None,
        src_crs=placement.crs,
        dst_transform=target,
        dst_crs=target_crs,
        resampling=method,
        tolerance=0.0 if raw else TOLERANCE_PX,
        num_threads=1,
        XSCALE=1.0,
        YSCALE=1.0,
        **placement.options,
    )
