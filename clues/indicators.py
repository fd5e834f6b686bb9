"""Indicators of a judged run: totals by outcome and the ratio of suspected cropland."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from configs.rules import RuleSet
from configs.units import metres2, mu, percent
from configs.vocabulary import Outcome, uses

__all__ = ["indicators"]

USED = (
    "patch_id",
    "area_dm2",
    "cropland_dm2",
    "cropland_net_dm2",
    "pbf_dm2",
)
FEW_VALUES = ("line", "outcome", "rule", "flags")
"""Columns of texts that recur: cheap to choose rows of as categories."""


def indicators(patches: Any, findings: Any, rules: RuleSet) -> dict[str, Any]:
    """Return the indicators as plain JSON values.

    The ratio is suspected cropland ÷ all cropland under new construction (findings with an
    outcome of `base_outcomes` whose use is built); facility farmland, temporary land, rural roads
    and what is not new stay out of both. The alert is raised from the rule set's share on, with
    the area as a second condition only where the rule set says so.

    Parameters
    ----------
    patches, findings : DataFrame
        Judged tables.
    rules : RuleSet

    Returns
    -------
    dict
        ``ratio_percent``, ``ratio_alert`` and what they are made of; ``counties``: the same for
        each county and year; ``lines``: per line and
        outcome count, m2 and mu; ``totals_m2`` of the ratio's line; ``patches``; ``rules``:
        findings by deciding rule; ``flags``.
    """
    spec = rules.indicators
    columns: dict[str, Any] = {name: findings[name].to_numpy() for name in USED}
    texts = {name: findings[name].to_numpy(dtype=object) for name in FEW_VALUES}
    columns |= {name: pd.Categorical(values) for name, values in texts.items()}
    findings = pd.DataFrame(columns)
    land = findings[(findings["line"] == spec.line).to_numpy()]
    own = pd.Index(patches["patch_id"]).get_indexer(land["patch_id"])
    chosen = land["outcome"].isin(spec.base_outcomes).to_numpy() & _built(patches)[own]
    base = land[chosen]
    suspected = base[(base["outcome"] == Outcome.SUSPECTED).to_numpy()]
    column = "cropland_net_dm2" if spec.cropland == "net" else "cropland_dm2"
    part, whole = _total(suspected, column), _total(base, column)
    open_part = part + _total(base[(base["outcome"] == Outcome.UNRESOLVED).to_numpy()], column)
    return {
        **_ratio(part, whole, open_part, rules),
        "counties": _by_county(patches.iloc[own[chosen]], base, column, rules),
        "line": spec.line,
        "rule_set": rules.name,
        "rule_set_digest": rules.digest,
        "patches": _patch_counts(patches),
        "lines": {line: _by_outcome(findings, line) for line in rules.lines},
        "rules": _by_rule(findings),
        "flags": _by_flag(findings),
        "totals_m2": _totals(land, base),
    }


def _by_county(patches: Any, base: Any, column: str, rules: RuleSet) -> list[dict[str, Any]]:
    """Return the ratio and its alert for each county and year of the later image.

    `patches` has the patch of each row of `base`.
    """
    years = (getattr(d, "year", None) for d in patches["after_to"])
    found = []
    groups = np.array(
        [f"{c}|{year or ''}" for c, year in zip(patches["county_code"], years, strict=True)],
        dtype=str,
    )
    for name in sorted(set(groups.tolist())):
        own = base[groups == name]
        code, _, year = name.partition("|")
        part = _total(own[(own["outcome"] == Outcome.SUSPECTED).to_numpy()], column)
        opened = part + _total(own[(own["outcome"] == Outcome.UNRESOLVED).to_numpy()], column)
        entry = _ratio(part, _total(own, column), opened, rules)
        found.append({"county_code": code, "year": int(year) if year else None, **entry})
    return found


def _built(patches: Any) -> NDArray[np.bool_]:
    known = uses()
    return np.array([use in known and known[use].built for use in patches["use"]], dtype=bool)


def _total(table: Any, column: str) -> int:
    return int(table[column].sum())


def _m2(area_dm2: int) -> float:
    return float(metres2(area_dm2))


def _entry(table: Any) -> dict[str, Any]:
    area = _total(table, "area_dm2")
    return {
        "count": len(table),
        "m2": _m2(area),
        "mu": float(mu(area)),
        "cropland_m2": _m2(_total(table, "cropland_dm2")),
        "basic_farmland_m2": _m2(_total(table, "pbf_dm2")),
    }


def _by_outcome(findings: Any, line: str) -> dict[str, Any]:
    own = findings[(findings["line"] == line).to_numpy()]
    return {o.value: _entry(own[(own["outcome"] == o.value).to_numpy()]) for o in Outcome}


def _by_rule(findings: Any) -> dict[str, Any]:
    names = sorted(set(findings["rule"]))
    return {n: _entry(findings[(findings["rule"] == n).to_numpy()]) for n in names}


def _by_flag(findings: Any) -> dict[str, int]:
    raised = [f for text in findings["flags"] for f in text.split(",") if f]
    return {name: raised.count(name) for name in sorted(set(raised))}


def _patch_counts(patches: Any) -> dict[str, int]:
    clues = int((patches["disposition"] == "clue").sum())
    return {"all": len(patches), "clues": clues, "dismissed": len(patches) - clues}


def _totals(land: Any, base: Any) -> dict[str, float]:
    """Return the totals of the land line in m²; the small list is in none of them."""
    counted = land[(land["outcome"] != Outcome.BELOW_THRESHOLD).to_numpy()]
    by = {o: counted[(counted["outcome"] == o.value).to_numpy()] for o in Outcome}
    totals = {
        "issued": _total(counted, "area_dm2"),
        "legal": _total(by[Outcome.LEGAL], "area_dm2"),
        "suspected": _total(by[Outcome.SUSPECTED], "area_dm2"),
        "suspected_cropland": _total(by[Outcome.SUSPECTED], "cropland_dm2"),
        "suspected_cropland_net": _total(by[Outcome.SUSPECTED], "cropland_net_dm2"),
        "suspected_pbf": _total(by[Outcome.SUSPECTED], "pbf_dm2"),
        "unresolved": _total(by[Outcome.UNRESOLVED], "area_dm2"),
        "other": _total(by[Outcome.OTHER], "area_dm2"),
        "non_new": _total(by[Outcome.NON_NEW], "area_dm2"),
        "new_construction_cropland": _total(base, "cropland_dm2"),
        "new_construction_cropland_net": _total(base, "cropland_net_dm2"),
    }
    return {name: _m2(area) for name, area in totals.items()}


def _ratio(part: int, whole: int, open_part: int, rules: RuleSet) -> dict[str, Any]:
    """Return the ratio, its alert, and the ratio if every open finding were suspected."""
    spec = rules.indicators
    limit, area = rules.number(spec.alert_ratio), rules.number(spec.alert_area)
    needs_area = bool(rules.parameters[spec.alert_needs_area].value)
    alert = whole > 0 and part / whole >= limit and (part > area or not needs_area)
    return {
        "ratio_percent": float(percent(part, whole)),
        "ratio_alert": alert,
        "ratio_limit_percent": float(round(100 * limit, 2)),
        "ratio_percent_if_open_are_suspected": float(percent(open_part, whole)),
        "ratio_suspected_cropland_mu": float(mu(part)),
        "ratio_new_construction_cropland_mu": float(mu(whole)),
        "ratio_cropland": spec.cropland,
        "ratio_needs_area": needs_area,
        "ratio_area_limit_mu": float(mu(round(area))),
    }
