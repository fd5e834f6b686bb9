"""``tuban watch``: what became of approvals after they were given."""

from pathlib import Path
from typing import Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import Out, tell

__all__ = ["register", "watch"]


def watch(
    approvals: Annotated[
        Path,
        typer.Argument(
            metavar="APPROVALS",
            help="LAYERS.yaml with approvals, supplies, licences; or one such layer.",
        ),
    ],
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Run folders of `run` or `judge`, or patch layers: one per period, any order.",
        ),
    ],
    out: Out,
    rules: Annotated[
        str, typer.Option(help="Rule set of watching: a shipped name or a YAML file.")
    ] = "cn-watch",
    role: Annotated[
        str, typer.Option(help="What APPROVALS holds, if it is a single layer.")
    ] = "approval",
) -> None:
    """Follow documents after they were given: built share per period, first seen, what is amiss.

    Built before the document, idle after N months, built outside, built after the end: each is
    found, clear or unknown. What could not be observed is unknown, never "not started".
    """
    from flows.watching import watch_approvals

    run = watch_approvals(approvals, runs, out, rules=rules, role=role)
    typer.echo(f"documents\t{len(run.found.built.documents)}")
    typer.echo(f"periods\t{len(run.found.built.periods)}")
    for (kind, months), counts in run.tallies.items():
        name = f"{kind} {months} months" if months else kind
        typer.echo("\t".join([name, *(f"{n} {answer}" for answer, n in counts.items())]))
    for period in run.found.built.periods:
        if period.observed is None:
            tell(f"{period.name} does not tell what could be observed")
    tell(f"page: {out / 'watch.html'}; workbook: {out / 'watch.xlsx'}")
    if run.problems:
        tell(f"{run.problems} documents have problems or are not on the map; see the workbook")
        raise typer.Exit(ExitCode.EXCEPTIONS)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch")(watch)
