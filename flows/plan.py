"""What a run is about to do: epochs, grid, bands, area and tiles, known before any computing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from configs.errors import InputError
from configs.run import RunConfig
from configs.runparts import EpochSettings
from flows.aside import require_cover, without
from flows.counties import Counties, counties_of
from tiles.grid import AnalysisGrid, Extent, Tile, plan_tiles
from tiles.mosaic import mosaicked
from tiles.pairgrid import (
    common_bands,
    default_grid,
    pair_extent,
    require_heights,
    wavelengths,
)
from tiles.rasters import inspect_raster
from tiles.scene import Epoch, Scene, SetAside, Terrain
from tiles.sensors import open_epoch

if TYPE_CHECKING:
    from tiles.cloudmap import CloudMap
    from tiles.reader import PairReader
    from tiles.registration import Registration

__all__ = ["RunPlan", "area_of_interest", "make_plan", "outline_of", "with_settings"]

SCORE_BYTES_PER_PIXEL = 0.35
"""Measured size of a run folder per pixel: tile products, change.tif, tables."""

BASE_BYTES = 30_000_000
"""Free space asked for whatever the size: store, ledger, evidence, report."""


@dataclass(frozen=True)
class RunPlan:
    """Everything knowable about a run from its config and the heads of its images.

    Attributes
    ----------
    before, after : Epoch
    grid : AnalysisGrid
    bands : tuple of str
        Common bands, in the order of the blocks.
    wavelengths : tuple of float or None
        Micrometres.
    extent : Extent
        Pixels of the analysis.
    aoi : bytes or None
        WKB of the area of interest in the grid's CRS.
    counties : Counties or None
        Of a run that keeps to county borders; they then limit the area of interest.
    """

    before: Epoch
    after: Epoch
    grid: AnalysisGrid
    bands: tuple[str, ...]
    wavelengths: tuple[float | None, ...]
    extent: Extent
    aoi: bytes | None = None
    counties: Counties | None = None

    @property
    def pixels(self) -> int:
        """Pixels of the extent."""
        return self.extent.height * self.extent.width

    @property
    def bytes_needed(self) -> int:
        """Bytes the run folder will take, generously."""
        return int(BASE_BYTES + SCORE_BYTES_PER_PIXEL * self.pixels)

    @property
    def pixel_m(self) -> float:
        """Ground size of a pixel in metres: the root of its area."""
        mx, my = self.grid.pixel_metres(self.extent)
        return float(np.sqrt(mx * my))

    @property
    def attribution(self) -> list[str]:
        """Credit lines of all scenes."""
        scenes = (*self.before.scenes, *self.after.scenes)
        return sorted({s.attribution for s in scenes if s.attribution})

    def reader(
        self,
        registration: "Registration | None" = None,
        clouds: "CloudMap | None" = None,
        cache_mb: float = 192.0,
    ) -> "PairReader":
        """Return a reader of the pair, which keeps so much of what it decoded."""
        from tiles.reader import PairReader

        return PairReader(
            self.before,
            self.after,
            self.grid,
            bands=self.bands,
            registration=registration,
            clouds=clouds,
            cache_mb=cache_mb,
        )

    def cloud_dates(self, search: str) -> tuple[bool, bool]:
        """Return at which dates clouds are searched; auto: where a scene has no quality raster."""
        before, after = (
            search == "always" or (search == "auto" and any(s.mask is None for s in epoch.scenes))
            for epoch in (self.before, self.after)
        )
        return before, after

    def tiles(self, size: int) -> list[Tile]:
        """Return the tiles of a size, row-major."""
        return plan_tiles(self.extent, size)

    def summary(self) -> dict[str, Any]:
        """Return the plan as plain values for the manifest, reports and `tuban check`."""
        west, south, east, north = self.grid.bounds(self.extent)
        return {
            "grid": self.grid.to_dict() | {"grid_id": self.grid.grid_id},
            "bounds": [west, south, east, north],
            "rows": self.extent.height,
            "columns": self.extent.width,
            "bands": list(self.bands),
            "pixel_m": round(self.pixel_m, 4),
            "before": _epoch_summary(self.before),
            "after": _epoch_summary(self.after),
            "bytes_needed": self.bytes_needed,
        } | self._county_names()

    def _county_names(self) -> dict[str, Any]:
        if self.counties is None:
            return {}
        return {"counties": {county.code: county.name for county in self.counties.own}}


def make_plan(config: RunConfig, damaged: Sequence[SetAside] = ()) -> RunPlan:
    """Open the heads of all images and decide grid, bands and extent.

    Parameters
    ----------
    config : RunConfig
    damaged : sequence of SetAside
        Images known to be damaged; their scenes take part in the choice of the grid, so that
        ids stay, and in nothing else.

    Raises
    ------
    RasterError
        If an image cannot be used or the dates do not meet.
    InputError
        If the area of interest is empty or misses the images.
    """
    if config.terrain.dem is not None:
        inspect_raster(config.terrain.dem)
    before, after = (_epoch(config, e) for e in (config.before, config.after))
    grid = default_grid(before, after, config.grid.crs, config.grid.resolution)
    if config.grid.origin is not None:
        grid = replace(grid, x_origin=config.grid.origin[0], y_origin=config.grid.origin[1])
    zone = config.area.time_zone
    before = without(before, damaged, zone, config.before.date)
    after = without(after, damaged, zone, config.after.date)
    bands = common_bands(before, after)
    extent = pair_extent(before, after, grid)
    counties = counties_of(config, grid.crs)
    shape = outline_of(config, grid.crs, counties)
    aoi = None
    if shape is not None:
        extent = extent.intersect(grid.extent_of(shape.bounds))
        if extent.is_empty:
            raise InputError(
                "the area of interest does not meet the images",
                str(config.area.aoi or config.layers),
                "check its CRS, or name images that cover it",
            )
        aoi = shapely.to_wkb(shape)
    require_cover(before, after, shapely.from_wkb(aoi) if aoi else None, grid.crs)
    for scene in (*before.scenes, *after.scenes):
        require_heights(scene, grid, extent)
    plan = RunPlan(before, after, grid, bands, wavelengths(before, bands), extent, aoi, counties)
    if not bands:
        plan.reader()  # refuses such a pair; a reader loads more than a plan needs
    if config.clouds.detector == "s2cloudless":
        from tiles.learnedclouds import require_detector

        searched = plan.cloud_dates(config.clouds.search)
        dates = zip((before, after), searched, strict=True)
        require_detector([s for epoch, wanted in dates if wanted for s in epoch.scenes])
    return plan


def outline_of(config: RunConfig, crs: str, counties: Counties | None) -> Any:
    """Return the outline that limits the analysis: area of interest, counties, both; or None."""
    shape = None if config.area.aoi is None else area_of_interest(config.area.aoi, crs)
    if counties is None:
        return shape
    return counties.area() if shape is None else shapely.intersection(shape, counties.area())


def _epoch(config: RunConfig, wanted: EpochSettings) -> Epoch:
    """Open one date; give its scenes what the config says about all of them."""
    epoch = open_epoch(
        wanted.scenes,
        sensor=config.sensor,
        date=wanted.date,
        mask=wanted.mask,
        time_zone=config.area.time_zone,
    )
    scenes = tuple(with_settings(s, config) for s in epoch.scenes)
    if wanted.attribution is not None:
        scenes = tuple(replace(s, attribution=wanted.attribution) for s in scenes)
    return mosaicked(replace(epoch, scenes=scenes), wanted.order)


def with_settings(scene: Scene, config: RunConfig) -> Scene:
    """Return an opened scene with what the config says about all scenes."""
    changes: dict[str, Any] = {"terrain": Terrain(**dict(config.terrain))}
    if not config.grid.pansharpen:
        changes["pan"] = None
    margin = config.clouds.mask_margin_m
    if scene.mask is not None and margin is not None:
        changes["mask"] = replace(scene.mask, margin_m=margin)
    return replace(scene, **changes)


def area_of_interest(path: Path, crs: str) -> Any:
    """Return the union of a layer's polygons in a CRS.

    Raises
    ------
    InputError
        If it holds none.
    """
    from clues.sources import open_source

    shapes = shapely.make_valid(open_source(path).to_crs(crs).geometry.to_numpy())
    union = shapely.union_all(shapes[shapely.get_dimensions(shapes) == 2])
    if union.is_empty:
        raise InputError(
            "the area of interest is empty", str(path), "give a layer with at least one polygon"
        )
    return union


def _epoch_summary(epoch: Epoch) -> dict[str, Any]:
    return {
        "scenes": [s.scene_id for s in epoch.scenes],
        "set_aside": [{"scene": s.scene, "reason": s.reason} for s in epoch.set_aside],
        "from": epoch.civil_from.isoformat() if epoch.civil_from else None,
        "to": epoch.civil_to.isoformat() if epoch.civil_to else None,
        "attribution": sorted({s.attribution for s in epoch.scenes if s.attribution}),
    }
