"""What every page of the book of cases needs: transactions, who sees what, events."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from clues.cases.actors import Actor
from clues.cases.balance import Areas
from clues.cases.life import Case, allowed
from clues.cases.refusals import Conflict, NotAllowed, NotThere
from clues.store import cases as kept
from clues.store.cases import CaseRow, ClueRow
from clues.store.caseverdicts import enter_case_verdict
from clues.store.events import RowHash, append
from clues.store.repository import Store
from clues.store.sealing import row_hashes
from clues.store.tables import in_utc
from clues.store.worklist import Scope
from configs.cases import case_book
from configs.errors import StoreAway
from configs.told import Told
from configs.vocabulary import Language

__all__ = [
    "Bookkeeping",
    "case_from",
    "columns_of",
    "life_of",
    "require_role",
    "scope_of",
    "steps_for",
]

T = TypeVar("T")
TRIES = 3
TEXTS = ("verdict", "verdict_reason", "returned", "assigned_to")
PLAIN = ("division", "state", "review_level", "due_date", "facts")
LOOK_AGAIN = Told("刷新后重试", "load it again and look")


def scope_of(actor: Actor) -> Scope:
    """Return what an actor may act on: clues of their division, for inspectors their own."""
    divisions = (actor.division,) if actor.division else ()
    return Scope(divisions, actor.name if actor.role == "inspector" else "")


def require_role(actor: Actor, action: str) -> None:
    """Raise `NotAllowed` where the role of an actor does not have a step."""
    told = case_book().actions[action]
    if actor.role != "administrator" and actor.role not in told.roles:
        raise NotAllowed(
            Told(f"无权{told.zh}", f"the role {actor.role} may not {told.en}"),
            action,
            Told("请有权限的人员办理", "ask somebody whose role may"),
        )


def life_of(row: CaseRow) -> Case:
    """Return a case as its life sees it."""
    return _life(row.case_no, row.values, row.area_dm2)


def steps_for(case: Mapping[str, Any], actor: Actor) -> list[str]:
    """Return the steps that an actor may take on a case, as the store tells its columns."""
    inside = case["division"].startswith(actor.division)
    given = actor.role != "inspector" or case["assigned_to"] == actor.name
    return list(allowed(_life(case["case_no"], case, 0), actor)) if inside and given else []


def _life(case_no: str, told: Mapping[str, Any], area_dm2: int) -> Case:
    texts: dict[str, Any] = {n: told[n] or "" for n in TEXTS}
    return Case(
        *(case_no, told["state"], told["division"], area_dm2),
        **texts,
        review_level=told["review_level"],
        due_date=told["due_date"],
        areas=Areas.of(told["areas"]),
        facts=dict(told["facts"]),
    )


def columns_of(case: Case) -> dict[str, Any]:
    """Return the columns of a case."""
    told = {n: getattr(case, n) for n in PLAIN} | {n: getattr(case, n) or None for n in TEXTS}
    return told | {"areas": case.areas.kept()}


def case_from(row: CaseRow, told: Mapping[str, Any]) -> Case:
    """Return a case as an event tells that it was."""
    due = told["due_date"]
    plain = ("division", "state", "review_level", "facts")
    same: dict[str, Any] = {n: told[n] for n in plain} | {n: told[n] or "" for n in TEXTS}
    return replace(
        life_of(row),
        **same,
        due_date=dt.date.fromisoformat(due) if due else None,
        areas=Areas.of(told["areas"]),
    )


class Bookkeeping:
    """The parts that all steps share; see `clues.cases.casebook.Casebook`."""

    def __init__(
        self,
        store: Store,
        zone: str = "Asia/Shanghai",
        attachments: Path | None = None,
        language: Language = "zh",
    ) -> None:
        self.store, self.zone, self.language = store, ZoneInfo(zone), language
        self.attachments = attachments

    def today(self) -> dt.date:
        """Return the civil day."""
        return dt.datetime.now(self.zone).date()

    def write(self, work: Callable[[Any], T]) -> T:
        """Do something in one transaction; again where others held the store."""
        for tried in range(TRIES):
            try:
                with self.store.transaction() as connection:
                    return work(connection)
            except StoreAway as error:
                if tried == TRIES - 1 or "locked" not in str(error):
                    raise
        raise AssertionError("not reached")

    def found(self, connection: Any, actor: Actor, case_no: str) -> CaseRow:
        """Return a case in the division of an actor; raise `NotThere` for any other."""
        row, scope = kept.case_row(connection, case_no), scope_of(actor)
        hidden = row is None or not row.values["division"].startswith(actor.division)
        if row is None or hidden or scope.assignee not in ("", row.values["assigned_to"]):
            raise NotThere(
                Told("没有此案件", "there is no such case"),
                case_no,
                Told("检查编号；也可能不在您的辖区", "check it; it may lie outside your area"),
            )
        return row

    def seen(self, connection: Any, actor: Actor, case_no: str, version: int) -> CaseRow:
        """Return a case as it was looked at; raise `Conflict` where it changed since."""
        row = self.found(connection, actor, case_no)
        if row.version != version:
            raise Conflict(
                Told("案件已被他人更改", "somebody changed the case meanwhile"),
                f"{case_no}, version {version}, now {row.version}",
                LOOK_AGAIN,
            )
        return row

    def save(
        self,
        connection: Any,
        actor: Actor,
        row: CaseRow,
        what: str,
        values: Mapping[str, Any],
        told: Mapping[str, Any],
        rows: Iterable[RowHash] = (),
    ) -> None:
        """Write what a step changed of a case, and its event."""
        now = dt.datetime.now(dt.UTC)
        if not kept.change_case(connection, row.id, row.version, values, now):
            raise Conflict(
                Told("案件已被他人更改", "somebody changed the case meanwhile"),
                row.case_no,
                LOOK_AGAIN,
            )
        self.note(connection, actor, row, what, row.values, told, rows)

    def note(
        self,
        connection: Any,
        actor: Actor,
        row: CaseRow,
        what: str,
        before: Mapping[str, Any] | None,
        told: Mapping[str, Any],
        rows: Iterable[RowHash] = (),
    ) -> None:
        """Append the event of a case that was written already."""
        now = kept.case_row(connection, row.case_no)
        assert now is not None
        after: dict[str, Any] = {"case": now.values, "version": now.version}
        append(
            connection,
            who=actor.name,
            role=actor.role,
            what=f"case.{what}",
            subject=f"case:{row.case_no}",
            division=now.values["division"],
            object_id=row.object_id,
            case_id=row.id,
            before=None if before is None else {"case": dict(before)},
            after=after | {"form": dict(told)},
            rows=(*rows, *row_hashes(connection, "case", [row.case_no])),
        )

    def follow(self, connection: Any, actor: Actor, row: CaseRow, case: Case) -> None:
        """Enter the verdict of a case where a step changed it."""
        before = life_of(row)
        if (before.verdict, before.verdict_reason) == (case.verdict, case.verdict_reason):
            return
        one = {"case_no": row.case_no, "clue_id": row.clue_id, "patch_key": row.patch_key}
        now = dt.datetime.now(dt.UTC)
        said = (case.verdict, case.verdict_reason, actor.name)
        enter_case_verdict(connection, one, *said, now, self.language)

    def thing(
        self, connection: Any, actor: Actor, clue_no: str, case_no: str | None
    ) -> tuple[ClueRow, CaseRow | None]:
        """Return a clue that an actor sees, and its case where one is named."""
        found = kept.clue_rows(connection, [clue_no], scope_of(actor))
        row = self.found(connection, actor, case_no) if case_no else None
        if clue_no not in found or (row is not None and row.clue_no != clue_no):
            raise NotThere(
                Told("没有此线索", "there is no such clue"),
                clue_no,
                Told("检查编号；也可能不在您的辖区", "check it; it may lie outside your area"),
            )
        return found[clue_no], row

    def about(
        self,
        connection: Any,
        actor: Actor,
        clue: ClueRow,
        row: CaseRow | None,
        what: str,
        told: Mapping[str, Any],
        rows: Iterable[RowHash],
    ) -> None:
        """Append the event of something said or shown of a clue."""
        append(
            connection,
            who=actor.name,
            role=actor.role,
            what=what,
            subject=f"case:{row.case_no}" if row else f"clue:{clue.clue_no}",
            division=row.values["division"] if row else clue.county_code,
            object_id=clue.object_id,
            case_id=row.id if row else None,
            after=dict(told),
            rows=tuple(rows),
        )

    def told(self, connection: Any, actor: Actor, case_no: str) -> dict[str, Any]:
        """Return a case as it is told: its columns, parcels, and the steps an actor may take."""
        row = self.found(connection, actor, case_no)
        names = ("case_no", "clue_no", "object_id", "version", "opened_at", "updated_at")
        return {
            **{n: in_utc(getattr(row, n)) for n in names},
            **row.values,
            "parcels": [{"line": line, "parcel_id": p} for line, p in row.parcels],
            "allowed": list(allowed(life_of(row), actor)),
        }
