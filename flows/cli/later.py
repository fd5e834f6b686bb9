"""Command groups whose names are reserved for later versions."""

from collections.abc import Callable
from typing import NamedTuple

import typer

from configs.errors import ExitCode
from flows.cli.options import tell

__all__ = ["RESERVED", "register"]

PANEL = "In later versions"


class _Reserved(NamedTuple):
    version: str
    help: str
    commands: dict[str, str]


RESERVED = {
    "desk": _Reserved(
        "0.9",
        "The enforcement desk.",
        {
            "serve": "Serve the desk.",
            "user": "Manage its users.",
            "backup": "Back its data up.",
            "restore": "Restore a backup.",
        },
    ),
    "audit": _Reserved(
        "0.9",
        "The audit log.",
        {"verify": "Check the chain of the log.", "checkpoint": "Sign its present end."},
    ),
}
"""Version, purpose and subcommands of every reserved name; a name without subcommands is a
command."""

_ANY_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Reserve the names, and the subcommands of built groups, that nobody has registered."""
    groups = {g.name: g.typer_instance for g in app.registered_groups}
    commands = {c.name for c in app.registered_commands}
    for name, reserved in RESERVED.items():
        if name in commands:
            continue
        if not reserved.commands:
            _reserve(app, name, name, reserved.version, reserved.help, PANEL)
            continue
        group = groups.get(name)
        if group is None:
            group = typer.Typer(no_args_is_help=True)
            note = f"{reserved.help} (from version {reserved.version})"
            app.add_typer(group, name=name, help=note, rich_help_panel=PANEL)
        built = {c.name for c in group.registered_commands}
        for sub, text in reserved.commands.items():
            if sub not in built:
                _reserve(group, sub, f"{name} {sub}", reserved.version, text, None)


def _reserve(
    app: typer.Typer, name: str, path: str, version: str, text: str, panel: str | None
) -> None:
    app.command(
        name,
        help=f"{text} (from version {version})",
        context_settings=_ANY_ARGUMENTS,
        rich_help_panel=panel,
    )(_absent(path, version))


def _absent(path: str, version: str) -> Callable[[], None]:
    def absent() -> None:
        tell(f"`tuban {path}` is not built yet: it comes with version {version}")
        raise typer.Exit(ExitCode.MISUSE)

    return absent
