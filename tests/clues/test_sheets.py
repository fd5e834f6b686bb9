"""The evidence sheet: what it says, where it stands, what independent readers find in it."""

import base64
import io
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import lxml.html
import numpy as np
import pdfplumber
import pypdfium2
import pytest
import shapely
from fontTools.ttLib import TTFont
from PIL import Image

from clues.outputs.coordinates import write_coordinates
from clues.outputs.drawing import A4, Box, contrast, outside, overlapping
from clues.outputs.evidence import draw_sheet, write_sheets
from clues.outputs.sheet import evidence_sheets
from clues.outputs.sheetwords import area_rows, ring_text
from clues.surroundings import Neighbourhood, Surroundings
from tests.clues.made import CRS, onemap_of, rectangle
from tiles.geodesy import transformer

PAGE = Box("page", 0, 0, *A4)


@pytest.fixture(scope="module")
def neighbourhood():
    """Cropland, a road, an uncovered rest; basic farmland, redline, permits, a boundary."""
    permits = [
        (f"L{i}", rectangle(200 + 3 * i, 40, 240, 100), {"number": f"临字〔2023〕{i}号"})
        for i in range(1, 4)
    ]
    return Neighbourhood(
        onemap_of(
            {
                "landuse": [
                    ("D1", rectangle(-500, -500, 240, 500), _land("0102", "cropland")),
                    ("D2", rectangle(240, -500, 260, 500), _land("1006", "rural_road")),
                ],
                "basic_farmland": [("J1", rectangle(60, 60, 140, 72.5), {})],
                "redline": [("H1", rectangle(100, -300, 400, 70), {})],
                "growth_boundary": [("C1", rectangle(-900, -900, 20, 900), {})],
                "temporary": permits,
                "mining_right": [("K1", rectangle(0, 0, 300, 120), {"number": "C1"})],
            }
        )
    )


def _land(code, group):
    return {"code": code, "scheme": "sandiao", "group": group, "category": "agricultural"}


@pytest.fixture
def around(tables, neighbourhood):
    """Return what lies around a sheet, as a run gives it."""
    classes = dict(neighbourhood.classes(tables.clues))

    def look(sheet, bounds):
        return Surroundings(neighbourhood.around(bounds), classes[sheet.patch_id])

    return look


@pytest.fixture
def written(tables, tmp_path: Path, pictures, around):
    """Files of both sheets, by suffix."""
    made = list(write_sheets(evidence_sheets(tables), tmp_path, pictures, around))
    return [{path.suffix: path for path in files} for files in made]


def _drawn(sheet, path, pictures, around):
    pair = pictures(sheet.frame())
    return draw_sheet(sheet, path, pair, ("0" * 16, "f" * 16), around(sheet, pair[1].bounds))


def test_a_sheet_is_one_page_with_all_it_must_say(written):
    document = pypdfium2.PdfDocument(written[1][".pdf"])
    assert len(document) == 1
    text = document[0].get_textpage().get_text_bounded()
    for words in (
        *("土地变化线索证据单", "临时用地是否正在复垦", "临字〔2023〕1号", "53.19", "4700.00"),
        *("平均宽度", "6.4 m", "规则 V8", "存疑", "Sentinel-2 MSI", "2025-03-05", "© Copernicus"),
        *("J50G080002", "0102 水浇地", "1006 农村道路", "基本农田", "1 : ", "EPSG:4526"),
        *("界址点 8 个", "环2 ring 2: J5(", "cn-land 1", "SHA-256 的前16位"),
        *("图斑界线（WKB）", "前图像素"),
    ):
        assert words in text, words


def test_land_classes_sum_up_to_the_patch(tables, neighbourhood):
    classes = dict(neighbourhood.classes(tables.clues))
    second = {code: area for code, _, _, area in classes["TAAAAAAAAAAA2"]}
    assert sum(second.values()) == 470000
    assert second[""] == pytest.approx(1200 * 100, rel=1e-3)
    rows = area_rows(evidence_sheets(tables)[1], Surroundings(classes=classes["TAAAAAAAAAAA2"]))
    parts = [Decimal(row[1]) for row in rows if row[0].startswith("·")]
    assert sum(parts) == Decimal(rows[1][1]) == Decimal("4700.00")
    few = area_rows(evidence_sheets(tables)[1], Surroundings(classes=classes["TAAAAAAAAAAA2"]), 1)
    assert few[3][0] == "· 另 2 类 2 more"


@pytest.mark.parametrize("number", [0, 1])
def test_no_box_overlaps_or_leaves_the_page(tables, tmp_path, pictures, around, number):
    boxes = _drawn(evidence_sheets(tables)[number], tmp_path / "a.pdf", pictures, around)
    assert overlapping(boxes) == []
    assert outside(boxes, PAGE.inset(20)) == []
    assert min(contrast(b.ink, b.ground) for b in boxes if b.ink and b.ground) >= 4.5


def test_the_rings_give_back_area_and_numbers_of_the_coordinate_text(tables, tmp_path):
    sheet = evidence_sheets(tables)[1]
    write_coordinates(tables, tmp_path / "a.txt")
    lines = (tmp_path / "a.txt").read_text(encoding="utf-8").split("@")[-1].split()
    names, numbers = zip(*(line.split(",")[:2] for line in lines), strict=True)
    text = ring_text(sheet)
    _, *rings = re.split(r"环(?=\d+ ring)", text)
    told = [(name, ring[0]) for ring in rings for name in re.findall(r"(J\d+)\(", ring)]
    assert dict(told) == dict(zip(names, numbers, strict=True))
    outer, hole = (
        [tuple(map(float, pair)) for pair in re.findall(r"\(([\d.]+),([\d.]+)\)", ring)]
        for ring in rings
    )
    ground = shapely.transform(
        shapely.Polygon(outer, [hole]),
        lambda xy: np.column_stack(transformer("EPSG:4490", "EPSG:4526").transform(*xy.T)),
    )
    assert ground.area == pytest.approx(tables.clues.geometry.iloc[1].area, abs=0.2)


def _crowded(sheet):
    """Return the sheet with more of everything than a page holds."""
    ring = [(114 + i / 1e4, 36 + i / 1e5) for i in range(900)]
    row = ("临字〔2023〕" + "很长的项目名称" * 9, "临时用地 temporary land", "2023-05-01", 1, 1)
    reason = ("地块" * 90 + "。", "parcel " * 90)
    return replace(
        sheet,
        facts=tuple((zh, en, f"{value} {'长 long ' * 9}") for zh, en, value in sheet.facts[:7])
        + sheet.facts[7:],
        documents=(row,) * 30,
        document_keys=tuple(f"temporary:L{i}" for i in range(30)),
        reasons=(("P", *reason),) * 12,
        traces=(("土地 · 规则 V1", "land · rule V1"),) * 12,
        rings=(("环1 ring 1", tuple(ring)),),
    )


def test_a_crowded_sheet_is_cut_and_says_so(tables, tmp_path, pictures, around):
    sheet = _crowded(evidence_sheets(tables)[1])
    boxes = _drawn(sheet, tmp_path / "a.pdf", pictures, around)
    assert overlapping(boxes) == []
    assert outside(boxes, PAGE.inset(20)) == []
    names = [box.name for box in boxes]
    assert sum("另有 24 行见网页版" in name for name in names) == 1
    assert sum(bool(re.search(r"…… 另有 \d+ 行见网页版", name)) for name in names) == 1
    page = next(iter(write_sheets([sheet], tmp_path, pictures, around)))[1]
    assert "900(" in page.read_text(encoding="utf-8")


def test_pictures_are_pictures_of_the_same_extent(written, pictures):
    with pdfplumber.open(written[0][".pdf"]) as document:
        before, after = document.pages[0].images
    sides = [(image["width"], image["height"]) for image in (before, after)]
    assert sides[0] == pytest.approx(sides[1], abs=0.01)
    assert before["top"] == pytest.approx(after["top"], abs=0.01)
    for image in (before, after):
        data = np.frombuffer(image["stream"].get_data(), np.uint8)
        assert len(np.unique(data)) >= 64


@pytest.mark.parametrize("unseen", [0.0, 0.2])
def test_the_legend_tells_ground_without_image(tables, tmp_path, pictures, around, unseen):
    def cut(bounds):
        before, after = pictures(bounds)
        return before, replace(after, unseen=unseen)

    (files,) = write_sheets(evidence_sheets(tables)[:1], tmp_path, cut, around)
    with pdfplumber.open(files[0]) as pdf:
        assert ("无影像" in pdf.pages[0].extract_text()) is (unseen > 0)
    page = lxml.html.parse(files[1])
    assert ("无影像" in page.getroot().text_content()) is (unseen > 0)
    hatches = {p.get("id") for p in page.iter("pattern")}
    used = {str(p.get("fill"))[5:-1] for p in page.iter("path") if "url(" in str(p.get("fill"))}
    assert used == hatches


def test_outlines_stand_where_the_patch_is(tables, written):
    sheet = evidence_sheets(tables)[0]
    west, _, east, north = sheet.frame()
    with pdfplumber.open(written[0][".pdf"]) as document:
        page = document.pages[0]
        pane = page.images[0]
        curves = [
            c for c in (*page.curves, *page.rects) if c["stroking_color"] == (0.84, 0.1, 0.11)
        ]
    scale = pane["width"] / (east - west)
    expected = [(x - west) * scale + pane["x0"] for x in sheet.outline.bounds[::2]]
    assert [curves[0]["x0"], curves[0]["x1"]] == pytest.approx(expected, abs=0.1)
    expected = [(north - y) * scale + pane["top"] for y in sheet.outline.bounds[:0:-2]]
    assert [curves[0]["top"], curves[0]["bottom"]] == pytest.approx(expected, abs=0.1)


def test_every_character_has_its_glyph(written):
    for files in written:
        with pdfplumber.open(files[".pdf"]) as document:
            letters = {c["text"] for c in document.pages[0].chars}
        assert len(letters) > 150
        assert not letters & {"\ufffd", "〓", "□"}
        shown = pypdfium2.PdfDocument(files[".pdf"])[0].get_textpage().get_text_bounded()
        known = TTFont(Path("clues/outputs/fonts/NotoSansSC-Regular-GB2312.ttf")).getBestCmap()
        assert {c for c in shown if c.isprintable() and ord(c) not in known} == set()


def test_a_rare_character_is_told(tables, tmp_path, pictures, caplog):
    sheet = evidence_sheets(tables)[0]
    rare = replace(sheet, documents=(("㐂记批〔2024〕1号", "用地批文", "—", 1, 1),) * 1)
    rare = replace(rare, document_keys=("approval:A1",))
    pdf, html = next(iter(write_sheets([rare], tmp_path, pictures)))
    text = pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded()
    assert "〓记批" in text
    assert "〓 = U+3402" in text
    assert "㐂" in caplog.text
    assert "㐂记批" in html.read_text(encoding="utf-8")


def test_the_page_carries_the_letters_of_its_text(written):
    whole = TTFont(Path("clues/outputs/fonts/NotoSansSC-Regular-GB2312.ttf"))
    for files in written:
        page = lxml.html.fromstring(files[".html"].read_text(encoding="utf-8"))
        (data,) = re.findall(r"url\(data:font/woff;base64,([^)]+)\)", page.findtext(".//style"))
        font = TTFont(io.BytesIO(base64.b64decode(data)), checkChecksums=2)
        letters = {c for c in page.text_content() if c.isprintable()}
        assert letters - {chr(c) for c in font.getBestCmap()} == set()
        assert len(base64.b64decode(data)) < 100_000
        for letter in sorted(letters):
            (own, name), (theirs, full) = ((f, f.getBestCmap()[ord(letter)]) for f in (font, whole))
            assert own["hmtx"][name] == theirs["hmtx"][full]
            drawn = [f["glyf"][n].getCoordinates(f["glyf"])[0] for f, n in
                     ((own, name), (theirs, full))]  # fmt: skip
            assert drawn[0] == drawn[1], letter


def test_the_page_is_whole_and_needs_no_network(written):
    text = written[1][".html"].read_text(encoding="utf-8")
    page = lxml.html.fromstring(text)
    assert "http" not in text
    cells = [cell.text_content() for cell in page.iter("td")]
    assert "4700.00" in cells
    assert "临字〔2023〕1号" in cells
    images = [Image.open(io.BytesIO(_data(i.get("href")))) for i in page.iter("image")]
    assert [image.size for image in images] == [(96, 96), (96, 96)]
    assert "<b>环2 ring 2</b> J5(" in text
    assert "<no approval>" in page.text_content()


def _data(uri):
    return base64.b64decode(uri.partition(",")[2])


def test_sheets_come_one_by_one_and_are_the_same_bytes(tables, tmp_path, pictures, around):
    sheets = evidence_sheets(tables)
    files = next(iter(write_sheets(sheets, tmp_path / "a", pictures, around)))
    assert sorted((tmp_path / "a").iterdir()) == sorted(files)
    again = next(iter(write_sheets(sheets, tmp_path / "b", pictures, around)))
    assert [f.read_bytes() for f in files] == [f.read_bytes() for f in again]


def test_the_map_shows_what_is_in_its_frame_only(neighbourhood):
    west, south, east, north = (*rectangle(60, 60, 140, 140).bounds,)
    features = neighbourhood.around((west, south, east, north))
    assert {f.role for f in features} == {"landuse", "basic_farmland", "redline", "mining_right"}
    assert {f.kind for f in features if f.role == "landuse"} == {"cropland"}
    assert max(shapely.get_coordinates(f.geometry)[:, 0].max() for f in features) <= east + 8.001
    assert neighbourhood.onemap.crs == CRS
