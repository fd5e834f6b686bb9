"""The lock of a run folder: one operator at a time, a dead one's lock is taken over.

A holder that only slept wakes up to a lock that is no more its own: whatever it or its workers
then want to put in place is refused (`tiles.files.fenced`).
"""

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
from functools import cache, partial
from pathlib import Path
from typing import NoReturn

import psutil

from configs.errors import ConfigError, RunError, RunLocked
from tiles.files import Fences, told_full

__all__ = ["Holder", "RunLock", "holder_state", "read_holder", "stale_after"]

log = logging.getLogger(__name__)

LOCK_NAME = "run.lock"
STALE_S = 60.0
STALE_VARIABLE = "TUBAN_LOCK_STALE_S"
"""Environment variable for another number."""
BEATS = 12
"""Signs of life within that time."""


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
    stale_s : float
        On other machines it counts as dead when it has shown no sign of life for so long.
    """

    token: str
    host: str
    user: str
    machine: str
    pid: int
    started: float
    since: str
    stale_s: float = STALE_S

    @classmethod
    def me(cls, stale_s: float = STALE_S) -> "Holder":
        """Describe this process."""
        return cls(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            user=_user(),
            machine=_machine(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            since=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            stale_s=stale_s,
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


def stale_after() -> float:
    """Return the seconds of silence after which other machines may take a lock of this one over.

    Raises
    ------
    ConfigError
        If the environment variable holds no number of at least one.
    """
    text = os.environ.get(STALE_VARIABLE, "")
    try:
        seconds = float(text) if text else STALE_S
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds < float("inf"):
        raise ConfigError(
            f"{text!r} is no number of seconds",
            STALE_VARIABLE,
            f"write a number from 1, or unset it: {STALE_S:g} seconds",
        )
    return seconds


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
    return holder, "" if holder is None else _death(holder, age) or ""


@dataclass(eq=False)
class RunLock:
    """Exclusive right to write into a run folder; use as a context manager or `acquire`/`release`.

    Parameters
    ----------
    folder : Path
        Run folder; must exist.
    stale_s : float
        So long after its last sign of life (the lock file's modification time) this holder counts
        as dead on other machines; told in the lock, so that all judge by the same number.
    """

    folder: Path
    stale_s: float = field(default_factory=stale_after)
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
        mine = Holder.me(self.stale_s)
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
            self._put_aside(held)

    def require_held(self) -> None:
        """Raise `RunError` if the lock was lost, e.g. while this machine slept."""
        _require_token(self.folder, self.holder.token if self.holder is not None else "")

    @property
    def fences(self) -> Fences:
        """What keeps this process and its workers from writing once the lock was lost."""
        token = self.holder.token if self.holder is not None else ""
        return {self.folder: partial(_require_token, self.folder, token)}

    def __enter__(self) -> "RunLock":
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _beat(self) -> None:
        while not self._stop.wait(self.stale_s / BEATS):
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
        reason = _death(holder, age)
        if reason is None:
            self._refuse(holder)
        moved = self._put_aside(holder)
        if moved is None:
            return
        if not moved:
            self._refuse(read_holder(self.folder))
        self.took_over = f"took over the lock of {holder}: {reason}"
        log.warning("%s", self.took_over)

    def _put_aside(self, holder: Holder) -> bool | None:
        """Remove the lock of a holder; False where it was another's, None where there was none.

        The lock is moved before it is looked at: between a look and a removal somebody else may
        have taken it.
        """
        aside = self.path.with_name(f"{LOCK_NAME}.{uuid.uuid4().hex}")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return None
        try:
            taken = json.loads(aside.read_text(encoding="utf-8")).get("token")
        except (ValueError, AttributeError):
            taken = ""
        if taken != holder.token:  # somebody was quicker and we moved a living lock: put it back
            _create(aside, self.path)
        aside.unlink(missing_ok=True)
        return bool(taken == holder.token)

    def _refuse(self, holder: Holder | None) -> NoReturn:
        raise RunLocked(
            f"another operator works in this run folder: {holder or 'unknown'}",
            str(self.path),
            "wait until that run ends or stop it there; `--out` with another folder runs beside it",
        )


def _require_token(folder: Path, token: str) -> None:
    """Raise `RunError` unless the lock of a folder is the one that a token names."""
    current = read_holder(folder)
    if not token or current is None or current.token != token:
        raise RunError(
            f"the lock of the run was lost; it is now held by {current or 'nobody'}",
            str(folder / LOCK_NAME),
            "let the other operator finish, then run the same command again",
        )


def _death(holder: Holder, age: float) -> str | None:
    """Return why a holder counts as dead; None if it lives as far as can be told."""
    if holder.machine == _machine():
        try:
            started = psutil.Process(holder.pid).create_time()
        except psutil.NoSuchProcess:
            return "the process has ended"
        except psutil.AccessDenied:
            return None
        return "the process has ended" if abs(started - holder.started) > 1.0 else None
    return f"no sign of life for {age:.0f} s" if age > holder.stale_s else None


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
