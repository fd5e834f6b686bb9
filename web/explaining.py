"""Explanations of findings, by the rule set that their run was judged by."""

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
        text = explanation(trace, _rules(name, stamp), language)
        lines = [line for line in text.split("\n") if line.strip()]
        if attached := trace.get("attached"):
            lines.append(attached[language])
        told.append({"parcel_id": trace["parcel"], "line": trace["line"], "lines": lines})
    return told


@lru_cache(maxsize=32)
def _rules(name: str, _stamp: int) -> RuleSet:
    return load_rules(name, catalogue())
