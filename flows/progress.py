"""Progress of a stage for a person or a program, and the record of what the stage cost."""

import json
import math
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TextIO

import psutil

__all__ = ["Meter", "Mode", "Progress", "StageRecord", "set_mode"]

POLL_S = 0.5
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


@dataclass(frozen=True)
class StageRecord:
    """What a stage cost.

    Attributes
    ----------
    stage : str
    seconds, cpu_seconds : float
        Wall time; CPU time of the process and its children (to half a second per child).
    peak_bytes : int
        Largest sum of the proportional set sizes of all processes of the tree.
    items, reused, retries, failed : int
        Items done (reused ones not counted), reused, further attempts, items given up.
    pixels : int
        Pixels of the items done.
    """

    stage: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    items: int = 0
    reused: int = 0
    retries: int = 0
    failed: int = 0
    pixels: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


class Meter:
    """Measures CPU time and memory of this process and all its children while it is open."""

    def __init__(self, poll_s: float = POLL_S) -> None:
        self.peak_bytes = 0
        self._poll_s = poll_s
        self._cpu: dict[tuple[int, float], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> "Meter":
        self._start = time.perf_counter()
        self._look()
        self._cpu_before = sum(self._cpu.values())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return time.perf_counter() - self._start

    @property
    def cpu_seconds(self) -> float:
        """CPU time so far, as of the last look."""
        return sum(self._cpu.values()) - self._cpu_before

    def _run(self) -> None:
        while not self._stop.wait(self._poll_s):
            self._look()

    def _look(self) -> None:
        total = 0
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            with suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                self._cpu[process.pid, process.create_time()] = times.user + times.system
                total += _proportional_bytes(process)
        self.peak_bytes = max(self.peak_bytes, total)


def _proportional_bytes(process: psutil.Process) -> int:
    """Return the PSS: shared pages count once over all processes (RSS where it is not told)."""
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)


class Progress:
    """Shows how far a stage is and measures it; a context manager.

    Parameters
    ----------
    stage : str
        Name shown.
    total : int
        Number of items.
    unit : str
        Name of the items.
    mode : Mode, optional
        Default: what `set_mode` chose.
    stream : text file, optional
        Default: stderr.

    Examples
    --------
    >>> with Progress("tiles", 2, mode=Mode.QUIET) as progress:
    ...     progress.reuse(1)
    ...     progress.advance(pixels=1_000_000)
    >>> progress.record.items, progress.record.reused
    (1, 1)
    """

    def __init__(
        self,
        stage: str,
        total: int,
        *,
        unit: str = "tiles",
        mode: Mode | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self.stage, self.total, self.unit = stage, total, unit
        self.items = self.reused = self.retries = self.failed = self.pixels = 0
        self._stream = stream if stream is not None else sys.stderr
        wished = mode if mode is not None else _chosen
        if wished is Mode.AUTO:
            wished = Mode.BAR if self._stream.isatty() else Mode.PLAIN
        self._mode = wished
        self._meter = Meter()
        self._shown = -math.inf
        self._bar: Any = None
        self._record: StageRecord | None = None

    def __enter__(self) -> "Progress":
        self._meter.__enter__()
        if self._mode is Mode.BAR:
            self._bar = _Bar(self.total, self._stream)
        self._show()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._meter.__exit__()
        self._record = self._measure()
        if self._bar is not None:
            self._bar.close(self.text())
        else:
            self._show("stopped" if kind else "done")

    @property
    def record(self) -> StageRecord:
        """What the stage cost; final after the block."""
        return self._record if self._record is not None else self._measure()

    def advance(
        self, count: int = 1, *, pixels: int = 0, retries: int = 0, failed: int = 0
    ) -> None:
        """Count items as done.

        Parameters
        ----------
        count : int
            Items, failed ones included.
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

    def reuse(self, count: int = 1) -> None:
        """Count items that were there already: they do not make the estimate faster."""
        self.reused += count
        self._show()

    @property
    def eta_seconds(self) -> float | None:
        """Seconds to go at the rate so far; None as long as nothing was done."""
        left = self.total - self.items - self.reused
        if left <= 0:
            return 0.0
        return left * self._meter.seconds / self.items if self.items else None

    def text(self) -> str:
        """Return the state on one line."""
        seconds = max(self._meter.seconds, 1e-9)
        done = self.items + self.reused
        parts = [f"{self.stage}: {done}/{self.total} {self.unit}"]
        if self.items:
            parts.append(f"{self.items / seconds:.2f} {self.unit}/s")
        if self.pixels:
            parts.append(f"{self.pixels / seconds / 1e6:.2f} Mpx/s")
        for count, word in ((self.reused, "reused"), (self.retries, "retried")):
            if count:
                parts.append(f"{count} {word}")
        if self.failed:
            parts.append(f"{self.failed} given up")
        eta = self.eta_seconds
        if eta and done < self.total:
            parts.append(f"{_clock(eta)} to go")
        parts.append(f"{_clock(seconds)} so far")
        return ", ".join(parts)

    def _measure(self) -> StageRecord:
        return StageRecord(
            self.stage,
            round(self._meter.seconds, 3),
            round(self._meter.cpu_seconds, 2),
            self._meter.peak_bytes,
            self.items,
            self.reused,
            self.retries,
            self.failed,
            self.pixels,
        )

    def _show(self, state: str = "running") -> None:
        if self._bar is not None:
            self._bar.update(self.items + self.reused, self.text())
            return
        now = time.perf_counter()
        every = JSON_EVERY_S if self._mode is Mode.JSON else PLAIN_EVERY_S
        if self._mode is Mode.QUIET or (state == "running" and now - self._shown < every):
            return
        self._shown = now
        if self._mode is Mode.JSON:
            more = {"state": state, "total": self.total, "eta_seconds": self.eta_seconds}
            text = json.dumps(more | self.record.to_dict())
        elif state == "running":
            text = self.text()
        else:
            text = f"{self.text()}; {state}"
        self._stream.write(text + "\n")
        self._stream.flush()


class _Bar:
    """A bar of rich; imported only where one is drawn."""

    def __init__(self, total: int, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            BarColumn(bar_width=30),
            TextColumn("{task.description}", markup=False),
            console=Console(file=stream, stderr=True),
        )
        self._task = self._rich.add_task("", total=total)
        self._rich.start()

    def update(self, done: int, text: str) -> None:
        self._rich.update(self._task, completed=done, description=text)

    def close(self, text: str) -> None:
        self._rich.update(self._task, description=text)
        self._rich.stop()


def _clock(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
