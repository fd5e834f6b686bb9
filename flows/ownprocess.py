"""Other processes of this program, which work beside a run and end when it ends."""

import os
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING

import psutil

from flows.cluster import default_workers, memory_limit

if TYPE_CHECKING:
    from flows.stagekeys import RunOptions

__all__ = ["end_with_parent", "has_room", "last_line", "started"]


def has_room(options: "RunOptions", growth: int) -> bool:
    """Tell whether a run has a second core, and memory for another process.

    Parameters
    ----------
    options : RunOptions
    growth : int
        Bytes by which both processes together are going to grow.
    """
    if (options.workers or default_workers()) < 2:
        return False
    limit = 0.9 * memory_limit() if options.memory is None else options.memory
    return int(psutil.Process().memory_info().rss) + growth < limit


def started(module: str, told: IO[bytes], **environment: str) -> "subprocess.Popen[bytes]":
    """Start a module of this program as a process with a pipe to it.

    It is in a session of its own: Ctrl-C is for the run, which ends it.

    Parameters
    ----------
    module : str
        What finds the same modules as this process, and none in the working directory.
    told : binary file
        What it tells of its failure.
    **environment : str
        Variables beside those of this process.

    Raises
    ------
    OSError
        If the system starts no further process.
    """
    paths = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(  # nosec B603 # our own module
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=told,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        start_new_session=True,
    )


def last_line(told: IO[bytes]) -> str:
    """Return the last line that a process told."""
    told.seek(0)
    lines = told.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def end_with_parent() -> None:
    """End this process at once when the one that started it is gone and its pipe with it."""
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
