"""The level of severity as the products tell it: its name in the rule set, a hint."""

import datetime as dt
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from clues.outputs.columns import severity
from clues.outputs.exchange import write_geojson
from clues.outputs.flat import FLAT_FIELDS, flat_fields, flat_rows
from clues.outputs.flattables import write_csv
from clues.outputs.kmz import write_kmz
from clues.outputs.ledger import write_ledger
from clues.outputs.ledgerrows import LedgerRows
from clues.outputs.severity import level_text, read_levels, severity_text
from clues.outputs.sheet import evidence_sheets
from configs.rules import load_rules

HINT = "达到移送标准"


@pytest.fixture
def levels(tmp_path: Path):
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(load_rules("cn-land").as_file()), encoding="utf-8")
    return read_levels(path)


@pytest.fixture
def told(tables, levels):
    graded = tables.findings.assign(severity=[4, 2, 0])
    return replace(tables, findings=graded, levels=levels)


def test_every_product_says_which_clue_reaches_the_transfer_standard(told, tmp_path: Path):
    write_ledger(told, tmp_path / "clues.xlsx")
    book = openpyxl.load_workbook(tmp_path / "clues.xlsx")
    heads, *rows = book["机器字段"].iter_rows(values_only=True)
    at = heads.index("严重程度")
    assert [row[at] for row in rows] == [HINT, "占用耕地"]
    meaning = dict(book["字典"].iter_rows(values_only=True))["严重程度"]
    assert "提示" in meaning
    assert "不是移送或违法认定" in meaning
    marks = dict(book["字典"].iter_rows(values_only=True))["控制线标记"]
    assert all(text in marks for text in ("PBF 占用永久基本农田", "NRR 占用自然保护地"))

    write_csv(told, tmp_path / "clues.csv")
    assert f",{HINT}," in (tmp_path / "clues.csv").read_text(encoding="utf-8-sig")
    write_kmz(told, tmp_path / "clues.kmz")
    with zipfile.ZipFile(tmp_path / "clues.kmz") as archive:
        assert HINT in archive.read("doc.kml").decode()
    write_geojson(told, tmp_path / "clues.geojson")
    kept = json.loads((tmp_path / "clues.geojson").read_text(encoding="utf-8"))
    first, second = (feature["properties"] for feature in kept["features"])
    assert (first["severity_zh"], first["severity_en"]) == (HINT, "at the transfer threshold")
    assert second["severity_zh"] == "占用耕地"
    assert first["findings"][0]["severity"] == 4

    facts = {zh: value for zh, _, value in evidence_sheets(told)[0].facts}
    assert HINT in facts["严重程度提示（非认定）"]


def test_the_fields_of_deliveries_hold_it_in_both_languages(told):
    assert {f.key: f.short for f in FLAT_FIELDS}["severity"] == "YZCD"
    speech = told.title.speech.model_copy(update={"language": "en"})
    assert "severity" in [f.key for f in flat_fields(speech)]
    dated = replace(told, coverage=told.coverage.assign(valid_to=dt.date(2025, 4, 30)))
    found = [values["severity"] for _, values in flat_rows(dated, speech)]
    assert found == ["at the transfer threshold", "cropland"]


def test_the_highest_parcel_that_is_pursued_counts(levels):
    closed = {"outcome": "legal", "line": "land", "severity": 4}
    low = {"outcome": "suspected", "line": "land", "severity": 1}
    high = {"outcome": "unresolved", "line": "mining", "severity": 3}
    assert severity_text([closed], levels, "zh") == ""
    assert severity_text([closed, low], levels, "zh") == "一般"
    assert severity_text([low, high], levels, "zh") == "达到省级核查标准 / 触及永农或红线"
    assert level_text(levels, 3, "en", "land") == "basic farmland or redline"


def test_a_run_whose_rule_set_names_no_levels_tells_none(tables, tmp_path: Path):
    assert read_levels(tmp_path / "rules.json") == ()
    assert [severity(row, "zh") for row in LedgerRows(tables)] == ["", ""]
    labels = [zh for zh, _, _ in evidence_sheets(tables)[0].facts]
    assert "严重程度提示（非认定）" not in labels
