"""Reads the casebook: facts as a lawyer writes them, turned into fact tables of one row."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from clues.catalogue import catalogue
from clues.facts import FactColumn, FactTable
from configs.conditions import to_base
from configs.rules import RuleSet, load_rules

CASES = Path(__file__).parent / "cases" / "casebook.yaml"


@cache
def book() -> dict[str, Any]:
    """Return the casebook as written."""
    data: dict[str, Any] = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    return data


@cache
def shipped(name: str) -> RuleSet:
    """Return a shipped rule set, read once."""
    return load_rules(name, catalogue())


@cache
def cases(line: str | None = None) -> tuple[dict[str, Any], ...]:
    """Return the cases (of a line) with base and situations filled in."""
    data = book()
    found = []
    for case in data["cases"]:
        if line in (None, case["line"]):
            facts = dict(data["base"][case["line"]])
            for situation in case.get("given", ()):
                facts |= data["given"][situation]
            found.append(case | {"facts": facts | case["facts"] | case.get("also", {})})
    return tuple(found)


def rule_set(case: dict[str, Any]) -> RuleSet:
    """Return the rule set of a case, with the parameters it sets."""
    rules = shipped(case.get("rules", book()["rule_sets"][case["line"]]))
    changed = {
        name: rules.parameters[name].model_copy(
            update={"value": tuple(value) if isinstance(value, list) else value}
        )
        for name, value in case.get("set", {}).items()
    }
    return changed_rules(rules, parameters=rules.parameters | changed)


def changed_rules(base: RuleSet, **changes: Any) -> RuleSet:
    """Return a copy of a rule set with other parts, and the hash of those."""
    copy = base.model_copy(update=changes)
    copy.__dict__.pop("digest", None)
    return copy


def table(*facts: dict[str, Any]) -> FactTable:
    """Return a fact table with one row per mapping; all must name the same facts."""
    names = np.array([f"P{i}" for i in range(1, len(facts) + 1)], dtype=object)
    result = FactTable(names, names)
    for name in facts[0]:
        result.add(_column(name, [f[name] for f in facts]))
    return result


def _column(name: str, written: list[Any]) -> FactColumn:
    kind = catalogue()[name].kind
    if kind == "code":
        known = [v != "unknown" for v in written]
        return FactColumn.named(name, written, known=known, cause=5)
    if kind == "documents":
        return FactColumn.named(name, written)
    bounds = [_bounds(kind, v) for v in written]
    return FactColumn.bounded(name, [b[0] for b in bounds], [b[1] for b in bounds], cause=3)


def _bounds(kind: str, written: Any) -> tuple[float, float]:
    if written == "unknown":
        return (0.0, 1.0) if kind in ("bool", "share") else (np.nan, np.nan)
    if isinstance(written, str) and written.startswith("["):
        ends, unit = written.rsplit(" ", 1)
        low, high = (float(x) for x in ends.strip("[]").split(","))
        return round(to_base(low, unit)), round(to_base(high, unit))
    if isinstance(written, list):
        return float(written[0]), float(written[1])
    if isinstance(written, str):
        number, unit = written.split()
        base = to_base(float(number), unit)
        return (round(base), round(base)) if kind == "area" else (base, base)
    if isinstance(written, dt.date):
        return float(written.toordinal()), float(written.toordinal())
    return float(written), float(written)
