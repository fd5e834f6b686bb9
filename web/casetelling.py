"""A case as the desk tells it: with the steps that the caller may take on it now."""

from collections.abc import Mapping
from typing import Any

from clues.cases.actors import Actor
from clues.cases.balance import Areas
from clues.cases.life import Case, allowed
from clues.cases.reviews import FIRST

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
    case = Case(
        row["case_no"],
        row["state"],
        row["division"],
        int(row.get("area_dm2") or 0),
        verdict=row["verdict"] or "",
        verdict_reason=row["verdict_reason"] or "",
        review_level=row["review_level"] or FIRST,
        returned=row["returned"] or "",
        assigned_to=row["assigned_to"] or "",
        due_date=row["due_date"],
        areas=Areas.of(row["areas"]),
        facts=dict(row["facts"]),
    )
    steps = () if actor.role == "supervisor" else allowed(case, actor)
    return {k: v for k, v in row.items() if k not in HIDDEN} | {"allowed": list(steps)}
