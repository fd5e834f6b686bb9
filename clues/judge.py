"""Judgement of parcels: the groups of a line tried in order, each way to judge worked out once.

Thousands of parcels are judged in a few hundred ways: what a rule set answers depends only on
whether each of its tests is false, unknown or true. Those truths, with the facts that the way
names, are the trace of a judgement; everything else follows from them and the rule set.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clues.facts import FactTable
from clues.kleene import FALSE, TRUE, UNKNOWN, Evaluation, Recalled, Truth
from configs.articles import Flag, Rule, Severity
from configs.conditions import Condition
from configs.errors import InputError
from configs.rules import GROUPS, RuleSet

__all__ = ["UNDECIDED", "Decisions", "Step", "Way", "applicable", "judge_line", "retraced"]

UNDECIDED = "U"
"""Rule code of a finding that no rule could decide."""

PURSUED = ("suspected", "unresolved")
Leaves = tuple[tuple[Condition, int, int], ...]


@dataclass(frozen=True)
class Step:
    """One rule that was tried.

    Attributes
    ----------
    result : int
        `FALSE`, `UNKNOWN` or `TRUE`.
    leaves : tuple of (Condition, int, int)
        The tests that carry the result, each with its truth before and after an assumption.
    """

    rule: Rule
    result: int
    leaves: Leaves


@dataclass(frozen=True)
class Way:
    """How a parcel was judged: what was tried, what decided, what was raised beside it.

    Attributes
    ----------
    deciders : tuple of Rule
        The deciding rule and the other true rules of its group with the same outcome; none where
        nothing could decide.
    possible : tuple of Rule
        Unknown rules of earlier groups, or of V where only its fallback was left.
    flags, unseen : tuple of Flag
        Raised, and those that could not be told.
    severity : Severity or None
        First level that holds; None for what is not pursued.
    severity_leaves : tuple of (Condition, int, int)
        The tests that carry it.
    names : tuple of str
        Facts that the way and its texts name, sorted.
    """

    outcome: str
    deciders: tuple[Rule, ...]
    possible: tuple[Rule, ...]
    by_fallback: bool
    steps: tuple[Step, ...]
    flags: tuple[Flag, ...]
    unseen: tuple[Flag, ...]
    severity: Severity | None
    severity_leaves: Leaves
    names: tuple[str, ...]

    @property
    def level(self) -> int:
        """Level of severity; 0 for what is not pursued."""
        return self.severity.level if self.severity else 0

    @property
    def rule(self) -> str:
        """Code of the deciding rule, `UNDECIDED` if none could."""
        return self.deciders[0].code if self.deciders else UNDECIDED

    @property
    def rules(self) -> tuple[str, ...]:
        """Codes of the deciders."""
        return _codes(self.deciders) or (UNDECIDED,)

    @property
    def also_possible(self) -> tuple[str, ...]:
        """Codes of what is not ruled out."""
        return _codes(self.possible)


def _codes(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(r.code for r in rules))


@dataclass(frozen=True)
class Decisions:
    """The answers for all parcels of one line.

    Attributes
    ----------
    ways : tuple of Way
    way : ndarray of int64, shape (n,)
        Position in `ways` of each parcel's.
    """

    facts: FactTable
    rules: RuleSet
    line: str
    ways: tuple[Way, ...]
    truths: tuple[str, ...]
    way: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.way)

    def __getitem__(self, row: int) -> Way:
        return self.ways[int(self.way[row])]

    def __iter__(self) -> Iterator[Way]:
        return (self.ways[i] for i in self.way)

    def column(self, values: Sequence[Any]) -> NDArray[np.object_]:
        """Spread one value per way over the parcels."""
        own = np.empty(len(self.ways), dtype=object)
        own[:] = values
        return own[self.way]

    @cached_property
    def levels(self) -> NDArray[np.int64]:
        """Severity of each parcel."""
        return np.array([w.level for w in self.ways], dtype=np.int64)[self.way]

    def rows_of(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield each way with the parcels that went it."""
        order = np.argsort(self.way, kind="stable")
        ends = np.cumsum(np.bincount(self.way, minlength=len(self.ways)))
        yield from enumerate(np.split(order, ends[:-1]) if len(self.ways) else [])

    def trace(self, row: int) -> dict[str, Any]:
        """Return what a judgement can be explained from, as plain JSON values."""
        number = int(self.way[row])
        return self._head(number) | {
            "parcel": str(self.facts.parcels[row]),
            "patch": str(self.facts.patches[row]),
            "facts": {n: self.facts[n].recorded(row) for n in self.ways[number].names},
        }

    def rows_naming(self) -> dict[str, NDArray[np.int64]]:
        """Return the parcels whose way names a fact, by fact, ascending."""
        rows: dict[str, list[NDArray[np.int64]]] = {}
        for number, own in self.rows_of():
            for name in self.ways[number].names:
                rows.setdefault(name, []).append(own)
        return {name: np.sort(np.concatenate(parts)) for name, parts in sorted(rows.items())}

    def traces(self) -> list[str]:
        """Return `trace` of every parcel as JSON texts."""
        encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        heads = [encode(self._head(i))[:-1] for i in range(len(self.ways))]
        facts: list[list[str]] = [[] for _ in range(len(self))]
        for name, rows in self.rows_naming().items():
            for row, text in zip(rows.tolist(), self.facts[name].written(rows), strict=True):
                facts[row].append(f'"{name}":{text}')
        out = []
        for row, way in enumerate(self.way.tolist()):
            parcel, patch = encode(self.facts.parcels[row]), encode(self.facts.patches[row])
            own = ",".join(facts[row])
            out.append(f'{heads[way]},"parcel":{parcel},"patch":{patch},"facts":{{{own}}}}}')
        return out

    def _head(self, number: int) -> dict[str, Any]:
        sources = {self.facts[n].source for n in self.ways[number].names}
        layers = sorted({p for s in sources for p in s.split(", ") if "@" in p})
        return {
            "rule_set": self.rules.name,
            "digest": self.rules.digest,
            "line": self.line,
            "truths": self.truths[number],
            "layers": layers,
        }


def applicable(facts: FactTable, rules: RuleSet, line: str) -> Any:
    """Return which rows of a table of patches a line judges, bool (n,)."""
    condition = rules.lines[line].applies
    if condition is None:
        return np.ones(len(facts), dtype=bool)
    return Evaluation(facts, rules.parameters).truth(condition) == TRUE


def judge_line(facts: FactTable, rules: RuleSet, line: str) -> Decisions:
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
    Decisions
        In the order of the table.
    """
    evaluation = Evaluation(facts, rules.parameters)
    leaves = _leaves(rules, line)
    truths = np.array([evaluation.bare(leaf) for leaf in leaves], dtype=np.uint8)
    _forget_untried(truths, evaluation, rules, line)
    patterns, way = np.unique(truths.T, axis=0, return_inverse=True)
    ways = _ways(rules, line, leaves, np.ascontiguousarray(patterns.T))
    written = tuple("".join(map(str, p)) for p in patterns.tolist())
    return Decisions(facts, rules, line, ways, written, np.asarray(way.reshape(-1), np.int64))


def _forget_untried(truths: Truth, evaluation: Evaluation, rules: RuleSet, line: str) -> None:
    """Set the leaves of groups that are not tried to false, in place: they tell nothing apart."""
    settled = np.zeros(truths.shape[1], dtype=bool)
    asked = np.zeros(truths.shape[1], dtype=bool)
    first_of: dict[str, int] = {}
    place = 0
    for rule in rules.rules:
        if line in rule.lines:
            first_of[rule.label] = place
            place += sum(1 for _ in rule.when.walk())
    for group in GROUPS:
        own = rules.group(line, group)
        untried = settled | (asked & (group == GROUPS[-1]))
        results = [evaluation.truth(rule.when) for rule in own]
        for rule in own:
            at = first_of[rule.label]
            truths[at : at + sum(1 for _ in rule.when.walk()), untried] = FALSE
        for result in results:
            settled |= result == TRUE
            asked |= result == UNKNOWN


def retraced(trace: dict[str, Any], rules: RuleSet) -> Way:
    """Return the way of a judgement from its trace and the rule set that judged.

    Raises
    ------
    InputError
        If the rule set is another one.
    """
    if rules.digest != trace["digest"]:
        raise InputError(
            f"the finding was judged by {trace['rule_set']} {trace['digest']}, "
            f"the rule set at hand is {rules.name} {rules.digest}",
            f"trace of {trace['parcel']}",
            "explain with the rules.json that lies in the same run folder",
        )
    leaves = _leaves(rules, trace["line"])
    truths = np.array([[int(c)] for c in trace["truths"]], dtype=np.uint8)
    return _ways(rules, trace["line"], leaves, truths)[0]


def _leaves(rules: RuleSet, line: str) -> tuple[Condition, ...]:
    """Return every test and switch a line depends on, in written order."""
    parts = [r.when for r in rules.rules if line in r.lines]
    parts += [f.when for f in rules.flags if line in f.lines]
    parts += [s.when for s in _levels(rules, line)]
    return tuple(leaf for part in parts for _, leaf in part.walk())


def _levels(rules: RuleSet, line: str) -> list[Severity]:
    return [s for s in rules.severity if s.lines is None or line in s.lines]


def _ways(rules: RuleSet, line: str, leaves: Sequence[Condition], truths: Truth) -> tuple[Way, ...]:
    """Return the way of each column of truths."""
    recalled = Recalled(leaves, truths)
    results = {r.label: recalled.truth(r.when) for r in rules.rules if line in r.lines}
    groups = [rules.group(line, g) for g in GROUPS]
    flags = [(f, recalled.truth(f.when)) for f in rules.flags if line in f.lines]
    levels = [(s, recalled.truth(s.when) == TRUE) for s in _levels(rules, line)]
    ways = []
    for column in range(truths.shape[1]):
        answer = _decide(groups, results, rules.lines[line].fallback, column)
        steps = tuple(_step(recalled, rule, column) for rule in answer.tried)
        raised = tuple(f for f, truth in flags if truth[column] == TRUE)
        unseen = tuple(f for f, truth in flags if truth[column] == UNKNOWN)
        pursued = answer.outcome in PURSUED
        level = next((s for s, true in levels if true[column] and pursued), None)
        why = _leaves_of(recalled, level.when, column) if level else ()
        leaves_shown = [x for step in steps for x in step.leaves] + list(why)
        names = _names(rules, line, answer, leaves_shown, raised)
        ways.append(
            Way(
                answer.outcome,
                answer.deciders,
                answer.possible,
                answer.by_fallback,
                steps,
                raised,
                unseen,
                level,
                why,
                names,
            )
        )
    return tuple(ways)


@dataclass(frozen=True)
class _Answer:
    outcome: str
    deciders: tuple[Rule, ...]
    possible: tuple[Rule, ...]
    tried: tuple[Rule, ...]
    by_fallback: bool = False


def _decide(
    groups: Sequence[Sequence[Rule]], truths: dict[str, Truth], fallback: str, column: int
) -> _Answer:
    tried: list[Rule] = []
    possible: list[Rule] = []
    for group in groups:
        if group is groups[-1] and possible:
            return _Answer("unresolved", (), tuple(possible), tuple(tried))
        results = [(rule, int(truths[rule.label][column])) for rule in group]
        tried += group
        true = [rule for rule, truth in results if truth == TRUE]
        if true:
            same = tuple(r for r in true if r.outcome == true[0].outcome)
            return _Answer(true[0].outcome, same, tuple(possible), tuple(tried))
        possible += [rule for rule, truth in results if truth == UNKNOWN]
    ending = next(rule for rule in groups[-1] if rule.code == fallback)
    others = tuple(rule for rule in possible if rule.code != fallback)
    return _Answer(ending.outcome, (ending,), others, tuple(tried), by_fallback=True)


def _step(evaluation: Evaluation, rule: Rule, column: int) -> Step:
    leaves = _leaves_of(evaluation, rule.when, column)
    return Step(rule, int(evaluation.truth(rule.when)[column]), leaves)


def _leaves_of(evaluation: Evaluation, condition: Condition, column: int) -> Leaves:
    return tuple(
        (leaf, int(evaluation.bare(leaf)[column]), int(evaluation.truth(leaf)[column]))
        for leaf in _carrying(evaluation, condition, column)
    )


def _carrying(evaluation: Evaluation, condition: Condition, column: int) -> list[Condition]:
    """Return the leaves that explain the result: of a false "all" its first false part."""
    parts = condition.all or condition.any
    if parts:
        result = int(evaluation.truth(condition)[column])
        own = [c for c in parts if int(evaluation.truth(c)[column]) == result]
        if (condition.all and result == FALSE) or (condition.any and result == TRUE):
            own = own[:1]
        return [leaf for c in own for leaf in _carrying(evaluation, c, column)]
    if condition.negated is not None:
        return _carrying(evaluation, condition.negated, column)
    return [condition]


def _names(
    rules: RuleSet,
    line: str,
    answer: _Answer,
    shown: Sequence[tuple[Condition, int, int]],
    raised: Sequence[Flag],
) -> tuple[str, ...]:
    """Return the facts that the tests, the sentences, the questions and the priority name."""
    leaves = [leaf for leaf, _, _ in shown if leaf.fact]
    names = {n for leaf in leaves for n in (leaf.fact, leaf.than) if n}
    if answer.outcome in PURSUED:
        names |= set(rules.priority.mu_weights)
    texts = [
        text
        for rule in answer.deciders
        for text in (rule.sentence, rule.confirming, rule.question)
        if text is not None
    ]
    if answer.by_fallback:
        texts.append(rules.lines[line].fallback_sentence)
    if not answer.deciders:
        texts.append(rules.undecided)
        texts += [t for n, t in rules.questions.items() if n in names]
    for flag in raised:
        texts += [flag.sentence] + ([flag.question] if flag.question else [])
    known = set(rules.parameters) | {"parcel", "patch"}
    return tuple(sorted(names | {n for t in texts for n in t.names()} - known))
