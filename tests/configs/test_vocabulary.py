import doctest

import pytest
from pydantic import ValidationError

import configs.vocabulary as vocabulary
from configs.runparts import DetectionSettings
from configs.vocabulary import (
    COVERS,
    GROUPS,
    SCHEMES,
    Line,
    Outcome,
    change_type,
    change_types,
    find_use,
    land_class,
    land_classes,
    role_name,
    roles,
    tblx_use,
    uses,
)


def test_examples_in_docstrings():
    assert doctest.testmod(vocabulary).failed == 0


@pytest.mark.parametrize(
    ("code", "sandiao", "guide"),
    [
        ("0601", "construction", "rural_road"),
        ("0602", "construction", "facility"),
        ("0702", "construction", "construction"),
        ("1001", "transport", "construction"),
        ("1201", "construction", "transport"),
        ("1202", "facility", "transport"),
        ("1206", "unused", "transport"),
    ],
)
def test_a_code_means_nothing_without_its_scheme(code, sandiao, guide):
    assert land_class("sandiao", code).group == sandiao
    assert land_class("guide2023", code).group == guide


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("0404", "unused"),
        ("0401", "agricultural"),
        ("1006", "agricultural"),
        ("1104", "agricultural"),
        ("1101", "unused"),
        ("1109", "construction"),
        ("1201", "construction"),
        ("1202", "agricultural"),
        ("1203", "agricultural"),
        ("1207", "unused"),
        ("05H1", "construction"),
        ("0603", "construction"),
    ],
)
def test_three_categories_of_the_third_survey(code, category):
    assert land_class("sandiao", code).category == category


@pytest.mark.parametrize(
    ("text", "code"),
    [("0201K", "0201"), ("1104A", "1104"), ("08h2a", "08H2"), ("0810A", "0810"), (" 0101", "0101")],
)
def test_suffixes_fall_back(text, code):
    assert land_class("sandiao", text).code == code


@pytest.mark.parametrize("code", ["0602C", "1208", "9999", "", None, "K", "耕地"])
def test_unknown_codes_are_none(code):
    assert land_class("sandiao", code) is None
    assert land_class("no scheme", "0101") is None
    assert land_class(None, "0101") is None


def test_tables_are_whole():
    for scheme in SCHEMES:
        classes = land_classes(scheme)
        assert len(classes) > 50
        assert {c.group for c in classes.values()} <= set(GROUPS)
        assert {c.cover for c in classes.values()} - {None} == set(COVERS)
    assert [c.number for c in change_types()] == list(range(2, 17))
    assert {c.use for c in change_types()} <= set(uses())
    assert {u.group for u in uses().values()} - {None} <= set(GROUPS)
    assert change_type("nonsense").number == 2
    assert [c.code for c in change_types() if c.is_pseudo] == [
        "crop_rotation",
        "same_cover",
        "learned_pseudo",
    ]


def test_no_word_names_two_uses():
    seen = {}
    for use in uses().values():
        for word in {use.code, *use.words}:
            plain = word.replace(" ", "").replace("_", "").casefold()
            assert seen.setdefault(plain, use.code) == use.code, word


@pytest.mark.parametrize(
    ("word", "scheme", "use"),
    [
        ("factory", None, "industry"),
        ("Work camp", None, "work_camp"),
        ("livestock_shed", None, "livestock_shed"),
        ("农村宅基地", None, "dwelling"),
        ("城镇住宅用地", "sandiao", "dwelling"),
        ("Logistics and storage", "sandiao", "industry"),
        ("0601", "sandiao", "industry"),
        ("0601", "guide2023", "rural_road"),
        ("060201", "guide2023", "greenhouse"),
        ("070101", "guide2023", "dwelling"),
    ],
)
def test_words_and_codes_of_uses(word, scheme, use):
    assert find_use(word, scheme).code == use


def test_uses_that_cannot_be_known():
    assert find_use("0601") is None
    assert find_use("城镇住宅用地") is None
    assert find_use("") is None
    assert find_use(None, "sandiao") is None
    assert tblx_use("1").code == tblx_use("01").code == "cropland"
    assert tblx_use("gf").code == "photovoltaic"
    assert tblx_use("?") is None
    assert tblx_use(None) is None


def test_names_in_two_languages():
    assert Outcome.SUSPECTED.name_zh == "疑似违法"
    assert Outcome("legal").name_en == "lawful"
    names = {line.name_en for line in Line}
    assert names == {"land", "mining", "reserve land", "use of cropland", "new cropland"}
    assert all(role_name(r, "en") and role_name(r) for r in roles())
    assert len(roles()) == 21


def test_least_areas_of_a_run_name_known_change_types():
    known = DetectionSettings(least_area_m2={"pond": 400, "new_building": 0})
    assert list(known.least_area_m2) == ["new_building", "pond"]
    for wrong, told in (({"ponds": 1}, "pond"), ({"pond": -1}, "0 or more")):
        with pytest.raises(ValidationError, match=told):
            DetectionSettings(least_area_m2=wrong)
    assert all(c.least_m2 <= (50 if c.is_construction else 100) for c in change_types())
