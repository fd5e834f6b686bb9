"""Objects on the ground: as they were known, as a period shows them, what became of them."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

__all__ = [
    "FATE_NAMES",
    "CurrentPatch",
    "FateName",
    "Fates",
    "JudgedGround",
    "KnownObject",
    "ObjectFate",
    "Tolerance",
    "is_over",
]

FateName = Literal["new", "grown", "persisting", "shrunk", "ended", "split", "merged"]

FATE_NAMES: dict[str, tuple[str, str]] = {
    "new": ("新增", "new"),
    "grown": ("扩大", "grown"),
    "persisting": ("持续", "persisting"),
    "shrunk": ("缩小", "shrunk"),
    "ended": ("消失", "ended"),
    "split": ("分割", "split"),
    "merged": ("合并", "merged"),
}
"""Chinese and English names of fates."""


@dataclass(frozen=True)
class Tolerance:
    """How far outlines of one thing may differ.

    Attributes
    ----------
    match : float
        Share of the smaller of two outlines that must lie in the other for both to be one thing.
    main : float
        Share from which one part stands for the whole when a thing is split or merged.
    growth_share : float
        Share of the object below which added ground is no growth, unless it is `growth_sure_dm2`.
    growth_dm2, growth_sure_dm2 : int
        Least added area, and the area that is growth whatever the size of the object.
    reach_m : float
        Width of the rim along an outline that tells nothing: a pixel.
    """

    match: float = 0.3
    main: float = 0.8
    growth_share: float = 0.1
    growth_dm2: int = 20_000
    growth_sure_dm2: int = 200_000
    reach_m: float = 1.0


@dataclass(frozen=True)
class JudgedGround:
    """Ground that people gave a verdict on, and the kind of change that they looked at.

    Attributes
    ----------
    change_type, to_cover : str
    ground : Polygon or MultiPolygon
    verdict : str
        Their word on it; "" means that of the object.
    object_id : str
        The object that they looked at.
    """

    change_type: str
    to_cover: str
    ground: Any
    verdict: str = ""
    object_id: str = ""


@dataclass(frozen=True)
class KnownObject:
    """An object as it was known before a period.

    Attributes
    ----------
    object_id : str
    geometry : Polygon or MultiPolygon
        All ground that it is known to take.
    area_dm2 : int
    before, after : date
        Of the pair that showed it first.
    latest : date or None
        After date of the period it was last seen to change in; None: `after`.
    change_type, from_cover, to_cover : str
        As the last patch showed it; "" where unknown.
    status : str
        ``open``, or ``ended``, which is known and shows no more.
    verdict : str or None
        Last verdict of people.
    judged : Polygon, MultiPolygon or None
        Ground that people gave a verdict on.
    judged_kinds : tuple of JudgedGround
        The same in order of their words, each of one kind of change; empty: all of the kind that
        the object is of.
    listed : tuple of JudgedGround
        Ground that other periods listed as a clue, with the kind of change it was.
    """

    object_id: str
    geometry: Any
    area_dm2: int
    before: dt.date
    after: dt.date
    latest: dt.date | None = None
    change_type: str = ""
    from_cover: str = ""
    to_cover: str = ""
    status: str = "open"
    verdict: str | None = None
    judged: Any = None
    judged_kinds: tuple[JudgedGround, ...] = ()
    listed: tuple[JudgedGround, ...] = ()


@dataclass(frozen=True)
class CurrentPatch:
    """A patch of the period; `object_id` where people gave it one by editing, else "".

    The dates are the last day of the before image and the first day of the after image.
    """

    patch_id: str
    geometry: Any
    area_dm2: int
    before: dt.date
    after: dt.date
    change_type: str = ""
    from_cover: str = ""
    to_cover: str = ""
    object_id: str = ""


@dataclass(frozen=True)
class ObjectFate:
    """What became of one object in a period.

    Attributes
    ----------
    object_id : str
    fate : str
        new, grown, persisting, shrunk, ended, split or merged.
    patch_id : str
        Patch that shows it; "" where none does.
    parents : tuple of str
        Other objects that it came from, sorted.
    added_dm2, removed_dm2 : int
        Ground that the period added, and took away.
    geometry, area_dm2
        All ground of the object afterwards; of an ended one, what it was.
    first_before, first_seen : date
        Dates of the pair that first showed it, or the earliest of its parents.
    is_observed : bool
        Whether the period saw enough of its ground to tell. A patch that is not shows a further
        piece of the first parent, to which hidden ground joins it: it is no thing to go on.
    verdict : str or None
        Last verdict of people on it or, of split and merged ones, on a parent.
    since_verdict_dm2 : int
        Ground of the patch that no verdict was given on.
    judged_before : bool
        Whether people decided on this already, and it did not grow since.
    listed_before : bool
        Whether another period listed it as a clue, and it did not grow since.
    """

    object_id: str
    fate: FateName
    patch_id: str
    parents: tuple[str, ...]
    added_dm2: int
    removed_dm2: int
    geometry: Any
    area_dm2: int
    first_before: dt.date
    first_seen: dt.date
    is_observed: bool = True
    verdict: str | None = None
    since_verdict_dm2: int = 0
    judged_before: bool = False
    listed_before: bool = False


def is_over(fate: str, *, is_shown: bool, is_observed: bool) -> bool:
    """Tell whether nothing goes on under a number: it ended, or other numbers go on with it.

    Split and merged things went on under numbers of their parts, unless a patch shows them; what
    a patch shows of a thing that hidden ground cuts through belongs to that thing.
    """
    if is_shown:
        return fate == "ended" or not is_observed
    return fate in ("ended", "split", "merged")


@dataclass(frozen=True)
class Fates:
    """The fates of a period, one per object, by object number."""

    rows: tuple[ObjectFate, ...] = field(default_factory=tuple)

    @cached_property
    def by_patch(self) -> dict[str, ObjectFate]:
        """Fates of what the patches of the period show: one for each patch."""
        return {f.patch_id: f for f in self.rows if f.patch_id}

    @cached_property
    def by_object(self) -> dict[str, ObjectFate]:
        """All fates, by object number."""
        return {f.object_id: f for f in self.rows}

    @property
    def tallies(self) -> dict[str, int]:
        """Number of objects by fate."""
        return dict(sorted(Counter(row.fate for row in self.rows).items()))
