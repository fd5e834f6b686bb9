"""The annual survey as a Prefect flow: the whole territory, every type of change."""

from typing import Any

from prefect import flow

from flows.server.parameters import (
    ConfigFile,
    Fresh,
    HowWorked,
    Order,
    RunsFolder,
    ServedAt,
    StateFile,
    Working,
    described,
)
from flows.survey import survey

__all__ = ["annual"]


@flow(name="annual", persist_result=False, log_prints=False)
@described
def annual(
    config: ConfigFile,
    out: RunsFolder = "runs",
    working: HowWorked = Working(),  # noqa: B008  a frozen model
    state: StateFile = None,
    fresh: Fresh = False,
    served_at: ServedAt = None,
) -> dict[str, Any]:
    """Work the annual survey from its config to the clue list."""
    return survey("annual", Order(config, out, working, state, fresh, served_at))
