"""Judging without imagery into a register: delivered patches, and a run that is judged again."""

import datetime as dt
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clues.identity import trace_fates
from clues.store.lineage import Period, held_before
from configs.errors import InputError
from flows.finished import finished_context
from flows.registering import Registration, open_register
from flows.tracing import TRACED, current_patches, period_of, tolerance_of, traced

if TYPE_CHECKING:
    from clues.objects import Fates
    from configs.rules import RuleSet

__all__ = ["Kept", "period_of_patches", "traced_again", "traced_in"]


@dataclass(frozen=True)
class Kept:
    """A register that a judgement goes into, and what its patches are in time.

    Attributes
    ----------
    registration : Registration
    crs : str
    is_new_only : bool
        Whether what another period listed was left out of the list.
    """

    registration: Registration
    crs: str
    is_new_only: bool

    @property
    def fates(self) -> "Fates":
        """What became of the objects."""
        return self.registration.fates

    @property
    def record(self) -> dict[str, Any]:
        """What ``run.json`` says, so that the clues of the folder are found."""
        period = self.registration.period
        days = [period.before.isoformat(), period.after.isoformat()]
        told = {"register": self.registration.place, "register_run": period.run}
        return told | {"period": days, "only_new": self.is_new_only}


def period_of_patches(table: Any, run: str) -> Period:
    """Return the period of delivered patches: their dates and their ground.

    Raises
    ------
    InputError
        If no patch tells its dates.
    """
    before, after = table["before_to"].dropna(), table["after_from"].dropna()
    if before.empty or after.empty:
        raise InputError(
            "the patches do not tell their dates",
            "patches: in LAYERS.yaml",
            "name the fields of both dates, a register orders periods by them",
        )
    west, south, east, north = (float(v) for v in table.total_bounds)
    crs = table.crs.to_string()
    return Period(run, min(before), max(after), crs, (west, south, east, north))


def traced_in(
    place: str,
    period: Period,
    table: Any,
    rules: "RuleSet",
    *,
    seen: Any = None,
    pixel_m: float = 1.0,
    is_new_only: bool = False,
) -> tuple[Any, Kept]:
    """Return patches with what they are in time by a register, and where they are entered.

    Parameters
    ----------
    place : str
        File or URL.
    period : Period
    table : GeoDataFrame
        Patches; what an earlier judgement told of them in time is forgotten.
    rules : RuleSet
    seen : Polygon, MultiPolygon or None
        Ground that was observed; None: not known.
    pixel_m : float
    is_new_only : bool
        Leave out of the list what another period listed.
    """
    store = open_register(place)
    try:
        with store.engine.connect() as connection:
            held = held_before(connection, period)
    finally:
        store.close()
    plain = _forgotten(table)
    fates = trace_fates(
        held.known,
        current_patches(plain, period),
        seen,
        crs=period.crs,
        tolerance=tolerance_of(rules, pixel_m),
        later=held.later,
        before=period.before,
    )
    patches = traced(plain, fates, rules, is_new_only=is_new_only)
    registration = Registration(place, period, fates, held.digest)
    return patches, Kept(registration, period.crs, is_new_only)


def _forgotten(table: Any) -> Any:
    """Return patches without what was told of them in time, but the numbers of new things."""
    if "fate" not in table:
        return table
    new = (table["fate"] == "new").to_numpy()
    own = table["object_id"].where(new, table["patch_id"])
    return table.drop(columns=[n for n in TRACED if n in table]).assign(object_id=own)


def traced_again(place: str, run: Path, table: Any, rules: "RuleSet") -> tuple[Any, Kept]:
    """Return the patches of a judged run with what they are in time by its register as it is now.

    Parameters
    ----------
    place : str
    run : Path
    table : GeoDataFrame
    rules : RuleSet
    """
    from flows.unseen import Unseen

    summary = json.loads((run / "run.json").read_text(encoding="utf-8"))
    context = finished_context(run, summary)
    if context is not None:
        period, is_new_only = period_of(run.name, context.plan), context.config.clue_list == "new"
        seen, pixel_m = Unseen(context).seen, context.plan.pixel_m
        return traced_in(
            place, period, table, rules, seen=seen, pixel_m=pixel_m, is_new_only=is_new_only
        )
    first, last = (dt.date.fromisoformat(day) for day in summary["period"])
    found = period_of_patches(table, str(summary["register_run"]))
    period = replace(found, before=first, after=last)
    return traced_in(place, period, table, rules, is_new_only=bool(summary["only_new"]))
