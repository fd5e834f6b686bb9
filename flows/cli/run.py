"""``tuban run``, ``tuban fit``, ``tuban check``: a run from its config."""

from pathlib import Path
from typing import Annotated, Any

import typer

from configs.errors import ExitCode
from flows.cli.options import Memory, Out, Scheduler, Tile, Workers, tell

__all__ = ["register", "show"]

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="run config")]


def run(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG.yaml", help="run config")] = None,
    out: Out = Path("runs"),
    workers: Workers = None,
    scheduler: Scheduler = "threads",
    tile: Tile = 1024,
    memory: Memory = None,
    state: Annotated[Path | None, typer.Option(help="fitted states of `tuban fit`")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="without Prefect")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="reuse nothing")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="print the JSON Schema of the config and stop")
    ] = False,
) -> None:
    """Two dates and the One-Map in, clue list out; the same command goes on after a crash."""
    if schema:
        from configs.schemas import SCHEMA_FILES, json_schema

        typer.echo(json_schema(SCHEMA_FILES.values()))
        return
    if config is None:
        raise typer.BadParameter("name a CONFIG.yaml; `tuban init` writes one", param_hint="CONFIG")
    from flows.runner import work_run
    from flows.stages import RunOptions

    options = RunOptions(scheduler, workers, tile, memory, state)
    summary = work_run(config, out, options, plain=plain, fresh=fresh)
    show(summary)
    if summary["exceptions"]:
        raise typer.Exit(ExitCode.EXCEPTIONS)


def show(summary: dict[str, Any]) -> None:
    """Print what a run found and where it lies."""
    outputs = summary["stages"]["outputs"]
    typer.echo(f"{outputs['clues']} clues, {outputs['dismissed']} dismissed patches")
    for line in summary["exceptions"]:
        tell(f"exception: {line}")
    typer.echo(f"{summary['folder']}: open report.html first, then clues.xlsx")


def fit(
    config: ConfigPath,
    out: Out,
) -> None:
    """Fit registration, normalisation, thresholds and land cover without working the tiles."""
    from configs.run import RunConfig
    from flows.fitting import hand_over
    from flows.runner import fitted_aside

    with fitted_aside(RunConfig.load(config)) as (context, values):
        hand_over(context, out)
    for note in values["change"]:
        typer.echo(note)
    typer.echo(f"{out}: state {values['hash']}")


def check(config: ConfigPath, out: Out = Path("runs")) -> None:
    """Tell everything knowable before computing; exit 1 if the run would fail."""
    from flows.checking import check_run

    findings = check_run(config, out)
    for finding in findings:
        mark = "FAIL" if not finding.passed else "look" if finding.fix else "ok  "
        typer.echo(f"{mark} {finding.name}: {finding.value}")
        if finding.fix:
            typer.echo(f"     where: {finding.where}\n     fix:   {finding.fix}")
    if not all(f.passed for f in findings):
        raise typer.Exit(ExitCode.USER_ERROR)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("fit")(fit)
    app.command("check")(check)
