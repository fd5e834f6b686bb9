"""How a rule set speaks: units, names, and that a misspelt name is refused."""

import pytest
from pydantic import ValidationError

from clues.wording import fact_text
from configs.rules import load_rules
from configs.speech import PLAIN, Speech
from configs.units import UNIT_NAMES, area_in


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("m2", "40468.56 m²"),
        ("mu", "40468.56 m² (60.70 mu)"),
        ("ha", "40468.56 m² (4.05 ha)"),
        ("km2", "40468.56 m² (0.04 km²)"),
        ("acre", "40468.56 m² (10.00 acres)"),
    ],
)
def test_areas_are_told_in_the_unit_of_the_rule_set(unit: str, text: str):
    assert fact_text("area", {"value": 4_046_856}, "en", Speech(area_unit=unit)) == text
    assert set(UNIT_NAMES) >= {unit}


def test_areas_are_rounded_half_up():
    assert str(area_in(15_000, "mu")) == "0.23"
    assert str(area_in(5_000, "ha")) == "0.01"


def test_names_fall_back_to_the_usual_ones():
    own = Speech(roles={"redline": {"zh": "保护地", "en": "protected area"}})
    assert own.role("redline", "en") == "protected area"
    assert own.role("approval", "en") == PLAIN.role("approval", "en") == "land approval"
    assert own.outcome("legal", "zh") == "合法"


@pytest.mark.parametrize("part", ["roles", "outcomes"])
def test_a_misspelt_name_is_refused(part: str):
    with pytest.raises(ValidationError, match="choose from"):
        Speech.model_validate({part: {"redlin": {"zh": "一", "en": "one"}}})


def test_shipped_chinese_sets_speak_the_usual_way():
    assert load_rules("cn-land").spoken is PLAIN
