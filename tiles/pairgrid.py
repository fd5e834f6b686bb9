"""What two dates have in common: bands, grid, footprint."""

import math
from dataclasses import replace

import numpy as np
import pyproj
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from configs.bandroles import ROLES
from configs.errors import RasterError
from tiles.geodesy import metres_per_unit
from tiles.grid import SNAP, AnalysisGrid, Extent
from tiles.ortho import ground_bounds, ground_pixel, map_crs, orientation, require_terrain
from tiles.rasters import RasterFacts, crs_name, inspect_raster
from tiles.scene import BandSource, Epoch, Scene, Terrain
from tiles.warp import Layer, require_place, scene_layers

__all__ = [
    "common_bands",
    "default_grid",
    "overlap_percent",
    "pair_extent",
    "require_heights",
    "resolution_ratio",
    "scene_extent",
    "wavelengths",
]

ALIKE = 1.25
"""Dates whose pixel sides differ by less have one resolution, that of the earlier one: nothing is
lost by pixels a little too fine, and the grid of earlier periods stays."""


def common_bands(before: Epoch, after: Epoch) -> tuple[str, ...]:
    """Return the bands that both dates have: known roles from blue to swir2, then the others."""
    both = [b for b in before.bands if b in after.bands]
    return tuple([r for r in ROLES if r in both] + [b for b in both if b not in ROLES])


def wavelengths(epoch: Epoch, bands: tuple[str, ...]) -> tuple[float | None, ...]:
    """Return the band centres in micrometres, None where nothing tells them."""
    scene = epoch.scenes[0]
    return tuple(scene.bands[b].wavelength_um for b in bands)


def default_grid(
    before: Epoch,
    after: Epoch,
    crs: str | None = None,
    resolution: float | None = None,
) -> AnalysisGrid:
    """Return the grid of the finest common band of the coarser date, of before if they are alike.

    So the finer date is averaged and no detail is invented. A panchromatic image counts as a
    band. A projected grid has its origin at multiples of the resolution where the image lies so,
    else at the image's own phase; a grid in degrees keeps the image's corner. A rotated image
    gives a north-up grid of the same pixel size. A raw image takes the projected CRS of the other
    date, or the zone it lies in.

    Parameters
    ----------
    before, after : Epoch
    crs : str or None
        Another CRS. Images without a CRS are taken to be in this one.
    resolution : float or None
        Another pixel size, in CRS units.

    Raises
    ------
    RasterError
        If the dates have no common band, or the image has no CRS and none is given.
    """
    for epoch in (before, after):
        named: dict[str, str] = {}
        for path in sorted({b.path for scene in epoch.scenes for b in _files(scene)}):
            facts = inspect_raster(path)
            _require_crs(facts, crs)
            if facts.crs:
                named.setdefault(facts.crs, path.name)
        if crs is None and len(named) > 1:
            raise RasterError(
                f"the images of one date are in {len(named)} reference systems: "
                + ", ".join(f"{c[:40]} ({n})" for c, n in sorted(named.items())),
                " and ".join(sorted(s.scene_id for s in epoch.scenes)),
                "name the one of the analysis with --crs EPSG:… (grid.crs in the config)",
            )
    first, second = (
        _finest(e, common_bands(before, after) or e.bands, crs) for e in (before, after)
    )
    _, facts, terrain = second if second[0] > ALIKE * first[0] else first
    target = _normal_crs(crs) if crs else facts.crs
    if target is None:
        maps = [f.crs for _, f, _ in (first, second) if f.crs and _is_projected(f.crs)]
        look = orientation(facts, terrain)
        target = maps[0] if maps else map_crs(look, facts.height, facts.width)
    own = facts.crs or crs
    if not facts.is_raw and target == own and facts.is_north_up and _keeps(facts, resolution):
        return _own_grid(target, facts)
    if resolution is None:
        resolution = _resolution_in(target, own, facts, terrain)
    return AnalysisGrid(target, resolution, resolution)


def _files(scene: Scene) -> list[BandSource]:
    return [*scene.bands.values(), *([scene.pan] if scene.pan else [])]


def _finest(
    epoch: Epoch, bands: tuple[str, ...], crs: str | None
) -> tuple[float, RasterFacts, Terrain]:
    """Return the pixel side in metres of the finest of some bands, and its file's header."""
    scene = epoch.scenes[0]
    sources = [scene.bands[b] for b in bands if b in scene.bands]
    sources += [scene.pan] if scene.pan else []
    sizes = []
    for number, facts in enumerate(inspect_raster(s.path) for s in sources):
        if facts.is_raw:
            look = orientation(facts, scene.terrain)
            size = (facts.height, facts.width)
            metres = ground_pixel(look, *size, map_crs(look, *size))
        else:
            own = facts.crs or crs
            assert own is not None
            x, y = facts.transform @ (facts.width / 2, facts.height / 2)
            mx, my = metres_per_unit(own, x, y)
            metres = math.sqrt(facts.pixel_area * mx * my)
        sizes.append((metres, number, facts))
    metres, _, facts = min(sizes, key=lambda s: s[:2])
    return metres, facts, scene.terrain


def _is_projected(crs: str) -> bool:
    return bool(pyproj.CRS(crs).is_projected)


def pair_extent(before: Epoch, after: Epoch, grid: AnalysisGrid) -> Extent:
    """Return the pixels covered by the bounding boxes of both dates.

    Raises
    ------
    RasterError
        If the dates do not meet.
    """
    extents = _epoch_extent(before, grid), _epoch_extent(after, grid)
    common = extents[0].intersect(extents[1])
    if common.is_empty:
        boxes = [
            f"{epoch.scenes[0].scene_id} x {west:.9g} to {east:.9g}, y {south:.9g} to {north:.9g}"
            for epoch, extent in zip((before, after), extents, strict=True)
            for west, south, east, north in [grid.bounds(extent)]
        ]
        raise RasterError(
            "the two dates do not overlap",
            f"{'; '.join(boxes)} ({grid.crs[:40]})",
            "give two images of the same place; check the CRS of both",
        )
    return common


def overlap_percent(before: Epoch, after: Epoch, grid: AnalysisGrid) -> float:
    """Return the common part of the two bounding boxes, in percent of the smaller one."""
    first, second = (_epoch_extent(e, grid) for e in (before, after))
    common = first.intersect(second)
    if common.is_empty:
        return 0.0
    smaller = min(first.height * first.width, second.height * second.width)
    return 100.0 * common.height * common.width / smaller


def resolution_ratio(before: Epoch, after: Epoch, grid: AnalysisGrid) -> float:
    """Return the pixel side of the coarser date's finest common band over that of the grid."""
    bands = common_bands(before, after)
    finest = [
        min(1 / layer.ratio for layer in _all_layers(scene, bands, grid))
        for epoch in (before, after)
        for scene in epoch.scenes
    ]
    return max(finest)


def _all_layers(scene: Scene, bands: tuple[str, ...], grid: AnalysisGrid) -> tuple[Layer, ...]:
    layers = scene_layers(scene, bands, grid)
    if scene.pan is None:
        return layers
    return layers + scene_layers(replace(scene, bands={"pan": scene.pan}), ("pan",), grid)


def _require_crs(facts: RasterFacts, crs: str | None) -> None:
    require_place(facts)
    if facts.crs is None and crs is None and not facts.is_raw:
        raise RasterError(
            "the raster has no coordinate reference system",
            str(facts.path),
            "name it with --crs EPSG:… (grid.crs in the config)",
        )


def _normal_crs(crs: str) -> str:
    try:
        found = pyproj.CRS(crs)
    except pyproj.exceptions.CRSError as error:
        raise RasterError(
            f"{crs!r} is no coordinate reference system", "grid.crs", "write EPSG: and a number"
        ) from error
    return crs_name(CRS.from_wkt(found.to_wkt()))


def _keeps(facts: RasterFacts, resolution: float | None) -> bool:
    if resolution is None:
        return True
    sizes = (facts.transform.a, -facts.transform.e)
    return all(math.isclose(size, resolution, rel_tol=1e-9) for size in sizes)


def _own_grid(crs: str, facts: RasterFacts) -> AnalysisGrid:
    t = facts.transform
    if pyproj.CRS(crs).is_geographic:
        return AnalysisGrid(crs, t.a, -t.e, t.c, t.f)
    x_phase, y_phase = _phase(t.c, t.a), _phase(t.f, -t.e)
    return AnalysisGrid(crs, t.a, -t.e, x_phase, y_phase)


def _phase(corner: float, size: float) -> float:
    """Return the distance of a corner from the multiple of the pixel size below it."""
    phase = math.fmod(corner, size)
    phase += size if phase < 0 else 0.0
    return 0.0 if min(phase, size - phase) < SNAP * size else phase


def _resolution_in(target: str, own: str | None, facts: RasterFacts, terrain: Terrain) -> float:
    """Return the image's pixel size in units of another CRS, to three significant digits.

    Of a raw image to two: its pixels grow with the angle of view.
    """
    if facts.is_raw:
        look = orientation(facts, terrain)
        return float(f"{ground_pixel(look, facts.height, facts.width, target):.2g}")
    assert own is not None
    t = facts.transform
    if target == own:
        return _rounded(math.sqrt(facts.pixel_area))
    x, y = t @ (facts.width / 2, facts.height / 2)
    mx, my = metres_per_unit(own, x, y)
    metres = math.sqrt(facts.pixel_area * mx * my)
    west, south, east, north = transform_bounds(own, target, x, y, x, y)
    tx, ty = metres_per_unit(target, (west + east) / 2, (south + north) / 2)
    return _rounded(metres / math.sqrt(tx * ty))


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def scene_extent(scene: Scene, grid: AnalysisGrid) -> Extent:
    """Return the pixels covered by the bounding box of a scene."""
    return grid.extent_of(_scene_bounds(scene, grid.crs))


def require_heights(scene: Scene, grid: AnalysisGrid, extent: Extent) -> None:
    """Refuse an elevation raster that does not cover the part of a raw scene that is analysed.

    Raises
    ------
    RasterError
    """
    for path in sorted({b.path for b in _files(scene)}):
        facts = inspect_raster(path)
        if facts.is_raw:
            look = orientation(facts, scene.terrain)
            box = ground_bounds(look, facts.height, facts.width, grid.crs)
            part = grid.extent_of(box).intersect(extent)
            if not part.is_empty:
                require_terrain(look, grid.bounds(part), grid.crs, scene.scene_id)


def _epoch_extent(epoch: Epoch, grid: AnalysisGrid) -> Extent:
    boxes = np.array([_scene_bounds(scene, grid.crs) for scene in epoch.scenes])
    west, south = boxes[:, :2].min(axis=0)
    east, north = boxes[:, 2:].max(axis=0)
    return grid.extent_of((float(west), float(south), float(east), float(north)))


def _scene_bounds(scene: Scene, crs: str) -> tuple[float, float, float, float]:
    boxes = []
    for path in sorted({b.path for b in scene.bands.values()}):
        facts = inspect_raster(path)
        if facts.is_raw:
            look = orientation(facts, scene.terrain)
            boxes.append(ground_bounds(look, facts.height, facts.width, crs))
            continue
        corners = [facts.transform @ (c, r) for c in (0, facts.width) for r in (0, facts.height)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        box = (min(xs), min(ys), max(xs), max(ys))
        if facts.crs and facts.crs != crs:
            box = transform_bounds(facts.crs, crs, *box, densify_pts=21)
        boxes.append(box)
    west, south, east, north = np.array(boxes).T
    return float(west.max()), float(south.max()), float(east.min()), float(north.min())
