"""Whether deployed configs can run, before they stand on a server."""

from collections.abc import Sequence
from pathlib import Path

from configs.errors import ConfigError
from configs.run import RunConfig
from flows.checking import check_run
from flows.server.deployments import Deployment

__all__ = ["NOT_YET", "deployment_doubts", "require_runnable"]

NOT_YET = {"dates found"}
"""Checks that a run in some months may pass though one of today would not."""


def require_runnable(configs: Sequence[Path], out: Path) -> list[str]:
    """Check each config as ``tuban check`` does; return what a later run may still find.

    Parameters
    ----------
    configs : sequence of Path
    out : Path
        Folder of all runs.

    Raises
    ------
    ConfigError
        If a config cannot run; with the first finding, and how many there are.
    """
    doubts = []
    for config in configs:
        found = check_run(config, out)
        later = [f for f in found if f.fix and (f.passed or f.name in NOT_YET)]
        doubts += [f"{config}: {f.name}: {f.value}" for f in later]
        faults = [f for f in found if not f.passed and f.name not in NOT_YET]
        if faults:
            first, more = faults[0], len(faults) - 1
            raise ConfigError(
                f"{config} cannot run: {first.name}: {first.value}"
                + (f" (and {more} more, see `tuban check {config}`)" if more else ""),
                first.where,
                f"{first.fix}; where the files lie on the worker's machine only, use --no-check "
                "here and `tuban check` there",
            )
    return doubts


def deployment_doubts(wanted: Sequence[Deployment]) -> list[str]:
    """Return what is odd about schedules: one on fixed images compares the same two dates again."""
    doubts = []
    for one in wanted:
        path = one.parameters.get("config")
        if path is None or not any(schedule.active for schedule in one.schedules):
            continue
        config = RunConfig.load(Path(path))
        if not (config.before.rule or config.after.rule or config.detection.series):
            doubts.append(
                f"{one.full_name} has a schedule but fixed images: each run compares the same two "
                "dates; name `catalog:` and `after: latest` in the config, or pause the schedule"
            )
    return doubts
