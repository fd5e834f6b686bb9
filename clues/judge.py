"""Judgement of parcels: the groups of a line tried in order, with a trace of every step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clues.facts import FactTable, plain_value
from clues.kleene import FALSE, TRUE, UNKNOWN, Evaluation, Truth, threshold
from configs.articles import Rule
from configs.conditions import Condition
from configs.rules import GROUPS, RuleSet

__all__ = ["UNDECIDED", "Decision", "applicable", "judge_line"]

UNDECIDED = "U"
"""Rule code of a finding that no rule could decide."""
NAMES = {FALSE: "false", UNKNOWN: "unknown", TRUE: "true"}


@dataclass(frozen=True)
class Decision:
    """The answer for one parcel on one line.

    Attributes
    ----------
    rule : str
        Code of the deciding rule, `UNDECIDED` if none could.
    rules : tuple of str
        The deciding rule and the other true rules of its group with the same outcome.
    also_possible : tuple of str
        Unknown rules of earlier groups, or of V where only its fallback was left.
    trace : dict
        What was tried, on what facts, with what result; plain JSON values.
    """

    parcel: str
    outcome: str
    rule: str
    rules: tuple[str, ...]
    also_possible: tuple[str, ...]
    flags: tuple[str, ...]
    level: int
    trace: dict[str, Any]


def applicable(facts: FactTable, rules: RuleSet, line: str) -> Any:
    """Return which rows of a table of patches a line judges, bool (n,)."""
    condition = rules.lines[line].applies
    if condition is None:
        return np.ones(len(facts), dtype=bool)
    return Evaluation(facts, rules.parameters).truth(condition) == TRUE


def judge_line(facts: FactTable, rules: RuleSet, line: str) -> list[Decision]:
    """Judge all parcels of one line.

    A rule is true, false or unknown. The first of the groups F, N, L, O with a true rule decides,
    even if an earlier one is unknown; none true and some unknown leaves the parcel unresolved;
    all false hands it to V, whose first true rule, or else the fallback, decides.

    Parameters
    ----------
    facts : FactTable
        One row per parcel.
    rules : RuleSet
    line : str
        A line of the rule set.

    Returns
    -------
    list of Decision
        In the order of the table.
    """
    evaluation = Evaluation(facts, rules.parameters)
    truths = {r.label: evaluation.truth(r.when) for r in rules.rules if line in r.lines}
    groups = [rules.group(line, g) for g in GROUPS]
    flags = [(f, evaluation.truth(f.when)) for f in rules.flags if line in f.lines]
    levels = [(s.level, evaluation.truth(s.when) == TRUE) for s in rules.severity]
    decisions = []
    for row in range(len(facts)):
        answer = _decide(groups, truths, rules.lines[line].fallback, row)
        level = next((n for n, true in levels if true[row]), 0)
        raised = tuple(f.code for f, truth in flags if truth[row] == TRUE)
        unseen = tuple(f.code for f, truth in flags if truth[row] == UNKNOWN)
        writer = _Trace(evaluation, rules, line, row)
        decisions.append(
            Decision(
                str(facts.parcels[row]),
                answer.outcome,
                answer.deciders[0].code if answer.deciders else UNDECIDED,
                _codes(answer.deciders) or (UNDECIDED,),
                _codes(answer.possible),
                raised,
                level if answer.outcome in ("suspected", "unresolved") else 0,
                writer.write(
                    str(facts.parcels[row]), str(facts.patches[row]), answer, raised, unseen
                ),
            )
        )
    return decisions


@dataclass(frozen=True)
class _Answer:
    outcome: str
    deciders: tuple[Rule, ...]
    possible: tuple[Rule, ...]
    tried: tuple[tuple[Rule, int], ...]
    by_fallback: bool = False


def _codes(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(r.code for r in rules))


def _decide(
    groups: Sequence[Sequence[Rule]], truths: dict[str, Truth], fallback: str, row: int
) -> _Answer:
    tried: list[tuple[Rule, int]] = []
    possible: list[Rule] = []
    for group in groups:
        last = group is groups[-1]
        if last and possible:
            return _Answer("unresolved", (), tuple(possible), tuple(tried))
        results = [(rule, int(truths[rule.label][row])) for rule in group]
        tried += results
        true = [rule for rule, truth in results if truth == TRUE]
        if true:
            same = tuple(r for r in true if r.outcome == true[0].outcome)
            return _Answer(true[0].outcome, same, tuple(possible), tuple(tried))
        possible += [rule for rule, truth in results if truth == UNKNOWN]
    ending = next(rule for rule in groups[-1] if rule.code == fallback)
    others = tuple(rule for rule in possible if rule.code != fallback)
    return _Answer(ending.outcome, (ending,), others, tuple(tried), by_fallback=True)


class _Trace:
    """Writes down how one parcel was judged: the leaves that carry each result, and their facts."""

    def __init__(self, evaluation: Evaluation, rules: RuleSet, line: str, row: int) -> None:
        self.evaluation, self.rules, self.line, self.row = evaluation, rules, line, row
        self.names: set[str] = set()

    def write(
        self,
        parcel: str,
        patch: str,
        answer: _Answer,
        raised: tuple[str, ...],
        unseen: tuple[str, ...],
    ) -> dict[str, Any]:
        walk = [
            {"rule": rule.label, "result": NAMES[truth], "leaves": self._leaves(rule.when)}
            for rule, truth in answer.tried
        ]
        self._name_texts(answer, raised)
        facts = self.evaluation.facts
        return {
            "rule_set": self.rules.name,
            "digest": self.rules.digest,
            "line": self.line,
            "parcel": parcel,
            "patch": patch,
            "outcome": answer.outcome,
            "deciders": [r.label for r in answer.deciders],
            "fallback": answer.by_fallback,
            "also_possible": [r.label for r in answer.possible],
            "flags": list(raised),
            "flags_unknown": list(unseen),
            "walk": walk,
            "facts": {n: facts[n].recorded(self.row) for n in sorted(self.names)},
        }

    def _leaves(self, condition: Condition) -> list[dict[str, Any]]:
        return [self._leaf(leaf) for leaf in self._carrying(condition)]

    def _carrying(self, condition: Condition) -> list[Condition]:
        """Return the leaves that explain the result: of a false "all" its first false part."""
        parts = condition.all or condition.any
        if parts:
            result = int(self.evaluation.truth(condition)[self.row])
            own = [c for c in parts if int(self.evaluation.truth(c)[self.row]) == result]
            if (condition.all and result == FALSE) or (condition.any and result == TRUE):
                own = own[:1]
            return [leaf for c in own for leaf in self._carrying(c)]
        if condition.negated is not None:
            return self._carrying(condition.negated)
        return [condition]

    def _leaf(self, leaf: Condition) -> dict[str, Any]:
        bare, taken = (int(t[self.row]) for t in self.evaluation.leaf(leaf))
        if leaf.switch is not None:
            return {"switch": leaf.switch, "has": leaf.has, "result": NAMES[taken]}
        self.names |= {str(leaf.fact)} | ({leaf.than} if leaf.than else set())
        entry: dict[str, Any] = {"fact": leaf.fact, "op": leaf.op or "=", "result": NAMES[taken]}
        if leaf.than is not None:
            entry["than"] = leaf.than
        else:
            kind = self.evaluation.facts[str(leaf.fact)].fact.kind
            if kind == "code":
                entry["against"] = leaf.value
            else:
                number = threshold(leaf, self.rules.parameters, kind)
                entry["against"] = plain_value(kind, number) if kind != "area" else number
        if leaf.param is not None:
            entry["param"] = leaf.param
        if bare == UNKNOWN and taken != UNKNOWN:
            entry["assumed"] = NAMES[taken]
        return entry

    def _name_texts(self, answer: _Answer, raised: tuple[str, ...]) -> None:
        """Note the facts that the sentences and questions of this parcel name."""
        texts = [
            text
            for rule in answer.deciders
            for text in (rule.sentence, rule.confirming, rule.question)
            if text is not None
        ]
        if answer.by_fallback:
            texts.append(self.rules.lines[self.line].fallback_sentence)
        if not answer.deciders:
            texts.append(self.rules.undecided)
            texts += [t for n, t in self.rules.questions.items() if n in self.names]
        for flag in self.rules.flags:
            if flag.code in raised and self.line in flag.lines:
                texts += [flag.sentence] + ([flag.question] if flag.question else [])
        known = set(self.rules.parameters) | {"parcel", "patch"}
        self.names |= {n for t in texts for n in t.names()} - known
