"""Quality of attribute values: what is empty, out of its list or range, or contradicts another."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.quality import report_rows
from configs.layers import FieldSpec, role_fields

__all__ = ["check_codes", "check_dates", "check_missing", "check_sums"]

TOWNS = frozenset({"201", "202", "203", "204", "205"})
TOWN_CLASSES = ("05", "06", "07", "08", "09", "1004", "1005", "1201")
"""Classes of the Third Survey that need a town code."""

DIVISION_DIGITS = (6, 9, 12)
PAST_FIELDS = ("date", "applied", "filed")
"""Dates of things that have happened: they cannot lie in the future."""

ORDERED = (("applied", "date"), ("valid_from", "valid_to"), ("filed", "valid_to"))
SUM_TOLERANCE_M2 = 0.015

Rows = NDArray[np.int64]


def _report(
    code: str,
    table: pd.DataFrame,
    at: Rows,
    field: str,
    facts: Sequence[dict[str, Any]] | dict[str, Any] | None = None,
) -> pd.DataFrame:
    """Return report rows at positions of `table`."""
    chosen = table.iloc[at]
    return report_rows(
        code,
        chosen["source"].to_numpy(dtype=object),
        chosen["row"].to_numpy(),
        keys=chosen["key"].to_numpy(dtype=object),
        field=field,
        values=chosen[field].to_numpy(dtype=object),
        facts=facts,
    )


def check_missing(role: str, table: pd.DataFrame, reported: set[tuple[str, int, str]]) -> Any:
    """Report empty required fields, and features without id or number.

    Parameters
    ----------
    role : str
    table : DataFrame
        Rows with `source`, `row`, `key` and the fields of the role.
    reported : set of (source, row, field)
        Values that are reported already.
    """
    fields = role_fields(role)
    named = "number" if "number" in fields else "id"
    wanted = [name for name, spec in fields.items() if spec.required or name == named]
    frames = []
    for name in wanted:
        empty = np.flatnonzero(table[name].isna())
        places = zip(table["source"].iloc[empty], table["row"].iloc[empty], strict=True)
        keep = [(s, int(r), name) not in reported for s, r in places]
        at = empty[np.array(keep, dtype=bool)]
        frames.append(_report("value_missing", table, at, name))
    return pd.concat(frames, ignore_index=True)


def check_codes(role: str, table: pd.DataFrame, mapped: set[str]) -> list[pd.DataFrame]:
    """Report codes outside their lists; `mapped` names the fields that the source has."""
    frames = []
    if role == "landuse" and "town" in mapped:
        towns = [None if t is None else str(t).upper().removesuffix("A") for t in table["town"]]
        wrong = np.flatnonzero([t is not None and t not in TOWNS for t in towns])
        frames.append(_report("bad_town", table, wrong, "town"))
        known = table["code"].where(table["category"].notna(), None)
        of_class = zip(table["scheme"], known, towns, strict=True)
        missing = np.flatnonzero(
            [s == "sandiao" and t is None and _needs_town(c) for s, c, t in of_class]
        )
        facts = [{"code": c} for c in table["code"].iloc[missing]]
        frames.append(_report("town_missing", table, missing, "town", facts))
    if role == "landuse" and "kcxs" in mapped:
        share = table["kcxs"].astype(float)
        ridge = (share > 0) & table["group"].notna() & (table["group"] != "cropland")
        wrong = np.flatnonzero((share < 0) | (share > 1) | ridge)
        frames.append(_report("bad_kcxs", table, wrong, "kcxs"))
    if role == "division":
        wrong = np.flatnonzero(
            [n is not None and not _is_division(str(n)) for n in table["number"]]
        )
        frames.append(_report("bad_division", table, wrong, "number"))
    return frames


def _needs_town(code: str | None) -> bool:
    return bool(code) and str(code).startswith(TOWN_CLASSES)


def _is_division(number: str) -> bool:
    return number.isdigit() and len(number) in DIVISION_DIGITS


def check_dates(
    role: str, table: pd.DataFrame, today: dt.date, oldest: dt.date
) -> list[pd.DataFrame]:
    """Report dates that are reversed, in the future or before the `oldest` credible day."""
    fields: dict[str, FieldSpec] = role_fields(role)
    dated = [name for name, spec in fields.items() if spec.kind == "date"]
    frames = []
    for first, last in ORDERED:
        if first in dated and last in dated:
            a, b = table[first], table[last]
            both = np.flatnonzero(a.notna() & b.notna())
            at = both[[a.iloc[i] > b.iloc[i] for i in both]] if len(both) else both
            facts = [{"first": a.iloc[i], "last": b.iloc[i]} for i in at]
            frames.append(_report("dates_reversed", table, at, first, facts))
    for name in dated:
        frames.append(_outside(table, name, "date_too_old", lambda d: d < oldest, "limit", oldest))
        if name in PAST_FIELDS:
            found = _outside(table, name, "date_in_future", lambda d: d > today, "today", today)
            frames.append(found)
    return frames


def _outside(
    table: pd.DataFrame,
    name: str,
    code: str,
    wrong: Callable[[dt.date], bool],
    fact: str,
    limit: dt.date,
) -> pd.DataFrame:
    at = np.flatnonzero([d is not None and wrong(d) for d in table[name]])
    return _report(code, table, at, name, {fact: limit})


def check_sums(table: pd.DataFrame) -> pd.DataFrame:
    """Report land-use rows whose area is not the sum of deduction and net area."""
    whole, deducted, net = (
        table[n].to_numpy(dtype=float) for n in ("area_m2", "deducted_m2", "net_m2")
    )
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(np.abs(whole - deducted - net) > SUM_TOLERANCE_M2)
    facts = [
        {"whole": f"{whole[i]:.2f}", "deducted": f"{deducted[i]:.2f}", "net": f"{net[i]:.2f}"}
        for i in wrong
    ]
    return _report("sum_differs", table, wrong, "net_m2", facts)
