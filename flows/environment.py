"""Environment variables that other programs read at their start: workers, GDAL, Prefect."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

__all__ = [
    "give_back_memory",
    "prefect_environment",
    "settle_environment",
    "worker_environment",
]

GDAL_CACHE_MB = 64
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker: one thread for array libraries, a small GDAL cache.

    Dask owns the cores, and a product of matrices has the same last bit in every worker only if
    it is not split over threads. The cache counts against each worker's share of the memory.
    """
    return {
        **dict.fromkeys(_ONE_THREAD, "1"),
        "GDAL_CACHEMAX": os.environ.get("GDAL_CACHEMAX", str(GDAL_CACHE_MB)),
    }


def settle_environment() -> None:
    """Give this process the environment of a worker where it has no own wish.

    Array libraries read it when they are loaded: to be called before.
    """
    for name, value in worker_environment().items():
        os.environ.setdefault(name, value)


def give_back_memory() -> None:
    """Give freed memory back to the system, which GNU's C library keeps for each thread.

    Without it a run keeps hundreds of megabytes that its stages have freed long ago.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def prefect_environment(home: Path) -> dict[str, str]:
    """Return the environment for Prefect in this process: offline, silent, with its own home.

    To be put into ``os.environ`` before the first import of ``prefect``. An API address that the
    operator has set is respected: then the flow runs against that server.

    Parameters
    ----------
    home : Path
        Folder for Prefect's database and profiles.
    """
    own = {
        "PREFECT_HOME": str(home.resolve()),
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
        "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "DO_NOT_TRACK": "1",
    }
    wishes = {
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
    }
    if os.environ.get("PREFECT_API_URL"):
        own.pop("PREFECT_SERVER_EPHEMERAL_ENABLED")
    return own | {name: os.environ.get(name, value) for name, value in wishes.items()}
