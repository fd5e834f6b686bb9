"""Three-valued logic over columns: a condition is false, unknown or true for each parcel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clues.facts import FactColumn, FactTable
from configs.conditions import Condition, Parameter, to_base

__all__ = ["FALSE", "TRUE", "UNKNOWN", "Evaluation", "Recalled", "Truth", "threshold"]

FALSE, UNKNOWN, TRUE = 0, 1, 2
Truth = NDArray[np.uint8]
Path = tuple[str | int, ...]
Bounds = tuple[Any, Any]


class Evaluation:
    """Truth of conditions over one fact table; each node is worked out once.

    Parameters
    ----------
    facts : FactTable
    parameters : mapping of str to Parameter
        Of the rule set.
    """

    def __init__(self, facts: FactTable, parameters: Mapping[str, Parameter]) -> None:
        self.facts, self.parameters = facts, parameters
        self._nodes: dict[int, Truth] = {}
        self._leaves: dict[int, Truth] = {}

    def truth(self, condition: Condition) -> Truth:
        """Return 0 false, 1 unknown, 2 true for each parcel; assumptions are applied."""
        if id(condition) not in self._nodes:
            self._nodes[id(condition)] = self._worked_out(condition)
        return self._nodes[id(condition)]

    def _worked_out(self, condition: Condition) -> Truth:
        if condition.all is not None:
            parts = [self.truth(c) for c in condition.all]
            return np.asarray(np.minimum.reduce(parts), dtype=np.uint8)
        if condition.any is not None:
            parts = [self.truth(c) for c in condition.any]
            return np.asarray(np.maximum.reduce(parts), dtype=np.uint8)
        if condition.negated is not None:
            return np.asarray(TRUE - self.truth(condition.negated), dtype=np.uint8)
        bare = self.bare(condition)
        if condition.if_unknown == "ask":
            return bare
        value = TRUE if condition.if_unknown == "assume_true" else FALSE
        return np.where(bare == UNKNOWN, value, bare).astype(np.uint8)

    def bare(self, leaf: Condition) -> Truth:
        """Return the truth of a test or switch before its assumption."""
        if id(leaf) not in self._leaves:
            own = self._switch(leaf) if leaf.switch is not None else self._test(leaf)
            self._leaves[id(leaf)] = own
        return self._leaves[id(leaf)]

    def _switch(self, leaf: Condition) -> Truth:
        value = self.parameters[str(leaf.switch)].value
        on = bool(value) if leaf.has is None else leaf.has in value  # type: ignore[operator]
        return np.full(len(self.facts), TRUE if on else FALSE, dtype=np.uint8)

    def _test(self, leaf: Condition) -> Truth:
        column = self.facts[str(leaf.fact)]
        if column.values is not None:
            return _code_truth(column, leaf)
        bounds: Bounds
        if leaf.than is not None:
            other = self.facts[leaf.than]
            bounds = (other.low, other.high)
        else:
            number = threshold(leaf, self.parameters, column.fact.kind)
            bounds = (number, number)
        return _ordered_truth(column, leaf.op or "=", bounds)


class Recalled(Evaluation):
    """Truth of conditions whose leaves are known already, one column per way to judge.

    Parameters
    ----------
    leaves : sequence of Condition
    truths : ndarray of uint8, shape (leaves, n)
        Of each leaf before its assumption.
    """

    def __init__(self, leaves: Sequence[Condition], truths: Truth) -> None:
        self._nodes = {}
        self._leaves = {id(leaf): row for leaf, row in zip(leaves, truths, strict=True)}


def threshold(leaf: Condition, parameters: Mapping[str, Parameter], kind: str) -> float:
    """Return what a test compares with, in the base unit (dm², m, share, day number, 0/1)."""
    if leaf.param is not None:
        parameter = parameters[leaf.param]
        return to_base(parameter.value, parameter.unit)  # type: ignore[arg-type]
    if leaf.op is None:
        return 1.0
    value: Any = leaf.value
    if kind == "date":
        return float(value.toordinal())
    return to_base(value, leaf.unit) if leaf.unit else float(value)


def _ordered_truth(column: FactColumn, op: str, bounds: Bounds) -> Truth:
    low, high, (other_low, other_high) = column.low, column.high, bounds
    yes, no = {
        "<": (high < other_low, low >= other_high),
        "<=": (high <= other_low, low > other_high),
        ">": (low > other_high, high <= other_low),
        ">=": (low >= other_high, high < other_low),
        "=": _equal(low, high, other_low, other_high),
        "!=": _equal(low, high, other_low, other_high)[::-1],
    }[op]
    return np.where(yes, TRUE, np.where(no, FALSE, UNKNOWN)).astype(np.uint8)


def _equal(low: Any, high: Any, other_low: Any, other_high: Any) -> tuple[Any, Any]:
    same = (low == high) & (other_low == other_high) & (low == other_low)
    return same, (high < other_low) | (low > other_high)


def _code_truth(column: FactColumn, leaf: Condition) -> Truth:
    wanted = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    found = np.isin(np.asarray(column.values, dtype=str), [str(v) for v in wanted])
    if leaf.op in ("!=", "not_in"):
        found = ~found
    return np.where(column.known, np.where(found, TRUE, FALSE), UNKNOWN).astype(np.uint8)
