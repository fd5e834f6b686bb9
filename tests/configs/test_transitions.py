import numpy as np
import pytest
from pydantic import ValidationError

from configs.transitions import FORMS, Transitions, transitions
from configs.vocabulary import COVERS, change_types

GREEN = ("cropland", "garden", "forest", "grass")


def test_the_table_speaks_the_vocabulary():
    table = transitions()
    assert set(table.codes()) <= {kind.code for kind in change_types()}
    for rule in table.rules:
        assert set(rule.from_) | set(rule.to) <= set(COVERS)


@pytest.mark.parametrize(
    ("from_cover", "to_cover", "linear", "change"),
    [
        ("cropland", "built", False, "new_building"),
        ("cropland", "built", True, "road"),
        ("forest", "road", True, "road"),
        ("cropland", "road", False, "hardened_ground"),
        ("built", "road", True, "road"),
        ("cropland", "bare", False, "moved_earth"),
        ("grass", "pit", False, "mining_pit"),
        ("bare", "pit", False, "mining_pit"),
        ("cropland", "water", False, "pond"),
        ("cropland", "facility", False, "greenhouse"),
        ("cropland", "cropland", False, "crop_rotation"),
        ("cropland", "grass", True, "crop_rotation"),
        ("forest", "cropland", False, "vegetation_loss"),
        ("garden", "grass", False, "vegetation_loss"),
        ("built", "bare", False, "demolition"),
        ("facility", "cropland", False, "demolition"),
        ("bare", "forest", False, "regreening"),
        ("pit", "grass", False, "regreening"),
        ("cropland", "forest", False, "regreening"),
        ("water", "bare", False, "moved_earth"),
    ],
)
def test_what_a_change_is_called(from_cover, to_cover, linear, change):
    assert transitions().change(from_cover, to_cover, form="linear" if linear else "any") == change


def test_equal_covers_are_no_change_but_for_pits():
    named = {c: transitions().change(c, c) for c in COVERS}
    assert named.pop("cropland") == "crop_rotation"
    assert named.pop("pit") == "unknown"
    assert set(named.values()) == {"same_cover"}
    pairs = [(a, b) for a in COVERS for b in COVERS if a != b]
    assert not {transitions().change(*pair) for pair in pairs} & {"unknown", "same_cover"}


def test_pseudo_changes_are_vegetation_or_the_same_at_both_dates():
    pseudo = {kind.code for kind in change_types() if kind.is_pseudo}
    found = {(a, b) for a in COVERS for b in COVERS if transitions().change(a, b) in pseudo}
    assert found
    assert all(a == b or (a in GREEN and b in GREEN) for a, b in found)


def test_the_array_equals_the_rules():
    table = transitions()
    array, codes = table.table(COVERS), table.codes()
    assert array.shape == (len(FORMS), len(COVERS), len(COVERS))
    for form, i, j in np.ndindex(array.shape):
        name = table.change(COVERS[i], COVERS[j], form=FORMS[form])
        assert codes[array[form, i, j]] == name


def test_a_table_without_fallback_is_refused():
    with pytest.raises(ValidationError, match="must fit everything"):
        Transitions.model_validate(
            {
                "version": 1,
                "linear": {"width_m_max": 30, "strip_min": 5, "elongation_min": 6},
                "smooth": {"variation_percent_max": 2, "share_percent_min": 10},
                "other_light": {"index_change_max": 0.015, "confidence_percent": 90},
                "same_cover_percent": 50,
                "same_cover_sure_percent": 80,
                "rules": [{"to": ["built"], "change": "new_building"}],
            }
        )
