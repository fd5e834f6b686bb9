"""What cases hold a thing to: which verdicts from elsewhere they take, and how they take them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from clues.cases.deadlines import due_after
from clues.store import schema
from clues.store.cases import case_row, change_case
from clues.store.events import append
from clues.store.sealing import row_hashes
from clues.store.worklistrows import joint_verdict
from configs.verdicts import verdict_code

__all__ = ["HeldCase", "held_cases", "judge_by_ledger"]

UNJUDGED = ("dispatched", "desk_checked", "field_checked")


@dataclass(frozen=True)
class HeldCase:
    """The cases of a thing together.

    Attributes
    ----------
    case_no : str
        Of the first.
    count : int
    state : str
        Of the first.
    verdict : str
        On the thing as a whole; "" until all are judged.
    """

    case_no: str
    count: int
    state: str
    verdict: str

    def takes(self, verdict: str) -> bool:
        """Tell whether a verdict from elsewhere fits: the same, or the one case is unjudged.

        Examples
        --------
        >>> HeldCase("1-01", 1, "judged", "illegal").takes("legal")
        False
        >>> HeldCase("1-01", 1, "dispatched", "").takes("legal")
        True
        """
        if self.verdict:
            return verdict == self.verdict
        return self.count == 1


def held_cases(connection: Connection) -> dict[str, HeldCase]:
    """Return by thing what its cases say."""
    case, clue = schema.cases.c, schema.clues.c
    asked = (
        select(clue.object_id, case.case_no, case.state, case.verdict)
        .join(schema.clues, clue.id == case.clue_id)
        .order_by(case.id)
    )
    rows: dict[str, list[Any]] = {}
    for row in connection.execute(asked):
        rows.setdefault(str(row.object_id), []).append(row)
    return {
        thing: HeldCase(
            *(own[0].case_no, len(own), own[0].state),
            joint_verdict([r.verdict or "" for r in own]),
        )
        for thing, own in rows.items()
    }


def judge_by_ledger(connection: Connection, held: HeldCase, row: Mapping[str, Any]) -> None:
    """Take the one open case of a thing to ``judged`` by a verdict that a ledger brought."""
    verdict = verdict_code(row["verdict"])
    if held.count != 1 or held.state not in UNJUDGED or not verdict:
        return
    case = case_row(connection, held.case_no)
    assert case is not None
    values = {
        **{"state": "judged", "verdict": verdict, "verdict_reason": row["reason"] or None},
        "due_date": due_after("judged", verdict, row["at"].date()),
        "returned": None,
    }
    change_case(connection, case.id, case.version, values, row["at"])
    after = case_row(connection, held.case_no)
    assert after is not None
    append(
        connection,
        who=row["by"],
        role=row["source"].partition(" ")[0],
        what="case.judge",
        subject=f"case:{case.case_no}",
        division=case.values["division"],
        object_id=case.object_id,
        case_id=case.id,
        before={"case": case.values},
        after={"case": after.values, "version": after.version, "form": {"source": row["source"]}},
        rows=tuple(row_hashes(connection, "case", [case.case_no])),
    )
