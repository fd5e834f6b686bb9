"""What people filled in, cell by cell: the present state of each clue, and that at a mark.

Nothing is ever altered: a change is a further row, so that a mark (the last rows at some moment)
tells what every cell held then. The verdict cell is the last verdict on the whole patch, whatever
way it came in; the other cells are rows of ``answers``. A thing that people cut, merged or deleted
is gone: what was filled in for it stays, and other patches stand on its ground.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import shapely
from sqlalchemy import Connection, func, insert, select

from clues.store import schema
from clues.store.heldcases import HeldCase, held_cases
from clues.store.repository import Store
from clues.store.runs import runs_named
from clues.store.verdicts import note_rows

__all__ = [
    "VERDICT",
    "WITHDRAWN",
    "Cell",
    "Filled",
    "Mark",
    "add_answers",
    "filled_in",
    "is_untouched",
    "present_state",
]

VERDICT = "verdict"
WITHDRAWN = {"zh": "未定", "en": "not settled"}
"""Verdict that stands for a cell that was emptied again, by language of the ledger."""


class Mark(NamedTuple):
    """How far verdicts and answers went at some moment.

    Examples
    --------
    >>> Mark.of("12.40"), str(Mark(12, 40))
    (Mark(verdicts=12, answers=40), '12.40')
    """

    verdicts: int = 0
    answers: int = 0

    @classmethod
    def of(cls, text: str) -> "Mark":
        """Read a mark; `ValueError` where it is none."""
        first, second = text.split(".")
        return cls(int(first), int(second))

    def __str__(self) -> str:
        return f"{self.verdicts}.{self.answers}"


class Cell(NamedTuple):
    """What a cell holds, by whom and since when."""

    value: str
    by: str
    at: dt.datetime | None


EMPTY = Cell("", "", None)

LEAST_SHARE = 0.01
"""Share of the smaller of two outlines that must lie in the other for one to stand for the other;
redrawn outlines may overlap their neighbours by a hair."""


@dataclass(frozen=True)
class Filled:
    """What people filled in for one thing on the ground.

    Attributes
    ----------
    patch_key : int
        Row of the patch that stands for it now.
    patch_id : str
        Number of that patch.
    clue_no : str
        "" where it never was a clue.
    after : date or None
        Last day of the later image.
    area_dm2 : int
        Of that patch; 0 for a place that only leads name.
    history : dict of str to list of (row number, Cell)
        By cell, in the order of entry.
    gone : bool
        Whether it is no longer among the patches of its run: cut, merged or deleted.
    parts : tuple of str
        Clue numbers, or patch numbers where they are no clues, of what stands on its ground then.
    case : HeldCase or None
        What its cases at the desk hold it to.
    """

    patch_key: int
    patch_id: str
    clue_no: str
    after: dt.date | None
    area_dm2: int = 0
    history: dict[str, list[tuple[int, Cell]]] = field(default_factory=dict)
    gone: bool = False
    parts: tuple[str, ...] = ()
    case: HeldCase | None = None

    def cell(self, name: str, mark: Mark | None = None) -> Cell:
        """Return what a cell holds now, or held at a mark."""
        rows = self.history.get(name, ())
        last = None if mark is None else mark.verdicts if name == VERDICT else mark.answers
        known = [cell for number, cell in rows if last is None or number <= last]
        return known[-1] if known else EMPTY

    @property
    def present(self) -> dict[str, str]:
        """What the cells that are not empty hold now."""
        told = {name: self.cell(name).value for name in sorted(self.history)}
        return {name: value for name, value in told.items() if value}


def filled_in(
    connection: Connection, scope: str | None = None, *, told_only: bool = False
) -> list[Filled]:
    """Return everything on the ground with what people filled in, by object.

    Parameters
    ----------
    connection : Connection
    scope : str, optional
        Name of a run: of a register, only what it shows. What other periods were told of a thing
        counts where it did not change in this one.
    told_only : bool
        Leave out what nobody filled in anything for.

    Returns
    -------
    list of Filled
        One per thing, in order of its present patch.
    """
    patch, clue = schema.patches.c, schema.clues.c
    numbers = {str(o): str(n) for o, n in connection.execute(select(clue.object_id, clue.clue_no))}
    found: dict[str, Filled] = {}
    object_of: dict[int, str] = {}
    held = held_cases(connection)
    newest = _newest_runs(connection)
    names = (patch.id, patch.object_id, patch.patch_id, patch.after_to, patch.area_dm2)
    asked = select(*names, patch.run_id).order_by(patch.id)
    own = asked if scope is None else asked.where(patch.run_id.in_(runs_named(scope)))
    if told_only:
        rows_told = select(schema.verdicts.c.patch_key).union(select(schema.answers.c.patch_key))
        known = schema.patches.alias()
        things = select(known.c.object_id).where(known.c.id.in_(rows_told))
        own = own.where(patch.object_id.in_(things))
    for key, thing, patch_id, after, area, run in connection.execute(own):
        now, clue_no = newest[run], numbers.get(thing, "")
        found[thing] = Filled(
            key, patch_id, clue_no, after, area, gone=now != run, case=held.get(thing)
        )
        object_of[key] = thing
    if scope is not None:
        object_of |= _elsewhere(connection, scope, newest)
    for thing, one in found.items():
        if one.gone:
            parts = _parts(connection, one.patch_key, newest, numbers)
            found[thing] = replace(one, parts=parts)
    emptied = set(WITHDRAWN.values())
    table = schema.verdicts.c
    whole = (table.id, table.patch_key, table.verdict, table.by, table.at)
    rows = connection.execute(select(*whole).where(table.parcel_no == 0).order_by(table.id))
    for number, key, verdict, by, at in rows:
        if key not in object_of:
            continue
        value = "" if verdict in emptied else verdict
        history = found[object_of[key]].history.setdefault(VERDICT, [])
        history.append((number, Cell(value, by, at)))
    told = schema.answers.c
    cells = (told.id, told.patch_key, told.name, told.value, told.by, told.at)
    for number, key, name, value, by, at in connection.execute(select(*cells).order_by(told.id)):
        if key not in object_of:
            continue
        found[object_of[key]].history.setdefault(name, []).append((number, Cell(value, by, at)))
    return sorted(found.values(), key=lambda f: f.patch_key)


def _elsewhere(connection: Connection, scope: str, newest: Mapping[int, int]) -> dict[int, str]:
    """Return patches of other periods, by row, that show a thing which a run found unchanged."""
    patch, row = schema.patches.c, schema.lineage.c
    runs = {int(run) for run in connection.scalars(runs_named(scope))}
    last = {newest[run] for run in runs}
    steady = select(row.object_id).where(
        row.run_id.in_(last), row.patch_key.is_not(None), row.fate.in_(("persisting", "shrunk"))
    )
    asked = select(patch.id, patch.object_id).where(
        patch.object_id.in_(steady), patch.run_id.not_in(runs)
    )
    return {int(key): str(thing) for key, thing in connection.execute(asked)}


def _newest_runs(connection: Connection) -> dict[int, int]:
    """Return, by run, the last one of the same name: patches that people edit are a further run."""
    run = schema.runs.c
    pairs = [(int(key), str(name)) for key, name in connection.execute(select(run.id, run.name))]
    last: dict[str, int] = {}
    for key, name in pairs:
        last[name] = max(key, last.get(name, key))
    return {key: last[name] for key, name in pairs}


def _parts(
    connection: Connection, key: int, newest: Mapping[int, int], numbers: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what stands now on the ground of a patch that is gone."""
    patch = schema.patches.c
    asked = select(patch.run_id, patch.geometry).where(patch.id == key)
    run, wkb = connection.execute(asked).one()
    outline, found = shapely.from_wkb(wkb), []
    west, south, east, north = outline.bounds
    near = (patch.east > west) & (patch.west < east) & (patch.north > south) & (patch.south < north)
    names = (patch.object_id, patch.patch_id, patch.geometry)
    present = select(*names).where(patch.run_id == newest[run], near).order_by(patch.id)
    for thing, patch_id, other in connection.execute(present):
        shape = shapely.from_wkb(other)
        least = LEAST_SHARE * min(shape.area, outline.area)
        if outline.intersection(shape).area > least:
            found.append(numbers.get(thing, "") or str(patch_id))
    return tuple(found)


def present_state(store: Store) -> tuple[dict[str, dict[str, str]], str]:
    """Return what people filled in so far, by patch and cell, and the mark of this moment."""
    with store.engine.connect() as connection:
        told = filled_in(connection, store.scope, told_only=True)
        if store.scope is None:
            tables = (schema.verdicts, schema.answers)
            mark = Mark(*(connection.scalar(select(func.max(t.c.id))) or 0 for t in tables))
        else:
            mark = _mark(told)
        filled = {f.patch_id: f.present for f in told if f.history}
    return filled, str(mark)


def is_untouched(connection: Connection) -> bool:
    """Tell whether a store holds nothing that people filled in, and no batch of clues."""
    tables = (schema.verdicts, schema.answers, schema.batches)
    return all(connection.scalar(select(t.c.id).limit(1)) is None for t in tables)


def _mark(told: Iterable[Filled]) -> Mark:
    """Return how far verdicts and answers on some things went."""
    last = {True: 0, False: 0}
    for name, history in (item for f in told for item in f.history.items()):
        last[name == VERDICT] = max(last[name == VERDICT], *(number for number, _ in history))
    return Mark(last[True], last[False])


def add_answers(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Enter answers: ``patch_key``, ``name``, ``value``, ``by``, ``at``, ``source`` each."""
    entered = [dict(row) for row in rows]
    if entered:
        last = connection.scalar(select(func.max(schema.answers.c.id))) or 0
        connection.execute(insert(schema.answers), entered)
        note_rows(connection, "answer", schema.answers, int(last))
