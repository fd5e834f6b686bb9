"""Runs of a store."""

from typing import Any

from sqlalchemy import Connection, Select, func, select

from clues.store import schema

__all__ = ["last_run", "runs_named"]


def last_run(connection: Connection) -> int:
    """Return the row number of the run that was registered last; 0 in an empty store."""
    return int(connection.scalar(select(func.max(schema.runs.c.id))) or 0)


def runs_named(scope: str) -> Select[Any]:
    """Return the query for the rows of the runs of a name: all judgements of one period."""
    return select(schema.runs.c.id).where(schema.runs.c.name == scope)
