"""What kinds of change say of identity: what undoes what, and what people looked at already."""

from typing import Any

from clues.objects import CurrentPatch, JudgedGround, KnownObject
from configs.vocabulary import change_type

__all__ = ["is_back", "is_pseudo", "judged_grounds"]

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


def judged_grounds(known: KnownObject, patch: CurrentPatch) -> list[Any]:
    """Return the judged ground of an object on which a patch tells nothing that is new to people.

    An open case holds all that is done on its ground. Any other verdict is of one kind of change
    between two dates: a field that was found unchanged, or cleared lawfully, may be built on.
    """
    if known.verdict in PURSUED:
        return [known.judged]
    if patch.before >= known.after:
        return []
    own = JudgedGround(known.change_type, known.to_cover, known.judged)
    return [j.ground for j in known.judged_kinds or (own,) if _is_same_kind(j, patch)]


def _is_same_kind(judged: JudgedGround, patch: CurrentPatch) -> bool:
    """Tell whether both are one kind of change: by type, by use, or by the cover that is there now.

    What cannot be told of one of them makes no other kind.
    """
    kinds = (judged.change_type, patch.change_type)
    is_told = not set(UNTOLD) & set(kinds)
    if is_told and len({change_type(kind).use for kind in kinds}) == 1:
        return True
    if judged.to_cover and patch.to_cover:
        return judged.to_cover == patch.to_cover
    return not is_told
