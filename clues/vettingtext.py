"""The words of vetting: sentences, questions and features, in Chinese and English."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np

from clues.wording import Language, bracketed, fact_text
from configs.articles import Text
from configs.vetting import Check, VettingRules
from configs.vocabulary import land_class, role_name, uses

__all__ = [
    "ANSWER_NAMES",
    "KIND_NAMES",
    "Vetted",
    "feature_text",
    "limit_text",
    "source_texts",
    "use_text",
    "written",
]

ANSWER_NAMES = {
    "fail": {"zh": "不通过", "en": "fail"},
    "ask": {"zh": "待核", "en": "ask"},
    "pass": {"zh": "通过", "en": "pass"},
}
KIND_NAMES = {"mining": ("采矿权", "mining right"), "exploration": ("探矿权", "exploration right")}
NOTHING = {"zh": "无", "en": "none"}
UNDATED = {"zh": "日期缺失", "en": "no date"}


@dataclass(frozen=True)
class Vetted:
    """One check of one parcel, answered.

    Attributes
    ----------
    cause : str
        Why it could not be decided, "" where it was.
    low, high : int
        dm² that speak against the parcel.
    features : list of dict
        Rows of the feature table.
    """

    check: Check
    rules: VettingRules
    parcel: dict[str, Any]
    on: dt.date
    outcome: str
    cause: str
    low: int
    high: int
    limit: float
    features: list[dict[str, Any]]


def written(vetted: Vetted, language: Language) -> tuple[str, str]:
    """Return the sentence of an answer and the question, "" where nothing is asked."""
    check, question = vetted.check, None
    if vetted.cause:
        unknown = vetted.rules.unknown[vetted.cause]
        sentence, question = unknown.sentence, unknown.question
    elif vetted.outcome == "pass":
        sentence = check.passed
    else:
        sentence = check.found
        question = check.question if vetted.outcome == "ask" else None
    words = _words(vetted, language)
    return _filled(sentence, words, language), _filled(question, words, language)


def _filled(text: Text | None, words: dict[str, str], language: Language) -> str:
    if text is None:
        return ""
    return (text.zh if language == "zh" else text.en).format(**words)


def _words(vetted: Vetted, language: Language) -> dict[str, str]:
    parcel, check = vetted.parcel, vetted.check
    total = int(parcel["area_dm2"])
    stated = parcel["stated_m2"]
    against = _span("area", vetted.low, vetted.high, language)
    rest = _span("area", max(total - vetted.high, 0), max(total - vetted.low, 0), language)
    shares = (vetted.low / total, vetted.high / total)
    rest_shares = (max(1 - shares[1], 0.0), max(1 - shares[0], 0.0))
    listed = [feature_text(f, language) for f in vetted.features]
    unclear = [t for t, f in zip(listed, vetted.features, strict=True) if not f["certain"]]
    gap = "；" if language == "zh" else "; "
    return {
        "parcel": str(parcel["parcel_id"]),
        "check": check.name.zh if language == "zh" else check.name.en,
        "role": role_name(check.role, language) if check.role else "",
        "area": _area(total, language),
        "use": use_text(parcel, language),
        "on": vetted.on.isoformat(),
        "against": against,
        "share": _span("cropland_share", *shares, language),
        "rest": rest,
        "rest_share": _span("cropland_share", *rest_shares, language),
        "limit": limit_text(check, vetted.limit, language),
        "stated": NOTHING[language]
        if stated is None
        else _area(int(np.rint(stated * 100)), language),
        "features": gap.join(listed) or NOTHING[language],
        "unclear": gap.join(unclear) or NOTHING[language],
    }


def _area(area_dm2: float, language: Language) -> str:
    return fact_text("area", {"value": area_dm2}, language)


def _span(fact: str, low: float, high: float, language: Language) -> str:
    entry: dict[str, Any] = {"value": low} if low == high else {"low": low, "high": high}
    return fact_text(fact, entry, language)


def limit_text(check: Check, limit_dm2: float, language: Language) -> str:
    """Write a limit in the unit it is given in."""
    if check.limit.unit == "share":
        return f"{100 * check.limit.value:g} %"
    if check.limit.unit == "mu":
        return f"{check.limit.value:g} {'亩' if language == 'zh' else 'mu'}"
    return f"{limit_dm2 / 100:g} m²"


def source_texts(source: str, features: str, language: Language) -> tuple[str, str]:
    """Write ``role@version`` and the keys of features for people: layer with version, ids."""
    role, _, version = source.partition("@")
    ids = [key.partition(":")[2] for key in features.split(",")]
    layer = f"{role_name(role, language)} {version}" if role else ""
    return layer, ("、" if language == "zh" else ", ").join(ids)


def use_text(parcel: dict[str, Any], language: Language) -> str:
    """Write the proposed use, with the words of the application where they are not known."""
    use = uses()[str(parcel["use"])]
    name = use.name_zh if language == "zh" else use.name_en
    word = parcel["use_text"]
    return f"{name}{bracketed(word, language)}" if use.code == "unknown" and word else name


def feature_text(feature: dict[str, Any], language: Language) -> str:
    """Write a feature: kind, name, number, dates, state, its area on the parcel and share."""
    zh = language == "zh"
    kind = KIND_NAMES.get(str(feature["kind"]), ("", ""))[not zh]
    name = feature["name"] if isinstance(feature["name"], str) else ""
    parts = [kind, name, str(feature["number"])]
    label = " ".join(dict.fromkeys(p for p in parts if p))
    undated = not feature["certain"] and feature["role"] != "plan"
    dates = feature["dates"] or (UNDATED[language] if undated else "")
    notes = [n for n in (dates, _status(feature, language)) if n]
    area = _area(int(feature["area_dm2"]), language)
    told = bracketed(("；" if zh else "; ").join(notes), language) if notes else ""
    if not zh:
        return f"{label}{told} on {area}, {100 * feature['share']:.2f} %"
    return f"{label}{told} {area}，占 {100 * feature['share']:.2f} %"


def _status(feature: dict[str, Any], language: Language) -> str:
    """Return the state of a feature, or the class of the land."""
    code = feature["code"]
    known = land_class(feature["scheme"], code) if isinstance(code, str) else None
    if known is not None:
        return f"{code} {known.name_zh if language == 'zh' else known.name_en}"
    status = feature["status"]
    return status if isinstance(status, str) else ""
