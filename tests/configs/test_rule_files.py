"""Rule files that cannot work: each is refused with what, file, line and remedy."""

import pytest

from clues.catalogue import catalogue
from configs.errors import ConfigError
from configs.rules import load_rules

BASE = """version: 1
name: mine
title: {zh: 我的, en: mine}
extends: cn-land
"""
RULE = """  - code: X1
    lines: [land]
    group: O
    outcome: other
    name: {zh: 甲, en: a}
    when: %s
    sentence: {zh: "地块 {parcel} {area}。", en: "Parcel {parcel} {area}."}
"""


def rule(when: str = "{fact: built}") -> str:
    return BASE + "rules:\n" + RULE % when


REFUSED = {
    "a rule twice": (
        rule() + RULE % "{fact: linear}", "X1 stands twice on line land", 13, "variant"),
    "itself as its base": (BASE.replace("cn-land", "x.yaml"), "x.yaml → x.yaml", 4, "circle"),
    "a base with a typo": (BASE.replace("cn-land", "cn-lnad"), "'cn-lnad'", 4, "'cn-land'"),
    "a missing base": (BASE.replace("cn-land", "no.yaml"), "'no.yaml'", 4, "check the path"),
    "a length for an area": (
        rule('{fact: area, op: "<", value: 5, unit: m}'), "compared with 5 m", 11, "m2 | mu | ha"),
    "no unit": (rule('{fact: area, op: "<", value: 5}'), "compared with 5", 11, "m2 | mu | ha"),
    "an unknown unit": (
        rule('{fact: area, op: "<", value: 5, unit: acres}'), "'acres' must be", 11, "mend"),
    "a negative share": (BASE + "settings: {tau: -0.2}\n", "-0.2 is no share", 5, "unit share"),
    "percent for a share": (BASE + "settings: {tau: 95}\n", "95 is no share", 5, "unit share"),
    "percent in a test": (
        rule('{fact: village_share, op: ">", value: 95}'), "95 is no share", 11, "mend"),
    "a negative area": (
        BASE + "settings: {min_area_built: -1}\n", "-1 is negative", 5, "unit m2"),
    "no number": (BASE + "settings: {tau: .nan}\n", "nan is no number", 5, "unit share"),
    "a word for a number": (BASE + "settings: {tau: high}\n", "'high' does not fit", 5, "share"),
    "a number for a switch": (
        BASE + "settings: {require_supply: 3}\n", "3 does not fit", 5, "unit switch"),
    "an unknown setting": (BASE + "settings: {tua: 0.9}\n", "settings names 'tua'", 5, "'tau'"),
    "an unknown ground": (
        BASE + "settings: {grounds: [aproval]}\n", "unknown 'aproval'", 5, "'approval'"),
    "a rule to drop that is not there": (BASE + "drop: [V99]\n", "drop names 'V99'", 5, "'V9'"),
    "a line to keep that is not there": (
        BASE + "only: [lnad]\n", "only names 'lnad'", 5, "'land'"),
    "a line with a typo": (
        rule().replace("lines: [land]", "lines: [lnad]"), "line 'lnad'", 7, "'land'"),
    "a day that does not exist": (
        rule('{fact: after, op: "<", value: 2025-02-30}'), "2025-02-30 is no date", 11, "mend"),
    "a date against an area": (
        rule('{fact: after, op: "<", than: area}'), "'after' (date) is compared with 'area' (area)",
        11, "kind date"),
    "an unknown fact": (rule("{fact: bulit}"), "unknown fact 'bulit'", 11, "'built'"),
    "no sentence": (
        rule().rpartition("    sentence")[0], "sentence: is missing", 6, "mend"),
    "no English sentence": (
        rule().replace(', en: "Parcel {parcel} {area}."', ""), "en: is missing", 12, "mend"),
    "a key with a typo": (
        rule().replace("outcome:", "outcom:"), "'rules.0.outcom'", 6, "'outcome'"),
    "an operator with a typo": (
        rule('{fact: area, op: "=<", value: 5, unit: mu}'), "'=<' must be", 11, "mend"),
    "a brace left open": (rule().replace("{area}。", "{area。"), "braces do not match", 12, "mend"),
    "a form of its own": (
        rule().replace("{area}。", "{area:.2f}。"), "write {area} alone", 12, "mend"),
    "a test that contradicts another": (
        rule('{all: [{fact: built}, {fact: built, op: "=", value: false}]}'),
        "'built' contradict each other", 11, "any for all"),
    "an area below nothing": (
        rule('{fact: area, op: "<", value: 0, unit: m2}'), "can never be true", 11, "mend"),
    "two uses at once": (
        rule('{all: [{fact: use, op: "=", value: road}, {fact: use, op: "=", value: pond}]}'),
        "'use' contradict each other", 11, "any for all"),
    "lawful at the end": (
        rule().replace("group: O", "group: V").replace("outcome: other", "outcome: legal"),
        "group V cannot end as legal", 9, "suspected, unresolved"),
    "a weight of no area": (
        BASE + "priority: {mu_weights: {aera: 3}, outcome_factors: {suspected: 1}}\n",
        "'aera', which is no area", 5, "'area'"),
    "a question about nothing": (
        BASE + "questions: {aera: {zh: 几, en: what}}\n", "'aera', which is no fact", 5, "'area'"),
    "a key twice": (BASE + "name: again\n", "'name' stands twice", 5, "mend"),
    "a tab": (BASE + "rules:\n\t- code: X1\n", "cannot start any token", 6, "not with tabs"),
    "an anchor in itself": ("a: &x {b: *x}\n", "reference to itself", 1, "mend"),
    "a call": (
        'version: !!python/object/apply:os.system ["true"]\n', "could not determine", 1, "mend"),
    "text": ("words\n", "holds no mapping", 0, "key: value"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_work_is_refused(tmp_path, name):
    text, what, line, fix = REFUSED[name]
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_rules(str(path), catalogue())
    error = caught.value
    assert what in error.what
    assert error.where == (f"{path}, line {line}" if line else str(path))
    assert fix in error.fix


@pytest.mark.parametrize(
    ("raw", "what", "line"),
    [
        (BASE.encode("gb18030"), "looks like GBK", 3),
        (BASE.encode("utf-16"), "looks like UTF-16", 1),
        (BASE.encode() + b"\x00", "control characters", 5),
        (BASE.encode() + b"# \xff\xff\n", "not UTF-8 text", 5),
    ],
)
def test_a_file_in_another_encoding_is_refused(tmp_path, raw, what, line):
    path = tmp_path / "x.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=what) as caught:
        load_rules(str(path))
    assert caught.value.where == f"{path}, line {line}"


@pytest.mark.parametrize(
    "raw", [b"\xef\xbb\xbf" + BASE.encode(), BASE.replace("\n", "\r\n").encode()]
)
def test_a_file_from_windows_is_read(tmp_path, raw):
    path = tmp_path / "x.yaml"
    path.write_bytes(raw)
    assert load_rules(str(path), catalogue()).name == "mine"


def test_a_circle_of_two_files_is_refused_where_it_closes(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        text = BASE.replace("cn-land", f"{other}.yaml").replace("mine", name)
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.yaml → b\.yaml → a\.yaml") as caught:
        load_rules(str(tmp_path / "a.yaml"))
    assert caught.value.where == f"{tmp_path / 'b.yaml'}, line 4"


def test_a_threshold_of_nothing_turns_a_flag_off(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(BASE + "settings: {redline_buffer: 0}\n", encoding="utf-8")
    assert load_rules(str(path), catalogue()).number("redline_buffer") == 0
