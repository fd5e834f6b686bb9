"""The lock of a run folder: one operator at a time, a dead one's lock is taken over."""

import atexit
import getpass
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import NoReturn

import psutil

from configs.errors import RunError, RunLocked
from tiles.files import told_full

__all__ = ["Holder", "RunLock", "holder_state", "read_holder"]

log = logging.getLogger(__name__)

LOCK_NAME = "run.lock"
HEARTBEAT_S = 5.0
STALE_S = 60.0
"""Age of the heartbeat after which a holder on another machine counts as dead."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes
    ----------
    token : str
        Names this very lock, not only its holder.
    host, user : str
        For the message to the second operator.
    machine : str
        Boot and process-id namespace: process ids can be compared within it.
    pid : int
    started : float
        Start of the process, Unix seconds: a process id may be given again.
    since : str
        When the lock was taken, ISO 8601 UTC.
    """

    token: str
    host: str
    user: str
    machine: str
    pid: int
    started: float
    since: str

    @classmethod
    def me(cls) -> "Holder":
        """Describe this process."""
        return cls(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            user=_user(),
            machine=_machine(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            since=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"user {os.getuid()}"


@cache
def _machine() -> str:
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "|".join(parts)


def read_holder(folder: Path) -> Holder | None:
    """Return who holds the lock of a run folder; None if nobody does.

    A lock file that cannot be understood is reported as held by process 0 of nobody: it is
    judged by its age alone.
    """
    try:
        return Holder(**json.loads((folder / LOCK_NAME).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return Holder("", "an unknown host", "an unknown user", "", 0, 0.0, "an unknown time")


def holder_state(folder: Path) -> tuple[Holder | None, str]:
    """Return who holds the lock of a run folder, and why it counts as dead ("" where it lives)."""
    holder = read_holder(folder)
    try:
        age = time.time() - (folder / LOCK_NAME).stat().st_mtime
    except FileNotFoundError:
        return None, ""
    return holder, "" if holder is None else _death(holder, age, STALE_S) or ""


@dataclass(eq=False)
class RunLock:
    """Exclusive right to write into a run folder; use as a context manager or `acquire`/`release`.

    Parameters
    ----------
    folder : Path
        Run folder; must exist.
    heartbeat_s : float
        Seconds between two signs of life (the lock file's modification time).
    stale_s : float
        A holder on another machine whose last sign is older counts as dead.
    """

    folder: Path
    heartbeat_s: float = HEARTBEAT_S
    stale_s: float = STALE_S
    holder: Holder | None = None
    took_over: str | None = field(default=None, init=False)
    """What was taken over and why, for the operator; None in the ordinary case."""
    _stop: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    @property
    def path(self) -> Path:
        """The lock file."""
        return self.folder / LOCK_NAME

    def acquire(self) -> "RunLock":
        """Take the lock.

        Raises
        ------
        RunLocked
            If a living process holds it.
        """
        mine = Holder.me()
        part = self.folder / f"{LOCK_NAME}.{mine.token}"
        with _guard(self.folder):
            try:
                with told_full(self.path):
                    part.write_text(json.dumps(asdict(mine), indent=1), encoding="utf-8")
                now = part.stat().st_mtime  # the file system's clock, not this machine's
                for _ in range(5):
                    if _create(part, self.path):
                        break
                    self._remove_stale(now)
                else:
                    self._refuse(read_holder(self.folder))
            finally:
                part.unlink(missing_ok=True)
            for left in sorted(self.folder.glob(f"{LOCK_NAME}.*")):
                left.unlink(missing_ok=True)
        self.holder = mine
        self._stop.clear()
        beat = threading.Thread(target=self._beat, name="run-lock", daemon=True)
        beat.start()
        atexit.register(self.release)
        return self

    def release(self) -> None:
        """Give the lock back; harmless when it is not held (any more)."""
        self._stop.set()
        if self.holder is None or self.holder.pid != os.getpid():
            return  # never held, or inherited by a forked child
        atexit.unregister(self.release)
        held, self.holder = self.holder, None
        current = read_holder(self.folder)
        if current is not None and current.token == held.token:
            self.path.unlink(missing_ok=True)

    def require_held(self) -> None:
        """Raise `RunError` if the lock was lost, e.g. while this machine slept."""
        current = read_holder(self.folder)
        if self.holder is None or current is None or current.token != self.holder.token:
            raise RunError(
                f"the lock of the run was lost; it is now held by {current or 'nobody'}",
                str(self.path),
                "let the other operator finish, then run the same command again",
            )

    def __enter__(self) -> "RunLock":
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _beat(self) -> None:
        while not self._stop.wait(self.heartbeat_s):
            current = read_holder(self.folder)
            if self.holder is None or current is None or current.token != self.holder.token:
                return  # lost: the next write says so
            with suppress(OSError):
                os.utime(self.path)

    def _remove_stale(self, now: float) -> None:
        """Move a dead holder's lock out of the way; refuse if the holder lives."""
        holder = read_holder(self.folder)
        if holder is None:
            return
        try:
            age = now - self.path.stat().st_mtime
        except FileNotFoundError:
            return
        reason = _death(holder, age, self.stale_s)
        if reason is None:
            self._refuse(holder)
        aside = self.path.with_name(f"{LOCK_NAME}.{uuid.uuid4().hex}")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        try:
            taken = json.loads(aside.read_text(encoding="utf-8")).get("token")
        except (ValueError, AttributeError):
            taken = ""
        if taken != holder.token:  # somebody was quicker and we moved a living lock: put it back
            _create(aside, self.path)
            aside.unlink(missing_ok=True)
            self._refuse(read_holder(self.folder))
        aside.unlink(missing_ok=True)
        self.took_over = f"took over the lock of {holder}: {reason}"
        log.warning("%s", self.took_over)

    def _refuse(self, holder: Holder | None) -> NoReturn:
        raise RunLocked(
            f"another operator works in this run folder: {holder or 'unknown'}",
            str(self.path),
            "wait until that run ends or stop it there; `--out` with another folder runs beside it",
        )


def _death(holder: Holder, age: float, stale_s: float) -> str | None:
    """Return why a holder counts as dead; None if it lives as far as can be told."""
    if holder.machine == _machine():
        try:
            started = psutil.Process(holder.pid).create_time()
        except psutil.NoSuchProcess:
            return "the process has ended"
        except psutil.AccessDenied:
            return None
        return "the process has ended" if abs(started - holder.started) > 1.0 else None
    return f"no sign of life for {age:.0f} s" if age > stale_s else None


def _create(source: Path, target: Path) -> bool:
    """Make `target` with the content of `source`, whole or not at all; False if it exists."""
    try:
        os.link(source, target)
    except (FileExistsError, FileNotFoundError):
        return False
    except OSError:  # a file system without hard links
        try:
            handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(handle, "wb") as stream:
            stream.write(source.read_bytes())
    return True


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """Serialise operators of one machine for the moment of taking the lock.

    The kernel frees the guard when its holder dies. Across machines, where a file system may not
    know it, the token check after the rename decides.
    """
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
