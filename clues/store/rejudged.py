"""Findings that judging again at the desk gave: further rows beside those of the run.

The finding of a parcel is its last one. One of the desk names the rule set with ``+`` and its own
number, so that the judgements of the run stay beside it.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from clues.store import schema
from clues.store.events import append
from clues.store.sealing import patch_hashes
from clues.store.worklistrows import refresh

__all__ = ["FindingKey", "Rejudged", "keep_rejudged", "rejudged_findings"]

FindingKey = tuple[str, str, str]
"""Patch, line and parcel."""

GRAVEST = ("suspected", "unresolved", "other", "legal", "non_new", "below_threshold")
"""Outcomes: the first that a parcel has is that of its patch."""

TOLD = ("outcome", "rule", "rules", "flags", "reason_zh", "reason_en")


@dataclass(frozen=True)
class Rejudged:
    """A clue that was judged again.

    Attributes
    ----------
    findings : list of dict
        As `clues.judgement` makes them, without outlines.
    told : dict
        What the event tells besides.
    by : str
    """

    clue_no: str
    findings: list[dict[str, Any]]
    told: dict[str, Any]
    by: str


def keep_rejudged(connection: Connection, one: Rejudged, now: dt.datetime) -> int:
    """Enter further findings of the parcels of a clue; return how many.

    Findings whose parcel, by line, number and area, is not one of the patch are told by the event
    alone: a document whose outline cuts parcels anew comes in with a run that is judged again.
    """
    row = schema.worklist.c
    asked = select(row.patch_key, row.object_id, row.division).where(row.clue_no == one.clue_no)
    clue = connection.execute(asked).one()
    parcels = _parcels(connection, clue.patch_key)
    fits = all(_key(f) in parcels for f in one.findings)
    for finding in one.findings if fits else ():
        _add(connection, parcels[_key(finding)], finding, now)
    if fits:
        _headline(connection, clue.patch_key)
    append(
        connection,
        who=one.by,
        what="clue.rejudge",
        subject=f"clue:{one.clue_no}",
        object_id=clue.object_id,
        division=clue.division,
        after=one.told | {"kept": fits},
        rows=patch_hashes(connection, clue.patch_key),
    )
    refresh(connection, [clue.object_id])
    return len(one.findings) if fits else 0


def _key(finding: Mapping[str, Any]) -> tuple[str, str, int]:
    return finding["line"], finding["parcel_id"], int(finding["area_dm2"])


def _parcels(connection: Connection, patch_key: int) -> dict[tuple[str, str, int], int]:
    parcel = schema.parcels.c
    asked = select(parcel.id, parcel.line, parcel.parcel_id, parcel.area_dm2)
    return {
        (line, name, int(area)): int(key)
        for key, line, name, area in connection.execute(asked.where(parcel.patch_key == patch_key))
    }


def _add(connection: Connection, parcel: int, one: Mapping[str, Any], now: dt.datetime) -> None:
    finding = schema.findings.c
    own = finding.parcel_key == parcel
    first = select(finding.rule_set, finding.rule_set_version).where(own).order_by(finding.id)
    kept = connection.execute(first.limit(1)).one()
    count = connection.scalar(select(func.count()).select_from(schema.findings).where(own))
    severity = one.get("severity")
    values = {name: one[name] for name in TOLD} | {
        "parcel_key": parcel,
        "rule_set": kept.rule_set,
        "rule_set_version": f"{str(kept.rule_set_version)[:34]}+{count}",
        "trace": one["trace"],
        "severity": None if severity is None else int(severity),
        "judged_at": now,
    }
    connection.execute(insert(schema.findings).values(**values))


def _headline(connection: Connection, patch_key: int) -> None:
    """Let a patch show the worst of the last findings of its parcels."""
    parcel, finding, patch = schema.parcels.c, schema.findings.c, schema.patches
    asked = (
        select(parcel.id, finding.outcome, finding.rule)
        .join(schema.findings, finding.parcel_key == parcel.id)
        .where(parcel.patch_key == patch_key)
        .order_by(finding.id)
    )
    last = {key: (outcome, rule) for key, outcome, rule in connection.execute(asked)}
    outcome, rule = min(last.values(), key=lambda told: GRAVEST.index(told[0]))
    changed = update(patch).where(patch.c.id == patch_key).values(outcome=outcome, rule=rule)
    connection.execute(changed)


def rejudged_findings(
    connection: Connection, patch_ids: Sequence[str], run: str
) -> dict[FindingKey, dict[str, Any]]:
    """Return what the desk judged again of patches of a run, by parcel; the last word of each."""
    parcel, finding, patch, runs = (
        t.c for t in (schema.parcels, schema.findings, schema.patches, schema.runs)
    )
    asked = (
        select(patch.patch_id, parcel.line, parcel.parcel_id, *(finding[n] for n in TOLD))
        .join(schema.parcels, finding.parcel_key == parcel.id)
        .join(schema.patches, patch.id == parcel.patch_key)
        .join(schema.runs, runs.id == patch.run_id)
        .where(runs.name == run, finding.rule_set_version.contains("+"))
        .order_by(finding.id)
    )
    wanted, found = set(patch_ids), {}
    for row in connection.execute(asked).mappings():
        if row["patch_id"] in wanted:
            key = (row["patch_id"], row["line"], row["parcel_id"])
            found[key] = {name: row[name] for name in TOLD}
    return found
