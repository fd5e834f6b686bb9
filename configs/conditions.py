"""Condition trees of rules: typed leaves under all/any/not, no expression strings."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import Literal, Protocol

from pydantic import Field, field_validator, model_validator

from configs.loading import StrictModel
from configs.mistakes import choice

__all__ = ["BASE_UNITS", "Condition", "FactKind", "Parameter", "Scalar", "to_base"]

Scalar = bool | int | float | dt.date | str
Path = tuple[str | int, ...]

BASE_UNITS: dict[str, tuple[str, float]] = {
    "m2": ("area", 100.0),
    "mu": ("area", 200000.0 / 3.0),
    "ha": ("area", 1_000_000.0),
    "m": ("length", 1.0),
    "share": ("share", 1.0),
    "count": ("count", 1.0),
    "day": ("count", 1.0),
    "switch": ("bool", 1.0),
    "codes": ("code", 1.0),
}
"""Unit → kind of fact it measures and its size in the base unit (dm², m, share, count)."""

ORDERED = ("<", "<=", ">", ">=")
OPERATORS: dict[str, tuple[str, ...]] = {
    "area": (*ORDERED, "=", "!="),
    "length": (*ORDERED, "=", "!="),
    "share": (*ORDERED, "=", "!="),
    "count": (*ORDERED, "=", "!="),
    "date": (*ORDERED, "=", "!="),
    "bool": ("=", "!="),
    "code": ("=", "!=", "in", "not_in"),
}


class FactKind(Protocol):
    """What the check of a rule needs to know about a fact."""

    @property
    def kind(self) -> str:
        """Return area, length, share, count, date, bool, code, text or documents."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the known values of a code, empty if open."""

    @property
    def assumable(self) -> bool:
        """Return whether a rule may assume a value where the fact is unknown."""


def to_base(value: Scalar, unit: str) -> float:
    """Return a number in the base unit of its kind (areas in dm²)."""
    return float(value) * BASE_UNITS[unit][1]  # type: ignore[arg-type]


class Parameter(StrictModel):
    """A number, switch or list that rules refer to by name."""

    value: bool | int | float | tuple[str, ...]
    unit: Literal["m2", "mu", "ha", "m", "share", "count", "day", "switch", "codes"]
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    @model_validator(mode="after")
    def _unit_fits(self) -> "Parameter":
        fits = {
            "switch": isinstance(self.value, bool),
            "codes": isinstance(self.value, tuple),
        }.get(self.unit, not isinstance(self.value, bool | tuple))
        if not fits:
            raise ValueError(f"the value {self.value!r} does not fit the unit {self.unit!r}")
        if not isinstance(self.value, bool | tuple):
            problem = _number_problem(self.value, self.kind)
            if problem:
                raise ValueError(f"the value {self.value!r} {problem}")
        return self

    @property
    def kind(self) -> str:
        """Kind of fact the parameter can be compared with."""
        return BASE_UNITS[self.unit][0]


class Condition(StrictModel):
    """One node of a condition tree: all, any, not, a switch, or a test of a fact.

    A test is ``{fact, op, value [unit] | param | than}``; ``than`` names a second fact. A yes/no
    fact may stand alone: ``{fact: built}`` means that it is true.
    """

    all: tuple["Condition", ...] | None = Field(None, min_length=1)
    any: tuple["Condition", ...] | None = Field(None, min_length=1)
    negated: "Condition | None" = Field(None, alias="not")
    switch: str | None = Field(None, description="parameter that turns this branch on")
    has: str | None = Field(None, description="entry a list parameter must hold")
    fact: str | None = None
    op: Literal["<", "<=", ">", ">=", "=", "!=", "in", "not_in"] | None = None
    value: Scalar | tuple[str, ...] | None = None
    unit: Literal["m2", "mu", "ha", "m", "share", "count", "day"] | None = None
    param: str | None = None
    than: str | None = None
    if_unknown: Literal["ask", "assume_true", "assume_false"] = "ask"

    @field_validator("value", mode="before")
    @classmethod
    def _list_to_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_form(self) -> "Condition":
        forms = [
            n for n in ("all", "any", "negated", "switch", "fact") if getattr(self, n) is not None
        ]
        if len(forms) != 1:
            raise ValueError("write exactly one of all, any, not, switch, fact")
        operands = [n for n in ("value", "param", "than") if getattr(self, n) is not None]
        if forms != ["fact"] and (operands or self.op or self.unit):
            raise ValueError("op, value, unit, param and than belong to a fact")
        if forms == ["fact"] and len(operands) != (1 if self.op else 0):
            raise ValueError("a test needs op and exactly one of value, param, than")
        if self.has is not None and self.switch is None:
            raise ValueError("has belongs to a switch")
        return self

    def walk(self, at: Path = ()) -> Iterator[tuple[Path, "Condition"]]:
        """Yield every leaf (test or switch) with its key path, in written order."""
        for name, key in (("all", "all"), ("any", "any")):
            for i, part in enumerate(getattr(self, name) or ()):
                yield from part.walk((*at, key, i))
        if self.negated is not None:
            yield from self.negated.walk((*at, "not"))
        if self.fact is not None or self.switch is not None:
            yield at, self

    def never(self) -> Iterator[str]:
        """Yield facts of which no value passes all the tests that have to hold together."""
        spans: dict[str, tuple[float, float]] = {}
        codes: dict[str, set[Scalar]] = {}
        for leaf in self._together():
            if leaf.op in ("=", "in") and isinstance(leaf.value, str | tuple):
                wanted: set[Scalar] = (
                    {*leaf.value} if isinstance(leaf.value, tuple) else {leaf.value}
                )
                codes[str(leaf.fact)] = codes.get(str(leaf.fact), wanted) & wanted
            elif leaf.fact is not None and leaf.than is None:
                low, high = leaf._span()
                own = spans.get(leaf.fact, (-math.inf, math.inf))
                spans[leaf.fact] = max(own[0], low), min(own[1], high)
        yield from (name for name, (low, high) in spans.items() if low > high)
        yield from (name for name, left in codes.items() if not left)

    def _together(self) -> Iterator["Condition"]:
        """Yield the tests that all have to hold."""
        parts = self.all or (self.any if self.any and len(self.any) == 1 else ())
        for part in parts or ():
            yield from part._together()
        if self.fact is not None:
            yield self

    def _span(self) -> tuple[float, float]:
        """Return the least and the greatest number that passes the test; none is negative."""
        number, least = self._number(), 0.0
        if number is None:
            return -math.inf, math.inf
        if self.op == "<":
            return least, math.nextafter(number, -math.inf)
        if self.op == ">":
            return math.nextafter(number, math.inf), math.inf
        if self.op == "!=":
            told = isinstance(self.value, bool)
            return (1.0 - number, 1.0 - number) if told else (least, math.inf)
        span = {"<=": (least, number), ">=": (number, math.inf)}
        return span.get(self.op or "=", (number, number))

    def _number(self) -> float | None:
        """Return what is written to compare with; a parameter may be set otherwise."""
        if self.op is None:
            return 1.0
        if isinstance(self.value, dt.date):
            return float(self.value.toordinal())
        numeric = isinstance(self.value, bool | int | float)
        return to_base(self.value, self.unit or "share") if numeric else None  # type: ignore[arg-type]

    def problems(
        self, catalogue: Mapping[str, FactKind], parameters: Mapping[str, Parameter]
    ) -> Iterator[tuple[Path, str, str]]:
        """Yield (key path, what is wrong, remedy) of every leaf that does not fit."""
        for at, leaf in self.walk():
            found = leaf._switch_problem(parameters) or leaf._test_problem(catalogue, parameters)
            if found:
                yield at, found[0], found[1]

    def _switch_problem(self, parameters: Mapping[str, Parameter]) -> tuple[str, str] | None:
        if self.switch is None:
            return None
        if self.switch not in parameters:
            return f"unknown parameter {self.switch!r}", choice(self.switch, parameters)
        wanted = "switch" if self.has is None else "codes"
        if parameters[self.switch].unit != wanted:
            return f"parameter {self.switch!r} is no {wanted}", f"give it unit: {wanted}"
        return None

    def _test_problem(
        self, catalogue: Mapping[str, FactKind], parameters: Mapping[str, Parameter]
    ) -> tuple[str, str] | None:
        if self.fact is None:
            return None
        if self.fact not in catalogue:
            return f"unknown fact {self.fact!r}", choice(self.fact, catalogue)
        entry = catalogue[self.fact]
        allowed = OPERATORS.get(entry.kind, ())
        op = self.op or "="
        if op not in allowed or (self.op is None and entry.kind != "bool"):
            return (
                f"fact {self.fact!r} ({entry.kind}) cannot be tested with {self.op!r}",
                f"use one of: {' '.join(allowed)}" if allowed else "use it in sentences only",
            )
        if self.if_unknown != "ask" and not entry.assumable:
            return (
                f"fact {self.fact!r} must not be assumed",
                "dates, coverage and existence of documents are asked: remove if_unknown",
            )
        return self._operand_problem(entry, catalogue, parameters)

    def _operand_problem(
        self,
        entry: FactKind,
        catalogue: Mapping[str, FactKind],
        parameters: Mapping[str, Parameter],
    ) -> tuple[str, str] | None:
        for name, pool in ((self.param, parameters), (self.than, catalogue)):
            if name is None:
                continue
            if name not in pool:
                return f"unknown name {name!r}", choice(name, pool)
            kind = pool[name].kind
            if kind != entry.kind:
                return (
                    f"fact {self.fact!r} ({entry.kind}) is compared with {name!r} ({kind})",
                    f"compare it with something of kind {entry.kind}",
                )
        if self.value is None:
            return None
        return self._value_problem(entry)

    def _value_problem(self, entry: FactKind) -> tuple[str, str] | None:
        number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        unit_kind = BASE_UNITS[self.unit][0] if self.unit else None
        fits = {
            "area": number and unit_kind == "area",
            "length": number and unit_kind == "length",
            "share": number and unit_kind in (None, "share"),
            "count": number and unit_kind in (None, "count"),
            "date": isinstance(self.value, dt.date) and self.unit is None,
            "bool": isinstance(self.value, bool) and self.unit is None,
            "code": isinstance(self.value, tuple) == (self.op in ("in", "not_in")),
        }[entry.kind]
        if not fits:
            return (
                f"fact {self.fact!r} ({entry.kind}) is compared with {self.value!r}"
                + (f" {self.unit}" if self.unit else ""),
                "write a number with unit: m2 | mu | ha"
                if entry.kind == "area"
                else f"write a value of kind {entry.kind}",
            )
        problem = _number_problem(self.value, entry.kind) if number else ""
        if problem:
            return f"fact {self.fact!r}: the value {self.value!r} {problem}", "mend the number"
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        wrong = [v for v in values if entry.codes and v not in entry.codes]
        if wrong:
            return f"fact {self.fact!r} has no code {wrong[0]!r}", choice(
                str(wrong[0]), dict.fromkeys(entry.codes)
            )
        return None


def _number_problem(value: object, kind: str) -> str:
    """Return what is wrong with a number of a kind, "" if nothing."""
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        return "is no number"
    if kind == "share" and not 0 <= number <= 1:
        return "is no share between 0 and 1"
    return "is negative" if number < 0 else ""
