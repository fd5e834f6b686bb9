"""Periods that come late: their patches take over the numbers that later periods gave."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import shapely

from clues.changekinds import is_pseudo, judged_grounds, listed_grounds
from clues.objects import CurrentPatch, KnownObject, ObjectFate, Tolerance

__all__ = ["Ground", "adopted"]


class Ground(Protocol):
    """What measures ground."""

    tolerance: Tolerance

    def area(self, shape: Any) -> int:
        """Return the dm² of a geometry."""

    def has_grown(self, patch: CurrentPatch, ground: Any) -> bool:
        """Tell whether a patch shows more than tolerance beyond ground."""


def adopted(
    rows: list[ObjectFate],
    patches: Sequence[CurrentPatch],
    later: Sequence[KnownObject],
    known: set[str],
    work: Ground,
) -> list[ObjectFate]:
    """Let patches without a known object take the number of what later periods know there.

    Parameters
    ----------
    rows : list of ObjectFate
        Of the period.
    patches : sequence of CurrentPatch
    later : sequence of KnownObject
        In order of their numbers.
    known : set of str
        Objects known from earlier periods.
    work : Ground
    """
    taken = {row.object_id for row in rows}
    free = [k for k in later if k.object_id not in taken]
    fresh = [i for i, row in enumerate(rows) if row.patch_id and row.object_id not in known]
    if not free or not fresh:
        return rows
    by_id = {p.patch_id: p for p in patches}
    tree = shapely.STRtree([k.geometry for k in free])
    found: list[tuple[int, str, str, int, KnownObject]] = []
    for i in fresh:
        patch = by_id[rows[i].patch_id]
        for k in sorted(tree.query(patch.geometry, predicate="intersects").tolist()):
            other = free[k]
            shared = work.area(shapely.intersection(other.geometry, patch.geometry))
            least = work.tolerance.match * min(other.area_dm2, patch.area_dm2)
            if shared >= least and is_pseudo(other) == is_pseudo(patch):
                found.append((-shared, other.object_id, patch.patch_id, i, other))
    made, used = list(rows), set[int]()
    for _, name, patch_id, i, other in sorted(found, key=lambda f: f[:3]):
        if i in used or name in taken:
            continue
        used.add(i)
        taken.add(name)
        patch = by_id[patch_id]
        grounds = [g.ground for g in listed_grounds(other, patch)]
        was_listed = bool(grounds) and not work.has_grown(patch, shapely.union_all(grounds))
        row = replace(rows[i], object_id=name, listed_before=was_listed)
        made[i] = _judged(row, other, patch, work)
    return made


def _judged(row: ObjectFate, other: KnownObject, patch: CurrentPatch, work: Ground) -> ObjectFate:
    """Tell whether people decided on what a patch shows before its period came in."""
    if other.verdict is None or other.judged is None:
        return row
    grounds = [j.ground for j in judged_grounds(other, patch)]
    if not grounds:
        return replace(row, verdict=other.verdict)
    ground = shapely.union_all(grounds)
    shared = min(work.area(shapely.intersection(ground, patch.geometry)), patch.area_dm2)
    return replace(
        row,
        verdict=other.verdict,
        since_verdict_dm2=patch.area_dm2 - shared,
        judged_before=not work.has_grown(patch, ground),
    )
