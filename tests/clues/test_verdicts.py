"""Verdicts: one reader for stores, ledgers and tables; one verdict per patch."""

import datetime as dt
import random
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from sqlalchemy import insert

from clues.outputs.ledger import write_ledger
from clues.store import schema
from clues.store.inserting import RunRecord
from clues.store.repository import Store
from clues.verdicts import VERDICT_COLUMNS, read_verdicts, settle
from configs.errors import InputError
from configs.speech import Speech
from configs.verdicts import verdict_meaning


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def verdicts(*rows: tuple[str, ...]) -> pd.DataFrame:
    """Return a table of (patch, meaning, at, parcel)."""
    full = [(*r, *("",) * (4 - len(r))) for r in rows]
    names = ("patch_id", "meaning", "at", "parcel_no")
    columns = dict(zip(names, zip(*full, strict=True), strict=True))
    return pd.DataFrame({n: columns.get(n, "") for n in VERDICT_COLUMNS}, dtype=object)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (["合法", "违法", "其他", "unlawful", "True change", "real"], "real"),
        (["伪变化", "实地 未变化", "no change", "pseudo_change", "FALSE ALARM"], "pseudo"),
        (["非新增", "待核", "unclear"], "open"),
        (["好", "maybe", ""], None),
    ],
)
def test_words_say_whether_the_ground_changed(words, meaning):
    assert {verdict_meaning(w) for w in words} == {meaning}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_filled_in_ledger_is_read_back(tables, tmp_path: Path, language):
    path = tmp_path / "clues.xlsx"
    title = replace(tables.title, speech=Speech(language=language))
    write_ledger(replace(tables, title=title, coverage=tables.coverage[:0]), path)
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    heads = [c.value for c in sheet[2]]
    finding, remarks = {"zh": ("核实认定意见", "备注"), "en": ("Finding", "Remarks")}[language]
    sheet.cell(4, heads.index(finding) + 1).value = {"zh": "伪变化", "en": "no change"}[language]
    sheet.cell(4, heads.index(remarks) + 1).value = "水稻田"
    book.save(path)
    (row,) = read_verdicts(path).to_dict("records")
    assert row["patch_id"] == "TAAAAAAAAAAA2"
    assert (row["meaning"], row["reason"]) == ("pseudo", "水稻田")


def test_a_table_of_ones_own_is_read_in_chinese_and_english(tmp_path: Path):
    heads = "图斑编号,核查结论,核查人,核查日期\n"
    text = heads + "T1,伪变化,张三,2025/10/31\nT2,,,\nT3,违法,李四,2025-11-02\n"
    one = read_verdicts(written(tmp_path / "a.csv", text, "gb18030"))
    assert one[["patch_id", "meaning", "by", "at"]].to_numpy().tolist() == [
        ["T1", "pseudo", "张三", "2025-10-31T00:00:00"],
        ["T3", "real", "李四", "2025-11-02T00:00:00"],
    ]
    text = "Patch,Verdict,at,source\nT1,Illegal,2025-10-31T08:00:00+08:00,field\n"
    two = read_verdicts(written(tmp_path / "b.csv", text, "utf-8-sig"))
    assert two[["at", "source"]].to_numpy().tolist() == [["2025-10-31T00:00:00", "field"]]


def test_the_store_is_a_source_like_any_other(tables, tmp_path: Path):
    store = Store.at(tmp_path / "clues.sqlite")
    run = RunRecord("k", "r", "999901", "", "EPSG:4526", 2025, 2, "cn-land", "1", {}, {})
    store.register(run, tables.patches, tables.findings)
    row = {"patch_key": 3, "parcel_no": 1, "line": "land", "verdict": "伪变化",
           "reason": "阴影", "by": "张三", "source": "desk",
           "at": dt.datetime(2025, 10, 31, 9, tzinfo=dt.UTC)}  # fmt: skip
    with store.transaction() as connection:
        connection.execute(insert(schema.verdicts), [row])
    store.close()
    (told,) = read_verdicts(tmp_path / "clues.sqlite").to_dict("records")
    assert told == {"patch_id": "TAAAAAAAAAAA3", "parcel_no": "1", "line": "land",
                    "verdict": "伪变化", "meaning": "pseudo", "reason": "阴影", "by": "张三",
                    "at": "2025-10-31T09:00:00", "source": "desk"}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.csv", "patch,verdict\nT1,perhaps\nT2,no change\n", r"'perhaps' \(row 2\)"),
        ("a.csv", "patch,verdict,at\nT1,illegal,soon\n", "'soon' is no date"),
        ("a.csv", "patch,verdict\n,illegal\n", "names no patch"),
        ("a.csv", "patch,opinion\nT1,illegal\n", "no table with a column for the patch"),
        ("a.xlsx", "patch,verdict\n", "no readable zip"),
        ("a.sqlite", "patch,verdict\n", "no SQLite database"),
        ("a.txt", "patch,verdict\n", r"read from \.sqlite"),
    ],
)
def test_what_is_no_verdict_is_refused_with_its_place(tmp_path: Path, name, text, what):
    with pytest.raises(InputError, match=what) as error:
        read_verdicts(written(tmp_path / name, text))
    assert error.value.where.startswith(str(tmp_path / name))
    assert error.value.fix


def test_the_latest_verdict_on_a_parcel_counts_and_any_real_parcel_makes_a_patch_real():
    table = verdicts(
        ("T5", "pseudo", "2025-10-01"), ("T5", "real", "2025-10-02"),
        ("T4", "pseudo", "", "1"), ("T4", "real", "", "2"),
        ("T3", "pseudo", "", "1"), ("T3", "open", "", "2"),
        ("T2", "real", "2025-10-01"), ("T2", "pseudo", "2025-10-01"),
        ("T1", "pseudo"), ("T1", "pseudo"), ("T1", "open"),
    )  # fmt: skip
    found = settle(table)
    assert found.pseudo == {"T1": True, "T4": False, "T5": False}
    assert found.contradicted == ("T2",)
    assert found.open == ("T3",)
    rows = table.to_dict("records") * 2
    random.Random(1).shuffle(rows)
    again = settle(pd.DataFrame(rows))
    assert again == found
    assert list(again.pseudo) == list(found.pseudo)
