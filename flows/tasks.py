"""The Prefect tasks: one per stage of a run, retried when a read fails."""

import logging
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from configs.errors import DamagedImage, RasterError, StoreAway, TubanError
from flows.manifest import Run
from flows.runner import SERIES, Series, active_context, work_series
from flows.stages import RunOptions, run_stage

__all__ = ["series_task", "stage_task"]

log = logging.getLogger(__name__)

RETRY_DELAYS_S = [2, 10]


def _is_read_failure(_task: Any, run: TaskRun, state: State[Any]) -> bool:
    """Tell a failing store or file, worth another try, from a fault that would only repeat."""
    try:
        state.result()
    except DamagedImage:
        return False
    except (RasterError, StoreAway) as error:
        why = f"{error.what} ({error.where})"
    except TubanError:
        return False
    except OSError as error:
        why = str(error)
    except BaseException:
        return False
    else:
        return False
    number = run.run_count
    log.warning(
        "stage %s: %s; retry %d of %d in %d s",
        *(run.name, why, number, len(RETRY_DELAYS_S), RETRY_DELAYS_S[number - 1]),
    )
    return True


RETRIED: dict[str, Any] = {
    "retries": len(RETRY_DELAYS_S),
    "retry_delay_seconds": list(map(float, RETRY_DELAYS_S)),
    "retry_condition_fn": _is_read_failure,
    "persist_result": False,
    "cache_policy": NO_CACHE,
}


@task(name=SERIES, task_run_name=SERIES, **RETRIED)
def series_task(folder: str, monitor: str, options: RunOptions) -> Series:
    """Bring the monitor of the run that this process holds up to date."""
    return work_series(Run.active(Path(folder)), Path(monitor), options)


@task(name="stage", task_run_name="{name}", **RETRIED)
def stage_task(name: str, folder: str) -> dict[str, Any]:
    """Work one stage of the run that this process holds; the manifest knows what is done."""
    return run_stage(name, active_context(folder))
