"""How facts, thresholds and tests are written for people, in Chinese and English."""

from collections.abc import Callable, Mapping
from typing import Any

from clues.catalogue import CODE_NAMES, Fact, catalogue
from clues.facts import plain_value
from clues.kleene import threshold
from configs.conditions import Condition, Parameter, to_base
from configs.speech import PLAIN, Speech
from configs.units import UNIT_NAMES, area_in, metres2
from configs.vocabulary import Language, roles, uses

__all__ = [
    "Language",
    "area_text",
    "bracketed",
    "cause_text",
    "count_text",
    "fact_label",
    "fact_text",
    "leaf_text",
    "parameter_text",
]

FOREVER = "9999-12-31"
"""Day that stands for a term without end."""

WORDS: dict[str, tuple[str, str]] = {
    "unknown": ("未知", "unknown"),
    "none": ("无", "none"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "from": ("至少 ", "at least "),
    "upto": ("至多 ", "at most "),
    "forever": ("无期限", "without end"),
    "perhaps": ("疑似", "perhaps "),
}
OPERATORS: dict[str, tuple[str, str]] = {
    "<": ("小于", "less than"),
    "<=": ("不大于", "at most"),
    ">": ("大于", "more than"),
    ">=": ("不小于", "at least"),
    "=": ("等于", "equal to"),
    "!=": ("不等于", "other than"),
    "in": ("属于", "one of"),
    "not_in": ("不属于", "none of"),
}
DATE_OPERATORS: dict[str, tuple[str, str]] = {
    "<": ("早于", "before"),
    "<=": ("不晚于", "not after"),
    ">": ("晚于", "after"),
    ">=": ("不早于", "not before"),
}
CAUSE_TEXTS: dict[str, tuple[str, str]] = {
    "layer": ("未提供图层：{roles}", "no layer given: {roles}"),
    "incomplete": ("图层未声明完整：{roles}", "the layer is not stated to be complete: {roles}"),
    "date": ("日期缺失或介于两期影像之间", "the date is missing or lies between the images"),
    "class": ("原地类不明", "the former land class is not known"),
    "use": ("现状用途不明", "the use now is not known"),
    "paper": ("无资料", "no data"),
    "weak": ("影像判定可信度不足", "imagery tells it with too little confidence"),
}


def _word(name: str, language: Language) -> str:
    return WORDS[name][language == "en"]


def bracketed(text: str, language: Language) -> str:
    """Return a text in the brackets of a language."""
    return f"（{text}）" if language == "zh" else f" ({text})"


def _measure(kind: str, value: Any, language: Language, speech: Speech) -> str:
    """Write one known value of an ordered kind (areas in dm²)."""
    if kind == "area":
        text, unit = f"{metres2(round(value))} m²", speech.area_unit
        return (
            text if unit == "m2" else text + bracketed(area_text(value, unit, language), language)
        )
    if kind == "share":
        return f"{100 * value:.2f} %"
    if kind == "length":
        return f"{value:.2f} m"
    if kind == "bool":
        return _word("yes" if value else "no", language)
    if kind == "date" and str(value) == FOREVER:
        return _word("forever", language)
    return str(value)


def area_text(area_dm2: float, unit: str, language: Language) -> str:
    """Write an area in one unit."""
    return f"{area_in(round(area_dm2), unit)} {UNIT_NAMES[unit][language == 'en']}"


def fact_label(name: str, language: Language, speech: Speech = PLAIN) -> str:
    """Return the name of a fact for people."""
    known: Any = speech.facts.get(name) or catalogue()[name]
    return str(known.zh if language == "zh" else known.en)


def count_text(number: float) -> str:
    """Write a plain number without needless decimals."""
    return f"{number:g}"


def fact_text(name: str, entry: dict[str, Any], language: Language, speech: Speech = PLAIN) -> str:
    """Write a recorded fact (see `FactColumn.recorded`) for a sentence."""
    fact = catalogue()[name]
    if fact.kind == "documents":
        return _documents(entry.get("value") or (), language)
    if "value" in entry:
        if fact.kind == "code":
            name = _code(fact, entry["value"], language, speech)
            return name if entry.get("cause") != "weak" else _word("perhaps", language) + name
        return _measure(fact.kind, entry["value"], language, speech)
    return _interval(fact, entry.get("low"), entry.get("high"), language, speech)


def _documents(documents: Any, language: Language) -> str:
    if not documents:
        return _word("none", language)
    parts = [f"{n}{bracketed(dates, language)}" if dates else str(n) for n, dates in documents]
    return ("、" if language == "zh" else ", ").join(parts)


def _code(fact: Fact, value: Any, language: Language, speech: Speech) -> str:
    known = uses() if fact.name == "use" else {}
    if value in known:
        return known[value].name_zh if language == "zh" else known[value].name_en
    if value is None or value == "unknown":
        return _word("unknown", language)
    return _code_name(str(value), language, speech)


def _code_name(code: str, language: Language, speech: Speech) -> str:
    if code in CODE_NAMES:
        return CODE_NAMES[code][language == "en"]
    return speech.role(code, language) if code in roles() else code


def _interval(fact: Fact, low: Any, high: Any, language: Language, speech: Speech) -> str:
    if fact.kind == "bool" or (low in (None, 0) and high is None):
        return _word("unknown", language)
    if high is None:
        return _word("from", language) + _measure(fact.kind, low, language, speech)
    if low is None:
        return _word("upto", language) + _measure(fact.kind, high, language, speech)
    ends = [_measure(fact.kind, end, language, speech) for end in (low, high)]
    return " – ".join(ends)


def parameter_text(parameter: Parameter, language: Language, speech: Speech = PLAIN) -> str:
    """Write a parameter for a sentence."""
    if isinstance(parameter.value, tuple):
        names = [_code_name(v, language, speech) for v in parameter.value]
        if not names:
            return _word("none", language)
        return ("、" if language == "zh" else ", ").join(names)
    value = to_base(parameter.value, parameter.unit)
    value = value if parameter.kind != "count" else round(value)
    return _measure(parameter.kind, value, language, speech)


def cause_text(name: str, cause: str, language: Language, speech: Speech = PLAIN) -> str:
    """Write why a fact is not known."""
    names = [speech.role(r, language) for r in catalogue()[name].roles]
    roles = ("、" if language == "zh" else ", ").join(names)
    return CAUSE_TEXTS[cause][language == "en"].format(roles=roles)


def leaf_text(
    leaf: Condition,
    parameters: Mapping[str, Parameter],
    tell: Callable[[str], str],
    language: Language,
    *,
    speech: Speech = PLAIN,
    with_value: bool = True,
    short: bool = False,
) -> str:
    """Write one test: the fact, its value as `tell` gives it, and what the rule asks for.

    `short` leaves out what is asked of a yes or no.
    """
    zh = language == "zh"
    if leaf.switch is not None:
        parameter = parameters[leaf.switch]
        value = parameter_text(parameter, language, speech)
        return f"{parameter.zh}：{value}" if zh else f"{parameter.en}: {value}"
    fact = catalogue()[str(leaf.fact)]
    label = fact_label(fact.name, language, speech)
    comma, colon = ("，", "：") if zh else ("; ", ": ")
    asked = _asked(fact, leaf, parameters, tell, language, speech)
    if not with_value:
        return f"{label}{colon}{asked}"
    if short and fact.kind == "bool":
        return f"{label}{colon}{tell(fact.name)}"
    asks = "条件：" if zh else "asked: "
    return f"{label}{colon}{tell(fact.name)}{comma}{asks}{asked}"


def _asked(
    fact: Fact,
    leaf: Condition,
    parameters: Mapping[str, Parameter],
    tell: Callable[[str], str],
    language: Language,
    speech: Speech,
) -> str:
    gap = "" if language == "zh" else " "
    words = DATE_OPERATORS if fact.kind == "date" else {}
    operator = {**OPERATORS, **words}[leaf.op or "="][language == "en"]
    if leaf.than is not None:
        return f"{operator}{gap}{fact_label(leaf.than, language, speech)} {tell(leaf.than)}"
    if fact.kind == "code":
        values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        names = [_code(fact, v, language, speech) for v in values]
        return f"{operator}{gap}{('、' if language == 'zh' else ', ').join(names)}"
    against = threshold(leaf, parameters, fact.kind)
    if fact.kind == "bool":
        return _word("yes" if bool(against) != (leaf.op == "!=") else "no", language)
    value = plain_value(fact.kind, against) if fact.kind != "area" else against
    return f"{operator} {_measure(fact.kind, value, language, speech)}"
