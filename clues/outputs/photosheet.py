"""The photos of a clue on paper: what an evidence sheet has no room for, on pages after it.

The first page has a map with the places and directions of the photos; photos that count come
before those that are marked, and every mark is told.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clues.fieldphotos import MARKS
from clues.outputs.drawing import A4, BLACK, MILLIMETRE, WHITE, Box, Colour, Paper
from clues.outputs.lettering import ASCENT, DESCENT
from clues.outputs.mapframe import Ink, MapFrame, outlines
from clues.outputs.mapparts import BasePictures
from clues.outputs.photopage import BASE_PX, WORDS, PhotoRecord, photo_facts, photo_frame
from tiles.files import atomic_path

__all__ = ["write_photo_sheet", "write_photo_sheets"]

MARGIN = 12 * MILLIMETRE
GAP = 6 * MILLIMETRE
MAP = 88 * MILLIMETRE
CELL = ((A4[0] - 2 * MARGIN - GAP) / 2, 66 * MILLIMETRE)
"""Width and height that a photo has at most."""

CAPTION = 30.0
FIRST, LATER = 4, 6
"""Photos on the page with the map, and on each page after it."""

BLUE: Colour = (0x2F / 255, 0x5C / 255, 0xA8 / 255)
GREY: Colour = (0.35, 0.35, 0.35)
RED: Colour = (0.65, 0.06, 0.08)
GREEN: Colour = (0.04, 0.38, 0.16)
PATCH = Ink(line=(0.84, 0.10, 0.11), width=1.2, halo=WHITE)
AROUND = Ink(line=(0.84, 0.10, 0.11), width=0.8, dash=(3.0, 2.0), halo=WHITE)
ARROW = 18.0
DISC = 5.5


def write_photo_sheets(
    folder: Path,
    records: Sequence[PhotoRecord],
    shapes: Mapping[str, Any],
    crs: str,
    thumbnail: Callable[[PhotoRecord], bytes],
    pictures: BasePictures | None,
    language: str,
    credit: str,
) -> list[Path]:
    """Write ``<clue number>.pdf`` for each clue with photos, see `write_photo_sheet`.

    Parameters
    ----------
    folder : Path
        Made when missing.
    records : sequence of PhotoRecord
        Of all clues; those that belong to none are left out.
    shapes : mapping of str to geometry
        Patches by clue number, in `crs`.
    crs, thumbnail, pictures, language, credit
        As of a sheet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for clue in sorted({r.clue_no for r in records} & set(shapes)):
        own = [r for r in records if r.clue_no == clue]
        files.append(folder / f"{clue}.pdf")
        write_photo_sheet(
            files[-1], clue, own, shapes[clue], crs, thumbnail, pictures, language, credit
        )
    return files


def write_photo_sheet(
    path: Path,
    clue_no: str,
    records: Sequence[PhotoRecord],
    shape: Any,
    crs: str,
    thumbnail: Callable[[PhotoRecord], bytes],
    pictures: BasePictures | None,
    language: str,
    credit: str,
) -> list[list[Box]]:
    """Write the photos of a clue as PDF, one A4 page or more.

    Parameters
    ----------
    path : Path
        Written atomically.
    clue_no : str
    records : sequence of PhotoRecord
        Of the clue; numbered as the page in HTML numbers them.
    shape : Polygon or MultiPolygon
        The patch, in `crs`.
    crs : str
    thumbnail : callable
        Gives the JPEG of a record.
    pictures : callable or None
        Base picture of the map.
    language : {"zh", "en"}
    credit : str
        Credit line of the base picture.

    Returns
    -------
    list of list of Box
        Where everything stands, page by page.
    """
    words = WORDS[language]
    numbered = list(enumerate(records, 1))
    order = sorted(numbered, key=lambda one: (bool(one[1].marks), one[0]))
    parts = [order[:FIRST], *(order[i : i + LATER] for i in range(FIRST, len(order), LATER))]
    pages = []
    with atomic_path(path) as part, Paper(part, A4, f"{clue_no} {words['title']}") as paper:
        for number, own in enumerate(parts, 1):
            top = _heading(paper, clue_no, words, f"{number} / {len(parts)}")
            if number == 1:
                _map(paper, records, shape, crs, pictures, top)
                _beside(paper, records, words, credit if pictures else "", top)
                top -= MAP + GAP
            for place, (at, record) in enumerate(own):
                left = MARGIN + place % 2 * (CELL[0] + GAP)
                upper = top - place // 2 * (CELL[1] + CAPTION + GAP)
                _photo(paper, at, record, thumbnail(record), (left, upper), language)
            pages.append(paper.turn())
    return pages


def _heading(paper: Paper, clue_no: str, words: Mapping[str, str], page: str) -> float:
    top, right = A4[1] - MARGIN - 14, A4[0] - MARGIN
    paper.text(f"{words['title']}  {clue_no}", MARGIN, top, 14, ink=BLUE)
    paper.text(page, right, top, 8, align="right", ink=GREY)
    return top - 10


def _map(
    paper: Paper,
    records: Sequence[PhotoRecord],
    shape: Any,
    crs: str,
    pictures: BasePictures | None,
    top: float,
) -> None:
    box = paper.claim(Box("map", MARGIN, top - MAP, MAP, MAP, panel=True))
    bounds, near, around = photo_frame(records, shape, crs)
    frame = MapFrame(box, bounds, crs)
    if pictures is not None:
        _base(paper, frame, pictures)
    outlines(paper, frame, [around], AROUND)
    outlines(paper, frame, [shape], PATCH)
    taken: list[Box] = []
    for number, record, x, y in near:
        at = frame.to_paper(np.array([[x, y]]))[0]
        _arrow(paper, number, record, (float(at[0]), float(at[1])), taken)
    paper.rule(box)


def _base(paper: Paper, frame: MapFrame, pictures: BasePictures) -> None:
    """Draw the base picture where its own bounds lie, cut to the frame."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    image, (west, south, east, north) = pictures(frame.bounds, BASE_PX)
    (left, bottom), (right, top) = frame.to_paper(np.array([[west, south], [east, north]])).tolist()
    box, canvas = frame.box, paper.canvas
    canvas.saveState()
    path = canvas.beginPath()
    path.rect(box.left, box.bottom, box.width, box.height)
    canvas.clipPath(path, stroke=0, fill=0)
    reader = ImageReader(Image.fromarray(image))
    canvas.drawImage(reader, left, bottom, right - left, top - bottom)
    canvas.restoreState()


def _arrow(
    paper: Paper, number: int, record: PhotoRecord, at: tuple[float, float], taken: list[Box]
) -> None:
    """Draw where a photo was taken and where it looks; its number where none stands yet."""
    ink = RED if record.marks else GREEN
    canvas, (x, y) = paper.canvas, at
    canvas.setStrokeColorRGB(*ink)
    canvas.setFillColorRGB(*ink)
    if record.azimuth is not None:
        turn = np.radians(record.azimuth)
        ahead = np.array([np.sin(turn), np.cos(turn)])
        side = np.array([ahead[1], -ahead[0]])
        tip = np.array(at) + ARROW * ahead
        canvas.setLineWidth(1.6)
        canvas.line(x, y, *(tip - 4 * ahead).tolist())
        path = canvas.beginPath()
        path.moveTo(*tip.tolist())
        for way in (1, -1):
            path.lineTo(*(tip - 6 * ahead + way * 3 * side).tolist())
        path.close()
        canvas.drawPath(path, stroke=0, fill=1)
    plate = Box("", x - DISC, y - DISC, 2 * DISC, 2 * DISC)
    canvas.circle(x, y, DISC, stroke=0, fill=1)
    if any(plate.meets(other) for other in taken):
        return
    taken.append(plate)
    size = 7.0
    baseline = y - (ASCENT - DESCENT) * size / 2
    paper.text(str(number), x, baseline, size, align="middle", ink=WHITE, ground=ink)


def _beside(
    paper: Paper,
    records: Sequence[PhotoRecord],
    words: Mapping[str, str],
    credit: str,
    top: float,
) -> None:
    """Write what the map shows beside it."""
    left, room = MARGIN + MAP + GAP, A4[0] - 2 * MARGIN - MAP - GAP
    counting = sum(not r.marks for r in records)
    told = [
        (words["counts"] + words["colon"] + str(counting), GREEN),
        (words["marked"] + words["colon"] + str(len(records) - counting), RED),
        (words["arrow"], BLACK),
        (words["buffer"], BLACK),
    ]
    if credit:
        told += [(words["base"], BLACK), (credit, GREY)]
    for text, ink in told:
        for line in paper.wrapped(text, 8, room):
            paper.text(line, left, top - ASCENT * 8, 8, ink=ink)
            top -= 12


def _photo(
    paper: Paper,
    number: int,
    record: PhotoRecord,
    jpeg: bytes,
    corner: tuple[float, float],
    language: str,
) -> None:
    """Draw a photo with its caption below its upper left corner."""
    from reportlab.lib.utils import ImageReader

    reader = ImageReader(io.BytesIO(jpeg))
    wide, high = reader.getSize()
    scale = min(CELL[0] / wide, CELL[1] / high)
    left, top = corner
    box = Box(f"photo {number}", left, top - high * scale, wide * scale, high * scale)
    paper.claim(box)
    paper.canvas.drawImage(reader, box.left, box.bottom, box.width, box.height)
    told = photo_facts(record, language)
    words, size = WORDS[language], 7.0
    facts = " · ".join(
        (
            f"{words['taken']} {told['taken']}",
            f"{words['azimuth']} {told['azimuth']}",
            f"{words['distance']} {told['distance']}",
        )
    )
    place = 0 if language == "zh" else 1
    marks = [MARKS[m][place] for m in record.marks]
    between = "；" if language == "zh" else "; "
    why = words["marked"] + words["colon"] + between.join(marks)
    verdict = why if marks else words["counts"]
    ink = RED if marks else GREEN
    bottom = top - CELL[1]
    paper.text(f"{number}  {told['name']}  {told['sha']}", left, bottom - 9, size, width=CELL[0])
    paper.text(facts, left, bottom - 18, size, ink=GREY, width=CELL[0])
    paper.text(verdict, left, bottom - 27, size, ink=ink, width=CELL[0])
