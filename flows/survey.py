"""The one body of the three flows: open the run folder, a task per stage, tell the server."""

from pathlib import Path
from typing import Any

from configs.errors import ConfigError
from configs.profiles import ProfileName
from configs.run import RunConfig
from flows.environment import settle_environment
from flows.server.parameters import Order

__all__ = ["flow_name", "survey"]


def flow_name(config: RunConfig) -> ProfileName:
    """Return the flow that works a config: its profile, annual where it names none."""
    return config.profile or "annual"


def survey(name: ProfileName, order: Order) -> dict[str, Any]:
    """Work a run from its config to the clue list as a flow.

    Parameters
    ----------
    name : str
        The flow.
    order : Order

    Returns
    -------
    dict
        The content of ``run.json``.

    Raises
    ------
    ConfigError
        If the config is for another flow.
    """
    settle_environment()
    from flows.manifest import Run
    from flows.runner import SERIES, Series, open_run, work_stages
    from flows.server.artifacts import ProgressArtifact, publish_artifacts
    from flows.server.stale import take_folder
    from flows.stages import RunOptions
    from flows.tasks import series_task, stage_task

    config = RunConfig.load(Path(order.config))
    if flow_name(config) != name:
        raise ConfigError(
            f"the config is for the flow {flow_name(config)}, the flow is {name}",
            f"{order.config}: profile",
            f"start the flow {flow_name(config)}, or write `profile: {name}`",
        )
    options = order.working.options(order.state)
    with ProgressArtifact(has_series=config.detection.series is not None) as progress:

        def begin(run: Run) -> None:
            take_folder(run)
            progress.begin(run.folder.name)

        def series(run: Run, monitor: Path, how: RunOptions) -> Series:
            begin(run)
            progress.enter(SERIES)
            return series_task(str(run.folder), str(monitor), how)

        def work(stage: str) -> dict[str, Any]:
            progress.enter(stage)
            return stage_task(stage, folder)

        opened = open_run(config, Path(order.out), options, fresh=order.fresh, series=series)
        with opened as context:
            begin(context.run)
            folder = str(context.run.folder)
            summary = work_stages(context, work)
            publish_artifacts(summary, order.served_at)
    return summary
