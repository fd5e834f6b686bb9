"""A run as a process of its own that is hit in the middle: killed, stopped, its disk filled up.

Processes are forked from one that has loaded the libraries, so that a start costs a moment. The
position of a fault is a number of writes: every opening for writing, renaming and connecting to a
store below the folder of runs counts, whatever the stage.
"""

import contextlib
import ctypes
import errno
import multiprocessing
import os
import re
import shutil
import signal
import socket
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from configs.errors import TubanError
from flows.stages import RunOptions
from tests.flows.command import products, run_folder
from tiles.files import PART_MARK

__all__ = [
    "LEDGER",
    "SEPARATOR",
    "Fault",
    "fill_in_turn",
    "forked",
    "killed",
    "on_another_host",
    "start_command",
    "start_run",
    "tile_makings",
    "told",
    "writes",
]

LEDGER = ("clues.xlsx", "clues.geojson", "change.tif", "quality/observed.csv")
"""What must be the same bytes, whatever happened on the way."""

LOADED = (
    *("flows.runner", "flows.publishing", "flows.joining", "flows.fitjob", "flows.stored"),
    *("clues.judgement", "clues.outputs.ledger", "clues.outputs.reporthtml", "distributed"),
    *("sklearn.ensemble", "xlsxwriter", "pyogrio", "pyarrow.parquet", "alembic.command"),
)
EXIT_ERROR = 1

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([*LOADED, "tests.flows.faults"])


@dataclass(frozen=True)
class Fault:
    """What happens at which write.

    Attributes
    ----------
    kind : str
        ``kill``, ``stop`` (whoever started it sends SIGCONT), ``full`` (the disk is full from
        here on; needs `new_disk`), ``bad`` (every write there fails: bad places of the disk),
        ``locked`` (somebody else writes into the store that is opened there), or ``none``: only the
        writes are noted.
    at : int or str
        Number of the write, from 1; or an expression for a part of the path of a file: the first
        write to it.
    delay : float
        Seconds between that write and a kill or stop, or for which the store is locked.
    """

    kind: str = "none"
    at: int | str = 0
    delay: float = 0.0


def forked(work: Callable[..., None], *args: Any) -> BaseProcess:
    """Start a process that has the libraries loaded."""
    process = _forks.Process(target=work, args=args)
    process.start()
    return process


def start_run(
    config: Path,
    out: Path,
    options: RunOptions,
    fault: Fault | None = None,
    *,
    host: str = "",
    environment: Mapping[str, str] | None = None,
) -> BaseProcess:
    """Start a run below `out`; what it said at the end stands in `told`, its writes in `writes`.

    With a host it runs on a machine of that name, as far as a run can tell.
    """
    surroundings = (host, dict(environment or {}))
    return forked(_drive, config, out, options, fault or Fault(), *surroundings)


def start_command(out: Path, fault: Fault, *words: object) -> BaseProcess:
    """Start ``tuban WORDS`` with a fault below `out`; all it said stands in `told`."""
    return forked(_command, out, fault, list(map(str, words)))


def _command(out: Path, fault: Fault, words: list[str]) -> None:
    from flows.cli.app import main

    Writes(out).expect(fault)
    sys.argv = ["tuban", *words]
    with (
        told_path(out).open("w", encoding="utf-8") as said,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        main()


def told_path(out: Path) -> Path:
    """Return the file with the error of the last run below `out`."""
    return out.with_name(f"{out.name}.error")


def told(out: Path) -> str:
    """Return the error with which the last run ended; "" where it ended well."""
    path = told_path(out)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def writes(out: Path) -> list[str]:
    """Return the files that the last run wrote to, in order, as far as it noted them."""
    return out.with_name(f"{out.name}.writes").read_text(encoding="utf-8").splitlines()


def killed(process: BaseProcess) -> bool:
    """Wait for the end; return whether it was killed."""
    process.join(600)
    assert process.exitcode is not None, "the run hangs"
    return process.exitcode == -signal.SIGKILL


def tile_makings(out: Path) -> list[str]:
    """Return the names of tiles in the order in which they were recorded as made."""
    return [p["name"] for p in products(run_folder(out)) if p["stage"] == "tiles"]


def _drive(
    config: Path,
    out: Path,
    options: RunOptions,
    fault: Fault,
    host: str,
    environment: dict[str, str],
) -> None:
    os.environ.update(environment)
    if host:
        on_another_host(host)
    Writes(out).expect(fault)
    if message := _work(config, out, options):
        told_path(out).write_text(message, encoding="utf-8")
        sys.exit(EXIT_ERROR)
    told_path(out).unlink(missing_ok=True)


def _work(config: Path, out: Path, options: RunOptions) -> str:
    """Work a run; return the error that it ends with."""
    from flows.runner import work_run

    try:
        work_run(config, out, options, plain=True)
    except TubanError as error:
        return str(error)
    except Exception:
        return traceback.format_exc()
    return ""


def fill_in_turn(
    config: Path, out: Path, options: RunOptions, at: Sequence[int | str]
) -> BaseProcess:
    """Start a process that works a run on a disk that is full at one write after the other.

    Numbers count on over all starts of the run. The errors of all stand in `told`, in order, and
    the run folder of the end lies below `out`.
    """
    return forked(_drive_full, config, out, options, list(at))


DISK = 512 << 20
SEPARATOR = "\n---\n"


def _drive_full(config: Path, out: Path, options: RunOptions, at: list[int | str]) -> None:
    disk = out.with_name(f"{out.name}.disk")
    if why := new_disk(disk, DISK):
        told_path(out).write_text(f"no disk: {why}", encoding="utf-8")
        sys.exit(EXIT_ERROR)
    watch, messages = Writes(disk), []
    for place in at:
        left = place if isinstance(place, str) else max(1, place - len(watch.seen))
        watch.expect(Fault("full", left))
        messages.append(_work(config, disk, options))
        resize_disk(disk, DISK)
        if messages[-1]:
            kept = sorted(str(p) for p in disk.rglob(f"{PART_MARK}*"))
            messages[-1] += "".join(f"\nleft: {p}" for p in kept)
    watch.expect(Fault())
    messages.append(_work(config, disk, options))
    shutil.copytree(disk, out)
    note = "\n".join(watch.seen)
    out.with_name(f"{out.name}.writes").write_text(note, encoding="utf-8")
    told_path(out).write_text(SEPARATOR.join(messages), encoding="utf-8")


class Writes:
    """The writes of this process below a folder; a fault happens at its number."""

    def __init__(self, out: Path) -> None:
        self.out, self.seen = out, []
        self._lock, self._fault, self._past = threading.RLock(), Fault(), 0
        self._note = os.open(
            out.with_name(f"{out.name}.writes"), os.O_CREAT | os.O_TRUNC | os.O_WRONLY
        )
        sys.addaudithook(self._hook)

    def expect(self, fault: Fault) -> None:
        """Let a fault happen; its number counts from the next write."""
        self._fault, self._past = fault, len(self.seen)

    def _hook(self, event: str, args: tuple) -> None:
        if event not in ("open", "os.rename", "sqlite3.connect"):
            return
        path = os.fsdecode(args[0]) if isinstance(args[0], str | bytes | os.PathLike) else ""
        if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR):
            return
        root = f"{self.out}{os.sep}"
        if not path.startswith(root):
            return
        with self._lock:
            self.seen.append(path.removeprefix(root))
            os.write(self._note, f"{self.seen[-1]}\n".encode())
            if self._fault.kind == "bad" and self._is_due():
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            if self._is_due():
                fault, self._fault = self._fault, Fault()
                self._happen(fault)

    def _is_due(self) -> bool:
        at = self._fault.at
        if isinstance(at, str):
            return re.search(at, self.seen[-1]) is not None
        return at > 0 and len(self.seen) - self._past == at

    def _happen(self, fault: Fault) -> None:
        sign = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}.get(fault.kind)
        if fault.kind == "full":
            fill_up(self.out)
        elif fault.kind == "locked":
            lock_store(self.out / self.seen[-1], fault.delay)
        elif sign is not None and fault.delay:
            timer = threading.Timer(fault.delay, os.kill, (os.getpid(), sign))
            timer.daemon = True
            timer.start()
        elif sign is not None:
            os.kill(os.getpid(), sign)


def lock_store(path: Path, seconds: float) -> None:
    """Hold a store as another program that writes into it does, for some time."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(seconds, other.close)
    timer.daemon = True
    timer.start()


CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER = 0x00020000, 0x04000000, 0x10000000
MS_REMOUNT, MS_REC, MS_PRIVATE = 0x20, 0x4000, 0x40000


def new_disk(folder: Path, size: int) -> str | None:
    """Put an empty disk in memory in place of a folder, for this process alone.

    Returns
    -------
    str or None
        Why the machine does not allow it; None where it does.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWNS if user == 0 else CLONE_NEWNS | CLONE_NEWUSER
    if libc.unshare(flags):
        return os.strerror(ctypes.get_errno())
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size}".encode()
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options):
        return os.strerror(ctypes.get_errno())
    return None


def on_another_host(name: str) -> None:
    """Give this process alone a host name, which is how runs tell machines apart.

    Raises
    ------
    OSError
        If the machine does not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUTS if os.getuid() == 0 else CLONE_NEWUTS | CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    socket.sethostname(name)


def resize_disk(folder: Path, size: int) -> None:
    """Give a disk of `new_disk` another size."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={size}".encode()
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", MS_REMOUNT, options):
        raise OSError(ctypes.get_errno(), "the disk keeps its size", str(folder))


def fill_up(folder: Path) -> None:
    """Let a disk of `new_disk` have no room beyond what is on it."""
    while True:
        info = os.statvfs(folder)
        try:
            resize_disk(folder, (info.f_blocks - info.f_bfree) * info.f_frsize)
        except OSError:  # another thread has written in the meantime
            continue
        return
