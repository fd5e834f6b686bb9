"""How facts, thresholds and tests are written for people, in Chinese and English."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from clues.catalogue import CODE_NAMES, Fact, catalogue
from clues.facts import plain_value
from clues.kleene import threshold
from configs.conditions import Condition, Parameter, to_base
from configs.units import metres2, mu
from configs.vocabulary import role_name, roles, uses

__all__ = [
    "Language",
    "cause_text",
    "count_text",
    "fact_text",
    "leaf_text",
    "mu_text",
    "parameter_text",
]

Language = Literal["zh", "en"]

WORDS: dict[str, tuple[str, str]] = {
    "unknown": ("未知", "unknown"),
    "none": ("无", "none"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "from": ("至少 ", "at least "),
    "upto": ("至多 ", "at most "),
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
    "layer": ("未提供图层:{roles}", "no layer given: {roles}"),
    "incomplete": ("图层未声明完整:{roles}", "the layer is not stated to be complete: {roles}"),
    "date": ("日期缺失或介于两期影像之间", "the date is missing or lies between the images"),
    "class": ("原地类不明", "the former land class is not known"),
    "use": ("现状用途不明", "the use now is not known"),
    "paper": ("无资料", "no data"),
    "weak": ("影像判定可信度不足", "imagery tells it with too little confidence"),
}


def _word(name: str, language: Language) -> str:
    return WORDS[name][language == "en"]


def _measure(kind: str, value: Any, language: Language) -> str:
    """Write one known value of an ordered kind (areas in dm²)."""
    if kind == "area":
        unit = "亩" if language == "zh" else "mu"
        gap = "" if language == "zh" else " "
        return f"{metres2(round(value))} m²{gap}({mu(round(value))} {unit})"
    if kind == "share":
        return f"{100 * value:.2f} %"
    if kind == "length":
        return f"{value:.2f} m"
    if kind == "bool":
        return _word("yes" if value else "no", language)
    return str(value)


def mu_text(area_dm2: float, language: Language) -> str:
    """Write an area in mu."""
    return f"{mu(round(area_dm2))} {'亩' if language == 'zh' else 'mu'}"


def count_text(number: float) -> str:
    """Write a plain number without needless decimals."""
    return f"{number:g}"


def fact_text(name: str, entry: dict[str, Any], language: Language) -> str:
    """Write a recorded fact (see `FactColumn.recorded`) for a sentence."""
    fact = catalogue()[name]
    if fact.kind == "documents":
        return _documents(entry.get("value") or (), language)
    if "value" in entry:
        if fact.kind == "code":
            name = _code(fact, entry["value"], language)
            return name if entry.get("cause") != "weak" else _word("perhaps", language) + name
        return _measure(fact.kind, entry["value"], language)
    return _interval(fact, entry.get("low"), entry.get("high"), language)


def _documents(documents: Any, language: Language) -> str:
    if not documents:
        return _word("none", language)
    gap = "" if language == "zh" else " "
    parts = [f"{number}{gap}({dates})" if dates else str(number) for number, dates in documents]
    return ("、" if language == "zh" else ", ").join(parts)


def _code(fact: Fact, value: Any, language: Language) -> str:
    known = uses() if fact.name == "use" else {}
    if value in known:
        return known[value].name_zh if language == "zh" else known[value].name_en
    if value is None or value == "unknown":
        return _word("unknown", language)
    return _code_name(str(value), language)


def _code_name(code: str, language: Language) -> str:
    if code in CODE_NAMES:
        return CODE_NAMES[code][language == "en"]
    return role_name(code, language) if code in roles() else code


def _interval(fact: Fact, low: Any, high: Any, language: Language) -> str:
    if fact.kind == "bool" or (low in (None, 0) and high is None):
        return _word("unknown", language)
    if high is None:
        return _word("from", language) + _measure(fact.kind, low, language)
    if low is None:
        return _word("upto", language) + _measure(fact.kind, high, language)
    ends = (_measure(fact.kind, low, language), _measure(fact.kind, high, language))
    return " – ".join(ends)


def parameter_text(parameter: Parameter, language: Language) -> str:
    """Write a parameter for a sentence."""
    if isinstance(parameter.value, tuple):
        names = [_code_name(v, language) for v in parameter.value]
        if not names:
            return _word("none", language)
        return ("、" if language == "zh" else ", ").join(names)
    value = to_base(parameter.value, parameter.unit)
    return _measure(parameter.kind, value if parameter.kind != "count" else round(value), language)


def cause_text(name: str, cause: str, language: Language) -> str:
    """Write why a fact is not known."""
    names = [role_name(r, language) for r in catalogue()[name].roles]
    roles = ("、" if language == "zh" else ", ").join(names)
    return CAUSE_TEXTS[cause][language == "en"].format(roles=roles)


def leaf_text(
    leaf: Condition,
    parameters: Mapping[str, Parameter],
    tell: Callable[[str], str],
    language: Language,
    *,
    with_value: bool = True,
    short: bool = False,
) -> str:
    """Write one test: the fact, its value as `tell` gives it, and what the rule asks for.

    `short` leaves out what is asked of a yes or no.
    """
    zh = language == "zh"
    if leaf.switch is not None:
        parameter = parameters[leaf.switch]
        value = parameter_text(parameter, language)
        return f"{parameter.zh}:{value}" if zh else f"{parameter.en}: {value}"
    fact = catalogue()[str(leaf.fact)]
    label, comma, colon = (fact.zh, ",", ":") if zh else (fact.en, "; ", ": ")
    asked = _asked(fact, leaf, parameters, tell, language)
    if not with_value:
        return f"{label}{colon}{asked}"
    if short and fact.kind == "bool":
        return f"{label}{colon}{tell(fact.name)}"
    asks = "条件:" if zh else "asked: "
    return f"{label}{colon}{tell(fact.name)}{comma}{asks}{asked}"


def _asked(
    fact: Fact,
    leaf: Condition,
    parameters: Mapping[str, Parameter],
    tell: Callable[[str], str],
    language: Language,
) -> str:
    gap = "" if language == "zh" else " "
    words = DATE_OPERATORS if fact.kind == "date" else {}
    operator = {**OPERATORS, **words}[leaf.op or "="][language == "en"]
    if leaf.than is not None:
        other = catalogue()[leaf.than]
        label = other.zh if language == "zh" else other.en
        return f"{operator}{gap}{label} {tell(leaf.than)}"
    if fact.kind == "code":
        values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        names = [_code(fact, v, language) for v in values]
        return f"{operator}{gap}{('、' if language == 'zh' else ', ').join(names)}"
    against = threshold(leaf, parameters, fact.kind)
    if fact.kind == "bool":
        return _word("yes" if bool(against) != (leaf.op == "!=") else "no", language)
    value = plain_value(fact.kind, against) if fact.kind != "area" else against
    return f"{operator} {_measure(fact.kind, value, language)}"
