"""Explanations made mechanically from the trace of a judgement and its rule set."""

import string
from collections.abc import Iterator
from typing import Any

from clues.wording import Language, cause_text, fact_text, leaf_text, parameter_text
from configs.articles import Rule, Text
from configs.errors import InputError
from configs.rules import RuleSet
from configs.vocabulary import Outcome, role_name

__all__ = ["explanation", "questions", "reason"]

RESULTS: dict[str, tuple[str, str]] = {
    "true": ("成立", "holds"),
    "false": ("不成立", "does not hold"),
    "unknown": ("无法确定", "cannot be told"),
}


def _pick(text: Text, language: Language) -> str:
    return text.zh if language == "zh" else text.en


def _filled(text: Text, trace: dict[str, Any], rules: RuleSet, language: Language) -> str:
    parts = []
    for literal, name, _, _ in string.Formatter().parse(_pick(text, language)):
        parts.append(literal)
        if name in ("parcel", "patch"):
            parts.append(str(trace[name]))
        elif name in rules.parameters:
            parts.append(parameter_text(rules.parameters[name], language))
        elif name is not None:
            parts.append(fact_text(name, trace["facts"][name], language))
    return "".join(parts)


def _joined(sentences: list[str], language: Language) -> str:
    return ("" if language == "zh" else " ").join(s for s in sentences if s)


def _deciders(trace: dict[str, Any], rules: RuleSet) -> list[Rule]:
    return [rules.rule(label, trace["line"]) for label in trace["deciders"]]


def reason(trace: dict[str, Any], rules: RuleSet, language: Language) -> str:
    """Return the reason of a finding: what decided, what was assumed, which lines it touches.

    Parameters
    ----------
    trace : dict
        Of `clues.judge.judge_line`.
    rules : RuleSet
        The rule set that judged.
    language : {"zh", "en"}
    """
    deciders = _deciders(trace, rules)
    if not deciders:
        sentences = [_filled(rules.undecided, trace, rules, language)]
    elif trace["fallback"]:
        ending = rules.lines[trace["line"]].fallback_sentence
        sentences = [_filled(ending, trace, rules, language)]
    else:
        sentences = [_filled(deciders[0].sentence, trace, rules, language)]
        sentences += [
            _filled(r.confirming or r.sentence, trace, rules, language) for r in deciders[1:]
        ]
    sentences.append(_assumptions(trace, language))
    for flag in rules.flags:
        if flag.code in trace["flags"] and trace["line"] in flag.lines:
            sentences.append(_filled(flag.sentence, trace, rules, language))
    sentences.append(_possible(trace, rules, language))
    return _joined(sentences, language)


def _assumptions(trace: dict[str, Any], language: Language) -> str:
    """Name what the deciding rules took for granted."""
    found = [
        leaf_text(leaf, trace["facts"], language, with_value=False)
        for step in trace["walk"]
        if step["rule"] in trace["deciders"]
        for leaf in step["leaves"]
        if "assumed" in leaf
    ]
    if not found:
        return ""
    found = list(dict.fromkeys(found))
    if language == "zh":
        return f"无资料,推定{';'.join(found)}。"
    return f"Assumed, as no data says otherwise: {'; '.join(found)}."


def _possible(trace: dict[str, Any], rules: RuleSet, language: Language) -> str:
    named = [rules.rule(label, trace["line"]) for label in trace["also_possible"]]
    names = [f"{r.code} {_pick(r.name, language)}" for r in named]
    names = list(dict.fromkeys(names))
    if not names:
        return ""
    if language == "zh":
        return f"资料不足,尚不能排除:{'、'.join(names)}。"
    return f"Not ruled out for lack of data: {', '.join(names)}."


def questions(trace: dict[str, Any], rules: RuleSet, language: Language) -> list[str]:
    """Return what has to be asked in the field or the files before the finding can be closed."""
    found = [
        _filled(rule.question, trace, rules, language)
        for rule in _deciders(trace, rules)
        if rule.question is not None
    ]
    if not trace["deciders"]:
        found += [_asked(name, trace, rules, language) for name in _unknown_facts(trace)]
    for flag in rules.flags:
        if flag.code in trace["flags"] and flag.question and trace["line"] in flag.lines:
            found.append(_filled(flag.question, trace, rules, language))
    return list(dict.fromkeys(found))


def _unknown_facts(trace: dict[str, Any]) -> Iterator[str]:
    seen = set()
    for step in trace["walk"]:
        for leaf in step["leaves"]:
            name = leaf.get("fact")
            if step["result"] == "unknown" and leaf["result"] == "unknown" and name not in seen:
                seen.add(name)
                yield name


def _asked(name: str, trace: dict[str, Any], rules: RuleSet, language: Language) -> str:
    text = _filled(rules.questions[name], trace, rules, language)
    cause = trace["facts"][name].get("cause")
    if not cause:
        return text
    why = cause_text(name, cause, language)
    return f"{text}({why})" if language == "zh" else f"{text} ({why})"


def explanation(trace: dict[str, Any], rules: RuleSet, language: Language) -> str:
    """Return the whole way of a judgement: every rule tried, in order, and why it fell or held.

    Raises
    ------
    InputError
        If the rule set is not the one that judged.
    """
    if rules.digest != trace["digest"]:
        raise InputError(
            f"the finding was judged by {trace['rule_set']} {trace['digest']}, "
            f"the rule set at hand is {rules.name} {rules.digest}",
            f"trace of {trace['parcel']}",
            "explain with the rules.json that lies in the same run folder",
        )
    zh = language == "zh"
    outcome = Outcome(trace["outcome"])
    line = _pick(rules.lines[trace["line"]].name, language)
    head = (
        f"地块 {trace['parcel']} · 线别:{line} · 结论:{outcome.name_zh}"
        if zh
        else f"Parcel {trace['parcel']} · line: {line} · outcome: {outcome.name_en}"
    )
    lines = [head, reason(trace, rules, language), "判定过程:" if zh else "Rules tried, in order:"]
    lines += [_step(step, trace, rules, language) for step in trace["walk"]]
    if trace["fallback"]:
        code = trace["deciders"][0]
        lines.append(
            f"  以上各条均不成立,按 {code} 处理。"
            if zh
            else f"  No rule above holds: the line ends with {code}."
        )
    asked = questions(trace, rules, language)
    if asked:
        lines.append("待核实:" if zh else "To be asked:")
        lines += [f"  {i}. {text}" for i, text in enumerate(asked, start=1)]
    names = _layers(trace, language)
    version = f"{trace['rule_set']} {trace['digest']}"
    lines.append(
        f"规则集:{version};图层:{'、'.join(names) or '无'}"
        if zh
        else f"Rule set: {version}; layers: {', '.join(names) or 'none'}"
    )
    return "\n".join(lines)


def _layers(trace: dict[str, Any], language: Language) -> list[str]:
    """Return the layers behind the facts of a trace, with their versions."""
    sources = {part for f in trace["facts"].values() for part in f["source"].split(", ")}
    pairs = [s.split("@") for s in sorted(sources) if "@" in s]
    return [f"{role_name(role, language)} {version}" for role, version in pairs]


def _step(step: dict[str, Any], trace: dict[str, Any], rules: RuleSet, language: Language) -> str:
    zh = language == "zh"
    rule = rules.rule(step["rule"], trace["line"])
    result = RESULTS[step["result"]][not zh]
    tests = [
        _switch_text(leaf, rules, language)
        if "switch" in leaf
        else leaf_text(leaf, trace["facts"], language) + _assumed(leaf, language)
        for leaf in step["leaves"]
    ]
    tests = list(dict.fromkeys(tests))
    name = _pick(rule.name, language)
    if zh:
        return f"  {rule.code} {name}:{result}。{';'.join(tests)}。"
    return f"  {rule.code} {name}: {result}. {'; '.join(tests)}."


def _assumed(leaf: dict[str, Any], language: Language) -> str:
    if "assumed" not in leaf:
        return ""
    return "(推定)" if language == "zh" else " (assumed)"


def _switch_text(leaf: dict[str, Any], rules: RuleSet, language: Language) -> str:
    parameter = rules.parameters[leaf["switch"]]
    label = parameter.zh if language == "zh" else parameter.en
    value = parameter_text(parameter, language)
    return f"{label}:{value}" if language == "zh" else f"{label}: {value}"
