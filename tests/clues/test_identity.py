"""What becomes of objects over periods: by example, and for any outlines."""

import datetime as dt
import random
from dataclasses import replace
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from clues.identity import trace_fates
from clues.objects import CurrentPatch, Fates, JudgedGround, KnownObject, Tolerance
from tiles.geodesy import ellipsoidal_area

CRS = "EPSG:32650"
WEST, SOUTH = 500000.0, 4000000.0
Q0, Q1, Q2, Q3 = (dt.date(2025, month, 5) for month in (1, 4, 7, 10))
GROUND = shapely.box(WEST, SOUTH, WEST + 5000, SOUTH + 5000)
TEN_METRES = Tolerance(reach_m=10)


def box(x: float, y: float, width: float, height: float) -> Any:
    return shapely.box(WEST + x, SOUTH + y, WEST + x + width, SOUTH + y + height)


def dm2(shape: Any) -> int:
    return round(float(ellipsoidal_area([shape], CRS)[0]) * 100)


def known(name: str, shape: Any, before: dt.date = Q0, after: dt.date = Q1, **more: Any):
    return KnownObject(name, shape, dm2(shape), before, after, **more)


def patch(name: str, shape: Any, before: dt.date = Q0, after: dt.date = Q2, **more: Any):
    return CurrentPatch(name, shape, dm2(shape), before, after, **more)


def traced(objects: list[KnownObject], patches: list[CurrentPatch], **more: Any) -> Fates:
    given = {"crs": CRS, "tolerance": TEN_METRES, "before": Q0} | more
    seen = given.pop("seen", GROUND)
    return trace_fates(objects, patches, seen, **given)


def fates(found: Fates) -> dict[str, str]:
    return {name: row.fate for name, row in found.by_object.items()}


SITE = box(1000, 1000, 200, 200)


@pytest.mark.parametrize(
    ("shape", "fate"),
    [
        (box(1000, 1000, 200, 200), "persisting"),
        (box(1004, 1004, 200, 200), "persisting"),
        (box(1000, 1000, 300, 200), "grown"),
        (box(1000, 1000, 120, 200), "shrunk"),
        (None, "ended"),
    ],
)
def test_a_cumulative_pair_shows_an_object_again(shape: Any, fate: str):
    found = traced([known("A", SITE)], [] if shape is None else [patch("P", shape)])
    assert fates(found) == {"A": fate}
    if shape is not None:
        row = found.by_patch["P"]
        assert (row.object_id, row.first_seen, row.parents) == ("A", Q1, ())
        assert row.area_dm2 == dm2(shape)


def test_the_added_ground_of_a_grown_object_is_counted():
    row = traced([known("A", SITE)], [patch("P", box(1000, 1000, 300, 200))]).by_object["A"]
    assert row.added_dm2 == pytest.approx(dm2(box(1200, 1000, 100, 200)), abs=2)


def test_in_a_consecutive_pair_an_object_stays_without_showing():
    found = traced([known("A", SITE)], [], before=Q1)
    assert fates(found) == {"A": "persisting"}


def test_in_a_consecutive_pair_what_touches_an_object_is_its_growth():
    beside = patch("P", box(1200, 1000, 100, 200), Q1, Q2)
    row = traced([known("A", SITE)], [beside], before=Q1).by_patch["P"]
    assert (row.object_id, row.fate, row.added_dm2) == ("A", "grown", beside.area_dm2)
    assert row.geometry.equals(box(1000, 1000, 300, 200))
    apart = patch("P", box(1250, 1000, 100, 200), Q1, Q2)
    assert fates(traced([known("A", SITE)], [apart], before=Q1)) == {"A": "persisting", "P": "new"}


@pytest.mark.parametrize(
    ("shape", "fate"), [(SITE, "ended"), (box(1000, 1000, 100, 200), "shrunk")]
)
def test_a_change_back_ends_an_object(shape: Any, fate: str):
    site = known("A", SITE, change_type="new_building")
    back = patch("P", shape, Q1, Q2, change_type="regreening")
    found = traced([site], [back], before=Q1)
    assert fates(found) == {"A": fate}
    assert found.by_patch["P"].object_id == "A"


def test_ground_that_was_not_observed_ends_nothing():
    for seen in (None, box(0, 0, 500, 500), box(1000, 1000, 100, 200)):
        row = traced([known("A", SITE)], [], seen=seen).by_object["A"]
        assert (row.fate, row.is_observed) == ("persisting", False)


def test_a_hidden_part_stays_with_its_object():
    seen = box(0, 0, 1100, 5000)
    found = traced([known("A", SITE)], [patch("P", box(1000, 1000, 100, 200))], seen=seen)
    assert fates(found) == {"A": "persisting"}
    assert found.by_object["A"].geometry.equals(SITE)


BAND = shapely.difference(GROUND, box(1060, 900, 80, 400))


def test_a_cloud_across_an_object_does_not_split_it():
    pieces = [patch("P", box(1000, 1000, 60, 200)), patch("Q", box(1140, 1000, 60, 200))]
    site = known("A", SITE, listed=(JudgedGround("", "", SITE),))
    found = traced([site], pieces, seen=BAND)
    assert fates(found) == {"A": "persisting", "Q": "persisting"}
    whole, piece = found.by_object["A"], found.by_object["Q"]
    assert whole.geometry.equals(SITE)
    assert (whole.is_observed, piece.is_observed) == (True, False)
    assert (piece.parents, piece.listed_before) == (("A",), True)
    assert {row.first_seen for row in found.rows} == {Q1}
    assert set(fates(traced([site], pieces)).values()) == {"split"}
    beside = shapely.difference(GROUND, box(1060, 900, 30, 400))
    assert set(fates(traced([site], pieces, seen=beside)).values()) == {"split"}


def test_a_piece_that_grew_beyond_a_cloud_is_told():
    pieces = [patch("P", box(1000, 1000, 60, 200)), patch("Q", box(1140, 1000, 200, 200))]
    site = known("A", SITE, verdict="合法", judged=SITE, listed=(JudgedGround("", "", SITE),))
    found = traced([site], pieces, seen=BAND)
    assert found.by_patch["Q"].fate == "grown"
    told = {name: (row.judged_before, row.listed_before) for name, row in found.by_patch.items()}
    assert told == {"P": (True, True), "Q": (False, False)}
    assert found.by_object["A"].added_dm2 == pytest.approx(dm2(box(1200, 1000, 140, 200)), abs=2)


def test_a_restored_object_ends_when_the_cloud_over_it_is_gone():
    half = shapely.difference(GROUND, box(900, 900, 400, 200))
    first = traced([known("A", SITE)], [], seen=half).by_object["A"]
    assert (first.fate, first.is_observed) == ("persisting", False)
    assert first.geometry.equals(SITE)
    assert fates(traced([known("A", first.geometry)], [])) == {"A": "ended"}


def test_halves_of_an_object_are_split_and_name_it():
    halves = [patch("P", box(1000, 1000, 90, 200)), patch("Q", box(1110, 1000, 90, 200))]
    found = traced([known("A", SITE)], halves)
    assert fates(found) == {"A": "split", "P": "split", "Q": "split"}
    assert {found.by_object[n].parents for n in ("P", "Q")} == {("A",)}
    assert found.by_object["P"].first_seen == Q1


def test_a_crumb_is_split_from_an_object_that_goes_on():
    parts = [patch("P", box(1000, 1000, 160, 200)), patch("Q", box(1180, 1000, 20, 200))]
    found = traced([known("A", SITE)], parts)
    assert fates(found) == {"A": "shrunk", "Q": "split"}


def test_equal_objects_are_merged_into_a_new_one():
    pair = [known("A", SITE), known("B", box(1220, 1000, 200, 200))]
    found = traced(pair, [patch("P", box(1000, 1000, 420, 200))])
    assert fates(found) == {"A": "merged", "B": "merged", "P": "merged"}
    assert found.by_object["P"].parents == ("A", "B")


def test_an_object_that_takes_in_a_small_one_keeps_its_number():
    pair = [known("A", SITE), known("B", box(1220, 1000, 30, 200))]
    found = traced(pair, [patch("P", box(1000, 1000, 250, 200))])
    assert fates(found) == {"A": "merged", "B": "merged"}
    assert found.by_patch["P"].parents == ("B",)


def test_a_pseudo_change_is_no_construction_on_its_ground():
    field = known("A", SITE, change_type="crop_rotation")
    found = traced([field], [patch("P", SITE, change_type="new_building")])
    assert fates(found) == {"A": "ended", "P": "new"}


def test_what_was_judged_counts_until_it_grows():
    site = known("A", SITE, verdict="合法", judged=SITE)
    same = traced([site], [patch("P", box(1003, 1000, 200, 200))]).by_patch["P"]
    assert (same.judged_before, same.verdict) == (True, "合法")
    grown = traced([site], [patch("P", box(1000, 1000, 300, 200))]).by_patch["P"]
    assert not grown.judged_before
    assert grown.since_verdict_dm2 == pytest.approx(dm2(box(1200, 1000, 100, 200)), abs=2)


def test_slow_growth_counts_from_the_ground_that_was_judged():
    last = known("A", box(1000, 1000, 215, 200), verdict="合法", judged=SITE)
    row = traced([last], [patch("P", box(1000, 1000, 225, 200))]).by_patch["P"]
    assert (row.fate, row.judged_before) == ("persisting", False)


def test_a_second_change_on_ground_that_was_found_lawful_is_told():
    for verdict, told in (("合法", False), ("伪变化", False), ("违法", True)):
        site = known("A", SITE, verdict=verdict, judged=SITE)
        row = traced([site], [patch("P", SITE, Q1, Q2)], before=Q1).by_patch["P"]
        assert (row.object_id, row.judged_before) == ("A", told)


CLEARED = {"change_type": "vegetation_loss", "from_cover": "cropland", "to_cover": "bare"}
BUILT = {"change_type": "new_building", "from_cover": "cropland", "to_cover": "built"}
FACTORY = box(1050, 1050, 60, 60)


@pytest.mark.parametrize(
    ("verdict", "kind", "days", "told"),
    [
        ("伪变化", BUILT, (Q0, Q2), True),
        ("合法", BUILT, (Q0, Q2), True),
        ("违法", BUILT, (Q0, Q2), False),
        ("伪变化", CLEARED, (Q0, Q2), False),
        ("合法", CLEARED | {"change_type": "moved_earth"}, (Q0, Q2), False),
        ("伪变化", {}, (Q0, Q2), False),
        ("伪变化", {"change_type": "unknown", "to_cover": "built"}, (Q0, Q2), True),
        ("伪变化", BUILT, (Q1, Q2), True),
        ("合法", BUILT | {"from_cover": "bare"}, (Q1, Q2), True),
        ("违法", BUILT, (Q1, Q2), False),
    ],
)
@pytest.mark.parametrize("shape", [SITE, FACTORY])
def test_a_building_on_a_judged_field_is_told(shape, verdict, kind, days, told):
    field = known("A", SITE, verdict=verdict, judged=SITE, **CLEARED)
    row = traced([field], [patch("P", shape, *days, **kind)], before=days[0]).by_patch["P"]
    assert (row.object_id, row.verdict, row.judged_before) == ("A", verdict, not told)
    assert row.since_verdict_dm2 == (dm2(shape) if told else 0)


def test_each_kind_of_change_was_judged_on_its_own_ground():
    field = JudgedGround("vegetation_loss", "bare", SITE)
    factory = JudgedGround("new_building", "built", FACTORY)
    for kinds, shape, told in (
        ((field,), FACTORY, True),
        ((field, factory), FACTORY, False),
        ((field, factory), box(1050, 1050, 120, 120), True),
    ):
        site = known("A", SITE, verdict="合法", judged=SITE, judged_kinds=kinds, **BUILT)
        row = traced([site], [patch("P", shape, **BUILT)]).by_patch["P"]
        assert row.judged_before is not told


def test_an_older_period_takes_over_the_numbers_of_a_later_one():
    later = [known("Z", box(1002, 1000, 200, 200), Q0, Q3)]
    row = traced([], [patch("P", SITE)], later=later).by_patch["P"]
    assert (row.object_id, row.fate, row.first_seen) == ("Z", "new", Q2)


def test_what_ended_is_not_known_any_more():
    gone = known("A", SITE, status="ended")
    assert fates(traced([gone], [patch("P", SITE)])) == {"P": "new"}


CELL = 40
PLACES = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=8, unique=True)


@st.composite
def grounds(draw: Any) -> list[Any]:
    """Outlines that do not overlap: rectangles on a raster, less what others took."""
    taken, shapes = shapely.Point(), []
    for x, y in draw(PLACES):
        width, height = draw(st.integers(1, 4)), draw(st.integers(1, 4))
        left = shapely.difference(box(x * CELL, y * CELL, width * CELL, height * CELL), taken)
        if left.area > 0:
            taken = shapely.union(taken, left)
            shapes.append(left)
    return shapes


@settings(max_examples=60, deadline=None)
@given(
    grounds(),
    grounds(),
    st.sampled_from([Q0, dt.date(2025, 2, 1), Q1]),
    st.sampled_from([None, GROUND, box(0, 0, 240, 600)]),
    st.randoms(use_true_random=False),
)
def test_any_period(
    old: list[Any], new: list[Any], before: dt.date, seen: Any, order: random.Random
):
    kinds = ("new_building", "crop_rotation", "")
    objects = [
        known(
            f"K{i}", s, change_type=kinds[i % 3], verdict="合法" if i % 4 == 0 else None, judged=s
        )
        for i, s in enumerate(old)
    ]
    types = ("new_building", "regreening", "crop_rotation", "")
    patches = [patch(f"P{i}", s, before, change_type=types[i % 4]) for i, s in enumerate(new)]
    found = traced(objects, patches, seen=seen, before=before)

    names = [row.object_id for row in found.rows]
    assert len(set(names)) == len(names)
    assert {k.object_id for k in objects} <= set(names)
    assert set(found.by_patch) == {p.patch_id for p in patches}
    areas = {k.object_id: k.area_dm2 for k in objects}
    sizes = {p.patch_id: p.area_dm2 for p in patches}
    for row in found.rows:
        assert 0 <= row.added_dm2 <= (sum(sizes.values()) if row.patch_id else 0)
        assert row.removed_dm2 >= 0
        if row.fate in ("new", "grown", "persisting", "shrunk") and not row.parents:
            held = areas.get(row.object_id, 0)
            assert held + row.added_dm2 - row.removed_dm2 == pytest.approx(row.area_dm2, abs=4)
        if row.fate != "ended":
            assert row.area_dm2 == pytest.approx(dm2(row.geometry), abs=4)
        if row.fate == "new":
            assert row.added_dm2 == row.area_dm2
        if seen is None or before > Q0:
            assert (
                row.fate != "ended"
                or row.patch_id
                or "regreening" in {p.change_type for p in patches}
            )
    shuffled = [replace(k) for k in objects], [replace(p) for p in patches]
    for values in shuffled:
        order.shuffle(values)
    again = traced(*shuffled, seen=seen, before=before)
    assert [replace(r, geometry=None) for r in again.rows] == [
        replace(r, geometry=None) for r in found.rows
    ]
    assert all(
        a.geometry.wkb == b.geometry.wkb for a, b in zip(again.rows, found.rows, strict=True)
    )
