"""Flow runs whose process is gone: told to the server by those who can see the run folder.

A killed process cannot say that it ended, and its flow run would stay in the state Running. Every
flow run notes its run folder and the lock it holds there; whether that lock is alive is known to
whoever sees the folder.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Crashed

from flows.lock import holder_state
from flows.manifest import MANIFEST_NAME
from flows.server.artifacts import tolerant

if TYPE_CHECKING:
    from flows.manifest import Run

__all__ = ["FLOWS", "StaleRun", "mark_stale", "take_folder", "why_stale"]

FLOWS = ("annual", "quarterly", "emergency")
FOLDER_LABEL = "tuban.folder"
LOCK_LABEL = "tuban.lock"
GRACE_S = 60.0
"""So long a flow run may take to report its end after it gave its lock back."""
PAGE = 200


@dataclass(frozen=True)
class StaleRun:
    """A flow run that was looked at.

    Attributes
    ----------
    name, flow_run : str
        Name and id of the flow run.
    folder : str
        Its run folder.
    why : str or None
        Why it counts as dead; None where it lives or cannot be judged from here.
    """

    name: str
    flow_run: str
    folder: str
    why: str | None


def take_folder(run: "Run") -> None:
    """Tell the server which run folder this flow run works in, and which flow runs are dead.

    Outside a flow run, or where the server does not answer, it does nothing.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    mine = context.flow_run.id
    token = run.lock.holder.token if run.lock is not None and run.lock.holder is not None else ""
    labels: Any = {FOLDER_LABEL: str(run.folder), LOCK_LABEL: token}

    def tell() -> None:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(mine, labels)
            client.set_flow_run_name(mine, run.folder.name)
            mark_stale(client)

    tolerant("the run folder", tell)


def mark_stale(client: SyncPrefectClient, *, dry: bool = False) -> list[StaleRun]:
    """Set flow runs Crashed (or Cancelled, where that was asked) whose process has ended.

    Parameters
    ----------
    client : SyncPrefectClient
    dry : bool
        Only look.

    Returns
    -------
    list of StaleRun
        All flow runs in the states Running and Cancelling, by name.
    """
    seen = []
    for one in _open_runs(client):
        folder = str(one.labels.get(FOLDER_LABEL, ""))
        why = why_stale(Path(folder), str(one.labels.get(LOCK_LABEL, ""))) if folder else None
        seen.append(StaleRun(one.name, str(one.id), folder, why))
        if why is None or dry:
            continue
        asked = one.state_type == StateType.CANCELLING
        text = f"{why}; the next run goes on in {folder}"
        state: State[Any] = Cancelled(message=text) if asked else Crashed(message=text)
        client.set_flow_run_state(one.id, state, force=True)
    return sorted(seen, key=lambda s: (s.name, s.flow_run))


def _open_runs(client: SyncPrefectClient) -> list[FlowRun]:
    states = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING])
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(FLOWS))),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=states)),
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < PAGE:
            return found


def why_stale(folder: Path, token: str) -> str | None:
    """Return why the flow run that took a lock is dead; None if it lives or nobody can tell.

    Parameters
    ----------
    folder : Path
        Run folder that it told.
    token : str
        The lock that it told.
    """
    try:
        idle = time.time() - (folder / MANIFEST_NAME).stat().st_mtime
    except OSError:
        return None  # a folder of another machine
    holder, death = holder_state(folder)
    if holder is not None and holder.token == token:
        return death or None
    if idle < GRACE_S and holder is None:
        return None
    return "it holds the run folder no more"
