"""Explanations of findings, by the rule set that their run was judged by."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from clues.catalogue import catalogue
from clues.explain import explanation
from configs.rules import RuleSet, load_rules
from configs.vocabulary import Language

__all__ = ["explained"]


def explained(
    folder: Path, run: str, traces: list[dict[str, Any]], language: Language
) -> list[dict[str, Any]]:
    """Return, for each parcel and line, every rule that was tried, in order, and why it held.

    Where a document was attached, the reason is that of the judgement with it.

    Parameters
    ----------
    folder : Path
        Of the desk: it keeps the rule sets of its runs.
    run : str
        Name of the run.
    traces : list of dict
        Of the findings.
    language : {"zh", "en"}
    """
    kept = folder / "runs" / run / "rules.json"
    told = []
    for trace in traces:
        name = str(kept) if kept.is_file() else str(trace["rule_set"])
        stamp = kept.stat().st_mtime_ns if kept.is_file() else 0
        rules = _rules(name, stamp)
        text = explanation(trace, rules, language)
        lines = [line for line in text.split("\n") if line.strip()]
        if attached := trace.get("attached"):
            lines[1] = attached[language]
            now = rules.spoken.outcome(attached["outcome"], language)
            if now != re.split("：|: ", lines[0])[-1]:
                lines[0] += f" → {now}"
        told.append({"parcel_id": trace["parcel"], "line": trace["line"], "lines": lines})
    return told


@lru_cache(maxsize=32)
def _rules(name: str, _stamp: int) -> RuleSet:
    return load_rules(name, catalogue())
