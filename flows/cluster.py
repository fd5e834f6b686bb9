"""Dask clusters: in-process threads, worker processes on this machine, or one by address."""

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import psutil

from configs.errors import InputError, ResourceError, RunError, TubanError
from flows.environment import worker_environment
from flows.keys import code_fingerprint

__all__ = ["dashboard_line", "default_workers", "memory_limit", "open_client", "worker_memory"]

log = logging.getLogger(__name__)

DRIVER_RESERVE = 200 << 20
"""Bytes the driver may still grow by."""
WORKER_LEAST = 300 << 20
"""Bytes of a worker that has loaded its libraries."""
LOCAL_ONLY = "127.0.0.1:0"
"""Where Dask's own web servers listen: they cannot be switched off, only kept off the network."""
REMOTE_ROOMS = ("configs", "tiles", "detect", "models")
"""Rooms whose code decides the result of a tile."""

_LOCAL_CONFIG = {
    # A tile whose worker died comes back at once; `_Dispatch` decides what to do with it.
    "distributed.scheduler.allowed-failures": 0,
    # Results are small: nothing to spill, and a paused worker would never wake up.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # Nobody asks Dask what its threads do; looking a hundred times a second would hold them up.
    "distributed.worker.profile.enabled": False,
}


def default_workers() -> int:
    """Return the cores this process may use (containers and affinity respected)."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def memory_limit() -> int:
    """Return the bytes this machine or its container allows."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT or psutil.virtual_memory().total)


def worker_memory(memory: int | None, workers: int) -> int:
    """Return the bytes of one worker process: (limit − driver) / workers.

    Raises
    ------
    ResourceError
        If that is less than a worker needs to start.
    """
    limit = memory if memory is not None else int(0.9 * memory_limit())
    driver = psutil.Process().memory_info().rss + DRIVER_RESERVE
    each: int = (limit - driver) // workers
    if each < WORKER_LEAST:
        fit = max(0, (limit - driver) // WORKER_LEAST)
        raise ResourceError(
            f"{limit / 1e6:.0f} MB leave {max(0, each) / 1e6:.0f} MB for each of {workers} workers"
            f", {WORKER_LEAST / 1e6:.0f} MB are needed",
            "--memory, --workers",
            f"use --workers {fit} or more memory" if fit else "use --scheduler threads",
        )
    return each


def dashboard_line(client: Any, scheduler: str) -> str | None:
    """Return where a person can watch the workers, or what is missing for that.

    None for threads without bokeh, which draws the pages.
    """
    if find_spec("bokeh") is None:
        why = "dashboard: none, its pages are drawn by bokeh: pip install tuban[dashboard]"
        return None if scheduler == "threads" else why
    link = client.dashboard_link
    if client.cluster is not None:  # Dask names the host, but it listens on loopback only
        link = f"http://{LOCAL_ONLY.partition(':')[0]}:{urlsplit(link).port}/status"
    elif not _draws_pages(client):
        link = "the scheduler serves none (bokeh is missing there)"
    return f"dashboard: {link}"


def _draws_pages(client: Any) -> bool:
    """Ask a scheduler elsewhere: its address of the pages is there with and without bokeh."""
    try:
        client.run_on_scheduler(version, "bokeh")
    except PackageNotFoundError:
        return False
    return True


def _require_room(memory: int | None) -> None:
    """Refuse a limit that this process exceeds before it works a tile."""
    taken = psutil.Process().memory_info().rss
    if memory is not None and memory < taken:
        raise ResourceError(
            f"{memory / 1e6:.0f} MB are allowed and {taken / 1e6:.0f} MB are needed to begin",
            "--memory",
            f"use --memory {math.ceil(taken / 1e8) / 10:.1f}GB or more",
        )


@contextmanager
def open_client(
    scheduler: str, workers: int | None, memory: int | None
) -> Iterator[tuple[Any, int]]:
    """Give a Dask client and the number of threads of all its workers.

    Parameters
    ----------
    scheduler : str
        ``threads``, ``processes`` or the address of a Dask scheduler.
    workers : int, optional
        Default: the cores of this machine, or all threads of the cluster at the address.
    memory : int, optional
        Bytes for this process and all its worker processes.

    Raises
    ------
    InputError
        If the scheduler or the number makes no sense.
    RunError
        If nothing answers at the address, or its workers have other code.
    ResourceError
        If the memory does not suffice.
    """
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers", "--workers", "use at least 1")
    if "://" in scheduler:
        with _remote(scheduler) as client:
            yield client, workers or max(1, sum(client.nthreads().values()))
        return
    if scheduler not in ("threads", "processes"):
        raise InputError(
            f"there is no scheduler {scheduler!r}",
            "--scheduler",
            "use threads, processes or the address of a Dask scheduler (tcp://host:port)",
        )
    import dask
    from distributed import Client, LocalCluster
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    count = workers or default_workers()
    if scheduler == "threads":
        _require_room(memory)
    options = _local_options(scheduler, count, memory)
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        stack.enter_context(_quiet())
        stack.enter_context(dask.config.set(_LOCAL_CONFIG))
        cluster = stack.enter_context(
            LocalCluster(  # type: ignore[no-untyped-call]
                dashboard_address=None,
                scheduler_kwargs={
                    "dashboard_address": LOCAL_ONLY,
                    "dashboard": find_spec("bokeh") is not None,
                },
                worker_dashboard_address=LOCAL_ONLY,
                **options,
            )
        )
        stack.callback(lambda: cluster.sync(_end, cluster, scheduler == "threads"))
        client = Client(cluster)  # type: ignore[no-untyped-call]
        yield stack.enter_context(client), count


def _local_options(scheduler: str, count: int, memory: int | None) -> dict[str, Any]:
    """Return what a local cluster of threads or processes is started with."""
    if scheduler == "threads":
        return {
            "processes": False,
            "n_workers": 1,
            "threads_per_worker": count,
            "memory_limit": 0,
        }
    return {
        "processes": True,
        "n_workers": count,
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        "memory_limit": worker_memory(memory, count),
        "env": worker_environment(),
    }


async def _end(cluster: Any, threads: bool) -> None:
    """Close the workers of a local cluster without waiting for tiles cancelled in the middle."""
    options: dict[str, Any] = {"executor_wait": False, "nanny": False} if threads else {}
    closing = [worker.close(timeout=1, **options) for worker in cluster.workers.values()]
    await asyncio.gather(*closing, return_exceptions=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own remarks on dead workers out of the log: the dispatch reports them."""
    wanted = {"distributed": logging.WARNING} | {
        f"distributed.{name}": logging.CRITICAL for name in ("scheduler", "nanny", "worker")
    }
    loggers = [logging.getLogger(name) for name in wanted]
    levels = [logger.level for logger in loggers]
    for logger, level in zip(loggers, wanted.values(), strict=True):
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _remote(address: str) -> Iterator[Any]:
    """Connect to a running cluster whose workers have the same code as this process."""
    from distributed import Client

    try:
        client = Client(address, timeout=30)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise RunError(
            f"no Dask scheduler answers ({error})", address, "start one or use --scheduler threads"
        ) from error
    with client, _scheduler_gone(client, address):
        told = _code_of_workers(client, address)
        mine = code_fingerprint(REMOTE_ROOMS)
        if other := sorted(w for w, code in told.items() if code != mine):
            raise RunError(
                "workers have another version of tuban: results would differ",
                f"{address}: {', '.join(other)}",
                "install this version there",
            )
        yield client


def _code_of_workers(client: Any, address: str) -> dict[str, str]:
    """Return the fingerprint of the code of each worker; one that dies meanwhile is not asked."""
    while True:
        try:
            client.wait_for_workers(1, timeout=60)
            return dict(client.run(code_fingerprint, REMOTE_ROOMS))
        except TimeoutError as error:
            raise RunError("the cluster has no worker", address, "start workers there") from error
        except (ImportError, RunError) as error:
            raise RunError(
                f"a worker cannot load tuban ({error})", address, "install this version there"
            ) from error
        except OSError as error:
            if client.status != "running":
                raise
            log.info("a worker went away while it was asked for its code: %s", error)


@contextmanager
def _scheduler_gone(client: Any, address: str) -> Iterator[None]:
    """Say so where work ends because the scheduler does not answer any more."""
    try:
        yield
    except TubanError:
        raise
    except Exception as error:
        if client.status == "running":
            raise
        raise RunError(
            "the scheduler went away",
            address,
            "start it and its workers, then run the same command again: it goes on where it "
            "stopped",
        ) from error
