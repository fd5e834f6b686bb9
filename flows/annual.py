"""The annual survey as a Prefect flow: the whole territory, two dates, one task per stage."""

from pathlib import Path
from typing import Any

from prefect import flow

from configs.run import RunConfig
from flows.runner import open_run, work_stages
from flows.stages import RunOptions
from flows.tasks import stage_task

__all__ = ["annual"]


@flow(name="annual", persist_result=False, log_prints=False)
def annual(
    config: str,
    out: str = "runs",
    scheduler: str = "threads",
    workers: int | None = None,
    tile: int = 1024,
    memory: int | None = None,
    state: str | None = None,
    fresh: bool = False,
) -> dict[str, Any]:
    """Work a run from its config to the clue list.

    Parameters
    ----------
    config : str
        Path of the run config.
    out : str
        Folder of all runs.
    scheduler, workers, tile, memory, state
        See `flows.stages.RunOptions`.
    fresh : bool
        Reuse nothing.
    """
    options = RunOptions(scheduler, workers, tile, memory, Path(state) if state else None)
    with open_run(RunConfig.load(Path(config)), Path(out), options, fresh=fresh) as context:
        folder = str(context.run.folder)
        return work_stages(context, lambda name: stage_task(name, folder))
