"""What a run is going to cost: tiles, bytes, time and memory for a number of workers."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from configs.run import RunConfig
from flows.layersathand import layers_at_hand
from flows.manifest import Run
from flows.opening import images_of
from flows.plan import RunPlan
from flows.runner import run_folder
from flows.runs.outlook import Outlook, run_outlook
from flows.runs.rates import PARALLEL, Rates, folder_rates, shipped_rates
from flows.stages import RunOptions, StageContext
from tiles.damage import files_of
from tiles.grid import CELL
from tiles.remote import is_remote

__all__ = ["Estimate", "PlannedRun", "StageCost", "estimate", "plan_run"]


@dataclass(frozen=True)
class StageCost:
    """What one stage is going to take.

    Attributes
    ----------
    stage : str
    share : float
        Part of it that is to be made, 0–1.
    seconds, cpu_seconds : float
        Wall time with all workers, and CPU time.
    read_bytes, written_bytes : float or None
        Through caches; None where that was never measured.
    """

    stage: str
    share: float
    seconds: float
    cpu_seconds: float
    read_bytes: float | None = None
    written_bytes: float | None = None


@dataclass(frozen=True)
class Estimate:
    """What a run of some size is going to take with some workers.

    Attributes
    ----------
    workers : int
    stages : tuple of StageCost
    memory_bytes : float
        Peak of the process tree.
    driver_bytes : float
        Peak of the stages that one process works.
    worker_bytes : float
        What each further worker takes.
    folder_bytes : float
        What stays in the run folder.
    source : str
        Where the rates come from.
    """

    workers: int
    stages: tuple[StageCost, ...]
    memory_bytes: float
    driver_bytes: float
    worker_bytes: float
    folder_bytes: float
    source: str

    @property
    def seconds(self) -> float:
        """Wall time in all."""
        return sum(s.seconds for s in self.stages)

    @property
    def cpu_seconds(self) -> float:
        """CPU time in all."""
        return sum(s.cpu_seconds for s in self.stages)

    @property
    def core_hours(self) -> float:
        """Hours of all cores from the first stage to the last, idle or not: what is paid for."""
        return self.workers * self.seconds / 3600


@dataclass(frozen=True)
class PlannedRun:
    """A run before it is worked.

    Attributes
    ----------
    folder : Path
    plan : RunPlan
    tile : int
        Side of the tiles in pixels.
    tiles, blocks : int
        Tiles, and blocks of 256 × 256 pixels that are read per date.
    image_bytes : int
        Of all image files on this machine; each is read about once for the tiles.
    outlook : tuple of Outlook
        What is reused, by stage.
    estimates : tuple of Estimate
        For each number of workers.
    """

    folder: Path
    plan: RunPlan
    tile: int
    tiles: int
    blocks: int
    image_bytes: int
    outlook: tuple[Outlook, ...]
    estimates: tuple[Estimate, ...]


def plan_run(config_path: Path, out: Path, options: RunOptions, workers: list[int]) -> PlannedRun:
    """Tell what a run would do and take, without working it; nothing is written.

    Parameters
    ----------
    config_path : Path
    out : Path
        Folder of all runs; earlier runs in it tell how fast this machine is.
    options : RunOptions
    workers : list of int
        Numbers of workers to tell the time for.

    Raises
    ------
    TubanError
        What would keep the run from starting.
    """
    config = RunConfig.load(config_path)
    config = images_of(config, out).applied(config)
    folder = run_folder(config, out)
    with tempfile.TemporaryDirectory(prefix="tuban-plan-") as work:
        config, _ = layers_at_hand(config, Path(work))
        context = StageContext(Run(folder.resolve()), config, options)
        plan = context.plan
        outlook = tuple(run_outlook(context))
    shares = {o.stage: o.to_make / max(1, o.to_make + o.reused) for o in outlook}
    if shares["judge"]:
        shares["outputs"] = 1.0
    rates = folder_rates(out) or shipped_rates()
    tiles = plan.tiles(options.tile)
    blocks = sum(_cells(t.extent.height) * _cells(t.extent.width) for t in tiles)
    return PlannedRun(
        folder=folder,
        plan=plan,
        tile=options.tile,
        tiles=len(tiles),
        blocks=blocks,
        image_bytes=_image_bytes(plan),
        outlook=outlook,
        estimates=tuple(estimate(plan.pixels, n, rates, shares) for n in workers),
    )


def estimate(
    pixels: float, workers: int, rates: Rates, shares: dict[str, float] | None = None
) -> Estimate:
    """Return what a run takes by rates that were measured.

    Tiles are shared among the workers, all other stages are worked by one.

    Parameters
    ----------
    pixels : float
    workers : int
    rates : Rates
    shares : dict of str to float, optional
        Part of each stage that is to be made; all of it where none is told.

    Examples
    --------
    >>> from flows.runs.rates import shipped_rates
    >>> one, four = (estimate(1e9, n, shipped_rates()) for n in (1, 4))
    >>> one.cpu_seconds == four.cpu_seconds, one.seconds > four.seconds
    (True, True)
    """
    costs, mpx = [], pixels / 1e6
    for stage, rate in rates.stages.items():
        share = (shares or {}).get(stage, 1.0)
        if not share:
            costs.append(StageCost(stage, 0.0, 0.0, 0.0))
            continue
        grows = rate.per_mpx_s * mpx * share
        spread = grows / workers if stage in PARALLEL else grows
        moved = (rate.read_per_px, rate.written_per_px)
        read, written = (None if n is None else n * pixels * share for n in moved)
        cpu = rate.fixed_s + grows
        costs.append(StageCost(stage, share, rate.fixed_s + spread, cpu, read, written))
    peaks = rates.peak_bytes(pixels)
    return Estimate(
        workers=workers,
        stages=tuple(costs),
        memory_bytes=max(peaks.values()) + (workers - 1) * rates.worker_bytes,
        driver_bytes=max(peak for stage, peak in peaks.items() if stage not in PARALLEL),
        worker_bytes=rates.worker_bytes,
        folder_bytes=rates.folder_bytes + rates.folder_per_px * pixels,
        source=rates.source,
    )


def _image_bytes(plan: RunPlan) -> int:
    scenes = (*plan.before.scenes, *plan.after.scenes)
    files = {path for scene in scenes for path in files_of(scene) if not is_remote(path)}
    return sum(path.stat().st_size for path in files if path.is_file())


def _cells(pixels: int) -> int:
    return math.ceil(pixels / CELL)
