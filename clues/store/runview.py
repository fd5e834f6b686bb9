"""Runs and batches that somebody sees clues of."""

from typing import Any

from sqlalchemy import Connection, func, select

from clues.store import schema
from clues.store.worklist import Scope, visible

__all__ = ["batches_seen", "runs_seen"]


def runs_seen(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    """Return the runs whose clues somebody sees: name, dates of the pair, clues; newest last."""
    row, run = schema.worklist.c, schema.runs.c
    asked = (
        select(row.run, func.count().label("clues"))
        .where(visible(scope))
        .group_by(row.run)
        .order_by(row.run)
    )
    counts = {str(name): int(n) for name, n in connection.execute(asked)}
    names = (run.name, run.county_code, run.county_name, run.period_before, run.period_after)
    told: dict[str, dict[str, Any]] = {}
    for one in connection.execute(select(*names).order_by(run.id)).mappings():
        if one["name"] in counts:
            told[one["name"]] = dict(one) | {"clues": counts[one["name"]]}
    return list(told.values())


def batches_seen(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    """Return the batches whose clues somebody sees: number, dates, clues; in their order."""
    row, batch = schema.worklist.c, schema.batches
    asked = (
        select(row.batch, func.count())
        .where(visible(scope), row.batch.is_not(None))
        .group_by(row.batch)
    )
    counts = {str(name): int(n) for name, n in connection.execute(asked)}
    found = []
    for one in connection.execute(select(batch).order_by(batch.c.year, batch.c.number)).mappings():
        name = f"{one['year']}-{one['number']}"
        if name in counts:
            told = {k: v for k, v in one.items() if k != "id"}
            found.append({"batch": name} | told | {"clues": counts[name]})
    return found
