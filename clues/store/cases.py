"""Cases in the store: read with their clue, written with a version that only goes up."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, true, update
from sqlalchemy.sql.elements import ColumnElement

from clues.store import schema
from clues.store.tables import in_utc
from clues.store.worklist import Filters, Scope, begins, matching

__all__ = [
    "CaseRow",
    "ClueRow",
    "add_check",
    "add_comment",
    "case_row",
    "case_rows",
    "case_seen",
    "change_case",
    "clue_rows",
    "drop_case",
    "insert_cases",
    "is_spoken_of",
    "link_attachment",
    "move_parcels",
    "parcels_of",
    "renew_parcels",
]

MUTABLE = (
    *("division", "state", "verdict", "verdict_reason", "review_level", "returned"),
    *("assigned_to", "due_date", "areas", "facts"),
)
AT_ONCE = 400


@dataclass(frozen=True)
class ClueRow:
    """What a case asks of its clue.

    Attributes
    ----------
    patch_key : int
        Row of the patch that shows it now.
    parcels : tuple of (str, str)
        Line and number of the parcels of that patch.
    """

    clue_id: int
    clue_no: str
    object_id: str
    county_code: str
    patch_key: int
    area_dm2: int
    run: str
    parcels: tuple[tuple[str, str], ...]
    word: str
    word_reason: str
    has_cases: bool


@dataclass(frozen=True)
class CaseRow:
    """A case as it is kept, with the clue it is of.

    Attributes
    ----------
    values : dict
        What may change, by column.
    area_dm2 : int
        Of its parcels, on the line where they take most; of the clue where it has none.
    """

    id: int
    case_no: str
    clue_id: int
    clue_no: str
    object_id: str
    county_code: str
    patch_key: int
    version: int
    area_dm2: int
    opened_at: dt.datetime
    updated_at: dt.datetime
    values: dict[str, Any]
    parcels: tuple[tuple[str, str], ...]


def case_seen(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on cases of a clue that somebody sees."""
    case = schema.cases.c
    conditions: list[ColumnElement[bool]] = []
    if scope.divisions:
        conditions.append(or_(*(begins(case.division, d) for d in scope.divisions)))
    if scope.assignee:
        conditions.append(case.assigned_to == scope.assignee)
    return and_(true(), *conditions)


def clue_rows(connection: Connection, clue_nos: Sequence[str], scope: Scope) -> dict[str, ClueRow]:
    """Return clues by number, those that somebody sees."""
    found: dict[str, ClueRow] = {}
    row = schema.worklist.c
    names = ("clue_id", "clue_no", "object_id", "county_code", "patch_key", "area_dm2", "run")
    for start in range(0, len(clue_nos), AT_ONCE):
        some = clue_nos[start : start + AT_ONCE]
        asked = select(*(row[n] for n in names), row.case_nos).where(
            row.clue_no.in_(some), matching(Filters(), scope)
        )
        rows = connection.execute(asked).all()
        parcels = _patch_parcels(connection, [r.patch_key for r in rows])
        words = _last_words(connection, [r.object_id for r in rows])
        for r in rows:
            word, reason = words.get(r.object_id, ("", ""))
            found[r.clue_no] = ClueRow(
                **{n: getattr(r, n) for n in names},
                parcels=tuple(p for p, _ in parcels.get(r.patch_key, ())),
                word=word,
                word_reason=reason,
                has_cases=r.case_nos != "[]",
            )
    return found


def _patch_parcels(
    connection: Connection, keys: Sequence[int]
) -> dict[int, list[tuple[tuple[str, str], int]]]:
    parcel = schema.parcels.c
    asked = select(parcel.patch_key, parcel.line, parcel.parcel_id, parcel.area_dm2)
    found: dict[int, list[tuple[tuple[str, str], int]]] = {}
    rows = connection.execute(
        asked.where(parcel.patch_key.in_(keys)).order_by(parcel.line, parcel.parcel_no)
    )
    for key, line, parcel_id, area in rows:
        found.setdefault(key, []).append(((line, parcel_id), int(area)))
    return found


def _last_words(connection: Connection, objects: Sequence[str]) -> dict[str, tuple[str, str]]:
    verdict, patch = schema.verdicts.c, schema.patches.c
    asked = (
        select(patch.object_id, verdict.verdict, verdict.reason)
        .join(schema.patches, patch.id == verdict.patch_key)
        .where(verdict.parcel_no == 0, patch.object_id.in_(objects))
        .order_by(verdict.id)
    )
    return {str(o): (str(w), str(r)) for o, w, r in connection.execute(asked)}


def case_row(connection: Connection, case_no: str) -> CaseRow | None:
    """Return a case by its number."""
    case, row = schema.cases.c, schema.worklist.c
    asked = (
        select(schema.cases, row.clue_no, row.object_id, row.county_code, row.patch_key)
        .add_columns(row.area_dm2.label("clue_area"))
        .join(schema.worklist, row.clue_id == case.clue_id)
        .where(case.case_no == case_no)
    )
    found = connection.execute(asked).mappings().first()
    if found is None:
        return None
    part = schema.case_parcels.c
    own = select(part.line, part.parcel_id).where(part.case_id == found["id"])
    parcels = tuple((str(x), str(p)) for x, p in connection.execute(own.order_by(part.id)))
    areas = dict(_patch_parcels(connection, [found["patch_key"]]).get(found["patch_key"], ()))
    lines: dict[str, int] = {}
    for line, parcel_id in parcels:
        lines[line] = lines.get(line, 0) + areas.get((line, parcel_id), 0)
    names = ("id", "case_no", "clue_id", "clue_no", "object_id", "county_code", "patch_key")
    return CaseRow(
        **{n: found[n] for n in names},
        version=found["version"],
        area_dm2=max(lines.values(), default=0) or found["clue_area"],
        opened_at=found["opened_at"],
        updated_at=found["updated_at"],
        values={n: found[n] for n in MUTABLE},
        parcels=parcels,
    )


def case_rows(
    connection: Connection, filters: Filters, scope: Scope, after: str = "", limit: int = 100
) -> list[dict[str, Any]]:
    """Return cases in order of their numbers: columns of the case, clue number, object."""
    case, row = schema.cases.c, schema.worklist.c
    asked = (
        select(schema.cases, row.clue_no, row.object_id, row.limitation_until, row.batch)
        .join(schema.worklist, row.clue_id == case.clue_id)
        .where(matching(filters, scope), case_seen(scope), case.case_no > after)
        .order_by(case.case_no)
        .limit(limit)
    )
    rows = connection.execute(asked).mappings()
    return [{name: in_utc(value) for name, value in r.items()} for r in rows]


def insert_cases(
    connection: Connection,
    opened: Sequence[tuple[ClueRow, Mapping[str, Any], Sequence[tuple[str, str]]]],
    now: dt.datetime,
) -> dict[str, int]:
    """Open cases on clues; return their numbers and row numbers, in the order given.

    A case has the number of its clue and a serial number. Each comes with its clue, the columns of
    the case and its parcels; no clue comes twice.
    """
    case, rows, parts = schema.cases, [], []
    for start in range(0, len(opened), AT_ONCE):
        some = [clue.clue_id for clue, _, _ in opened[start : start + AT_ONCE]]
        counts = (
            select(case.c.clue_id, func.count())
            .where(case.c.clue_id.in_(some))
            .group_by(case.c.clue_id)
        )
        serial = {int(key): int(n) for key, n in connection.execute(counts)}
        for clue, values, _ in opened[start : start + AT_ONCE]:
            case_no = f"{clue.clue_no}-{serial.get(clue.clue_id, 0) + 1:02d}"
            kept = dict(values) | {"version": 1, "opened_at": now, "updated_at": now}
            rows.append(kept | {"case_no": case_no, "clue_id": clue.clue_id})
    keys: dict[str, int] = {}
    for start in range(0, len(rows), AT_ONCE):
        connection.execute(insert(case), rows[start : start + AT_ONCE])
        names = [row["case_no"] for row in rows[start : start + AT_ONCE]]
        found = connection.execute(
            select(case.c.case_no, case.c.id).where(case.c.case_no.in_(names))
        )
        keys |= {str(name): int(key) for name, key in found}
    for (clue, _, parcels), row in zip(opened, rows, strict=True):
        same = {"case_id": keys[row["case_no"]], "clue_id": clue.clue_id}
        parts += [same | {"line": line, "parcel_id": name} for line, name in parcels]
    for start in range(0, len(parts), AT_ONCE):
        connection.execute(insert(schema.case_parcels), parts[start : start + AT_ONCE])
    return {row["case_no"]: keys[row["case_no"]] for row in rows}


def change_case(
    connection: Connection, key: int, version: int, values: Mapping[str, Any], now: dt.datetime
) -> bool:
    """Write what changed of a case; False where it is of another version by now."""
    case = schema.cases
    done = connection.execute(
        update(case)
        .where(case.c.id == key, case.c.version == version)
        .values(**values, version=version + 1, updated_at=now)
    )
    return done.rowcount == 1


def move_parcels(
    connection: Connection, case_no: str, clue_id: int, parcels: Iterable[tuple[str, str]]
) -> None:
    """Give parcels of a clue to a case of the same clue."""
    part, case = schema.case_parcels, schema.cases.c
    key = connection.scalar(select(case.id).where(case.case_no == case_no))
    for line, parcel_id in parcels:
        own = (part.c.clue_id == clue_id) & (part.c.line == line) & (part.c.parcel_id == parcel_id)
        connection.execute(update(part).where(own).values(case_id=key))


def renew_parcels(connection: Connection, case_no: str, patch_key: int) -> None:
    """Give the one case of a clue the parcels of the patch that shows it now."""
    part, case = schema.case_parcels, schema.cases.c
    key, clue_id = connection.execute(
        select(case.id, case.clue_id).where(case.case_no == case_no)
    ).one()
    now = [p for p, _ in _patch_parcels(connection, [patch_key]).get(patch_key, ())]
    connection.execute(delete(part).where(part.c.case_id == key))
    same = {"case_id": key, "clue_id": clue_id}
    connection.execute(insert(part), [same | {"line": x, "parcel_id": p} for x, p in now])


def is_spoken_of(connection: Connection, case_id: int) -> bool:
    """Tell whether a case has checks, comments or files."""
    tables = (schema.checks, schema.comments, schema.attachment_links)
    return any(
        connection.scalar(select(t.c.id).where(t.c.case_id == case_id).limit(1)) for t in tables
    )


def drop_case(connection: Connection, case_id: int) -> None:
    """Take out a case that has no parcels."""
    connection.execute(delete(schema.cases).where(schema.cases.c.id == case_id))


def parcels_of(connection: Connection, clue_id: int) -> dict[str, list[tuple[str, str]]]:
    """Return line and number of the parcels of every case of a clue, by case."""
    part, case = schema.case_parcels.c, schema.cases.c
    asked = (
        select(case.case_no, part.line, part.parcel_id)
        .join(schema.cases, case.id == part.case_id)
        .where(part.clue_id == clue_id)
        .order_by(case.id, part.id)
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for case_no, line, parcel_id in connection.execute(asked):
        found.setdefault(case_no, []).append((line, parcel_id))
    return found


def _added(connection: Connection, table: Any, values: Mapping[str, Any]) -> int:
    key: Any = connection.execute(insert(table).values(**values)).inserted_primary_key
    return int(key[0])


def add_check(connection: Connection, values: Mapping[str, Any]) -> int:
    """Keep a check: ``case_id``, ``kind``, ``form``, ``by``, ``at``; return its row number."""
    return _added(connection, schema.checks, values)


def add_comment(connection: Connection, values: Mapping[str, Any]) -> int:
    """Keep a comment: ``object_id``, ``patch_key``, ``case_id``, ``text``, ``by``, ``at``."""
    return _added(connection, schema.comments, values)


def link_attachment(connection: Connection, sha256: str, values: Mapping[str, Any]) -> int:
    """Link a known file to a thing; see the columns of ``attachment_links``."""
    file = schema.attachments.c
    key = connection.scalar(select(file.id).where(file.sha256 == sha256))
    return _added(connection, schema.attachment_links, dict(values) | {"attachment_id": key})
