"""The clue ledger, read back by an independent reader."""

import io
import os
import shutil
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas as pd
import pdfplumber
import pytest
from PIL import Image

from clues.outputs.columns import CONTROL_AREAS
from clues.outputs.flat import flat_rows
from clues.outputs.ledger import LEDGER_COLUMNS, MACHINE_COLUMNS, form_of, write_ledger
from clues.outputs.ledgerkeys import FILL_KEYS, KEY_SHEET, row_check, tables_fingerprint
from clues.outputs.ledgerrows import LedgerRows
from clues.outputs.lettering import font_path
from configs.speech import Speech
from configs.units import area_in


def test_ledger_holds_every_clue_and_its_totals(tables, tmp_path: Path):
    write_ledger(tables, tmp_path / "clues.xlsx")
    book = openpyxl.load_workbook(tmp_path / "clues.xlsx")
    sheet = book["线索台账"]
    heads = [c.value for c in sheet[2]]
    assert heads == [c.title for c in LEDGER_COLUMNS]
    assert sheet.freeze_panes == "C3"
    rows = list(sheet.iter_rows(min_row=3, max_row=4, values_only=True))
    assert [r[heads.index("线索编号")] for r in rows] == ["99990125Q2000001", "99990125Q2000002"]
    for name in ("面积（亩）", "耕地（亩）", "永久基本农田（亩）"):
        column = heads.index(name)
        total = sum(Decimal(str(r[column])) for r in rows)
        assert Decimal(str(sheet.cell(5, column + 1).value)) == total
    assert "临字〔2023〕1号（2023-05-01）覆盖53.19%" in rows[1][heads.index("批准文件及覆盖")]


@pytest.mark.parametrize(("language", "unit"), [("zh", "mu"), ("en", "mu"), ("en", "ha")])
def test_rows_add_up_to_the_rounded_total_of_the_run(tables, tmp_path: Path, language, unit):
    areas = tables.patches.loc[:1, "area_dm2"] = [640300, 470300]
    tables.findings.loc[:1, "area_dm2"] = areas
    tables.findings.loc[:1, "cropland_dm2"] = [640300, 470300]
    title = replace(tables.title, speech=Speech(language=language, area_unit=unit))
    told = replace(tables, title=title, coverage=tables.coverage[:0])
    write_ledger(told, tmp_path / "clues.xlsx")
    head, *rows = (
        openpyxl.load_workbook(tmp_path / "clues.xlsx")
        .worksheets[0]
        .iter_rows(min_row=2, values_only=True)
    )
    at = next(i for i, h in enumerate(head) if h.startswith(("面积", "Area")))
    total = area_in(sum(areas), unit)
    assert area_in(areas[0], unit) + area_in(areas[1], unit) != total or unit == "ha"
    told_areas = [Decimal(str(row[at])) for row in rows]
    assert (sum(told_areas[:2]), told_areas[2]) == (total, total)
    assert row_check([told_areas[0]]) == row_check([float(told_areas[0])])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_control_lines_are_no_papers(tables, tmp_path: Path, language):
    line = tables.coverage.assign(patch_id="TAAAAAAAAAAA1", parcel_id="TAAAAAAAAAAA1")
    line = line.assign(role="basic_farmland", key="basic_farmland:B1", number="B1")
    both = pd.concat([tables.coverage, line]).assign(valid_to=None)
    title = replace(tables.title, speech=Speech(language=language))
    told = replace(tables, title=title, coverage=both)
    column = next(c for c in form_of(told).columns if c.key == "documents")
    texts = [column.value(row) for row in LedgerRows(told)]
    assert texts[0] == ""
    assert "临字〔2023〕1号" in texts[1]
    flat = [values["documents"] for _, values in flat_rows(told, told.title.speech)]
    assert flat == texts


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_machine_sheet_tells_width_and_strength(tables, tmp_path: Path, language):
    title = replace(tables.title, speech=Speech(language=language))
    plain = replace(tables, title=title, coverage=tables.coverage[:0])
    write_ledger(plain, tmp_path / "clues.xlsx")
    book = openpyxl.load_workbook(tmp_path / "clues.xlsx")
    head, *rows = book.worksheets[1].iter_rows(values_only=True)
    names = {
        "zh": ("平均宽度（米）", "变化强度", "植被指数变化", "水体指数变化"),
        "en": ("Mean width (m)", "Strength", "Vegetation", "Water"),
    }[language]
    told = [[r[head.index(n)] for n in names] for r in rows]
    assert told == [[None, 2.5, -0.4, 0.1], [6.4, 1.2345, None, 0.1]]


def test_ledger_is_safe_against_formulas(tables, tmp_path: Path):
    tables.patches.loc[0, "county_name"] = "=HYPERLINK(1)"
    write_ledger(tables, tmp_path / "clues.xlsx")
    book = openpyxl.load_workbook(tmp_path / "clues.xlsx")
    cells = [c for sheet in book for row in sheet.iter_rows() for c in row]
    assert {(c.row, c.value[:5]) for c in cells if c.data_type == "f"} == {(5, "=SUM(")}
    assert "=1+1" in [c.value for c in cells]


@pytest.mark.parametrize(("roles", "paper"), [(("landuse",), 9), (CONTROL_AREAS, 8)])
def test_a_wide_list_takes_wide_paper(tables, tmp_path: Path, roles, paper):
    names = {role: {"zh": "层", "en": "layer"} for role in roles}
    speech = Speech(language="en", area_unit="ha", roles=names)
    title = replace(tables.title, speech=speech)
    told = replace(tables, title=title, coverage=tables.coverage[:0])
    pictures = {"99990125Q2000001": (jpeg((200, 0, 0)), jpeg((0, 0, 200)))}
    write_ledger(told, tmp_path / "clues.xlsx", pictures)
    book = openpyxl.load_workbook(tmp_path / "clues.xlsx")
    assert int(book.worksheets[0].page_setup.paperSize) == paper


def test_texts_of_the_machine_stay_in_their_row(tables, tmp_path: Path):
    write_ledger(tables, tmp_path / "clues.xlsx")
    book = openpyxl.load_workbook(tmp_path / "clues.xlsx")
    cells = [c for row in book["机器字段"].iter_rows(min_row=2) for c in row]
    assert not [c.coordinate for c in cells if c.alignment.wrap_text]


def test_an_empty_list_still_makes_a_ledger(tables, tmp_path: Path):
    tables.patches["disposition"] = "dismissed"
    write_ledger(tables, tmp_path / "clues.xlsx")
    assert openpyxl.load_workbook(tmp_path / "clues.xlsx")["线索台账"].max_row == 3


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (120, 90)) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, "JPEG")
    return made.getvalue()


def keys_of(book: openpyxl.Workbook) -> list[list[str]]:
    rows = book[KEY_SHEET].iter_rows(values_only=True)
    return [[str(cell) for cell in row if cell is not None] for row in rows]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_key_sheet_tells_run_columns_and_rows(tables, tmp_path: Path, language):
    title = replace(tables.title, speech=Speech(language=language))
    told = replace(tables, title=title, coverage=tables.coverage[:0], mark="3.7")
    write_ledger(told, tmp_path / "clues.xlsx")
    book = openpyxl.load_workbook(tmp_path / "clues.xlsx")
    keys = keys_of(book)
    assert book[KEY_SHEET].sheet_state == "hidden"
    assert keys[0] == ["tuban-ledger", "1"]
    assert ["run", "test-run"] in keys
    assert ["mark", "3.7"] in keys
    assert ["fingerprint", tables_fingerprint(told)] in keys
    assert ["version", "rules", "cn-land 1"] in keys
    (name, at), columns = (
        next(k[2:] for k in keys if k[:2] == ["sheet", "list"]),
        [k[2:] for k in keys if k[:2] == ["column", "list"]],
    )
    sheet = book[name]
    assert [c.value for c in sheet[int(at)]] == [title for _, title, *_ in columns]
    filled = [key for key, *_, role in columns if role == "fill"]
    assert set(filled) <= set(FILL_KEYS)
    assert language == "en" or set(filled) == set(FILL_KEYS)
    fixed = [c for c, (*_, role) in enumerate(columns) if role == "fixed"]
    rows = [k[1:] for k in keys if k[0] == "row"]
    for row, (clue, patch, check) in zip(
        sheet.iter_rows(min_row=3, max_row=4, values_only=True), rows, strict=True
    ):
        assert {clue, patch} <= set(row)
        assert row_check(row[c] for c in fixed) == check


def test_pictures_lie_in_the_row_of_their_clue(tables, tmp_path: Path):
    pictures = {"99990125Q2000002": (jpeg((200, 0, 0)), jpeg((0, 0, 200)))}
    write_ledger(tables, tmp_path / "clues.xlsx", pictures)
    sheet = openpyxl.load_workbook(tmp_path / "clues.xlsx")["线索台账"]
    heads = [c.value for c in sheet[2]]
    anchors = [image.anchor for image in sheet._images]
    assert [a._from.row for a in anchors] == [3, 3]
    assert [a.to.row for a in anchors] == [3, 3]
    assert [heads[a._from.col] for a in anchors] == ["变化前", "变化后"]
    assert {a.editAs for a in anchors} <= {None, "twoCell"}
    shown = [Image.open(io.BytesIO(image._data())).getpixel((5, 5)) for image in sheet._images]
    assert [max(range(3), key=colour.__getitem__) for colour in shown] == [0, 2]


def test_what_was_filled_in_before_is_shown_again(tables, tmp_path: Path):
    filled = {"verdict": "违法", "illegal_mu": "3.5", "checked_on": "2025-10-31", "remarks": "=x"}
    write_ledger(replace(tables, filled={"TAAAAAAAAAAA1": filled}), tmp_path / "clues.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "clues.xlsx")["线索台账"]
    row = dict(zip([c.value for c in sheet[2]], sheet[3], strict=True))
    assert row["核实认定意见"].value == "违法"
    assert row["非农违法面积（亩）"].value == 3.5
    assert row["核查日期"].value.date().isoformat() == "2025-10-31"
    assert (row["备注"].value, row["备注"].data_type) == ("=x", "s")


def test_cells_to_fill_in_offer_choices(tables, tmp_path: Path):
    write_ledger(tables, tmp_path / "clues.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "clues.xlsx")["线索台账"]
    heads = [c.value for c in sheet[2]]
    rules = {
        heads[next(iter(v.sqref.ranges)).min_col - 1]: v
        for v in sheet.data_validations.dataValidation
    }
    assert rules["核实认定意见"].formula1 == '"合法,违法,其他,伪变化"'
    assert rules["整改方式"].formula1 == '"拆除复耕,补办手续,未整改"'
    assert (rules["非农违法面积（亩）"].type, rules["核查日期"].type) == ("decimal", "date")
    assert {
        str(v.sqref).rpartition(":")[2].strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for v in rules.values()
    } == {"4"}


def test_the_list_prints_across_a4_up_to_what_is_filled_in(tables, tmp_path: Path):
    write_ledger(tables, tmp_path / "clues.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "clues.xlsx")["线索台账"]
    setup = sheet.page_setup
    assert (setup.orientation, int(setup.paperSize)) == ("landscape", 9)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (setup.fitToWidth or 1, int(setup.fitToHeight)) == (1, 0)
    assert sheet.print_title_rows == "$1:$2"
    heads = [c.value for c in sheet[2]]
    last = sheet[sheet.print_area.rpartition("!")[2].rpartition(":")[2].replace("$", "")].column
    assert heads[last - 1] == "核查日期"
    assert (sheet["A2"].fill.fgColor.rgb, sheet["A5"].fill.fgColor.rgb) == ("FF4472C4", "FFFFF2CC")


def test_counties_go_up_and_cropland_down(tables, tmp_path: Path):
    tables.findings.loc[1, "cropland_dm2"] = 9_000_000
    write_ledger(tables, tmp_path / "clues.xlsx")
    book = openpyxl.load_workbook(tmp_path / "clues.xlsx")
    for sheet, first in (("线索台账", 3), ("机器字段", 2)):
        rows = book[sheet].iter_rows(min_row=first, max_row=first + 1, values_only=True)
        assert [next(c for c in r if str(c).startswith("9999")) for r in rows] == [
            "99990125Q2000002",
            "99990125Q2000001",
        ]


def test_the_machine_sheet_tells_the_former_class(tables, tmp_path: Path):
    classes = pd.DataFrame(
        {
            "patch_id": ["TAAAAAAAAAAA1"] * 2,
            "scheme": "sandiao",
            "code": ["0102", "0301"],
            "area_dm2": [500_000, 140_000],
        }
    )
    write_ledger(replace(tables, classes=classes), tmp_path / "clues.xlsx")
    rows = openpyxl.load_workbook(tmp_path / "clues.xlsx")["机器字段"].iter_rows(values_only=True)
    heads, first, second = rows
    assert list(heads) == [c.title for c in MACHINE_COLUMNS]
    at = heads.index("原地类")
    assert (first[at], second[at]) == ("水浇地 0102 (sandiao)", None)


def test_the_machine_sheet_names_covers_credit_and_versions(tables, tmp_path: Path):
    tables.patches["from_cover"] = "cropland"
    write_ledger(tables, tmp_path / "clues.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "clues.xlsx")["机器字段"]
    heads, first, _ = sheet.iter_rows(values_only=True)
    row = dict(zip(heads, first, strict=True))
    assert (row["前覆被"], row["前覆被代码"]) == ("耕地", "cropland")
    assert (row["变化类型"], row["变化代码"]) == ("新增建（构）筑物", "new_building")
    assert (row["影像署名"], row["数据版本"]) == ("© Copernicus", "rules=cn-land 1")


def test_the_same_clues_give_the_same_bytes(tables, tmp_path: Path):
    pictures = {"99990125Q2000002": (jpeg((200, 0, 0)), jpeg((0, 0, 200)))}
    for name in ("a.xlsx", "b.xlsx"):
        write_ledger(tables, tmp_path / name, pictures)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


@pytest.mark.desk
def test_the_list_prints_whole_on_a4(tables, tmp_path: Path):
    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed (make ci-deps)")
    pictures = {"99990125Q2000001": (jpeg((200, 0, 0)), jpeg((0, 0, 200)))}
    write_ledger(tables, tmp_path / "clues.xlsx", pictures)
    home = f"-env:UserInstallation=file://{tmp_path}/office"
    command = ["soffice", "--headless", home, "--convert-to", "pdf", "--outdir", tmp_path]
    fonts = f"<fontconfig><dir>{font_path().parent}</dir></fontconfig>"
    (tmp_path / "fonts.conf").write_text(fonts, encoding="utf-8")
    known = os.environ | {"FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}
    command.append(tmp_path / "clues.xlsx")
    subprocess.run(command, check=True, capture_output=True, timeout=180, env=known)
    with pdfplumber.open(tmp_path / "clues.pdf") as pdf:
        first = pdf.pages[0]
        assert first.width == pytest.approx(841.9, abs=1)
        assert first.height == pytest.approx(595.3, abs=1)
        text = "".join(first.extract_text().split())
        for words in ("卫片执法线索台账", "99990125Q2000001", "99990125Q2000002", "合计", "16.65"):
            assert words in text
        assert len(first.images) == 2
        assert min(c["size"] for c in first.chars) >= 6
        for page in pdf.pages:
            assert "###" not in page.extract_text()
            assert all(c["x0"] >= 0 and c["x1"] <= page.width for c in page.chars)
            assert all(c["top"] >= 0 and c["bottom"] <= page.height for c in page.chars)
