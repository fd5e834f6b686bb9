"""What lies near a patch, what was there before, what stands together in a filing."""

import datetime as dt

import numpy as np
import pytest
import shapely

from clues.coverage import Documents
from clues.judgement import judge_patches
from clues.nearby import filed_use
from clues.rejudge import affected, differences, rejudge, tally
from tests.clues.casebook import changed_rules, shipped
from tests.clues.made import CRS, answers, onemap_of, patch, patches_of, rectangle

LAND = {"code": "0103", "scheme": "sandiao", "category": "agricultural", "group": "cropland"}
FIELDS = ("D", rectangle(-5000, -5000, 5000, 5000), LAND)
EMPTY = {"supply": [], "temporary": [], "facility": [], "redline": [], "basic_farmland": []}


def with_parameters(name, **values):
    rules = shipped(name)
    changed = {n: rules.parameters[n].model_copy(update={"value": v}) for n, v in values.items()}
    return changed_rules(rules, parameters=rules.parameters | changed)


@pytest.mark.parametrize("crs", [CRS, "EPSG:4490"])
@pytest.mark.parametrize(("gap", "flags"), [(30, "NEAR"), (49.9, "NEAR"), (50.2, ""), (0, "")])
def test_a_redline_at_30_m_is_near_with_a_buffer_of_50_m(gap, flags, crs):
    layers = {"landuse": [FIELDS], "redline": [("r", rectangle(100 + gap, 0, 400, 100), {})]}
    patches = patches_of([patch(rectangle(0, 0, 100, 100))], crs)
    rules = with_parameters("cn-land", redline_buffer=50)
    found = judge_patches(patches, onemap_of(layers, crs), rules).findings
    assert found["flags"].tolist() == [flags]


def test_without_a_complete_redline_layer_nothing_is_said_to_be_near():
    rules = with_parameters("cn-land", redline_buffer=50)
    one = onemap_of({"landuse": [FIELDS]})
    found = judge_patches(patches_of([patch(rectangle(0, 0, 100, 100))]), one, rules).findings
    assert found["flags"].tolist() == [""]


def test_an_inside_patch_far_from_the_outline_of_a_large_redline_is_not_near():
    ring = shapely.Point(38_500_000, 4_060_000).buffer(2000, quad_segs=100)
    rules = with_parameters("cn-land", redline_buffer=50)
    layers = {"landuse": [FIELDS], "redline": [("r", ring, {})]}
    found = judge_patches(patches_of([patch(rectangle(0, 0, 100, 100))]), onemap_of(layers), rules)
    assert found.findings["flags"].tolist() == ["ECO"]


FILING = ("f", rectangle(0, 0, 100, 100), {"filed": dt.date(2025, 1, 1), "area_m2": 2400.0})


@pytest.mark.parametrize(
    ("second", "outcomes"),
    [
        ((50, 0, 70, 60), ["other O1", "other O1"]),
        ((50, 0, 70, 61), ["suspected V10", "suspected V10"]),
    ],
)
def test_all_sheds_of_a_filing_count_together(second, outcomes):
    patches = patches_of(
        [
            patch(rectangle(0, 0, 20, 60), use="livestock_shed"),
            patch(rectangle(*second), use="greenhouse"),
        ]
    )
    layers = {"landuse": [FIELDS], "approval": [], **EMPTY, "facility": [FILING]}
    for batch in (1, 2):
        found = judge_patches(patches, onemap_of(layers), shipped("cn-land"), batch=batch)
        assert answers(found) == outcomes


def test_a_house_does_not_use_up_a_filing():
    patches = patches_of(
        [
            patch(rectangle(0, 0, 20, 60), use="livestock_shed"),
            patch(rectangle(50, 0, 100, 60), use="dwelling"),
        ]
    )
    layers = {"landuse": [FIELDS], "approval": [], **EMPTY, "facility": [FILING]}
    one = onemap_of(layers)
    used = filed_use(patches, one, Documents.of(one))
    assert used.certain.max() == pytest.approx(120_000, abs=2)
    found = judge_patches(patches, one, shipped("cn-land"))
    assert answers(found) == ["other O1", "suspected V10"]


@pytest.mark.parametrize(
    ("shift", "day", "answer"),
    [
        (0, dt.date(2025, 4, 1), "non_new N4"),
        (17, dt.date(2025, 4, 1), "non_new N4"),
        (18, dt.date(2025, 4, 1), "suspected V11"),
        (0, dt.date(2025, 3, 5), "suspected V11"),
        (0, None, "unresolved U"),
    ],
)
def test_a_former_clue_in_the_same_place(shift, day, answer):
    layers = {
        "landuse": [FIELDS],
        "former_clue": [("c", rectangle(shift, 0, 100 + shift, 100), {"date": day})],
    }
    patches = patches_of([patch(rectangle(0, 0, 100, 100), use="hardened")])
    complete = {"approval": [], "supply": [], "temporary": [], "facility": [], "redline": []}
    found = judge_patches(patches, onemap_of(layers | complete), shipped("cn-land"))
    assert answers(found) == [answer]


# --- judging again -------------------------------------------------------------------------------

APPROVED = {"date": dt.date(2025, 1, 10), "number": "A1", "use": "industry"}


def two_patches():
    return patches_of([patch(rectangle(0, 0, 100, 100)), patch(rectangle(1000, 0, 1100, 100))])


def approvals(*rows):
    return onemap_of({"landuse": [FIELDS], "approval": list(rows), **EMPTY})


def test_a_new_layer_version_touches_only_the_patches_it_changes():
    rules = shipped("cn-land")
    old = approvals(("a", rectangle(0, 0, 100, 100), APPROVED))
    late = APPROVED | {"date": dt.date(2025, 8, 1)}
    new = approvals(("a", rectangle(0, 0, 100, 100), late))
    first = judge_patches(two_patches(), old, rules)
    again = rejudge(first, old, new, rules)
    assert again.touched.tolist() == [True, False]
    assert answers(first) == ["legal L1", "suspected V1"]
    assert answers(again.judgement) == ["suspected V1", "suspected V1"]
    kept = first.findings["patch_id"] == first.findings["patch_id"].iloc[1]
    assert again.judgement.findings[kept].equals(first.findings[kept])
    assert again.changes[["before", "after"]].to_numpy().tolist() == [["legal L1", "suspected V1"]]
    whole = judge_patches(two_patches(), new, rules)
    assert answers(whole) == answers(again.judgement)
    assert again.judgement.indicators["lines"] == whole.indicators["lines"]


def test_a_near_approval_touches_the_patches_that_look_for_it():
    rules, patches = shipped("cn-land"), two_patches()
    old = approvals()
    new = approvals(("a", rectangle(450, 0, 550, 100), APPROVED))
    assert affected(patches, old, new, rules).tolist() == [True, True]
    far = approvals(("a", rectangle(-700, 0, -600, 100), APPROVED))
    assert affected(patches, old, far, rules).tolist() == [False, False]


def test_a_layer_that_came_or_went_touches_all():
    rules, patches = shipped("cn-land"), two_patches()
    more = onemap_of({"landuse": [FIELDS], "approval": [], "reserve": [], **EMPTY})
    assert affected(patches, approvals(), more, rules).all()
    assert not affected(patches, approvals(), approvals(), rules).any()


def test_the_difference_of_two_rule_sets_is_told_by_parcel():
    one = approvals(("a", rectangle(0, 0, 94, 100), APPROVED))
    strict = judge_patches(two_patches(), one, shipped("cn-land"))
    mild = judge_patches(
        two_patches(), one, with_parameters("cn-land", tau=0.9, uncovered_cropland=1)
    )
    changes = differences(strict.findings, mild.findings)
    assert changes[["before", "after"]].to_numpy().tolist() == [
        ["", "legal L1"],
        ["legal L1", ""],
        ["suspected V4", ""],
    ]
    assert tally(changes)["area_dm2"].sum() == 2 * strict.patches["area_dm2"].iloc[0]
    assert not len(differences(strict.findings, strict.findings))
    assert np.array_equal(strict.patches["area_dm2"], mild.patches["area_dm2"])
