"""What can be wrong with a layer: one code per defect, its sentences in both languages."""

from functools import cache
from typing import Literal

from configs.loading import StrictModel, load_preset

__all__ = ["Problem", "Sentence", "effect_name", "kind_name", "problem", "reason_name", "unit_name"]

Effect = Literal["row left out", "value unknown", "repaired", "listed"]


class Sentence(StrictModel):
    """One sentence in both languages, with ``{facts}``."""

    zh: str
    en: str


class Problem(StrictModel):
    """One kind of defect: its name, what it says, what helps, what became of the row."""

    name: Sentence
    effect: Effect
    problem: Sentence
    remedy: Sentence


class _ProblemsFile(StrictModel):
    effects: dict[Effect, Sentence]
    reasons: dict[str, str]
    problems: dict[str, Problem]
    kinds: dict[str, str]
    units: dict[str, str]


@cache
def _file() -> _ProblemsFile:
    return load_preset(_ProblemsFile, "vocabularies", "layer_problems")


def problem(code: str) -> Problem:
    """Return the defect of a code; KeyError where there is none."""
    return _file().problems[code]


def effect_name(effect: str) -> Sentence:
    """Return the name of an effect; KeyError where there is none."""
    return next(name for key, name in _file().effects.items() if key == effect)


def reason_name(reason: str) -> str:
    """Return why an outline is invalid in Chinese, with the place; as it was where unknown."""
    head, bracket, place = reason.partition("[")
    return _file().reasons.get(head.strip(), head.strip()) + bracket + place


def unit_name(unit: str) -> str:
    """Return the Chinese name of a unit of area."""
    return _file().units[unit]


def kind_name(kind: str) -> str:
    """Return the Chinese name of a kind of field."""
    return _file().kinds.get(kind, kind)
