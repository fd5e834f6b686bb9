"""`tuban doctor`: whether this machine is fit for a run."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import Out

__all__ = ["register"]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    out: Out = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check Python, packages, native libraries, disk, memory and fonts.

    Exit code 1 when something would make a run fail.
    """
    from flows.doctor import examine

    checks = examine(out)
    if as_json:
        typer.echo(json.dumps([asdict(c) for c in checks], indent=1, ensure_ascii=False))
    else:
        width = max(len(c.name) for c in checks)
        for check in checks:
            typer.secho(f"{check.status:<5}", fg=_COLOURS[check.status], nl=False)
            typer.echo(f"{check.name:<{width}}  {check.found}")
            if check.fix:
                typer.echo(f"{'':<5}{'':<{width}}  → {check.fix}")
    failed = sum(c.status == "fail" for c in checks)
    if failed:
        typer.echo(f"{failed} of {len(checks)} checks failed", err=True)
        raise typer.Exit(ExitCode.USER_ERROR)
