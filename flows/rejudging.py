"""What another rule set would change: the same patches judged twice, without imagery."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.judging import rules_of

if TYPE_CHECKING:
    import pandas as pd

    from configs.rules import RuleSet

__all__ = ["RuleDifference", "diff_rules", "judged_run"]


@dataclass(frozen=True)
class RuleDifference:
    """The difference between two judgements.

    Attributes
    ----------
    changes, tally : DataFrame
        See `clues.rejudge.differences` and `clues.rejudge.tally`.
    findings : int
        Number of findings by the other rules.
    ratios : tuple of float
        Percent of suspected cropland before and after.
    """

    rules: str
    other: str
    changes: "pd.DataFrame"
    tally: "pd.DataFrame"
    findings: int
    ratios: tuple[float, float]


def diff_rules(patches: Path, layers: Path, rules: str | None, other: str) -> RuleDifference:
    """Judge by two rule sets and compare.

    Parameters
    ----------
    patches : Path
        Patch layer, or the folder of a judged run: then its patches, and its own rule set where
        `rules` is not given.
    layers : Path
        ``LAYERS.yaml``.
    rules, other : str
        Shipped name or YAML path.
    """
    from clues.judgement import judge_patches
    from clues.layers import build_onemap
    from clues.rejudge import differences, tally
    from configs.layers import LayersFile
    from flows.delivered import delivered_patches

    file, second = LayersFile.load(layers), rules_of(other)
    if patches.is_dir():
        table, first = judged_run(patches, rules)
        crs = table.crs.to_string()
    else:
        (table, _, crs), first = delivered_patches(file, patches), rules_of(rules or "cn-land")
    onemap = build_onemap(file, crs=crs)
    before, after = (judge_patches(table, onemap, r) for r in (first, second))
    changes = differences(before.findings, after.findings)
    ratios = (before.indicators["ratio_percent"], after.indicators["ratio_percent"])
    names = [f"{r.name} {r.digest}" for r in (first, second)]
    count = len(after.findings)
    return RuleDifference(names[0], names[1], changes, tally(changes), count, ratios)


def judged_run(folder: Path, rules: str | None) -> tuple[Any, "RuleSet"]:
    """Return the patches of a judged run as they were before, and its rule set."""
    from flows.delivered import judged_patches

    table = judged_patches(folder)
    judged = ["outcome", "rule", "priority", "disposition", "clue_no", "origin"]
    kept = folder / "rules.json"
    name = rules or (str(kept) if kept.is_file() else "cn-land")
    return table.drop(columns=[c for c in judged if c in table]), rules_of(name)
