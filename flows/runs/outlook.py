"""What a run would reuse of its folder, stage by stage, and why it would make the rest."""

from collections import Counter
from dataclasses import dataclass

from flows.keys import StageKey
from flows.publishing import output_keys
from flows.stages import STAGES, StageContext
from flows.tiling import wanted_tiles

__all__ = ["Outlook", "run_outlook"]


@dataclass(frozen=True)
class Outlook:
    """What becomes of the products of one stage.

    Attributes
    ----------
    stage : str
    reused : int
    made : dict of str to int
        Products to make, by reason.
    """

    stage: str
    reused: int
    made: dict[str, int]

    @property
    def to_make(self) -> int:
        """Products to make."""
        return sum(self.made.values())


def run_outlook(context: StageContext) -> list[Outlook]:
    """Return what every stage of a run would reuse, without working any.

    Evidence sheets are those that the folder holds: how many there will be is known once the
    patches are judged.
    """
    run = context.run
    joined = run.why_not("join", "patches", context.join_key) is None
    found = []
    for stage in (*STAGES, "evidence"):
        told: Counter[str] = Counter()
        for name, key in _wanted(context, stage).items():
            pruned = joined and stage == "tiles"
            told[run.why_not(stage, name, key, pruned=pruned) or ""] += 1
        reused = told.pop("", 0)
        found.append(Outlook(stage, reused, dict(sorted(told.items()))))
    return found


def _wanted(context: StageContext, stage: str) -> dict[str, StageKey]:
    """Return the products that a stage of the run consists of, and their keys."""
    if stage == "plan":
        return dict.fromkeys(("checksums", "plan"), context.plan_key)
    if stage == "tiles":
        return wanted_tiles(context)
    if stage == "outputs":
        return output_keys(context)
    if stage == "evidence":
        sheets, removed = context.run.products("evidence"), context.run.pruned
        names = [s.name for s in sheets if not any(f.path in removed for f in s.files)]
        return dict.fromkeys(names, context.outputs_key)
    one = {
        "gate": ("gate", context.gate_key),
        "fit": ("states", context.fit_key),
        "join": ("patches", context.join_key),
        "judge": ("tables", context.judge_key),
    }
    name, key = one[stage]
    return {name: key}
