"""Verdicts of people in the clue store."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select

from clues.store import schema
from clues.store.events import Entry, append_all
from clues.store.heldcases import HeldCase, held_cases, judge_by_ledger
from clues.store.repository import Store
from clues.store.runs import runs_named
from clues.store.sealing import row_hashes
from clues.store.worklistrows import refresh
from configs.errors import StoreError
from configs.verdicts import verdict_code

__all__ = [
    "DESK",
    "add_verdicts",
    "clue_batches",
    "clue_numbers",
    "note_rows",
    "stored_verdicts",
]

AT_ONCE = 500
DESK = "desk"
"""Source of the verdicts that cases gave."""


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


def add_verdicts(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Enter verdicts: ``patch_key`` and the columns of the table each; none is ever altered.

    A verdict on a whole patch that did not come from the desk takes the open case of its clue to
    ``judged``: a ledger is another way to fill in the same step.

    Raises
    ------
    StoreError
        If cases on the same thing say otherwise, or several are still to be judged.
    """
    entered = [dict(row) for row in rows]
    if not entered:
        return
    things = _things(connection, entered)
    held = held_cases(connection)
    _require_no_contradiction(held, entered, things)
    last = connection.scalar(select(func.max(schema.verdicts.c.id))) or 0
    connection.execute(insert(schema.verdicts), entered)
    note_rows(connection, "verdict", schema.verdicts, int(last))
    for row in entered:
        case = held.get(things[int(row["patch_key"])][0])
        if case is not None and row["source"] != DESK and row["parcel_no"] == 0:
            judge_by_ledger(connection, case, row)
    refresh(connection, {thing for thing, _ in things.values()})


def _things(
    connection: Connection, rows: Iterable[Mapping[str, Any]]
) -> dict[int, tuple[str, str]]:
    """Return object and county of patches by row number."""
    patch, found = schema.patches.c, dict[int, tuple[str, str]]()
    keys = sorted({int(row["patch_key"]) for row in rows})
    for start in range(0, len(keys), AT_ONCE):
        some = patch.id.in_(keys[start : start + AT_ONCE])
        asked = select(patch.id, patch.object_id, patch.county_code).where(some)
        found |= {k: (str(o), str(c)) for k, o, c in connection.execute(asked)}
    return found


def _require_no_contradiction(
    held: Mapping[str, HeldCase],
    rows: Iterable[Mapping[str, Any]],
    things: Mapping[int, tuple[str, str]],
) -> None:
    for row in rows:
        thing, _ = things.get(int(row["patch_key"]), ("", ""))
        case = held.get(thing)
        if row["source"] == DESK or case is None or case.takes(verdict_code(row["verdict"])):
            continue
        raise StoreError(
            f"case {case.case_no} stands against the verdict {row['verdict']}",
            f"clue {case.case_no.rpartition('-')[0]}",
            "judge at the desk, where the case is; or give the verdict of the case",
        )


def note_rows(connection: Connection, kind: str, table: Any, after: int) -> None:
    """Append one event per thing for the rows that were entered after a row number."""
    asked = select(table).where(table.c.id > after).order_by(table.c.id)
    rows = [dict(row) for row in connection.execute(asked).mappings()]
    things = _things(connection, rows)
    digests = {key: d for _, key, d in row_hashes(connection, kind, [r["id"] for r in rows])}
    told: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows:
        told.setdefault((row["patch_key"], row["by"]), []).append(row)
    names = ("parcel_no", "line", "verdict", "reason", "name", "value", "source", "at")
    append_all(
        connection,
        (
            Entry(
                *(by, f"{kind}.enter", f"clue:{things[key][0]}"),
                after=[{n: row[n] for n in names if n in row} for row in own],
                division=things[key][1],
                object_id=things[key][0],
                rows=tuple((kind, str(row["id"]), digests[str(row["id"])]) for row in own),
            )
            for (key, by), own in told.items()
        ),
    )
    refresh(connection, {thing for thing, _ in things.values()})
