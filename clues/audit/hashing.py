"""The hashes of the audit: one way to write a value, one hash per event and per row.

A value is written as JSON with sorted keys and without blanks, dates as ISO text, moments as ISO
text in UTC, bytes by their SHA-256. Whoever holds the exported events can compute every hash again
with any program.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["GENESIS", "HASHED", "canonical", "event_hash", "moment_text", "row_hash", "text_hash"]

GENESIS = "0" * 64
"""Previous hash of the first event."""

HASHED = (
    *("seq", "at", "who", "role", "what", "subject", "division", "object_id", "case_id"),
    *("before", "after", "rows_sha256", "previous_hash"),
)
"""What the hash of an event is over, in this order, as a JSON list."""


def moment_text(moment: dt.datetime) -> str:
    """Return a moment in UTC; one without a zone is in UTC already.

    Examples
    --------
    >>> moment_text(dt.datetime(2026, 1, 2, 3, 4, 5))
    '2026-01-02T03:04:05.000000+00:00'
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return aware.astimezone(dt.UTC).isoformat(timespec="microseconds")


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return moment_text(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"{type(value).__name__} is not written to events")


def canonical(value: Any) -> str:
    """Write a value the one way that is hashed.

    Examples
    --------
    >>> canonical({"b": 1, "a": dt.date(2026, 1, 2)})
    '{"a":"2026-01-02","b":1}'
    """
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_plain,
    )


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def event_hash(event: Mapping[str, Any]) -> str:
    """Return the hash of an event, whose ``before`` and ``after`` are values, not texts."""
    return text_hash(canonical([event[name] for name in HASHED]))


def row_hash(values: Iterable[Any]) -> str:
    """Return the hash of the values of a row, in a fixed order."""
    return text_hash(canonical(list(values)))
