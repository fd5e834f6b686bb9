"""The book of cases: every change is one transaction of the change and its event.

A step names the version of the case that was looked at; where somebody was faster it is refused as
a conflict and nothing is written.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clues.cases.actors import Actor
from clues.cases.bookkeeping import (
    case_from,
    columns_of,
    life_of,
    require_role,
    scope_of,
    steps_for,
)
from clues.cases.deadlines import batch_due
from clues.cases.life import Case, take
from clues.cases.oversight import Oversight
from clues.cases.refusals import CaseRefused
from clues.cases.sayings import Sayings
from clues.store import cases as kept
from clues.store.batches import Batch, put_in_batch
from clues.store.cases import CaseRow, ClueRow
from clues.store.events import Entry, Event, RowHash, append_all, last_event
from clues.store.runs import run_configs
from clues.store.sealing import row_hashes
from clues.store.worklist import Scope
from clues.store.worklistrows import refresh
from configs.told import Told
from configs.verdicts import verdict_code

__all__ = ["Casebook", "Dispatched", "life_of", "scope_of", "steps_for"]

CHECKS = {"desk_check": "desk", "field_check": "field"}
NOT_UNDONE = ("undo",)


@dataclass(frozen=True)
class Dispatched:
    """What a dispatch did: cases by clue, and why clues were left out."""

    cases: dict[str, str]
    left_out: dict[str, Told]


def _unopened(case: Case) -> Case:
    return Case(case.case_no, "suspected", case.division, case.area_dm2)


def _by_ledger(case: Case, clue: ClueRow) -> Case:
    """Return a dispatched case with the verdict that a ledger gave its clue, where one did."""
    verdict = verdict_code(clue.word)
    if not verdict:
        return case
    return replace(case, state="judged", verdict=verdict, verdict_reason=clue.word_reason)


class Casebook(Sayings, Oversight):
    """The cases of a store.

    Parameters
    ----------
    store : Store
    zone : str
        Time zone of civil days.
    attachments : Path, optional
        Folder of files kept under their hash.
    language : str
        Of the words of verdicts, as ledgers of the store have them.
    """

    def dispatch(
        self,
        actor: Actor,
        clue_nos: Sequence[str],
        batch: Batch | None = None,
        *,
        division: str = "",
        assigned_to: str = "",
        due_date: dt.date | None = None,
    ) -> Dispatched:
        """Open cases on clues and hand them out; all of them or, on an error, none.

        A clue that people judged in a ledger opens as judged, with that verdict.

        Parameters
        ----------
        actor : Actor
        clue_nos : sequence of str
        batch : Batch, optional
            In which they are issued; their due date is that of the batch.
        division : str
            Township or county that gets them; their county by default.
        assigned_to : str
        due_date : date, optional
            Instead of that of the batch; without either the profile of the run tells the days.
        """
        require_role(actor, "dispatch")
        named = due_date or (batch.due_date if batch else None)

        def work(connection: Any) -> Dispatched:
            numbers = list(dict.fromkeys(clue_nos))
            clues = kept.clue_rows(connection, numbers, scope_of(actor))
            left = {n: Told("没有此线索", "no such clue") for n in numbers if n not in clues}
            runs = {} if named else run_configs(connection, {c.run for c in clues.values()})
            done: dict[str, str] = {}
            fresh: list[tuple[ClueRow, dict[str, Any], Sequence[tuple[str, str]]]] = []
            for number, clue in clues.items():
                where = division or clue.county_code
                due = named or batch_due(self.today(), runs[clue.run].get("profile"))
                plain = Case("", "dispatched", where, clue.area_dm2, assigned_to=assigned_to)
                if not where.startswith(clue.county_code):
                    left[number] = Told(f"不在 {where}", f"it does not lie in {where}")
                elif not clue.has_cases:
                    case = replace(_by_ledger(plain, clue), due_date=due)
                    fresh.append((clue, columns_of(case), clue.parcels))
                elif found := self._again(connection, actor, clue, replace(plain, due_date=due)):
                    done[number] = found
                else:
                    left[number] = Told("已下发", "dispatched already")
            done |= self._open(connection, actor, fresh)
            if batch is not None and done:
                put_in_batch(connection, batch, list(done), actor.name)
            refresh(connection, [clues[n].object_id for n in done])
            return Dispatched(done, left)

        return self.write(work)

    def _open(
        self,
        connection: Any,
        actor: Actor,
        fresh: Sequence[tuple[ClueRow, dict[str, Any], Sequence[tuple[str, str]]]],
    ) -> dict[str, str]:
        """Open the first cases of clues, with an event each; return case by clue."""
        keys = kept.insert_cases(connection, fresh, dt.datetime.now(dt.UTC))
        rows = {r[1]: r for r in row_hashes(connection, "case", list(keys))}
        append_all(
            connection,
            (
                Entry(
                    *(actor.name, "case.dispatch", f"case:{case_no}"),
                    after={"case": values, "version": 1, "form": {}},
                    role=actor.role,
                    division=values["division"],
                    object_id=clue.object_id,
                    case_id=key,
                    rows=(rows[case_no],),
                )
                for (case_no, key), (clue, values, _) in zip(keys.items(), fresh, strict=True)
            ),
        )
        return {c.clue_no: case_no for case_no, (c, _, _) in zip(keys, fresh, strict=True)}

    def _again(self, connection: Any, actor: Actor, clue: ClueRow, as_is: Case) -> str:
        """Dispatch the case whose dispatch was taken back; "" where there is none."""
        for case_no in kept.parcels_of(connection, clue.clue_id):
            row = kept.case_row(connection, case_no)
            if row is not None and row.values["state"] == "suspected":
                case = replace(_by_ledger(as_is, clue), case_no=case_no)
                self.save(connection, actor, row, "dispatch", columns_of(case), {})
                return case_no
        return ""

    def act(
        self, actor: Actor, case_no: str, action: str, version: int, form: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Take a step; return the case after it.

        Raises
        ------
        Conflict
            If the case is of another version by now.
        NotAllowed, CaseRefused
            If the role, state, guards or form do not let it.
        """

        def work(connection: Any) -> dict[str, Any]:
            row = self.seen(connection, actor, case_no, version)
            case, told = take(life_of(row), action, form, actor, self.today())
            now = dt.datetime.now(dt.UTC)
            rows: list[RowHash] = []
            if action in CHECKS:
                check = {"case_id": row.id, "kind": CHECKS[action], "form": told}
                key = kept.add_check(connection, check | {"by": actor.name, "at": now})
                rows += row_hashes(connection, "check", [key])
            self.save(connection, actor, row, action, columns_of(case), dict(told), rows)
            self.follow(connection, actor, row, case)
            refresh(connection, [row.object_id])
            return self.told(connection, actor, case_no)

        return self.write(work)

    def undo(self, actor: Actor, case_no: str, version: int) -> dict[str, Any]:
        """Take back one's own last step, where nothing came after it; return the case.

        The step stays in the chain; a further event gives back what was before it. Where the step
        was a split, the new case ends and its parcels return.
        """

        def work(connection: Any) -> dict[str, Any]:
            row = self.seen(connection, actor, case_no, version)
            event = last_event(connection, row.id)
            name = event.what.removeprefix("case.") if event else ""
            if event is None or event.who != actor.name or name in NOT_UNDONE:
                raise CaseRefused(
                    Told("没有可撤销的本人操作", "there is no last step of yours to take back"),
                    case_no,
                    Told("用打回或重新办理", "send it back, or reopen it"),
                )
            if name in ("split", "joined"):
                return self._rejoin(connection, actor, row, event)
            opened = event.before is None
            case = _unopened(life_of(row)) if opened else case_from(row, event.before["case"])
            told = {"undone": event.seq, "step": name}
            self.save(connection, actor, row, "undo", columns_of(case), told)
            if name != "dispatch":  # what a ledger said stands without the case
                self.follow(connection, actor, row, case)
            refresh(connection, [row.object_id])
            return self.told(connection, actor, case_no)

        return self.write(work)

    def _rejoin(self, connection: Any, actor: Actor, row: CaseRow, event: Event) -> dict[str, Any]:
        """Give the parcels of a case that was split off back, and take that case out."""
        told = event.after["form"]
        other = self.found(connection, actor, told.get("into") or told["from"])
        first, part = (row, other) if "into" in told else (other, row)
        steps = [last_event(connection, r.id) for r in (first, part)]
        untouched = [(e.what, e.who) for e in steps if e] == [
            ("case.split", actor.name),
            ("case.joined", actor.name),
        ]
        if not untouched or kept.is_spoken_of(connection, part.id):
            raise CaseRefused(
                Told("拆分后案件已有办理或材料", "the cases were worked on since they were split"),
                row.case_no,
                Told("分别办理", "go on with each of them"),
            )
        kept.move_parcels(connection, first.case_no, first.clue_id, part.parcels)
        kept.drop_case(connection, part.id)
        values = columns_of(life_of(first))
        undone = {"undone": event.seq, "step": "split", "ended": part.case_no}
        self.save(connection, actor, first, "undo", values, undone, [("case", part.case_no, "")])
        refresh(connection, [first.object_id])
        return self.told(connection, actor, first.case_no)

    def assign(
        self, actor: Actor, case_no: str, version: int, assigned_to: str, division: str = ""
    ) -> dict[str, Any]:
        """Give a case to somebody, or to a township of its county; return the case."""
        require_role(actor, "dispatch")

        def work(connection: Any) -> dict[str, Any]:
            row = self.seen(connection, actor, case_no, version)
            place = division or row.values["division"]
            if not place.isdecimal() or not place.startswith(row.county_code):
                raise CaseRefused(
                    Told(f"{place} 不在本县", f"{place} does not lie in the county"),
                    case_no,
                    Told("填写本县或其乡镇代码", "name the county or a township of it"),
                )
            values = columns_of(life_of(row)) | {"assigned_to": assigned_to or None}
            self.save(connection, actor, row, "assign", values | {"division": place}, {})
            refresh(connection, [row.object_id])
            return self.told(connection, actor, case_no)

        return self.write(work)

    def split(
        self, actor: Actor, case_no: str, version: int, parcels: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Move parcels of a case into a new one of the same state; return both cases.

        Parameters
        ----------
        actor : Actor
        case_no : str
        version : int
        parcels : sequence of (str, str)
            Line and parcel number; some of the case, not all.
        """
        require_role(actor, "dispatch")

        def work(connection: Any) -> dict[str, Any]:
            row = self.seen(connection, actor, case_no, version)
            moved = list(dict.fromkeys(parcels))
            if not moved or not set(moved) < set(row.parcels):
                raise CaseRefused(
                    Told("只能分出案件的部分地块", "name some parcels of the case, not all"),
                    case_no,
                    Told("核对地块编号", "check the parcels"),
                )
            if life_of(row).verdict or row.values["state"] == "closed":
                raise CaseRefused(
                    Told("已认定的案件不能拆分", "a judged case is not split"),
                    case_no,
                    Told("先打回", "send it back first"),
                )
            now = dt.datetime.now(dt.UTC)
            clue = kept.clue_rows(connection, [row.clue_no], Scope())[row.clue_no]
            part = (clue, columns_of(life_of(row)), ())
            other = next(iter(kept.insert_cases(connection, [part], now)))
            kept.move_parcels(connection, other, row.clue_id, moved)
            told = {"parcels": [list(p) for p in moved], "into": other}
            self.save(connection, actor, row, "split", columns_of(life_of(row)), told)
            opened = kept.case_row(connection, other)
            assert opened is not None
            self.note(connection, actor, opened, "joined", None, {"from": case_no})
            refresh(connection, [row.object_id])
            return {
                "cases": [
                    self.told(connection, actor, case_no),
                    self.told(connection, actor, other),
                ]
            }

        return self.write(work)

    def case(self, actor: Actor, case_no: str) -> dict[str, Any]:
        """Return a case that somebody sees, with the steps they may take."""
        with self.store.engine.connect() as connection:
            return self.told(connection, actor, case_no)
