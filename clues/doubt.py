"""Weak votes of imagery: below a limit of the rule set the use now is not known, only suspected."""

from typing import Any

import numpy as np

from configs.rules import RuleSet

__all__ = ["DOUBTED", "LIMIT", "with_doubts"]

LIMIT = "least_confidence"
"""Parameter of a rule set; without it every vote counts."""
DOUBTED = "doubted_use"
"""Column with the use that weak votes speak for, "" where the use stands."""


def with_doubts(patches: Any, rules: RuleSet) -> Any:
    """Return patches whose use is unknown where imagery told it with too little confidence.

    Parameters
    ----------
    patches : GeoDataFrame
        `confidence` in percent, −1 (or no column) where the use does not come from imagery.
    rules : RuleSet

    Returns
    -------
    GeoDataFrame
        With the column `DOUBTED`.
    """
    limit = 100 * rules.number(LIMIT) if LIMIT in rules.parameters else 0.0
    told = patches["confidence"] if "confidence" in patches else np.full(len(patches), -1.0)
    confidence = np.asarray(told, dtype=np.float64)
    use = patches["use"].fillna("unknown").to_numpy(dtype=object)
    weak = (confidence >= 0) & (confidence < limit) & (use != "unknown")
    judged = patches.copy()
    judged["confidence"] = confidence
    judged[DOUBTED] = np.where(weak, use, "")
    judged["use"] = np.where(weak, "unknown", use)
    return judged
