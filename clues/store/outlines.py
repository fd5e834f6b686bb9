"""Clues and patches with their outlines, a page at a time, for maps of other programs."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    false,
    func,
    or_,
    select,
    true,
)

from clues.store import schema
from clues.store.clueview import in_degrees
from clues.store.worklist import ROW, Filters, Scope, begins, listed, matching, visible

__all__ = ["Outlined", "Period", "clue_extent", "clue_outlines", "patch_outlines"]

WGS84 = "EPSG:4326"
COUNTY_DIGITS = 6
PATCH = (
    *("patch_id", "object_id", "county_code", "change_type", "area_dm2", "disposition", "outcome"),
    *("rule", "priority", "before_from", "before_to", "after_from", "after_to"),
)
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Period:
    """Days between which something was seen; None is open."""

    start: dt.date | None = None
    end: dt.date | None = None

    def holds(self, column: Any) -> ColumnElement[bool]:
        """Return the condition on a column of days."""
        conditions: list[ColumnElement[bool]] = [true()]
        if self.start is not None:
            conditions.append(column >= self.start)
        if self.end is not None:
            conditions.append(column <= self.end)
        return and_(*conditions)


@dataclass(frozen=True)
class Outlined:
    """A page: name, fields and outline in degrees of each; how many there are in all."""

    names: tuple[str, ...]
    fields: tuple[dict[str, Any], ...]
    outlines: Sequence[Any]
    matched: int
    next: str


def clue_outlines(
    connection: Connection,
    filters: Filters,
    scope: Scope,
    period: Period,
    after: str,
    limit: int,
) -> Outlined:
    """Return clues that somebody sees and asks for, by number, with their present outline.

    Parameters
    ----------
    connection : Connection
    filters : Filters
    scope : Scope
    period : Period
        In which they were first seen.
    after : str
        Number behind which to go on; "" from the start.
    limit : int
    """
    row, patch, run = schema.worklist.c, schema.patches.c, schema.runs.c
    is_box = filters.bbox is not None
    wanted = and_(matching(filters, scope), period.holds(row.first_seen))
    number = row.clue_no + "" if is_box else row.clue_no  # a box is found by its own index
    numbers = select(row.clue_no).where(wanted, number > after).order_by(number)
    numbers = numbers.limit(limit + 1).correlate(None)
    asked = (
        select(*(row[n] for n in ROW), patch.geometry, run.grid_crs)
        .join(schema.patches, patch.id == row.patch_key)
        .join(schema.runs, run.id == patch.run_id)
        .where(row.clue_no.in_(numbers))
        .order_by(row.clue_no)
    )
    found = connection.execute(asked).mappings().all()
    matched = connection.scalar(select(func.count()).select_from(schema.worklist).where(wanted))
    page = found[:limit]
    told = tuple(listed(r, scope, filters.day) for r in page)
    for fields in told:
        fields.pop("bounds", None)
        fields["case_nos"] = ",".join(fields["case_nos"])
    names = tuple(str(r["clue_no"]) for r in page)
    more = names[-1] if len(found) > limit else ""
    return Outlined(names, told, _outlines(page), matched or 0, more)


def clue_extent(connection: Connection, scope: Scope) -> Bounds | None:
    """Return west, south, east, north of all clues that somebody sees; None without any."""
    row = schema.worklist.c
    ends = (func.min(row.west), func.min(row.south), func.max(row.east), func.max(row.north))
    found = connection.execute(select(*ends).where(visible(scope))).one()
    return None if found[0] is None else (found[0], found[1], found[2], found[3])


def patch_outlines(
    connection: Connection,
    filters: Filters,
    scope: Scope,
    period: Period,
    after: str,
    limit: int,
) -> Outlined:
    """Return patches of all runs, the dismissed ones too, in the order they were entered.

    Whoever sees less than a county sees the patches of their clues alone.

    Parameters
    ----------
    connection : Connection
    filters : Filters
        ``run``, ``outcome``, ``change_type``, ``rule``, ``division`` and ``bbox`` count.
    scope : Scope
    period : Period
        In which the later image was taken.
    after : str
        Row behind which to go on; "" from the start.
    limit : int
    """
    patch, run = schema.patches.c, schema.runs.c
    wanted = and_(
        _own(scope), _like(filters), period.holds(patch.after_to), _near(connection, filters.bbox)
    )
    asked = (
        select(patch.id, *(patch[n] for n in PATCH), patch.geometry, run.grid_crs, run.name)
        .join(schema.runs, run.id == patch.run_id)
        .where(wanted, patch.id > int(after or 0))
        .order_by(patch.id)
        .limit(limit + 1)
    )
    found = connection.execute(asked).mappings().all()
    matched = connection.scalar(_counted(wanted))
    page = [dict(r) for r in found[:limit]]
    told = tuple({n: r[n] for n in PATCH} | {"run": r["name"]} for r in page)
    names = tuple(str(r["id"]) for r in page)
    more = names[-1] if len(found) > limit else ""
    return Outlined(names, told, _outlines(page), matched or 0, more)


def _counted(wanted: ColumnElement[bool]) -> Select[Any]:
    own = schema.patches.c.run_id == schema.runs.c.id
    return select(func.count()).select_from(schema.patches.join(schema.runs, own)).where(wanted)


def _own(scope: Scope) -> ColumnElement[bool]:
    patch, row = schema.patches.c, schema.worklist.c
    if scope.redacted:
        return false()
    if not scope.divisions and not scope.assignee:
        return true()
    if not scope.assignee and all(len(d) <= COUNTY_DIGITS for d in scope.divisions):
        return or_(*(begins(patch.county_code, d) for d in scope.divisions))
    return exists().where(row.object_id == patch.object_id, visible(scope))


def _like(filters: Filters) -> ColumnElement[bool]:
    patch, run = schema.patches.c, schema.runs.c
    conditions: list[ColumnElement[bool]] = [true()]
    for name in ("outcome", "change_type", "rule"):
        if wanted := getattr(filters, name):
            conditions.append(patch[name].in_(wanted))
    if filters.run:
        conditions.append(run.name == filters.run)
    if filters.division:
        conditions.append(begins(patch.county_code, filters.division[:COUNTY_DIGITS]))
    return and_(*conditions)


def _near(connection: Connection, bounds: Bounds | None) -> ColumnElement[bool]:
    """Return the condition that a patch's bounds, in the CRS of its run, meet a box in degrees."""
    if bounds is None:
        return true()
    patch, run = schema.patches.c, schema.runs.c
    conditions: list[ColumnElement[bool]] = []
    for crs in connection.scalars(select(run.grid_crs).distinct()):
        move = Transformer.from_crs(WGS84, crs, always_xy=True)
        box = move.transform_bounds(*bounds, densify_pts=21)
        if not np.isfinite(box).all():
            continue
        west, south, east, north = box
        meets = (patch.east >= west, patch.west <= east, patch.north >= south, patch.south <= north)
        conditions.append(and_(run.grid_crs == crs, *meets))
    return or_(false(), *conditions)


def _outlines(rows: Iterable[Mapping[Any, Any]]) -> Sequence[Any]:
    """Return the outlines of rows in degrees, moved together by CRS."""
    page = list(rows)
    shapes = shapely.from_wkb([bytes(r["geometry"]) for r in page])
    moved = np.empty(len(page), dtype=object)
    systems = np.array([r["grid_crs"] for r in page], dtype=object)
    for crs in dict.fromkeys(systems.tolist()):
        own = systems == crs
        moved[own] = in_degrees(shapes[own], crs)
    return list(moved)
