"""An emergency as a Prefect flow: one area, what is at hand, what is missing is told."""

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

__all__ = ["emergency"]


@flow(name="emergency", persist_result=False, log_prints=False)
@described
def emergency(
    config: ConfigFile,
    out: RunsFolder = "runs",
    working: HowWorked = Working(),  # noqa: B008  a frozen model
    state: StateFile = None,
    fresh: Fresh = False,
    served_at: ServedAt = None,
) -> dict[str, Any]:
    """Work an emergency from its config to the clue list."""
    return survey("emergency", Order(config, out, working, state, fresh, served_at))
