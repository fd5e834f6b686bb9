"""``tuban audit``: check the store against its events, sign where they stand, hand them out."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from configs.errors import ExitCode
from flows.cli.desk import Files, Place
from flows.cli.options import group_of, tell

__all__ = ["check", "checkpoint", "export", "key", "register", "verify"]

Key = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="Private key of `tuban audit key`.")
]
PublicKey = Annotated[
    Path, typer.Option("--public-key", metavar="FILE", help="Public key of the checkpoints.")
]


def verify(
    store: Place,
    files: Files = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key", metavar="FILE", help="Check the signatures of checkpoints too."
        ),
    ] = None,
) -> None:
    """Check events, checkpoints, rows and files; name the first that does not fit.

    Exit code 1 where anything does not fit.
    """
    from clues.audit.verify import verify as check_all
    from flows.desk.place import desk_place

    place = desk_place(store, files)
    opened = place.open()
    try:
        found = check_all(opened, place.files / "attachments", public_key)
    finally:
        opened.close()
    for name in ("events", "checkpoints", "rows", "files"):
        typer.echo(f"{name}\t{getattr(found, name)}")
    typer.echo(f"broken\t{found.broken or 'none'}")
    if found.broken:
        tell(f"broken: {found.broken}")
        raise typer.Exit(ExitCode.USER_ERROR)


def key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Private key to be made.")],
) -> None:
    """Make a key pair for checkpoints; keep the private one away from the database."""
    from clues.audit.checkpoints import new_key

    typer.echo(f"public_key\t{new_key(path)}")


def checkpoint(
    store: Place,
    key: Key,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Checkpoint to give away.")
    ] = None,
) -> None:
    """Sign the present end of the events; give the file to somebody outside."""
    from clues.audit.checkpoints import make_checkpoint
    from flows.desk.place import desk_place

    opened = desk_place(store).open()
    try:
        told = make_checkpoint(opened, key, out)
    finally:
        opened.close()
    for name in ("seq", "hash", "at", "key_id"):
        typer.echo(f"{name}\t{told[name]}")


def export(
    store: Place,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Events, one per line (JSON).")],
) -> None:
    """Write all events for somebody outside."""
    from clues.audit.checkpoints import export_events
    from flows.desk.place import desk_place

    opened = desk_place(store).open()
    try:
        typer.echo(f"events\t{export_events(opened, out)}")
    finally:
        opened.close()


def check(
    events: Annotated[
        Path, typer.Argument(metavar="EVENTS", exists=True, dir_okay=False, help="Exported events.")
    ],
    checkpoint: Annotated[
        Path,
        typer.Option("--checkpoint", metavar="FILE", help="File of `tuban audit checkpoint`."),
    ],
    public_key: PublicKey,
) -> None:
    """Check exported events against a checkpoint, without any store."""
    from clues.audit.checkpoints import check_export, read_checkpoint, read_public_key

    told = read_checkpoint(checkpoint)
    wrong = check_export(events, told, read_public_key(public_key))
    typer.echo(f"checkpoint\t{told['seq']}")
    typer.echo(f"broken\t{wrong or 'none'}")
    if wrong:
        tell(f"broken: {wrong}")
        raise typer.Exit(ExitCode.USER_ERROR)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = group_of(app, "audit", "The events of a store: check, sign, hand out.")
    commands: dict[str, Callable[..., None]] = {
        "verify": verify,
        "key": key,
        "checkpoint": checkpoint,
        "export": export,
        "check": check,
    }
    for name, command in commands.items():
        group.command(name)(command)
