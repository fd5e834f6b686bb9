"""`tuban deploy`: what stands on the Prefect server is brought in line with what is wanted."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL
from prefect.utilities.callables import parameter_schema

from configs.errors import RunError
from flows.server.deployments import Deployment

__all__ = ["Step", "deploy", "no_server", "open_server", "server_address"]

POOL_TYPE = "process"


@dataclass(frozen=True)
class Step:
    """One thing that stands, or is to stand, on the server.

    Attributes
    ----------
    kind, name : str
    action : {"create", "change", "keep"}
    details : tuple of str
        What is to be made, or what differs.
    """

    kind: Literal["work pool", "deployment"]
    name: str
    action: Literal["create", "change", "keep"]
    details: tuple[str, ...] = field(default=())


def server_address() -> str | None:
    """Return the address of the Prefect API that this process is set to; None without one."""
    return PREFECT_API_URL.value() or None


def no_server() -> RunError:
    """Return the error that tells how to get a server."""
    return RunError(
        "no Prefect server is named",
        "PREFECT_API_URL",
        "start one with `prefect server start` and `export "
        "PREFECT_API_URL=http://127.0.0.1:4200/api`; `tuban run` and cron need none",
    )


@contextmanager
def open_server() -> Iterator[SyncPrefectClient]:
    """Give a client of the server that this process is set to.

    Raises
    ------
    RunError
        If no server is named, or it does not answer.
    """
    address = server_address()
    if address is None:
        raise no_server()
    with get_client(sync_client=True) as client:
        if (failure := client.api_healthcheck()) is not None:
            proxy = next((n for n in ("HTTP_PROXY", "http_proxy") if os.environ.get(n)), None)
            hint = f"; {proxy} is set: name the server's host in NO_PROXY" if proxy else ""
            raise RunError(
                f"the Prefect server does not answer ({type(failure).__name__}: {failure})",
                address,
                f"start it, or correct PREFECT_API_URL; it ends in /api{hint}",
            ) from failure
        yield client


def deploy(
    wanted: Sequence[Deployment], client: SyncPrefectClient | None, *, dry: bool = False
) -> list[Step]:
    """Bring work pools and deployments in line with what is wanted; doing it again changes nothing.

    A schedule that somebody paused on the server stays paused.

    Parameters
    ----------
    wanted : sequence of Deployment
    client : SyncPrefectClient or None
        None tells what a server without any would be given.
    dry : bool
        Only look.
    """
    steps = []
    for pool in dict.fromkeys(one.work_pool.name for one in wanted):
        steps.append(_pool_step(pool, client))
        if client is not None and not dry and steps[-1].action == "create":
            client.create_work_pool(WorkPoolCreate(name=pool, type=POOL_TYPE))
    for one in wanted:
        found = None if client is None else _existing(client, one)
        payload = _payload(one, found)
        step = _deployment_step(one, payload, found)
        steps.append(step)
        if client is not None and not dry and step.action != "keep":
            flow_id = client.create_flow_from_name(one.flow)
            client.create_deployment(flow_id=flow_id, **payload)
    return steps


def _pool_step(name: str, client: SyncPrefectClient | None) -> Step:
    create = Step("work pool", name, "create", (f"type {POOL_TYPE}",))
    if client is None:
        return create
    try:
        found = client.read_work_pool(name)
    except ObjectNotFound:
        return create
    if found.type != POOL_TYPE:
        raise RunError(
            f"the work pool {name} is of type {found.type}, needed is {POOL_TYPE}",
            str(server_address()),
            "choose another name with --pool",
        )
    return Step("work pool", name, "keep")


def _existing(client: SyncPrefectClient, wanted: Deployment) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(wanted.full_name)
    except ObjectNotFound:
        return None


def _payload(wanted: Deployment, found: DeploymentResponse | None) -> dict[str, Any]:
    """Return what `create_deployment` is given, but for the id of the flow."""
    paused = {s.slug for s in found.schedules if not s.active} if found is not None else set()
    schedules = [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=one.cron, timezone=one.timezone),
            active=one.active and one.slug not in paused,
            parameters=one.parameters,
            slug=one.slug,
        )
        for one in wanted.schedules
    ]
    schema = parameter_schema(load_flow_from_entrypoint(wanted.entrypoint).fn)
    return {
        "name": wanted.name,
        "version": wanted.version or f"tuban {version('tuban')}",
        "description": wanted.description,
        "tags": sorted(wanted.tags),
        "entrypoint": wanted.entrypoint,
        "parameters": wanted.parameters,
        "parameter_openapi_schema": schema.model_dump(exclude_unset=True),
        "enforce_parameter_schema": True,
        "work_pool_name": wanted.work_pool.name,
        "work_queue_name": wanted.work_pool.work_queue_name,
        "job_variables": wanted.work_pool.job_variables,
        "schedules": schedules,
        "pull_steps": [],
    }


def _deployment_step(
    wanted: Deployment, payload: dict[str, Any], found: DeploymentResponse | None
) -> Step:
    name = wanted.full_name
    if found is None:
        times = [f"schedule {one}" for one in wanted.schedules] or ["no schedule"]
        told = [f"{key} {value}" for key, value in wanted.parameters.items()]
        return Step("deployment", name, "create", (*times, *told))
    differences = []
    for key, value in payload.items():
        if key == "schedules":
            old, new = ([_schedule_facts(s) for s in them] for them in (found.schedules, value))
        else:
            old, new = getattr(found, key), value
            if key == "tags":
                old = sorted(old)
        if (old or None) != (new or None):
            differences.append(f"{key}: {_brief(old)} → {_brief(new)}")
    return Step("deployment", name, "change" if differences else "keep", tuple(differences))


def _schedule_facts(schedule: Any) -> dict[str, Any]:
    told = schedule.schedule
    return {
        "slug": schedule.slug,
        "cron": getattr(told, "cron", str(told)),
        "timezone": told.timezone,
        "active": schedule.active,
        "parameters": schedule.parameters,
    }


def _brief(value: Any, longest: int = 100) -> str:
    text = str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
