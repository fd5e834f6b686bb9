"""Ways to judge: from which tests hold to what decides, and what was tried on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clues.kleene import FALSE, TRUE, UNKNOWN, Evaluation, Recalled, Truth
from configs.articles import Flag, Note, Rule, Severity
from configs.conditions import Condition
from configs.errors import InputError
from configs.rules import GROUPS, RuleSet

__all__ = [
    "PURSUED",
    "UNDECIDED",
    "Step",
    "Way",
    "leaves_of_line",
    "levels_of_line",
    "retraced",
    "ways_of",
]

UNDECIDED = "U"
"""Rule code of a finding that no rule could decide."""

PURSUED = ("suspected", "unresolved")
"""Outcomes that make a patch a clue."""

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
    note : Note or None
        That of the line, where it holds for what is pursued.
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
    note: Note | None
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
    leaves = leaves_of_line(rules, trace["line"])
    truths = np.array([[int(c)] for c in trace["truths"]], dtype=np.uint8)
    return ways_of(rules, trace["line"], leaves, truths)[0]


def leaves_of_line(rules: RuleSet, line: str) -> tuple[Condition, ...]:
    """Return every test and switch a line depends on, in written order."""
    parts = [r.when for r in rules.rules if line in r.lines]
    parts += [f.when for f in rules.flags if line in f.lines]
    parts += [s.when for s in levels_of_line(rules, line)]
    note = rules.lines[line].note
    parts += [note.when] if note else []
    return tuple(leaf for part in parts for _, leaf in part.walk())


def levels_of_line(rules: RuleSet, line: str) -> list[Severity]:
    """Return the levels of severity of a line, in the order they are tried."""
    return [s for s in rules.severity if s.lines is None or line in s.lines]


def _is_for(level: Severity, outcome: str) -> bool:
    return level.outcomes is None or outcome in level.outcomes


def ways_of(
    rules: RuleSet, line: str, leaves: Sequence[Condition], truths: Truth
) -> tuple[Way, ...]:
    """Return the way of each column of truths."""
    recalled = Recalled(leaves, truths)
    results = {r.label: recalled.truth(r.when) for r in rules.rules if line in r.lines}
    groups = [rules.group(line, g) for g in GROUPS]
    flags = [(f, recalled.truth(f.when)) for f in rules.flags if line in f.lines]
    levels = [(s, recalled.truth(s.when) == TRUE) for s in levels_of_line(rules, line)]
    note, place, made = rules.lines[line].note, _places(rules, line), {}
    noted = recalled.truth(note.when) == TRUE if note else np.zeros(truths.shape[1], dtype=bool)
    told = [column.tobytes() for column in np.ascontiguousarray(truths.T)]
    found = []
    for column in range(truths.shape[1]):
        answer = _decide(groups, results, rules.lines[line].fallback, column)
        keys = [(rule.label, told[column][place[rule.label]]) for rule in answer.tried]
        for rule, key in zip(answer.tried, keys, strict=True):
            if key not in made:
                made[key] = _step(recalled, rule, column)
        steps = tuple(made[key] for key in keys)
        raised = tuple(f for f, truth in flags if truth[column] == TRUE)
        unseen = tuple(f for f, truth in flags if truth[column] == UNKNOWN)
        pursued = answer.outcome in PURSUED
        own = (s for s, true in levels if true[column] and _is_for(s, answer.outcome))
        level = next(own, None) if pursued else None
        why = _leaves_of(recalled, level.when, column) if level else ()
        leaves_shown = [x for step in steps for x in step.leaves] + list(why)
        added = note if pursued and noted[column] else None
        names = _names(rules, line, answer, leaves_shown, (*raised, *((added,) if added else ())))
        found.append(
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
                added,
                names,
            )
        )
    return tuple(found)


def _places(rules: RuleSet, line: str) -> dict[str, slice]:
    """Return where the tests of each rule of a line stand among `leaves_of_line`."""
    place, at = {}, 0
    for rule in (r for r in rules.rules if line in r.lines):
        place[rule.label] = slice(at, at + sum(1 for _ in rule.when.walk()))
        at = place[rule.label].stop
    return place


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
    raised: Sequence[Flag | Note],
) -> tuple[str, ...]:
    """Return the facts that the tests, the sentences, the questions and the priority name."""
    leaves = [leaf for leaf, _, _ in shown if leaf.fact]
    names = {n for leaf in leaves for n in (leaf.fact, leaf.than) if n}
    if answer.outcome in PURSUED:
        names |= {name for name, _, _ in rules.priority.weights}
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
    for part in raised:
        texts.append(part.sentence)
        if isinstance(part, Flag) and part.question:
            texts.append(part.question)
    known = set(rules.parameters) | {"parcel", "patch"}
    return tuple(sorted(names | {n for t in texts for n in t.names()} - known))
