"""Events in the clue store: added at the end of one chain, never changed, read back as values."""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from clues.audit.hashing import GENESIS, canonical, event_hash, moment_text, text_hash
from clues.store import schema

__all__ = [
    "Entry",
    "Event",
    "RowHash",
    "append",
    "append_all",
    "events_of",
    "last_event",
    "raw_events",
    "read_events",
]

RowHash = tuple[str, str, str]
"""Kind and key of a row, and its hash, or "" where the row was taken out."""

AT_ONCE = 500


@dataclass(frozen=True)
class Event:
    """One event as it is kept.

    Attributes
    ----------
    at : str
        Moment in UTC, ISO text.
    who, role : str
    what : str
        Such as ``case.judge`` or ``import``.
    subject : str
        What it was done to: a case, clue, run, user.
    division : str
        Whose it is; "" where it is nobody's in particular.
    before, after : value or None
    rows_sha256 : str or None
        SHA-256 of the hashes of the rows that the event wrote.
    """

    seq: int
    at: str
    who: str
    role: str
    what: str
    subject: str
    division: str
    object_id: str | None
    case_id: int | None
    before: Any
    after: Any
    rows_sha256: str | None
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class Entry:
    """What is to become an event."""

    who: str
    what: str
    subject: str
    before: Any = None
    after: Any = None
    role: str = ""
    division: str = ""
    object_id: str | None = None
    case_id: int | None = None
    rows: tuple[RowHash, ...] = ()


FIELDS = tuple(Event.__dataclass_fields__)


def append(connection: Connection, *, who: str, what: str, subject: str, **more: Any) -> int:
    """Add one event in the transaction of the caller; return its number.

    Parameters
    ----------
    connection : Connection
        Of `Store.transaction`: writers wait for each other, so that numbers have no gaps.
    who, what, subject : str
    **more
        The other fields of `Entry`.
    """
    return append_all(connection, [Entry(who, what, subject, **more)])


def append_all(connection: Connection, entries: Iterable[Entry]) -> int:
    """Add events in the transaction of the caller; return the number of the last one."""
    table = schema.events.c
    newest = select(table.seq, table.hash).order_by(table.seq.desc()).limit(1)
    last = connection.execute(newest).first()
    seq, previous = (0, GENESIS) if last is None else (int(last.seq), str(last.hash))
    at, rows = moment_text(dt.datetime.now(dt.UTC)), []
    for entry in entries:
        seq += 1
        lines = "".join(f"{kind} {key} {digest}\n" for kind, key, digest in entry.rows)
        values = {
            **{n: getattr(entry, n) for n in ("who", "role", "what", "subject", "division")},
            **{"seq": seq, "at": at, "object_id": entry.object_id, "case_id": entry.case_id},
            "rows_sha256": text_hash(lines) if lines else None,
            "previous_hash": previous,
        }
        told = {name: _json(getattr(entry, name)) for name in ("before", "after")}
        parsed = {name: _value(text) for name, text in told.items()}
        previous = event_hash(values | parsed)
        rows.append(values | told | {"hash": previous, "rows": lines or None})
    for start in range(0, len(rows), AT_ONCE):
        connection.execute(insert(schema.events), rows[start : start + AT_ONCE])
    return seq


def _json(value: Any) -> str | None:
    return None if value is None else canonical(value)


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _asked() -> Select[Any]:
    return select(*(schema.events.c[name] for name in FIELDS))


def _event(row: Mapping[str, Any]) -> Event:
    told = {name: _value(row[name]) for name in ("before", "after")}
    return Event(**(dict(row) | told))


def events_of(
    connection: Connection,
    *,
    object_id: str | None = None,
    case_id: int | None = None,
    subject: str | None = None,
) -> list[Event]:
    """Return the events of a thing, case or subject, in their order."""
    asked, table = _asked().order_by(schema.events.c.seq), schema.events.c
    for column, value in (
        (table.object_id, object_id),
        (table.case_id, case_id),
        (table.subject, subject),
    ):
        asked = asked if value is None else asked.where(column == value)
    return [_event(dict(row)) for row in connection.execute(asked).mappings()]


def read_events(
    connection: Connection, after: int = 0, limit: int | None = None
) -> Iterator[Event]:
    """Yield events after a number, in their order."""
    asked = _asked().where(schema.events.c.seq > after).order_by(schema.events.c.seq)
    for row in connection.execute(asked.limit(limit)).mappings():
        yield _event(dict(row))


def raw_events(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield all events as they lie there, with the hashes of their rows, in their order."""
    names = (*FIELDS, "rows")
    asked = select(*(schema.events.c[n] for n in names)).order_by(schema.events.c.seq)
    for row in connection.execution_options(yield_per=AT_ONCE).execute(asked).mappings():
        yield dict(row)


def last_event(connection: Connection, case_id: int | None = None) -> Event | None:
    """Return the last event of all, or the last step of a case."""
    asked, event = _asked().order_by(schema.events.c.seq.desc()).limit(1), schema.events.c
    if case_id is not None:
        asked = asked.where(event.case_id == case_id, event.what.like("case.%"))
    row = connection.execute(asked).mappings().first()
    return None if row is None else _event(dict(row))
