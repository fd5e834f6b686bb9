"""Progress of a stage for a person or a program, and the record of what the stage cost."""

import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from flows.journal import dump_json

if TYPE_CHECKING:
    import psutil

__all__ = ["Meter", "Mode", "Progress", "set_mode"]

POLL_S = 0.5
SEARCH_S = 0.25
"""Least time between two searches for children and two counts of shared pages, seconds: both take
milliseconds, and whoever maps memory meanwhile waits for the second."""
ALONE_S = 5.0
"""The same of shared pages while there are no children: strangers share libraries at most."""
PLAIN_EVERY_S = 10.0
JSON_EVERY_S = 1.0


class Mode(StrEnum):
    """How progress is shown, always on stderr."""

    AUTO = "auto"
    """A bar on a terminal, lines elsewhere."""
    BAR = "bar"
    PLAIN = "plain"
    JSON = "json"
    QUIET = "quiet"


_chosen = Mode.AUTO


def set_mode(mode: Mode) -> None:
    """Choose how the progress of this process is shown."""
    global _chosen
    _chosen = mode


class Meter:
    """Measures CPU time, memory and traffic of this process and its children while it is open."""

    def __init__(self, poll_s: float = POLL_S) -> None:
        self.peak_bytes = self.now_bytes = 0
        self._start: float | None = None
        self._end: float | None = None
        self._cpu_before = 0.0
        self._poll_s = poll_s
        self._cpu: dict[tuple[int, float], float] = {}
        self._moved: dict[tuple[int, float], tuple[int, int]] = {}
        self._moved_before = (0, 0)
        self._known: list[psutil.Process] = []
        self._shared: dict[tuple[int, float], int] = {}
        self._search_at = self._share_at = -math.inf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> "Meter":
        self._start = time.perf_counter()
        self._look()
        self._cpu_before = sum(self._cpu.values())
        self._moved_before = self._moved_in_all()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._search_at = self._share_at = -math.inf
        self._look()
        self._end = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Wall time from opening to now or to closing; 0 before."""
        if self._start is None:
            return 0.0
        return (time.perf_counter() if self._end is None else self._end) - self._start

    @property
    def cpu_seconds(self) -> float:
        """CPU time so far, as of the last look."""
        return sum(self._cpu.values()) - self._cpu_before

    @property
    def moved_bytes(self) -> tuple[int, int]:
        """Bytes read and written so far, as of the last look; 0 where the system tells none."""
        now = self._moved_in_all()
        return now[0] - self._moved_before[0], now[1] - self._moved_before[1]

    def _moved_in_all(self) -> tuple[int, int]:
        return (sum(r for r, _ in self._moved.values()), sum(w for _, w in self._moved.values()))

    def _run(self) -> None:
        while not self._stop.wait(self._poll_s):
            self._look()

    def _look(self) -> None:
        import psutil

        now, total = time.monotonic(), 0
        searched = now >= self._search_at
        if searched:
            me = psutil.Process()
            self._known, self._search_at = [me, *me.children(recursive=True)], now + SEARCH_S
        shares = searched and (len(self._known) > 1 or now >= self._share_at)
        if shares:
            self._share_at = now + ALONE_S
        for process in self._known:
            with suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                one = process.pid, process.create_time()
                self._cpu[one] = times.user + times.system
                resident = int(process.memory_info().rss)
                if shares:
                    self._shared[one] = resident - _proportional_bytes(process)
                if searched:
                    self._moved[one] = _moved_bytes(process)
                total += resident - self._shared.get(one, 0)
        self.now_bytes = total
        self.peak_bytes = max(self.peak_bytes, total)


def _proportional_bytes(process: "psutil.Process") -> int:
    """Return the PSS: shared pages count once over all processes (RSS where it is not told)."""
    import psutil

    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)


def _moved_bytes(process: "psutil.Process") -> tuple[int, int]:
    """Return the bytes that a process read and wrote, from and to caches and disks alike."""
    try:
        counts = process.io_counters()
    except AttributeError:  # a system that does not tell
        return 0, 0
    return getattr(counts, "read_chars", 0), getattr(counts, "write_chars", 0)


class Progress:
    """Shows how far a stage is and measures what it costs; a context manager.

    Parameters
    ----------
    stage : str
        Name shown.
    mode : Mode or str, optional
        ``auto`` (the default) means what `set_mode` chose, else a bar on a terminal and lines
        elsewhere.
    stream : text file, optional
        Default: stderr.

    Examples
    --------
    >>> with Progress("tiles", mode="quiet") as progress:
    ...     with progress.counting(2, done=1) as count:
    ...         count.step(pixels=1_000_000)
    >>> progress.record()["items"], progress.record()["reused"]
    (1, 1)
    """

    _open: ClassVar[list["Progress"]] = []

    def __init__(
        self, stage: str, *, mode: Mode | str = Mode.AUTO, stream: TextIO | None = None
    ) -> None:
        self.stage = stage
        self.total: int | None = None
        self.unit = "tiles"
        self.items = self.reused = self.retries = self.failed = self.pixels = 0
        self._stream = stream if stream is not None else sys.stderr
        self._mode = _settle(Mode(mode), self._stream)
        self._meter = Meter()
        self._counting_since = 0.0
        self._shown = -math.inf
        self._bar: _Bar | None = None
        self._record: dict[str, Any] | None = None

    @classmethod
    def current(cls) -> "Progress":
        """Return the innermost open progress (a silent one where none is open)."""
        return cls._open[-1] if cls._open else cls("", mode=Mode.QUIET)

    def __enter__(self) -> "Progress":
        self._meter.__enter__()
        self._open.append(self)
        if self._mode is Mode.BAR:
            self._bar = _Bar(self.stage, self._stream)
        elif self._mode is Mode.JSON:
            self._show()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._open.remove(self)
        self._meter.__exit__()
        self._record = self.record()
        if self._bar is not None:
            self._bar.close(self.text())
        else:
            self._show("stopped" if kind else "done")

    @contextmanager
    def counting(self, total: int, *, done: int = 0, unit: str = "tiles") -> Iterator["Progress"]:
        """Count items from here on.

        Parameters
        ----------
        total : int
            All items.
        done : int
            How many of them were there already; they do not make the estimate faster.
        unit : str
            Name of the items.
        """
        self.total, self.unit, self.reused, self.items = total, unit, done, 0
        self._counting_since = self._meter.seconds
        self._show()
        yield self

    def step(self, count: int = 1, *, pixels: int = 0, retries: int = 0, failed: int = 0) -> None:
        """Count items as done.

        Parameters
        ----------
        count : int
            Items, those given up included.
        pixels : int
            Their pixels.
        retries, failed : int
            Further attempts they took, and how many of them were given up.
        """
        self.items += count
        self.pixels += pixels
        self.retries += retries
        self.failed += failed
        self._show()

    def say(self, text: str) -> None:
        """Show a remark."""
        if self._bar is not None:
            self._bar.say(text)
        elif self._mode is Mode.PLAIN:
            self._write(text)
        elif self._mode is Mode.JSON:
            self._write(dump_json({"stage": self.stage, "text": text}))

    @property
    def eta_seconds(self) -> float | None:
        """Seconds to go at the rate so far; None where that cannot be told."""
        if self.total is None:
            return None
        left = self.total - self.items - self.reused
        if left <= 0:
            return 0.0
        return left * self._counted_seconds / self.items if self.items else None

    @property
    def _counted_seconds(self) -> float:
        return max(self._meter.seconds - self._counting_since, 1e-9)

    def text(self) -> str:
        """Return the state on one line."""
        parts = [self.stage]
        if self.total is not None:
            done, seconds = self.items + self.reused, self._counted_seconds
            parts = [f"{self.stage}: {done}/{self.total} {self.unit}"]
            if self.items:
                parts.append(f"{self.items / seconds:.2f} {self.unit}/s")
            if self.pixels:
                parts.append(f"{self.pixels / seconds / 1e6:.2f} Mpx/s")
            counts = (self.reused, "reused"), (self.retries, "retried"), (self.failed, "given up")
            parts += [f"{count} {word}" for count, word in counts if count]
            if self.eta_seconds and done < self.total:
                parts.append(f"{_clock(self.eta_seconds)} to go")
        parts.append(f"{self._meter.now_bytes / 1e6:.0f} MB")
        return ", ".join([*parts, f"{_clock(self._meter.seconds)} so far"])

    def record(self) -> dict[str, Any]:
        """Return what the stage cost; final after the block.

        Returns
        -------
        dict
            ``seconds`` (wall), ``cpu_seconds`` (process and children), ``peak_bytes`` (largest
            sum of the proportional set sizes of the process tree), ``read_bytes`` and
            ``written_bytes``, ``items``, ``reused``, ``retries``, ``failed``, ``pixels``.
        """
        if self._record is not None:
            return self._record
        read, written = self._meter.moved_bytes
        return {
            "seconds": round(self._meter.seconds, 3),
            "cpu_seconds": round(self._meter.cpu_seconds, 2),
            "peak_bytes": self._meter.peak_bytes,
            "read_bytes": read,
            "written_bytes": written,
            "items": self.items,
            "reused": self.reused,
            "retries": self.retries,
            "failed": self.failed,
            "pixels": self.pixels,
        }

    def _show(self, state: str = "running") -> None:
        if self._bar is not None:
            self._bar.update(self.total, self.items + self.reused, self.text())
            return
        now = time.perf_counter()
        every = JSON_EVERY_S if self._mode is Mode.JSON else PLAIN_EVERY_S
        if self._mode is Mode.QUIET or (state == "running" and now - self._shown < every):
            return
        self._shown = now
        if self._mode is Mode.JSON:
            seconds = self._counted_seconds
            told: dict[str, Any] = {"stage": self.stage, "state": state, "unit": self.unit}
            told |= {
                "total": self.total,
                "items_per_second": round(self.items / seconds, 3),
                "mpx_per_second": round(self.pixels / seconds / 1e6, 3),
                "memory_bytes": self._meter.now_bytes,
            }
            self._write(dump_json(told | {"eta_seconds": self.eta_seconds} | self.record()))
        else:
            self._write(self.text() + (f"; {state}" if state != "running" else ""))

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def _settle(mode: Mode, stream: TextIO) -> Mode:
    mode = _chosen if mode is Mode.AUTO else mode
    if mode is Mode.AUTO:
        return Mode.BAR if stream.isatty() else Mode.PLAIN
    return mode


class _Bar:
    """A bar of rich; imported only where one is drawn."""

    def __init__(self, stage: str, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            console=Console(file=stream),
        )
        self._task = self._rich.add_task(stage, total=None)
        self._rich.start()

    def update(self, total: int | None, done: int, text: str) -> None:
        self._rich.update(self._task, total=total, completed=done, description=text)

    def say(self, text: str) -> None:
        self._rich.console.print(text, markup=False, highlight=False)

    def close(self, text: str) -> None:
        task = self._rich.tasks[0]
        self._rich.update(
            self._task,
            total=1 if task.total is None else task.total,
            completed=1 if task.total is None else task.completed,
            description=text,
        )
        self._rich.stop()


def _clock(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
