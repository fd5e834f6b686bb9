"""What a supervisor looks at first: cases that are late, contested, gone, cleared though severe."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, or_, select
from sqlalchemy.sql.elements import ColumnElement

from clues.store import schema
from clues.store.worklist import ROW, Scope, listed, visible

__all__ = ["KINDS", "exceptions"]

SOON = 90
"""Days before the end of the limitation from which an open clue is told."""

MOST = 500
"""Clues told of a kind; all are counted."""


def _conditions(day: dt.date) -> dict[str, ColumnElement[bool]]:
    row, case, parcel, part = (
        t.c for t in (schema.worklist, schema.cases, schema.parcels, schema.case_parcels)
    )
    is_open = row.state != "closed"
    unpunished = row.state.not_in(("decided", "rectified", "closed"))
    cleared = ("legal", "other", "false_alarm")
    held = exists().where(
        part.clue_id == row.clue_id,
        part.line == parcel.line,
        part.parcel_id == parcel.parcel_id,
    )
    loose = exists().where(parcel.patch_key == row.patch_key, ~held)
    has_case = row.case_nos != "[]"
    returned = exists().where(case.clue_id == row.clue_id, case.returned.is_not(None))
    soon = day + dt.timedelta(days=SOON)
    ends = row.limitation_until
    unsettled = or_(row.verdict == "", row.verdict == "illegal")
    return {
        "overdue": and_(is_open, row.due_date < day),
        "limitation_over": and_(unpunished, unsettled, ends < day),
        "limitation_soon": and_(unpunished, unsettled, ends >= day, ends <= soon),
        "returned": and_(is_open, returned),
        "machine_differs": and_(has_case, is_open, row.outcome.not_in(("suspected", "unresolved"))),
        "gone": and_(has_case, is_open, row.is_over),
        "parcels_without_case": and_(has_case, is_open, loose),
        "severe_but_cleared": and_(row.severity >= 1, row.verdict.in_(cleared)),
    }


KINDS = tuple(_conditions(dt.date.min + dt.timedelta(days=SOON)))


def exceptions(connection: Connection, scope: Scope, day: dt.date) -> dict[str, Any]:
    """Return by kind how many clues there are, and the first of them by due date.

    Parameters
    ----------
    connection : Connection
    scope : Scope
    day : date
        Today, by the civil calendar of the desk.
    """
    row = schema.worklist.c
    found: dict[str, Any] = {}
    for kind, condition in _conditions(day).items():
        asked: Select[Any] = (
            select(*(row[n] for n in ROW))
            .where(visible(scope), condition)
            .order_by(row.due_date.is_(None), row.due_date, row.clue_no)
        )
        items = list(_rows(connection, asked, scope, day))
        found[kind] = {"count": len(items), "items": items[:MOST]}
    return found


def _rows(
    connection: Connection, asked: Select[Any], scope: Scope, day: dt.date
) -> Iterator[dict[str, Any]]:
    for row in connection.execute(asked).mappings():
        yield listed(row, scope, day)
