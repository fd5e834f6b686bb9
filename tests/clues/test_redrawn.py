"""Edited patches: what became of each, numbers the edit alone decides, what is judged again."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely

from clues.judgement import judge_patches
from clues.patchversions import rejudge_edited
from clues.redrawn import Drawn, compare, edited_id, with_lineage
from tests.clues.casebook import shipped
from tests.clues.made import answers, onemap_of, patch, patches_of, rectangle
from tests.clues.test_nearby import EMPTY, FIELDS, FILING


def drawn(patches, **changes):
    """Return the outlines of patches as handed in; changes by number, None: left out."""
    rows = zip(patches["patch_id"], patches.geometry, strict=True)
    found = [Drawn(i, p, "unknown", "industry", g) for i, (p, g) in enumerate(rows, 1)]
    return [d for d in (changes.get(d.patch_id, d) for d in found) if d is not None]


@pytest.fixture
def three():
    shapes = [rectangle(100 * i, 0, 100 * i + 80, 80) for i in range(3)]
    return with_lineage(patches_of([patch(g) for g in shapes]))


def test_what_nobody_touched_is_kept(three):
    found = compare(three, drawn(three))
    assert (found.kept, found.edits, found.deleted) == (("P1", "P2", "P3"), (), ())
    turned = shapely.Polygon(np.roll(three.geometry[0].exterior.coords[:-1], 2, axis=0))
    same = Drawn(1, "P1", "unknown", "industry", turned.buffer(0.0001))
    assert compare(three, drawn(three, P1=same)).kept == ("P1", "P2", "P3")


def test_every_way_to_edit_is_told_with_its_parents(three):
    one = drawn(three)[0]
    left, right = (replace(one, geometry=rectangle(*b)) for b in ((0, 0, 40, 80), (40, 0, 80, 80)))
    over = Drawn(2, "P2", "unknown", "industry", rectangle(100, 0, 280, 80))
    fresh = Drawn(9, "", "pond", "", rectangle(0, 200, 50, 250))
    found = compare(three, [left, right, over, fresh])
    assert [(e.kind, e.parents, e.thing == e.patch_id) for e in found.edits] == [
        ("cut", ("P1",), True), ("cut", ("P1",), True),
        ("merged", ("P2", "P3"), True), ("added", (), True),
    ]  # fmt: skip
    assert found.deleted == ()
    smaller = replace(one, geometry=rectangle(0, 0, 70, 80))
    found = compare(three, drawn(three, P1=smaller, P3=None))
    assert [(e.kind, e.thing) for e in found.edits] == [("redrawn", "P1")]
    assert (found.kept, found.deleted) == (("P2",), ("P3",))
    other = replace(one, change_type="pond", use="pond")
    (edit,) = compare(three, drawn(three, P1=other)).edits
    assert (edit.kind, edit.thing) == ("retyped", "P1")
    nameless = replace(smaller, patch_id="")
    (edit,) = compare(three, [nameless, *drawn(three)[1:]]).edits
    assert (edit.kind, edit.parents, edit.thing) == ("redrawn", ("P1",), "P1")


def test_the_same_edit_has_the_same_number_everywhere(three):
    shape = rectangle(0, 0, 70, 80)
    one = Drawn(1, "P1", "unknown", "industry", shape)
    number = edited_id(("P1",), one)
    turned = shapely.Polygon(np.roll(shape.exterior.coords[:-1], 1, axis=0)[::-1])
    assert edited_id(("P1",), replace(one, row=7, geometry=turned)) == number
    assert number[0] == "E"
    assert len(number) == 13
    others = {edited_id(("P2",), one), edited_id(("P1",), replace(one, use="pond")),
              edited_id(("P1",), replace(one, geometry=rectangle(0, 0, 70, 81)))}  # fmt: skip
    assert len(others | {number}) == 4


def test_a_deleted_shed_gives_its_neighbour_the_filing_back():
    sheds = [(0, 0, 20, 60), (50, 0, 70, 61), (300, 0, 340, 40)]
    patches = patches_of([patch(rectangle(*b), use="greenhouse") for b in sheds])
    layers = {"landuse": [FIELDS], "approval": [], **EMPTY, "facility": [FILING]}
    one, rules = onemap_of(layers), shipped("cn-land")
    before = judge_patches(patches, one, rules)
    assert answers(before)[0] == "suspected V10"
    left = patches.drop(index=1).reset_index(drop=True)
    found = rejudge_edited(before, left, one, rules)
    assert found.touched.tolist() == [True, False]
    whole = judge_patches(left, one, rules)
    assert answers(found.judgement)[0] == "other O1"
    names = ["patch_id", "outcome", "rules", "reason_zh", "area_dm2"]
    pd.testing.assert_frame_equal(
        pd.DataFrame(found.judgement.findings[names]), pd.DataFrame(whole.findings[names])
    )
    assert found.judgement.indicators == whole.indicators
