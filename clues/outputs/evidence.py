"""The evidence sheet as a PDF: one A4 page per clue, drawn as vectors around two pictures."""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import shapely

from clues.outputs.lettering import FONT_NAME, register_font
from clues.outputs.sheet import EvidenceSheet, Picture
from tiles.files import atomic_path

__all__ = ["write_sheets"]

log = logging.getLogger(__name__)

MILLIMETRE = 72 / 25.4
PAGE_WIDTH, PAGE_HEIGHT = 210 * MILLIMETRE, 297 * MILLIMETRE
MARGIN = 12 * MILLIMETRE
PANE = 90 * MILLIMETRE
BLUE = (0x44 / 255, 0x72 / 255, 0xC4 / 255)
OUTCOME_COLOURS = {
    "suspected": (0.84, 0.10, 0.11),
    "unresolved": (0.90, 0.45, 0.00),
    "legal": (0.10, 0.55, 0.20),
}
Pictures = Callable[[tuple[float, float, float, float]], tuple[Picture, Picture]]


def write_sheets(
    sheets: Iterable[EvidenceSheet], folder: Path, pictures: Pictures
) -> Iterator[Path]:
    """Write ``<clue number>.pdf`` for every sheet.

    Parameters
    ----------
    sheets : iterable of EvidenceSheet
    folder : Path
        Made when missing. Files are written atomically; a sheet that exists is replaced.
    pictures : callable
        Takes west, south, east, north in the CRS of the run; returns the before and the after
        picture with the same stretch.

    Yields
    ------
    Path
        Each sheet as it is finished: who records them can go on where an interrupted run stopped.
    """
    register_font()
    for sheet in sheets:
        target = folder / f"{sheet.clue_no}.pdf"
        with atomic_path(target) as part:
            _draw(sheet, part, pictures(sheet.frame()))
        yield target


def _draw(sheet: EvidenceSheet, path: Path, pair: tuple[Picture, Picture]) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=(PAGE_WIDTH, PAGE_HEIGHT), invariant=True)
    canvas.setTitle(f"{sheet.clue_no} 证据单 evidence sheet")
    y = _heading(canvas, sheet)
    y = _panes(canvas, sheet, pair, y)
    y = _figures(canvas, sheet, y)
    _words(canvas, sheet, y)
    _footer(canvas, sheet, pair)
    canvas.showPage()
    canvas.save()


def _heading(canvas: Any, sheet: EvidenceSheet) -> float:
    y = PAGE_HEIGHT - MARGIN - 14
    canvas.setFillColorRGB(*BLUE)
    canvas.setFont(FONT_NAME, 14)
    canvas.drawString(MARGIN, y, f"土地变化线索证据单  {sheet.clue_no}")
    canvas.setFillColorRGB(0.25, 0.25, 0.25)
    canvas.setFont(FONT_NAME, 8)
    canvas.drawString(MARGIN, y - 12, "Evidence sheet of a clue: a lead, not a verdict")
    canvas.drawRightString(PAGE_WIDTH - MARGIN, y - 12, f"{sheet.title.stem}  一图斑一页")
    return float(y - 20)


def _panes(canvas: Any, sheet: EvidenceSheet, pair: tuple[Picture, Picture], y: float) -> float:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    bottom = y - PANE
    for picture, label, x in (
        (pair[0], "前时相 before", MARGIN),
        (pair[1], "后时相 after", PAGE_WIDTH - MARGIN - PANE),
    ):
        image = ImageReader(Image.fromarray(picture.image))
        canvas.drawImage(image, x, bottom, PANE, PANE)
        _outline(canvas, sheet, picture.bounds, (x, bottom))
        canvas.setStrokeColorRGB(0.2, 0.2, 0.2)
        canvas.setLineWidth(0.5)
        canvas.rect(x, bottom, PANE, PANE)
        day = picture.civil_date.isoformat() if picture.civil_date else "日期不详"
        canvas.setFillColorRGB(0.1, 0.1, 0.1)
        canvas.setFont(FONT_NAME, 8)
        canvas.drawString(x, bottom - 10, f"{label}  {day}")
        canvas.setFont(FONT_NAME, 6)
        canvas.drawRightString(x + PANE, bottom - 10, picture.scene_id[:44])
    return bottom - 18


def _outline(
    canvas: Any,
    sheet: EvidenceSheet,
    bounds: tuple[float, float, float, float],
    corner: tuple[float, float],
) -> None:
    west, south, east, north = bounds

    def draw(shape: Any, colour: tuple[float, float, float], width: float) -> None:
        canvas.setStrokeColorRGB(*colour)
        canvas.setLineWidth(width)
        path = canvas.beginPath()
        for ring in shapely.get_rings(shapely.get_parts(shape)):
            points = shapely.get_coordinates(ring)
            xs = corner[0] + (points[:, 0] - west) / (east - west) * PANE
            ys = corner[1] + (points[:, 1] - south) / (north - south) * PANE
            path.moveTo(xs[0], ys[0])
            for px, py in zip(xs[1:], ys[1:], strict=True):
                path.lineTo(px, py)
            path.close()
        canvas.drawPath(path, stroke=1, fill=0)

    draw(sheet.outline, (1, 1, 0), 1.6)
    for _, outcome, shape in sheet.parcels:
        draw(shape, OUTCOME_COLOURS.get(outcome, (0.3, 0.3, 0.3)), 0.8)


def _figures(canvas: Any, sheet: EvidenceSheet, y: float) -> float:
    from reportlab.platypus import Table

    facts = [[f"{zh} {en}", value] for zh, en, value in sheet.facts]
    areas: list[list[Any]] = [["面积 Area", "m²", "亩 mu"]]
    areas += [[f"{zh} {en}", str(m2), str(mu)] for zh, en, m2, mu in sheet.areas]
    left = Table(facts, colWidths=[84, PANE - 84], rowHeights=11, style=_table_style(False))
    right = Table(areas, colWidths=[PANE - 110, 60, 50], rowHeights=11, style=_table_style(True))
    bottom = y
    for table, x in ((left, MARGIN), (right, PAGE_WIDTH - MARGIN - PANE)):
        _, height = table.wrapOn(canvas, PANE, PAGE_HEIGHT)
        table.drawOn(canvas, x, y - height)
        bottom = min(bottom, y - height)
    y = bottom - 6
    rows: list[list[Any]] = [["文件 Document", "图层 Layer", "日期 Date", "覆盖 m²", "占比 %"]]
    rows += [[d[0][:40], d[1], d[2], str(d[3]), f"{d[4]:.2f}"] for d in sheet.documents[:6]]
    if len(rows) == 1:
        rows.append(["图斑范围内没有任何文件 no document touches the patch", "", "", "", ""])
    width = PAGE_WIDTH - 2 * MARGIN
    table = Table(
        rows, colWidths=[width - 320, 90, 100, 70, 60], rowHeights=11, style=_table_style(True)
    )
    _, height = table.wrapOn(canvas, width, PAGE_HEIGHT)
    table.drawOn(canvas, MARGIN, y - height)
    return float(y - height - 6)


def _table_style(has_head: bool) -> list[tuple[Any, ...]]:
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), FONT_NAME, 7),
        ("GRID", (0, 0), (-1, -1), 0.25, (0.6, 0.6, 0.6)),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
    ]
    if has_head:
        style += [("ALIGN", (-2, 1), (-1, -1), "RIGHT")]
        style += [("BACKGROUND", (0, 0), (-1, 0), BLUE), ("TEXTCOLOR", (0, 0), (-1, 0), (1, 1, 1))]
    return style


def _words(canvas: Any, sheet: EvidenceSheet, y: float) -> None:
    """Write reasons, questions and the ring list; text shrinks until the page holds it."""
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import KeepInFrame, Paragraph

    style = ParagraphStyle("zh", fontName=FONT_NAME, fontSize=8, leading=10.5, wordWrap="CJK")
    small = ParagraphStyle("en", parent=style, fontSize=7, leading=9, wordWrap=None)
    story: list[Any] = []
    for _, zh, en in sheet.reasons:
        story += [Paragraph(_escaped(zh), style), Paragraph(_escaped(en), small)]
    for zh, en in sheet.questions:
        story.append(Paragraph("待核 " + _escaped(zh), style))
        story.append(Paragraph("To ask: " + _escaped(en), small))
    ring = "  ".join(f"{i + 1}({x:.6f},{y_:.6f})" for i, (x, y_) in enumerate(sheet.ring))
    story.append(Paragraph("界址点 Ring (CGCS2000, lon/lat): " + ring, small))
    width, height = PAGE_WIDTH - 2 * MARGIN, y - MARGIN - 22
    frame = KeepInFrame(width, height, story, mode="shrink")
    _, used = frame.wrapOn(canvas, width, height)
    frame.drawOn(canvas, MARGIN, y - used)


def _footer(canvas: Any, sheet: EvidenceSheet, pair: tuple[Picture, Picture]) -> None:
    from reportlab.lib.utils import simpleSplit

    canvas.setFont(FONT_NAME, 6)
    canvas.setFillColorRGB(0.3, 0.3, 0.3)
    versions = "  ".join(f"{k} {v}" for k, v in sheet.title.versions.items())
    credits = dict.fromkeys(p.attribution for p in pair if p.attribution)
    lines = simpleSplit(f"{versions}  {'  '.join(credits)}", FONT_NAME, 6, PAGE_WIDTH - 2 * MARGIN)
    for i, line in enumerate(reversed(lines[:3])):
        canvas.drawString(MARGIN, MARGIN - 8 + 8 * i, line)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
