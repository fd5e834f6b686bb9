"""Rule sets: parameters, rules as condition trees, sentences and questions in two languages."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from configs.articles import Flag, Indicators, Leads, LineRules, Priority, Rule, Severity, Text
from configs.conditions import FactKind, Parameter, to_base
from configs.errors import ConfigError
from configs.loading import StrictModel, load_model, load_preset, load_yaml
from configs.vocabulary import Line

__all__ = ["GROUPS", "RuleSet", "load_rules"]

GROUPS = ("F", "N", "L", "O", "V")
"""Order in which the groups of a line are tried; V always ends."""
EVERY = "*"
"""Stands for every line of the rule set in `lines` of a rule or flag."""
NEEDED = ("tau", "uncovered_cropland", "outside_tolerance")
"""Parameters by which patches are divided into parcels."""
BUILT_IN_NAMES = frozenset({"parcel", "patch"})


class _RuleFile(StrictModel):
    """A rule file as written; an extension names its base and what differs."""

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[\w.-]+$")
    title: Text
    extends: str | tuple[str, ...] = Field((), description="base, or bases, the later on top")
    settings: dict[str, bool | int | float | tuple[str, ...]] = Field(
        {}, description="new values of the base's parameters"
    )
    parameters: dict[str, Parameter] = Field({})
    lines: dict[str, LineRules] = Field({})
    rules: tuple[Rule, ...] = ()
    only: tuple[str, ...] = Field((), description="lines of the base to keep; all if absent")
    drop: tuple[str, ...] = Field((), description="codes or labels of rules to leave out")
    flags: tuple[Flag, ...] = ()
    questions: dict[str, Text] = Field({})
    undecided: Text | None = None
    severity: tuple[Severity, ...] = ()
    priority: Priority | None = None
    indicators: Indicators | None = None
    leads: Leads | None = None


class RuleSet(StrictModel):
    """A complete rule set; read it with `load_rules`."""

    version: Literal[1] = 1
    name: str
    title: Text
    parameters: dict[str, Parameter]
    lines: dict[str, LineRules]
    rules: tuple[Rule, ...] = Field(min_length=1)
    flags: tuple[Flag, ...] = ()
    questions: dict[str, Text] = Field({}, description="fact → what to ask where it is unknown")
    undecided: Text = Field(description="sentence of a finding that no rule could decide")
    severity: tuple[Severity, ...] = ()
    priority: Priority
    indicators: Indicators
    leads: Leads | None = Field(None, description="leads of people are not used if absent")
    _places: dict[tuple[Any, ...], str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _labels_and_lines(self) -> "RuleSet":
        missing = [n for n in NEEDED if n not in self.parameters]
        if missing:
            raise ValueError(f"the parameter {missing[0]!r} is missing; parcels are cut by it")
        for line, spec in self.lines.items():
            labels = [r.label for r in self.rules if line in r.lines]
            twice = sorted({n for n in labels if labels.count(n) > 1})
            if twice:
                raise ValueError(f"rule {twice[0]} stands twice on line {line}")
            if spec.fallback not in {r.code for r in self.rules if line in r.lines}:
                raise ValueError(f"fallback {spec.fallback!r} of line {line} is no rule of it")
        unknown = sorted({n for r in self.rules for n in r.lines} - set(self.lines))
        if unknown:
            raise ValueError(f"line {unknown[0]!r} is used by a rule but not described in lines")
        for name, unit in self._lead_units().items():
            if name not in self.parameters or self.parameters[name].unit != unit:
                raise ValueError(f"leads need the parameter {name!r} in the unit {unit}")
        return self

    def _lead_units(self) -> dict[str, str]:
        leads = self.leads
        if leads is None:
            return {}
        days = dict.fromkeys((leads.days_before, leads.days_after), "day")
        return {leads.within: "m", leads.radius: "m", **days}

    @cached_property
    def digest(self) -> str:
        """Hash of everything in the rule set."""
        text = json.dumps(self.as_file(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_file(self) -> dict[str, Any]:
        """Return the rule set as plain JSON values that `load_rules` reads back."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def group(self, line: str, group: str) -> tuple[Rule, ...]:
        """Return the rules of one group of one line in the order they are tried."""
        return tuple(r for r in self.rules if r.group == group and line in r.lines)

    def rule(self, label: str, line: str) -> Rule:
        """Return the rule of a line by its label (or code)."""
        for rule in self.rules:
            if line in rule.lines and label in (rule.label, rule.code):
                return rule
        raise KeyError(label)

    def number(self, parameter: str) -> float:
        """Return a parameter in the base unit of its kind (areas in dm²)."""
        found = self.parameters[parameter]
        if isinstance(found.value, tuple):
            raise TypeError(f"parameter {parameter!r} is a list")
        return to_base(found.value, found.unit)

    def check(self, catalogue: Mapping[str, FactKind]) -> "RuleSet":
        """Compare every condition and text with the catalogue of facts.

        Raises
        ------
        ConfigError
            On an unknown fact or parameter, a comparison across kinds, an assumption about a
            date, coverage or document, a text with an unknown name, or a missing question; with
            file, line and remedy of the first five.
        """
        found = [*self._condition_problems(catalogue), *self._text_problems(catalogue)]
        if found:
            what = "; ".join(f"{text} ({self._place(at)})" for at, text, _ in found[:5])
            raise ConfigError(what, self._place(found[0][0]), found[0][2])
        return self

    def _parts(self) -> Iterator[tuple[tuple[Any, ...], Any]]:
        for rule in self.rules:
            yield ("rules", rule.label, rule.lines), rule
        for flag in self.flags:
            yield ("flags", flag.code, flag.lines), flag
        for level in self.severity:
            yield ("severity", level.level, ()), level

    def _condition_problems(
        self, catalogue: Mapping[str, FactKind]
    ) -> Iterator[tuple[tuple[Any, ...], str, str]]:
        for key, part in self._parts():
            for at, what, fix in part.when.problems(catalogue, self.parameters):
                yield (*key, "when", *at), f"{key[1]}: {what}", fix
            if not isinstance(part, Rule) or part.group == "V":
                continue
            for at, leaf in part.when.walk():
                if leaf.fact and leaf.if_unknown == "ask" and leaf.fact not in self.questions:
                    fix = f"add {leaf.fact}: {{zh: …, en: …}} under questions"
                    what = f"{key[1]}: no question for fact {leaf.fact!r}"
                    yield (*key, "when", *at), what, fix
        for name, line in self.lines.items():
            if line.applies is not None:
                for at, what, fix in line.applies.problems(catalogue, self.parameters):
                    yield ("lines", name, "applies", *at), f"{name}: {what}", fix

    def _text_problems(
        self, catalogue: Mapping[str, FactKind]
    ) -> Iterator[tuple[tuple[Any, ...], str, str]]:
        known = set(catalogue) | set(self.parameters) | BUILT_IN_NAMES
        texts: list[tuple[tuple[Any, ...], Text]] = [
            ((*key, "sentence"), part.sentence)
            for key, part in self._parts()
            if not isinstance(part, Severity)
        ]
        texts += [
            ((*key, "question"), part.question)
            for key, part in self._parts()
            if not isinstance(part, Severity) and part.question is not None
        ]
        texts += [
            ((*key, "confirming"), part.confirming)
            for key, part in self._parts()
            if isinstance(part, Rule) and part.confirming is not None
        ]
        texts += [(("undecided",), self.undecided)]
        texts += [(("questions", n), t) for n, t in self.questions.items()]
        texts += [
            (("lines", n, "fallback_sentence"), x.fallback_sentence) for n, x in self.lines.items()
        ]
        for at, text in texts:
            for name in sorted(set(text.names()) - known):
                yield (
                    at,
                    f"the text names {name!r}, which is no fact",
                    "use a name of the catalogue",
                )
        for name in sorted(set(self.questions) - set(catalogue)):
            yield ("questions", name), f"question about {name!r}, which is no fact", "remove it"

    def _place(self, at: tuple[Any, ...]) -> str:
        for n in range(len(at), 0, -1):
            if at[:n] in self._places:
                return self._places[at[:n]]
        return f"rule set {self.name}"


def load_rules(name: str, catalogue: Mapping[str, FactKind] | None = None) -> RuleSet:
    """Read a rule set with everything it extends, and check it.

    Parameters
    ----------
    name : str
        A shipped name, such as ``cn-land``, or the path of a YAML file.
    catalogue : mapping of str to FactKind, optional
        Facts to check against; without it only the form is checked.

    Raises
    ------
    ConfigError
        With file, line and remedy.
    """
    data, places = _merged(name, ())
    data["lines"] = _in_order(data.get("lines", {}))
    everywhere = tuple(data["lines"])
    for key in ("rules", "flags"):
        data[key] = tuple(
            p | {"lines": everywhere} if EVERY in p["lines"] else p for p in data.get(key, ())
        )
    places = {
        (*at[:2], everywhere, *at[3:]) if at[2:3] == ((EVERY,),) else at: place
        for at, place in places.items()
    }
    try:
        rules = RuleSet.model_validate(data)
    except ValidationError as error:
        problems = [
            ".".join(str(p) for p in e["loc"]) + ": " * bool(e["loc"]) + e["msg"]
            for e in error.errors()[:5]
        ]
        what = "; ".join(p.removeprefix("Value error, ") for p in problems)
        raise ConfigError(what, name, "complete the rule set, or extend `cn-land`") from error
    rules._places.update(places)
    return rules.check(catalogue) if catalogue is not None else rules


def _in_order(lines: dict[str, Any]) -> dict[str, Any]:
    """Return lines in the order of the vocabulary, own lines after them."""
    known = [line.value for line in Line if line.value in lines]
    return {name: lines[name] for name in (*known, *(n for n in lines if n not in known))}


def _merged(name: str, seen: tuple[str, ...]) -> tuple[dict[str, Any], dict[tuple[Any, ...], str]]:
    """Return the plain data of a rule set on top of its base, and where each key stands."""
    if name in seen:
        raise ConfigError(f"{name!r} extends itself", " → ".join(seen), "break the circle")
    path = _path(name)
    file = load_model(_RuleFile, path) if path else load_preset(_RuleFile, "rules", name)
    path = path or Path(str(resources.files("configs"))) / "rules" / f"{name}.yaml"
    own = file.model_dump(
        by_alias=True, exclude={"extends", "settings", "drop", "only"}, exclude_unset=True
    )
    places = dict(_places(file, path))
    bases = (file.extends,) if isinstance(file.extends, str) else file.extends
    if not bases:
        return own, places
    data, base_places = _based(bases[0], path, (*seen, name))
    for base in bases[1:]:
        more, more_places = _based(base, path, (*seen, name))
        data, base_places = _united(data, more), base_places | more_places
    return _overlay(data, own, file, path), base_places | places


def _based(
    base: str, path: Path, seen: tuple[str, ...]
) -> tuple[dict[str, Any], dict[tuple[Any, ...], str]]:
    """Return a base; one given as a file lies beside the file that names it."""
    return _merged(str(path.parent / base) if base.endswith((".yaml", ".yml")) else base, seen)


def _united(data: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return two bases as one: lines and rules of both, the second's where both have one."""
    out = data | more
    for key in ("parameters", "lines", "questions"):
        out[key] = data.get(key, {}) | more.get(key, {})
    for key in ("rules", "flags"):
        out[key] = _replaced(data.get(key, ()), more.get(key, ()), ())
    return out


def _overlay(
    base: dict[str, Any], own: dict[str, Any], file: _RuleFile, path: Path
) -> dict[str, Any]:
    out = base | {k: v for k, v in own.items() if not isinstance(v, dict | tuple | list)}
    out["title"] = own["title"]
    for key in ("parameters", "lines", "questions", "priority", "indicators", "leads"):
        if own.get(key) is not None:
            out[key] = base.get(key, {}) | own[key]
    if "undecided" in own:
        out["undecided"] = own["undecided"]
    for name, value in file.settings.items():
        if name not in out["parameters"]:
            raise ConfigError(
                f"settings name the unknown parameter {name!r}", str(path), "see the base's list"
            )
        out["parameters"] = out["parameters"] | {name: out["parameters"][name] | {"value": value}}
    out["rules"] = _replaced(base.get("rules", ()), own.get("rules", ()), file.drop)
    out["flags"] = _replaced(base.get("flags", ()), own.get("flags", ()), file.drop)
    if "severity" in own:
        out["severity"] = own["severity"]
    if file.only:
        out["lines"] = {n: x for n, x in out["lines"].items() if n in file.only}
        for key in ("rules", "flags"):
            kept = [
                p | {"lines": tuple(n for n in p["lines"] if n in (*file.only, EVERY))}
                for p in out[key]
            ]
            out[key] = tuple(p for p in kept if p["lines"])
    return out


def _key(part: dict[str, Any]) -> tuple[Any, ...]:
    label = f"{part['code']}/{part['variant']}" if part.get("variant") else part["code"]
    return label, tuple(part["lines"])


def _replaced(base: Any, own: Any, drop: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    mine = {_key(p): p for p in own}
    kept = [mine.pop(_key(p), p) for p in base if not {_key(p)[0], p["code"]} & set(drop)]
    return (*kept, *mine.values())


def _path(name: str) -> Path | None:
    return Path(name) if name.endswith((".yaml", ".yml", ".json")) else None


def _places(file: _RuleFile, path: Path) -> Iterator[tuple[tuple[Any, ...], str]]:
    heads: dict[tuple[str | int, ...], tuple[Any, ...]] = {}
    for kind, parts in (("rules", file.rules), ("flags", file.flags)):
        for i, part in enumerate(parts):
            label = part.label if isinstance(part, Rule) else part.code  # type: ignore[attr-defined]
            heads[(kind, i)] = (kind, label, part.lines)  # type: ignore[attr-defined]
    for i, level in enumerate(file.severity):
        heads[("severity", i)] = ("severity", level.level, ())
    for at, line in load_yaml(path)[1].items():
        key = (*heads[at[:2]], *at[2:]) if at[:2] in heads else at
        yield key, f"{path}, line {line}"
