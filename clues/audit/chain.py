"""The chain of events: added to at its end, walked from its beginning."""

from collections.abc import Iterable

from clues.audit.hashing import GENESIS, event_hash
from clues.store.events import Event, append

__all__ = ["append", "first_broken"]


def first_broken(events: Iterable[Event], previous: str = GENESIS, seq: int = 0) -> str:
    """Return what is wrong with the first event that does not follow; "" where all do.

    Parameters
    ----------
    events : iterable of Event
        In their order.
    previous : str
        Hash of the event before the first.
    seq : int
        Its number.
    """
    for event in events:
        if event.seq != seq + 1:
            return f"event {seq + 1} is missing: event {event.seq} comes after {seq}"
        if event.previous_hash != previous:
            return f"event {event.seq} does not name the hash of event {seq}"
        if event_hash(vars(event)) != event.hash:
            return f"event {event.seq} was altered: its hash is of other values"
        seq, previous = event.seq, event.hash
    return ""
