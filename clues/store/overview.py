"""Figures over the worklist: funnel, counties, months, ratio of illegal cropland, samples."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from clues.store import schema
from clues.store.worklist import ROW, Filters, Scope, begins, listed, matching
from configs.cases import case_book
from configs.vocabulary import uses

__all__ = ["LIMIT_PERCENT", "figures", "legal_cropland", "sampled"]

LIMIT_PERCENT = 15.0
"""Share of illegally occupied cropland from which a county's leaders answer (令第 15 号)."""

CLEARED = ("other", "false_alarm")
COUNTED = ("legal", "suspected", "unresolved")
"""Machine outcomes that are new construction, see the indicators of the rule sets."""


def _built() -> list[str]:
    return sorted(name for name, use in uses().items() if use.built)


def figures(
    connection: Connection, filters: Filters, scope: Scope, legal: dict[str, int]
) -> dict[str, Any]:
    """Return the figures of the clues somebody sees and asks for; areas in dm².

    Parameters
    ----------
    connection : Connection
    filters : Filters
    scope : Scope
    legal : dict of str to int
        Cropland under new construction of dismissed patches by county, see `legal_cropland`.

    Returns
    -------
    dict
        ``total``, ``funnel`` (count and area by state), ``verdicts``, ``outcomes``, ``counties``,
        ``months`` (by the month of first sight), ``ratio``.
    """
    row, patch = schema.worklist.c, schema.patches.c
    built = patch.use.in_(_built())
    keys = (row.county_code, row.state, row.verdict, row.outcome, row.first_seen)
    asked = (
        select(
            *(*keys, built.label("built"), func.count().label("count")),
            *(func.sum(c).label(c.name) for c in (row.area_dm2, row.cropland_dm2)),
        )
        .join(schema.patches, patch.id == row.patch_key)
        .where(matching(filters, scope), _stands())
        .group_by(*keys, built)
    )
    groups = [dict(g) for g in connection.execute(asked).mappings()]
    for group in groups:
        group |= {n: int(group[n] or 0) for n in ("area_dm2", "cropland_dm2")}
        group["month"] = group["first_seen"].strftime("%Y-%m") if group["first_seen"] else ""
    found: dict[str, Any] = {"total": _sum(groups)}
    for title, name, order in (
        ("funnel", "state", list(case_book().states)),
        ("verdicts", "verdict", ["", *case_book().verdicts]),
        ("outcomes", "outcome", sorted({g["outcome"] for g in groups})),
        ("months", "month", sorted({g["month"] for g in groups})),
    ):
        found[title] = [
            {name: value} | _sum(g for g in groups if g[name] == value) for value in order
        ]
    counties = sorted({g["county_code"] for g in groups} | set(legal))
    found["counties"] = [_county(code, groups, legal.get(code, 0)) for code in counties]
    found["ratio"] = _ratio(groups, sum(legal.values()))
    return found


def _stands() -> ColumnElement[bool]:
    """Return the condition that a clue counts: one that was cut or merged counts by what it became.

    What ended on the ground counts on: it was there.
    """
    row = schema.worklist.c
    return or_(row.is_over.is_(False), row.fate == "ended")


def _sum(groups: Iterable[dict[str, Any]]) -> dict[str, int]:
    names, own = ("count", "area_dm2", "cropland_dm2"), list(groups)
    return {n: sum(int(g[n]) for g in own) for n in names}


def _county(code: str, groups: list[dict[str, Any]], legal: int) -> dict[str, Any]:
    own = [g for g in groups if g["county_code"] == code]
    return {
        "county_code": code,
        **_sum(own),
        "open": _sum(g for g in own if g["state"] != "closed")["count"],
        "illegal": _sum(g for g in own if g["verdict"] == "illegal")["count"],
        "ratio": _ratio(own, legal),
    }


def _ratio(groups: Iterable[dict[str, Any]], legal: int) -> dict[str, Any]:
    """Return illegal cropland ÷ cropland of all new construction, and if all open were illegal."""
    illegal = opened = whole = 0
    for group in groups:
        area, verdict = group["cropland_dm2"], group["verdict"]
        counts = verdict in ("legal", "illegal") or group["outcome"] in COUNTED
        if not group["built"] or verdict in CLEARED or not counts:
            continue
        whole += area
        illegal += area if verdict == "illegal" else 0
        opened += area if verdict == "" and group["outcome"] != "legal" else 0
    whole += legal
    most = illegal + opened
    return {
        "illegal_cropland_dm2": illegal,
        "open_cropland_dm2": opened,
        "new_construction_cropland_dm2": whole,
        "percent": round(100 * illegal / whole, 2) if whole else None,
        "percent_if_open_are_illegal": round(100 * most / whole, 2) if whole else None,
        "limit_percent": LIMIT_PERCENT,
        "is_alert": bool(whole) and 100 * illegal >= LIMIT_PERCENT * whole,
    }


def legal_cropland(connection: Connection, scope: Scope) -> dict[str, int]:
    """Return by county the cropland under built patches that were dismissed as legal.

    Each thing counts once, as its last period shows it. Townships are told none: a dismissed patch
    belongs to a county only.
    """
    patch, run, parcel, clue = (
        t.c for t in (schema.patches, schema.runs, schema.parcels, schema.clues)
    )
    newest = select(func.max(run.id)).group_by(run.name)
    asked = (
        select(patch.object_id, patch.county_code, patch.id, parcel.areas)
        .join(schema.runs, run.id == patch.run_id)
        .join(schema.parcels, parcel.patch_key == patch.id)
        .outerjoin(schema.clues, clue.object_id == patch.object_id)
        .where(
            run.id.in_(newest),
            clue.id.is_(None),
            patch.outcome == "legal",
            parcel.line == "land",
            patch.use.in_(_built()),
        )
        .order_by(run.period_after, patch.id)
    )
    if scope.divisions:
        asked = asked.where(or_(*(begins(patch.county_code, d) for d in scope.divisions)))
    areas: dict[str, tuple[int, str, int]] = {}
    for thing, county, key, told in connection.execute(asked):
        kept = areas.get(thing)
        before = kept[2] if kept is not None and kept[0] == key else 0
        areas[thing] = key, county, before + int(told["cropland_dm2"])
    found: dict[str, int] = defaultdict(int)
    for _, county, area in areas.values():
        found[county] += area
    return dict(found)


def sampled(
    connection: Connection, filters: Filters, scope: Scope, seed: str, size: int
) -> dict[str, Any]:
    """Return a sample that anybody can draw again: those whose hash with the seed is smallest.

    Returns
    -------
    dict
        ``seed``, ``n``, ``population``, ``digest`` (SHA-256 over the numbers drawn from, one per
        line) and ``items``, rows of the list in the order drawn.
    """
    row = schema.worklist.c
    asked = select(row.clue_no).where(matching(filters, scope)).order_by(row.clue_no)
    numbers = [str(n) for n in connection.scalars(asked)]
    ranked = sorted(numbers, key=lambda n: hashlib.sha256(f"{seed}:{n}".encode()).digest())
    drawn = ranked[:size]
    rows = select(*(row[n] for n in ROW)).where(row.clue_no.in_(drawn))
    told = {
        r["clue_no"]: listed(r, scope, filters.day) for r in connection.execute(rows).mappings()
    }
    lines = "".join(f"{n}\n" for n in numbers)
    return {
        "seed": seed,
        "n": size,
        "population": len(numbers),
        "digest": hashlib.sha256(lines.encode()).hexdigest(),
        "items": [told[n] for n in drawn],
    }
