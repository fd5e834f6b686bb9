"""Events of a thing that somebody sees: those of their own cases, and those of no case."""

from sqlalchemy import Connection, select

from clues.store import schema
from clues.store.cases import case_seen
from clues.store.events import Event, events_of
from clues.store.worklist import Scope

__all__ = ["events_seen"]


def events_seen(connection: Connection, object_id: str, scope: Scope) -> list[Event]:
    """Return the events of a thing in their order, but for cases that somebody does not see.

    A case that was taken out is nobody's; what happened to it is told to who sees everything of
    its division.
    """
    case, clue = schema.cases.c, schema.clues.c
    asked = (
        select(case.id, case_seen(scope))
        .join(schema.clues, clue.id == case.clue_id)
        .where(clue.object_id == object_id)
    )
    seen = {int(key): bool(own) for key, own in connection.execute(asked)}
    return [
        event
        for event in events_of(connection, object_id=object_id)
        if seen.get(event.case_id or 0, not scope.assignee or event.case_id is None)
        and (event.case_id in seen or _is_near(event.division, scope))
    ]


def _is_near(division: str, scope: Scope) -> bool:
    return not scope.divisions or any(
        division.startswith(d) or d.startswith(division) for d in scope.divisions
    )
