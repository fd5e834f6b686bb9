"""Verdicts of people in the clue store."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from clues.store import schema
from clues.store.repository import Store

__all__ = ["add_verdicts", "clue_batches", "clue_numbers", "runs_named", "stored_verdicts"]


def stored_verdicts(store: Store) -> list[dict[str, Any]]:
    """Return the verdicts on what a store tells of, in the order they were entered.

    Returns
    -------
    list of dict
        ``patch_id``, ``parcel_no``, ``line``, ``verdict``, ``reason``, ``by``, ``at``, ``source``.
    """
    table, patch = schema.verdicts.c, schema.patches.c
    names = ("parcel_no", "line", "verdict", "reason", "by", "at", "source")
    query = (
        select(patch.patch_id, *(table[n] for n in names))
        .join(schema.patches, patch.id == table.patch_key)
        .order_by(table.id)
    )
    if store.scope is not None:
        query = query.where(patch.run_id.in_(runs_named(store.scope)))
    with store.engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def clue_numbers(store: Store) -> dict[str, str]:
    """Return the clue number of every patch, of any judgement, that is or was a clue."""
    clue, patch = schema.clues.c, schema.patches.c
    query = select(patch.patch_id, clue.clue_no).join(
        schema.clues, clue.object_id == patch.object_id
    )
    if store.scope is not None:
        query = query.where(patch.run_id.in_(runs_named(store.scope)))
    with store.engine.connect() as connection:
        return {str(patch): str(number) for patch, number in connection.execute(query.distinct())}


def clue_batches(store: Store) -> dict[str, tuple[str, dt.date, dt.date]]:
    """Return by clue number the batch it was issued in (year and number), its day, and when due."""
    clue, batch = schema.clues.c, schema.batches.c
    asked = select(clue.clue_no, batch.year, batch.number, batch.issue_date, batch.due_date).join(
        schema.batches, batch.id == clue.batch_id
    )
    with store.engine.connect() as connection:
        found = connection.execute(asked)
        return {str(n): (f"{y}-{k}", issued, due) for n, y, k, issued, due in found}


def runs_named(scope: str) -> Select[Any]:
    """Return the query for the rows of the runs of a name: all judgements of one period."""
    return select(schema.runs.c.id).where(schema.runs.c.name == scope)


def add_verdicts(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Enter verdicts: ``patch_key`` and the columns of the table each; none is ever altered."""
    entered = [dict(row) for row in rows]
    if entered:
        connection.execute(insert(schema.verdicts), entered)
