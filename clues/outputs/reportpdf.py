"""The report as a PDF on A4, drawn by reportlab in the shipped font."""

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from clues.outputs.drawing import A4, MILLIMETRE
from clues.outputs.figure import Figure, draw_figure
from clues.outputs.lettering import FONT_NAME, Lettering, register_font
from clues.outputs.reportblocks import Block, Document, Graphic, Pair, Points, Table, Words
from tiles.files import atomic_path

__all__ = ["write_pdf"]

MARGIN = 15 * MILLIMETRE
WIDTH = A4[0] - 2 * MARGIN
TALLEST = 165 * MILLIMETRE
TEXT, SMALL = 9.5, 8.0
BLUE, HEAD, GRID, SUM = "#1f3d73", "#3a63ad", "#bbbbbb", "#fff2cc"
INKS = {"plain": "#222222", "note": "#595959", "alert": "#a50f15", "good": "#14682b"}
PIECES = re.compile(r"[\w.,:;%/+()#&@²°'\"=-]+(?<![\u2e80-\uffef])|\s+|.", re.ASCII)
NEVER_FIRST = "，。、；：）》”’！？％…,.;:)%"
PADDING, FRAME = 3.0, 6.0
TOGETHER, CAPTION = 3, 32.0
"""Last rows of a table that no page break parts, and the height of its caption."""
"""Points inside a cell, and those that reportlab leaves inside its frame."""


def write_pdf(document: Document, path: Path) -> None:
    """Write the report.

    Parameters
    ----------
    document : Document
    path : Path
        Written atomically; the same report gives the same bytes.
    """
    from reportlab.platypus import SimpleDocTemplate

    register_font()
    setting = _Setting(document)
    story = setting.story()
    with atomic_path(path) as part:
        paper = SimpleDocTemplate(
            str(part),
            pagesize=A4,
            leftMargin=MARGIN - FRAME,
            rightMargin=MARGIN - FRAME,
            topMargin=MARGIN,
            bottomMargin=MARGIN + 4 * MILLIMETRE,
            title=document.title,
            lang="zh-CN" if document.language == "zh" else "en",
            invariant=True,
        )
        paper.build(story, onFirstPage=setting.foot, onLaterPages=setting.foot)
    setting.letters.warn()


class _Setting:
    """Sets the blocks of one document as flowables."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.letters = Lettering(document.title)

    def story(self) -> list[Any]:
        """Return everything in order."""
        from reportlab.platypus import KeepTogether, Spacer

        document = self.document
        story: list[Any] = [
            self.text(document.title, 17, BLUE),
            self.text(document.subtitle, SMALL, INKS["note"]),
            Spacer(1, 8),
        ]
        for chapter in document.chapters:
            head = [Spacer(1, 10), self.text(chapter.heading, 13, BLUE), Spacer(1, 3)]
            blocks = [self.block(block) for block in chapter.blocks]
            begun = [b for b, own in enumerate(chapter.blocks) if not isinstance(own, Words)][:1]
            lead = 1 + (begun[0] if begun else 0)
            begin = [*head, *chain.from_iterable(blocks[:lead])]
            if isinstance(chapter.blocks[lead - 1], Table):
                story += [_room(140), *begin]
            else:
                story.append(KeepTogether(begin))
            for own, made in zip(chapter.blocks[lead:], blocks[lead:], strict=True):
                story += [KeepTogether(made)] if isinstance(own, Graphic | Pair) else made
        return story

    def text(self, text: str, size: float, ink: str, width: float = WIDTH, swatch: str = "") -> Any:
        """Return a paragraph, its lines broken as Chinese and Latin texts are.

        With a swatch the first letter has its colour.
        """
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        style = ParagraphStyle(
            "text", fontName=FONT_NAME, fontSize=size, leading=1.4 * size, textColor=ink
        )
        room = width - (size if width > WIDTH / 2 else 1)  # for stops that hang over the end
        lines = self.broken(self.letters.fit(text), size, room)
        marked = "<br/>".join(escape(line) for line in lines)
        if swatch:
            marked = f'<font color="{swatch}">{marked[0]}</font>{marked[1:]}'
        return Paragraph(marked, style)

    def broken(self, text: str, size: float, width: float) -> list[str]:
        """Return the lines of a text: Latin words and numbers stay whole where they fit."""
        lines, line = [], ""
        for piece in PIECES.findall(text):
            if self.letters.width(line + piece, size) <= width or (
                piece in NEVER_FIRST and self.letters.width(line, size) <= width
            ):
                line += piece
                continue
            if line.strip():
                lines.append(line.rstrip())
            line = piece.lstrip()
            while self.letters.width(line, size) > width:
                cut = len(line)
                while cut > 1 and self.letters.width(line[:cut], size) > width:
                    cut -= 1
                lines.append(line[:cut])
                line = line[cut:]
        return [*lines, line.rstrip()] if line.strip() or not lines else lines

    def block(self, block: Block) -> list[Any]:
        """Return one block."""
        from reportlab.platypus import ListFlowable, ListItem, Spacer

        match block:
            case Words():
                return [self.text(block.text, TEXT, INKS[block.tone]), Spacer(1, 4)]
            case Points():
                items = [
                    ListItem(self.text(s, TEXT, INKS[block.tone], WIDTH - 16))
                    for s in block.sentences
                ]
                listed = ListFlowable(
                    items,
                    bulletType="bullet",
                    start="■",
                    bulletFontName=FONT_NAME,
                    bulletFontSize=5,
                    bulletOffsetY=-3,
                    leftIndent=14,
                )
                return [listed, Spacer(1, 5)]
            case Table():
                return self.table(block)
            case Graphic():
                width = WIDTH if block.wide else 0.8 * WIDTH
                caption = [self.text(block.caption, SMALL, INKS["note"])] if block.caption else []
                return [_drawn(block.figure, width), Spacer(1, 3), *caption]
            case Pair():
                return [*self.pair(block), Spacer(1, 8)]

    def table(self, block: Table) -> list[Any]:
        """Return a table under its caption, its head repeated on every page."""
        from reportlab.platypus import Spacer
        from reportlab.platypus import Table as Grid

        size = SMALL if len(block.columns) < 10 else 6.5
        widths = self.widths(block, size)
        rows = [
            [
                self.cell(c.title, size, "#ffffff", w, right=c.figures)
                for c, w in zip(block.columns, widths, strict=True)
            ]
        ]
        for i, row in enumerate(block.rows):
            tone = block.tones[i] if block.tones else "plain"
            inks = [INKS["plain"]] * (len(row) - 1) + [INKS[tone]]
            parts = zip(row, inks, widths, block.columns, strict=True)
            cells = [self.cell(t, size, ink, w, right=c.figures) for t, ink, w, c in parts]
            if block.swatches and block.swatches[i]:
                cells[0] = self.text(f"■ {row[0]}", size, INKS["plain"], swatch=block.swatches[i])
            rows.append(cells)
        grid = Grid(rows, colWidths=widths, repeatRows=1, style=_style(block))
        caption = self.text(block.caption, TEXT, BLUE)
        return [_room(_least(grid)), Spacer(1, 6), caption, Spacer(1, 3), grid, Spacer(1, 6)]

    def cell(self, text: str, size: float, ink: str, width: float, *, right: bool) -> Any:
        """Return the content of a cell."""
        made = self.text(text, size, ink, width - 2 * PADDING)
        made.style.alignment = 2 if right else 0
        return made

    def widths(self, block: Table, size: float) -> list[float]:
        """Return column widths: figures get what they need, texts share the rest."""
        needed: list[float] = []
        for i, column in enumerate(block.columns):
            figures = [self.letters.width(self.letters.fit(r[i]), size) for r in block.rows]
            most = max(figures, default=0.0) + 2 * PADDING + 2
            words = PIECES.findall(self.letters.fit(column.title))
            head = max(self.letters.width(w, size) for w in words) + 2 * PADDING + 2
            needed.append(max(most, head) if column.figures else 0.0)
        texts = sum(c.share for c in block.columns if not c.figures) or 1.0
        rest = WIDTH - sum(needed)
        if rest < 26 * sum(not c.figures for c in block.columns):
            shares = [c.share for c in block.columns]
            return [WIDTH * s / sum(shares) for s in shares]
        least = rest * 0.55 if any(c.figures for c in block.columns) else rest
        found = [n or least * c.share / texts for n, c in zip(needed, block.columns, strict=True)]
        spare = (WIDTH - sum(found)) / sum(c.share for c in block.columns)
        return [w + spare * c.share for w, c in zip(found, block.columns, strict=True)]

    def pair(self, block: Pair) -> list[Any]:
        """Return both dates of a clue side by side."""
        from reportlab.platypus import Spacer
        from reportlab.platypus import Table as Grid

        side = 46 * MILLIMETRE
        figures = [_drawn(f, side) for f in (block.before, block.after)]
        captions = [self.text(t, SMALL, INKS["note"], side) for t in block.captions]
        plain = [("LEFTPADDING", (0, 0), (-1, -1), 0), ("VALIGN", (0, 0), (-1, -1), "TOP")]
        grid = Grid([figures, captions], colWidths=[side + 8] * 2, hAlign="LEFT", style=plain)
        lines = [self.text(w.text, SMALL, INKS[w.tone]) for w in block.lines]
        return [self.text(block.title, TEXT, BLUE), Spacer(1, 2), grid, *lines]

    def foot(self, canvas: Any, paper: Any) -> None:
        """Write the foot of a page."""
        canvas.setFont(FONT_NAME, 7.5)
        canvas.setFillColor(INKS["note"])
        canvas.drawString(MARGIN, MARGIN - 2, self.letters.fit(self.document.footer))
        page = self.document.page.replace("{page}", str(paper.page))
        canvas.drawRightString(A4[0] - MARGIN, MARGIN - 2, page)


def _style(block: Table) -> list[tuple[Any, ...]]:
    from reportlab.lib.colors import HexColor

    style: list[tuple[Any, ...]] = [
        ("GRID", (0, 0), (-1, -1), 0.4, HexColor(GRID)),
        ("BACKGROUND", (0, 0), (-1, 0), HexColor(HEAD)),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if len(block.rows) >= TOGETHER:
        style.append(("NOSPLIT", (0, -TOGETHER), (-1, -1)))
    if block.total:
        style.append(("BACKGROUND", (0, -1), (-1, -1), HexColor(SUM)))
    return style


def _least(grid: Any) -> float:
    """Return the height of what must stand together: caption, head, and rows that follow them."""
    grid.wrap(WIDTH, A4[1])
    heights = list(grid._rowHeights)
    kept = heights if len(heights) <= TOGETHER + 2 else heights[:3]
    return CAPTION + float(sum(kept))


def _room(points: float) -> Any:
    from reportlab.platypus import CondPageBreak

    return CondPageBreak(points)


def _drawn(figure: Figure, width: float) -> Any:
    from reportlab.platypus import Flowable

    wide = min(width, TALLEST * figure.width / figure.height)

    class Drawn(Flowable):  # type: ignore[misc, unused-ignore]
        def wrap(self, _width: float, _height: float) -> Sequence[float]:
            return wide, wide * figure.height / figure.width

        def draw(self) -> None:
            draw_figure(self.canv, figure, 0, 0, wide)

    return Drawn()
