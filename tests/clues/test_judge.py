"""Judgement on hand-made facts: the casebook, three-valued logic, order of groups, trace."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clues.facts import FactColumn, FactTable
from clues.judge import applicable, judge_line
from clues.kleene import FALSE, TRUE, UNKNOWN, Evaluation
from clues.ways import retraced
from configs.conditions import Condition
from configs.loading import available
from tests.clues.casebook import cases, rule_set, shipped, table

ALL = cases()


@pytest.mark.parametrize("case", ALL, ids=lambda c: f"{c['line']}: {c['name']}")
def test_casebook(case):
    decision = judge_line(table(case["facts"]), rule_set(case), case["line"])[0]
    expect = case["expect"]
    found = {
        "outcome": decision.outcome,
        "rule": decision.rule,
        "rules": list(decision.rules),
        "possible": list(decision.also_possible),
        "flags": [f.code for f in decision.flags],
        "fallback": decision.by_fallback,
    }
    assert {k: found[k] for k in expect} == expect


def test_every_rule_has_its_three_cases():
    kinds = {(c["line"], c["rule"], c["case"]) for c in ALL}
    for name in available("rules"):
        rules = shipped(name)
        for rule in rules.rules:
            for line in rule.lines:
                assert (line, rule.code, "decides") in kinds
                if rule.code in ("F1", "N2", "N6", "N7") and line != "land":
                    continue
                assert {(line, rule.code, k) for k in ("misses", "unknown")} <= kinds
    assert len(ALL) >= 110


@pytest.mark.parametrize(
    "case", [c for c in ALL if c["case"] == "decides"], ids=lambda c: f"{c['line']}: {c['rule']}"
)
def test_a_case_that_decides_is_decided_by_its_rule(case):
    assert case["rule"] == case["expect"]["rule"]


def test_rows_are_judged_alone():
    rules = shipped("cn-land")
    own = [c for c in cases("land") if not c.get("rules") and not c.get("set")]
    names = sorted({n for c in own for n in c["facts"]})
    base = dict.fromkeys(names, "unknown")
    rows = [base | c["facts"] for c in own]
    together = judge_line(table(*rows), rules, "land")
    alone = [judge_line(table(row), rules, "land")[0] for row in rows]
    assert [(d.rule, d.rules, d.outcome) for d in together] == [
        (d.rule, d.rules, d.outcome) for d in alone
    ]


BOOLS = ("built", "permanent", "linear", "surface_kept")
leaves = st.builds(
    lambda fact, value: Condition(fact=fact, op="=", value=value),
    st.sampled_from(BOOLS),
    st.booleans(),
)
trees = st.recursive(
    leaves,
    lambda parts: st.one_of(
        st.builds(lambda p: Condition(all=tuple(p)), st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda p: Condition(any=tuple(p)), st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda p: Condition.model_validate({"not": p}), parts),
    ),
    max_leaves=8,
)


def truths(tree: Condition, rows: list[tuple[object, ...]]) -> list[int]:
    facts = [dict(zip(BOOLS, row, strict=True)) for row in rows]
    return Evaluation(table(*facts), {}).truth(tree).tolist()


@settings(max_examples=60, deadline=None)
@given(trees, st.tuples(*[st.sampled_from([True, False, "unknown"])] * 4))
def test_true_and_false_hold_however_the_unknown_turns_out(tree, row):
    outcome = truths(tree, [row])[0]
    options = [[True, False] if v == "unknown" else [v] for v in row]
    completed = truths(tree, list(itertools.product(*options)))
    if outcome != UNKNOWN:
        assert set(completed) == {outcome}


def column_truth(name, low, high, **leaf):
    facts = FactTable(np.array(["P1"], dtype=object), np.array(["P1"], dtype=object))
    facts.add(FactColumn.bounded(name, [low], [high]))
    return int(Evaluation(facts, {}).truth(Condition(fact=name, **leaf))[0])


@pytest.mark.parametrize(
    ("low", "high", "op", "expected"),
    [
        (0.95, 0.95, ">=", TRUE),
        (0.94, 0.94, ">=", FALSE),
        (0.2, 1.0, ">=", UNKNOWN),
        (0.96, 1.0, ">=", TRUE),
        (0.0, 0.95, ">", FALSE),
        (0.0, 0.94, "<", TRUE),
        (0.95, 1.0, "<", FALSE),
        (0.95, 0.95, "=", TRUE),
        (0.9, 1.0, "=", UNKNOWN),
        (0.96, 1.0, "=", FALSE),
        (0.96, 1.0, "!=", TRUE),
    ],
)
def test_comparing_intervals(low, high, op, expected):
    assert column_truth("approval_before_share", low, high, op=op, value=0.95) == expected


def test_assumptions_are_applied_and_written_down():
    case = next(c for c in ALL if c["name"].startswith("no road network"))
    decision = judge_line(table(case["facts"]), rule_set(case), "land")[0]
    step = next(s for s in decision.steps if s.rule.code == "O3")
    assumed = {leaf.fact for leaf, bare, taken in step.leaves if bare != taken}
    assert assumed == {"road_network_share", "farm_purpose"}


def test_trace_is_json_and_holds_what_it_names():
    for case in ALL:
        rules = rule_set(case)
        decisions = judge_line(table(case["facts"]), rules, case["line"])
        trace = json.loads(json.dumps(decisions.trace(0), allow_nan=False))
        assert json.loads(decisions.traces()[0]) == trace
        assert retraced(trace, rules) == decisions[0]
        named = {leaf.fact for s in decisions[0].steps for leaf, _, _ in s.leaves if leaf.fact}
        assert named <= set(trace["facts"])
        assert decisions[0].steps[0].rule.group == "F"


def test_later_groups_are_not_tried_once_one_decides():
    case = next(c for c in ALL if c["name"] == "approved and supplied")
    way = judge_line(table(case["facts"]), rule_set(case), "land")[0]
    assert {s.rule.group for s in way.steps} == {"F", "N", "L"}


def test_only_mining_is_on_the_mining_line():
    rules = shipped("cn-land")
    facts = table({"use": "mining"}, {"use": "industry"}, {"use": "unknown"})
    assert applicable(facts, rules, "mining").tolist() == [True, False, False]
    assert applicable(facts, rules, "land").all()


def test_severity_and_level_only_for_what_is_pursued():
    base = cases("land")[0]["facts"] | {"patch_area": "9000 m2"}
    much = {"pbf_area": "3334 m2", "cropland_area": "6667 m2"}
    rows = [
        base | much | {"use": "unknown", "built": "unknown"},
        base | much | {"construction_share": [0, 1], "agricultural_share": [0, 1]},
        base | {"pbf_area": "3334 m2"},
        base | {"pbf_area": "3333 m2"},
        base | {"cropland_area": "6667 m2"},
        base | {"cropland_area": "6666 m2"},
        base | {"cropland_area": "0 m2"},
        base | {"use": "unchanged"},
    ]
    decisions = judge_line(table(*rows), shipped("cn-land"), "land")
    assert [d.level for d in decisions] == [3, 3, 4, 3, 4, 2, 1, 0]
    assert decisions[1].outcome == "unresolved"
