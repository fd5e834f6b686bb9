"""Explanations: every text of the casebook in both languages, with its numbers."""

import datetime as dt
import re

import pytest

from clues.explain import explanation, questions, reason, reasons_and_questions
from clues.judge import judge_line
from clues.judgement import judge_patches
from clues.kleene import UNKNOWN
from clues.wording import fact_text
from configs.errors import InputError
from tests.clues.casebook import cases, rule_set, shipped, table
from tests.clues.made import onemap_of, patch, patches_of, rectangle

ALL = cases()
CJK = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
WORD = re.compile(r"[a-z]{2,}")
NONE_SAID = {
    "zh": re.compile("无[^。；]*(批文|采矿权)"),
    "en": re.compile(r"\bno (approval|mining)"),
}
LEFT_OVER = re.compile(r"[{}]|None|nan|inf\b")


def judged(case, **facts):
    own = case | {"facts": case["facts"] | facts}
    return judge_line(table(own["facts"]), rule_set(own), own["line"])


def named(name: str):
    return next(c for c in ALL if c["name"] == name)


@pytest.mark.parametrize("case", ALL, ids=lambda c: f"{c['line']}: {c['name']}")
def test_each_language_keeps_to_itself(case):
    rules, trace = rule_set(case), judged(case).trace(0)
    zh = [reason(trace, rules, "zh"), *questions(trace, rules, "zh")]
    en = [reason(trace, rules, "en"), *questions(trace, rules, "en")]
    full_zh, full_en = (explanation(trace, rules, lang) for lang in ("zh", "en"))
    body = [x for x in full_zh.splitlines() if not x.startswith("规则集")]
    assert not WORD.findall("".join([*zh, *body]))
    assert not CJK.findall("".join([*en, full_en]))
    assert not LEFT_OVER.findall("".join([*zh, *en, full_zh, full_en]))
    for language, text in (("zh", zh), ("en", en)):
        reasons, asked = reasons_and_questions(judged(case), language)
        assert [reasons[0], *asked[0]] == text
    assert bool(case["expect"]["outcome"] == "unresolved") <= bool(questions(trace, rules, "zh"))


@pytest.mark.parametrize("case", ALL, ids=lambda c: f"{c['line']}: {c['name']}")
def test_a_reason_holds_the_value_of_every_deciding_fact(case):
    decisions = judged(case)
    trace, rules, way = decisions.trace(0), rule_set(case), decisions[0]
    for language in ("zh", "en"):
        text = reason(trace, rules, language)
        if way.by_fallback or not way.deciders:
            continue
        for step in way.steps:
            if step.rule in way.deciders:
                told = [leaf for leaf, bare, taken in step.leaves if leaf.fact and bare == taken]
                for leaf in told:
                    for name in {leaf.fact, leaf.than or leaf.fact}:
                        value = fact_text(name, trace["facts"][name], language)
                        none = value == "0.00 %" and leaf.op == "=" and leaf.value == 0
                        said = NONE_SAID[language].search(text) if none else None
                        assert value in text or said, leaf
    if not way.deciders:
        asked = {leaf.fact for s in way.steps for leaf, _, taken in s.leaves if taken == UNKNOWN}
        assert asked
        assert len(questions(trace, rules, "zh")) >= 1


def test_severity_and_priority_stand_in_the_explanation():
    case = named("nothing at all") | {"set": {}}
    trace = judged(case, pbf_area="3334 m2", cropland_area="3000 m2").trace(0)
    zh, en = (explanation(trace, rule_set(case), x) for x in ("zh", "en"))
    assert "严重程度：4 级 达到移送标准（占永久基本农田面积：3334.00 m²（5.00 亩）" in zh
    assert "优先级：4550 = 1 × (1000 × 4 + 100 × 占永久基本农田面积 5.00 亩" in zh
    assert "Severity: level 4, at the transfer threshold (basic farmland taken: 3334.00 m²" in en


def test_the_sentence_of_an_approval():
    decision = judged(
        named("approved and supplied"),
        area="3600 m2",
        approval_before_documents=(("A2", "2025-01-10"),),
        supply_before_documents=(("G2", "2025-02-01"),),
    )
    rules = shipped("cn-land")
    assert reason(decision.trace(0), rules, "zh").startswith(
        "地块 P1 面积 3600.00 m²（5.40 亩），批文 A2（2025-01-10）覆盖 100.00 %，"
        "早于前时相 2025-03-05。供地 G2（2025-02-01）覆盖 100.00 %，早于前时相 2025-03-05。"
    )
    assert reason(decision.trace(0), rules, "en").startswith(
        "Parcel P1 covers 3600.00 m² (5.40 mu); approval A2 (2025-01-10) covers 100.00 %, "
        "dated before the earlier image of 2025-03-05."
    )


def test_mu_are_rounded_half_up_from_the_unrounded_area():
    assert fact_text("area", {"value": 15000}, "zh") == "150.00 m²（0.23 亩）"
    assert fact_text("area", {"value": 15000}, "en") == "150.00 m² (0.23 mu)"


@pytest.mark.parametrize(
    ("name", "entry", "zh", "en"),
    [
        ("approval_before_share", {"low": 0.4, "high": 1.0}, "40.00 % – 100.00 %", None),
        ("approval_before_share", {"low": 0.0, "high": None}, "未知", "unknown"),
        ("temporary_end", {"low": "2025-04-30", "high": None}, "至少 2025-04-30", None),
        ("temporary_end", {"low": None, "high": "2025-04-30"}, None, "at most 2025-04-30"),
        ("built", {"low": False, "high": True}, "未知", "unknown"),
        ("use", {"value": "pond"}, "坑塘水面", "pond"),
        ("mean_width", {"value": 4.0}, "4.00 m", "4.00 m"),
        ("approval_before_documents", {"value": []}, "无", "none"),
        (
            "approval_before_documents",
            {"value": [["冀政 1 号", "2025-01-10"], ["B", ""]]},
            "冀政 1 号（2025-01-10）、B",
            "冀政 1 号 (2025-01-10), B",
        ),
    ],
)
def test_wording_of_facts(name, entry, zh, en):
    for language, expected in (("zh", zh), ("en", en)):
        if expected is not None:
            assert fact_text(name, entry, language) == expected


def test_assumptions_are_said():
    trace = judged(named("no road network given is assumed outside")).trace(0)
    rules = shipped("cn-land")
    assert "无资料，推定与路网重叠占比：小于 50.00 %；服务农业生产：是。" in reason(
        trace, rules, "zh"
    )
    assert "Assumed, as no data says otherwise" in reason(trace, rules, "en")


def test_no_assumption_is_said_of_what_did_not_decide():
    trace = judged(named("nothing at all")).trace(0)
    assert "推定" not in reason(trace, shipped("cn-land"), "zh")


def test_an_open_finding_asks_what_is_missing_and_why():
    trace = judged(named("approval dated between the images cannot be told")).trace(0)
    asked = questions(trace, shipped("cn-land"), "zh")
    assert asked[0].startswith("是否有动工之前的用地批文？")
    assert "日期缺失或介于两期影像之间" in asked[0]
    assert "L1 合法·农转用批文" in reason(trace, shipped("cn-land"), "zh")


def test_the_redline_asks_for_its_opinion():
    trace = judged(named("rural road of 2 m"), redline_area="320 m2").trace(0)
    assert questions(trace, shipped("cn-land"), "zh") == ["缺少有限人为活动认定意见。"]


def test_full_explanation_goes_through_the_rules_in_order():
    text = explanation(judged(named("outside the approval")).trace(0), shipped("cn-land"), "en")
    codes = re.findall(r"^  ([A-Z]+\d+) ", text, flags=re.MULTILINE)
    groups = [c[0] for c in codes if c != "V7"]  # faulty papers stand before the lawful grounds
    assert codes[0] == "F1"
    assert groups == sorted(groups, key="FNLOV".index)
    assert "V4 more land used than approved: holds" in text


def test_the_fallback_says_that_nothing_held():
    case = named("6 m² outside are tolerated by V9")
    text = explanation(judged(case).trace(0), shipped("cn-land"), "zh")
    assert "以上各条均不成立，按 V1 处理。" in text


def test_what_the_sentence_says_is_missing_is_not_told_again_in_numbers():
    trace, rules = judged(named("nothing at all")).trace(0), shipped("cn-land")
    zh, en = (reason(trace, rules, language) for language in ("zh", "en"))
    assert "无批文或临时用地许可涉及该图斑，也无用地申请" in zh
    assert "no approval or temporary permit touches the patch, and no application" in en
    assert "另据" not in zh
    assert "Also:" not in en
    assert "等于 0.00 %" in explanation(trace, rules, "zh")


def test_an_approval_after_the_images_is_named_and_does_not_count():
    case = named("nothing at all") | {"set": {}}
    late = {"approval_late_share": 0.9912, "approval_late_documents": (("A9", "2025-08-01"),)}
    decisions, rules = judged(case, **late), shipped("cn-land")
    trace = decisions.trace(0)
    assert (
        "批文 A9（2025-08-01）覆盖 99.12 %，但晚于后时相 2025-06-12，不作为合法依据。"
    ) in reason(trace, rules, "zh")
    assert (
        "Approval A9 (2025-08-01) covers 99.12 % but is dated after the later image of 2025-06-12: "
        "it does not count."
    ) in reason(trace, rules, "en")
    assert reasons_and_questions(decisions, "zh")[0] == [reason(trace, rules, "zh")]
    lawful = judged(named("approved and supplied"), **late)
    assert "A9" not in reason(lawful.trace(0), rules, "zh")
    assert "A9" not in reason(judged(case).trace(0), rules, "zh")


@pytest.mark.parametrize(
    ("day", "is_told"), [("2025-06-13", True), ("2025-06-12", False), (None, False)]
)
def test_only_what_is_later_than_the_image_for_certain_is_named(day, is_told):
    shape = rectangle(0, 0, 60, 60)
    date = None if day is None else dt.date.fromisoformat(day)
    layers = {"approval": [("A9", shape, {"number": "A9", "date": date})]}
    found = judge_patches(patches_of([patch(shape)]), onemap_of(layers), shipped("cn-land"))
    (text,) = found.findings["reason_zh"]
    assert ("批文 A9（2025-06-13）覆盖 100.00 %，但晚于后时相 2025-06-12" in text) == is_told


def test_another_rule_set_is_refused():
    trace = judged(named("nothing at all")).trace(0)
    with pytest.raises(InputError, match="was judged by cn-land"):
        explanation(trace, shipped("cn-hebei-2026"), "zh")
