"""What the levels of severity of a rule set are called, as the products tell them.

A level says which figures of a standard the area of a finding reaches. It is a hint of the
machine: whether a case is handed over is decided by people.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.vocabulary import Outcome

__all__ = [
    "SEVERITY_MEANING",
    "SeverityLevel",
    "level_text",
    "pursued",
    "read_levels",
    "severity_text",
]

SEVERITY_MEANING = {
    "zh": "规则集的严重程度，取各地块最高一级；机器按面积比对标准数值的提示，不是移送或违法认定",
    "en": "highest severity of its parcels, by the rule set; a machine's hint that the area "
    "reaches the figure of a standard, never a verdict",
}

PURSUED = (Outcome.SUSPECTED.value, Outcome.UNRESOLVED.value)


@dataclass(frozen=True)
class SeverityLevel:
    """One level of severity of a rule set.

    Attributes
    ----------
    lines : tuple of str
        Lines that it is for; empty: all.
    """

    level: int
    lines: tuple[str, ...]
    zh: str
    en: str


def read_levels(path: Path) -> tuple[SeverityLevel, ...]:
    """Return the levels of the rule set that a run kept; none where it kept none."""
    if not path.is_file():
        return ()
    kept = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        SeverityLevel(
            int(level["level"]),
            tuple(level.get("lines") or ()),
            str(level["name"].get("zh") or ""),
            str(level["name"].get("en") or ""),
        )
        for level in kept.get("severity") or ()
    )


def level_text(
    levels: Sequence[SeverityLevel], level: int, language: str, line: str | None = None
) -> str:
    """Return the names of a level on a line or on any, since a level may have several."""
    own = (x for x in levels if x.level == level and (line is None or _is_for(x, line)))
    names = dict.fromkeys(x.zh if language == "zh" else x.en for x in own)
    return " / ".join(name for name in names if name)


def _is_for(level: SeverityLevel, line: str) -> bool:
    return not level.lines or line in level.lines


def pursued(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the suspected and unresolved findings: only these have a level."""
    return [f for f in findings if f["outcome"] in PURSUED]


def severity_text(
    findings: Sequence[Mapping[str, Any]], levels: Sequence[SeverityLevel], language: str
) -> str:
    """Return the name of the highest level of a clue; "" where none or none is named."""
    own = pursued(findings)
    if not own:
        return ""
    top = max(int(f["severity"]) for f in own)
    lines = dict.fromkeys(str(f["line"]) for f in own if int(f["severity"]) == top)
    texts = dict.fromkeys(level_text(levels, top, language, line) for line in lines)
    return ("、" if language == "zh" else ", ").join(text for text in texts if text)
