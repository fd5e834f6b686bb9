"""Priority of findings by the formula of the rule set, as a number and as a sum one can check."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clues.wording import Language, area_text, count_text, fact_label
from configs.layers import SQUARE_METRES
from configs.rules import RuleSet

if TYPE_CHECKING:
    from clues.judge import Decisions

__all__ = ["priorities", "priority_text"]


def priorities(decisions: "Decisions") -> NDArray[np.int64]:
    """Return whole-number priorities; larger is sooner.

    Priority = factor of the outcome × (points per level × level + Σ weight × area in mu or
    hectares), rounded half up; an area only known to lie between counts with its lower bound.
    """
    spec, facts = decisions.rules.priority, decisions.facts
    points = spec.level_points * decisions.levels.astype(np.float64)
    for fact, unit, weight in spec.weights:
        points += weight * facts[fact].low / _dm2(unit)
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
    for name, unit, weight in spec.weights:
        entry = facts[name]
        area = entry.get("value", entry.get("low")) or 0
        label = fact_label(name, language, rules.spoken)
        parts.append(f"{count_text(weight)} × {label} {area_text(area, unit, language)}")
        points += weight * area / _dm2(unit)
    factor = spec.outcome_factors.get(outcome, 0.0)
    total = int(np.floor(factor * points + 0.5))
    text = f"{count_text(factor)} × ({' + '.join(parts)})"
    return f"优先级：{total} = {text}" if zh else f"Priority: {total} = {text}"


def _dm2(unit: str) -> float:
    numerator, denominator = SQUARE_METRES[unit]
    return 100 * numerator / denominator
