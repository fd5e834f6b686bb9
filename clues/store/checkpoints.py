"""Signed checkpoints in the store: one row each, none ever altered."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from clues.store import schema

__all__ = ["keep_checkpoint", "stored_checkpoints"]


def keep_checkpoint(connection: Connection, values: Mapping[str, Any]) -> None:
    """Keep a checkpoint, unless there is one of that event already."""
    table = schema.checkpoints
    known = connection.scalar(select(table.c.seq).where(table.c.seq == values["seq"]))
    if known is None:
        names = [c.name for c in table.c]
        connection.execute(insert(table).values(**{n: values[n] for n in names}))


def stored_checkpoints(connection: Connection) -> list[dict[str, Any]]:
    """Return the checkpoints in order of their events."""
    asked = select(schema.checkpoints).order_by(schema.checkpoints.c.seq)
    return [dict(row) for row in connection.execute(asked).mappings()]
