"""One clue with all that is known of it: outline, parcels, findings, cases, comments, files."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, or_, select

from clues.store import schema
from clues.store.cases import case_seen
from clues.store.tables import in_utc
from clues.store.worklist import ROW, Filters, Scope, listed, visible
from tiles.geodesy import transformer

__all__ = ["attachments_of", "cases_of", "clue", "comments_of", "in_degrees"]

WGS84 = "EPSG:4326"
DIGITS = 7
"""Decimals of degrees: a centimetre."""

ROLE, KEY = "role", "key"


def clue(
    connection: Connection, clue_no: str, scope: Scope, filters: Filters | None = None
) -> dict[str, Any] | None:
    """Return a clue with all that is known of it; None where it is not there for somebody.

    Returns
    -------
    dict or None
        The row of the list, and ``geometry`` (GeoJSON, degrees), ``parcels``, ``cases``,
        ``comments``, ``attachments``, ``run_id``. The public gets the row and ``parcels`` without
        outline, documents and reasons.
    """
    row, patch = schema.worklist.c, schema.patches.c
    asked = (
        select(
            *(row[n] for n in ROW),
            *(row.clue_id, row.patch_key, row.is_over, patch.geometry, patch.run_id),
            schema.runs.c.grid_crs,
        )
        .join(schema.patches, patch.id == row.patch_key)
        .join(schema.runs, schema.runs.c.id == patch.run_id)
        .where(row.clue_no == clue_no, visible(scope))
    )
    found = connection.execute(asked).mappings().first()
    if found is None:
        return None
    told = listed(found, scope, filters.day if filters else None)
    if scope.redacted:
        return told | {"geometry": None, "parcels": [], "cases": []} | NOTHING_SAID
    thing = str(found["object_id"])
    return told | {
        "geometry": _geojson(found["geometry"], found["grid_crs"]),
        "parcels": _parcels(connection, found["patch_key"], found["grid_crs"]),
        "cases": cases_of(connection, int(found["clue_id"]), scope),
        "comments": comments_of(connection, thing, scope),
        "attachments": attachments_of(connection, thing, scope),
        "is_over": bool(found["is_over"]),
        "run_id": int(found["run_id"]),
    }


NOTHING_SAID: dict[str, Any] = {"comments": [], "attachments": []}


def in_degrees(shape: Any, crs: str) -> Any:
    """Return an outline in WGS84 degrees."""
    move = transformer(crs, WGS84)

    def at(ends: Any) -> Any:
        return np.round(np.column_stack(move.transform(ends[:, 0], ends[:, 1])), DIGITS)

    return shapely.transform(shape, at)


def _geojson(wkb: bytes, crs: str) -> dict[str, Any]:
    outline: dict[str, Any] = json.loads(shapely.to_geojson(in_degrees(shapely.from_wkb(wkb), crs)))
    return outline


def _parcels(connection: Connection, patch_key: int, crs: str) -> list[dict[str, Any]]:
    """Return the parcels of a patch with what was last found of each."""
    parcel, finding = schema.parcels.c, schema.findings.c
    names = ("outcome", "rule", "rules", "flags", "reason_zh", "reason_en", "severity")
    asked = (
        select(
            *(parcel[n] for n in ("parcel_id", "parcel_no", "line", "area_dm2", "areas")),
            *(parcel.documents, parcel.geometry),
            *(finding[n] for n in (*names, "rule_set", "rule_set_version")),
        )
        .outerjoin(schema.findings, finding.parcel_key == parcel.id)
        .where(parcel.patch_key == patch_key)
        .order_by(parcel.line, parcel.parcel_no, finding.id)
    )
    last: dict[tuple[str, int], dict[str, Any]] = {}
    for row in connection.execute(asked).mappings():
        last[row["line"], row["parcel_no"]] = dict(row)
    known = _documents(connection, [d for one in last.values() for d in one["documents"]])
    for one in last.values():
        one["geometry"] = _geojson(one["geometry"], crs)
        one["documents"] = [known[d] for d in one["documents"]]
        one["flags"] = [f for f in (one["flags"] or "").split(",") if f]
    return list(last.values())


def _documents(connection: Connection, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return documents by key, with what the layer tells of them where it is in the store."""
    found: dict[str, dict[str, Any]] = {
        key: {ROLE: key.partition(":")[0], KEY: key} for key in keys
    }
    feature = schema.layer_features.c
    asked = select(feature.feature_key, feature.attrs).where(feature.feature_key.in_(found))
    for key, attrs in connection.execute(asked.order_by(feature.id)):
        found[key] |= dict(attrs)
    return found


def cases_of(connection: Connection, clue_id: int, scope: Scope) -> list[dict[str, Any]]:
    """Return the cases of a clue that somebody sees, each with its parcels, in their order."""
    case, part = schema.cases.c, schema.case_parcels.c
    own = case.clue_id == clue_id
    asked = select(schema.cases).where(own, case_seen(scope)).order_by(case.id)
    parts: dict[int, list[dict[str, str]]] = {}
    parcels = select(part.case_id, part.parcel_id, part.line).where(part.clue_id == clue_id)
    for key, parcel_id, line in connection.execute(parcels.order_by(part.line, part.parcel_id)):
        parts.setdefault(key, []).append({"parcel_id": parcel_id, "line": line})
    rows = [_aware(row) for row in connection.execute(asked).mappings()]
    checked = _checks(connection, [row["id"] for row in rows])
    return [
        row | {"parcels": parts.get(row["id"], []), "checks": checked.get(row["id"], [])}
        for row in rows
    ]


def _checks(connection: Connection, cases: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    check = schema.checks.c
    asked = select(schema.checks).where(check.case_id.in_(cases)).order_by(check.id)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(asked).mappings():
        found.setdefault(row["case_id"], []).append(_without(_aware(row), "case_id"))
    return found


def _aware(row: Any) -> dict[str, Any]:
    return {name: in_utc(value) for name, value in row.items()}


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in names}


def comments_of(connection: Connection, object_id: str, scope: Scope) -> list[dict[str, Any]]:
    """Return what was said of a thing and of the cases that somebody sees, in order.

    Each comes with the version it spoke of.
    """
    comment, patch, run, case = (
        t.c for t in (schema.comments, schema.patches, schema.runs, schema.cases)
    )
    asked = (
        select(*(comment[n] for n in ("id", "text", "by", "at")))
        .add_columns(patch.patch_id, run.name.label("run"), run.period_after, case.case_no)
        .join(schema.patches, patch.id == comment.patch_key)
        .join(schema.runs, run.id == patch.run_id)
        .outerjoin(schema.cases, case.id == comment.case_id)
        .where(comment.object_id == object_id, or_(case.id.is_(None), case_seen(scope)))
        .order_by(comment.id)
    )
    return [_aware(row) for row in connection.execute(asked).mappings()]


def attachments_of(connection: Connection, object_id: str, scope: Scope) -> list[dict[str, Any]]:
    """Return the files of a thing and of the cases that somebody sees, as they were linked."""
    file, link, case = (t.c for t in (schema.attachments, schema.attachment_links, schema.cases))
    asked = (
        select(*(file[n] for n in ("sha256", "name", "media_type", "size")))
        .add_columns(*(link[n] for n in ("id", "kind", "facts", "by", "at")), case.case_no)
        .join(schema.attachment_links, link.attachment_id == file.id)
        .outerjoin(schema.cases, case.id == link.case_id)
        .where(link.object_id == object_id, or_(case.id.is_(None), case_seen(scope)))
        .order_by(link.id)
    )
    return [_aware(row) for row in connection.execute(asked).mappings()]
