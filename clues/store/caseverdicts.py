"""Verdicts between cases and the one table of verdicts: both always say the same.

A case that is judged enters its verdict with the source ``desk``: on the patch as a whole where the
clue has one case, on its parcels where it has several, and on the whole once all are judged. A
verdict that came in by a ledger takes an open case to ``judged``; what contradicts a judged case is
refused by `clues.store.verdicts.add_verdicts`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from clues.store import schema
from clues.store.answers import WITHDRAWN
from clues.store.cases import parcels_of
from clues.store.verdicts import DESK, add_verdicts
from clues.store.worklistrows import joint_verdict
from configs.verdicts import verdict_word
from configs.vocabulary import Language

__all__ = ["enter_case_verdict"]

FIRST_LINE = "land"


def enter_case_verdict(
    connection: Connection,
    case: Mapping[str, Any],
    verdict: str,
    reason: str,
    by: str,
    at: dt.datetime,
    language: Language,
) -> None:
    """Enter what a case says now; "" takes back what it said.

    Parameters
    ----------
    connection : Connection
        The case is written already.
    case : mapping
        ``case_no``, ``clue_id``, ``patch_key``.
    verdict, reason, by : str
    at : datetime
    language : str
        Of the words.
    """
    held = parcels_of(connection, case["clue_id"])
    own = held.get(case["case_no"], [])
    said = {"reason": reason, "by": by, "at": at, "source": DESK}
    said |= {"patch_key": case["patch_key"], "verdict": _word(verdict, language)}
    lines = sorted({line for parcels in held.values() for line, _ in parcels})
    line = FIRST_LINE if FIRST_LINE in lines or not lines else lines[0]
    rows: list[dict[str, Any]] = []
    if len(held) < 2:
        rows.append(said | {"parcel_no": 0, "line": line})
    else:
        numbers = _parcel_numbers(connection, case["patch_key"])
        rows += [
            said | {"parcel_no": numbers[part], "line": part[0]} for part in own if part in numbers
        ]
        joint = joint_verdict(_verdicts(connection, case["clue_id"]))
        rows.append(said | {"parcel_no": 0, "line": line, "verdict": _word(joint, language)})
    add_verdicts(connection, rows)


def _word(verdict: str, language: Language) -> str:
    return verdict_word(verdict, language) if verdict else WITHDRAWN[language]


def _parcel_numbers(connection: Connection, patch_key: int) -> dict[tuple[str, str], int]:
    parcel = schema.parcels.c
    asked = select(parcel.line, parcel.parcel_id, parcel.parcel_no)
    rows = connection.execute(asked.where(parcel.patch_key == patch_key))
    return {(str(line), str(name)): int(number) for line, name, number in rows}


def _verdicts(connection: Connection, clue_id: int) -> Sequence[str]:
    case = schema.cases.c
    asked = select(case.verdict).where(case.clue_id == clue_id).order_by(case.id)
    return [v or "" for v in connection.scalars(asked)]
