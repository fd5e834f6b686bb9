"""``tuban desk``: bring runs in, keep users, serve, back up and restore."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.errors import ExitCode, InputError
from flows.cli.options import group_of, tell

if TYPE_CHECKING:
    from clues.accounts import Accounts
    from flows.desk.place import DeskPlace

__all__ = ["add", "backup", "register", "restore", "serve"]

PORT = 8600
PANEL_USER = "Users of the desk."

Place = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="STORE",
        envvar="TUBAN_STORE",
        help="Register: SQLite file, database URL, or a run folder with a store of its own.",
    ),
]
Files = Annotated[
    Path | None,
    typer.Option(
        "--files",
        metavar="DIR",
        envvar="TUBAN_DESK_FILES",
        help="Attachments and images of the desk.",
        show_default="beside the store",
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name to sign in with.")]


def _place(store: str, files: Path | None) -> "DeskPlace":
    from flows.desk.place import desk_place

    return desk_place(store, files)


def add(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", exists=True, file_okay=False, help="Finished run.")
    ],
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="STORE",
            envvar="TUBAN_STORE",
            help="Register that the desk serves.",
            show_default="where the clues of the run are",
        ),
    ] = None,
    files: Files = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who brings it in.")
    ] = None,
    without_images: Annotated[
        bool, typer.Option("--without-images", help="Leave the images of both dates out.")
    ] = False,
) -> None:
    """Bring a finished run in: its clues, its images as the run saw them, the layers around.

    Bringing the same run in again changes nothing.
    """
    from flows.desk.adding import add_run

    done = add_run(
        run, _place(store or str(run), files), by=by or _self(), pictures=not without_images
    )
    typer.echo(f"run\t{done.run}")
    for name in ("clues", "images", "features"):
        typer.echo(f"{name}\t{getattr(done, name)}")
    if done.is_known:
        tell("the desk has it already: nothing was changed")
    for note in done.notes:
        tell(f"{note.zh} {note.en}")
    if done.notes:
        raise typer.Exit(ExitCode.EXCEPTIONS)


def serve(
    store: Place,
    files: Files = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where it listens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = PORT,
    https: Annotated[
        bool,
        typer.Option("--https", help="Browsers reach it through a proxy that speaks HTTPS."),
    ] = False,
    proxies: Annotated[
        str,
        typer.Option(
            "--proxies", metavar="ADDRESSES", help="Proxies whose word on callers is believed."
        ),
    ] = "127.0.0.1",
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="Time zone of civil days.")
    ] = "Asia/Shanghai",
) -> None:
    """Serve the desk: on this machine only, unless a proxy with HTTPS stands in front."""
    from flows.desk.serving import Serving, serve_desk

    serve_desk(_place(store, files), Serving(host, port, https, proxies, zone))


def _accounts(place: "DeskPlace") -> "Accounts":
    from clues.accounts import Accounts

    return Accounts(place.open())


def user_add(
    name: Name,
    store: Place,
    role: Annotated[
        str,
        typer.Option(
            "--role",
            help="administrator, province, city, county, inspector, supervisor or public.",
        ),
    ],
    division: Annotated[
        str,
        typer.Option("--division", metavar="CODE", help="Whose clues: 2, 4, 6, 9 or 12 digits."),
    ] = "",
    display: Annotated[
        str, typer.Option("--display", metavar="NAME", help="Name that others see.")
    ] = "",
    lasting: Annotated[
        bool,
        typer.Option("--lasting", help="The password need not be changed at the first signing in."),
    ] = False,
    files: Files = None,
) -> None:
    """Enter a user; the password is asked for, or read as one line from a pipe."""
    accounts = _accounts(_place(store, files))
    made = accounts.add(
        name,
        role,
        division,
        _password(),
        display=display,
        by=_self(),
        must_change=not lasting,
    )
    typer.echo(f"{made.name}\t{made.role}\t{made.division or '*'}")


def user_list(store: Place, files: Files = None) -> None:
    """List the users with role, division and state."""
    accounts = _accounts(_place(store, files))
    typer.echo("name\trole\tdivision\tstate\tdisplay")
    for user in accounts.users():
        state = "active" if user.active else "closed"
        until = user.locked_until
        shown = f"{state}, locked until {until:%Y-%m-%d %H:%M} UTC" if until else state
        typer.echo(f"{user.name}\t{user.role}\t{user.division or '*'}\t{shown}\t{user.display}")


def user_disable(name: Name, store: Place, files: Files = None) -> None:
    """Close an account; its sessions end at once, what it did stays."""
    _accounts(_place(store, files)).change(name, by=_self(), active=False)
    typer.echo(f"{name}\tclosed")


def user_enable(name: Name, store: Place, files: Files = None) -> None:
    """Open a closed account again."""
    _accounts(_place(store, files)).change(name, by=_self(), active=True)
    typer.echo(f"{name}\tactive")


def user_password(name: Name, store: Place, files: Files = None) -> None:
    """Set another password; sessions and a lock end, and the user chooses a new one first."""
    accounts = _accounts(_place(store, files))
    accounts.set_password(name, _password(), by=_self(), must_change=True)
    typer.echo(f"{name}\tpassword set")


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder is made in here for each backup.")
    ],
    store: Place,
    files: Files = None,
    without_images: Annotated[
        bool,
        typer.Option("--without-images", help="Leave out images: `desk add` makes them again."),
    ] = False,
) -> None:
    """Back up store and files, also while the desk is being served; every file is checksummed."""
    from flows.desk.backup import back_up

    done = back_up(_place(store, files), target, images=not without_images)
    typer.echo(f"backup\t{done.folder}")
    typer.echo(f"rows\t{done.rows}")
    typer.echo(f"files\t{done.files}")
    typer.echo(f"manifest_sha256\t{done.digest}")


def restore(
    source: Annotated[
        Path, typer.Argument(metavar="BACKUP", exists=True, file_okay=False, help="A backup.")
    ],
    store: Place,
    files: Files = None,
) -> None:
    """Restore a backup into an empty place, SQLite or PostGIS, and compare all checksums."""
    from flows.desk.restoring import restore_backup

    done = restore_backup(source, _place(store, files))
    typer.echo(f"store\t{done.store}")
    typer.echo(f"rows\t{done.rows}")
    typer.echo(f"files\t{done.files}")
    tell("every table and file has the checksum of the backup")


def _self() -> str:
    """Return who works on this machine: commands leave that name in the events."""
    import getpass

    try:
        return f"{getpass.getuser()}@console"
    except (KeyError, OSError):
        return "console"


def _password() -> str:
    """Ask for a password twice, or read it from a pipe; it is never an argument."""
    import getpass

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("again: ") != first:
        raise InputError("the two passwords differ", "password", "type the same one twice")
    return first


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = group_of(app, "desk", "The enforcement desk: serve it, its users, its backups.")
    commands: dict[str, Callable[..., None]] = {
        "add": add,
        "serve": serve,
        "backup": backup,
        "restore": restore,
    }
    for name, command in commands.items():
        group.command(name)(command)
    user = typer.Typer(no_args_is_help=True)
    group.add_typer(user, name="user", help=PANEL_USER)
    users: dict[str, Callable[..., None]] = {
        "add": user_add,
        "list": user_list,
        "disable": user_disable,
        "enable": user_enable,
        "password": user_password,
    }
    for name, command in users.items():
        user.command(name)(command)
