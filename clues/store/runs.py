"""Runs of a store."""

from sqlalchemy import Connection, func, select

from clues.store import schema

__all__ = ["last_run"]


def last_run(connection: Connection) -> int:
    """Return the row number of the run that was registered last; 0 in an empty store."""
    return int(connection.scalar(select(func.max(schema.runs.c.id))) or 0)
