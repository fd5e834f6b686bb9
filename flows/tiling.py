"""The tiles stage: work what is missing on Dask, record each tile as it lands."""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from flows.aside import require_whole
from flows.fitting import STATE_FOLDER, clouds_of, registration_of
from flows.givenup import give_up, require_most
from flows.progress import Progress
from flows.tilejob import States, TileJob, TileSummary, close_jobs, run_tile
from flows.workers import TileResult, map_tiles

if TYPE_CHECKING:
    from flows.keys import StageKey
    from flows.stages import StageContext
    from tiles.grid import Tile

__all__ = ["TILE_FOLDER", "large_px", "tile_job", "wanted_tiles", "work_tiles", "worked_tiles"]

TILE_FOLDER = "work/tiles"
STRIP = 2
"""Tiles side by side that are worked before those below them: blocks of the images that a tile
shares with the next one below are then still at hand, at any width of the area."""


def large_px(context: "StageContext") -> int:
    """Return the pixels from which a component is classified in full."""
    area = context.config.landcover.split_above_m2
    pixel_m = States.load(context.run.path(STATE_FOLDER)).change.pixel_m
    return max(2, math.ceil(area / pixel_m**2))


def tile_job(context: "StageContext") -> TileJob:
    """Return what all tiles of the run share."""
    plan, detection = context.plan, context.config.detection
    states = context.run.path(STATE_FOLDER)
    counties = plan.counties and plan.counties.near(plan.grid.bounds(plan.extent))
    limited = plan.counties is None or context.config.area.aoi is not None
    return TileJob(
        reader=plan.reader(registration_of(context), clouds_of(context)),
        states=states,
        states_hash=States.load(states).hash,
        folder=context.run.path(TILE_FOLDER, str(context.options.tile)),
        area=plan.extent,
        connectivity=detection.connectivity,
        floor_px=detection.floor_px,
        aoi=plan.aoi if limited else None,
        counties=counties,
        large_px=large_px(context),
        exact=context.config.landcover.mode == "exact",
    )


def work_tiles(context: "StageContext") -> dict[str, Any]:
    """Work every tile that the manifest does not hold already.

    Returns
    -------
    dict
        ``tiles``, ``reused``, ``made``, ``retries``, ``given_up`` (names and reasons),
        ``valid_percent``, ``workers`` (distinct processes).
    """
    run, size, key = context.run, context.options.tile, context.tiles_key
    tiles = context.plan.tiles(size)
    joined = run.why_not("join", "patches", context.join_key) is None
    missing = [t for t in tiles if run.reuse("tiles", _name(size, t), key, pruned=joined) is None]
    missing.sort(key=lambda tile: (tile.col // STRIP, tile.row, tile.col))
    job = tile_job(context)
    pids: set[tuple[str, int]] = set()
    failed: list[str] = []
    with Progress.current().counting(len(tiles), done=len(tiles) - len(missing)) as progress:
        progress.say(run.reuse_message("tiles"))
        for tile, result in map_tiles(
            partial(run_tile, job),
            missing,
            scheduler=context.options.scheduler,
            workers=context.options.workers,
            memory=context.options.memory,
        ):
            if result.value is None:
                failed.append(tile.name)
                give_up(run, key, size, tile.name, result.failure)
                require_whole(context.plan, result.where)
            else:
                pids.add((result.host, result.pid))
                _record(context, job, tile, result)
            progress.step(
                pixels=tile.extent.height * tile.extent.width,
                retries=result.attempts - 1,
                failed=int(result.value is None),
            )
    close_jobs()
    context.forget_tiles()
    require_most(failed, len(tiles), run.folder)
    return _totals(context, tiles) | {
        "reused": len(tiles) - len(missing),
        "made": len(missing),
        "retries": progress.retries,
        "workers": len(pids),
        "given_up": context.given_up,
    }


def worked_tiles(context: "StageContext") -> "list[Tile]":
    """Return the tiles of the run whose product is there: all but those that were given up."""
    tiles = context.plan.tiles(context.options.tile)
    return [tile for tile in tiles if tile.name not in context.given_up]


def _record(
    context: "StageContext", job: TileJob, tile: "Tile", result: TileResult[TileSummary]
) -> None:
    summary = result.value
    if summary is None:
        return
    context.run.put(
        "tiles",
        _name(context.options.tile, tile),
        context.tiles_key,
        files=job.paths(tile),
        values={
            "pixels": summary.pixels,
            "valid_pixels": summary.valid_pixels,
            "components": summary.components,
            "noise_pixels": summary.noise_pixels,
            "pid": result.pid,
            "host": result.host,
        },
        seconds=result.seconds,
    )


def _totals(context: "StageContext", tiles: "list[Tile]") -> dict[str, Any]:
    wanted = {_name(context.options.tile, t) for t in worked_tiles(context)}
    values = [p.values for p in context.run.products("tiles") if p.name in wanted]
    pixels = sum(v["pixels"] for v in values)
    valid = sum(v["valid_pixels"] for v in values)
    return {
        "tiles": len(tiles),
        "pixels": pixels,
        "valid_percent": round(100 * valid / pixels, 3) if pixels else 0.0,
        "noise_pixels": sum(v["noise_pixels"] for v in values),
    }


def wanted_tiles(context: "StageContext") -> dict[str, "StageKey"]:
    """Return the products of all tiles of a run, and their key."""
    size = context.options.tile
    names = [_name(size, tile) for tile in context.plan.tiles(size)]
    return dict.fromkeys(names, context.tiles_key)


def _name(size: int, tile: "Tile") -> str:
    return f"{size}/{tile.name}"
