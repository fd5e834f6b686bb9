"""A ledger that came back against the store: what changes, what is refused, what conflicts.

A cell was edited if it differs from what the store held when the ledger was written. Only edited
cells are taken; one that the store holds otherwise since is a conflict. A row goes in whole or not
at all.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clues.readback import LedgerFile, LedgerRow
from clues.readbackcells import Refused, cell_text, read_cell
from clues.readbackrows import row_faults
from clues.readbacktexts import CODES
from clues.store.answers import VERDICT, WITHDRAWN, Cell, Filled
from configs.verdicts import verdict_code

__all__ = ["Change", "ImportPlan", "Problem", "Reading", "plan_import"]

SHOWN = 60


@dataclass(frozen=True)
class Change:
    """A cell that is to change, and what it becomes."""

    row: int
    clue_no: str
    patch_key: int
    key: str
    was: str
    value: str
    by: str
    at: dt.datetime
    reason: str = ""


@dataclass(frozen=True)
class Problem:
    """What is to be said about a row or cell; `code` and `facts` as `clues.readbacktexts.say`."""

    row: int
    clue_no: str
    key: str
    code: str
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``refused``, ``conflict`` or ``note``."""
        return CODES[self.code].kind


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do.

    Attributes
    ----------
    changes : tuple of Change
        Of rows without fault, in the order of the sheet.
    problems : tuple of Problem
    rows, unchanged, faulty : int
        Rows of the list, those with nothing new, and those refused or in conflict.
    """

    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    rows: int
    unchanged: int
    faulty: int

    def count(self, kind: str) -> int:
        """Return the number of problems of a kind."""
        return sum(problem.kind == kind for problem in self.problems)


@dataclass(frozen=True)
class Reading:
    """How a ledger is read back.

    Attributes
    ----------
    by : str
        Who checked, where the ledger does not say it.
    now : datetime
        UTC.
    today : date
        Civil day; no check can be later.
    choices : dict of str to sequence of str
        Words of the columns with a drop-down, by key.
    overrule : bool
        Take the ledger's answer where somebody else has another.
    """

    by: str
    now: dt.datetime
    today: dt.date
    choices: Mapping[str, Sequence[str]]
    overrule: bool = False


def plan_import(ledger: LedgerFile, filled: Sequence[Filled], reading: Reading) -> ImportPlan:
    """Compare a ledger with what the store holds, row by row.

    Parameters
    ----------
    ledger : LedgerFile
    filled : sequence of Filled
        Everything the store knows.
    reading : Reading
    """
    by_clue = {f.clue_no: f for f in filled if f.clue_no}
    changes: list[Change] = []
    problems: list[Problem] = [Problem(n, "", "", "no_clue") for n, _ in ledger.stray]
    missing = [key for key in reading.choices if key not in ledger.titles]
    problems += [Problem(0, "", key, "column_gone") for key in missing]
    unchanged, faulty = 0, len(ledger.stray)
    doubles, again = _doubles(ledger.rows)
    for row in ledger.rows:
        if row.number in again:
            continue
        told = list(doubles.get(row.number, ()))
        known = by_clue.get(row.clue_no)
        if known is None:
            told.append(Problem(row.number, row.clue_no, "clue_no", "unknown_clue"))
        found = None if known is None else _Row(row, known, ledger, reading)
        if found is not None and row.patch_id != found.known.patch_id:
            told.append(_other_patch(row, found.known, ledger, found.is_edited()))
        edits: list[Change] = []
        if found is not None and not any(p.kind == "refused" for p in told):
            if found.known.gone:
                told.append(_gone(row, found.known, ledger, found.is_edited()))
            else:
                edits = found.edits()
                told += found.problems
        if any(p.kind != "note" for p in told):
            faulty += 1
        elif edits:
            changes += edits
        else:
            unchanged += 1
        problems += told
    problems.sort(key=lambda p: (p.row, p.key))
    return ImportPlan(tuple(changes), tuple(problems), len(ledger.rows), unchanged, faulty)


def _doubles(rows: Sequence[LedgerRow]) -> tuple[dict[int, list[Problem]], set[int]]:
    """Return what is said of clues that stand there twice, and the rows that are left out."""
    groups: dict[str, list[LedgerRow]] = defaultdict(list)
    for row in rows:
        groups[row.clue_no].append(row)
    told: dict[int, list[Problem]] = defaultdict(list)
    left_out: set[int] = set()
    for clue, group in groups.items():
        if len(group) < 2:
            continue
        same = len({tuple(str(v or "") for v in r.cells.values()) for r in group}) == 1
        facts = {"rows": ", ".join(str(r.number) for r in group)}
        for row in group if not same else group[:1]:
            code = "double_same" if same else "double"
            told[row.number].append(Problem(row.number, clue, "clue_no", code, facts))
        left_out |= {r.number for r in group[1:]} if same else set()
    return told, left_out


def _other_patch(row: LedgerRow, known: Filled, ledger: LedgerFile, is_edited: bool) -> Problem:
    redrawn = ledger.listed.get(row.clue_no) == row.patch_id
    facts = {"patch": known.patch_id, "given": row.patch_id[:SHOWN]}
    code = ("redrawn" if is_edited else "redrawn_before") if redrawn else "other_patch"
    return Problem(row.number, row.clue_no, "patch_id", code, facts)


def _gone(row: LedgerRow, known: Filled, ledger: LedgerFile, is_edited: bool) -> Problem:
    """Return what is said of a row whose patch was cut, merged or deleted since."""
    parts = ("、" if ledger.language == "zh" else ", ").join(known.parts)
    code = ("gone" if parts else "deleted") if is_edited else "gone_before"
    return Problem(row.number, row.clue_no, "patch_id", code, {"parts": parts})


class _Row:
    """One row against what the store holds of its clue."""

    def __init__(self, row: LedgerRow, known: Filled, ledger: LedgerFile, reading: Reading) -> None:
        self.row, self.known, self.ledger, self.reading = row, known, ledger, reading
        self.problems: list[Problem] = []
        if row.altered:
            self._say("machine_altered", "")
        self.read = dict(self._cells())

    def _say(self, code: str, key: str, **facts: str) -> None:
        self.problems.append(Problem(self.row.number, self.row.clue_no, key, code, facts))

    def _cells(self) -> Iterator[tuple[str, str]]:
        for key, value in self.row.cells.items():
            try:
                yield key, read_cell(key, value, self.reading.choices, self.reading.today)
            except Refused as refused:
                shown = cell_text(value)[:SHOWN]
                self._say(refused.code, key, **({"value": shown} | refused.facts))

    def _edited(self, key: str) -> bool:
        """Tell whether a cell differs from what the ledger held when it was written."""
        if key not in self.read:
            return False
        return self.read[key] != self.known.cell(key, self.ledger.mark).value

    def is_edited(self) -> bool:
        """Tell whether the row holds anything that the store has not taken."""
        read = self.read.items()
        new = any(self._edited(key) and v != self.known.cell(key).value for key, v in read)
        return new or any(p.kind == "refused" for p in self.problems)

    def edits(self) -> list[Change]:
        """Return the cells of the row that change."""
        if not self.is_edited():
            return []
        held = {k: self.known.cell(k).value for k in self.known.history if k not in self.row.cells}
        for code, key, facts in row_faults(held | self.read, self.ledger.titles, self.known):
            self._say(code, key, **facts)
        edits = []
        by = self._by()
        for key, value in self.read.items():
            now = self.known.cell(key)
            if not self._edited(key) or value == now.value:
                continue
            if key == VERDICT and self._is_held(value):
                continue
            if now.value != self.known.cell(key, self.ledger.mark).value:
                facts = {"by": now.by or "?", "stored": now.value, "value": value}
                if not self.reading.overrule:
                    self._say("both_changed", key, **facts)
                    continue
                self._say("overruled", key, **facts)
            if key == VERDICT:
                edits += self._verdict(value, now, by)
            else:
                edits.append(self._change(key, now, value, by, self.reading.now))
        return edits

    def _is_held(self, value: str) -> bool:
        """Tell, and say, whether a case at the desk stands against a verdict."""
        case = self.known.case
        if case is None or case.takes(verdict_code(value)):
            return False
        self._say("at_the_desk", VERDICT, case=case.case_no, value=value)
        return True

    def _by(self) -> str:
        own = self.read.get("checked_by", "")
        return (
            own
            if own and (self._edited("checked_by") or not self.reading.by)
            else (self.reading.by or own)
        )

    def _verdict(self, value: str, now: Cell, by: str) -> list[Change]:
        """Return the change of a verdict; none where it is refused or in conflict."""
        if not by:
            self._say("nobody", VERDICT)
            return []
        at = self.reading.now
        if self._edited("checked_on") and self.read["checked_on"]:
            day = dt.date.fromisoformat(self.read["checked_on"])
            at = dt.datetime.combine(day, dt.time(), dt.UTC)
        facts = {"by": now.by, "stored": now.value, "value": value, "mine": by}
        against = []
        if now.value and now.by != by:
            against.append("other_person")
        if now.at is not None and now.value and at.date() < now.at.date():
            against.append("older")
            at = self.reading.now
            facts["at"] = now.at.date().isoformat()
        if against and not self.reading.overrule:
            self._say(against[-1], VERDICT, **facts)
            return []
        if against:
            self._say("overruled", VERDICT, **facts)
        reason = self.read.get("remarks", "")
        word = value or WITHDRAWN[self.ledger.language]
        return [self._change(VERDICT, now, word, by, at, reason)]

    def _change(
        self, key: str, now: Cell, value: str, by: str, at: dt.datetime, reason: str = ""
    ) -> Change:
        row = self.row
        return Change(
            row.number, row.clue_no, self.known.patch_key, key, now.value, value, by, at, reason
        )
