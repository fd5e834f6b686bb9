"""``tuban deploy``: scheduled runs on a Prefect server."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import tell

if TYPE_CHECKING:
    from flows.server.deploying import Step
    from flows.server.deployments import Deployment
    from flows.server.stale import StaleRun

__all__ = ["register"]

DONE = {"create": "created", "change": "changed", "keep": "unchanged"}
WOULD = {"create": "would be created", "change": "would be changed", "keep": "unchanged"}

Check = Annotated[
    bool,
    typer.Option(
        "--check/--no-check",
        help="Refuse configs that cannot run, as `tuban check` tells; without, where the files are "
        "on the worker's machine only.",
    ),
]


def deploy(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CONFIG.yaml]...",
            help="Run configs, one deployment each; without any the form asks for one.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of all runs on the worker's machine.")
    ] = Path("runs"),
    file: Annotated[
        Path | None,
        typer.Option("--file", help="A prefect.yaml with your schedules.", show_default="shipped"),
    ] = None,
    pool: Annotated[
        str | None, typer.Option("--pool", help="Work pool.", show_default="that of the file")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be done.")
    ] = False,
    check: Check = True,
    mark_stale: Annotated[
        bool,
        typer.Option("--mark-stale", help="Instead: set flow runs Crashed whose process is gone."),
    ] = False,
) -> None:
    """Put the flows on the Prefect server of PREFECT_API_URL: work pool, schedules, forms."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    if mark_stale:
        _mark_stale(dry_run)
        return
    from flows.server.deployments import wanted_deployments

    wanted = wanted_deployments(configs or [], out, file, pool=pool)
    _check(wanted, configs or [] if check else [], out)
    from flows.server.deploying import deploy as bring_in_line
    from flows.server.deploying import open_server, server_address

    if dry_run and server_address() is None:
        tell("no server is named in PREFECT_API_URL: this is what an empty one would be given")
        _show(bring_in_line(wanted, None, dry=True), WOULD)
        return
    with open_server() as client:
        steps = bring_in_line(wanted, client, dry=dry_run)
    _show(steps, WOULD if dry_run else DONE)
    if not dry_run:
        for name in dict.fromkeys(one.work_pool.name for one in wanted):
            start = f"prefect worker start --pool {name} --install-policy never"
            tell(f"runs start once a worker is there: {start}")


def _check(wanted: "list[Deployment]", configs: list[Path], out: Path) -> None:
    from flows.server.checks import deployment_doubts, require_runnable

    for doubt in (*require_runnable(configs, out), *deployment_doubts(wanted)):
        tell(f"warning: {doubt}")


def _show(steps: "list[Step]", words: dict[str, str]) -> None:
    for step in steps:
        typer.echo(f"{step.kind} {step.name}: {words[step.action]}")
        for detail in step.details:
            typer.echo(f"  {detail}")


def _mark_stale(dry: bool) -> None:
    from flows.server.deploying import open_server
    from flows.server.stale import mark_stale

    with open_server() as client:
        seen = mark_stale(client, dry=dry)
    for one in seen:
        if one.why is None:
            typer.echo(f"{one.name} {one.flow_run}: left as it is, {_why_left(one)}")
        else:
            typer.echo(f"{one.name} {one.flow_run}: {'stale' if dry else 'closed'}, {one.why}")
    if not seen:
        typer.echo("no flow run is open")


def _why_left(one: "StaleRun") -> str:
    if one.folder:
        return f"it works in {one.folder}, or that folder lies on another machine: look there"
    remove = f"prefect flow-run delete {one.flow_run}"
    return f"it never told its run folder; if its process is gone: {remove}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("deploy")(deploy)
