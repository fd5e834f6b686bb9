"""Tiles on Dask: threads, processes or an address; bounded, with retries and dead letters.

All three go through one `distributed` client, so that order, retries and failures are the same
everywhere. In-process threads start in a tenth of a second once the library is loaded.
"""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from configs.errors import InputError, RasterError, RunError, TubanError
from flows.cluster import dashboard_line, open_client
from flows.progress import Progress
from flows.room import Room
from tiles.files import Fences, fenced, fences

__all__ = ["TileResult", "map_tiles", "require_all_worked", "work_once"]

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 2
HOPELESS = 8
"""So many tiles failed and none succeeded: the fault is not in the tiles."""


@dataclass(frozen=True)
class TileResult(Generic[R]):
    """What came of one tile.

    Attributes
    ----------
    value : object or None
        What the function returned.
    failure : str or None
        Why the tile was given up; then `value` is None.
    attempts : int
        1 where the first attempt succeeded.
    pid, host : int, str
        Process that made the value; 0 and "" for a failure.
    seconds : float
        Wall time of the successful attempt.
    where : str
        File that could not be read, for a failure.
    """

    value: R | None
    failure: str | None
    attempts: int
    pid: int
    host: str
    seconds: float
    where: str = ""


def map_tiles(
    function: Callable[[T], R],
    tiles: Sequence[T],
    *,
    scheduler: str = "threads",
    workers: int | None = None,
    memory: int | None = None,
    retries: int = RETRIES,
) -> Iterator[tuple[T, TileResult[R]]]:
    """Work tiles side by side; yield each with its result as it is done.

    At most 2 × workers tiles are in flight, handed out in the given order. A failing read
    (`RasterError`, `OSError`) is tried again at the end of the queue; a tile whose worker died is
    tried again alone, since its neighbours may have died of it. A tile that fails every time is
    yielded with its failure and the others go on. Any other error is raised at once. Closing the
    iterator (or Ctrl-C) cancels what is in flight; what was yielded is not touched.

    Parameters
    ----------
    function : callable
        Module-level function, or `functools.partial` of one: a bare worker must be able to import
        it. Arguments and value are pickled; pass paths and small tables, never rasters.
    tiles : sequence
        Picklable; a ``name`` attribute is used in messages.
    scheduler : str
        ``threads``, ``processes``, or the address of a Dask scheduler (``tcp://…``).
    workers : int, optional
        Threads or processes; default: the cores of this machine. For an address: the number that
        bounds the tiles in flight, default all threads of the cluster.
    memory : int, optional
        Bytes that the whole run may take; default: what the machine or its container allows.
        Threads: tiles are held back to keep it. Processes: a worker that takes more than its part
        is ended. At an address the limits are those of the cluster.
    retries : int
        Further attempts after the first.

    Raises
    ------
    RunError
        If no tile at all can be worked, or the cluster cannot be used.
    ResourceError
        If the memory does not suffice for the workers.
    """
    _require_importable(function)
    if not tiles:
        return
    with ExitStack() as stack:
        client, width = stack.enter_context(open_client(scheduler, workers, memory))
        if told := dashboard_line(client, scheduler):
            Progress.current().say(told)
        dispatch = _Dispatch(client, function, deque(tiles), 2 * width, retries)
        if scheduler == "threads" and memory is not None:
            dispatch.room = stack.enter_context(Room(memory, width))
        yield from dispatch.results()


def work_once(
    function: Callable[[T], R], job: T, *, scheduler: str = "threads", memory: int | None = None
) -> R:
    """Do one job on one worker, so that this process reads no pixels and keeps its memory.

    Parameters
    ----------
    function : callable
        Module-level function of one argument; argument and value are pickled.
    job : object
    scheduler, memory
        As for `map_tiles`.

    Raises
    ------
    RunError
        If the worker dies or the cluster cannot be used. Errors of the function come as they are.
    ResourceError
        If the memory does not suffice.
    """
    _require_importable(function)
    with open_client(scheduler, None if "://" in scheduler else 1, memory) as (client, _):
        for attempt in range(1, RETRIES + 2):
            future = client.submit(_do, function, job, fences(), pure=False)
            if (found := _result_of(future, client)) is not None:
                value: R = found[0]
                return value
            log.warning("%s: its worker died; attempt %d", function.__name__, attempt)
    raise RunError(
        "the worker died, most likely for want of memory",
        function.__name__,
        "give more with --memory, or use --scheduler threads; then run the same command again",
    )


def _result_of(future: Any, client: Any) -> tuple[Any] | None:
    """Wait for what a job returns; None where its worker died."""
    from distributed import CancelledError, KilledWorker, wait

    wait(future)  # type: ignore[no-untyped-call]
    if future.status == "error" and isinstance(future.exception(), KilledWorker):
        return None
    try:
        return (future.result(),)
    except (KilledWorker, CancelledError):
        if client.status != "running":
            raise
        return None


def require_all_worked(failed: Sequence[str], count: int, folder: Path) -> None:
    """Raise `RunError` with the names of the tiles that were given up, if there are any."""
    if failed:
        raise RunError(
            f"{len(failed)} of {count} tiles could not be worked: {', '.join(failed[:5])}",
            str(folder),
            "see the log for each tile's reason; mend it and run the same command again: "
            "finished tiles are kept",
        )


class _ResultLost(Exception):
    """A worker died with a result that nobody had fetched."""


@dataclass
class _Try(Generic[T]):
    tile: T
    attempts: int = 0

    @property
    def name(self) -> str:
        return str(getattr(self.tile, "name", self.tile))


@dataclass
class _Dispatch(Generic[T, R]):
    """One pass over the tiles."""

    client: Any
    function: Callable[[T], R]
    queue: deque[T]
    bound: int
    retries: int
    again: deque[_Try[T]] = field(default_factory=deque)
    alone: deque[_Try[T]] = field(default_factory=deque)
    flying: dict[Any, _Try[T]] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    room: Room | None = None

    def results(self) -> Iterator[tuple[T, TileResult[R]]]:
        from distributed import as_completed

        landed = as_completed()  # type: ignore[no-untyped-call]
        try:
            while self._launch(landed):
                future = next(landed)
                attempt = self.flying.pop(future)
                attempt.attempts += 1
                result = self._judge(future, attempt)
                future.release()
                if self.room is not None:
                    self.room.landed()
                if result is not None:
                    yield attempt.tile, result
        finally:
            if self.flying and self.client.status == "running":
                self.client.cancel(list(self.flying), force=True)

    def _launch(self, landed: Any) -> bool:
        """Fill the flight up to its bound; return whether anything is still to come."""
        while len(self.flying) < self._bound_now and (self.queue or self.again):
            self._submit(_Try(self.queue.popleft()) if self.queue else self.again.popleft(), landed)
        if not self.flying and self.alone:
            self._submit(self.alone.popleft(), landed)
        return bool(self.flying)

    @property
    def _bound_now(self) -> int:
        """Tiles in flight; as many as are worked at a time while memory holds some back."""
        room = self.room
        return self.bound if room is None or room.width == room.most else room.width

    def _submit(self, attempt: _Try[T], landed: Any) -> None:
        future = self.client.submit(_work, self.function, attempt.tile, fences(), pure=False)
        self.flying[future] = attempt
        landed.add(future)

    def _judge(self, future: Any, attempt: _Try[T]) -> TileResult[R] | None:
        """Return the result; None if the tile is tried again."""
        value, error = self._outcome(future, attempt)
        if value is not None:
            self.done += 1
            return TileResult(value[0], None, attempt.attempts, *value[1:])
        assert error is not None
        queue = self._queue_for(error)
        if queue is None:
            raise error
        why = _why(error)
        if attempt.attempts <= self.retries:
            log.warning(
                "tile %s: %s; retry %d of %d", attempt.name, why, attempt.attempts, self.retries
            )
            queue.append(attempt)
            return None
        log.error("tile %s: given up after %d attempts: %s", attempt.name, attempt.attempts, why)
        self.failed += 1
        if self.failed >= HOPELESS and not self.done:
            raise RunError(
                f"none of the first {self.failed} tiles can be worked: {why}",
                f"tile {attempt.name}",
                "mend the cause (see the log; `tuban doctor`), then run the same command again",
            ) from error
        where = error.where if isinstance(error, RasterError) else ""
        return TileResult(None, why, attempt.attempts, 0, "", 0.0, where)

    def _outcome(
        self, future: Any, attempt: _Try[T]
    ) -> tuple[tuple[R, int, str, float] | None, BaseException | None]:
        """Return what `_work` returned, or the error; a result lost with its worker is one."""
        from distributed import KilledWorker

        if future.status == "error":
            return None, future.exception()
        if future.status == "finished":
            try:
                return future.result(), None
            except KilledWorker as error:
                return None, error
        if self.client.status != "running":
            raise ConnectionError(f"tile {attempt.name} was {future.status}")
        return None, _ResultLost()

    def _queue_for(self, error: BaseException) -> deque[_Try[T]] | None:
        from distributed import KilledWorker

        if isinstance(error, KilledWorker | MemoryError | _ResultLost):
            return self.alone
        if isinstance(error, RasterError):
            return self.again
        if isinstance(error, OSError) and not isinstance(error, TubanError):
            return self.again
        return None


def _do(function: Callable[[T], R], job: T, around: Fences) -> R:
    """Call a function within the fences of the driver; raise an error of ours without its causes.

    Those of GDAL do not survive the way back from a worker, and would take it with them.
    """
    try:
        with fenced(around, thread=True):
            return function(job)
    except TubanError as error:
        failure = type(error)(error.what, error.where, error.fix)
        failure = failure.with_traceback(error.__traceback__)
    raise failure


def _work(function: Callable[[T], R], tile: T, around: Fences) -> tuple[R, int, str, float]:
    start = time.perf_counter()
    value = _do(function, tile, around)
    return value, os.getpid(), socket.gethostname(), time.perf_counter() - start


def _why(error: BaseException) -> str:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return "its worker process died"
    if isinstance(error, _ResultLost):
        return "its result was lost with a worker"
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, TubanError):
        return f"{error.what} ({error.where})"
    return f"{type(error).__name__}: {error}"


def _require_importable(function: Callable[..., Any]) -> None:
    inner = function.func if isinstance(function, partial) else function
    name = getattr(inner, "__qualname__", "<object>")
    if "<" in name or inner.__module__ == "__main__":
        raise InputError(
            f"{name} cannot be imported by a worker",
            "map_tiles",
            "pass a function defined at the top of a module",
        )
