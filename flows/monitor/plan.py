"""What a monitor is about to do: which scenes, on which grid, in tiles of which size."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely

from configs.errors import InputError, ResourceError
from configs.indices import spectral_index
from configs.monitoring import MonitorConfig
from detect.indices import index_bands, reflectance_unit
from detect.series import SeriesSettings
from flows.cluster import default_workers
from flows.monitor.job import MonitorPlan
from flows.plan import area_of_interest
from flows.preparing import BASE_BYTES
from flows.stages import RunOptions
from tiles.catalog import load_catalog, search_entries
from tiles.deliveries import group_files
from tiles.discovery import discover
from tiles.grid import Extent, sample_cells
from tiles.pairgrid import common_bands, default_grid, wavelengths
from tiles.stack import StackDate, StackReader, open_stack, stack_extent

__all__ = ["config_groups", "history_of", "make_monitor_plan", "open_dates", "sampled_unit"]

COPIES = 3
"""Arrays of a tile's whole series that exist at one time, at most: fitting EWMA, MOSUM and CCDC was
measured to need 1.3, 1.6 and 1.9; the rest is for reading and for what compiled code allocates."""

LEAST_TILE = 64

UNIT_DATES, UNIT_CELLS = 4, 4
"""Dates and cells that tell what reflectance one is."""


def config_groups(config: MonitorConfig) -> list[list[Path]]:
    """Return what each scene of a config is made of.

    Raises
    ------
    InputError
        If the folder or the catalogue holds no scene.
    """
    if config.scenes:
        return group_files(list(config.scenes), config.sensor)
    if config.folder is not None:
        if not config.folder.is_dir():
            raise InputError(
                "there is no such folder", str(config.folder), "mend folder: in the config"
            )
        deliveries = discover(config.folder, sensor=config.sensor)
        found = [list(d.paths) for d in deliveries if not d.problem]
        where = str(config.folder)
    else:
        query = config.catalog
        assert query is not None
        aoi = config.area.aoi
        entries = search_entries(
            load_catalog(query.source),
            area=None if aoi is None else area_of_interest(aoi, "EPSG:4326"),
            begin=query.begin,
            end=query.end,
            sensor=query.sensor,
            max_cloud=query.max_cloud,
            time_zone=config.area.time_zone,
        )
        found, where = [[e.path] for e in entries], str(query.source)
    if not found:
        raise InputError("no scene is found", where, "mend the folder, the area or the dates")
    return found


def open_dates(
    config: MonitorConfig, groups: Sequence[Sequence[Path]]
) -> tuple[tuple[StackDate, ...], list[str]]:
    """Open scenes as a config wants them; return their dates, and what is left out and why.

    Raises
    ------
    RasterError, InputError
        See `tiles.stack.open_stack`.
    """
    dates, aside = open_stack(groups, sensor=config.sensor, time_zone=config.area.time_zone)
    notes = [f"set aside: {a.scene}: {a.reason}" for a in aside]
    kept = tuple(_with_margin(d, config.cloud_margin_m) for d in dates if config.counts(d.day))
    if len(kept) < len(dates):
        notes.append(f"{len(dates) - len(kept)} dates lie outside months {config.months}")
    return kept, notes


def _with_margin(date: StackDate, margin_m: float | None) -> StackDate:
    if margin_m is None:
        return date
    scenes = [s.scene for s in date.scenes]
    masks = [None if s.mask is None else replace(s.mask, margin_m=margin_m) for s in scenes]
    return replace(
        date,
        scenes=tuple(
            replace(s, scene=replace(s.scene, mask=mask))
            for s, mask in zip(date.scenes, masks, strict=True)
        ),
    )


def history_of(config: MonitorConfig, dates: Sequence[StackDate]) -> list[StackDate]:
    """Return the dates that the model is fitted on.

    Raises
    ------
    InputError
        If they are too few for the model.
    """
    begin = config.history.begin or dt.date.min
    found = [d for d in dates if begin <= d.day <= config.history.end]
    least = 2 * (1 + 2 * config.history.harmonics + config.history.trend)
    if len(found) < least:
        raise InputError(
            f"{len(found)} dates lie in the history; {config.history.harmonics} waves per year "
            f"need at least {least}, better two years of them",
            "history in the config",
            "move history.end later, name more scenes, or ask for fewer harmonics",
        )
    return found


def make_monitor_plan(
    config: MonitorConfig, dates: Sequence[StackDate], options: RunOptions
) -> MonitorPlan:
    """Decide grid, extent, bands and tiles from the heads of the images of the history.

    Raises
    ------
    RasterError
        If the images have no common bands, or no CRS.
    InputError
        If a band of the index is missing, or the area of interest misses the images.
    ResourceError
        If a tile does not fit into the memory.
    """
    first = dates[0].epoch
    grid = default_grid(first, first, config.grid.crs, config.grid.resolution)
    if config.grid.origin is not None:
        grid = replace(grid, x_origin=config.grid.origin[0], y_origin=config.grid.origin[1])
    extent, aoi = stack_extent(dates, grid), None
    if config.area.aoi is not None:
        shape = area_of_interest(config.area.aoi, grid.crs)
        extent = extent.intersect(grid.extent_of(shape.bounds))
        if extent.is_empty:
            raise InputError(
                "the area of interest does not meet the images",
                str(config.area.aoi),
                "check its CRS, or name images that cover it",
            )
        aoi = shapely.to_wkb(shape)
    bands = _bands(config, dates)
    history = config.history
    return MonitorPlan(
        grid=grid,
        extent=extent,
        bands=bands,
        wavelengths=wavelengths(first, bands),
        index=None if config.index is None else spectral_index(config.index).name,
        unit=1.0,
        method=config.method,
        harmonics=history.harmonics,
        trend=history.trend,
        settings=SeriesSettings(**config.series.model_dump()),
        tile=_tile_side(options, len(dates), len(bands)),
        drawn=config.patches,
        aoi=aoi,
    )


def _bands(config: MonitorConfig, dates: Sequence[StackDate]) -> tuple[str, ...]:
    """Return the bands to read: those of the index, or those that are named."""
    first = dates[0].epoch
    if config.index is None:
        return config.bands
    common = set(common_bands(first, first)).intersection(*(d.epoch.bands for d in dates))
    there = tuple(b for b in common_bands(first, first) if b in common)
    places = index_bands(spectral_index(config.index), wavelengths(first, there), there)
    return tuple(b for k, b in enumerate(there) if k in places.values())


def _tile_side(options: RunOptions, dates: int, bands: int) -> int:
    """Return the side of a tile whose whole series fits into a worker's share of the memory."""
    import psutil

    memory = options.memory or int(0.5 * psutil.virtual_memory().available) + BASE_BYTES
    workers = options.workers or default_workers()
    base = BASE_BYTES if options.scheduler == "threads" else BASE_BYTES * workers
    share = (memory - base) / workers
    side = options.tile
    while (needed := COPIES * dates * side * side * (4 * bands + 1)) > share:
        if side <= LEAST_TILE:
            raise ResourceError(
                f"{memory / 1e6:.0f} MB are allowed; {workers} workers with {dates} dates need "
                f"{(base + needed * workers) / 1e6:.0f} MB",
                "--memory",
                "allow more, or use fewer --workers",
            )
        side = max(LEAST_TILE, side // 2)
    return side


def sampled_unit(job: tuple[StackReader, Extent]) -> float:
    """Return what reflectance one is, from a sample of the history.

    Parameters
    ----------
    job : tuple of (StackReader, Extent)
    """
    reader, extent = job
    chosen = np.unique(np.linspace(0, len(reader.epochs) - 1, UNIT_DATES).astype(int))
    samples = []
    for cell in sample_cells(extent, 0, share=0.0, minimum=UNIT_CELLS):
        for number in chosen.tolist():
            values, valid = reader.read(number, cell)
            samples.append(values[:, valid].ravel())
    return reflectance_unit(np.concatenate(samples))
