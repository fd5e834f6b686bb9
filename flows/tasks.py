"""The Prefect task: one per stage of a run, retried when a read fails."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from configs.errors import RasterError, TubanError
from flows.runner import active_context
from flows.stages import run_stage

__all__ = ["stage_task"]


def _is_read_failure(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Tell a failing store or file, worth another try, from a fault that would only repeat."""
    try:
        state.result()
    except RasterError:
        return True
    except TubanError:
        return False
    except OSError:
        return True
    except BaseException:
        return False
    return False


@task(
    name="stage",
    task_run_name="{name}",
    retries=2,
    retry_delay_seconds=[2, 10],
    retry_condition_fn=_is_read_failure,
    persist_result=False,
    cache_policy=NO_CACHE,
)
def stage_task(name: str, folder: str) -> dict[str, Any]:
    """Work one stage of the run that this process holds; the manifest knows what is done."""
    return run_stage(name, active_context(folder))
