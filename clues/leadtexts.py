"""What is said about leads of people: sentences, questions, the finding they keep open."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clues.wording import Language, count_text, parameter_text
from configs.articles import LeadRule, Leads, Text
from configs.channels import channel_name
from configs.rules import RuleSet
from configs.vocabulary import Outcome

__all__ = ["LEAD_LINE", "Told", "lead_explanation", "lead_finding", "lead_id", "told"]

LEAD_LINE = "lead"
"""Line of the findings that leads keep open; no documents divide a patch on it."""

TEXT_LIMIT = 160
WORDS = {
    "number": ("未编号", "without number"),
    "day": ("日期不详", "day not known"),
    "text": ("无", "nothing"),
    "outline": ("按反映范围", "as it was outlined"),
}
LANGUAGES: tuple[Language, Language] = ("zh", "en")


@dataclass(frozen=True)
class Told:
    """What all sentences about leads share."""

    rules: RuleSet
    spec: Leads
    within: float
    layer: str

    def parameter(self, name: str, language: Language) -> str:
        """Return a parameter in words."""
        return parameter_text(self.rules.parameters[name], language)


def lead_id(table: Any, lonlat: NDArray[np.float64]) -> list[str]:
    """Return an id for each lead that names it for good.

    ``L`` and the first 12 letters of base32(sha256(its number, or its channel, day, words and
    place)): the same lead delivered again has the same id, wherever it stands in the file.
    """
    names, seen = [], dict[str, int]()
    for row, (lon, lat) in zip(table.itertuples(index=False), lonlat, strict=True):
        named = row.id is not None
        parts = (row.channel, row.date, row.text, f"{lon:.6f}", f"{lat:.6f}")
        name = row.key if named else "|".join(str(p) for p in parts)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name}#{seen[name]}"
        digest = hashlib.sha256(name.encode()).digest()
        names.append("L" + base64.b32encode(digest).decode()[:12])
    return names


def told(found: pd.DataFrame, reported: Any, patches: Any, words: Told) -> pd.DataFrame:
    """Return the joined leads with their sentence and question in both languages."""
    radius = reported["radius"].to_numpy()
    areal = reported.geometry.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy()
    names = (f"{part}_{x}" for part in ("reason", "question") for x in LANGUAGES)
    texts: dict[str, list[str]] = {name: [] for name in names}
    outcomes = dict(zip(patches["patch_id"], patches["outcome"], strict=True))
    for i, row in enumerate(found.to_dict("records")):
        lead = {str(k): v for k, v in row.items()}
        for language in LANGUAGES:
            values = _values(lead, words, language) | {
                "outcome": _outcome(outcomes.get(lead["patch_id"]), language),
                "radius": _radius(radius[i], areal[i], words, language),
                "near": _near(lead, patches, words, language),
            }
            sentence, question = _texts_of(lead, words.spec)
            texts[f"reason_{language}"].append(_filled(sentence, values, language))
            texts[f"question_{language}"].append(_filled(question, values, language))
    return found.assign(**{n: pd.Series(t, dtype=object) for n, t in texts.items()})


def _texts_of(row: dict[str, Any], spec: Leads) -> tuple[Text, Text | None]:
    rule = _rule(row["relation"], spec)
    if rule is not None:
        return rule.sentence, rule.question
    undated = spec.undated if row["in_time"] == "unknown" else None
    return (spec.joined if row["beside"] else spec.attached), undated


def _rule(relation: str, spec: Leads) -> LeadRule | None:
    return {"opened": spec.opened, "reopened": spec.reopened}.get(relation)


def _filled(text: Text | None, values: dict[str, str], language: Language) -> str:
    if text is None:
        return ""
    return (text.zh if language == "zh" else text.en).format(**values)


def _word(name: str, language: Language) -> str:
    return WORDS[name][language == "en"]


def _values(row: dict[str, Any], words: Told, language: Language) -> dict[str, str]:
    channel, day = channel_name(row["channel"]), row["received"]
    text = " ".join(str(row["text"] or "").split()).rstrip("。.") or _word("text", language)
    received = day.isoformat() if hasattr(day, "isoformat") else _word("day", language)
    return {
        "lead": str(row["number"] or _word("number", language)),
        "channel": channel.zh if language == "zh" else channel.en,
        "received": received,
        "text": text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…",
        "patch": str(row["patch_id"]),
        "distance": f"{row['distance_m']:.2f} m",
        "within": words.parameter(words.spec.within, language),
        "days_before": words.parameter(words.spec.days_before, language),
        "days_after": words.parameter(words.spec.days_after, language),
    }


def _outcome(code: str | None, language: Language) -> str:
    if code is None:
        return ""
    return Outcome(code).name_zh if language == "zh" else Outcome(code).name_en


def _radius(stated: float, areal: bool, words: Told, language: Language) -> str:
    if areal:
        return _word("outline", language)
    text = words.parameter(words.spec.radius, language)
    if not np.isnan(stated):
        text = f"{stated:.2f} m"
    return f"为半径 {text} 的圆" if language == "zh" else f"a circle of {text} radius"


def _near(row: dict[str, Any], patches: Any, words: Told, language: Language) -> str:
    """Say why no patch could be meant: none within reach, or none in time."""
    within = words.parameter(words.spec.within, language)
    if row["near"] < 0:
        return f"{within} 内无图斑" if language == "zh" else f"none lies within {within}"
    patch = patches.iloc[int(row["near"])]
    days = [words.parameter(n, language) for n in (words.spec.days_before, words.spec.days_after)]
    first, last = patch["before_from"], patch["after_to"]
    name, distance = patch["patch_id"], f"{row['near_m']:.2f} m"
    if language == "zh":
        return (
            f"最近图斑 {name} 距 {distance}，但线索日期早于前时相 {first} 超过 {days[0]} 天"
            f"或晚于后时相 {last} 超过 {days[1]} 天"
        )
    return (
        f"the nearest patch {name} lies {distance} away, but the lead came more than {days[0]} days"
        f" before its first image {first} or more than {days[1]} days after its last {last}"
    )


def lead_finding(group: pd.DataFrame, patches: Any, findings: Any, words: Told) -> dict[str, Any]:
    """Return the finding that leads keep open on a patch or place, as a row of the findings.

    Parameters
    ----------
    group : DataFrame
        The leads on it, the deciding one first.
    patches : GeoDataFrame
        With the places of leads.
    findings : GeoDataFrame
        Areas by land class and control line are those of the patch's first line.
    """
    first = group.iloc[0]
    rule = _rule(first["relation"], words.spec)
    if rule is None:
        raise ValueError(f"lead {first['lead_id']} opens nothing")
    patch = patches[(patches["patch_id"] == first["patch_id"]).to_numpy()].iloc[0]
    own = findings[(findings["patch_id"] == first["patch_id"]).to_numpy()]
    own = own[(own["line"] == own["line"].iloc[0]).to_numpy()] if len(own) else own
    factor = words.rules.priority.outcome_factors.get(Outcome.UNRESOLVED.value, 0.0)
    points = words.rules.priority.level_points * words.spec.level
    row = {
        "patch_id": first["patch_id"],
        "line": LEAD_LINE,
        "parcel_no": 1,
        "parcel_id": first["patch_id"],
        "area_dm2": int(patch["area_dm2"]),
        "outcome": Outcome.UNRESOLVED.value,
        "rule": rule.code,
        "rules": rule.code,
        "also_possible": "",
        "flags": "",
        "documents": "",
        "severity": words.spec.level,
        "priority": int(np.floor(factor * points + 0.5)),
        "geometry": patch["geometry"],
        **{n: int(own[n].sum()) for n in own if str(n).endswith("_dm2") and n != "area_dm2"},
    }
    for language, gap in (("zh", ""), ("en", " ")):
        row[f"reason_{language}"] = gap.join(group[f"reason_{language}"])
        asked = [q for q in dict.fromkeys(group[f"question_{language}"]) if q]
        row[f"questions_{language}"] = ("；" if language == "zh" else "; ").join(asked)
    row["trace"] = json.dumps(_trace(row, factor, words), ensure_ascii=False, sort_keys=True)
    return row


def _trace(row: dict[str, Any], factor: float, words: Told) -> dict[str, Any]:
    texts = ("reason_zh", "reason_en", "questions_zh", "questions_en")
    return {
        "rule_set": words.rules.name,
        "digest": words.rules.digest,
        "line": LEAD_LINE,
        "patch": row["patch_id"],
        "parcel": row["parcel_id"],
        "outcome": row["outcome"],
        "rule": row["rule"],
        "priority": [row["priority"], factor, words.rules.priority.level_points, row["severity"]],
        "layers": [words.layer],
        **{name: row[name] for name in texts},
    }


def lead_explanation(trace: dict[str, Any], language: Language) -> str:
    """Return why leads keep a patch or place open, from the trace of their finding."""
    zh, outcome = language == "zh", Outcome(trace["outcome"])
    total, factor, points, level = trace["priority"]
    version = f"{trace['rule_set']} {trace['digest']}"
    weight = f"{total} = {count_text(factor)} × ({points} × {level})"
    reason, asked = trace[f"reason_{language}"], trace[f"questions_{language}"]
    layer = trace["layers"][0].partition("@")[2]
    if zh:
        return (
            f"{trace['parcel']} · 线别：其他来源线索 · 结论：{outcome.name_zh}（{trace['rule']}）\n"
            f"{reason}\n优先级：{weight}\n待核实：{asked}\n规则集：{version}；图层：线索 {layer}"
        )
    return (
        f"{trace['parcel']} · line: leads · outcome: {outcome.name_en} ({trace['rule']})\n"
        f"{reason}\nPriority: {weight}\nTo be asked: {asked}\n"
        f"Rule set: {version}; layers: leads {layer}"
    )
