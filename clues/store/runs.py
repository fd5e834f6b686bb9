"""Runs of a store."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, func, select

from clues.store import schema

__all__ = ["newest_runs", "run_configs", "runs_named", "state_of"]


def state_of(connection: Connection) -> tuple[int, int]:
    """Return the last run and the last event: as long as both stay, so do all figures."""
    run, event = schema.runs.c.id, schema.events.c.seq
    found = connection.execute(select(func.max(run), select(func.max(event)).scalar_subquery()))
    last, seq = found.one()
    return int(last or 0), int(seq or 0)


def newest_runs(connection: Connection, most: int) -> list[str]:
    """Return the names of the runs that were entered last, the newest first."""
    run = schema.runs.c
    last = func.max(run.id)
    asked = select(run.name).group_by(run.name).order_by(last.desc()).limit(most)
    return [str(name) for name in connection.scalars(asked)]


def runs_named(scope: str) -> Select[Any]:
    """Return the query for the rows of the runs of a name: all judgements of one period."""
    return select(schema.runs.c.id).where(schema.runs.c.name == scope)


def run_configs(connection: Connection, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the last configs of runs by name."""
    run = schema.runs.c
    asked = select(run.name, run.config).where(run.name.in_(sorted(set(names)))).order_by(run.id)
    return {str(name): dict(config) for name, config in connection.execute(asked)}
