"""Interleaved timing of a task and its peers: CPU seconds first, medians, ratios in one run."""

import os
import platform
import resource
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numba import njit
from numpy.typing import NDArray

Task = Callable[[], Any]

HZ = 20
"""How often a process tree is looked at."""


class Timing:
    """Median CPU and wall seconds of one task."""

    def __init__(self) -> None:
        self.cpus: list[float] = []
        self.walls: list[float] = []

    @classmethod
    def of(cls, cpus: Sequence[float]) -> "Timing":
        """Return what another program measured, which tells no wall seconds."""
        found = cls()
        found.cpus, found.walls = list(cpus), [float("nan")]
        return found

    @property
    def cpu(self) -> float:
        return statistics.median(self.cpus)

    @property
    def wall(self) -> float:
        """The least: other work on the machine only adds."""
        return min(self.walls)


def cpu_seconds() -> float:
    """Return CPU seconds of this process and of the children it has waited for."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def interleaved(tasks: Mapping[str, Task], repeats: int) -> dict[str, Timing]:
    """Run every task once to warm up, then all of them in turns."""
    for task in tasks.values():
        task()
    timings = {name: Timing() for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            cpu, wall = cpu_seconds(), time.perf_counter()
            task()
            timings[name].walls.append(time.perf_counter() - wall)
            timings[name].cpus.append(cpu_seconds() - cpu)
    return timings


def in_threads(task: Callable[[int], Any], parts: int, threads: int) -> Task:
    """Return a task that works all parts on some threads."""

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(task, range(parts)))

    return run


@njit(nogil=True)
def _triad(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> None:
    for i in range(a.size):
        a[i] = b[i] + 0.5 * c[i]


def tree_bytes(root: psutil.Process) -> int:
    """Return the proportional set size of a process and all below it."""
    total = 0
    with suppress(psutil.Error):
        for process in (root, *root.children(recursive=True)):
            with suppress(OSError, StopIteration):
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_bytes().split(b"\n")
                total += 1024 * next(int(x.split()[1]) for x in rollup if x.startswith(b"Pss:"))
    return total


class Watch(threading.Thread):
    """Looks at a process tree until it is gone."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.root, self.begin = psutil.Process(pid), time.perf_counter()
        self.seen: list[tuple[float, int]] = []
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(1 / HZ):
            self.seen.append((time.perf_counter() - self.begin, tree_bytes(self.root)))

    @property
    def peak(self) -> int:
        return max((size for _, size in self.seen), default=0)


@dataclass(frozen=True)
class Worked:
    """What a command took: seconds, bytes of the whole process tree, and what it told."""

    wall: float
    cpu: float
    peak: int
    seen: list[tuple[float, int]]
    code: int
    told: str


def worked(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    fine: Sequence[int] = (0,),
) -> Worked:
    """Run a command in a fresh process and measure it; raise SystemExit where it fails."""
    words = [str(word) for word in command]
    began = time.perf_counter()
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=folder
    )
    watch = Watch(process.pid)
    watch.start()
    pipes = [_Drain(pipe) for pipe in (process.stdout, process.stderr)]
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    watch.done.set()
    watch.join()
    told, wrong = (pipe.text() for pipe in pipes)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code not in fine:
        raise SystemExit(f"{' '.join(words)} ended with {code}:\n{wrong[-2000:] or told[-2000:]}")
    return Worked(wall, used.ru_utime + used.ru_stime, watch.peak, watch.seen, code, told)


class _Drain(threading.Thread):
    """Reads what a process tells while it works, so that it never waits for a reader."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(daemon=True)
        self.pipe, self.content = pipe, b""
        self.start()

    def run(self) -> None:
        self.content = self.pipe.read()

    def text(self) -> str:
        self.join()
        return self.content.decode("utf-8", "replace")


def bandwidth_gain(repeats: int) -> tuple[float, float]:
    """Return GB/s of a memory triad on one thread, and how much faster two threads are."""
    size, parts = 8_000_000, 8
    arrays = [[np.ones(size // parts * 2) for _ in range(3)] for _ in range(parts)]
    run = {str(n): in_threads(lambda k: _triad(*arrays[k]), parts, n) for n in (1, 2)}
    found = interleaved(run, repeats)
    moved = sum(a.nbytes for part in arrays for a in part) / 1e9
    return moved / found["1"].wall, found["1"].wall / found["2"].wall


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Return a Markdown table; columns after the first are aligned right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def machine(packages: Sequence[str]) -> str:
    """Return one sentence about the machine, its load and the versions of packages."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":")[1].strip() for line in info if line.startswith("model name")]
    found = ", ".join(f"{name} {version(name)}" for name in packages)
    load = os.getloadavg()[0]
    return (
        f"{len(names)} cores ({names[0]}), Python {platform.python_version()}, {found}; "
        f"load average {load:.1f} at the start."
    )
