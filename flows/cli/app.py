"""The command line: `tuban COMMAND …`. One file per command group registers itself here."""

import atexit
import gc
import importlib
import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from configs.errors import ExitCode, TubanError
from configs.mistakes import plain_message
from flows.cli.options import report, set_talk, tell, wants_traceback
from flows.environment import settle_environment
from flows.progress import Mode

__all__ = ["MODULES", "build_app", "main", "version"]

MODULES = (
    "flows.cli.demo",
    "flows.cli.run",
    "flows.cli.detect",
    "flows.cli.prepare",
    "flows.cli.judge",
    "flows.cli.vet",
    "flows.cli.watch",
    "flows.cli.monitor",
    "flows.cli.explain",
    "flows.cli.ledger",
    "flows.cli.patches",
    "flows.cli.register",
    "flows.cli.report",
    "flows.cli.map",
    "flows.cli.field",
    "flows.cli.layers",
    "flows.cli.catalog",
    "flows.cli.indices",
    "flows.cli.assess",
    "flows.cli.model",
    "flows.cli.modelverdicts",
    "flows.cli.net",
    "flows.cli.package",
    "flows.cli.deploy",
    "flows.cli.runs",
    "flows.cli.init",
    "flows.cli.desk",
    "flows.cli.audit",
    "flows.cli.doctor",
)
"""Modules with a ``register(app)``, in the order of ``--help``.

A module is imported for every command, also for ``--help``: it may load typer and `configs`, and
what a command needs beyond that is imported inside the command.
"""

BRIEF = "check"
"""A command that ends before there is anything to collect; looking for it, on the way and once more
at the end, took a fifth of its time."""

INTERRUPTED = "interrupted; the same command goes on where this one stopped"
_GLOBAL_FLAGS = ("--debug", "--quiet")
_GLOBAL_VALUES = ("--progress",)


class _Root(TyperGroup):
    """The root command: global options may stand anywhere, errors end in three lines."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _globals_first(args))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TubanError as error:
            if wants_traceback():
                raise
            report(error)
            raise typer.Exit(ExitCode.USER_ERROR) from None
        except typer.BadParameter as error:
            error.message = plain_message(error.message)
            raise


def _globals_first(args: list[str]) -> list[str]:
    end = args.index("--") if "--" in args else len(args)
    front: list[str] = []
    rest: list[str] = []
    words = iter(args[:end])
    for word in words:
        if word in _GLOBAL_FLAGS or word.startswith(tuple(f"{v}=" for v in _GLOBAL_VALUES)):
            front.append(word)
        elif word in _GLOBAL_VALUES:
            front += [word, *(value for value in [next(words, None)] if value is not None)]
        else:
            rest.append(word)
    return front + rest + args[end:]


def version() -> str:
    """Return the version of the installed program."""
    from importlib.metadata import version as installed

    return installed("tuban")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tuban {version()}")
        raise typer.Exit


def _root(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="TUBAN_DEBUG", help="Detailed log and tracebacks.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Errors and results only.")] = False,
    progress: Annotated[
        Mode, typer.Option(envvar="TUBAN_PROGRESS", help="How progress is shown, on stderr.")
    ] = Mode.AUTO,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """From two satellite images to a defensible list of land-use clues.

    Start with `tuban doctor`, then `tuban demo`, then `tuban init` for your own data.
    """
    set_talk(debug=debug, quiet=quiet, progress=progress)


def build_app() -> typer.Typer:
    """Return the whole command tree."""
    app = typer.Typer(
        cls=_Root,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in MODULES:
        importlib.import_module(name).register(app)
    return app


def main() -> None:
    """Run the command line and end the process with its exit code.

    0 fine, 1 user error, 2 misuse, 3 finished with exceptions listed, 130 interrupted.
    """
    if BRIEF in sys.argv:
        gc.disable()
        atexit.register(gc.freeze)
    settle_environment()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        build_app()(prog_name="tuban")
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:
            tell(INTERRUPTED)
        raise
    except Exception as error:
        if wants_traceback():
            raise
        if _came_of_interruption(error):
            tell(INTERRUPTED)
            sys.exit(ExitCode.INTERRUPTED)
        tell(_unforeseen(error))
        sys.exit(ExitCode.USER_ERROR)


def _came_of_interruption(error: BaseException | None) -> bool:
    """Tell whether an error arose while the program was ending because it was told to."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _unforeseen(error: Exception) -> str:
    """Return the three lines for an error that no part of the program foresaw."""
    if isinstance(error, OSError) and error.filename:
        return (
            f"error: {error.strerror}\n"
            f"  where: {os.fsdecode(error.filename)}\n"
            "  fix:   look after the file, its rights and its disk or share, then run the same "
            "command again: it goes on where this one stopped"
        )
    return (
        f"error: {type(error).__name__}: {error}\n"
        "  where: this is a fault of the program, not of your data\n"
        "  fix:   run the command again with --debug and report what it prints"
    )


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
