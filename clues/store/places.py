"""Where clues stand now: the run and the patch that show them."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from clues.store import schema

__all__ = ["Place", "places_of"]

AT_ONCE = 400


class Place(NamedTuple):
    """The run and patch that show a clue now, with what the machine says of it."""

    clue_no: str
    run: str
    patch_id: str
    outcome: str
    rule: str


def places_of(connection: Connection, clue_nos: Sequence[str]) -> list[Place]:
    """Return where clues stand, in the order of their numbers; those not there are left out."""
    row, found = schema.worklist.c, []
    asked = select(row.clue_no, row.run, row.patch_id, row.outcome, row.rule)
    for start in range(0, len(clue_nos), AT_ONCE):
        some = clue_nos[start : start + AT_ONCE]
        found += [Place(*r) for r in connection.execute(asked.where(row.clue_no.in_(some)))]
    return sorted(found)
