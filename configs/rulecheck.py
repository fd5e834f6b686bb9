"""What a rule set says against what it can mean: facts, parameters, texts, reachable rules."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from configs.articles import Rule, Severity, Text
from configs.conditions import Condition, FactKind
from configs.mistakes import choice
from configs.vocabulary import roles

if TYPE_CHECKING:
    from configs.rules import RuleSet

__all__ = ["Found", "rule_problems"]

Place = tuple[Any, ...]
Found = tuple[Place, str, str]
"""Key path, what is wrong, remedy."""

BUILT_IN_NAMES = frozenset({"parcel", "patch"})
OUTCOMES: dict[str, tuple[str, ...]] = {
    "F": ("below_threshold",),
    "N": ("non_new", "other", "unresolved"),
    "L": ("legal", "unresolved"),
    "O": ("other", "legal", "unresolved"),
    "V": ("suspected", "unresolved"),
}
"""What the rules of a group may end with."""


def rule_problems(rules: "RuleSet", catalogue: Mapping[str, FactKind]) -> Iterator[Found]:
    """Yield everything in a rule set that cannot work, in its written order."""
    for key, part in _parts(rules):
        if isinstance(part, Rule):
            yield from _rule_problems(key, part, rules)
        yield from _condition_problems(key, key[1], part.when, rules, catalogue)
        if isinstance(part, Rule) and part.group != "V":
            yield from _unasked(key, part, rules, catalogue)
    for name, line in rules.lines.items():
        codes = [r.code for r in rules.rules if name in r.lines]
        if line.fallback not in codes:
            what = f"fallback {line.fallback!r} of line {name} is no rule of it"
            yield ("lines", name, "fallback"), what, choice(line.fallback, dict.fromkeys(codes))
        if line.applies is not None:
            key = ("lines", name, "applies")
            for at, what, fix in line.applies.problems(catalogue, rules.parameters):
                yield (*key, *at), f"{name}: {what}", fix
        if line.note is not None:
            key = ("lines", name, "note")
            yield from _condition_problems(key, name, line.note.when, rules, catalogue)
    yield from _text_problems(rules, catalogue)
    yield from _list_problems(rules)
    yield from _formula_problems(rules, catalogue)


def _parts(rules: "RuleSet") -> Iterator[tuple[Place, Any]]:
    for rule in rules.rules:
        yield ("rules", rule.label, rule.lines), rule
    for flag in rules.flags:
        yield ("flags", flag.code, flag.lines), flag
    for level in rules.severity:
        yield ("severity", level.level, ()), level


def _rule_problems(key: Place, rule: Rule, rules: "RuleSet") -> Iterator[Found]:
    unknown = [n for n in rule.lines if n not in rules.lines]
    if unknown:
        what = f"{rule.label}: line {unknown[0]!r} is not described under lines"
        yield (*key, "lines"), what, choice(unknown[0], rules.lines)
    if rule.outcome not in OUTCOMES[rule.group]:
        what = f"{rule.label}: a rule of group {rule.group} cannot end as {rule.outcome}"
        fix = f"write one of {', '.join(OUTCOMES[rule.group])}, or move it to another group"
        yield (*key, "outcome"), what, fix


def _condition_problems(
    key: Place,
    name: str,
    condition: Condition,
    rules: "RuleSet",
    catalogue: Mapping[str, FactKind],
) -> Iterator[Found]:
    found = list(condition.problems(catalogue, rules.parameters))
    for at, what, fix in found:
        yield (*key, "when", *at), f"{name}: {what}", fix
    if not found:
        for fact in condition.never():
            what = f"{name}: its tests of {fact!r} contradict each other, it can never be true"
            yield (*key, "when"), what, "mend one of the tests, or write any for all"


def _unasked(
    key: Place, rule: Rule, rules: "RuleSet", catalogue: Mapping[str, FactKind]
) -> Iterator[Found]:
    for at, leaf in rule.when.walk():
        known = leaf.fact in catalogue and leaf.if_unknown == "ask"
        if known and leaf.fact not in rules.questions:
            what = f"{rule.label}: no question for fact {leaf.fact!r}"
            yield (*key, "when", *at), what, f"add {leaf.fact}: {{zh: …, en: …}} under questions"


def _text_problems(rules: "RuleSet", catalogue: Mapping[str, FactKind]) -> Iterator[Found]:
    known = set(catalogue) | set(rules.parameters) | BUILT_IN_NAMES
    texts: list[tuple[Place, Text]] = []
    for key, part in _parts(rules):
        if not isinstance(part, Severity):
            every = {n: getattr(part, n, None) for n in ("sentence", "question", "confirming")}
            texts += [((*key, name), text) for name, text in every.items() if text is not None]
    texts += [(("undecided",), rules.undecided)]
    texts += [(("questions", n), t) for n, t in rules.questions.items()]
    texts += [
        (("lines", n, "fallback_sentence"), x.fallback_sentence) for n, x in rules.lines.items()
    ]
    notes = [(n, x.note) for n, x in rules.lines.items() if x.note is not None]
    texts += [(("lines", n, "note", "sentence"), note.sentence) for n, note in notes]
    for at, text in texts:
        for name in sorted(set(text.names()) - known):
            yield at, f"the text names {name!r}, which is no fact", choice(name, sorted(known))
    for name in rules.questions:
        if name not in catalogue:
            what = f"question about {name!r}, which is no fact"
            yield ("questions", name), what, choice(name, catalogue)


def _list_problems(rules: "RuleSet") -> Iterator[Found]:
    """Yield entries of list parameters that no rule and no layer knows."""
    conditions = [part.when for _, part in _parts(rules)]
    asked = {leaf.has for c in conditions for _, leaf in c.walk() if leaf.has}
    known = sorted(asked | set(roles()))
    for name, parameter in rules.parameters.items():
        values = parameter.value if isinstance(parameter.value, tuple) else ()
        for value in values:
            if value not in known:
                at = ("parameters", name, "value")
                yield at, f"parameter {name!r} holds the unknown {value!r}", choice(value, known)


def _formula_problems(rules: "RuleSet", catalogue: Mapping[str, FactKind]) -> Iterator[Found]:
    areas = [n for n, fact in catalogue.items() if fact.kind == "area"]
    for fact in rules.priority.mu_weights:
        if fact not in areas:
            at = ("priority", "mu_weights", fact)
            yield at, f"priority weighs {fact!r}, which is no area", choice(fact, areas)
    numbers = rules.indicators
    if numbers.line not in rules.lines:
        what = f"indicators are of the line {numbers.line!r}, which is not described"
        yield ("indicators", "line"), what, choice(numbers.line, rules.lines)
    for key in ("alert_ratio", "alert_area", "alert_needs_area"):
        name = getattr(numbers, key)
        if name not in rules.parameters:
            what = f"indicators name the unknown parameter {name!r}"
            yield ("indicators", key), what, choice(name, rules.parameters)
