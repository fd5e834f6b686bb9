"""Parts of a rule set: rules, flags, lines, severity, priority, indicators, texts."""

import string
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator, model_validator

from configs.conditions import Condition
from configs.loading import StrictModel

__all__ = [
    "Flag",
    "Indicators",
    "LeadRule",
    "Leads",
    "LineRules",
    "Note",
    "Outcome",
    "Priority",
    "Rule",
    "Severity",
    "Text",
]

Outcome = Literal["legal", "suspected", "other", "non_new", "unresolved", "below_threshold"]


class Text(StrictModel):
    """One text in both languages; ``{name}`` stands for a fact or parameter."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    @field_validator("zh", "en")
    @classmethod
    def _whole_braces(cls, value: str) -> str:
        try:
            parts = list(string.Formatter().parse(value))
        except ValueError as error:
            raise ValueError(f"the braces do not match: {value!r}") from error
        for _, name, form, turned in parts:
            if name is not None and (form or turned):
                raise ValueError(f"write {{{name}}} alone between braces: it has its own form")
        return value

    def names(self) -> Iterator[str]:
        """Yield the names between braces in both languages."""
        for text in (self.zh, self.en):
            for _, name, _, _ in string.Formatter().parse(text):
                if name is not None:
                    yield name


class Rule(StrictModel):
    """One rule of one group on one or more lines."""

    code: str = Field(pattern=r"^[A-Z]{1,2}\d{1,2}$")
    variant: str = Field("", pattern=r"^[a-z_]*$", description="tells apart rules of one code")
    lines: tuple[str, ...] = Field(min_length=1)
    group: Literal["F", "N", "L", "O", "V"]
    outcome: Outcome
    name: Text
    when: Condition
    sentence: Text
    confirming: Text | None = Field(None, description="sentence when another rule decides")
    question: Text | None = Field(None, description="what to ask when the rule is true")

    @property
    def label(self) -> str:
        """Code, with the variant after a slash."""
        return f"{self.code}/{self.variant}" if self.variant else self.code


class Flag(StrictModel):
    """An additive mark, such as a touched control line."""

    code: str = Field(pattern=r"^[A-Z0-9]{2,4}$")
    lines: tuple[str, ...] = Field(min_length=1)
    name: Text
    when: Condition
    sentence: Text
    question: Text | None = Field(None, description="opinion or paper that is still to be given")


class Note(StrictModel):
    """A sentence that the reason of what is pursued adds where its condition is true."""

    when: Condition
    sentence: Text


class LineRules(StrictModel):
    """How one line is judged."""

    name: Text
    applies: Condition | None = Field(None, description="patches on this line; all if absent")
    documents: tuple[str, ...] | None = Field(
        None, description="layer roles that divide patches; those of the line's name if absent"
    )
    fallback: str = Field(description="code of the rule that ends the line if no other is true")
    fallback_sentence: Text
    note: Note | None = Field(None, description="what a reader sees on the map, and why it fails")


class Severity(StrictModel):
    """One level of severity; the first of a line whose condition is true counts."""

    level: int = Field(ge=0, le=9)
    lines: tuple[str, ...] | None = Field(None, description="all lines if absent")
    outcomes: tuple[Outcome, ...] | None = Field(
        None, description="answers that it is for; suspected and unresolved if absent"
    )
    name: Text
    when: Condition


class Priority(StrictModel):
    """Priority = outcome factor × Σ weight × area, rounded half up to a whole number."""

    mu_weights: dict[str, float] = Field({}, description="area fact → points per mu")
    ha_weights: dict[str, float] | None = Field(None, description="area fact → points per ha")
    outcome_factors: dict[str, float]
    level_points: int = Field(0, ge=0, description="points per level of severity")

    @property
    def weights(self) -> tuple[tuple[str, str, float], ...]:
        """Area fact, unit and points per unit."""
        in_ha = [(name, "ha", weight) for name, weight in (self.ha_weights or {}).items()]
        return (*((name, "mu", weight) for name, weight in self.mu_weights.items()), *in_ha)


class Indicators(StrictModel):
    """How the ratio of suspected to all newly built-up cropland is made."""

    line: str = "land"
    base_outcomes: tuple[Outcome, ...]
    cropland: Literal["gross", "net"] = "gross"
    alert_ratio: str = Field(description="parameter: alert from this share")
    alert_area: str = Field(description="parameter: co-condition on the suspected cropland")
    alert_needs_area: str = Field(description="switch: whether the co-condition counts")


LEAD_NAMES = (
    "lead",
    "channel",
    "received",
    "text",
    "patch",
    "outcome",
    "distance",
    "radius",
    "within",
    "days_before",
    "days_after",
    "near",
)
"""What the sentences about leads may name."""


class LeadRule(StrictModel):
    """What becomes of a lead: the code of its finding, its sentence, its question."""

    code: str = Field(pattern=r"^[A-Z]{1,2}\d{1,2}$")
    sentence: Text
    question: Text


class Leads(StrictModel):
    """How leads of people (hotline, petition, web) are joined to clues."""

    within: str = Field(description="parameter: greatest distance, m")
    days_before: str = Field(description="parameter: days a lead may come before the first image")
    days_after: str = Field(description="parameter: days a lead may come after the last image")
    radius: str = Field(description="parameter: radius of the place of a lead without outline, m")
    level: int = Field(1, ge=0, le=9, description="severity of what only a lead keeps open")
    attached: Text = Field(description="sentence of a lead that supports a clue")
    joined: Text = Field(description="sentence of a lead beside one that opened a clue")
    undated: Text = Field(description="question where the day of a lead is not known")
    reopened: LeadRule
    opened: LeadRule

    @model_validator(mode="after")
    def _known_names(self) -> "Leads":
        texts = [self.attached, self.joined, self.undated]
        for rule in (self.reopened, self.opened):
            texts += [rule.sentence, rule.question]
        for name in sorted({n for text in texts for n in text.names()} - set(LEAD_NAMES)):
            raise ValueError(f"the text names {name!r}; it may name: {', '.join(LEAD_NAMES)}")
        return self
