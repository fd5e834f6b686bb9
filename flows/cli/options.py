"""Options that mean the same in every command, and how a command talks."""

import datetime as dt
import logging
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from configs.errors import TubanError
from flows.progress import Mode, set_mode

__all__ = [
    "SHOWN",
    "AcceptGoodRows",
    "By",
    "Memory",
    "Out",
    "Overrule",
    "Scheduler",
    "Tile",
    "Workers",
    "group_of",
    "parse_day",
    "parse_size",
    "report",
    "set_talk",
    "show_rows",
    "tell",
    "wants_traceback",
]

SHOWN = 40
"""Rows of a list that a command prints; all are in its report."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``4GB``, ``512MiB``, ``1.5g`` or ``2000000``."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", str(text).lower())
    if match is None or (match[3] and not match[2]):
        raise typer.BadParameter(f"{text!r} is no size; write 4GB, 512MiB or a number of bytes")
    units = _BINARY_UNITS if match[3] else _UNITS
    return int(float(match[1]) * units[match[2]])


def parse_day(text: str | None, option: str) -> dt.date | None:
    """Return the day that an option names, None where it is not given."""
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r} is no date; write 2025-06-12") from None


By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who checked, where the file is silent.")
]
AcceptGoodRows = Annotated[
    bool,
    typer.Option("--accept-good-rows", help="Keep rows without fault although others have."),
]
Overrule = Annotated[
    bool,
    typer.Option("--overrule", help="Take the answer of the file where the run has another."),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for what is written.")]
Scheduler = Annotated[
    str,
    typer.Option(
        "--scheduler",
        metavar="[threads|processes|tcp://HOST:PORT]",
        help="Where tiles are worked: threads, processes, or a Dask scheduler.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Threads or processes.", show_default="all cores"),
]
Tile = Annotated[int, typer.Option("--tile", min=64, help="Side of a tile in pixels.")]
Memory = Annotated[
    int | None,
    typer.Option(
        "--memory",
        parser=parse_size,
        metavar="SIZE",
        help="What the whole run may take, e.g. 4GB.",
        show_default="what the machine has",
    ),
]


def group_of(app: typer.Typer, name: str, text: str) -> typer.Typer:
    """Return a group of commands; made with its help text on the first call."""
    for group in app.registered_groups:
        if group.name == name and group.typer_instance is not None:
            return group.typer_instance
    made = typer.Typer(no_args_is_help=True)
    app.add_typer(made, name=name, help=text)
    return made


def show_rows(
    rows: Sequence[Sequence[object]], tallies: Mapping[str, object], names: Sequence[str]
) -> None:
    """Print the first rows of what was read back, how many more there are, and its counts."""
    for row in rows[:SHOWN]:
        typer.echo("\t".join("" if cell is None else str(cell) for cell in row))
    if len(rows) > SHOWN:
        typer.echo(f"… {len(rows) - SHOWN}")
    for name in names:
        typer.echo(f"{name}\t{tallies[name]}")


class _Talk(logging.StreamHandler[TextIO]):
    """Writes to the stderr of the moment, so that lines do not break a progress bar."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


_debug = False


def set_talk(*, debug: bool, quiet: bool, progress: Mode) -> None:
    """Settle what the program says: log level, progress, tracebacks."""
    global _debug
    _debug = debug
    set_mode(Mode.QUIET if quiet else progress)
    # rasterio silences this one by itself, but the silencing of one thread can end that of another
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Talk)]:
        root.removeHandler(handler)
    root.addHandler(_Talk())
    root.setLevel(logging.ERROR if quiet else logging.WARNING)
    for room in ("flows", "clues", "models", "detect", "tiles", "configs"):
        level = logging.DEBUG if debug else logging.ERROR if quiet else logging.WARNING
        logging.getLogger(room).setLevel(level)


def wants_traceback() -> bool:
    """Return whether ``--debug`` was given."""
    return _debug


def tell(text: str) -> None:
    """Say something to the operator, on stderr; results go to stdout."""
    typer.echo(text, err=True)


def report(error: TubanError) -> None:
    """Print the three lines of an error: what, where, fix."""
    typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
    tell(str(error))
