"""The map book of a field package: overview, index, and one page per clue to write on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clues.fieldform import FILLED, field_title
from clues.outputs.chineseledger import CHINESE_FORM
from clues.outputs.drawing import A4, BLACK, MILLIMETRE, WHITE, Box, Paper
from clues.outputs.englishledger import english_form
from clues.outputs.mapparts import BasePictures, Bounds, Division, MapPart, map_parts
from clues.outputs.maps import MapPage, short_number
from clues.outputs.mapwords import MapLook
from clues.outputs.tables import ClueTables
from configs.speech import Speech
from tiles.files import atomic_path
from tiles.geodesy import metres_per_unit

__all__ = ["write_book"]

LEAST_M, AROUND = 600.0, 2.2
"""Least side of the ground on a page, and its side in those of the patch: one must find the way."""

PANEL, FOOT = 247.0, 142.0
"""Points below the map of a clue, and of those the ones to write on."""

MARGIN = 12 * MILLIMETRE
ROW = 15.0
STEP, GAP = 16.0, 8.0
"""Of the lines to write on: their distance, and the space between two on one line."""
HEAD_COLOUR = (0x2F / 255, 0x55 / 255, 0x97 / 255)
INDEX = {
    "zh": ("索引", ("编号", "线索编号", "坐落", "变化类型", "面积（亩）", "判定建议", "页")),
    "en": ("Index", ("No.", "Clue", "Place", "Change", "Area (mu)", "Suggestion", "Page")),
}
COLUMNS = (0.07, 0.21, 0.22, 0.16, 0.12, 0.16, 0.06)
WRITTEN = (
    ("verdict",),
    ("situation",),
    ("project", "holder"),
    ("actual_use", "rectified"),
    ("illegal_mu", "illegal_cropland_mu", "illegal_pbf_mu"),
    ("rectification",),
    ("checked_by", "checked_on", "signature"),
)
SIGNATURE = {"zh": "签名", "en": "Signature"}


def write_book(
    path: Path,
    tables: ClueTables,
    rows: Sequence[Mapping[str, Any]],
    divisions: Sequence[Division],
    language: str,
    pictures: BasePictures | None,
) -> list[tuple[Box, ...]]:
    """Write the book.

    Parameters
    ----------
    path : Path
        ``.pdf``; the same clues give the same bytes.
    tables : ClueTables
        Of the clues in the book.
    rows : sequence of mapping
        See `clues.outputs.fieldlayers.card_rows`.
    divisions : sequence of Division
    language : {"zh", "en"}
    pictures : callable or None
        Base picture.

    Returns
    -------
    list of tuple of Box
        Where everything stands, page by page.
    """
    look = MapLook("A4", "zh" if language == "zh" else "en")
    pages = []
    crs = tables.patches.crs.to_string()
    with atomic_path(path) as part, Paper(part, A4, tables.title.stem) as paper:
        overview = map_parts(tables, [], "county")[0]
        MapPage(paper, overview, tables, divisions, look).draw(pictures)
        pages.append(tuple(paper.turn()))
        first = 2 + -(-len(rows) // _rows_per_page(paper))
        for at in range(0, len(rows), _rows_per_page(paper)):
            own = rows[at : at + _rows_per_page(paper)]
            _index(paper, own, language, first + at)
            pages.append(tuple(paper.turn()))
        shapes = dict(zip(tables.clues["clue_no"], tables.clues.geometry, strict=True))
        for row in rows:
            bounds = _around(shapes[row["clue_no"]].bounds, crs)
            page = MapPart(row["clue_no"], "", bounds, title=_title(tables, row, language))
            told = _told(row, language)
            sheet = MapPage(paper, page, tables, [], look, panel=PANEL, foot=FOOT, told=told)
            sheet.draw(pictures)
            _lines_to_write_on(paper, look.language, tables.title.speech)
            pages.append(tuple(paper.turn()))
    return pages


def _around(bounds: Bounds, crs: str) -> Bounds:
    west, south, east, north = bounds
    x, y = (west + east) / 2, (south + north) / 2
    mx, my = metres_per_unit(crs, x, y)
    side = max((east - west) * mx * AROUND, (north - south) * my * AROUND, LEAST_M)
    return x - side / mx / 2, y - side / my / 2, x + side / mx / 2, y + side / my / 2


def _title(tables: ClueTables, row: Mapping[str, Any], language: str) -> str:
    if language == "zh":
        return f"{tables.title.county_name}外业核查图 {row['clue_no']}"
    return f"Field check of clue {row['clue_no']}"


def _told(row: Mapping[str, Any], language: str) -> list[str]:
    zh = language == "zh"
    areas = [
        ("耕地" if zh else "cropland", row["cropland_mu"]),
        ("永久基本农田" if zh else "basic farmland", row["pbf_mu"]),
    ]
    told = "，" if zh else ", "
    area = f"{row['area_mu']:.2f} {'亩' if zh else 'mu'}"
    area += "".join(f"{told}{name} {value:.2f}" for name, value in areas if value)
    lines = [
        f"{'图斑号' if zh else 'Patch'}{'：' if zh else ': '}{row['patch_id']}  {row['location']}",
        f"{'中心点：' if zh else 'Centre: '}{row['centre']} (CGCS2000)",
        f"{row['change']}  {row['before']} → {row['after']}  {area}",
        f"{'判定建议' if zh else 'Suggestion'}{'：' if zh else ': '}{row['suggestion']}",
        *str(row["reason"]).splitlines(),
    ]
    if row["questions"]:
        lines.append(f"{'待核' if zh else 'To ask'}{'：' if zh else ': '}{row['questions']}")
    return [line for line in lines if line.strip()]


def _rows_per_page(paper: Paper) -> int:
    return int((paper.page.height - 2 * MARGIN - 44) // ROW)


def _index(paper: Paper, rows: Sequence[Mapping[str, Any]], language: str, first_page: int) -> None:
    title, heads = INDEX["zh" if language == "zh" else "en"]
    width, top = paper.page.width - 2 * MARGIN, paper.page.height - MARGIN
    paper.text(title, MARGIN, top - 14, 14)
    y = top - 28
    lefts = [MARGIN + width * sum(COLUMNS[:i]) for i in range(len(COLUMNS))]
    paper.fill(Box("head", MARGIN, y - ROW, width, ROW), HEAD_COLOUR)
    for left, share, head in zip(lefts, COLUMNS, heads, strict=True):
        room = share * width - 6
        paper.text(head, left + 3, y - 10.5, 8, ink=WHITE, ground=HEAD_COLOUR, width=room)
    for i, row in enumerate(rows):
        y -= ROW
        cells = (
            short_number(row["clue_no"]),
            row["clue_no"],
            row["location"],
            row["change"],
            f"{row['area_mu']:.2f}",
            row["suggestion"],
            str(first_page + i),
        )
        for left, share, text in zip(lefts, COLUMNS, cells, strict=True):
            paper.text(str(text), left + 3, y - 10.5, 8, width=share * width - 6)
        paper.canvas.setStrokeColorRGB(0.7, 0.7, 0.7)
        paper.canvas.setLineWidth(0.3)
        paper.canvas.line(MARGIN, y - ROW, MARGIN + width, y - ROW)


def _written(language: str, speech: Speech) -> list[list[tuple[str, tuple[str, ...]]]]:
    """Return what is asked on paper, line by line: title and words to tick.

    What the ledger asks back too has the words of the ledger; what it does not have is left out.
    """
    own = speech.model_copy(update={"language": language})
    form = CHINESE_FORM if language == "zh" else english_form(own)
    titles = {f.key: field_title(f, language) for f in FILLED} | {"signature": SIGNATURE[language]}
    titles |= {column.key: column.title for column in form.columns if column.is_filled}
    lines = [
        [(titles[key], tuple(form.choices.get(key, ()))) for key in line if key in titles]
        for line in WRITTEN
    ]
    return [line for line in lines if line]


def _lines_to_write_on(paper: Paper, language: str, speech: Speech) -> None:
    """Draw the part of the check card that is filled in by hand, at the foot of the page."""
    lines = _written(language, speech)
    width = paper.page.width - 2 * MARGIN
    y = 10 * MILLIMETRE + STEP * (len(lines) - 1)
    for line in lines:
        room = (width + GAP) / len(line)
        for i, (title, words) in enumerate(line):
            left = MARGIN + i * room
            box = paper.text(title, left, y, 8)
            x = box.right + 12
            for word in words:
                paper.rule(Box("tick", x, y - 1, 8, 8), BLACK, 0.5)
                x = paper.text(word, x + 12, y, 8).right + 16
            if not words:
                paper.canvas.setStrokeColorRGB(0.4, 0.4, 0.4)
                paper.canvas.setLineWidth(0.4)
                paper.canvas.line(box.right + 4, y - 2, left + room - GAP, y - 2)
        y -= STEP
