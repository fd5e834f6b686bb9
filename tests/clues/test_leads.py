"""Leads of people: joined to a clue, opening a dismissed patch again, or a clue of their own."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
import shapely

from clues.explain import explanation
from clues.judgement import judge_patches
from clues.rejudge import rejudge
from clues.store.repository import Store
from configs.errors import ConfigError
from configs.rules import load_rules
from tests.clues.casebook import shipped
from tests.clues.made import X, Y, layer, onemap_of, patch, patches_of, rectangle

DAY = dt.date(2025, 6, 20)
LAND = ("D1", rectangle(-2000, -2000, 3000, 3000))
LANDUSE = [(*LAND, {"category": "agricultural", "group": "cropland", "code": "0103"})]
APPROVED = ("A1", rectangle(300, 0, 360, 60), {"number": "A1", "date": dt.date(2024, 1, 1)})
CLUE, LEGAL, SMALL = (
    rectangle(0, 0, 60, 60),
    rectangle(300, 0, 360, 60),
    rectangle(600, 0, 610, 10),
)


def lead(name, x, y, **fields):
    place = shapely.Point(X + x, Y + y)
    told = {"id": name, "number": name, "channel": "12336", "date": DAY, "text": "村东建房。"}
    return name, fields.pop("place", place), told | fields


def world(*leads):
    return onemap_of({"landuse": LANDUSE, "approval": [APPROVED], "lead": list(leads)})


def judged(*leads, onemap=None, rules="cn-land"):
    patches = patches_of([patch(CLUE), patch(LEGAL), patch(SMALL)])
    patches["county_name"], patches["confidence"] = "示例县", np.int64(-1)
    return judge_patches(patches, onemap or world(*leads), shipped(rules))


def only(judgement):
    (row,) = judgement.leads.to_dict("records")
    return row


def test_without_leads_nothing_is_added():
    found = judged(onemap=onemap_of({"landuse": LANDUSE, "approval": [APPROVED]}))
    assert len(found.leads) == 0
    assert found.patches["disposition"].tolist() == ["clue", "dismissed", "dismissed"]
    assert set(found.patches["origin"]) == {"image"}
    assert set(found.findings["line"]) == {"land"}


def test_a_hotline_point_at_15_m_supports_the_clue():
    found = judged(lead("H1", 75, 30))
    row = only(found)
    assert (row["relation"], row["patch_id"], row["distance_m"]) == ("attached", "P1", 15.0)
    assert (found.patches["disposition"] == "clue").sum() == 1
    assert len(found.findings) == 3
    for part in ("12336举报", "H1", "2025-06-20", "15.00 m", "50.00 m", "村东建房"):
        assert part in row["reason_zh"]
    assert "15.00 m" in row["reason_en"]
    assert not [c for c in row["reason_en"] if "\u4e00" <= c <= "\u9fff"]


@pytest.mark.parametrize(("x", "relation"), [(110.0, "attached"), (110.001, "opened")])
def test_the_edge_of_the_distance(x, relation):
    assert only(judged(lead("H1", x, 30)))["relation"] == relation


@pytest.mark.parametrize(
    ("day", "relation"),
    [
        (dt.date(2024, 12, 5), "attached"),
        (dt.date(2024, 12, 4), "opened"),
        (dt.date(2026, 6, 12), "attached"),
        (dt.date(2026, 6, 13), "opened"),
    ],
)
def test_the_edges_of_the_time(day, relation):
    row = only(judged(lead("H1", 75, 30, date=day)))
    assert row["relation"] == relation
    if relation == "opened":
        assert "最近图斑 P1 距 15.00 m" in row["reason_zh"]


def test_a_lead_without_a_day_is_attached_and_asks():
    row = only(judged(lead("H1", 75, 30, date=None)))
    assert (row["relation"], row["in_time"]) == ("attached", "unknown")
    assert "无日期" in row["question_zh"]
    assert "has no date" in row["question_en"]


def test_a_far_lead_is_a_clue_of_its_own_without_area():
    found = judged(lead("H1", 1500, 30))
    row, own = only(found), found.patches.iloc[-1]
    assert row["relation"] == "opened"
    assert own["patch_id"] == row["patch_id"] == row["lead_id"]
    assert (own["origin"], own["disposition"], own["outcome"]) == ("lead", "clue", "unresolved")
    assert own["area_dm2"] == 0
    assert own["rule"] == "XS1"
    assert own.geometry.area == pytest.approx(np.pi * 50**2, rel=0.01)
    finding = found.findings.iloc[-1]
    assert (finding["line"], finding["outcome"], finding["area_dm2"]) == ("lead", "unresolved", 0)
    assert "H1" in finding["questions_zh"]
    plain = judged(onemap=onemap_of({"landuse": LANDUSE, "approval": [APPROVED]}))
    assert found.indicators["totals_m2"] == plain.indicators["totals_m2"]


def test_a_stated_radius_and_an_outline_are_its_place():
    own = judged(lead("H1", 1500, 30, radius_m=200.0)).patches.iloc[-1]
    assert own.geometry.area == pytest.approx(np.pi * 200**2, rel=0.01)
    outline = rectangle(1500, 0, 1600, 50)
    found = judged(lead("H1", 0, 0, place=outline))
    assert found.patches.iloc[-1].geometry.equals(outline)
    assert "按反映范围" in only(found)["reason_zh"]


def test_a_stated_radius_reaches_as_far():
    assert only(judged(lead("H1", -140, 30, radius_m=139.9)))["relation"] == "opened"
    assert only(judged(lead("H1", -140, 30, radius_m=140.0)))["relation"] == "attached"


def test_documents_at_the_place_of_a_lead_are_listed():
    found = judged(lead("H1", 0, 0, place=rectangle(350, 300, 370, 320)))
    assert not (found.coverage["line"] == "lead").any()
    late = dt.date(2020, 1, 1)
    found = judged(lead("H1", 0, 0, place=rectangle(350, 0, 370, 20), date=late))
    own = found.coverage[found.coverage["line"] == "lead"].iloc[0]
    assert (own["key"], own["area_dm2"], own["share"]) == ("approval:A1", 20_000, 0.5)
    assert found.findings.iloc[-1]["documents"] == "approval:A1"


@pytest.mark.parametrize(("x", "patch_id"), [(330, "P2"), (620, "P3")])
def test_a_lead_opens_a_dismissed_patch_again(x, patch_id):
    found = judged(lead("H1", x, 5))
    row = only(found)
    assert (row["relation"], row["patch_id"]) == ("reopened", patch_id)
    own = found.patches.set_index("patch_id").loc[patch_id]
    assert (own["disposition"], own["outcome"], own["rule"]) == ("clue", "unresolved", "XS2")
    lines = found.findings[found.findings["patch_id"] == patch_id]
    assert lines["line"].tolist() == ["land", "lead"]
    assert set(lines["area_dm2"]) == {own["area_dm2"]}
    assert lines["cropland_dm2"].nunique() == 1
    assert lines["outcome"].iloc[0] in ("legal", "below_threshold")


def test_the_patch_it_lies_on_then_a_clue_then_the_nearest():
    clue = patch(rectangle(0, 0, 60, 60))
    near = patch(rectangle(70, 0, 80, 10))
    patches = patches_of([clue, near])
    patches["county_name"], patches["confidence"] = "示例县", np.int64(-1)

    def joined(x):
        return only(judge_patches(patches, world(lead("H1", x, 5)), shipped("cn-land")))

    assert (joined(69)["patch_id"], joined(69)["relation"]) == ("P1", "attached")
    assert (joined(75)["patch_id"], joined(75)["relation"]) == ("P2", "reopened")
    assert joined(115)["patch_id"] == "P2"


def test_equally_near_clues_go_by_their_order():
    patches = patches_of([patch(rectangle(100, 0, 140, 40)), patch(rectangle(0, 0, 40, 40))])
    patches["county_name"], patches["confidence"] = "示例县", np.int64(-1)
    for leads in (
        (lead("H1", 70, 20), lead("H2", 70, 20)),
        (lead("H2", 70, 20), lead("H1", 70, 20)),
    ):
        found = judge_patches(patches, world(*leads), shipped("cn-land"))
        assert set(found.leads["patch_id"]) == {"P1"}


def test_leads_beside_each_other_make_one_clue():
    first = lead("H1", 1500, 30)
    second = lead("W2", 1540, 30, channel="网站", date=dt.date(2025, 7, 1))
    third = lead("X3", 1595, 30, channel="信访", date=dt.date(2025, 7, 2))
    found = judged(third, second, first)
    table = found.leads.set_index("number")
    assert table["relation"].to_dict() == {"H1": "opened", "W2": "attached", "X3": "opened"}
    assert table.loc["W2", "patch_id"] == table.loc["H1", "lead_id"]
    assert (found.patches["origin"] == "lead").sum() == 2


def test_the_order_of_leads_does_not_matter():
    leads = [lead("H1", 75, 30), lead("H2", 1500, 0), lead("H3", 330, 5), lead("H4", 1520, 0)]
    one, other = judged(*leads), judged(*leads[::-1])
    pd.testing.assert_frame_equal(one.leads, other.leads)
    pd.testing.assert_frame_equal(one.findings, other.findings)


def test_a_lead_polygon_does_not_cut_patches():
    found = judged(lead("H1", 0, 0, place=rectangle(20, 20, 40, 40)))
    row = only(found)
    assert (row["relation"], row["distance_m"]) == ("attached", 0.0)
    plain = judged(onemap=onemap_of({"landuse": LANDUSE, "approval": [APPROVED]}))
    pd.testing.assert_frame_equal(found.findings, plain.findings)


def test_the_same_in_degrees():
    onemap = onemap_of(
        {"landuse": LANDUSE, "approval": [APPROVED], "lead": [lead("H1", 75, 30)]}, "EPSG:4490"
    )
    patches = patches_of([patch(CLUE)], "EPSG:4490")
    patches["county_name"], patches["confidence"] = "示例县", np.int64(-1)
    row = only(judge_patches(patches, onemap, shipped("cn-land")))
    assert row["distance_m"] == pytest.approx(15.0, abs=0.002)


def test_explanation_of_what_a_lead_keeps_open():
    found = judged(lead("H1", 330, 5))
    trace = json.loads(found.findings[found.findings["line"] == "lead"]["trace"].iloc[0])
    for language, word in (("zh", "合法"), ("en", "lawful")):
        text = explanation(trace, shipped("cn-land"), language)
        assert word in text
        assert "H1" in text
        assert "500 = 0.5 × (1000 × 1)" in text


def test_rules_without_leads_refuse_a_layer_of_leads():
    rules = shipped("cn-land").model_copy(update={"leads": None})
    patches = patches_of([patch(CLUE)])
    patches["confidence"] = np.int64(-1)
    with pytest.raises(ConfigError, match="does not say how to join"):
        judge_patches(patches, world(lead("H1", 75, 30)), rules)


def test_a_wrong_name_in_a_sentence_is_refused_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "version: 1\nname: mine\ntitle: {zh: 甲, en: mine}\nextends: cn-land\n"
        "leads:\n  within: lead_distance\n  days_before: lead_days_before\n"
        "  days_after: lead_days_after\n  radius: lead_radius\n"
        '  attached: {zh: "{wher}", en: x}\n  joined: {zh: 甲, en: x}\n'
        "  undated: {zh: 甲, en: x}\n"
        "  reopened: {code: X2, sentence: {zh: 甲, en: x}, question: {zh: 甲, en: x}}\n"
        "  opened: {code: X1, sentence: {zh: 甲, en: x}, question: {zh: 甲, en: x}}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match="'wher'") as error:
        load_rules(str(path))
    assert "mine.yaml, line 5" in str(error.value)


def test_judging_again_joins_leads_again():
    old = world(lead("H1", 75, 30), lead("H2", 1500, 0))
    new = world(lead("H1", 75, 30), lead("H2", 330, 5), lead("H3", 1600, 0))
    first = judged(onemap=old)
    again = rejudge(first, old, new, shipped("cn-land"))
    fresh = judged(onemap=new)
    assert not again.touched.any()
    pd.testing.assert_frame_equal(again.judgement.leads, fresh.leads)
    assert again.judgement.patches["patch_id"].tolist() == fresh.patches["patch_id"].tolist()
    assert again.judgement.findings["rule"].tolist() == fresh.findings["rule"].tolist()


def test_a_number_names_a_lead_wherever_it_stands():
    one = only(judged(lead("H1", 1500, 30)))["lead_id"]
    two = judged(lead("A0", 1900, 30), lead("H1", 1500, 30)).leads.set_index("number")
    assert two.loc["H1", "lead_id"] == one
    assert layer("lead", []).table.empty


def test_the_store_keeps_each_lead_once(tmp_path):
    from tests.clues.test_store import record

    found = judged(lead("H1", 75, 30), lead("H2", 1500, 0))
    patches = found.patches.assign(
        source_id="",
        anchor_row=range(len(found.patches)),
        anchor_col=0,
        n_pixels=0,
        lon=0.0,
        lat=0.0,
    )
    store = Store.at(tmp_path / "clues.sqlite")
    first = store.register(record("one"), patches, found.findings, found.leads)
    again = store.register(record("two"), patches, found.findings, found.leads)
    assert first == again
    assert len(first) == 2
    assert store.counts()["leads"] == 2
    with store.transaction() as connection:
        linked = connection.exec_driver_sql(
            "select l.number, l.relation, c.object_id from leads l join clues c on c.id = l.clue_id"
            " order by l.number"
        ).all()
    store.close()
    own = found.leads.set_index("number").loc["H2", "lead_id"]
    assert [tuple(r) for r in linked] == [("H1", "attached", "P1"), ("H2", "opened", own)]
