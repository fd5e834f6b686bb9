"""What people were told and said of objects in earlier periods, ground by ground.

A verdict is of what the patch showed that people looked at, and of the rest of the object that was
one kind of change with it and that nobody had judged. So a factory that is found lawful on a field
that was found unchanged says nothing of the field around it.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, select

from clues.changekinds import is_one_kind
from clues.objects import JudgedGround
from clues.store import schema
from configs.verdicts import verdict_meaning
from tiles.geodesy import transformer

__all__ = ["State", "judged_grounds_of", "moved"]


@dataclass(frozen=True)
class State:
    """One row of the history of an object; outlines in the CRS of the asking run.

    Attributes
    ----------
    run : int
        Row of the run.
    kind : (str, str, str) or None
        Change type and covers before and after; None where no patch shows it.
    geometry
        All ground of the object.
    shown
        Outline of the patch; None where none shows it.
    is_listed : bool
        Whether the patch was a clue.
    is_observed : bool
        Whether the period saw enough of its ground to tell, see `clues.objects.ObjectFate`.
    """

    run: int
    fate: str
    first: tuple[dt.date, dt.date]
    area_dm2: int
    kind: tuple[str, str, str] | None
    geometry: Any
    shown: Any = None
    is_listed: bool = False
    is_observed: bool = True

    def ground(self, shape: Any, verdict: str, name: str) -> JudgedGround:
        """Return ground as it was looked at in this state."""
        kind, _, cover = self.kind or ("", "", "")
        return JudgedGround(kind, cover, shape, verdict, name)


def moved(shape: Any, source: str, target: str) -> Any:
    """Return an outline in another CRS."""
    if source == target:
        return shape
    move = transformer(source, target)

    def at(points: Any) -> Any:
        return np.column_stack(move.transform(points[:, 0], points[:, 1]))

    return shapely.transform(shape, at)


def judged_grounds_of(
    connection: Connection,
    runs: Mapping[int, str],
    states: Mapping[str, Sequence[State]],
    until: dt.datetime | None = None,
) -> dict[str, tuple[JudgedGround, ...]]:
    """Return by object the ground that people judged, in the order of their last words.

    Parameters
    ----------
    connection : Connection
    runs : mapping
        Names of the runs whose verdicts count, by row.
    states : mapping
        By object: its states in order of their periods.
    until : datetime, optional
        Only verdicts given up to then count.

    Returns
    -------
    dict
        What nobody judged but came of judged things has the grounds of those.
    """
    found: dict[str, list[JudgedGround]] = defaultdict(list)
    for (name, _), (word, run) in _last_words(connection, runs, states, until).items():
        for state in states[name]:
            if state.run == run:
                _enter(found[name], _looked_at(state, states[name], found[name], word, name))
    judged = {name: tuple(grounds) for name, grounds in found.items()}
    return judged | _inherited(connection, runs, judged, states)


def _last_words(
    connection: Connection,
    runs: Mapping[int, str],
    states: Mapping[str, Sequence[State]],
    until: dt.datetime | None,
) -> dict[tuple[str, str], tuple[str, int]]:
    """Return the verdict that stands and its run, by object and period, in order of entry."""
    verdict, patch = schema.verdicts.c, schema.patches.c
    asked = (
        select(patch.object_id, patch.run_id, verdict.verdict)
        .join(schema.patches, patch.id == verdict.patch_key)
        .where(verdict.parcel_no == 0)
        .order_by(verdict.id)
    )
    if until is not None:
        asked = asked.where(verdict.at <= until)
    words: dict[tuple[str, str], tuple[str, int]] = {}
    for thing, run, word in connection.execute(asked):
        if run not in runs or thing not in states:
            continue
        key = (str(thing), runs[run])
        words.pop(key, None)
        if verdict_meaning(word) not in (None, "open"):
            words[key] = (str(word), int(run))
    return words


def _looked_at(
    state: State, states: Sequence[State], judged: Iterable[JudgedGround], word: str, name: str
) -> JudgedGround:
    """Return the ground of a verdict."""
    whole = state.ground(state.geometry, word, name)
    if state.shown is None:
        return whole
    others = [j.ground for j in judged]
    for one in states:
        if one is state:
            break
        if one.shown is not None and not is_one_kind(one.ground(one.shown, "", ""), whole):
            others.append(one.shown)
    rest = shapely.difference(state.geometry, shapely.union_all(others))
    return replace(whole, ground=_polygons(shapely.union(state.shown, rest)))


def _enter(grounds: list[JudgedGround], own: JudgedGround) -> None:
    """Add judged ground; it takes the place of earlier words on the same kind of change."""
    kept = []
    for one in grounds:
        if is_one_kind(one, own):
            one = replace(one, ground=_polygons(shapely.difference(one.ground, own.ground)))
        if not one.ground.is_empty:
            kept.append(one)
    grounds[:] = [*kept, own]


def _polygons(shape: Any) -> Any:
    parts = shapely.get_parts(shape)
    return shapely.union_all(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def _inherited(
    connection: Connection,
    runs: Mapping[int, str],
    judged: Mapping[str, tuple[JudgedGround, ...]],
    states: Mapping[str, Sequence[State]],
) -> dict[str, tuple[JudgedGround, ...]]:
    """Return the judged grounds of things that nobody judged but that came of judged ones."""
    row = schema.lineage.c
    asked = select(row.object_id, row.parents).where(row.run_id.in_(runs)).order_by(row.id)
    parents: dict[str, set[str]] = defaultdict(set)
    for name, told in connection.execute(asked):
        parents[str(name)] |= set(told)
    found: dict[str, tuple[JudgedGround, ...]] = {}
    for name in sorted(set(states) - set(judged)):
        above, waiting = set[str](), list(parents[name])
        while waiting:
            one = waiting.pop()
            if one not in above:
                above.add(one)
                waiting += [] if one in judged else sorted(parents[one])
        told = sorted(above & set(judged))
        if told:
            found[name] = tuple(k for n in told for k in judged[n])
    return found
