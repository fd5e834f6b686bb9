"""``tuban judge``: delivered patches against the One-Map."""

from pathlib import Path
from typing import Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import tell

__all__ = ["judge", "register"]


def judge(
    patches: Annotated[Path, typer.Argument(metavar="PATCHES", help="Layer of change patches.")],
    layers: Annotated[Path, typer.Argument(metavar="LAYERS.yaml", help="One-Map by role.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is written.")],
    rules: Annotated[
        str, typer.Option("--rules", help="Rule set: a shipped name or a YAML file.")
    ] = "cn-land",
    quarter: Annotated[
        int | None, typer.Option(min=1, max=4, help="Quarter printed in clue numbers.")
    ] = None,
) -> None:
    """Judge existing patches: which are clues, which are dismissed, and why."""
    from flows.delivered import judge_delivered

    run = judge_delivered(patches, layers, out, rules=rules, quarter=quarter)
    indicators = run.summary["indicators"]
    for name, count in run.summary["tallies"].items():
        typer.echo(f"{name}\t{count}")
    typer.echo(f"ratio_percent\t{indicators['ratio_percent']:.2f}")
    typer.echo(f"ratio_alert\t{'yes' if indicators['ratio_alert'] else 'no'}")
    tell(f"ledger: {out / 'clues.xlsx'}; why: tuban explain PATCH --run {out}")
    if run.rejects:
        tell(f"{len(run.rejects)} layer rows have problems; they are listed in {out / 'run.json'}")
        raise typer.Exit(ExitCode.EXCEPTIONS)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("judge")(judge)
