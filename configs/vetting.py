"""Rule sets for vetting: what is asked of a proposed parcel before it is approved."""

import hashlib
import json
import string
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from configs.articles import Text
from configs.conditions import BASE_UNITS
from configs.loading import StrictModel, load_model, load_preset
from configs.vocabulary import GROUPS, roles, uses

__all__ = ["CAUSES", "Check", "Limit", "Unknown", "VettingRules", "Zone", "load_vetting"]

CAUSES = ("layer", "incomplete", "date", "class", "zone", "use", "stated")
"""Why a check cannot be decided: no layer in force that day, a layer that may lack something, a
document without its date, land of unknown class, a plan zone of unknown kind, an unknown use, no
stated area."""

WORDS = frozenset(
    {
        *("parcel", "area", "use", "on", "check", "role"),
        *("against", "share", "rest", "rest_share", "limit", "features", "unclear", "stated"),
    }
)
"""What a sentence may name between braces."""


class Limit(StrictModel):
    """Most that may speak against a parcel: an area, or a share of the parcel."""

    value: float = Field(ge=0)
    unit: Literal["m2", "mu", "share"] = "m2"

    def dm2(self, area_dm2: float) -> float:
        """Return the limit in dm² for a parcel of this area."""
        if self.unit == "share":
            return self.value * area_dm2
        return self.value * BASE_UNITS[self.unit][1]


class Zone(StrictModel):
    """A kind of plan zone, known by its name or number, and the uses it permits."""

    words: tuple[str, ...] = Field((), description="parts of a zone's name")
    numbers: tuple[str, ...] = Field((), description="whole numbers of zones")
    uses: tuple[str, ...] = Field(description="uses the zone permits; none for a protected zone")

    @model_validator(mode="after")
    def _known_uses(self) -> "Zone":
        _require_uses(self.uses)
        if not (self.words or self.numbers):
            raise ValueError("a zone is known by words or numbers; give one of them")
        return self


class Unknown(StrictModel):
    """What is said and asked where a check cannot be decided."""

    sentence: Text
    question: Text

    @model_validator(mode="after")
    def _known_words(self) -> "Unknown":
        _require_words(self.sentence, self.question)
        return self


class Check(StrictModel):
    """One check: what area speaks against the parcel, how much may, and what is said.

    ``covered``: land inside features of a role. ``outside``: land outside all of them. ``zoned``:
    land in plan zones that do not permit the use. ``classed``: land of some groups of classes.
    ``stated``: difference of the stated area from the drawn one.
    """

    code: str = Field(pattern=r"^[a-z][a-z_]*$")
    name: Text
    measure: Literal["covered", "outside", "zoned", "classed", "stated"]
    role: str | None = Field(None, description="layer that is looked at; landuse for classed")
    groups: tuple[str, ...] = Field((), description="of land classes, for classed")
    dates: Literal["none", "dated", "term"] = Field(
        "none", description="features count: always; once dated; within their term"
    )
    limit: Limit
    otherwise: Literal["fail", "ask"] = Field(description="answer above the limit")
    ask_for_uses: tuple[str, ...] = Field((), description="uses for which it is a question only")
    passed: Text
    found: Text
    question: Text | None = Field(None, description="asked above the limit where it is no failure")

    @model_validator(mode="after")
    def _whole(self) -> "Check":
        _require_words(self.passed, self.found, self.question)
        _require_uses(self.ask_for_uses)
        if (self.measure == "stated") != (self.role is None):
            raise ValueError("stated looks at no layer; every other measure needs `role:`")
        if self.role is not None and self.role not in roles():
            raise ValueError(f"there is no role {self.role!r}; choose one of: {', '.join(roles())}")
        if (self.measure == "classed") != bool(self.groups) or (
            self.measure == "classed" and self.role != "landuse"
        ):
            raise ValueError("classed needs `role: landuse` and `groups:`, others need no groups")
        wrong = [g for g in self.groups if g not in GROUPS]
        if wrong:
            raise ValueError(f"there is no group {wrong[0]!r}; choose one of: {', '.join(GROUPS)}")
        if self.question is None and (self.otherwise == "ask" or self.ask_for_uses):
            raise ValueError("a check that asks needs `question:`")
        return self


class VettingRules(StrictModel):
    """A rule set for vetting; read it with `load_vetting`."""

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[\w.-]+$")
    title: Text
    checks: tuple[Check, ...] = Field(min_length=1)
    zones: tuple[Zone, ...] = Field((), description="the first that fits a zone's name counts")
    unknown: dict[Literal[CAUSES], Unknown]  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _complete(self) -> "VettingRules":
        codes = [c.code for c in self.checks]
        twice = sorted({c for c in codes if codes.count(c) > 1})
        if twice:
            raise ValueError(f"the check {twice[0]} stands twice")
        missing = [c for c in CAUSES if c not in self.unknown]
        if missing:
            raise ValueError(f"unknown.{missing[0]} is missing: what is said and asked then")
        return self

    @cached_property
    def digest(self) -> str:
        """Hash of everything in the rule set."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_vetting(name: str) -> VettingRules:
    """Read a rule set for vetting by shipped name or YAML path.

    Raises
    ------
    ConfigError
        With file, line and remedy.
    """
    if name.endswith((".yaml", ".yml", ".json")):
        return load_model(VettingRules, Path(name))
    return load_preset(VettingRules, "vetting", name)


def _require_uses(codes: tuple[str, ...]) -> None:
    for code in codes:
        if code not in uses():
            raise ValueError(f"there is no use {code!r}; choose one of: {', '.join(uses())}")


def _names(text: Text) -> Iterator[str]:
    for part in (text.zh, text.en):
        yield from (n for _, n, _, _ in string.Formatter().parse(part) if n is not None)


def _require_words(*texts: Text | None) -> None:
    for text in texts:
        for name in _names(text) if text is not None else ():
            if name not in WORDS:
                raise ValueError(f"a text names {name!r}; it may name: {', '.join(sorted(WORDS))}")
