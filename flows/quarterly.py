"""The quarterly watch as a Prefect flow: hot spots, only what is new."""

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

__all__ = ["quarterly"]


@flow(name="quarterly", persist_result=False, log_prints=False)
@described
def quarterly(
    config: ConfigFile,
    out: RunsFolder = "runs",
    working: HowWorked = Working(),  # noqa: B008  a frozen model
    state: StateFile = None,
    fresh: Fresh = False,
    served_at: ServedAt = None,
) -> dict[str, Any]:
    """Work a quarterly watch from its config to the clue list."""
    return survey("quarterly", Order(config, out, working, state, fresh, served_at))
