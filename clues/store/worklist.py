"""The worklist of the desk: the one definition of filters and of who sees what.

List, map, features, exports and statistics ask through `matching`, so that they tell of the same
clues. Nothing reads clues for the desk without a `Scope`.
"""

import base64
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Any, Literal

from sqlalchemy import Connection, Select, and_, exists, func, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from clues.store import schema
from clues.store.runs import runs_named
from clues.store.textsearch import holds
from configs.cases import state_order
from configs.errors import InputError

__all__ = [
    "ORDERS",
    "ROW",
    "Filters",
    "Order",
    "Page",
    "Points",
    "Scope",
    "begins",
    "clue_numbers_matching",
    "count",
    "listed",
    "matching",
    "neighbours",
    "points",
    "visible",
    "worklist",
]

Order = Literal["priority", "number", "area", "due", "limitation"]
ORDERS: tuple[Order, ...] = ("priority", "number", "area", "due", "limitation")
MOST = 500
"""Rows of a page."""

LONGEST = 60
"""Signs of a text that is looked for."""

NEVER = dt.date(9999, 12, 31)
ROW = tuple(c.name for c in schema.worklist.c if c.name not in ("clue_id", "patch_key", "is_over"))
BOUNDS = ("west", "south", "east", "north")
TOLD = tuple(n for n in ROW if n not in BOUNDS)
HIDDEN = ("assigned_to", "object_id", "patch_id", "version", "due_date")
"""Columns that the public is not told."""

CELL = 0.05
"""Degrees to which the public is told a place."""

HAIR = 1e-6
"""Keeps what lies on the edge of a cell in it."""


@dataclass(frozen=True)
class Scope:
    """What of the store somebody sees.

    Attributes
    ----------
    divisions : tuple of str
        Digits that the division of a clue or case begins with; none: everything.
    assignee : str
        Only what this person was given; "" for all.
    redacted : bool
        For the public: no exact place, no names.
    """

    divisions: tuple[str, ...] = ()
    assignee: str = ""
    redacted: bool = False


@dataclass(frozen=True)
class Filters:
    """Which clues are asked for; what is empty does not matter.

    Attributes
    ----------
    run : str
        Name of a run that lists them.
    batch : str
        Such as ``2025-3``.
    division : str
        Digits that the division begins with.
    state, outcome, rule, change_type, verdict, fate : tuple of str
        Any of them. Verdict ``none``: not judged yet.
    min_area, max_area : int or None
        dm².
    q : str
        Part of a clue, case, patch or object number.
    bbox : tuple of float or None
        West, south, east, north in degrees; whose bounds touch it.
    overdue : bool
        Only what is open and was due before `day`.
    day : date or None
        Today, in the civil calendar of the desk.
    object_ids : tuple of str
        Only these things.
    """

    run: str = ""
    batch: str = ""
    division: str = ""
    state: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    change_type: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    fate: tuple[str, ...] = ()
    min_area: int | None = None
    max_area: int | None = None
    q: str = ""
    bbox: tuple[float, float, float, float] | None = None
    overdue: bool = False
    assigned_to: str = ""
    object_ids: tuple[str, ...] = ()
    day: dt.date | None = None


@dataclass(frozen=True)
class Page:
    """Rows of the list, and the cursor after them; "" on the last page."""

    items: list[dict[str, Any]]
    next: str


@dataclass(frozen=True)
class Points:
    """All clues as points: clue_no, lon, lat, place in `states`, place in `outcomes`, priority."""

    columns: tuple[str, ...]
    states: tuple[str, ...]
    outcomes: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def begins(column: Any, digits: str) -> ColumnElement[bool]:
    """Return the condition that the division in a column lies in one that is given by digits.

    Only digits are compared: where other signs stand beside them differs from server to server.
    """
    if not (digits.isascii() and digits.isdigit()) or not digits.strip("9"):
        inside: ColumnElement[bool] = func.substr(column, 1, len(digits)) == digits
        return inside
    following = str(int(digits) + 1).zfill(len(digits))
    return and_(column >= digits, column < following)


def _case_of(row: Any, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that a clue has a case of some kind, in whatever query it stands."""
    case = schema.cases.c
    own = select(case.id).where(case.clue_id == row.clue_id, condition)
    found: ColumnElement[bool] = exists(own.correlate(schema.worklist))
    return found


def visible(scope: Scope, *, walked: bool = False) -> ColumnElement[bool]:
    """Return the condition on rows of the worklist that somebody sees.

    Parameters
    ----------
    scope : Scope
    walked : bool
        The rows are walked in another order until one fits: the index of divisions, from which all
        would have to be sorted, is kept out.
    """
    row, case = schema.worklist.c, schema.cases.c
    place = func.coalesce(row.division, "") if walked else row.division
    conditions: list[ColumnElement[bool]] = []
    if scope.divisions:
        own = or_(*(begins(place, d) for d in scope.divisions))
        towns = [d for d in scope.divisions if len(d) > 6]
        if towns:  # the cases of one clue may lie with several townships
            held = or_(*(begins(case.division, d) for d in towns))
            own = or_(own, _case_of(row, held))
        conditions.append(own)
    if scope.assignee:
        given = _case_of(row, case.assigned_to == scope.assignee)
        conditions.append(given)
    return and_(true(), *conditions)


def matching(filters: Filters, scope: Scope, *, walked: bool = False) -> ColumnElement[bool]:
    """Return the condition on rows of the worklist that somebody sees and asks for."""
    row = schema.worklist.c
    conditions = [visible(scope, walked=walked or filters.bbox is not None)]
    for name in ("outcome", "rule", "change_type", "fate", "state"):
        if wanted := getattr(filters, name):
            conditions.append(row[name].in_(wanted))
    if filters.verdict:
        conditions.append(row.verdict.in_(["" if v == "none" else v for v in filters.verdict]))
    if filters.run:
        patch = schema.patches.c
        listed = select(patch.object_id).where(
            patch.run_id.in_(runs_named(filters.run)), patch.disposition == "clue"
        )
        conditions.append(row.object_id.in_(listed))
    if filters.batch:
        conditions.append(row.batch == filters.batch)
    if filters.division:
        conditions.append(begins(row.division, filters.division))
    if filters.min_area is not None:
        conditions.append(row.area_dm2 >= filters.min_area)
    if filters.max_area is not None:
        conditions.append(row.area_dm2 <= filters.max_area)
    if filters.q:
        wanted = filters.q.strip()[:LONGEST].upper()  # numbers have no small letters
        names = ("case_nos",) if "-" in wanted else ("clue_no", "patch_id", "object_id")
        conditions.append(or_(*(holds(row[n], wanted) for n in names)))
    if filters.bbox is not None:
        west, south, east, north = filters.bbox
        conditions += [row.east >= west, row.west <= east, row.north >= south, row.south <= north]
    if filters.overdue:
        conditions.append(_overdue(filters))
    if filters.assigned_to:
        conditions.append(row.assigned_to == filters.assigned_to)
    if filters.object_ids:
        conditions.append(row.object_id.in_(filters.object_ids))
    return and_(*conditions)


def _overdue(filters: Filters) -> ColumnElement[bool]:
    row = schema.worklist.c
    if filters.day is None:
        raise InputError("what is overdue depends on the day", "day", "give today's date")
    return and_(row.due_date < filters.day, row.state != "closed")


def worklist(
    connection: Connection,
    filters: Filters,
    scope: Scope,
    order: Order = "priority",
    after: str = "",
    limit: int = 100,
    among: tuple[int, int] | None = None,
) -> Page:
    """Return a page of the list.

    Parameters
    ----------
    connection : Connection
    filters : Filters
    scope : Scope
    order : str
        Of `ORDERS`: priority and area from the greatest, the others from the first.
    after : str
        Cursor of the page before.
    limit : int
        At most `MOST`.
    among : tuple of int, optional
        How many clues are asked for, and how many there are: few are looked up and sorted, many
        are passed in their order until the page is full.

    Raises
    ------
    InputError
        If the cursor is none of this order.
    """
    row = schema.worklist.c
    key = {
        "priority": row.priority,
        "area": row.area_dm2,
        "number": row.clue_no,
        "due": func.coalesce(row.due_date, NEVER),
        "limitation": func.coalesce(row.limitation_until, NEVER),
    }[order]
    falls = order in ("priority", "area")
    size = max(1, min(limit, MOST))
    walked = falls and _is_walked(filters, scope, size, among)
    if falls and not walked:
        key = key + 0  # keeps the index of the order out
    wanted = matching(filters, scope, walked=walked)
    asked = select(*(row[n] for n in ROW), key.label("_key")).where(wanted)
    if after:
        value, number = _told(after, order)
        from_here, past = (key <= value, key < value) if falls else (key >= value, key > value)
        asked = asked.where(from_here, or_(past, row.clue_no > number))
    asked = asked.order_by(key.desc() if falls else key, row.clue_no).limit(size + 1)
    found = connection.execute(asked).mappings().all()
    items = [listed(r, scope, filters.day) for r in found[:size]]
    if len(found) <= size:
        return Page(items, "")
    last = found[size - 1]
    return Page(items, _cursor(order, last["_key"], last["clue_no"]))


def _is_walked(filters: Filters, scope: Scope, size: int, among: tuple[int, int] | None) -> bool:
    """Tell whether fewer rows are passed on the way to a full page than would be sorted."""
    if among is None:
        return not (scope.divisions or scope.assignee or filters != Filters(day=filters.day))
    wanted, whole = among
    return wanted * wanted > size * whole


def listed(row: Mapping[Any, Any], scope: Scope, day: dt.date | None) -> dict[str, Any]:
    """Return a row as it is told: bounds and case numbers as lists, redacted for the public."""
    told = {n: row[n] for n in TOLD}
    told["case_nos"] = json.loads(row["case_nos"]) if row["case_nos"] != "[]" else []
    told["bounds"] = [row[n] for n in BOUNDS]
    due = row["due_date"]
    told["is_overdue"] = bool(day and due and due < day and row["state"] != "closed")
    if scope.redacted:
        told |= dict.fromkeys(HIDDEN) | {"case_nos": [], "bounds": None, "is_overdue": False}
        told |= {"lon": _coarse(row["lon"]), "lat": _coarse(row["lat"])}
    return told


def _coarse(degrees: float | None) -> float | None:
    return None if degrees is None else round((floor(degrees / CELL + HAIR) + 0.5) * CELL, 4)


def _cursor(order: str, value: Any, number: str) -> str:
    plain = value.isoformat() if isinstance(value, dt.date) else value
    text = json.dumps([order, plain, number], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _told(cursor: str, order: str) -> tuple[Any, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        own, value, number = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        kind = {"priority": int, "area": int}.get(order, str)
        if own != order or not isinstance(value, kind) or not isinstance(number, str):
            raise ValueError(cursor)
        is_day = order in ("due", "limitation")
        return (dt.date.fromisoformat(str(value)) if is_day else value), number
    except (ValueError, TypeError) as error:
        raise InputError(
            "the cursor is none of this list", "cursor", "ask for the first page again"
        ) from error


def count(connection: Connection, filters: Filters, scope: Scope) -> int:
    """Return how many clues somebody sees of those they ask for."""
    asked = select(func.count()).select_from(schema.worklist).where(matching(filters, scope))
    return int(connection.scalar(asked) or 0)


def points(connection: Connection, filters: Filters, scope: Scope) -> Points:
    """Return all clues somebody sees of those they ask for, in order of their numbers."""
    row = schema.worklist.c
    names = ("clue_no", "lon", "lat", "state", "outcome", "priority")
    asked = select(*(row[n] for n in names)).where(matching(filters, scope))
    result: Any = connection.execute(asked.order_by(row.clue_no))
    found = result.cursor.fetchall()  # plain tuples: rows with names take as long again
    states = tuple(state_order())
    outcomes = tuple(sorted({r[4] for r in found}))
    state = {name: i for i, name in enumerate(states)}
    outcome = {name: i for i, name in enumerate(outcomes)}
    if scope.redacted:
        place = _coarse
        rows = [(n, place(x), place(y), state[s], outcome[o], p) for n, x, y, s, o, p in found]
    else:
        rows = [(n, x, y, state[s], outcome[o], p) for n, x, y, s, o, p in found]
    return Points(names, states, outcomes, rows)


def clue_numbers_matching(connection: Connection, filters: Filters, scope: Scope) -> list[str]:
    """Return the numbers of the clues somebody sees of those they ask for, in order."""
    row = schema.worklist.c
    asked = select(row.clue_no).where(matching(filters, scope)).order_by(row.clue_no)
    return [str(n) for n in connection.scalars(asked)]


def neighbours(
    connection: Connection, clue_no: str, filters: Filters, scope: Scope
) -> dict[str, str | None]:
    """Return the clue numbers before and after one, of those somebody sees and asks for."""
    row = schema.worklist.c
    asked = matching(replace(filters, q=""), scope, walked=True)
    own: Select[Any] = select(row.clue_no).where(asked)
    before = own.where(row.clue_no < clue_no).order_by(row.clue_no.desc()).limit(1)
    after = own.where(row.clue_no > clue_no).order_by(row.clue_no).limit(1)
    return {"previous": connection.scalar(before), "next": connection.scalar(after)}
