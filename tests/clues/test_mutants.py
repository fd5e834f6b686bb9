"""Every condition of every rule matters: without it, a case of the casebook turns red."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from clues.judge import judge_line
from clues.kleene import Evaluation
from configs.articles import Rule
from configs.conditions import Condition
from configs.rules import RuleSet
from tests.clues.casebook import cases, changed_rules, rule_set, shipped, table

ALWAYS = Condition.model_validate({"fact": "area", "op": ">=", "value": 0, "unit": "m2"})


def without_one(condition: Condition) -> Iterator[tuple[str, Condition | None]]:
    """Yield the condition without each of its parts; None where nothing is left."""
    parts = condition.all or condition.any
    if not parts:
        inner = condition.negated
        if inner is not None:
            yield "not", inner
        yield _name(condition), None
        return
    key = "all" if condition.all else "any"
    for i, part in enumerate(parts):
        for name, smaller in without_one(part):
            rest = [*parts[:i], *([smaller] if smaller is not None else []), *parts[i + 1 :]]
            yield name, _made(key, rest)
        if part.all or part.any:
            yield f"group {i}", _made(key, [*parts[:i], *parts[i + 1 :]])


def _name(leaf: Condition) -> str:
    return str(leaf.fact or leaf.switch)


def _made(key: str, parts: list[Condition]) -> Condition | None:
    if not parts:
        return None
    return Condition(**{key: tuple(parts)})


def mutants(rules: RuleSet) -> Iterator[tuple[Rule, str, Condition]]:
    for rule in rules.rules:
        for name, smaller in without_one(rule.when):
            yield rule, name, smaller or ALWAYS


class Group:
    """Cases of one line that share a rule set and parameters, as one table."""

    def __init__(self, own: list[dict[str, Any]]) -> None:
        self.cases, self.rules, self.line = own, rule_set(own[0]), own[0]["line"]
        names = sorted({n for c in own for n in c["facts"]})
        rows = [dict.fromkeys(names, "unknown") | c["facts"] for c in own]
        self.table = table(*rows)
        self.truth = Evaluation(self.table, self.rules.parameters)

    def red(self, rule: Rule, smaller: Condition) -> list[str]:
        """Return the names of the cases that the smaller condition answers otherwise."""
        own = self.rules.rule(rule.label, self.line)
        without = Evaluation(self.table, self.rules.parameters).truth(smaller)
        if np.array_equal(self.truth.truth(own.when), without):
            return []
        changed = own.model_copy(update={"when": smaller})
        rules = tuple(changed if r is own else r for r in self.rules.rules)
        decisions = judge_line(self.table, changed_rules(self.rules, rules=rules), self.line)
        return [c["name"] for c, way in zip(self.cases, decisions, strict=True) if differs(c, way)]


def differs(case: dict[str, Any], way: Any) -> bool:
    found = {
        "outcome": way.outcome,
        "rule": way.rule,
        "rules": list(way.rules),
        "possible": list(way.also_possible),
        "flags": [f.code for f in way.flags],
        "fallback": way.by_fallback,
    }
    return any(found[k] != v for k, v in case["expect"].items())


def groups(line: str) -> list[Group]:
    by: dict[str, list[dict[str, Any]]] = {}
    for case in cases(line):
        by.setdefault(str((case.get("rules"), case.get("set"))), []).append(case)
    return [Group(own) for own in by.values()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cn-all", "protected-areas"])
def test_dropping_a_condition_turns_a_case_red(name):
    own = {line: groups(line) for line in shipped(name).lines}
    alive = [
        f"{rule.label} of {rule.lines[0]} without {part}"
        for rule, part, smaller in mutants(shipped(name))
        if not any(g.red(rule, smaller) for line in rule.lines for g in own[line])
    ]
    assert alive == []
