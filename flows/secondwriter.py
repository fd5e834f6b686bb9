"""A second process that writes one file of the ledger beside this one.

Writing a workbook is work of one core, and so are the other outputs: with two cores both are done
at the same time. What the second process cannot write, this one writes.
"""

import importlib
import logging
import os
import pickle  # nosec B403 # only between a process and the one that it started
import subprocess  # nosec B404 # this program itself, no shell
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil

from flows.cluster import default_workers, memory_limit
from flows.formats import FORMATS, writers_of
from tiles.files import PART_MARK, atomic_path

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables
    from flows.stagekeys import RunOptions

__all__ = ["LEAST_CLUES", "SecondWriter", "pays", "second_writer"]

log = logging.getLogger(__name__)

LEAST_CLUES = 5000
"""Clues from which a second process pays: it takes two seconds to load what it needs, in which one
process writes as many."""

BYTES, BYTES_PER_PATCH = 200_000_000, 6_000
"""What the process takes, measured: its libraries, and more for each patch."""

LOADED = ("geopandas", "pyarrow.parquet", "xlsxwriter", "clues.outputs.ledger")
"""What the process loads while it waits for its work."""


@contextmanager
def second_writer(name: str) -> "Iterator[SecondWriter]":
    """Start a process that waits for a file to write; end it, whatever it is doing, at the end.

    Parameters
    ----------
    name : str
        Format of the ledger, of `flows.formats.FORMATS`.
    """
    program = [sys.executable, "-m", __name__]
    paths = os.pathsep.join(filter(None, sys.path))
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(  # nosec B603 # our own module
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=told,
            env={**os.environ, "PYTHONPATH": paths},
        ) as process,
    ):
        writer = SecondWriter(name, process, told)
        try:
            yield writer
        finally:
            process.kill()
            writer.clear()


class SecondWriter:
    """A process that writes one file; see `second_writer`.

    Parameters
    ----------
    name : str
        Format of the ledger.
    process : Popen
        With a pipe to it.
    told : binary file
        What it tells of its failure.
    """

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", told: IO[bytes]) -> None:
        self.name = name
        self._process, self._told = process, told
        self._part: Path | None = None

    def begin(self, tables: "ClueTables", run: Path, thumbnails: Mapping[str, Any]) -> None:
        """Hand over the work; the process writes beside where the file of the run goes.

        Parameters
        ----------
        tables : ClueTables
        run : Path
            Folder of the run.
        thumbnails : mapping
            See `flows.pictures.thumbnails`.
        """
        self._part = run / f"{PART_MARK}{FORMATS[self.name].name}"
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            pickle.dump((self.name, tables, run, thumbnails, self._part), self._process.stdin)
            self._process.stdin.flush()

    def or_else(self, write: Callable[[Path], None]) -> Callable[[Path], None]:
        """Return what puts the file in place when it is ready, or writes it where it is not."""

        def put(path: Path) -> None:
            code = self._process.wait()
            if code == 0 and self._part is not None:
                with atomic_path(path) as part:
                    self._part.replace(part)
                return
            log.warning(
                "a second process could not write %s (%s): this one writes it",
                *(path.name, self._failure() or f"ended with {code}"),
            )
            write(path)

        return put

    def _failure(self) -> str:
        """Return the last line that the process told."""
        self._told.seek(0)
        lines = self._told.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def clear(self) -> None:
        """Remove what was begun and not put in place."""
        self._process.wait()
        if self._part is not None:
            self._part.unlink(missing_ok=True)


def pays(options: "RunOptions", clues: int, patches: int) -> bool:
    """Tell whether a run is to write with two processes.

    Parameters
    ----------
    options : RunOptions
    clues : int
        How many are in the list.
    patches : int
        Which memory is to hold twice.
    """
    if clues < LEAST_CLUES or (options.workers or default_workers()) < 2:
        return False
    limit = 0.9 * memory_limit() if options.memory is None else options.memory
    # this process is going to grow by the same rows while it writes
    taken = int(psutil.Process().memory_info().rss)
    return taken + BYTES + 2 * BYTES_PER_PATCH * patches < limit


def main() -> None:
    """Write one file as the process that started this one asks; end when that one ends."""
    for module in LOADED:
        importlib.import_module(module)
    work = pickle.load(sys.stdin.buffer)  # nosec B301 # of the process that started this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    name, tables, run, thumbnails, path = work
    writers_of([name], tables, run, lambda: thumbnails)[name](path)


def _end_with_parent() -> None:
    """End at once where the other end of the pipe is closed: the process there is gone."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
