"""Map sheets: what stands on them, where, and what a public one does not tell."""

import re
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pdfplumber
import pypdfium2
import pytest
import shapely

from clues.outputs.drawing import Box, contrast, outside, overlapping
from clues.outputs.mapfit import PAPERS, map_box, needed_scale
from clues.outputs.mapparts import Division, map_parts, part_of_bounds, safe_name
from clues.outputs.maps import short_number, write_map
from clues.outputs.mapwords import MapLook
from clues.outputs.palette import NUMBER_INKS
from clues.outputs.placing import Anchor, place_labels
from clues.outputs.publicmap import cells_of, with_cells
from configs.errors import InputError
from tests.clues.conftest import E0, N0
from tiles.geodesy import sheet_bounds, sheet_number, transformer

TOWNS = [
    Division("999901101", "东镇", shapely.box(E0 - 200, N0 - 200, E0 + 150, N0 + 600)),
    Division("999901102", "西乡", shapely.box(E0 + 150, N0 - 200, E0 + 700, N0 + 600)),
]


def texture(bounds, most_px):
    rng = np.random.default_rng(1)
    return rng.integers(0, 255, (200, 200, 3), dtype=np.uint8), bounds


def crowded(tables, n=60):
    """Return tables with many clues on a small ground."""
    rng = np.random.default_rng(2)
    places = rng.uniform(0, 900, (n, 2))
    row = tables.patches.iloc[[0]]
    table = gpd.GeoDataFrame(pd.concat([row] * n, ignore_index=True), crs=row.crs)
    table["clue_no"] = [f"99990125Q2{i + 1:06d}" for i in range(n)]
    table["outcome"] = ["suspected", "unresolved"] * (n // 2)
    table["priority"] = range(n)
    table["geometry"] = [shapely.box(E0 + x, N0 + y, E0 + x + 30, N0 + y + 20) for x, y in places]
    return replace(tables, patches=table)


def text_of(path):
    with pdfplumber.open(path) as pdf:
        return pdf.pages[0].extract_text(), len(pdf.pages), pdf.pages[0]


@pytest.mark.parametrize(("paper", "language"), [("A4", "zh"), ("A1", "en")])
def test_a_sheet_has_all_its_marks_and_nothing_overlaps(tables, tmp_path, paper, language):
    part = map_parts(tables, TOWNS, "county")[0]
    path = tmp_path / "map.pdf"
    look = MapLook(paper, language)
    report = write_map(path, part, tables, TOWNS, look, texture)
    text, pages, page = text_of(path)
    told = {
        "zh": ["示例县2025年第二季度土地变化线索分布图", "图例", "比例尺", "时相：前 2025-03-05"],
        "en": ["Land-change clues of 示例县", "Legend", "Scale 1:", "before 2025-03-05"],
    }[language]
    joined = text.replace("\n", " ")
    assert all(t in joined for t in [*told, "CGCS2000", "东镇", "西乡", "© Copernicus", "N", "m"])
    assert re.search(r"\d+°\d\d′", text)
    assert pages == 1
    assert (report.clues, report.unlabelled) == (2, 0)
    frame = [b for b in report.boxes if b.ink is not None]
    assert overlapping(frame) == []
    assert outside(report.boxes, Box("page", 0, 0, page.width, page.height)) == []
    if language == "en":
        assert not re.search(r"[一-鿿]", re.sub("示例县|东镇|西乡", "", text))
    picture = pypdfium2.PdfDocument(path)[0].render(scale=0.4).to_numpy()
    assert len(np.unique(picture[::4, ::4, 0])) > 64


def test_the_scale_is_round_and_true(tables, tmp_path):
    part = map_parts(tables, TOWNS, "county")[0]
    report = write_map(tmp_path / "a.pdf", part, tables, TOWNS, MapLook(), None)
    assert round(report.scale) in (5000, 6000, 8000)
    again = write_map(tmp_path / "b.pdf", part, tables, TOWNS, MapLook(), None)
    assert again == report
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_a_township_map_numbers_its_own_clues(tables, tmp_path):
    east, west = map_parts(tables, TOWNS, "township")
    assert (east.name, west.name) == ("东镇", "西乡")
    for part, number in ((east, "1"), (west, "2")):
        report = write_map(tmp_path / "t.pdf", part, tables, TOWNS, MapLook(), None)
        numbers = [b.name for b in report.boxes if b.ink in NUMBER_INKS.values()]
        assert numbers == [number]
    with pytest.raises(InputError, match="no division layer"):
        map_parts(tables, [], "township")


def test_sheets_and_bounds(tables):
    (part,) = map_parts(tables, [], "sheet")
    assert part.name == "J50G080002"
    given = part_of_bounds((114.0, 36.6, 114.1, 36.7), "EPSG:4526")
    assert given.bounds[0] > 38_000_000
    with pytest.raises(InputError, match="no bounds"):
        part_of_bounds((114.1, 36.6, 114.0, 36.7), "EPSG:4526")
    for lon, lat in ((114.53, 36.69), (75.01, 18.2), (134.9, 53.4)):
        west, south, east, north = sheet_bounds(sheet_number(lon, lat))
        assert west <= lon < east
        assert south <= lat < north
    with pytest.raises(ValueError, match="no number"):
        sheet_bounds("J50X080009")


@pytest.mark.parametrize("lonlat", [(75.01, 18.2), (113.9, 36.6), (119.9, 36.6), (134.9, 53.4)])
def test_a_national_sheet_fits_on_a1_at_its_own_scale(tables, lonlat):
    number, crs = sheet_number(*lonlat), f"EPSG:{32631 + int(lonlat[0] // 6)}"
    place = shapely.Point(*transformer("EPSG:4490", crs).transform(*lonlat)).buffer(20)
    row = tables.patches.iloc[[0]].assign(sheet=number)
    there = gpd.GeoDataFrame(row.drop(columns="geometry"), geometry=[place], crs=crs)
    (part,) = map_parts(replace(tables, patches=there), [], "sheet")
    long = tuple(side * 72 / 25.4 for side in reversed(PAPERS["A1"]))
    assert needed_scale(part.bounds, map_box(long, "A1", False), crs, part.spare) <= 10_000


def test_a_sheet_shows_its_outline_and_three_degrees_a_side(tables, tmp_path):
    (part,) = map_parts(tables, [], "sheet")
    report = write_map(tmp_path / "s.pdf", part, tables, [], MapLook("A1"), None)
    assert report.scale == pytest.approx(10_000)
    names = [b.name for b in report.boxes]
    assert "本图范围" in names
    assert any(n.startswith("偏坐标北以") for n in names)
    assert all(sum(n.endswith(side) and "′" in n for n in names) >= 3 for side in "EN")


def test_numbers_of_a_crowd_never_meet(tables, tmp_path):
    many = crowded(tables)
    part = map_parts(many, [], "county")[0]
    report = write_map(tmp_path / "m.pdf", part, many, [], MapLook("A3"), None)
    numbers = [b for b in report.boxes if b.ink in NUMBER_INKS.values()]
    assert len(numbers) + report.unlabelled == 60
    assert report.unlabelled < 10
    assert overlapping(numbers) == []


def test_labels_without_room_are_counted_not_stacked():
    frame = Box("frame", 0, 0, 40, 20)
    anchors = [Anchor(str(i), 20, 10, 14, 8) for i in range(20)]
    placed, left = place_labels(anchors, frame)
    assert overlapping([p.box for p in placed]) == []
    assert all(p.box.inside(frame) for p in placed)
    assert placed
    assert len(placed) + len(left) == 20
    assert [p.anchor.text for p in placed] == [str(i) for i in range(len(placed))]
    placed, left = place_labels([Anchor("far", 90, 10, 14, 8)], frame)
    assert not placed
    assert not left


def test_a_public_map_tells_no_place_finer_than_its_cells(tables, tmp_path):
    many = crowded(tables)
    part = map_parts(many, TOWNS, "county")[0]
    path = tmp_path / "p.pdf"
    report = write_map(path, part, many, TOWNS, MapLook(public=True, cell_m=500), texture)
    text, _, page = text_of(path)
    assert "公开版" in text
    assert not page.images
    assert not re.search(r"\d°|999901\d+Q|114\.|36\.", text)
    numbers = [b for b in report.boxes if b.ink in NUMBER_INKS.values()]
    assert numbers == []
    per_metre = 72 / 0.0254 / report.scale
    sides = {round(c["width"] / per_metre) for c in page.rects if c["fill"] and c["width"] > 30}
    sides |= {
        round((max(p[0] for p in c["pts"]) - min(p[0] for p in c["pts"])) / per_metre)
        for c in page.curves
        if c["fill"] and c["width"] > 30
    }
    assert 500 in {round(s, -1) for s in sides}


def test_public_sheets_tell_nothing_when_taken_from_each_other(tables, tmp_path):
    many = crowded(tables)
    look = MapLook("A4", "en", public=True, cell_m=500)

    def told(part):
        report = write_map(tmp_path / "p.pdf", part, many, TOWNS, look, None)
        return report, {b.name.split(" ")[0]: b.name for b in report.boxes if b.name[:2] in names}

    names = {"东镇", "西乡"}
    east, west = map_parts(many, TOWNS, "township")
    for part, other in ((east, "西乡"), (west, "东镇")):
        report, labels = told(part)
        assert labels[part.name] == f"{part.name} {report.clues}"
        assert labels[other] == other
        cells = cells_of(many, part, 500)
        assert cells.total == report.clues
        held = with_cells(part, cells).bounds
        assert (cells.corners >= held[:2]).all()
        assert (cells.corners + cells.side <= held[2:]).all()
    whole = cells_of(many, map_parts(many, TOWNS, "county")[0], 500)
    counts = {tuple(c): n for c, n in zip(whole.corners, whole.counts, strict=True)}
    lon, lat = transformer("EPSG:4526", "EPSG:4490").transform(E0 + 300, N0 + 300)
    for shift in (0.0, 0.0004, 0.0013):
        part = part_of_bounds((lon - 0.006, lat - 0.006, lon + shift, lat + 0.006), "EPSG:4526")
        report, labels = told(part)
        assert not any(re.search(r" \d", label) for label in labels.values())
        some = cells_of(many, part, 500)
        assert all(counts[tuple(c)] == n for c, n in zip(some.corners, some.counts, strict=True))
        assert report.clues == some.total


def test_colours_of_numbers_can_be_read():
    for colour in NUMBER_INKS.values():
        assert contrast(colour, (1.0, 1.0, 1.0)) >= 4.5
    assert short_number("99990225Q3000000") == "0"
    assert safe_name("a/../b:东镇") == "a____b_东镇"
