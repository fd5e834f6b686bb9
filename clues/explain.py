"""Explanations made mechanically from the trace of a judgement and its rule set."""

import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clues.catalogue import catalogue
from clues.facts import FactColumn
from clues.judge import Decisions
from clues.kleene import FALSE, TRUE, UNKNOWN
from clues.leadtexts import LEAD_LINE, lead_explanation
from clues.priority import priority_text
from clues.ways import PURSUED, Step, Way, retraced
from clues.wording import Language, bracketed, cause_text, fact_text, leaf_text, parameter_text
from configs.articles import Text
from configs.rules import RuleSet
from configs.speech import Speech

__all__ = ["explanation", "questions", "reason", "reasons_and_questions"]

RESULTS: dict[int, tuple[str, str]] = {
    TRUE: ("成立", "holds"),
    FALSE: ("不成立", "does not hold"),
    UNKNOWN: ("无法确定", "cannot be told"),
}


NONE_SAID = {"zh": re.compile("无|没有|未"), "en": re.compile(r"\b(no|none|not|without)\b")}
"""How the sentence of a rule says that there is no document: its share of 0 needs no other word."""


@dataclass(frozen=True)
class _Telling:
    """A way put into words of one language; what differs between parcels comes from functions.

    Attributes
    ----------
    fact : callable
        Words for a fact.
    why : callable
        Words for why a fact is not known, with brackets, or "".
    """

    way: Way
    rules: RuleSet
    line: str
    language: Language
    parcel: str
    patch: str
    fact: Callable[[str], str]
    why: Callable[[str], str]

    def pick(self, text: Text) -> str:
        return text.zh if self.language == "zh" else text.en

    def filled(self, text: Text) -> str:
        parts = []
        for literal, name, _, _ in string.Formatter().parse(self.pick(text)):
            parts.append(literal)
            if name in ("parcel", "patch"):
                parts.append(self.parcel if name == "parcel" else self.patch)
            elif name in self.rules.parameters:
                parts.append(self.parameter(name))
            elif name is not None:
                parts.append(self.fact(name))
        return "".join(parts)

    def leaf(self, leaf: Any, **style: bool) -> str:
        return leaf_text(
            leaf,
            self.rules.parameters,
            self.fact,
            self.language,
            speech=self.rules.spoken,
            **style,
        )

    def parameter(self, name: str) -> str:
        return parameter_text(self.rules.parameters[name], self.language, self.rules.spoken)

    def joined(self, sentences: Sequence[str]) -> str:
        return ("" if self.language == "zh" else " ").join(s for s in sentences if s)

    def reason(self) -> str:
        deciders = self.way.deciders
        if not deciders:
            sentences = [self.filled(self.rules.undecided)]
        elif self.way.by_fallback:
            sentences = [self.filled(self.rules.lines[self.line].fallback_sentence)]
        else:
            sentences = [self.filled(deciders[0].sentence)]
            sentences += [self.filled(r.confirming or r.sentence) for r in deciders[1:]]
        note = self.filled(self.way.note.sentence) if self.way.note else ""
        sentences += [self.supplement(), self.assumptions(), note]
        sentences += [self.filled(flag.sentence) for flag in self.way.flags]
        sentences.append(self.possible())
        return self.joined(sentences)

    def supplement(self) -> str:
        """Name the deciding facts that the sentences leave out, with what was asked of them."""
        labels = {r.label: r for r in self.way.deciders}
        found = []
        for step in self.way.steps:
            rule = labels.get(step.rule.label)
            if rule is None or self.way.by_fallback:
                continue
            first = rule is self.way.deciders[0]
            said = set((rule.sentence if first else rule.confirming or rule.sentence).names())
            words = self.pick(rule.sentence if first else rule.confirming or rule.sentence)
            if not first:
                said |= set(self.way.deciders[0].sentence.names())
            found += [
                self.leaf(leaf, short=True)
                for leaf, bare, taken in step.leaves
                if bare == taken and leaf.fact and {leaf.fact, leaf.than or leaf.fact} - said
                if not (bare == TRUE and _is_none(leaf) and NONE_SAID[self.language].search(words))
            ]
        found = list(dict.fromkeys(found))
        if not found:
            return ""
        if self.language == "zh":
            return f"另据：{'；'.join(found)}。"
        return f"Also: {'; '.join(found)}."

    def assumptions(self) -> str:
        """Name what the deciding rules took for granted."""
        deciders = {r.label for r in self.way.deciders}
        found = [
            self.leaf(leaf, with_value=False)
            for step in self.way.steps
            if step.rule.label in deciders
            for leaf, bare, taken in step.leaves
            if bare != taken
        ]
        if not found:
            return ""
        found = list(dict.fromkeys(found))
        if self.language == "zh":
            return f"无资料，推定{'；'.join(found)}。"
        return f"Assumed, as no data says otherwise: {'; '.join(found)}."

    def possible(self) -> str:
        names = [f"{r.code} {self.pick(r.name)}" for r in self.way.possible]
        names = list(dict.fromkeys(names))
        if not names:
            return ""
        if self.language == "zh":
            return f"资料不足，尚不能排除：{'、'.join(names)}。"
        return f"Not ruled out for lack of data: {', '.join(names)}."

    def questions(self) -> list[str]:
        found = [self.filled(r.question) for r in self.way.deciders if r.question is not None]
        if not self.way.deciders:
            for name in self.unknown_facts():
                found.append(self.filled(self.rules.questions[name]) + self.why(name))
        found += [self.filled(f.question) for f in self.way.flags if f.question is not None]
        return found

    def unknown_facts(self) -> Iterator[str]:
        names = [
            leaf.fact
            for step in self.way.steps
            if step.result == UNKNOWN
            for leaf, _, taken in step.leaves
            if taken == UNKNOWN
        ]
        asked = dict.fromkeys(str(n) for n in names)
        for name in asked:  # how much lies outside follows from how much lies inside
            if name.replace("_uncovered_cropland", "_share") in asked.keys() - {name}:
                continue
            yield name

    def weight(self, facts: dict[str, Any]) -> list[str]:
        """Return severity and priority with what they come from; nothing for what is closed."""
        if self.way.outcome not in PURSUED:
            return []
        lines, level = [], self.way.severity
        if level is not None:
            tests = [self.leaf(leaf) for leaf, _, _ in self.way.severity_leaves]
            name, tests = self.pick(level.name), list(dict.fromkeys(tests))
            lines.append(
                f"严重程度：{level.level} 级 {name}（{'；'.join(tests)}）"
                if self.language == "zh"
                else f"Severity: level {level.level}, {name} ({'; '.join(tests)})"
            )
        number = self.way.level
        text = priority_text(self.way.outcome, number, facts, self.rules, self.language)
        return [*lines, text]

    def step(self, step: Step) -> str:
        zh = self.language == "zh"
        assumed = "（推定）" if zh else " (assumed)"
        tests = [
            self.leaf(x) + (assumed if bare != taken else "") for x, bare, taken in step.leaves
        ]
        tests, result = list(dict.fromkeys(tests)), RESULTS[step.result][not zh]
        name = self.pick(step.rule.name)
        if zh:
            return f"  {step.rule.code} {name}：{result}。{'；'.join(tests)}。"
        return f"  {step.rule.code} {name}: {result}. {'; '.join(tests)}."


def _is_none(leaf: Any) -> bool:
    """Whether a test asks for a share of nothing at all."""
    return leaf.op == "=" and leaf.value == 0 and catalogue()[leaf.fact].kind == "share"


def _of_trace(trace: dict[str, Any], rules: RuleSet, language: Language) -> _Telling:
    facts, speech = trace["facts"], rules.spoken

    def why(name: str) -> str:
        return _bracketed(name, facts[name].get("cause", ""), language, speech)

    return _Telling(
        retraced(trace, rules),
        rules,
        trace["line"],
        language,
        trace["parcel"],
        trace["patch"],
        lambda name: fact_text(name, facts[name], language, speech),
        why,
    )


def _bracketed(name: str, cause: str, language: Language, speech: Speech) -> str:
    if not cause:
        return ""
    return bracketed(cause_text(name, cause, language, speech), language)


def reason(trace: dict[str, Any], rules: RuleSet, language: Language) -> str:
    """Return the reason of a finding: what decided, what was assumed, which lines it touches.

    Parameters
    ----------
    trace : dict
        Of `clues.judge.Decisions.trace`.
    rules : RuleSet
        The rule set that judged.
    language : {"zh", "en"}
    """
    return _of_trace(trace, rules, language).reason()


def questions(trace: dict[str, Any], rules: RuleSet, language: Language) -> list[str]:
    """Return what has to be asked in the field or the files before the finding can be closed."""
    return list(dict.fromkeys(_of_trace(trace, rules, language).questions()))


MARK = re.compile("\x00(.)([^\x00]*)\x00")
"""What stands for a fact (f), a cause (w), the parcel (p) and the patch (q) in a pattern."""


def reasons_and_questions(
    decisions: Decisions, language: Language
) -> tuple[list[str], list[list[str]]]:
    """Return `reason` and `questions` of every parcel; the words of each way are made once."""
    facts, rows_of = decisions.facts, [rows for _, rows in decisions.rows_of()]
    patterns = [_pattern(decisions, way, language) for way in decisions.ways]
    words, speech = _words(decisions, patterns, rows_of, language), decisions.rules.spoken

    @cache
    def bracketed(name: str, cause: str) -> str:
        return _bracketed(name, cause, language, speech)

    tellers: dict[str, Callable[[str, int], str]] = {
        "f": lambda name, row: words[name][row],
        "w": lambda name, row: bracketed(name, facts[name].cause_of(row)),
        "p": lambda _, row: str(facts.parcels[row]),
        "q": lambda _, row: str(facts.patches[row]),
    }

    def written(parts: list[str], row: int) -> str:
        out = parts[:]
        for i in range(1, len(parts), 3):
            out[i], out[i + 1] = tellers[parts[i]](parts[i + 1], row), ""
        return "".join(out)

    reasons, asked = [""] * len(decisions), [[""]] * len(decisions)
    for (pattern, asks), rows in zip(patterns, rows_of, strict=True):
        for row in rows.tolist():
            reasons[row] = written(pattern, row)
            asked[row] = list(dict.fromkeys(written(q, row) for q in asks))
    return reasons, asked


def _pattern(
    decisions: Decisions, way: Way, language: Language
) -> tuple[list[str], list[list[str]]]:
    """Return the words of a way, split at the marks into text, kind, name, text and so on."""
    telling = _Telling(
        way,
        decisions.rules,
        decisions.line,
        language,
        "\x00p\x00",
        "\x00q\x00",
        "\x00f{}\x00".format,
        "\x00w{}\x00".format,
    )
    return MARK.split(telling.reason()), [MARK.split(q) for q in telling.questions()]


def _words(
    decisions: Decisions,
    patterns: Sequence[tuple[list[str], list[list[str]]]],
    rows_of: Sequence[NDArray[np.int64]],
    language: Language,
) -> dict[str, dict[int, str]]:
    """Return the words for each fact that stands in a text, by fact and parcel."""
    rows_naming: dict[str, list[NDArray[np.int64]]] = {}
    for (pattern, asks), rows in zip(patterns, rows_of, strict=True):
        parts = [pattern, *asks]
        names = {p[i + 1] for p in parts for i in range(1, len(p), 3) if p[i] == "f"}
        for name in sorted(names):
            rows_naming.setdefault(name, []).append(rows)
    words = {}
    for name, several in rows_naming.items():
        rows = np.concatenate(several)
        texts = _fact_texts(decisions.facts[name], rows, language, decisions.rules.spoken)
        words[name] = dict(zip(rows.tolist(), texts, strict=True))
    return words


def _fact_texts(
    column: FactColumn, rows: NDArray[np.int64], language: Language, speech: Speech
) -> list[str]:
    return column.told(rows, lambda entry: fact_text(column.fact.name, entry, language, speech))


def explanation(trace: dict[str, Any], rules: RuleSet, language: Language) -> str:
    """Return the whole way of a judgement: every rule tried, in order, and why it fell or held.

    Raises
    ------
    InputError
        If the rule set is not the one that judged.
    """
    if trace["line"] == LEAD_LINE:
        return lead_explanation(trace, language)
    telling = _of_trace(trace, rules, language)
    zh, way = language == "zh", telling.way
    outcome = rules.spoken.outcome(way.outcome, language)
    line = telling.pick(rules.lines[trace["line"]].name)
    head = (
        f"地块 {trace['parcel']} · 线别：{line} · 结论：{outcome}"
        if zh
        else f"Parcel {trace['parcel']} · line: {line} · outcome: {outcome}"
    )
    lines = [head, telling.reason(), "判定过程：" if zh else "Rules tried, in order:"]
    lines += [telling.step(step) for step in way.steps]
    if way.by_fallback:
        code = way.rule
        lines.append(
            f"  以上各条均不成立，按 {code} 处理。"
            if zh
            else f"  No rule above holds: the line ends with {code}."
        )
    lines += telling.weight(trace["facts"])
    asked = list(dict.fromkeys(telling.questions()))
    if asked:
        lines.append("待核实：" if zh else "To be asked:")
        lines += [f"  {i}. {text}" for i, text in enumerate(asked, start=1)]
    names = _layers(trace, rules.spoken, language)
    version = f"{trace['rule_set']} {trace['digest']}"
    lines.append(
        f"规则集：{version}；图层：{'、'.join(names) or '无'}"
        if zh
        else f"Rule set: {version}; layers: {', '.join(names) or 'none'}"
    )
    return "\n".join(lines)


def _layers(trace: dict[str, Any], speech: Speech, language: Language) -> list[str]:
    """Return the layers behind the facts of a trace, with their versions."""
    pairs = [s.split("@") for s in trace["layers"]]
    return [f"{speech.role(role, language)} {version}" for role, version in pairs]
