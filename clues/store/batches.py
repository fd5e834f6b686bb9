"""Batches of clues in the store: made once, filled clue by clue, each filling an event."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from clues.store import schema
from clues.store.events import append
from clues.store.sealing import row_hashes
from configs.errors import StoreError

__all__ = ["Batch", "issued_batches", "put_in_batch", "stored_batches"]

AT_ONCE = 500
"""Rows named in one statement."""


@dataclass(frozen=True)
class Batch:
    """A batch in which clues are issued."""

    year: int
    number: int
    issue_date: dt.date
    due_date: dt.date

    @property
    def name(self) -> str:
        """Its name, such as ``2025-3``."""
        return f"{self.year}-{self.number}"


def stored_batches(connection: Connection) -> dict[int, Batch]:
    """Return the batches of a store by row number."""
    batch = schema.batches.c
    names = (batch.id, batch.year, batch.number, batch.issue_date, batch.due_date)
    asked = select(*names).order_by(batch.year, batch.number)
    return {int(key): Batch(*told) for key, *told in connection.execute(asked)}


def issued_batches(connection: Connection) -> dict[str, tuple[Batch, ...]]:
    """Return by clue number all batches in which it was issued, in order."""
    clue, issue = schema.clues.c, schema.issues.c
    asked = (
        select(clue.clue_no, issue.batch_id)
        .join(schema.clues, clue.id == issue.clue_id)
        .order_by(issue.id)
    )
    batches = stored_batches(connection)
    found: dict[str, tuple[Batch, ...]] = {}
    for number, key in connection.execute(asked):
        found[str(number)] = (*found.get(str(number), ()), batches[key])
    return found


def _note_issue(connection: Connection, key: int, some: Any, now: dt.datetime) -> None:
    """Note that clues are in a batch from now on, those that were not before."""
    clue, issue = schema.clues.c, schema.issues.c
    there = select(issue.clue_id).where(issue.batch_id == key)
    asked = select(clue.id).where(some, clue.id.not_in(there)).order_by(clue.clue_no)
    rows = [{"clue_id": n, "batch_id": key, "at": now} for n in connection.scalars(asked)]
    if rows:
        connection.execute(insert(schema.issues), rows)


def put_in_batch(connection: Connection, batch: Batch, clue_nos: Sequence[str], who: str) -> None:
    """Give clues to a batch, which is made where it is not there yet.

    Raises
    ------
    StoreError
        If the batch is there with other dates.
    """
    known = {b.name: (key, b) for key, b in stored_batches(connection).items()}
    if batch.name in known:
        key, kept = known[batch.name]
        if kept != batch:
            raise StoreError(
                f"batch {batch.name} was issued on {kept.issue_date}, due {kept.due_date}",
                f"--number {batch.number}",
                "give the same dates, or the next number",
            )
    else:
        values = {n: getattr(batch, n) for n in Batch.__dataclass_fields__}
        made = connection.execute(insert(schema.batches).values(**values)).inserted_primary_key
        key = int(made[0]) if made else 0
    now = dt.datetime.now(dt.UTC)
    for start in range(0, len(clue_nos), AT_ONCE):
        some = schema.clues.c.clue_no.in_(clue_nos[start : start + AT_ONCE])
        connection.execute(update(schema.clues).where(some).values(batch_id=key))
        _note_issue(connection, key, some, now)
    if clue_nos:
        told = {n: getattr(batch, n) for n in Batch.__dataclass_fields__}
        rows = tuple(row_hashes(connection, "issued", clue_nos))
        append(
            connection,
            who=who,
            what="batch.issue",
            subject=f"batch:{batch.name}",
            after=told | {"clue_nos": list(clue_nos)},
            rows=rows,
        )
