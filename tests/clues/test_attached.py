"""A document that people attach: what the layers know of it decides, and it never makes legal."""

import datetime as dt
import re

import pandas as pd
import pytest

from clues.attached import Paper, judge_with_paper, same_number
from clues.judgement import judge_patches
from configs.errors import InputError
from tests.clues.casebook import shipped
from tests.clues.made import onemap_of, patch, patches_of, rectangle

SHAPE = rectangle(0, 0, 60, 60)
LAND = {"class": "0103", "group": "cropland", "category": "agricultural"}
BEFORE_IMAGES = dt.date(2024, 12, 1)
NUMBER = "鲁政土字〔2024〕7号"
CJK = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")


def attached(layers, date=BEFORE_IMAGES, number=NUMBER, role="approval", lost=()):
    patches, rules = patches_of([patch(SHAPE)]), shipped("cn-land")
    onemap = onemap_of({"landuse": [("1", rectangle(-500, -500, 2000, 500), LAND)], **layers})
    if lost:
        layer = onemap.layers["approval"]
        object.__setattr__(layer, "not_on_map", pd.DataFrame({"number": list(lost)}))
    before = judge_patches(patches, onemap, rules).findings
    paper = Paper(role, number, date, "王工", dt.date(2025, 10, 9))
    return before, judge_with_paper(patches, "P1", before, onemap, rules, paper)


def test_numbers_are_the_same_but_for_brackets_widths_and_blanks():
    assert same_number(NUMBER, "鲁政土字 [2024]７号")
    assert not same_number(NUMBER, "鲁政土字〔2024〕17号")


@pytest.mark.parametrize("layers", [{}, {"approval": [("1", rectangle(900, 0, 960, 60), {})]}])
def test_a_document_no_layer_holds_makes_doubtful_and_never_legal(layers):
    before, found = attached(layers)
    assert list(before["outcome"]) == (["suspected"] if layers else ["unresolved"])
    assert found.known == "unknown"
    (row,) = found.findings.to_dict("records")
    assert row["outcome"] == "unresolved"
    for text in (row["reason_zh"], row["reason_en"]):
        assert "2024-12-01" in text
        assert "L1" in text
    assert "王工" in row["reason_zh"]
    assert "尚" in row["reason_zh"] or "存疑" in row["reason_zh"]
    assert len(found.differences) == int(row["outcome"] != before["outcome"].iloc[0])


def test_a_document_listed_without_outline_is_told_as_such():
    layers = {"approval": [("1", rectangle(900, 0, 960, 60), {"number": "other"})]}
    _, found = attached(layers, lost=[NUMBER])
    assert found.known == "unlocated"
    assert set(found.findings["outcome"]) == {"unresolved"}
    assert "没有可用的范围" in found.told.zh
    assert "without a usable outline" in found.told.en


def test_a_document_whose_outline_lies_elsewhere_changes_nothing():
    far = {"number": NUMBER, "date": BEFORE_IMAGES}
    before, found = attached({"approval": [("1", rectangle(360, 0, 420, 60), far)]})
    assert found.known == "elsewhere"
    assert "300" in found.told.zh
    assert list(found.findings["outcome"]) == list(before["outcome"]) == ["suspected"]
    assert len(found.differences) == 0


def test_a_document_that_covers_is_judged_by_its_outline_and_date():
    own = {"number": NUMBER, "date": BEFORE_IMAGES}
    before, found = attached({"approval": [("1", SHAPE, own)]})
    assert found.known == "covers"
    assert list(found.findings["outcome"]) == list(before["outcome"]) == ["legal"]


def test_a_document_dated_after_the_images_does_not_even_make_doubtful():
    before, found = attached(
        {"approval": [("1", rectangle(900, 0, 960, 60), {})]}, dt.date(2025, 9, 1)
    )
    assert list(found.findings["outcome"]) == list(before["outcome"]) == ["suspected"]


def test_what_is_told_in_english_is_english_but_for_names():
    _, found = attached({})
    told = found.findings["reason_en"].iloc[0].replace("王工", "").replace(NUMBER, "")
    assert not CJK.findall(told)


def test_a_role_that_is_none_of_documents_is_refused():
    with pytest.raises(InputError, match="no role of documents"):
        attached({}, role="landuse")
