"""Objects over time: what the register held before the period of a run, and what becomes of it."""

import datetime as dt
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clues.identity import trace_fates
from clues.objects import CurrentPatch, Fates, ObjectFate, Tolerance
from clues.store.lineage import Held, Period, held_before
from configs.errors import ConfigError
from flows.registering import Registration, open_register
from tiles.files import atomic_path

if TYPE_CHECKING:
    from configs.rules import RuleSet
    from configs.run import RunConfig
    from flows.plan import RunPlan
    from flows.stages import StageContext

__all__ = [
    "LINEAGE_NAME",
    "held_of",
    "limitation_until",
    "period_of",
    "read_fates",
    "registration_of",
    "tolerance_of",
    "trace_run",
    "traced",
    "write_fates",
]

log = logging.getLogger(__name__)

LINEAGE_NAME = "lineage.parquet"
LIMITATION = "limitation_years"
"""Parameter of a rule set: years after which an act is no longer punished."""

TRACED = {
    "object_id": object,
    "fate": object,
    "object_parents": object,
    "added_dm2": np.int64,
    "first_seen": object,
    "limitation_until": object,
    "judged_before": np.bool_,
    "former_verdict": object,
    "unjudged_dm2": np.int64,
    "listed_before": np.bool_,
}
"""Columns of a patch table that say what a patch is in time, and their kinds.

``object_id``: the thing on the ground; ``object_parents``: things that it came from, joined by
commas; ``added_dm2``: ground that the period added; ``first_seen``: after date of the pair that
showed it first; ``unjudged_dm2``: ground that no verdict of earlier periods is of;
``listed_before``: a clue that another period listed, which did not grow, and that this list leaves
to the register.
"""


TOLD = tuple(name for name in TRACED if name not in ("first_seen", "limitation_until"))


def period_of(run: str, plan: "RunPlan") -> Period:
    """Return the period of a run: its dates and its ground."""
    before, after = plan.before.civil_to, plan.after.civil_from
    if before is None or after is None:
        raise ConfigError(
            "a run that keeps a register needs the dates of its images",
            "before: and after: in the config",
            "add `date: YYYY-MM-DD` below them",
        )
    west, south, east, north = plan.grid.bounds(plan.extent)
    return Period(run, before, after, plan.grid.crs, (west, south, east, north))


def held_of(config: "RunConfig", run: str, plan: "RunPlan") -> Held | None:
    """Return what the register of a run held before its period; None without a register."""
    if config.register_place is None:
        return None
    period = period_of(run, plan)
    store = open_register(config.register_place)
    try:
        with store.engine.connect() as connection:
            return held_before(connection, period)
    finally:
        store.close()


def trace_run(context: "StageContext", patches: Any, rules: "RuleSet") -> tuple[Any, Fates | None]:
    """Return the patches of a run with what they are in time, and the fates of all objects.

    Without a register every patch is a new thing of its own.
    """
    from flows.unseen import Unseen

    held = context.held
    if held is None:
        return traced(patches, None, rules), None
    period = period_of(context.run.folder.name, context.plan)
    if held.later_runs:
        log.warning(
            "the register holds later periods of this ground: numbers are theirs, and what they "
            "listed is not new; start them again, so that they tell their fates by this one: %s",
            ", ".join(held.later_runs),
        )
    fates = trace_fates(
        held.known,
        current_patches(patches, period),
        Unseen(context).seen,
        crs=period.crs,
        tolerance=tolerance_of(rules, context.plan.pixel_m),
        later=held.later,
        before=period.before,
    )
    is_new_only = context.config.clue_list == "new"
    return traced(patches, fates, rules, is_new_only=is_new_only), fates


def current_patches(patches: Any, period: Period) -> list[CurrentPatch]:
    """Return the patches of a period as they are traced.

    Those of a series have dates of their own: when each changed.
    """
    names = ("patch_id", "area_dm2", "change_type", "from_cover", "to_cover", "object_id")
    days = ("before_to", "after_from")
    columns = {n: patches[n] if n in patches else [""] * len(patches) for n in (*names, *days)}
    rows = zip(*columns.values(), patches.geometry, strict=True)
    return [
        CurrentPatch(
            *(str(name), shape, int(area)),
            *(_date(before) or period.before, _date(after) or period.after),
            *(_text(v) for v in (kind, former, now, thing)),
        )
        for name, area, kind, former, now, thing, before, after, shape in rows
    ]


def traced(
    patches: Any, fates: Fates | None, rules: "RuleSet", *, is_new_only: bool = False
) -> Any:
    """Return patches with the columns of their fate; each is new where none is given.

    `is_new_only` leaves out of the list what another period listed. A further piece of a thing that
    hidden ground cuts through is left out in any case: the thing is listed by its own number.
    """
    found = fates.by_patch if fates is not None else {}
    own = patches["object_id"] if "object_id" in patches else [""] * len(patches)
    first = patches["after_from"] if "after_from" in patches else [None] * len(patches)
    rows = zip(patches["patch_id"], own, first, patches["area_dm2"].tolist(), strict=True)
    values: dict[str, Any] = {name: np.empty(len(patches), kind) for name, kind in TRACED.items()}
    ends: dict[dt.date | None, dt.date | None] = {}
    for i, (patch, thing, after, area) in enumerate(rows):
        seen = after if hasattr(after, "year") and after == after else None
        fate = found.get(str(patch))
        told: tuple[Any, ...] = (
            _text(thing) or str(patch),
            "new",
            "",
            area,
            False,
            "",
            area,
            False,
        )
        if fate is not None:
            is_piece = not fate.is_observed
            seen, is_listed = fate.first_seen, fate.listed_before and (is_new_only or is_piece)
            told = (
                *(fate.object_id, fate.fate, ",".join(fate.parents), fate.added_dm2),
                *(fate.judged_before, fate.verdict or "", fate.since_verdict_dm2, is_listed),
            )
        if seen not in ends:
            ends[seen] = limitation_until(seen, rules)
        values["first_seen"][i], values["limitation_until"][i] = seen, ends[seen]
        for name, value in zip(TOLD, told, strict=True):
            values[name][i] = value
    return patches.assign(**values)


def limitation_until(first: dt.date | None, rules: "RuleSet") -> dt.date | None:
    """Return until when an act that was first seen on a day can be punished.

    None where the rule set names no term. An act that goes on counts from its end: land that is
    not restored is still occupied, so that the day is the earliest the term can end.
    """
    if first is None or LIMITATION not in rules.parameters:
        return None
    year = first.year + int(rules.number(LIMITATION))
    try:
        return dt.date(year, first.month, first.day)
    except ValueError:  # 29 February
        return dt.date(year, 3, 1)


def tolerance_of(rules: "RuleSet", pixel_m: float) -> Tolerance:
    """Return how far outlines of one thing may differ, by the parameters of a rule set."""
    given: dict[str, Any] = {"reach_m": pixel_m}
    for name, field in (("growth_area", "growth_dm2"), ("growth_sure", "growth_sure_dm2")):
        if name in rules.parameters:
            given[field] = int(rules.number(name))
    if "growth_share" in rules.parameters:
        given["growth_share"] = rules.number("growth_share")
    return Tolerance(**given)


def registration_of(context: "StageContext", digest: str) -> Registration | None:
    """Return where a judged run is registered; None where it keeps no register.

    `digest` tells what the register held when the run was judged.
    """
    place, fates = context.config.register_place, read_fates(context.run.folder)
    if place is None or fates is None:
        return None
    return Registration(place, period_of(context.run.folder.name, context.plan), fates, digest)


def write_fates(fates: Fates, crs: str, folder: Path) -> Path:
    """Write the fates of a period into a run folder; return the file."""
    import geopandas as gpd

    names = [n for n in ObjectFate.__dataclass_fields__ if n != "geometry"]
    rows = [{n: getattr(f, n) for n in names} for f in fates.rows]
    for row in rows:
        row["parents"] = ",".join(row["parents"])
    shapes = [f.geometry for f in fates.rows]
    table = gpd.GeoDataFrame(
        pd.DataFrame(rows, columns=names), geometry=gpd.array.from_shapely(shapes), crs=crs
    )
    path = folder / LINEAGE_NAME
    with atomic_path(path) as part:
        table.to_parquet(part, index=False)
    return path


def read_fates(folder: Path) -> Fates | None:
    """Return the fates that a run left in its folder; None where it kept no register."""
    import geopandas as gpd

    path = folder / LINEAGE_NAME
    if not path.is_file():
        return None
    rows = []
    for record in gpd.read_parquet(path).to_dict("records"):
        record["parents"] = tuple(p for p in record["parents"].split(",") if p)
        record["verdict"] = record["verdict"] or None
        rows.append(ObjectFate(**record))
    return Fates(tuple(rows))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _date(value: Any) -> dt.date | None:
    return value if isinstance(value, dt.date) and value == value else None
