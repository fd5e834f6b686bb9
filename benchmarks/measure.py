"""Interleaved timing of a task and its peers: CPU seconds first, medians, ratios in one run."""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Task = Callable[[], Any]


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
    with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123
        names = [line.split(":")[1].strip() for line in info if line.startswith("model name")]
    found = ", ".join(f"{name} {version(name)}" for name in packages)
    load = os.getloadavg()[0]
    return (
        f"{len(names)} cores ({names[0]}), Python {platform.python_version()}, {found}; "
        f"load average {load:.1f} at the start."
    )
