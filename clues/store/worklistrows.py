"""The rows of the worklist: one per clue, made from all that the store knows of it."""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, delete, func, select

from clues.objects import is_over
from clues.store import schema
from clues.store.inserting import insert_many
from configs.cases import first_state, state_order
from configs.verdicts import verdict_code
from tiles.geodesy import transformer

__all__ = ["last_words", "refresh", "worklist_rows"]

AT_ONCE = 400
"""Things named in one statement."""

WHOLE = 4000
"""From so many things on all rows are made again."""

WGS84 = "EPSG:4326"
PATCH = (
    *("object_id", "id", "patch_id", "run_id", "county_code", "change_type", "area_dm2", "outcome"),
    *("rule", "priority", "lon", "lat", "west", "south", "east", "north", "after_to"),
)
OPEN_OUTCOMES = ("suspected", "unresolved")


def refresh(connection: Connection, objects: Iterable[str] | None = None) -> None:
    """Make the rows of some things, or all, again.

    Parameters
    ----------
    connection : Connection
    objects : iterable of str, optional
        Things whose patches, verdicts, cases or events changed.
    """
    table = schema.worklist
    names = None if objects is None else sorted(set(objects))
    if names is None or len(names) > WHOLE:
        connection.execute(delete(table))
        insert_many(connection, table, worklist_rows(connection))
        return
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        connection.execute(delete(table).where(table.c.object_id.in_(some)))
        insert_many(connection, table, worklist_rows(connection, some))


def worklist_rows(
    connection: Connection, objects: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Return the rows as they are to be, in order of the clue numbers."""
    clue, batch = schema.clues.c, schema.batches.c
    asked = (
        select(clue.id, clue.clue_no, clue.object_id, batch.year, batch.number)
        .outerjoin(schema.batches, batch.id == clue.batch_id)
        .order_by(clue.clue_no)
    )
    clues = connection.execute(_of(asked, clue.object_id, objects)).all()
    patches = _present_patches(connection, objects)
    keys = [p["id"] for p in patches.values()] if objects is not None else None
    areas, severity = _areas(connection, keys), _severity(connection, keys)
    fates, words = _fates(connection, objects), last_words(connection, objects)
    cases = _cases(connection, None if objects is None else [int(c.id) for c in clues])
    event = schema.events.c
    last = select(event.object_id, func.max(event.seq)).group_by(event.object_id)
    seqs = {o: int(n) for o, n in connection.execute(_of(last, event.object_id, objects))}
    rows = []
    for one in clues:
        patch = patches[one.object_id]
        rows.append(
            {
                **{"clue_id": one.id, "clue_no": one.clue_no, "object_id": one.object_id},
                **{"patch_key": patch["id"], "run": patch["run"]},
                **{n: patch[n] for n in ("patch_id", "county_code", "change_type", "area_dm2")},
                **{n: patch[n] for n in ("outcome", "rule", "priority", "lon", "lat")},
                **areas.get(patch["id"], NO_AREAS),
                "severity": severity.get(patch["id"]),
                "batch": None if one.year is None else f"{one.year}-{one.number}",
                **_fate(fates.get(one.object_id), patch),
                **_case_part(cases.get(one.id, []), patch["county_code"]),
                "version": seqs.get(one.object_id, 0),
            }
        )
        if not rows[-1]["verdict"]:
            rows[-1]["verdict"] = verdict_code(words.get(one.object_id, ""))
    _place(rows, patches)
    return rows


NO_AREAS = {"cropland_dm2": 0, "basic_farmland_dm2": 0, "redline_dm2": 0}


def _of(asked: Select[Any], column: Any, names: Sequence[Any] | None) -> Select[Any]:
    return asked if names is None else asked.where(column.in_(names))


def _present_patches(
    connection: Connection, objects: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """Return by thing the patch that shows it now: of its last period, as last judged."""
    patch, run, clue = schema.patches.c, schema.runs.c, schema.clues.c
    newest = set(connection.scalars(select(func.max(run.id)).group_by(run.name)))
    asked = (
        select(*(patch[n] for n in PATCH), run.name.label("run"), run.grid_crs, run.period_after)
        .join(schema.runs, run.id == patch.run_id)
        .join(schema.clues, clue.object_id == patch.object_id)
    )
    found: dict[str, tuple[Any, dict[str, Any]]] = {}
    for row in connection.execute(_of(asked, clue.object_id, objects)).mappings():
        standing = row["run_id"] in newest
        day = row["period_after"] or row["after_to"] or dt.date.min
        rank = (standing, day, row["run_id"])
        if row["object_id"] not in found or rank > found[row["object_id"]][0]:
            found[row["object_id"]] = rank, dict(row) | {"standing": standing}
    return {thing: row for thing, (_, row) in found.items()}


def _areas(connection: Connection, keys: Sequence[int] | None) -> dict[int, dict[str, int]]:
    """Return the areas of patches over the parcels of one line: land where it was judged."""
    parcel = schema.parcels.c
    asked = select(parcel.patch_key, parcel.line, parcel.areas)
    by_line: dict[int, dict[str, dict[str, int]]] = defaultdict(dict)
    for key, line, areas in connection.execute(_of(asked, parcel.patch_key, keys)):
        sums = by_line[key].setdefault(line, dict(NO_AREAS))
        sums["cropland_dm2"] += areas["cropland_dm2"]
        sums["basic_farmland_dm2"] += areas["pbf_dm2"]
        sums["redline_dm2"] += areas["redline_dm2"]
    return {k: lines.get("land") or lines[min(lines)] for k, lines in by_line.items()}


def _severity(connection: Connection, keys: Sequence[int] | None) -> dict[int, int]:
    parcel, finding = schema.parcels.c, schema.findings.c
    asked = (
        select(parcel.patch_key, func.max(finding.severity))
        .join(schema.findings, finding.parcel_key == parcel.id)
        .where(finding.severity.is_not(None), finding.outcome.in_(OPEN_OUTCOMES))
        .group_by(parcel.patch_key)
    )
    return {int(k): int(n) for k, n in connection.execute(_of(asked, parcel.patch_key, keys))}


def _fates(connection: Connection, objects: Sequence[str] | None) -> dict[str, Any]:
    """Return the last row of the history of things; of runs of one name the last counts."""
    row, run = schema.lineage.c, schema.runs.c
    newest = select(func.max(run.id)).group_by(run.name)
    asked = (
        select(row.object_id, row.fate, row.patch_key, row.first_seen, row.limitation_until)
        .add_columns(row.is_observed)
        .join(schema.runs, run.id == row.run_id)
        .where(run.id.in_(newest))
        .order_by(run.period_after, row.id)
    )
    return {r.object_id: r for r in connection.execute(_of(asked, row.object_id, objects))}


def last_words(connection: Connection, objects: Sequence[str] | None = None) -> dict[str, str]:
    """Return the last word of people on some things, or all, each as a whole."""
    verdict, patch = schema.verdicts.c, schema.patches.c
    asked = (
        select(patch.object_id, verdict.verdict)
        .join(schema.patches, patch.id == verdict.patch_key)
        .where(verdict.parcel_no == 0)
        .order_by(verdict.id)
    )
    return {o: str(w) for o, w in connection.execute(_of(asked, patch.object_id, objects))}


def _cases(connection: Connection, clues: Sequence[int] | None) -> dict[int, list[Any]]:
    case = schema.cases.c
    asked = select(schema.cases).order_by(case.id)
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(_of(asked, case.clue_id, clues)):
        found[row.clue_id].append(row)
    return found


def _fate(state: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    if state is None:
        told = {"fate": "new", "first_seen": patch["after_to"], "limitation_until": None}
        return told | {"is_over": not patch["standing"]}
    is_shown = state.patch_key is not None
    over = is_over(state.fate, is_shown=is_shown, is_observed=state.is_observed)
    return {
        **{n: getattr(state, n) for n in ("fate", "first_seen", "limitation_until")},
        "is_over": over or not patch["standing"],
    }


def _case_part(cases: Sequence[Any], county: str) -> dict[str, Any]:
    """Return what the cases of a clue say together: its least advanced one leads."""
    if not cases:
        told = {"state": first_state(), "review_level": "", "verdict": "", "due_date": None}
        return told | {"assigned_to": None, "division": county, "case_nos": "[]"}
    order = state_order()
    least = min(cases, key=lambda c: (order[c.state], c.id))
    verdicts = [c.verdict or "" for c in cases]
    return {
        **{n: getattr(least, n) for n in ("state", "review_level", "assigned_to")},
        "verdict": joint_verdict(verdicts),
        "due_date": min((c.due_date for c in cases if c.due_date), default=None),
        "division": cases[0].division if len({c.division for c in cases}) == 1 else county,
        "case_nos": json.dumps([c.case_no for c in cases]),
    }


def joint_verdict(verdicts: Sequence[str]) -> str:
    """Return the verdict on a clue from those on its cases: the gravest; "" until all are given."""
    if not all(verdicts):
        return ""
    return next(v for v in ("illegal", "other", "legal", "false_alarm") if v in verdicts)


def _place(rows: list[dict[str, Any]], patches: Mapping[str, Mapping[str, Any]]) -> None:
    """Give every row its bounds in degrees, and its centre where nobody told it."""
    by_crs: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        by_crs[patches[row["object_id"]]["grid_crs"]].append(i)
    for crs, own in by_crs.items():
        names = ("west", "south", "east", "north")
        boxes = np.array([[patches[rows[i]["object_id"]][n] for n in names] for i in own])
        x, y = boxes[:, [0, 0, 2, 2]], boxes[:, [1, 3, 1, 3]]
        lon, lat = transformer(crs, WGS84).transform(x.ravel(), y.ravel())
        lon, lat = np.reshape(lon, x.shape), np.reshape(lat, y.shape)
        ends = np.column_stack([lon.min(1), lat.min(1), lon.max(1), lat.max(1)])
        for i, box in zip(own, ends.tolist(), strict=True):
            rows[i] |= dict(zip(names, box, strict=True))
            if rows[i]["lon"] is None or rows[i]["lat"] is None:
                rows[i] |= {"lon": (box[0] + box[2]) / 2, "lat": (box[1] + box[3]) / 2}
