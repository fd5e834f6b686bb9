"""``tuban prepare``: the pair as it is compared, written as files that any program reads."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from configs.errors import ResourceError, RunError
from configs.run import RunConfig
from configs.sensors import sensor_file
from flows.aside import require_whole, without_damaged
from flows.cluster import default_workers
from flows.fitting import registration_of
from flows.keys import StageKey, stage_key
from flows.preparejob import DATES, PrepareJob, SceneTask, TileTask, join_scene, prepare_tile
from flows.progress import Progress
from flows.runner import open_run
from flows.stages import RunOptions, StageContext, run_stage
from flows.workers import map_tiles, require_all_worked
from tiles.files import atomic_path, require_free
from tiles.grid import CELL
from tiles.rasters import CACHE_MB

__all__ = ["PAIR", "Footing", "footing", "prepare_pair"]

FOLDER = "prepared"
PAIR = "pair.yaml"

BASE_BYTES = 330 << 20
"""Measured memory of the program with its libraries and a cluster of threads."""

COPIES = 7
"""Measured: arrays of a tile that exist at one time while it is read and written."""

CELL_CACHE_MB = 48.0
"""Memory for warped cells where memory is limited."""

DISK_COPIES = 3.0
"""Tiles, the uncompressed image and the image of a scene exist side by side for a moment."""


class Footing:
    """Workers, side of a tile and cache that keep within a memory limit.

    Attributes
    ----------
    workers : int or None
        None: as many as there are cores.
    tile : int
    cache_mb : float
    """

    def __init__(self, workers: int | None, tile: int, cache_mb: float) -> None:
        self.workers, self.tile, self.cache_mb = workers, tile, cache_mb


def footing(options: RunOptions, bands: int) -> Footing:
    """Choose workers, side of a tile and cache.

    Parameters
    ----------
    options : RunOptions
    bands : int
        Bands of a scene that are read together.

    Raises
    ------
    ResourceError
        If not even one worker with the smallest tile fits into the memory.
    """
    if options.memory is None:
        return Footing(options.workers, options.tile, 160.0)
    wanted = options.workers or default_workers()
    threads = options.scheduler == "threads"
    shared = (CACHE_MB + CELL_CACHE_MB) * 1e6
    for tile in (options.tile, 2 * CELL, CELL):
        side = min(tile, options.tile)
        each = COPIES * (bands + 1) * 4 * side * side
        fit = (
            (options.memory - BASE_BYTES - shared) // each
            if threads
            else (options.memory - BASE_BYTES) // (BASE_BYTES + shared + each)
        )
        if fit >= 1:
            return Footing(min(wanted, int(fit)), side, CELL_CACHE_MB)
    needed = BASE_BYTES + shared + each
    raise ResourceError(
        f"{options.memory / 1e6:.0f} MB are allowed, {needed / 1e6:.0f} MB are needed",
        "--memory",
        "allow more, or use --scheduler threads",
    )


def prepare_pair(
    config_path: Path, out: Path, options: RunOptions, *, fresh: bool = False
) -> dict[str, Any]:
    """Write every scene of a pair on the common grid, with an item that tells its lineage.

    The work goes on in the folder of the run, where the same command finds what is done.

    Parameters
    ----------
    config_path : Path
    out : Path
        Folder of all runs.
    options : RunOptions
    fresh : bool
        Reuse nothing.

    Returns
    -------
    dict
        ``folder``, ``config`` (to run on the prepared pair), ``scenes`` (each with ``name``,
        ``image``, ``item``, ``valid_percent`` and ``lineage``), ``tiles``, ``made``.

    Raises
    ------
    RunError
        If a tile cannot be worked.
    ResourceError
        If memory or disk do not suffice.
    """
    config = RunConfig.load(config_path)
    with open_run(config, out, options, fresh=fresh) as context:
        return without_damaged(context, partial(_stages, context))


def _stages(context: StageContext) -> dict[str, Any]:
    for stage in ("plan", "gate"):
        run_stage(stage, context)
    with Progress("prepare") as progress:
        values = _prepare(context)
    context.run.note("stage", stage="prepare", **progress.record())
    return values


def _prepare(context: StageContext) -> dict[str, Any]:
    from flows.cli.app import version

    plan, run = context.plan, context.run
    all_bands = max(len(s.bands) for e in (plan.before, plan.after) for s in e.scenes)
    how = footing(context.options, all_bands)
    job = PrepareJob(
        plan=plan,
        registration=registration_of(context),
        tiles=run.path("work", FOLDER),
        out=run.path(FOLDER),
        size=how.tile,
        cache_mb=how.cache_mb,
        zone=context.config.area.time_zone,
        version=version(),
    )
    job.require_dates()
    key = stage_key("prepare", rooms=["flows.preparejob"], inputs={"gate": context.gate_key})
    scenes = job.scenes()
    missing = [s for s in scenes if run.reuse("prepare", s.name, key) is None]
    pixels = sum(s.extent.height * s.extent.width for s in missing)
    require_free(run.folder, int(DISK_COPIES * 4 * len(plan.bands) * pixels))
    made = _tiles(context, job, key, missing, how.workers)
    _join(context, job, key, missing)
    config = run.path(FOLDER, PAIR)
    with atomic_path(config) as part:
        part.write_text(_pair_config(context.config, job, scenes), encoding="utf-8")
    products = {p.name: p.values for p in run.products("prepare")}
    return {
        "folder": str(job.out),
        "config": str(config),
        "scenes": [{"name": s.name} | products[s.name] for s in scenes],
        "tiles": sum(len(job.tile_tasks(s)) for s in scenes),
        "made": made,
    }


def _tiles(
    context: StageContext,
    job: PrepareJob,
    key: StageKey,
    scenes: list[SceneTask],
    workers: int | None,
) -> int:
    """Work every tile that the manifest does not hold already; return how many."""
    run, options = context.run, context.options
    tasks = [t for s in scenes for t in job.tile_tasks(s)]
    missing = [t for t in tasks if run.reuse("prepare-tiles", _tile_name(job, t), key) is None]
    failed: list[str] = []
    with Progress.current().counting(len(tasks), done=len(tasks) - len(missing)) as progress:
        progress.say(run.reuse_message("prepare-tiles"))
        for task, result in map_tiles(
            partial(prepare_tile, job),
            missing,
            scheduler=options.scheduler,
            workers=workers,
            memory=options.memory,
        ):
            if result.value is None:
                failed.append(task.name)
                require_whole(job.plan, result.where)
            else:
                run.put(
                    "prepare-tiles",
                    _tile_name(job, task),
                    key,
                    files=[job.tile_path(task)],
                    values={"valid": result.value},
                    seconds=result.seconds,
                )
            tile = task.tile.extent
            progress.step(
                pixels=tile.height * tile.width,
                retries=result.attempts - 1,
                failed=int(result.value is None),
            )
    require_all_worked(failed, len(tasks), run.folder)
    return len(missing)


def _join(context: StageContext, job: PrepareJob, key: StageKey, scenes: list[SceneTask]) -> None:
    """Join the tiles of each scene, and remove them once the scene is recorded."""
    run, options = context.run, context.options
    counted = {p.name: p.values["valid"] for p in run.products("prepare-tiles")}
    for scene, result in map_tiles(
        partial(join_scene, job),
        scenes,
        scheduler=options.scheduler,
        workers=1,
        memory=options.memory,
    ):
        if result.value is None:
            raise RunError(
                f"the scene cannot be written: {result.failure}",
                scene.name,
                "mend the cause and run the same command again: finished tiles are kept",
            )
        paths = job.scene_paths(scene)
        valid = sum(counted[_tile_name(job, t)] for t in job.tile_tasks(scene))
        share = 100 * valid / (scene.extent.height * scene.extent.width)
        image, item = (p.relative_to(run.folder).as_posix() for p in paths)
        values = {"image": image, "item": item, "valid_percent": round(share, 3)}
        run.put("prepare", scene.name, key, files=paths, values=values | result.value)
        shutil.rmtree(job.tile_path(job.tile_tasks(scene)[0]).parent, ignore_errors=True)


def _tile_name(job: PrepareJob, task: TileTask) -> str:
    return f"{job.size}/{task.name}"


def _pair_config(config: RunConfig, job: PrepareJob, scenes: list[SceneTask]) -> str:
    """Return a config that runs on the prepared pair and gives what the run itself gives."""
    grid = job.plan.grid
    values = config.model_dump(mode="json", exclude_defaults=True) | {"version": 1}
    values["gate"] = config.gate.model_dump(mode="json") | {"register_pair": False}
    values["grid"] = {"crs": grid.crs, "origin": [grid.x_origin, grid.y_origin]}
    values.pop("terrain", None)
    if sensor_file(config.sensor or ""):
        values.pop("sensor")  # its scales are in the prepared values
    if not any(job.plan.cloud_dates(config.clouds.search)):
        # What the quality rasters hide is no data now; nothing else was looked for.
        values["clouds"] = {"search": "never"}
    elif config.clouds.detector != "colours":
        values["clouds"] |= {"detector": "colours"}  # the model's bands were not prepared
    for date, name in enumerate(DATES):
        told = getattr(config, name).model_dump(mode="json", exclude_defaults=True)
        told.pop("mask", None)
        items = [str(Path(f"{s.name}.json")) for s in scenes if s.date == date]
        values[name] = told | {"scenes": items, "order": "given"}
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
