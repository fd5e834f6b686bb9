"""Rule sets: the shipped ones are whole, a broken one is refused with file, line and remedy."""

import json
import re

import pytest

from clues.catalogue import catalogue
from configs.conditions import Condition, to_base
from configs.errors import ConfigError
from configs.loading import available
from configs.rules import load_rules
from configs.vocabulary import Outcome
from tests.clues.casebook import cases, shipped

MINIMAL = """\
version: 1
name: mine
title: {zh: 规则, en: rules}
extends: cn-land
rules:
  - code: V13
    lines: [land]
    group: V
    outcome: suspected
    name: {zh: 储备土地违规侵占, en: encroachment on reserve land}
    when: {fact: reserve_area, op: ">", param: flag_area}
    sentence: {zh: "占储备土地 {reserve_area}。", en: "Reserve land taken: {reserve_area}."}
"""


def written(tmp_path, text: str):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(tmp_path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_rules(written(tmp_path, text), catalogue())
    return caught.value


@pytest.mark.parametrize("name", available("rules"))
def test_shipped_rule_sets_are_whole(name):
    rules = shipped(name)
    assert rules.check(catalogue()) is rules
    for rule in rules.rules:
        assert rule.sentence.zh.endswith("。")
        assert rule.sentence.en.endswith(".")
        assert not re.search(r"[\u3400-\u9fff]", rule.sentence.en + rule.name.en)


@pytest.mark.parametrize("outcome", ["illegal", "unlawful", "违法"])
def test_no_rule_says_what_only_a_person_may(tmp_path, outcome):
    told = refused(tmp_path, MINIMAL.replace("outcome: suspected", f"outcome: {outcome}"))
    assert "outcome" in str(told)
    assert outcome not in {o.value for o in Outcome} | {o.name_zh for o in Outcome}


def test_order_of_groups_and_of_v():
    rules = shipped("cn-land")
    order = [r.label for r in rules.group("land", "V")]
    assert order == [
        *("V8/window", "V8/late", "V9", "V10", "V12"),
        *("V11/built", "V11/pond_basic", "V11/pond"),
        *("V4", "V5", "V6", "V2", "V3", "V1"),
    ]
    assert [r.code for r in rules.group("mining", "V")] == ["M4", "M3", "M2", "M1"]


def test_parameters_in_base_units():
    rules = shipped("cn-land")
    assert rules.number("tau") == 0.95
    assert rules.number("min_area_built") == 20000
    assert rules.number("uncovered_cropland") == pytest.approx(33333.3333)
    assert to_base(1, "ha") == pytest.approx(15 * to_base(1, "mu"))


def test_hebei_extends_the_national_set():
    national, hebei = shipped("cn-land"), shipped("cn-hebei-2026")
    assert hebei.parameters["grounds"].value == ("approval", "supply", "registration")
    assert hebei.rules == national.rules
    assert hebei.digest != national.digest


def test_own_rule_set_adds_a_rule_and_drops_one(tmp_path):
    rules = load_rules(written(tmp_path, MINIMAL + "drop: [V11]\n"), catalogue())
    codes = [r.code for r in rules.group("land", "V")]
    assert "V11" not in codes
    assert codes[-1] == "V13"


def test_own_rule_replaces_the_rule_of_the_same_code_in_its_place(tmp_path):
    text = MINIMAL.replace("V13", "V9")
    rules = load_rules(written(tmp_path, text), catalogue())
    assert [r.code for r in rules.group("land", "V")][2] == "V9"
    assert rules.rule("V9", "land").name.en == "encroachment on reserve land"


def test_written_rule_set_reads_back_as_the_same(tmp_path):
    rules = shipped("cn-hebei-2026")
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(rules.as_file(), ensure_ascii=False), encoding="utf-8")
    again = load_rules(str(path), catalogue())
    assert again.as_file() == rules.as_file()
    assert again.digest == rules.digest


@pytest.mark.parametrize(
    ("old", "new", "what", "line", "fix"),
    [
        ("reserve_area, op", "reserv_area, op", "unknown fact 'reserv_area'", 11, "'reserve_area'"),
        ("flag_area}", "flag_are}", "unknown name 'flag_are'", 11, "'flag_area'"),
        ("param: flag_area", "param: tau", "is compared with 'tau' .share.", 11, "kind area"),
        ("param: flag_area", "than: before", "is compared with 'before' .date.", 11, "kind area"),
        ("param: flag_area", "value: 5", "is compared with 5", 11, "unit: m2"),
        ("param: flag_area", "value: 5, unit: m", "is compared with 5 m", 11, "unit: m2"),
        (
            "{fact: reserve_area",
            "{if_unknown: assume_true, fact: reserve_area",
            "must not be assumed",
            11,
            "remove if_unknown",
        ),
        (
            '{fact: reserve_area, op: ">", param: flag_area}',
            '{fact: use, op: "=", value: industri}',
            "no code 'industri'",
            11,
            "'industry'",
        ),
        (
            '{fact: reserve_area, op: ">", param: flag_area}',
            '{fact: built, op: ">", value: true}',
            "cannot be tested with '>'",
            11,
            "= !=",
        ),
        (
            '{fact: reserve_area, op: ">", param: flag_area}',
            "{switch: requires_supply}",
            "unknown parameter 'requires_supply'",
            11,
            "'require_supply'",
        ),
        ("{reserve_area}。", "{reserve_aria}。", "names 'reserve_aria'", 12, "'reserve_area'"),
        (
            "group: V\n    outcome: suspected",
            "group: O\n    outcome: other",
            "no question for fact 'reserve_area'",
            11,
            "under questions",
        ),
        ("group: V", "group: L", "group L cannot end as suspected", 9, "legal, unresolved"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(tmp_path, old, new, what, line, fix):
    text = MINIMAL.replace("extends: cn-land\n", "extends: cn-land\n")
    assert old in text
    error = refused(tmp_path, text.replace(old, new, 1))
    assert re.search(what, error.what)
    assert error.where.endswith(f"line {line}")
    assert fix in error.fix


def test_two_forms_in_one_condition_are_refused(tmp_path):
    text = MINIMAL.replace(
        '{fact: reserve_area, op: ">", param: flag_area}', "{fact: built, all: [{fact: linear}]}"
    )
    assert "exactly one of all, any, not, switch, fact" in refused(tmp_path, text).what


def test_missing_sentence_and_typing_errors_name_the_line(tmp_path):
    broken = "\n".join(x for x in MINIMAL.splitlines() if "sentence" not in x)
    error = refused(tmp_path, broken)
    assert "rules.0.sentence" in error.what
    assert "line 6" in error.where
    error = refused(tmp_path, MINIMAL.replace("outcome:", "outcom:"))
    assert "outcom" in error.what
    assert "'outcome'" in error.fix


def test_unknown_setting_base_and_circle_are_refused(tmp_path):
    error = refused(tmp_path, MINIMAL + "settings: {tao: 0.9}\n")
    assert "'tao'" in error.what
    error = refused(tmp_path, MINIMAL.replace("extends: cn-land", "extends: cn-lan"))
    assert "'cn-land'" in error.fix
    circle = written(tmp_path, MINIMAL.replace("extends: cn-land", "extends: mine.yaml"))
    with pytest.raises(ConfigError, match="extends itself"):
        load_rules(circle)


def test_an_incomplete_rule_set_is_refused(tmp_path):
    error = refused(tmp_path, MINIMAL.replace("extends: cn-land\n", ""))
    assert "parameters: is missing" in error.what


def test_fallback_must_be_a_rule_of_its_line(tmp_path):
    error = refused(tmp_path, MINIMAL + "drop: [V1]\n")
    assert "fallback 'V1' of line land" in error.what


def test_leaves_in_written_order():
    tree = Condition.model_validate(
        {"any": [{"fact": "built"}, {"not": {"all": [{"fact": "linear"}, {"switch": "x"}]}}]}
    )
    assert [(at, leaf.fact) for at, leaf in tree.walk()] == [
        (("any", 0), "built"),
        (("any", 1, "not", "all", 0), "linear"),
        (("any", 1, "not", "all", 1), None),
    ]


def test_casebook_speaks_of_known_facts():
    assert {f for c in cases() for f in c["facts"]} <= set(catalogue())
