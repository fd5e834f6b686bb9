"""Documents that overlap cover a place once: the sum over documents would be far too much."""

import datetime as dt

import pytest

from clues.judgement import judge_patches
from tests.clues.casebook import shipped
from tests.clues.made import onemap_of, patch, patches_of, rectangle

EARLY = dt.date(2024, 11, 20)


def approval(number: str, day: dt.date, *corners: float):
    return (number, rectangle(*corners), {"number": number, "date": day, "use": "industry"})


@pytest.fixture
def judged():
    """Judge 100 m × 100 m under approvals that cover 70 % and 53 %, 23 % of it both."""
    landuse = [("D", rectangle(-50, -50, 150, 150), {"code": "0301", "group": "forest"})]
    landuse[0][2].update(category="agricultural", scheme="sandiao", kcxs=0.0)
    papers = [
        approval("A1", EARLY, 0, 0, 70, 100),
        approval("A2", EARLY + dt.timedelta(days=30), 47, 0, 100, 100),
    ]
    onemap = onemap_of({"landuse": landuse, "approval": papers})
    return judge_patches(
        patches_of([patch(rectangle(0, 0, 100, 100), confidence=-1)]), onemap, shipped("cn-land")
    )


def test_pairs_sum_up_to_23_percent_too_much(judged):
    own = judged.coverage[judged.coverage["role"] == "approval"]
    whole = judged.patches["area_dm2"].iloc[0]
    assert own["area_dm2"].sum() / whole == pytest.approx(1.23, abs=1e-6)


def test_parcels_and_shares_count_the_overlap_once(judged):
    land = judged.findings[judged.findings["line"] == "land"]
    assert land["area_dm2"].sum() == judged.patches["area_dm2"].iloc[0] == 1_000_000
    assert judged.coverage["share"].max() <= 1.0
    assert "123" not in "".join(land["reason_en"])
    assert (land["documents"] != "").all()  # nothing of the patch is uncovered


def test_an_uncovered_rest_is_not_hidden_by_the_overlap():
    papers = [
        approval("A1", EARLY, 0, 0, 65, 100),
        approval("A2", EARLY + dt.timedelta(days=30), 42, 0, 77, 100),
    ]
    onemap = onemap_of({"approval": papers})
    table = patches_of([patch(rectangle(0, 0, 100, 100), confidence=-1)])
    found = judge_patches(table, onemap, shipped("cn-land")).findings
    land = found[found["line"] == "land"]
    bare = land[land["documents"] == ""]["area_dm2"].sum()
    assert bare == 230_000  # pair sums of exactly 100 % would leave nothing
