"""``tuban patches``: patches given out for editing and taken back."""

from pathlib import Path
from typing import Annotated

import typer

from configs.errors import ExitCode
from flows.cli.options import tell

__all__ = ["export", "import_edited", "register"]

SHOWN = 40


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="GeoPackage (.gpkg) to edit.")],
) -> None:
    """Write the patches of a run as a layer to edit in QGIS or another program."""
    from flows.patchediting import export_patches

    if out.suffix.lower() != ".gpkg":
        raise typer.BadParameter(f"--out {out}: end it with .gpkg")
    typer.echo(f"patches\t{export_patches(run, out)}")
    tell(f"edit {out}, then: tuban patches import {out} --run {run} --editor NAME")


def import_edited(
    edited: Annotated[Path, typer.Argument(metavar="EDITED.gpkg", help="Edited patches.")],
    run: Annotated[Path, typer.Option("--run", help="Run folder.")],
    editor: Annotated[str, typer.Option("--editor", metavar="NAME", help="Who drew.")],
    delete_missing: Annotated[
        bool, typer.Option("--delete-missing", help="Patches not in the file were deleted.")
    ] = False,
) -> None:
    """Take redrawn, cut, merged, added and deleted patches over as a new version of the run.

    Only what the edit touches is judged again; other clues keep their numbers and answers. If one
    outline cannot be taken, none is.
    """
    from flows.patchediting import import_patches

    done = import_patches(edited, run, editor=editor, delete_missing=delete_missing)
    if done.known:
        tell(f"nothing to do: this file is version {done.version} of the patches")
        return
    for fault in done.faults[:SHOWN]:
        row = f"row {fault.row}" if fault.row else "file"
        typer.echo("\t".join((row, fault.patch_id, fault.what, fault.where, fault.fix)))
    if len(done.faults) > SHOWN:
        typer.echo(f"… {len(done.faults) - SHOWN}")
    if done.faults:
        tell(f"{len(done.faults)} faults; nothing was imported")
        raise typer.Exit(ExitCode.USER_ERROR)
    if not done.version:
        tell("nothing to do: no patch differs")
        return
    typer.echo(f"version\t{done.version}")
    for name, count in done.tallies.items():
        typer.echo(f"{name}\t{count}")
    for number, patch in done.clues:
        typer.echo(f"new clue\t{number}\t{patch}")
    tell(f"the ledger and all other outputs of {run} are of this version now")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="patches", help="Patches edited by interpreters.")
    group.command("export")(export)
    group.command("import")(import_edited)
