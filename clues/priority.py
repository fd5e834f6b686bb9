"""Priority of findings by the formula of the rule set, as a number and as a sum one can check."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clues.catalogue import catalogue
from clues.wording import Language, count_text, mu_text
from configs.rules import RuleSet

if TYPE_CHECKING:
    from clues.judge import Decisions

__all__ = ["priorities", "priority_text"]

DM2_PER_MU = 200_000 / 3


def priorities(decisions: "Decisions") -> NDArray[np.int64]:
    """Return whole-number priorities; larger is sooner.

    Priority = factor of the outcome × (points per level × level + Σ weight × area in mu), rounded
    half up; an area that is only known to lie between counts with its lower bound.
    """
    spec, facts = decisions.rules.priority, decisions.facts
    points = spec.level_points * decisions.levels.astype(np.float64)
    for fact, weight in spec.mu_weights.items():
        points += weight * facts[fact].low / DM2_PER_MU
    factors = [spec.outcome_factors.get(w.outcome, 0.0) for w in decisions.ways]
    factor = np.array(factors)[decisions.way]
    return np.floor(factor * points + 0.5).astype(np.int64)


def priority_text(
    outcome: str, level: int, facts: dict[str, Any], rules: RuleSet, language: Language
) -> str:
    """Write the sum behind a priority, from the facts of a trace."""
    spec, zh = rules.priority, language == "zh"
    parts = [f"{spec.level_points} × {level}"]
    points = float(spec.level_points * level)
    for name, weight in spec.mu_weights.items():
        entry = facts[name]
        area = entry.get("value", entry.get("low")) or 0
        label = catalogue()[name].zh if zh else catalogue()[name].en
        parts.append(f"{count_text(weight)} × {label} {mu_text(area, language)}")
        points += weight * area / DM2_PER_MU
    factor = spec.outcome_factors.get(outcome, 0.0)
    total = int(np.floor(factor * points + 0.5))
    text = f"{count_text(factor)} × ({' + '.join(parts)})"
    return f"优先级:{total} = {text}" if zh else f"Priority: {total} = {text}"
