"""Rules of watching approvals after they were given: thresholds, roles, sentences."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from configs.articles import Text
from configs.layers import role_fields
from configs.loading import StrictModel, load_model, load_preset
from configs.vocabulary import roles, uses

__all__ = ["Answers", "Kind", "WatchRules", "WatchedRole", "load_watch_rules"]

Kind = Literal["early", "idle", "outside", "expired"]

NAMES = (
    "number",
    "role",
    "date",
    "area",
    "built",
    "share",
    "first",
    "early",
    "months",
    "deadline",
    "last",
    "outside",
    "outside_share",
    "adjoining",
    "expires",
    "late",
    "least",
    "least_outside",
    "gap",
    "cause",
)
"""What the sentences may name."""


class Answers(StrictModel):
    """What is said of one question in each of its three answers."""

    name: Text
    found: Text
    clear: Text
    unknown: Text

    def texts(self) -> Iterator[Text]:
        """Yield the sentences."""
        yield from (self.found, self.clear, self.unknown)


class WatchedRole(StrictModel):
    """How the documents of one layer role are watched."""

    date: tuple[str, ...] = Field(min_length=1, description="date fields, the first that is told")
    expires: str | None = Field(None, description="field of the day the document ends")
    renewal: str | None = Field(None, description="flag: a renewal was accepted in time")
    uses: tuple[str, ...] = Field((), description="uses that carry it out; all built if absent")
    questions: tuple[Kind, ...] = ("early", "idle", "outside", "expired")

    @property
    def asked(self) -> tuple[Kind, ...]:
        """The questions that can be put: none about the end of what has none."""
        return tuple(k for k in self.questions if k != "expired" or self.expires)


class WatchRules(StrictModel):
    """A complete rule set of watching; read it with `load_watch_rules`."""

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[\w.-]+$")
    title: Text
    least_built_m2: float = Field(gt=0, description="less does not count as built")
    least_outside_m2: float = Field(gt=0, description="less does not count as built outside")
    adjoining_m: float = Field(ge=0, description="a patch this near belongs to a document")
    observed_share: float = Field(gt=0, le=1, description="least share of a document seen")
    gap_days: int = Field(ge=0, description="longest gap between images that hides no building")
    idle_months: tuple[int, ...] = Field(min_length=1)
    observed_if_untold: Literal["ask", "assume_true"] = Field(
        "ask", description="where patches do not tell what could be observed"
    )
    roles: dict[str, WatchedRole] = Field(min_length=1)
    findings: dict[Kind, Answers]

    @model_validator(mode="after")
    def _known_words(self) -> "WatchRules":
        for role, watched in self.roles.items():
            if role not in roles():
                raise ValueError(f"there is no role {role!r}; choose one of: {', '.join(roles())}")
            fields = role_fields(role)
            asked = (*watched.date, *(f for f in (watched.expires, watched.renewal) if f))
            for name in asked:
                if name not in fields:
                    raise ValueError(f"{role} has no field {name!r}; it has: {', '.join(fields)}")
            for use in watched.uses:
                if use not in uses():
                    raise ValueError(f"there is no use {use!r}; choose one of: {', '.join(uses())}")
            for kind in watched.questions:
                if kind not in self.findings:
                    raise ValueError(f"findings.{kind} is missing; {role} asks for it")
        for kind, answers in self.findings.items():
            for name in sorted({n for t in answers.texts() for n in t.names()} - set(NAMES)):
                raise ValueError(
                    f"findings.{kind}: the text names {name!r}; it may name: {', '.join(NAMES)}"
                )
        if any(n <= 0 for n in self.idle_months):
            raise ValueError("idle_months are whole months of 1 or more")
        return self


def load_watch_rules(name: str) -> WatchRules:
    """Read a rule set of watching by shipped name or YAML path.

    Raises
    ------
    ConfigError
        With file, line and remedy.
    """
    if name.endswith((".yaml", ".yml")):
        return load_model(WatchRules, Path(name))
    return load_preset(WatchRules, "watching", name)
