"""Photos on paper: nothing overlaps, leaves the page or is left out, marks are told."""

import dataclasses

import numpy as np
import pdfplumber
import pytest
import shapely

from clues.outputs.drawing import A4, Box, contrast, outside, overlapping
from clues.outputs.photopage import PhotoRecord
from clues.outputs.photosheet import write_photo_sheet, write_photo_sheets
from tests.clues.made import CRS, rectangle
from tests.clues.test_photos import jpeg
from tiles.geodesy import transformer

CLUE = "99990125Q2000001"
PATCH = rectangle(0, 0, 90, 60)


def record(number: int, east: float, marks: tuple[str, ...] = (), **changes: object) -> PhotoRecord:
    x, y = shapely.get_coordinates(PATCH.centroid)[0]
    lonlat = transformer(CRS, "EPSG:4490").transform(x + east, y)
    made = PhotoRecord(
        f"{number:064x}", f"DCIM/IMG_{number}.jpg", CLUE, lonlat, 37.0 * number, number == 2,
        "2025-10-05T09:30:00", abs(east), marks,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_all_photos_stand_on_pages_of_their_own(tmp_path, language):
    marks = ("outside", "other_clue", "away", "old", "no_azimuth")
    records = [record(n, 9.0 * n, marks if n == 3 else ()) for n in range(1, 9)]
    records.append(record(9, 0, ("no_position",), lonlat=None, distance_m=None, azimuth=None))
    records.append(record(10, 0, ("no_clue",), clue_no=""))
    asked = []

    def picture(bounds, most_px):
        asked.append(bounds)
        west, south, east, north = bounds
        rim = 0.1 * (east - west)
        shown = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
        return shown, (west - rim, south - rim, east + rim, north + rim)

    files = write_photo_sheets(
        tmp_path, records, {CLUE: PATCH}, CRS, lambda r: jpeg(), picture, language, "© Copernicus"
    )
    assert [f.name for f in files] == [f"{CLUE}.pdf"]
    assert len(asked) == 1
    page = Box("", 0, 0, *A4).inset(20)
    with pdfplumber.open(files[0]) as pdf:
        assert [len(p.images) for p in pdf.pages] == [5, 5]
        texts = [p.extract_text() for p in pdf.pages]
        for shown in pdf.pages:
            assert all(c["x0"] >= 0 and c["x1"] <= shown.width for c in shown.chars)
    last = "没有定位" if language == "zh" else "without position"
    assert last in texts[1]
    assert "〓" not in "".join(texts)
    again = tmp_path / "again.pdf"
    boxes = write_photo_sheet(
        again, CLUE, records[:9], PATCH, CRS, lambda r: jpeg(), picture, language, "© Copernicus"
    )
    assert again.read_bytes() == files[0].read_bytes()
    for drawn in boxes:
        assert overlapping(drawn) == []
        assert outside(drawn, page) == []
        assert min(contrast(b.ink, b.ground) for b in drawn if b.ink and b.ground) >= 4.5
