"""Room for tiles: how many are worked side by side within the memory that a run may take."""

import logging
from types import TracebackType

from configs.errors import ResourceError
from flows.progress import Meter

__all__ = ["Room"]

log = logging.getLogger(__name__)

POLL_S = 0.05
SHARE = 0.9
"""Part of the limit that is planned for; the rest is for what differs between tiles."""


class Room:
    """The width of the work: begins with one tile alone and widens while the memory allows it.

    Nobody can tell beforehand what a tile takes: it depends on bands, nets and what has changed.
    What a tile took is measured instead, as the sum of the proportional set sizes of all processes.

    Parameters
    ----------
    limit : int
        Bytes that all processes together may take.
    most : int
        Threads at hand.
    """

    def __init__(self, limit: int, most: int) -> None:
        self.limit, self.most, self.width = limit, most, 1
        self._proven = most
        self._meter = Meter(POLL_S)
        self._base = self._landed = self._leaving = 0

    def __enter__(self) -> "Room":
        self._meter.__enter__()
        self._base = self._meter.now_bytes
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._meter.__exit__(kind, error, trace)

    def landed(self) -> None:
        """Learn from a tile that has been worked.

        Raises
        ------
        ResourceError
            If a single tile alone takes more than the limit.
        """
        self._landed += 1
        if self._landed <= self._leaving or self.learn(self._meter.peak_bytes):
            self._meter.peak_bytes = self._meter.now_bytes

    def learn(self, peak: int) -> bool:
        """Settle the width by the peak since it was settled last; return whether it changes."""
        if peak > self.limit:
            self._narrow(peak)
            return True
        # As many tiles again as were under way have landed: all of them ran at this width.
        if self._landed - self._leaving < 2 * self.width or self.width == self._proven:
            return False
        each = max(peak - self._base, 0) / self.width
        if self._base + each * (self.width + 1) > SHARE * self.limit:
            return False
        self.width, self._landed, self._leaving = self.width + 1, 0, 0
        return True

    def _narrow(self, peak: int) -> None:
        told = f"{peak / 1e6:.0f} MB of {self.limit / 1e6:.0f} MB"
        if self.width == 1:
            raise ResourceError(
                f"one tile alone takes {told}",
                "--memory, --tile",
                "use a smaller --tile or more --memory, then run the same command again: finished "
                "tiles of the same size are kept",
            )
        self.width -= 1
        self._proven, self._landed, self._leaving = self.width, 0, self.width
        log.warning("%d tiles side by side took %s: one fewer from here", self.width + 1, told)
