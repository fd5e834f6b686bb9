"""The picture of a whole run for its report, decoded while a stage leaves a core idle."""

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

from flows.ownprocess import has_room

if TYPE_CHECKING:
    from flows.stages import StageContext
    from tiles.chips import Chip

__all__ = ["Overview", "overview_of"]

OVERVIEW_PX = 760

BYTES, BYTES_PER_PATCH = 500_000_000, 5_000
"""What decoding takes, and the tables and the store for each patch beside it, measured."""


class Overview:
    """The later date of a whole run as a picture, decoded once.

    Parameters
    ----------
    context : StageContext
    """

    def __init__(self, context: "StageContext") -> None:
        self._context, self._ended = context, Event()
        self._future: Future[Chip] | None = None

    def begin(self, patches: int) -> None:
        """Begin beside what follows, where memory holds both.

        Parameters
        ----------
        patches : int
            Of the run, whose tables are in memory beside it.
        """
        room = BYTES + BYTES_PER_PATCH * patches
        if self._future is not None or not has_room(self._context.options, room):
            return
        pool = ThreadPoolExecutor(1, "overview")
        self._future = pool.submit(overview_of, self._context, self._ended)
        pool.shutdown(wait=False)

    def picture(self) -> "Chip":
        """Return the picture: wait for it, or decode it now, also where that failed before."""
        if self._future is not None and self._future.exception() is None:
            return self._future.result()
        return overview_of(self._context)

    def end(self) -> None:
        """Leave off: nobody waits for the picture any more."""
        self._ended.set()


def overview_of(context: "StageContext", ended: Event | None = None) -> "Chip":
    """Return the later date of a whole run as a picture.

    Parameters
    ----------
    context : StageContext
    ended : Event, optional
        `concurrent.futures.CancelledError` once it is set.
    """
    from flows.pictures import cutter_of

    with cutter_of(context) as cutter:
        bounds = context.plan.grid.bounds(context.plan.extent)
        return cutter.cut_after(bounds, OVERVIEW_PX, ended)
