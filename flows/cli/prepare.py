"""``tuban prepare``: both dates on one grid, as files."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Memory, Out, Scheduler, Tile, Workers

__all__ = ["prepare", "register"]


def prepare(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="run config")],
    out: Out = Path("runs"),
    workers: Workers = None,
    scheduler: Scheduler = "threads",
    tile: Tile = 1024,
    memory: Memory = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="reuse nothing")] = False,
) -> None:
    """Write the pair as it is compared: orthorectified, sharpened, masked, registered.

    Each scene becomes a COG with a STAC item that tells what was done to it, and pair.yaml runs
    on them.
    """
    from flows.preparing import prepare_pair
    from flows.stages import RunOptions

    options = RunOptions(scheduler, workers, tile, memory)
    made = prepare_pair(config, out, options, fresh=fresh)
    for scene in made["scenes"]:
        typer.echo(f"{scene['image']}: {scene['valid_percent']:.1f} % usable")
        for step in scene["lineage"]:
            typer.echo(f"  {step}")
    typer.echo(f"{made['config']}: run it with tuban run")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prepare")(prepare)
