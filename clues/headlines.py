"""What a patch is called by: the gravest of its findings."""

from typing import Any

import numpy as np
import pandas as pd

from clues.ways import PURSUED, UNDECIDED
from configs.vocabulary import Outcome

__all__ = ["headlines"]

HEADLINE = (
    Outcome.SUSPECTED,
    Outcome.UNRESOLVED,
    Outcome.OTHER,
    Outcome.LEGAL,
    Outcome.NON_NEW,
    Outcome.BELOW_THRESHOLD,
)
"""Outcomes of a patch's findings: the first that occurs is the patch's."""


def headlines(patches: Any, findings: Any) -> Any:
    """Return the patches with disposition, outcome, rule and priority of their worst finding."""
    rank = {o.value: i for i, o in enumerate(HEADLINE)}
    ranks = [rank[o] for o in findings["outcome"].to_numpy(dtype=object)]
    used = ["patch_id", "outcome", "rule", "severity", "priority", "area_dm2"]
    told = pd.DataFrame(findings[used])
    worst = told.assign(_rank=ranks, _made=np.arange(len(findings))).sort_values(
        ["_rank", "severity", "priority", "area_dm2", "_made"],
        ascending=[True, False, False, False, True],
    )
    first = worst.drop_duplicates("patch_id").set_index("patch_id")
    priority = told.groupby("patch_id")["priority"].max()
    ids = patches["patch_id"]
    judged = patches.copy()
    judged["outcome"] = ids.map(first["outcome"]).fillna(Outcome.UNRESOLVED.value).to_numpy()
    judged["rule"] = ids.map(first["rule"]).fillna(UNDECIDED).to_numpy()
    judged["priority"] = ids.map(priority).fillna(0).astype(np.int64).to_numpy()
    judged["disposition"] = np.where(judged["outcome"].isin(PURSUED), "clue", "dismissed")
    return judged
