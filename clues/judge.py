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
from clues.kleene import FALSE, TRUE, UNKNOWN, Evaluation, Truth
from clues.ways import Way, leaves_of_line, levels_of_line, ways_of
from configs.conditions import Condition
from configs.rules import GROUPS, RuleSet

__all__ = ["Decisions", "applicable", "judge_line"]


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
    leaves = leaves_of_line(rules, line)
    truths = np.array([evaluation.bare(leaf) for leaf in leaves], dtype=np.uint8)
    _settle(truths, evaluation, rules, line)
    text, width = (truths.T + ord("0")).tobytes().decode(), len(leaves)
    gone = [text[i * width : (i + 1) * width] for i in range(len(facts))]
    written = sorted(set(gone))
    place = {pattern: i for i, pattern in enumerate(written)}
    way = np.array([place[pattern] for pattern in gone], dtype=np.int64)
    patterns = np.array([list(map(int, p)) for p in written], np.uint8).reshape(-1, width)
    ways = ways_of(rules, line, leaves, np.ascontiguousarray(patterns.T))
    return Decisions(facts, rules, line, ways, tuple(written), way)


def _settle(truths: Truth, evaluation: Evaluation, rules: RuleSet, line: str) -> None:
    """Keep, in place, only the tests that carry a result, so that equal ways look equal.

    The others are set so that no result changes: what was not tried, what stands behind the first
    false part of an "all", what a flag or a level of severity does not need.
    """
    n = truths.shape[1]
    settled, asked, place = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), {}
    at = 0
    for rule in (r for r in rules.rules if line in r.lines):
        place[rule.label] = at
        at += sum(1 for _ in rule.when.walk())
    for group in GROUPS:
        tried = ~(settled | (asked & (group == GROUPS[-1])))
        own = rules.group(line, group)
        results = [evaluation.truth(rule.when) for rule in own]
        for rule in own:
            _carry(truths, place[rule.label], rule.when, evaluation, tried, _falses(n))
        for result in results:
            settled |= result == TRUE
            asked |= result == UNKNOWN
    for flag in (f for f in rules.flags if line in f.lines):
        told = evaluation.truth(flag.when)
        at = _carry(truths, at, flag.when, evaluation, told == UNKNOWN, told)
    higher = np.zeros(n, dtype=bool)
    for level in levels_of_line(rules, line):
        true = evaluation.truth(level.when) == TRUE
        at = _carry(truths, at, level.when, evaluation, true & ~higher, _falses(n))
        if level.outcomes is None:
            higher |= true
    note = rules.lines[line].note
    if note is not None:
        told = np.where(evaluation.truth(note.when) == TRUE, TRUE, FALSE).astype(np.uint8)
        _carry(truths, at, note.when, evaluation, np.zeros(n, dtype=bool), told)


def _falses(n: int) -> Truth:
    return np.zeros(n, dtype=np.uint8)


def _carry(
    truths: Truth,
    at: int,
    condition: Condition,
    evaluation: Evaluation,
    carried: NDArray[np.bool_],
    neutral: Truth,
) -> int:
    """Set the leaves below a node to `neutral` where it is not carried; return the next leaf."""
    parts = condition.all or condition.any
    if parts:
        result = evaluation.truth(condition)
        only_first = result == (FALSE if condition.all else TRUE)
        rest = np.where(carried, TRUE if condition.all else FALSE, neutral).astype(np.uint8)
        seen = np.zeros(len(carried), dtype=bool)
        for part in parts:
            same = evaluation.truth(part) == result
            own = carried & same & ~(only_first & seen)
            seen |= same
            at = _carry(truths, at, part, evaluation, own, rest)
        return at
    if condition.negated is not None:
        return _carry(truths, at, condition.negated, evaluation, carried, TRUE - neutral)
    truths[at] = np.where(carried, truths[at], neutral)
    return at + 1
