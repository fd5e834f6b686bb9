"""A case as the desk tells it: with the steps that the caller may take on it now."""

from collections.abc import Mapping
from typing import Any

from clues.cases.actors import Actor
from clues.cases.bookkeeping import steps_for

__all__ = ["told_case"]

HIDDEN = ("id", "clue_id")


def told_case(row: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
    """Return what is told of a case.

    Parameters
    ----------
    row : mapping
        Columns of the case.
    actor : Actor
        Who asks: ``allowed`` names the steps of this person.
    """
    told = {k: v for k, v in row.items() if k not in HIDDEN}
    return told | {"allowed": steps_for(row, actor)}
