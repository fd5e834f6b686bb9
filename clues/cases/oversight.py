"""What is seen of cases from above: timeline, exceptions, samples, figures."""

import datetime as dt
import threading
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar

from clues.cases.bookkeeping import Bookkeeping
from clues.store.eventview import events_seen
from clues.store.exceptional import exceptions
from clues.store.lineage import object_history
from clues.store.overview import figures, legal_cropland, sampled
from clues.store.runs import state_of
from clues.store.worklist import Filters, Scope

__all__ = ["Oversight"]

T = TypeVar("T")
MOST_KEPT = 200
"""Answers kept until the store changes."""


class Oversight(Bookkeeping):
    """The views of supervisors; see `clues.cases.casebook.Casebook`."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._lock = threading.Lock()
        self._state: tuple[int, int] = (-1, -1)
        self._made: dict[Hashable, Any] = {}

    def timeline(self, object_id: str, scope: Scope) -> list[dict[str, Any]]:
        """Return what happened to a thing in time: its periods, and the events that one sees."""
        with self.store.engine.connect() as connection:
            periods = object_history(connection, object_id)
            events = events_seen(connection, object_id, scope)
        told: list[dict[str, Any]] = [
            {"kind": "period", "at": str(p["period_after"])} | p for p in periods
        ]
        told += [{"kind": "event"} | vars(event) for event in events]
        return sorted(told, key=lambda t: str(t["at"]))

    def exceptions(self, scope: Scope, day: dt.date | None = None) -> dict[str, Any]:
        """Return by kind what is to be looked at first, on a day or today."""
        on = day or self.today()
        with self.store.engine.connect() as connection:
            return self._kept(
                connection, ("exceptions", scope, on), lambda: exceptions(connection, scope, on)
            )

    def sample(
        self, scope: Scope, seed: str, n: int, filters: Filters | None = None
    ) -> dict[str, Any]:
        """Return a sample of the clues that somebody sees: the same seed draws the same."""
        asked = replace(filters or Filters(), day=self.today())
        with self.store.engine.connect() as connection:
            return sampled(connection, asked, scope, seed, n)

    def statistics(self, scope: Scope, filters: Filters | None = None) -> dict[str, Any]:
        """Return the figures of the clues that somebody sees and asks for.

        Where anything but the division is asked for, the ratio is of the clues alone
        (``is_partial``): dismissed patches, which are part of all new construction, have no state.
        """
        asked = replace(filters or Filters(), day=self.today())
        with self.store.engine.connect() as connection:
            return self._kept(
                connection,
                ("statistics", scope, asked),
                lambda: self._figures(connection, scope, asked),
            )

    def _figures(self, connection: Any, scope: Scope, asked: Filters) -> dict[str, Any]:
        legal = self._kept(connection, ("legal", scope), lambda: legal_cropland(connection, scope))
        if asked.division:
            legal = {c: area for c, area in legal.items() if c.startswith(asked.division)}
        whole = asked == Filters(division=asked.division, day=asked.day)
        found = figures(connection, asked, scope, legal if whole else {})
        found["ratio"]["is_partial"] = not whole
        return found

    def _kept(self, connection: Any, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made before, where the store is as it was then."""
        state = state_of(connection)
        with self._lock:
            if self._state != state:
                self._state, self._made = state, {}
            if key in self._made:
                found: T = self._made[key]
                return found
        made = make()
        with self._lock:
            if self._state == state and len(self._made) < MOST_KEPT:
                self._made[key] = made
        return made
