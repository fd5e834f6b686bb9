"""The report as a document for word processors, by python-docx (the extra ``docx``)."""

import io
import zipfile
from pathlib import Path
from typing import Any

from clues.outputs.figure import raster
from clues.outputs.reportblocks import Block, Document, Graphic, Pair, Points, Table, Words
from configs.errors import InputError
from tiles.files import atomic_path

__all__ = ["write_docx"]

FONT = "微软雅黑"
INKS = {"plain": "222222", "note": "595959", "alert": "A50F15", "good": "14682B"}
BLUE, HEAD, SUM = "1F3D73", "3A63AD", "FFF2CC"
WIDTH_MM, TALLEST_MM = 180.0, 160.0
MOMENT = (1980, 1, 1, 0, 0, 0)
"""Time stamp of all parts: the same report gives the same bytes."""


def write_docx(document: Document, path: Path) -> None:
    """Write the report.

    Parameters
    ----------
    document : Document
    path : Path
        Written atomically.

    Raises
    ------
    InputError
        If python-docx is not installed.
    """
    try:
        import docx
    except ImportError:
        raise InputError(
            "a document needs python-docx, which is not installed",
            path.name,
            'pip install "tuban[docx]", or write html and pdf only',
        ) from None
    book = docx.Document()
    _set_up(book, document)
    for chapter in document.chapters:
        _heading(book, chapter.heading, 1)
        for block in chapter.blocks:
            _write(book, block)
    raw = io.BytesIO()
    book.save(raw)
    with atomic_path(path) as part:
        _write_alike(raw, part)


def _set_up(book: Any, document: Document) -> None:
    from docx.shared import Mm, Pt

    section = book.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(section, side, Mm(15))
    for name in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet", "Caption"):
        _set_font(book.styles[name])
    normal = book.styles["Normal"]
    normal.font.size = Pt(10)
    normal.paragraph_format.space_after = Pt(4)
    book.core_properties.title = document.title
    book.core_properties.language = "zh-CN" if document.language == "zh" else "en"
    book.core_properties.author = "tuban"
    _heading(book, document.title, 0)
    _paragraph(book, document.subtitle, "note")
    foot = section.footer.paragraphs[0]
    before, after = document.page.split("{page}")
    _run(foot, f"{document.footer}    {before}", "note", 8)
    _page_number(foot)
    _run(foot, after, "note", 8)


def _set_font(style: Any) -> None:
    from docx.oxml.ns import qn

    style.font.name = FONT
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in ("w:ascii", "w:hAnsi", "w:eastAsia", "w:cs"):
        fonts.set(qn(name), FONT)
    for name in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        fonts.attrib.pop(qn(name), None)


def _page_number(paragraph: Any) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph._p.append(field)


def _heading(book: Any, text: str, level: int) -> None:
    from docx.shared import RGBColor

    heading = book.add_heading(_plain(text), level)
    for run in heading.runs:
        run.font.color.rgb = RGBColor.from_string(BLUE)


def _write(book: Any, block: Block) -> None:
    match block:
        case Words():
            _paragraph(book, block.text, block.tone)
        case Points():
            for sentence in block.sentences:
                _run(book.add_paragraph(style="List Bullet"), sentence, block.tone)
        case Table():
            caption = _paragraph(book, block.caption)
            caption.paragraph_format.keep_with_next = True
            _table(book, block)
            book.add_paragraph().paragraph_format.space_after = _points(2)
        case Graphic():
            _picture(book.add_paragraph(), block.figure, WIDTH_MM if block.wide else 140.0)
            if block.caption:
                _paragraph(book, block.caption, "note")
        case Pair():
            _pair(book, block)


def _paragraph(book: Any, text: str, tone: str = "plain") -> Any:
    paragraph = book.add_paragraph()
    _run(paragraph, text, tone)
    return paragraph


def _run(paragraph: Any, text: str, tone: str = "plain", size: float | None = None) -> None:
    from docx.shared import RGBColor

    run = paragraph.add_run(_plain(text))
    run.font.color.rgb = RGBColor.from_string(INKS[tone])
    if size is not None:
        run.font.size = _points(size)


def _points(size: float) -> Any:
    from docx.shared import Pt

    return Pt(size)


def _plain(text: str) -> str:
    """Return a text without the control characters that XML cannot hold."""
    return "".join(c if c >= " " or c in "\n\t" else " " for c in text)


def _picture(paragraph: Any, figure: Any, width_mm: float) -> None:
    from docx.shared import Mm

    wide = min(width_mm, TALLEST_MM * figure.width / figure.height)
    scale = max(1.0, wide / 25.4 * 170 / figure.width)
    shape = paragraph.add_run().add_picture(io.BytesIO(raster(figure, scale)), width=Mm(wide))
    shape._inline.docPr.set("descr", figure.label)
    paragraph.paragraph_format.keep_with_next = True


def _pair(book: Any, block: Pair) -> None:
    title = _paragraph(book, block.title)
    title.paragraph_format.keep_with_next = True
    grid = book.add_table(rows=2, cols=2)
    for i, figure in enumerate((block.before, block.after)):
        _picture(grid.cell(0, i).paragraphs[0], figure, 70.0)
        caption = grid.cell(1, i).paragraphs[0]
        _run(caption, block.captions[i], "note", 9)
        caption.paragraph_format.keep_with_next = True
    for i, line in enumerate(block.lines):
        paragraph = book.add_paragraph()
        _run(paragraph, line.text, line.tone, 9)
        paragraph.paragraph_format.keep_with_next = i + 1 < len(block.lines)


def _table(book: Any, block: Table) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Mm

    size = 8.5 if len(block.columns) < 10 else 7.0
    grid = book.add_table(rows=1 + len(block.rows), cols=len(block.columns), style="Table Grid")
    grid.autofit = False
    shares = [c.share for c in block.columns]
    for column, share in zip(grid.columns, shares, strict=True):
        column.width = Mm(WIDTH_MM * share / sum(shares))
    rows = [tuple(c.title for c in block.columns), *block.rows]
    for r, (cells, row) in enumerate(zip(rows, grid.rows, strict=True)):
        tone = block.tones[r - 1] if block.tones and r else "plain"
        for c, (text, cell) in enumerate(zip(cells, row.cells, strict=True)):
            cell.width = Mm(WIDTH_MM * shares[c] / sum(shares))
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = _points(0)
            if block.columns[c].figures:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            if r and c == 0 and block.swatches and block.swatches[r - 1]:
                _swatch(paragraph, block.swatches[r - 1], size)
            _run(paragraph, text, tone if c == len(cells) - 1 else "plain", size)
            if r == 0:
                _shade(cell, HEAD)
                _whiten(paragraph)
            elif block.total and r == len(block.rows):
                _shade(cell, SUM)
        _keep(row, is_head=r == 0)


def _swatch(paragraph: Any, colour: str, size: float) -> None:
    from docx.shared import RGBColor

    run = paragraph.add_run("■ ")
    run.font.color.rgb = RGBColor.from_string(colour.removeprefix("#").upper())
    run.font.size = _points(size)


def _whiten(paragraph: Any) -> None:
    from docx.shared import RGBColor

    for run in paragraph.runs:
        run.font.color.rgb = RGBColor(255, 255, 255)


def _shade(cell: Any, colour: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    shade = OxmlElement("w:shd")
    shade.set(qn("w:val"), "clear")
    shade.set(qn("w:fill"), colour)
    cell._tc.get_or_add_tcPr().append(shade)


def _keep(row: Any, *, is_head: bool) -> None:
    """Keep a row on one page; the head is repeated on every page."""
    from docx.oxml import OxmlElement

    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if is_head:
        properties.append(OxmlElement("w:tblHeader"))


def _write_alike(raw: io.BytesIO, path: Path) -> None:
    """Write a zip again with one time stamp for all parts."""
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            part = zipfile.ZipInfo(name, MOMENT)
            part.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(part, source.read(name))
