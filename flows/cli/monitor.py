"""``tuban monitor``: change in a growing series of images."""

from pathlib import Path
from typing import Annotated, Any

import typer

from configs.errors import ExitCode
from flows.cli.options import Memory, Out, Scheduler, Tile, Workers, tell

__all__ = ["fit", "register", "update"]

Parcels = Annotated[
    Path | None,
    typer.Option("--parcels", metavar="LAYER", help="Parcels to report one by one."),
]


def fit(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="monitor config")],
    parcels: Parcels = None,
    out: Out = Path("monitors"),
    workers: Workers = None,
    scheduler: Scheduler = "threads",
    tile: Tile = 512,
    memory: Memory = None,
) -> None:
    """Learn the season of every pixel from a history of images: version v0001.

    The same command goes on after a crash.
    """
    from flows.monitor.monitoring import fit_monitor
    from flows.stages import RunOptions

    options = RunOptions(scheduler, workers, tile, memory)
    _show(fit_monitor(config, out, options, parcels=parcels))


def update(
    monitor: Annotated[
        Path, typer.Argument(metavar="MONITOR", help="Folder of a monitor, or its CONFIG.yaml.")
    ],
    scene: Annotated[
        list[Path] | None,
        typer.Option(
            "--scene",
            metavar="SCENE",
            help="New scene: file, folder or STAC item; may stand several times.",
            show_default="the newer ones that the config finds",
        ),
    ] = None,
    parcels: Parcels = None,
    out: Out = Path("monitors"),
    workers: Workers = None,
    scheduler: Scheduler = "threads",
    memory: Memory = None,
) -> None:
    """Take new dates in as a new version; what is older stays as it is.

    A scene that is known already is skipped; one that is older than the newest date is refused.
    """
    from flows.monitor.monitoring import update_monitor
    from flows.stages import RunOptions

    options = RunOptions(scheduler, workers, 512, memory)
    _show(update_monitor(monitor, out, options, scenes=scene or (), parcels=parcels))


def _show(result: Any) -> None:
    facts = result.version.facts
    for note in result.notes:
        tell(note)
    if result.made:
        counts, pixels = facts["counts"], facts["pixels"]
        typer.echo(
            f"{result.version.folder}: {len(facts['dates'])} dates up to {facts['last_date']}"
        )
        typer.echo(
            f"{counts['modelled']} of {pixels} pixels have a model, {counts['confirmed']} a "
            f"confirmed change, {counts['new']} newly, {counts['patches']} new patches"
        )
        if "parcels" in counts:
            told = [f"{n} {status}" for status, n in counts["parcels"].items() if n]
            typer.echo(f"parcels: {', '.join(told)}")
            tell(f"why: {result.version.folder / 'parcels.html'}")
    else:
        typer.echo(f"{result.version.folder}: unchanged, up to {facts['last_date']}")
    if any(note.startswith("set aside") for note in result.notes):
        raise typer.Exit(ExitCode.EXCEPTIONS)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("fit")(fit)
    group.command("update")(update)
    app.add_typer(group, name="monitor", help="Change in a growing series of images.")
