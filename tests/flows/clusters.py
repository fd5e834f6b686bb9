"""A Dask cluster of processes that a test may kill: one scheduler, workers that share nothing."""

import asyncio
import os
import socket
import tempfile
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import dask

from tests.flows.faults import forked

__all__ = ["Cluster"]


@dataclass
class Cluster:
    """A scheduler on a port of its own and its workers, each with a working folder of its own.

    Attributes
    ----------
    folder : Path
        Where the folders of the workers go.
    worker_ttl : str
        So long the scheduler waits for a worker that says nothing
        (DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL).
    pids : list of int
        Of all workers there were.
    """

    folder: Path
    worker_ttl: str = "5 minutes"
    port: int = 0
    scheduler: BaseProcess | None = None
    workers: list[BaseProcess] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where a run finds it."""
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, workers: int = 2) -> "Cluster":
        """Start a scheduler, on the same port as before, and workers."""
        self.stop()
        self.port = self.port or free_port()
        self.scheduler = forked(serve_scheduler, self.port, self.worker_ttl)
        for _ in range(workers):
            self.add_worker()
        return self

    def add_worker(self) -> None:
        """Start one more worker."""
        place = self.folder / f"worker-{len(self.pids)}"
        place.mkdir(parents=True)
        self.workers.append(forked(serve_worker, self.address, place))
        self.pids.append(self.workers[-1].pid)

    def stop(self) -> None:
        """Kill all of it."""
        for process in (*self.workers, *([self.scheduler] if self.scheduler else [])):
            process.kill()
            process.join()
        self.workers, self.scheduler = [], None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve_scheduler(port: int, worker_ttl: str) -> None:
    from distributed import Scheduler

    dask.config.set({"distributed.scheduler.worker-ttl": worker_ttl})

    async def serve() -> None:
        async with Scheduler(host="127.0.0.1", port=port, dashboard=False) as scheduler:
            await scheduler.finished()

    asyncio.run(serve())


def serve_worker(address: str, place: Path) -> None:
    from distributed import Worker

    os.chdir(place)
    tempfile.tempdir = str(place)
    dask.config.set({"distributed.comm.timeouts.connect": 60})

    async def serve() -> None:
        async with Worker(
            address, nthreads=1, local_directory=str(place), memory_limit=0, dashboard=False
        ) as worker:
            await worker.finished()

    asyncio.run(serve())
