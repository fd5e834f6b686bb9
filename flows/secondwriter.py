"""A second process that writes one file of the ledger beside this one.

Writing a workbook is work of one core, and so are the other outputs: with two cores both are done
at the same time. What the second process cannot write, this one writes.
"""

import importlib
import logging
import os
import pickle  # nosec B403 # between a process and the one that it started
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.formats import FORMATS, writers_of
from flows.ownprocess import end_with_parent, has_room, last_line, started
from tiles.files import atomic_path

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

UNTOLD = (OSError, pickle.PicklingError, AttributeError, TypeError)
"""What becomes of handing over to a process that is gone, or what cannot be pickled."""

WORK, TOLD = "work.pickle", "told.txt"


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
    # this process is going to grow by the same rows while it writes
    return clues >= LEAST_CLUES and has_room(options, BYTES + 2 * BYTES_PER_PATCH * patches)


@contextmanager
def second_writer(name: str) -> "Iterator[SecondWriter]":
    """Start a process that waits for a file to write; end it, whatever it is doing, at the end.

    Parameters
    ----------
    name : str
        Format of the ledger, of `flows.formats.FORMATS`.
    """
    with tempfile.TemporaryDirectory(prefix="tuban-") as folder:
        writer = SecondWriter(name, Path(folder))
        try:
            writer.start()
            yield writer
        finally:
            writer.end()


class SecondWriter:
    """A process that writes one file; see `second_writer`.

    Parameters
    ----------
    name : str
        Format of the ledger.
    folder : Path
        For what passes between the processes, and what the other one writes.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.process: subprocess.Popen[bytes] | None = None
        self._told = (folder / TOLD).open("wb+")

    def start(self) -> None:
        """Start the process, which loads what it needs and waits."""
        try:
            self.process = started(__name__, self._told, TMPDIR=str(self.folder))
        except OSError as error:
            log.warning("no second process can be started: %s", error)

    def begin(self, tables: "ClueTables", run: Path, thumbnails: Mapping[str, Any]) -> None:
        """Hand over the work.

        Parameters
        ----------
        tables : ClueTables
        run : Path
            Folder of the run.
        thumbnails : mapping
            See `flows.pictures.thumbnails`.
        """
        if self.process is None or self.process.stdin is None:
            return
        try:
            with (self.folder / WORK).open("wb") as file:
                pickle.dump((self.name, tables, run, thumbnails), file)
            os.write(self.process.stdin.fileno(), f"{self.folder}\n".encode())
        except UNTOLD as error:
            log.warning("a second process could not be told what to write: %s", error)
            self.process.kill()

    def or_else(self, write: Callable[[Path], None]) -> Callable[[Path], None]:
        """Return what puts the file in place when it is ready, or writes it where it is not."""

        def put(path: Path) -> None:
            code = None if self.process is None else self.process.wait()
            if code == 0:
                with atomic_path(path) as part:
                    shutil.copyfile(self.folder / FORMATS[self.name].name, part)
                return
            if code is not None:
                log.warning(
                    "a second process could not write %s (%s): this one writes it",
                    *(path.name, last_line(self._told) or f"ended with {code}"),
                )
            write(path)

        return put

    def leave(self) -> None:
        """End the process, whatever it is doing: this one writes the file."""
        self._stop()
        self.process = None

    def end(self) -> None:
        """End the process and close what leads to it."""
        self._stop()
        self._told.close()

    def _stop(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()


def main() -> None:
    """Write one file as the process that started this one asks; end when that one ends."""
    for module in LOADED:
        importlib.import_module(module)
    folder = Path(sys.stdin.readline().rstrip("\n"))
    end_with_parent()
    with (folder / WORK).open("rb") as file:
        name, tables, run, thumbnails = pickle.load(file)  # nosec B301 # of the parent
    writers_of([name], tables, run, lambda: thumbnails)[name](folder / FORMATS[name].name)


if __name__ == "__main__":
    main()
