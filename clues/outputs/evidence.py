"""The evidence sheet as a PDF: one A4 page per clue, drawn as vectors around two pictures."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from clues.outputs.cartography import coordinate_ticks, legend, north_arrow, qr_code, scale_bar
from clues.outputs.drawing import A4, BLACK, MILLIMETRE, WHITE, Box, Colour, Paper
from clues.outputs.lettering import ASCENT, DESCENT
from clues.outputs.mapframe import MapFrame, outlines
from clues.outputs.sheet import EvidenceSheet, Picture
from clues.outputs.sheetmap import (
    MapLayer,
    Numbered,
    key_entries,
    map_layers,
    picture_lines,
)
from clues.outputs.sheetpage import write_sheet_page
from clues.outputs.sheetwords import area_rows, document_rows, footer_words, qr_text, word_blocks
from clues.surroundings import Surroundings
from tiles.files import atomic_path

__all__ = ["Pictures", "Surround", "draw_sheet", "write_sheets"]

MARGIN = 10 * MILLIMETRE
GAP = 8.0
PANE = 75 * MILLIMETRE
SIDE = A4[0] - 2 * MARGIN - 2 * PANE - 2 * GAP
"""Width of the column beside the panes."""

BLUE: Colour = (0x2F / 255, 0x5C / 255, 0xA8 / 255)
GREY: Colour = (0.35, 0.35, 0.35)
TEXT_SIZES = (8.0, 7.6, 7.2, 6.8, 6.4, 6.0, 5.6)
LEADING = 1.32
DOCUMENTS = 6
"""Rows of documents on the page; the others stand in the HTML page."""

Bounds = tuple[float, float, float, float]
Pictures = Callable[[Bounds], tuple[Picture, Picture]]
Surround = Callable[[EvidenceSheet, Bounds], Surroundings]


def write_sheets(
    sheets: Iterable[EvidenceSheet],
    folder: Path,
    pictures: Pictures,
    surround: Surround | None = None,
) -> Iterator[list[Path]]:
    """Write ``<clue number>.pdf`` and ``<clue number>.html`` for every sheet.

    Parameters
    ----------
    sheets : iterable of EvidenceSheet
    folder : Path
        Made when missing. Files are written atomically; a sheet that exists is replaced.
    pictures : callable
        Takes west, south, east, north in the CRS of the run; returns the before and the after
        picture with the same bounds and stretch.
    surround : callable, optional
        Takes a sheet and the bounds of its pictures; returns what lies there. Without it the
        overlay map shows the patch alone.

    Yields
    ------
    list of Path
        The files of each sheet as it is finished: who records them can go on where an
        interrupted run stopped.
    """
    for sheet in sheets:
        pair = pictures(sheet.frame())
        around = surround(sheet, pair[1].bounds) if surround else Surroundings()
        files = [folder / f"{sheet.clue_no}{suffix}" for suffix in (".pdf", ".html")]
        hashes = (_pixel_hash(pair[0]), _pixel_hash(pair[1]))
        with atomic_path(files[0]) as part:
            draw_sheet(sheet, part, pair, hashes, around)
        write_sheet_page(sheet, files[1], pair, hashes, around)
        yield files


def draw_sheet(
    sheet: EvidenceSheet,
    path: Path,
    pair: tuple[Picture, Picture],
    hashes: tuple[str, str],
    around: Surroundings,
) -> list[Box]:
    """Draw the page and return where everything on it stands."""
    title = f"{sheet.clue_no} 证据单 evidence sheet"
    with Paper(path, A4, title, where=sheet.clue_no) as paper:
        top = _heading(paper, sheet)
        _panes(paper, sheet, pair, top)
        _facts(paper, sheet, top)
        top -= PANE + 22
        layers, numbered = map_layers(sheet, around, pair[1].bounds)
        frame = _map(paper, sheet, pair[1].bounds, layers, numbered, top)
        _areas(paper, sheet, around, top)
        _key(paper, frame, (sheet, layers, pair), top)
        top -= PANE + 14
        top = _documents(paper, sheet, top)
        bottom = _footer(paper, footer_words(sheet, pair, hashes, paper.letters.note))
        _words(paper, sheet, top, bottom)
        return paper.turn()


def _pixel_hash(picture: Picture) -> str:
    return hashlib.sha256(picture.image.tobytes()).hexdigest()[:16]


def _heading(paper: Paper, sheet: EvidenceSheet) -> float:
    y = A4[1] - MARGIN - 14
    room = A4[0] - 2 * MARGIN
    paper.text(f"土地变化线索证据单  {sheet.clue_no}", MARGIN, y, 14, ink=BLUE)
    paper.text("Evidence sheet of a clue: a lead, not a verdict", MARGIN, y - 13, 7.5, ink=GREY)
    right = A4[0] - MARGIN
    paper.text(sheet.title.stem, right, y, 8, align="right", ink=GREY, width=room / 2)
    named = f"{sheet.title.run_name} · 一图斑一页 one clue, one page"
    paper.text(named, right, y - 13, 7.5, align="right", ink=GREY, width=room / 2)
    return y - 20


def _panes(paper: Paper, sheet: EvidenceSheet, pair: tuple[Picture, Picture], top: float) -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    crs = sheet.crs
    for number, (picture, label) in enumerate(
        zip(pair, ("前时相 before", "后时相 after"), strict=True)
    ):
        left = MARGIN + number * (PANE + GAP)
        box = paper.claim(Box(label, left, top - PANE, PANE, PANE, panel=True))
        image = ImageReader(Image.fromarray(picture.image))
        paper.canvas.drawImage(image, box.left, box.bottom, PANE, PANE)
        frame = MapFrame(box, picture.bounds, crs)
        for shape, ink in picture_lines(sheet):
            outlines(paper, frame, [shape], ink)
        paper.rule(box)
        day = picture.civil_date.isoformat() if picture.civil_date else "日期不详 date unknown"
        said = paper.text(f"{label}  {day}", left, box.bottom - 8.5, 7.5)
        room = PANE - said.width - 6
        paper.text(
            picture.sensor, box.right, box.bottom - 8.5, 6, align="right", ink=GREY, width=room
        )
        paper.text(picture.scene_id, left, box.bottom - 16.5, 5.5, ink=GREY, width=PANE)


def _facts(paper: Paper, sheet: EvidenceSheet, top: float) -> None:
    """Write the head of the sheet beside the panes, smaller until it fits."""
    left = A4[0] - MARGIN - SIDE
    for size in (7.0, 6.5, 6.0, 5.5, 5.0, 4.5):
        small = size - 1.2
        rows = [
            (f"{zh} {en}", paper.wrapped(value, size, SIDE)[:3]) for zh, en, value in sheet.facts
        ]
        height = sum(1.25 * small + 1.2 * size * len(lines) + 0.35 * size for _, lines in rows)
        if height <= PANE:
            break
    y = top
    for label, lines in rows:
        paper.text(label, left, y - ASCENT * small, small, ink=GREY, width=SIDE)
        y -= 1.25 * small
        y = paper.lines(lines, left, y, size, leading=1.2 * size) - 0.35 * size


def _map(
    paper: Paper,
    sheet: EvidenceSheet,
    bounds: Bounds,
    layers: tuple[MapLayer, ...],
    numbered: tuple[Numbered, ...],
    top: float,
) -> MapFrame:
    inset = 10.0
    box = paper.claim(
        Box(
            "overlay map",
            MARGIN + inset,
            top - PANE + inset,
            PANE - inset,
            PANE - inset,
            panel=True,
        )
    )
    frame = MapFrame(box, bounds, sheet.crs)
    for layer in layers:
        outlines(paper, frame, layer.shapes, layer.ink)
    taken: list[Box] = []
    for one in numbered:
        _number(paper, frame, one, taken)
    coordinate_ticks(paper, frame)
    return frame


def _number(paper: Paper, frame: MapFrame, one: Numbered, taken: list[Box]) -> None:
    """Write the number of a document on it, where no other number stands."""
    import shapely

    size, text = 6.5, str(one.number)
    side = 1.25 * size
    width = max(side, paper.letters.width(text, size) + 3)
    inside = shapely.clip_by_rect(one.shape, *frame.bounds)
    if inside.is_empty:
        return
    x, y = frame.to_paper(shapely.get_coordinates(shapely.point_on_surface(inside)))[0]
    for step in range(12):
        turn = (0, 0) if step == 0 else ((step + 1) // 2 * (1 if step % 2 else -1), 0)
        plate = Box("", x - width / 2 + turn[0] * (width + 1), y - side / 2, width, side)
        if plate.inside(frame.box) and not any(plate.meets(other) for other in taken):
            break
    else:
        return
    taken.append(plate)
    paper.fill(plate, WHITE)
    paper.rule(plate, (0.05, 0.30, 0.75), 0.5)
    baseline = plate.bottom + (side - (ASCENT - DESCENT) * size) / 2
    paper.text(text, plate.left + width / 2, baseline, size, align="middle", ink=(0.05, 0.2, 0.6))


def _areas(paper: Paper, sheet: EvidenceSheet, around: Surroundings, top: float) -> None:
    left = MARGIN + PANE + GAP
    rows = area_rows(sheet, around)
    row = min(10.5, PANE / len(rows))
    paper.table(
        rows,
        left,
        top,
        [PANE - 100, 54, 46],
        size=min(6.6, 0.63 * row),
        row=row,
        right=2,
        head=BLUE,
    )


def _key(
    paper: Paper,
    frame: MapFrame,
    shown: tuple[EvidenceSheet, tuple[MapLayer, ...], tuple[Picture, Picture]],
    top: float,
) -> None:
    """Draw legend, north arrow, scale and QR code beside the map."""
    sheet = shown[0]
    left = A4[0] - MARGIN - SIDE
    side = 52.0
    entries = [(f"{zh} {en}", ink) for zh, en, ink in key_entries(*shown)]
    size = min(6.2, (PANE - side - 42) / 1.45 / max(len(entries), 1))
    legend(paper, entries, left, top, SIDE, size=size)
    bottom = top - PANE
    qr_code(paper, qr_text(sheet), left, bottom, side)
    north_arrow(paper, frame, left + side + (SIDE - side) / 2, bottom + 12, 34)
    scale_bar(paper, frame, left, bottom + side + 12, SIDE, size=6)
    scale = f"1 : {round(frame.scale, -1):,.0f}"
    paper.text(scale, left, bottom + side + 3, 6.5)
    name = paper.letters.fit(sheet.crs if len(sheet.crs) < 14 else "")
    paper.text(name, A4[0] - MARGIN, bottom + side + 3, 5.5, align="right", ink=GREY)


def _documents(paper: Paper, sheet: EvidenceSheet, top: float) -> float:
    width = A4[0] - 2 * MARGIN
    widths = [34.0, width - 34 - 95 - 100 - 56 - 40, 95.0, 100.0, 56.0, 40.0]
    rows = document_rows(sheet, DOCUMENTS)
    return paper.table(rows, MARGIN, top, widths, size=6.4, row=10, right=2, head=BLUE) - 5


def _footer(paper: Paper, words: list[str]) -> float:
    size, width = 5.5, A4[0] - 2 * MARGIN
    lines = [line for text in words if text for line in paper.wrapped(text, size, width)]
    top = MARGIN + 1.3 * size * len(lines)
    paper.lines(lines, MARGIN, top, size, ink=GREY)
    return top + 2


def _words(paper: Paper, sheet: EvidenceSheet, top: float, bottom: float) -> None:
    """Write reasons, questions and rings; smaller until they fit, then cut with a note."""
    width = A4[0] - 2 * MARGIN
    blocks = word_blocks(sheet)
    for size in TEXT_SIZES:
        lines = [
            (line, BLACK if is_main else GREY)
            for text, is_main in blocks
            for line in paper.wrapped(text, size, width)
        ]
        room = int((top - bottom) / (LEADING * size))
        if len(lines) <= room:
            break
    else:
        rest = len(lines) - room + 1
        note = f"…… 另有 {rest} 行见网页版 {rest} more lines in {sheet.clue_no}.html"
        lines = [*lines[: room - 1], (note, BLUE)]
    y = top
    for line, ink in lines:
        paper.text(line, MARGIN, y - ASCENT * size, size, ink=ink)
        y -= LEADING * size
