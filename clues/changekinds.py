"""What kinds of change say of identity: what undoes what, and what people looked at already."""

from collections.abc import Iterable
from typing import Any

import shapely

from clues.objects import CurrentPatch, JudgedGround, KnownObject
from configs.verdicts import verdict_meaning
from configs.vocabulary import change_type

__all__ = [
    "confirmed_part",
    "is_back",
    "is_one_kind",
    "is_pseudo",
    "judged_grounds",
    "listed_grounds",
]

BACK = ("demolition", "regreening")
"""Change types that undo what was built."""

PURSUED = ("违法", "非农违法", "illegal", "unlawful")
"""Verdicts after which further work on the same ground belongs to the case that is open."""

UNTOLD = ("", "unknown")


def is_pseudo(thing: KnownObject | CurrentPatch) -> bool:
    """Tell whether something is a pseudo-change by its type."""
    return change_type(thing.change_type).is_pseudo


def is_back(known: KnownObject, patch: CurrentPatch) -> bool:
    """Tell whether a patch undoes an object: by its type, or because it shows the cover of old."""
    if patch.change_type in BACK:
        return known.change_type not in BACK
    swapped = (patch.from_cover, patch.to_cover) == (known.to_cover, known.from_cover)
    return swapped and patch.from_cover != patch.to_cover


def judged_grounds(known: KnownObject, patch: CurrentPatch) -> list[JudgedGround]:
    """Return the judged ground of an object on which a patch tells nothing that is new to people.

    An open case holds all that is done on its ground. Any other verdict is of one kind of change
    between two dates: a field that was found unchanged, or cleared lawfully, may be built on.
    """
    own = JudgedGround(known.change_type, known.to_cover, known.judged)
    is_after = patch.before >= known.after
    return [
        j
        for j in known.judged_kinds or (own,)
        if (j.verdict or known.verdict) in PURSUED or (not is_after and is_one_kind(j, patch))
    ]


def listed_grounds(known: KnownObject, patch: CurrentPatch) -> list[JudgedGround]:
    """Return the ground of an object that was listed as the kind of change that a patch shows.

    What a pair shows on an object that its before image holds already is another change.
    """
    is_after = patch.before >= known.after
    return [j for j in known.listed if not is_after and is_one_kind(j, patch)]


def is_one_kind(one: JudgedGround | CurrentPatch, other: JudgedGround | CurrentPatch) -> bool:
    """Tell whether both are one kind of change: by type, by use, or by the cover that is there now.

    What cannot be told of one of them makes no other kind.
    """
    kinds = (one.change_type, other.change_type)
    is_told = not set(UNTOLD) & set(kinds)
    if is_told and len({change_type(kind).use for kind in kinds}) == 1:
        return True
    if one.to_cover and other.to_cover:
        return one.to_cover == other.to_cover
    return not is_told


def confirmed_part(grounds: Iterable[JudgedGround], meaning: str = "real") -> Any:
    """Return the ground on which the last word means a real change, or another meaning."""
    found = shapely.MultiPolygon()
    for one in grounds:
        join = shapely.union if verdict_meaning(one.verdict) == meaning else shapely.difference
        found = join(found, one.ground)
    return found
