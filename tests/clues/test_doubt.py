"""Weak votes of imagery do not decide: the use is unknown below a limit, and asked."""

from pathlib import Path

import pytest

from clues.delivered import load_patches
from clues.judgement import judge_patches
from clues.layers import build_onemap
from configs.layers import LayersFile
from tests.clues.casebook import changed_rules, shipped
from tests.clues.test_oracle import write_county


@pytest.fixture(scope="module")
def county(oracle_dir, tmp_path_factory):
    """Return the patches of the worked county as if imagery had found them, and its One-Map."""
    path = write_county(oracle_dir, tmp_path_factory.mktemp("county"))
    file = LayersFile.load(path)
    patches, _ = load_patches(file.patches, Path(), "EPSG:4526")
    return patches, build_onemap(file, crs="EPSG:4526")


def judged(county, confidence, rules=None, **told):
    patches = county[0].copy()
    patches["confidence"] = confidence
    for name, value in told.items():
        patches[name] = value
    findings = judge_patches(patches, county[1], rules or shipped("cn-land")).findings
    return findings.set_index("parcel_id")


def test_the_limit_itself_still_decides(county):
    assert judged(county, 40).loc["P3", "rule"] == "V1"
    weak = judged(county, 39)
    row = weak.loc["P3"]
    assert (row["outcome"], row["rule"]) == ("unresolved", "U")
    assert "现状为疑似住宅" in row["reason_zh"]
    assert "used for perhaps dwelling" in row["reason_en"]
    assert "现状是什么用途？（影像判定可信度不足）" in row["questions_zh"]
    assert "(imagery tells it with too little confidence)" in row["questions_en"]


def test_papers_decide_without_imagery(county):
    weak = judged(county, 10)
    assert weak.loc["P1", "rule"] == "L1"
    assert weak.loc["P9", "rule"] == "F1"


def test_what_others_delivered_is_not_doubted(county):
    assert judged(county, -1).loc["P3", "rule"] == "V1"


def test_a_weak_pseudo_change_is_not_dismissed(county):
    told = {"change_type": "crop_rotation", "use": "cropland"}
    sure, weak = judged(county, 93, **told), judged(county, 39, **told)
    row = sure.loc["P3"]
    assert row["rules"] == "N2,N3"
    assert "或前后地类相同）：是，可信度 93.00 %，未经实地核实" in row["reason_zh"]
    assert "confidence 93.00 %, not checked in the field" in row["reason_en"]
    assert set(weak.loc[["P3", "P4_1", "P7"], "outcome"]) == {"unresolved"}


def test_the_limit_is_a_parameter(county):
    rules = shipped("cn-land")
    higher = rules.parameters["least_confidence"].model_copy(update={"value": 0.8})
    changed = changed_rules(rules, parameters=rules.parameters | {"least_confidence": higher})
    assert judged(county, 79, changed).loc["P3", "outcome"] == "unresolved"
    none = {n: p for n, p in rules.parameters.items() if n != "least_confidence"}
    assert judged(county, 1, changed_rules(rules, parameters=none)).loc["P3", "rule"] == "V1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cn-mining", {"P1": "MN1", "P9": "F1"}),
        ("cn-reserve", {"P1": "RL1", "P3": "U"}),
        ("cn-cropland-use", {"P1": "CN3", "P9": "F1"}),
        ("cn-restoration", {"P1": "U", "P9": "F1"}),
    ],
)
def test_a_line_that_takes_no_patch_says_why(county, name, expected):
    found = judged(county, -1, shipped(name))
    assert {p: found.loc[p, "rule"] for p in expected} == expected
    assert len({p.partition("_")[0] for p in found.index}) == 9
