"""The worklist after a run came in: rows made again, and cases told what the machine says now.

A case keeps its verdict and state whatever a later judgement says: it is people's. Where the
machine judges otherwise now, or the patch is gone, the case gets an event that says so, and it is
among the exceptions until somebody looked. The one case of a clue that was drawn anew has the
parcels of the new outline; where parcels lie with several cases they stay as they were divided.
"""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from clues.store import schema
from clues.store.cases import renew_parcels
from clues.store.events import Entry, RowHash, append_all
from clues.store.sealing import row_hashes
from clues.store.worklistrows import refresh

__all__ = ["renew", "things_of"]

TOLD = ("run", "patch_id", "area_dm2", "outcome", "rule", "is_over")
CHANGED = ("patch_id", "area_dm2", "outcome", "is_over")


def things_of(connection: Connection, run_id: int) -> set[str]:
    """Return the things that a run shows or tells the fate of, and those its predecessor showed."""
    run, patch, row = schema.runs.c, schema.patches.c, schema.lineage.c
    name = select(run.name).where(run.id == run_id).scalar_subquery()
    same = select(run.id).where(run.name == name)
    shown = connection.scalars(select(patch.object_id).where(patch.run_id.in_(same)))
    told = connection.scalars(select(row.object_id).where(row.run_id.in_(same)))
    return {*map(str, shown), *map(str, told)}


def renew(connection: Connection, things: Iterable[str]) -> None:
    """Make the rows of things again; tell the cases on them what changed."""
    before = _with_cases(connection)
    refresh(connection, things)
    after = _with_cases(connection)
    case, clue, entries = schema.cases.c, schema.clues.c, []
    asked = (
        select(case.id, case.case_no, case.division, clue.object_id)
        .join(schema.clues, clue.id == case.clue_id)
        .order_by(case.id)
    )
    for one in connection.execute(asked).all():
        was, now = before.get(one.object_id), after.get(one.object_id)
        if was is None or now is None or all(was[n] == now[n] for n in CHANGED):
            continue
        numbers: list[str] = json.loads(now["case_nos"])
        rows: tuple[RowHash, ...] = ()
        if len(numbers) == 1 and was["patch_id"] != now["patch_id"] and not now["is_over"]:
            renew_parcels(connection, one.case_no, now["patch_key"])
            rows = tuple(row_hashes(connection, "case", numbers))
        entries.append(
            Entry(
                *("tuban", "clue.judged_again", f"case:{one.case_no}"),
                before={n: was[n] for n in TOLD},
                after={n: now[n] for n in TOLD},
                division=one.division,
                object_id=one.object_id,
                case_id=one.id,
                rows=rows,
            )
        )
    if entries:
        append_all(connection, entries)
        refresh(connection, {e.object_id for e in entries if e.object_id})


def _with_cases(connection: Connection) -> dict[str, dict[str, Any]]:
    row = schema.worklist.c
    names = ("object_id", *TOLD, "patch_key", "case_nos")
    asked = select(*(row[n] for n in names)).where(row.case_nos != "[]")
    return {r.pop("object_id"): r for r in map(dict, connection.execute(asked).mappings())}
