"""The objects of a register: what it held before a period, what a period adds to their history."""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import shapely
from sqlalchemy import Connection, select

from clues.objects import JudgedGround, KnownObject, ObjectFate, is_over
from clues.store import schema
from clues.store.inserting import insert_many
from clues.store.toldgrounds import State, judged_grounds_of, moved

__all__ = ["Held", "Period", "held_before", "keep_fates", "object_history"]


@dataclass(frozen=True)
class Period:
    """The period of a run, and where it looked.

    Attributes
    ----------
    run : str
        Name of the run folder: a run that judges the same period again has the same.
    before, after : date
        Last day of the before image, first day of the after image.
    crs : str
    bounds : tuple of float
        West, south, east, north of the ground, in `crs`.
    """

    run: str
    before: dt.date
    after: dt.date
    crs: str
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True)
class Held:
    """What a register held on the ground of a run before its period.

    Attributes
    ----------
    known : tuple of KnownObject
    later : tuple of KnownObject
        Known only from this period or later ones.
    digest : str
        Over all that may change what the run tells.
    later_runs : tuple of str
        Names of the runs of later periods that know things on this ground.
    """

    known: tuple[KnownObject, ...]
    later: tuple[KnownObject, ...]
    digest: str
    later_runs: tuple[str, ...] = ()


def held_before(connection: Connection, period: Period) -> Held:
    """Return the objects of a register as they were before a period, on the ground of a run.

    Of runs that judged one period, the last one counts; what it does not show any more is known
    where people judged it. Verdicts count if they were given on what an earlier period showed; to
    a period that comes late, those count too that were there before it.
    """
    run = schema.runs.c
    asked = select(run.id, run.name, run.period_after, run.grid_crs, run.registered_at)
    asked = asked.order_by(run.id)
    runs = {int(r.id): r for r in connection.execute(asked)}
    newest = {r.name: number for number, r in runs.items()}
    states = _states(connection, runs, period)
    earlier = {n: str(r.name) for n, r in runs.items() if _is_earlier(r, period)}
    judged = judged_grounds_of(connection, earlier, states)
    first_own = min((n for n, r in runs.items() if r.name == period.run), default=None)
    others = {n: str(r.name) for n, r in runs.items() if n not in earlier and r.name != period.run}
    until = None if first_own is None else runs[first_own].registered_at
    judged_late = judged_grounds_of(connection, others, states, until) if others else {}
    known, later, foreign = [], [], []
    for name, rows in sorted(states.items()):
        standing = [s for s in rows if newest[runs[s.run].name] == s.run]
        kinds = judged.get(name, ())
        past = [s for s in standing if _is_earlier(runs[s.run], period)]
        if kinds and not past:
            past = [s for s in rows if _is_earlier(runs[s.run], period)]
        if past:
            known.append(_told(_known(name, past, runs), kinds))
        elif standing:
            later.append(_known(name, standing, runs))
            born = min(s.run for s in rows)
            if all(runs[s.run].name != period.run for s in rows) and (
                first_own is None or born < first_own
            ):
                later[-1] = _told(later[-1], judged_late.get(name, ()))
                foreign.append(later[-1])
    after = {runs[s.run].name for rows in states.values() for s in rows}
    after -= {*earlier.values(), period.run}
    return Held(
        *(tuple(known), tuple(later), _digest([*known, *foreign])), later_runs=tuple(sorted(after))
    )


def _is_earlier(run: Any, period: Period) -> bool:
    return run.period_after is not None and run.period_after < period.after


def _states(
    connection: Connection, runs: Mapping[int, Any], period: Period
) -> dict[str, list[State]]:
    """Return the history of all objects on the ground of a run, in order of their periods."""
    row, patch = schema.lineage.c, schema.patches.c
    names = ("run_id", "object_id", "patch_key", "fate", "first_before", "first_seen")
    kinds = ("area_dm2", "is_observed", "change_type", "from_cover", "to_cover", "geometry")
    west, south, east, north = period.bounds
    elsewhere = [number for number, run in runs.items() if run.grid_crs != period.crs]
    near = (row.east >= west) & (row.west <= east) & (row.north >= south) & (row.south <= north)
    there = select(row.object_id).where(near | row.run_id.in_(elsewhere))
    asked = (
        select(*(row[n] for n in (*names, *kinds)), patch.disposition)
        .add_columns(patch.geometry.label("shown"))
        .outerjoin(schema.patches, patch.id == row.patch_key)
        .where(row.object_id.in_(there))
    )
    found: dict[str, list[State]] = defaultdict(list)
    for r in connection.execute(asked.order_by(row.id)):
        kind = (r.change_type or "", r.from_cover or "", r.to_cover or "")
        move = partial(moved, source=runs[int(r.run_id)].grid_crs, target=period.crs)
        shown = None if r.shown is None else move(shapely.from_wkb(r.shown))
        found[str(r.object_id)].append(
            State(
                *(int(r.run_id), str(r.fate), (r.first_before, r.first_seen), int(r.area_dm2)),
                *(None if r.patch_key is None else kind, move(shapely.from_wkb(r.geometry))),
                *(shown, r.disposition == "clue"),
                is_observed=bool(r.is_observed),
            )
        )
    ground = shapely.box(*period.bounds)
    for name in list(found):
        if not any(shapely.intersects(s.geometry, ground) for s in found[name]):
            del found[name]
        else:
            found[name].sort(key=lambda s: (runs[s.run].period_after or dt.date.min, s.run))
    return found


def _known(name: str, rows: list[State], runs: Mapping[int, Any]) -> KnownObject:
    last = rows[-1]
    listed = [s.ground(s.shown, "", name) for s in rows if s.is_listed]
    before, after = min((s.first for s in rows), key=lambda d: (d[1], d[0]))
    kind = next((s.kind for s in reversed(rows) if s.kind), ("", "", ""))
    over = is_over(last.fate, is_shown=last.kind is not None, is_observed=last.is_observed)
    return KnownObject(
        *(name, last.geometry, last.area_dm2, before, after),
        runs[last.run].period_after,
        *kind,
        status="ended" if over else "open",
        listed=tuple(listed),
    )


def _told(known: KnownObject, kinds: tuple[JudgedGround, ...]) -> KnownObject:
    """Return an object with what people said of it."""
    if not kinds:
        return known
    ground = shapely.union_all([k.ground for k in kinds])
    return replace(known, verdict=kinds[-1].verdict, judged=ground, judged_kinds=kinds)


def _digest(objects: Iterable[KnownObject]) -> str:
    total = hashlib.sha256()
    wkb = partial(shapely.to_wkb, hex=True)
    for known in objects:
        judged = "" if known.judged is None else wkb(known.judged)
        shapes = ("geometry", "judged", "judged_kinds", "listed")
        values = [v for n, v in vars(known).items() if n not in shapes]
        kinds = [
            (k.change_type, k.to_cover, k.verdict, k.object_id, wkb(k.ground))
            for k in (*known.judged_kinds, *known.listed)
        ]
        total.update(repr((values, kinds, wkb(known.geometry), judged)).encode())
    return total.hexdigest()


def keep_fates(
    connection: Connection,
    run_id: int,
    fates: Iterable[ObjectFate],
    patches: Mapping[str, tuple[int, tuple[str, str, str]]],
    limitation: Mapping[str, dt.date | None],
) -> None:
    """Enter what became of the objects of a period.

    Parameters
    ----------
    connection : Connection
    run_id : int
    fates : iterable of ObjectFate
    patches : mapping
        By patch: its row, change type and covers before and after.
    limitation : mapping
        By object: the day until which the act can be punished.
    """
    rows = []
    for fate in fates:
        key, kind = patches.get(fate.patch_id, (None, ("", "", "")))
        west, south, east, north = shapely.bounds(fate.geometry).tolist()
        rows.append(
            {
                "run_id": run_id,
                "object_id": fate.object_id,
                "patch_key": key,
                "fate": fate.fate,
                "parents": list(fate.parents),
                "added_dm2": fate.added_dm2,
                "removed_dm2": fate.removed_dm2,
                "area_dm2": fate.area_dm2,
                "first_before": fate.first_before,
                "first_seen": fate.first_seen,
                "limitation_until": limitation.get(fate.object_id),
                "is_observed": fate.is_observed,
                "geometry": shapely.to_wkb(fate.geometry),
            }
            | dict(zip(("change_type", "from_cover", "to_cover"), kind, strict=True))
            | {"west": west, "south": south, "east": east, "north": north}
        )
    insert_many(connection, schema.lineage, rows)


def object_history(connection: Connection, object_id: str) -> list[dict[str, Any]]:
    """Return the periods of an object in order: run, dates, fate, areas, parents, patch.

    Of runs that judged one period, the last one counts.
    """
    row, run, patch, clue = schema.lineage.c, schema.runs.c, schema.patches.c, schema.clues.c
    names = ("object_id", "fate", "parents", "added_dm2", "removed_dm2", "area_dm2", "first_seen")
    asked = (
        select(
            *(row[n] for n in (*names, "limitation_until", "is_observed")),
            *(run.name, run.period_before, run.period_after, patch.patch_id, clue.clue_no),
        )
        .join(schema.runs, run.id == row.run_id)
        .outerjoin(schema.patches, patch.id == row.patch_key)
        .outerjoin(schema.clues, clue.object_id == row.object_id)
        .where(row.object_id == object_id)
        .order_by(run.period_after, row.id)
    )
    told = {str(r["name"]): dict(r) for r in connection.execute(asked).mappings()}
    return list(told.values())
