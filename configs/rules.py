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
from configs.loading import StrictModel, available, load_model, load_preset, load_yaml
from configs.mistakes import choice, in_words
from configs.rulecheck import rule_problems
from configs.speech import PLAIN, Speech
from configs.vocabulary import Line

__all__ = ["GROUPS", "RuleSet", "load_rules"]

GROUPS = ("F", "N", "L", "O", "V")
"""Order in which the groups of a line are tried; V always ends."""
EVERY = "*"
"""Stands for every line of the rule set in `lines` of a rule or flag."""
NEEDED = ("tau", "uncovered_cropland", "outside_tolerance")
"""Parameters by which patches are divided into parcels."""


class _RuleFile(StrictModel):
    """A rule file as written; an extension names its base and what differs."""

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[\w.-]+$")
    title: Text
    extends: str | tuple[str, ...] = Field((), description="base, or bases, the later on top")
    settings: dict[str, Any] = Field({}, description="new values of the base's parameters")
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
    speech: Speech | None = None
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
    speech: Speech | None = Field(None, description="words and units of another region")
    leads: Leads | None = Field(None, description="leads of people are not used if absent")
    _places: dict[tuple[Any, ...], str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _labels_and_lines(self) -> "RuleSet":
        missing = [n for n in NEEDED if n not in self.parameters]
        if missing:
            raise ValueError(f"the parameter {missing[0]!r} is missing; parcels are cut by it")
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

    @property
    def spoken(self) -> Speech:
        """How the rule set speaks, the usual way if it says nothing."""
        return self.speech or PLAIN

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
            date, coverage or document, a text with an unknown name, a missing question, a rule
            that can never be true; with file, line and remedy of the first five.
        """
        found = list(rule_problems(self, catalogue))
        if found:
            what = "; ".join(f"{text} ({self._place(at)})" for at, text, _ in found[:5])
            fix = "; ".join(dict.fromkeys(fix for _, _, fix in found[:5]))
            raise ConfigError(what, self._place(found[0][0]), fix)
        return self

    def _place(self, at: tuple[Any, ...]) -> str:
        for n in range(len(at), 0, -1):
            if at[:n] in self._places:
                return self._places[at[:n]]
        same = [place for key, place in self._places.items() if key[:2] == at[:2]]
        return same[0] if same else f"rule set {self.name}"


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
            ".".join(str(p) for p in e["loc"]) + ": " * bool(e["loc"]) + in_words(e)
            for e in error.errors()[:5]
        ]
        what = "; ".join(problems)
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
    _require_single(file, places)
    bases = (file.extends,) if isinstance(file.extends, str) else file.extends
    if not bases:
        return own, places
    data: dict[str, Any] = {}
    base_places: dict[tuple[Any, ...], str] = {}
    for base in bases:
        more, more_places = _based(base, path, (*seen, name), places[("extends",)])
        data, base_places = (_united(data, more) if data else more), base_places | more_places
    _require_known(file, data, places)
    places |= {("parameters", n, "value"): places[("settings", n)] for n in file.settings}
    return _overlay(data, own, file, places), base_places | places


def _based(
    base: str, path: Path, seen: tuple[str, ...], place: str
) -> tuple[dict[str, Any], dict[tuple[Any, ...], str]]:
    """Return a base; one given as a file lies beside the file that names it."""
    is_file = _path(base) is not None
    name = str(path.parent / base) if is_file else base
    if name in seen:
        circle = " → ".join(Path(n).name for n in (*seen[seen.index(name) :], name))
        raise ConfigError(f"the rule set extends itself: {circle}", place, "break the circle")
    if not (Path(name).is_file() if is_file else base in available("rules")):
        remedy = "check the path" if is_file else choice(base, available("rules"))
        raise ConfigError(f"there is no rule set {base!r} to extend", place, remedy)
    return _merged(name, seen)


def _require_single(file: _RuleFile, places: dict[tuple[Any, ...], str]) -> None:
    """Raise `ConfigError` where a file gives two rules one code on one line."""
    seen: set[tuple[str, str]] = set()
    for rule in file.rules:
        twice = [line for line in rule.lines if (rule.label, line) in seen]
        if twice:
            what = f"rule {rule.label} stands twice on line {twice[0]}"
            place = places[("rules", rule.label, rule.lines)]
            raise ConfigError(what, place, "take one out, or tell them apart by `variant:`")
        seen |= {(rule.label, line) for line in rule.lines}


def _require_known(
    file: _RuleFile, data: dict[str, Any], places: dict[tuple[Any, ...], str]
) -> None:
    """Raise `ConfigError` where a file names a parameter, rule or line that its base lacks."""
    parts = [*data.get("rules", ()), *data.get("flags", ())]
    codes = [n for part in parts for n in (part["code"], _key(part)[0])]
    for key, names, known in (
        ("settings", file.settings, [*data.get("parameters", {}), *file.parameters]),
        ("drop", file.drop, codes),
        ("only", file.only, [*data.get("lines", {}), *file.lines]),
    ):
        for i, name in enumerate(names):
            if name not in known:
                place = places.get((key, name)) or places.get((key, i)) or places[(key,)]
                remedy = choice(name, sorted(set(known)))
                raise ConfigError(f"{key} names {name!r}, which the base lacks", place, remedy)


def _united(data: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return two bases as one: lines and rules of both, the second's where both have one."""
    out = data | more
    for key in ("parameters", "lines", "questions"):
        out[key] = data.get(key, {}) | more.get(key, {})
    for key in ("rules", "flags"):
        out[key] = _replaced(data.get(key, ()), more.get(key, ()), ())
    return out


def _overlay(
    base: dict[str, Any], own: dict[str, Any], file: _RuleFile, places: dict[tuple[Any, ...], str]
) -> dict[str, Any]:
    out = base | {k: v for k, v in own.items() if not isinstance(v, dict | tuple | list)}
    out["title"] = own["title"]
    for key in ("parameters", "lines", "questions", "priority", "indicators", "speech", "leads"):
        if own.get(key) is not None:
            out[key] = base.get(key, {}) | own[key]
    if "undecided" in own:
        out["undecided"] = own["undecided"]
    for name, value in file.settings.items():
        changed = out["parameters"][name] | {"value": value}
        try:
            found = Parameter.model_validate(changed)
        except ValidationError as error:
            first, unit = error.errors()[0], changed["unit"]
            unfit = f"the value {value!r} does not fit the unit {unit!r}"
            told = in_words(first) if first["type"] == "value_error" else unfit
            what, fix = f"settings.{name}: {told}", f"write a value in the unit {unit}"
            raise ConfigError(what, places[("settings", name)], fix) from error
        out["parameters"] = out["parameters"] | {name: found.model_dump()}
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
