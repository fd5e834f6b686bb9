"""The register as people ask it: its objects now, batches of clues, what was confirmed."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from sqlalchemy import Connection, func, select

from clues.baseline import Confirmed
from clues.changekinds import confirmed_part
from clues.objects import JudgedGround, KnownObject, is_over
from clues.store import schema
from clues.store.batches import Batch, issued_batches, put_in_batch, stored_batches
from clues.store.lineage import Period, held_before
from clues.store.worklistrows import last_words, refresh
from configs.verdicts import verdict_meaning

__all__ = [
    "STATUSES",
    "Batch",
    "RegisteredClue",
    "confirmed_ground",
    "issue_batch",
    "registered_clues",
]

STATUSES = ("open", "issued", "judged", "ended")

EVERYWHERE = (-1e12, -1e12, 1e12, 1e12)


@dataclass(frozen=True)
class RegisteredClue:
    """A clue of the register and the object it tells of, as it is now.

    Attributes
    ----------
    fate : str
        Of the last period that told something of it.
    seen : date or None
        After date of that period.
    is_observed : bool
        Whether that period saw its ground.
    verdict : str
        Last word of people; "" where they did not say anything yet.
    run : str
        Name of the run that gave the number.
    is_over : bool
        Whether it is gone, goes on under other numbers, or is shown by no judgement that stands.
    batches : tuple of Batch
        All batches in which it was issued, in order; `batch` is the last.
    lon, lat : float or None
        Of the patch that first was a clue.
    told_again : date or None
        Day on which a later period listed it although it was judged: it grew, or became another
        kind of change, and nobody has judged that yet.
    """

    object_id: str
    clue_no: str
    county_code: str
    fate: str
    first_seen: dt.date | None
    seen: dt.date | None
    is_observed: bool
    area_dm2: int
    verdict: str
    limitation_until: dt.date | None
    run: str
    is_over: bool = False
    batch: Batch | None = None
    told_again: dt.date | None = None
    lon: float | None = None
    lat: float | None = None
    batches: tuple[Batch, ...] = ()

    @property
    def status(self) -> str:
        """Where it stands: ``ended``, ``judged``, ``issued`` or ``open``.

        What was split or merged goes on under other numbers and is ended as well. What was judged
        and told again is open until it is issued with a later batch.
        """
        if self.is_over:
            return "ended"
        if self.told_again is not None:
            is_out = self.batch is not None and self.batch.issue_date >= self.told_again
            return "issued" if is_out else "open"
        if self.verdict:
            return "judged"
        return "issued" if self.batch else "open"

    def is_due(self, day: dt.date) -> bool:
        """Tell whether its answer is due on or before a day and was not given."""
        return self.status == "issued" and self.batch is not None and self.batch.due_date <= day


def registered_clues(connection: Connection) -> list[RegisteredClue]:
    """Return the clues of a register in order of their numbers."""
    clue, patch, run = schema.clues.c, schema.patches.c, schema.runs.c
    asked = (
        select(clue.clue_no, clue.object_id, clue.batch_id, patch.county_code, patch.area_dm2)
        .add_columns(patch.after_to, patch.lon, patch.lat, run.name)
        .join(schema.patches, patch.id == clue.patch_key)
        .join(schema.runs, run.id == patch.run_id)
        .order_by(clue.clue_no)
    )
    batches, issued = stored_batches(connection), issued_batches(connection)
    (states, firsts), verdicts = _last_states(connection), _last_verdicts(connection)
    again = _told_again(connection)
    # what the last judgement of its period does not show any more
    traced = set(connection.scalars(select(schema.lineage.c.object_id).distinct()))
    found = []
    for row in connection.execute(asked):
        state = states.get(row.object_id)
        found.append(
            RegisteredClue(
                object_id=row.object_id,
                clue_no=row.clue_no,
                county_code=row.county_code,
                fate=state.fate if state else "new",
                first_seen=firsts[row.object_id][0] if state else row.after_to,
                seen=state.period_after if state else row.after_to,
                is_observed=state.is_observed if state else True,
                area_dm2=state.area_dm2 if state else row.area_dm2,
                verdict=verdicts.get(row.object_id, ""),
                limitation_until=firsts.get(row.object_id, (None, None))[1],
                run=row.name,
                is_over=row.object_id in traced if state is None else _is_over(state),
                batch=batches.get(row.batch_id),
                told_again=again.get(row.object_id) if row.object_id in verdicts else None,
                lon=row.lon,
                lat=row.lat,
                batches=issued.get(row.clue_no, ()),
            )
        )
    return found


def _is_over(state: Any) -> bool:
    is_shown = state.patch_key is not None
    return is_over(state.fate, is_shown=is_shown, is_observed=state.is_observed)


def _last_states(
    connection: Connection,
) -> tuple[dict[str, Any], dict[str, tuple[dt.date, dt.date | None]]]:
    """Return the last row of the history of every object, and the earliest of its first sights.

    Of runs of one name the last counts. A period that came late saw things earlier than the runs
    after it tell; with the first sight comes the day until which the act can be punished.
    """
    row, run = schema.lineage.c, schema.runs.c
    newest = select(func.max(run.id)).group_by(run.name)
    names = ("object_id", "patch_key", "fate", "first_seen", "is_observed", "area_dm2")
    asked = (
        select(*(row[n] for n in names), row.limitation_until, run.period_after)
        .join(schema.runs, run.id == row.run_id)
        .where(run.id.in_(newest))
        .order_by(run.period_after, row.id)
    )
    states: dict[str, Any] = {}
    firsts: dict[str, tuple[dt.date, dt.date | None]] = {}
    for state in connection.execute(asked):
        states[state.object_id] = state
        known = firsts.get(state.object_id)
        if known is None or state.first_seen <= known[0]:
            firsts[state.object_id] = (state.first_seen, state.limitation_until)
    return states, firsts


def _last_verdicts(connection: Connection) -> dict[str, str]:
    """Return the last word of people on every object that they did not take back."""
    words = last_words(connection)
    return {o: w for o, w in words.items() if verdict_meaning(w) not in (None, "open")}


def _told_again(connection: Connection) -> dict[str, dt.date]:
    """Return by object on which day a later period first listed it, knowing the last verdict.

    A run that was registered before the verdict did not know it, and says nothing of it.
    """
    verdict, patch, run, row = (
        t.c for t in (schema.verdicts, schema.patches, schema.runs, schema.lineage)
    )
    judged = {
        str(v.object_id): v
        for v in connection.execute(
            select(patch.object_id, run.period_after, verdict.at)
            .join(schema.patches, patch.id == verdict.patch_key)
            .join(schema.runs, run.id == patch.run_id)
            .where(verdict.parcel_no == 0)
            .order_by(verdict.id)
        )
    }
    latest = select(run.name, func.max(run.id).label("id")).group_by(run.name)
    newest = {str(one.name): int(one.id) for one in connection.execute(latest)}
    asked = (
        select(row.object_id, run.id, run.name, run.period_after, run.registered_at)
        .join(schema.runs, run.id == row.run_id)
        .join(schema.patches, patch.id == row.patch_key)
        .where(patch.disposition == "clue")
        .order_by(run.id)
    )
    days: dict[tuple[str, str], dt.date] = {}
    found: dict[str, dt.date] = {}
    for told in connection.execute(asked):
        word = judged.get(told.object_id)
        if word is None or told.registered_at <= word.at:
            continue
        if word.period_after is None or told.period_after <= word.period_after:
            continue
        day = days.setdefault((told.object_id, told.name), told.registered_at.date())
        if newest[told.name] == told.id:
            found[told.object_id] = min(day, found.get(told.object_id, day))
    return found


def issue_batch(
    connection: Connection, batch: Batch, clues: Iterable[RegisteredClue], who: str = "tuban"
) -> int:
    """Give clues to a batch; return how many are new in it.

    A clue is issued once, and once more where it was told again after people judged it; what is
    judged is not issued. Issuing the same batch again adds the clues that came since. Earlier
    batches of a clue are kept.

    Raises
    ------
    StoreError
        If the batch is there with other dates.
    """
    issued = [c for c in clues if c.status == "open" and c.batch != batch]
    put_in_batch(connection, batch, [c.clue_no for c in issued], who)
    refresh(connection, {c.object_id for c in issued})
    return len(issued)


def confirmed_ground(
    connection: Connection, classes: Mapping[str, str], until: dt.date | None = None
) -> tuple[list[Confirmed], str]:
    """Return the ground of which people said that it really changed and that still stands.

    Ground counts that a verdict was given on and that the object, or what it was split or merged
    into, takes now; what was added since is not confirmed.

    Parameters
    ----------
    connection : Connection
    classes : mapping
        Land class or use that people told besides, by clue number or object.
    until : date, optional
        Only periods before this day count.

    Returns
    -------
    confirmed : list of Confirmed
        In order of the objects.
    crs : str
        Of the outlines: that of the last run; "" in an empty register.
    """
    run = schema.runs.c
    crs = connection.scalar(select(run.grid_crs).order_by(run.id.desc()).limit(1))
    if crs is None:
        return [], ""
    end = until or dt.date.max
    known = {
        k.object_id: k for k in held_before(connection, Period("", end, end, crs, EVERYWHERE)).known
    }
    children, numbers = _children(connection), _numbers(connection)
    uses, told = _uses(connection), _told_uses(connection)
    confirmed = []
    for name, one in sorted(known.items()):
        ground = _standing(one, known, children)
        if ground.is_empty:
            continue
        clue = numbers.get(name, "")
        word = classes.get(clue) or classes.get(name) or told.get(name, "")
        confirmed.append(Confirmed(name, clue, ground, one.after, uses.get(name, ""), word))
    return confirmed, crs


def _standing(
    one: KnownObject, known: Mapping[str, KnownObject], children: Mapping[str, Sequence[str]]
) -> Any:
    """Return the ground of an object that was found changed and that it, or its parts, still take.

    What it inherited counts with the thing that was judged.
    """
    real = confirmed_part(_own(one))
    if real.is_empty:
        return real
    seen, waiting, standing, undone = {one.object_id}, [one], [], []
    while waiting:
        thing = waiting.pop()
        if thing.status != "ended":
            standing.append(thing.geometry)
        if thing is not one:
            undone.append(confirmed_part(_own(thing), "pseudo"))
        for name in children.get(thing.object_id, ()):
            if name not in seen and name in known:
                seen.add(name)
                waiting.append(known[name])
    ground = shapely.intersection(real, shapely.union_all(standing))
    ground = shapely.difference(ground, shapely.union_all(undone))
    parts = [p for p in shapely.get_parts(ground) if p.geom_type == "Polygon"]
    return shapely.union_all(parts)


def _own(thing: KnownObject) -> list[JudgedGround]:
    return [j for j in thing.judged_kinds if j.object_id == thing.object_id]


def _children(connection: Connection) -> dict[str, list[str]]:
    row = schema.lineage.c
    found: dict[str, list[str]] = defaultdict(list)
    for name, parents in connection.execute(select(row.object_id, row.parents).order_by(row.id)):
        for parent in parents:
            if name not in found[parent]:
                found[parent].append(str(name))
    return found


def _numbers(connection: Connection) -> dict[str, str]:
    clue = schema.clues.c
    return {str(o): str(n) for o, n in connection.execute(select(clue.object_id, clue.clue_no))}


def _uses(connection: Connection) -> dict[str, str]:
    """Return what the machine last took the land of every object for."""
    patch = schema.patches.c
    asked = select(patch.object_id, patch.use).where(patch.use.is_not(None)).order_by(patch.id)
    return {str(o): str(use) for o, use in connection.execute(asked)}


def _told_uses(connection: Connection) -> dict[str, str]:
    """Return what people filled in as the use of the land, by object."""
    answer, patch = schema.answers.c, schema.patches.c
    asked = (
        select(patch.object_id, answer.value)
        .join(schema.patches, patch.id == answer.patch_key)
        .where(answer.name == "illegal_use")
        .order_by(answer.id)
    )
    return {str(o): str(value) for o, value in connection.execute(asked)}
