"""Parts of maps on paper stand where they say, show what they say, and are told apart."""

from pathlib import Path

import numpy as np
import pdfplumber
import pypdfium2
import pytest
import shapely

from clues.outputs.cartography import (
    coordinate_ticks,
    legend,
    north_angle,
    north_arrow,
    qr_code,
    scale_bar,
)
from clues.outputs.drawing import Box, Paper, contrast, outside, overlapping
from clues.outputs.lettering import writable
from clues.outputs.mapframe import Ink, MapFrame, outlines
from tests.clues.made import CRS, X, Y

RED, GREEN = (1.0, 0.0, 0.0), (0.0, 0.5, 0.0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A map with all marks: the path and the boxes."""
    path = tmp_path_factory.mktemp("map") / "map.pdf"
    with Paper(path, title="图 map") as paper:
        frame = MapFrame(Box("map", 60, 400, 300, 300), (X, Y, X + 600, Y + 600), CRS)
        paper.claim(frame.box)
        ring = shapely.box(X + 100, Y + 100, X + 500, Y + 500)
        hole = shapely.box(X + 200, Y + 200, X + 400, Y + 400)
        outlines(paper, frame, [ring.difference(hole)], Ink(fill=RED, hatch=GREEN))
        outlines(paper, frame, [shapely.box(X - 9e5, Y + 550, X + 9e5, Y + 9e5)], Ink(fill=GREEN))
        coordinate_ticks(paper, frame)
        scale_bar(paper, frame, 60, 360, 150)
        north_arrow(paper, frame, 340, 350)
        legend(paper, [("耕地 cropland", Ink(fill=RED)), ("界 line", Ink())], 60, 340, 300)
        qr_code(paper, "tuban:99990125Q2000001", 420, 400, 60)
        boxes = paper.turn()
    return path, boxes


def test_nothing_overlaps_or_leaves_the_page(drawn):
    _, boxes = drawn
    assert overlapping(boxes) == []
    assert outside(boxes, Box("page", 0, 0, 595.2, 841.8)) == []
    twice = [Box("a", 0, 0, 10, 10), Box("b", 9, 9, 10, 10)]
    assert overlapping(twice) == [("a", "b")]
    assert outside(twice, Box("page", 0, 0, 15, 20)) == ["b"]


def test_outlines_have_holes_and_end_at_the_frame(drawn):
    path, _ = drawn
    picture = pypdfium2.PdfDocument(path)[0].render(scale=1).to_numpy()

    def colour(x, y):
        return tuple(int(v) for v in picture[842 - int(y), int(x), ::-1][:3])

    assert colour(60 + 150, 400 + 150) == (255, 255, 255)
    assert colour(60 + 75, 400 + 75)[0] > colour(60 + 75, 400 + 75)[2] + 50
    assert colour(60 + 150, 400 + 290) == (0, 128, 0)
    assert colour(60 + 320, 400 + 290) == (255, 255, 255)


def test_the_scale_bar_is_as_long_as_it_says(drawn):
    path, boxes = drawn
    bar = next(b for b in boxes if b.name == "scale bar")
    with pdfplumber.open(path) as document:
        words = [w["text"] for w in document.pages[0].extract_words()]
    assert bar.width * 600 / 300 == pytest.approx(200, rel=1e-3)
    assert "200" in words
    assert "m" in words


def test_ticks_stand_at_their_longitude(drawn):
    _, boxes = drawn
    east = next(b for b in boxes if b.name == "114°00′10″E")
    middle = (east.left + east.right) / 2
    metres = 10 / 3600 * np.radians(1) * 6378137 * np.cos(np.radians(36.67))
    assert (middle - 60) * 2 == pytest.approx(metres, abs=1.0)


def test_north_leans_with_the_convergence_of_the_zone():
    right, left = north_angle(CRS, X + 100_000, Y), north_angle(CRS, X - 100_000, Y)
    expected = np.degrees(100_000 / (6378137 * np.cos(np.radians(36.67))))
    assert right == pytest.approx(-expected * np.sin(np.radians(36.67)), abs=0.01)
    assert left == pytest.approx(-right, abs=1e-6)
    assert north_angle("EPSG:4490", 114.0, 36.0) == pytest.approx(0, abs=1e-6)


def test_the_map_is_the_same_bytes_each_time(tmp_path: Path):
    def make(name):
        with Paper(tmp_path / name, title="同 same") as paper:
            paper.text("永久基本农田", 50, 700, 12)
            qr_code(paper, "x", 50, 500, 60)
            paper.turn()
        return (tmp_path / name).read_bytes()

    assert make("a.pdf") == make("b.pdf")


def test_a_character_without_glyph_is_marked_and_told(tmp_path: Path, caplog):
    assert writable("㐂田\n村") == ("〓田 村", "㐂")
    with Paper(tmp_path / "rare.pdf", where="99990125Q2000001") as paper:
        assert paper.text("㐂田村", 50, 700, 12).name == "〓田村"
        assert "U+3402" in paper.letters.note
        paper.turn()
    assert "99990125Q2000001" in caplog.text
    assert "㐂" in caplog.text


def test_contrast_follows_wcag():
    assert contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21)
    grey = 0x76 / 255
    assert contrast((grey, grey, grey), (1, 1, 1)) == pytest.approx(4.54, abs=0.01)
