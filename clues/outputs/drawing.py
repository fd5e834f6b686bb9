"""A page of a PDF that knows where everything on it stands, so that its layout can be checked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from clues.outputs.lettering import ASCENT, DESCENT, FONT_NAME, Lettering, register_font, wrapped

__all__ = [
    "A4",
    "BLACK",
    "MILLIMETRE",
    "WHITE",
    "Box",
    "Colour",
    "Paper",
    "contrast",
    "outside",
    "overlapping",
]

MILLIMETRE = 72 / 25.4
A4 = (210 * MILLIMETRE, 297 * MILLIMETRE)
Colour = tuple[float, float, float]
BLACK: Colour = (0.1, 0.1, 0.1)
WHITE: Colour = (1.0, 1.0, 1.0)
RULES: Colour = (0.65, 0.65, 0.65)
SMALLEST = 0.75
"""To what part of its size a line may shrink where room is short."""

TOUCH = 0.05
"""Points by which boxes may meet: rounding, not overlap."""


@dataclass(frozen=True)
class Box:
    """A rectangle on paper in points, from the lower left corner of the page.

    Attributes
    ----------
    name : str
        What stands in it.
    ink, ground : Colour or None
        Of texts: the colour of the letters and of what is behind them.
    panel : bool
        Whether other boxes may stand in it, as labels do on a map.
    """

    name: str
    left: float
    bottom: float
    width: float
    height: float
    ink: Colour | None = None
    ground: Colour | None = None
    panel: bool = False

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.bottom + self.height

    def meets(self, other: "Box") -> bool:
        """Whether the two cover common paper."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > TOUCH
            and min(self.top, other.top) - max(self.bottom, other.bottom) > TOUCH
        )

    def inside(self, other: "Box") -> bool:
        """Whether `other` holds all of this box."""
        return (
            self.left >= other.left - TOUCH
            and self.bottom >= other.bottom - TOUCH
            and self.right <= other.right + TOUCH
            and self.top <= other.top + TOUCH
        )

    def inset(self, points: float) -> "Box":
        """Return the box made smaller on all sides."""
        return Box(
            self.name,
            self.left + points,
            self.bottom + points,
            self.width - 2 * points,
            self.height - 2 * points,
        )


def overlapping(boxes: Iterable[Box]) -> list[tuple[str, str]]:
    """Return the names of boxes that cover common paper; a panel may hold others whole."""
    return [
        (a.name, b.name)
        for a, b in combinations(boxes, 2)
        if a.meets(b) and not (a.panel and b.inside(a)) and not (b.panel and a.inside(b))
    ]


def outside(boxes: Iterable[Box], page: Box) -> list[str]:
    """Return the names of boxes that leave the page."""
    return [box.name for box in boxes if not box.inside(page)]


def contrast(ink: Colour, ground: Colour) -> float:
    """Return the contrast ratio of two colours by WCAG 2, 1–21.

    Examples
    --------
    >>> round(contrast((0, 0, 0), (1, 1, 1)), 1)
    21.0
    """
    lighter, darker = sorted((_luminance(ink), _luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class Paper:
    """One or more pages of a PDF; use it in a ``with`` block, it is saved at its end.

    Parameters
    ----------
    path : Path
    size : tuple of float
        Width and height in points.
    title : str
        Of the file.
    where : str
        Names the product in warnings; the title without it.

    Attributes
    ----------
    canvas : reportlab Canvas
        For what this class does not draw; the same calls give the same bytes.
    boxes : list of Box
        What was claimed on the present page.
    letters : Lettering
    """

    def __init__(
        self, path: Path, size: tuple[float, float] = A4, title: str = "", where: str = ""
    ) -> None:
        from reportlab import rl_config
        from reportlab.pdfgen.canvas import Canvas

        register_font()
        rl_config.useA85 = 0  # binary streams: smaller, and not written letter by letter
        self.page = Box("page", 0, 0, *size)
        self.letters = Lettering(where or title)
        self.canvas: Any = Canvas(str(path), pagesize=size, invariant=True)
        self.canvas.setTitle(title)
        self.boxes: list[Box] = []

    def __enter__(self) -> "Paper":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.canvas.save()
            self.letters.warn()

    def claim(self, box: Box) -> Box:
        """Remember that something stands in a box and return the box."""
        self.boxes.append(box)
        return box

    def turn(self) -> list[Box]:
        """Finish the page, begin the next and return what stood on the finished one."""
        self.canvas.showPage()
        boxes, self.boxes = self.boxes, []
        return boxes

    def text(
        self,
        text: str,
        x: float,
        baseline: float,
        size: float,
        *,
        align: Literal["left", "middle", "right"] = "left",
        ink: Colour = BLACK,
        ground: Colour = WHITE,
        width: float | None = None,
    ) -> Box:
        """Write one line.

        Parameters
        ----------
        text : str
        x, baseline : float
            Where the line begins, has its middle or ends, by `align`.
        size : float
            Points.
        align : str
        ink, ground : Colour
            Of the letters and of what is behind them.
        width : float or None
            Room; a longer text is written smaller, down to three quarters, then ends in ….
        """
        shown = self.letters.fit(text)
        if width is not None:
            long = self.letters.width(shown, size)
            size *= min(1.0, max(SMALLEST, width / long)) if long else 1.0
            shown = self.letters.elided(shown, size, width)
        long = self.letters.width(shown, size)
        left = x - {"left": 0.0, "middle": long / 2, "right": long}[align]
        self.canvas.setFillColorRGB(*ink)
        self.canvas.setFont(FONT_NAME, size)
        self.canvas.drawString(left, baseline, shown)
        height = (ASCENT + DESCENT) * size
        bottom = baseline - DESCENT * size
        return self.claim(Box(shown, left, bottom, long, height, ink, ground))

    def lines(
        self,
        texts: Sequence[str],
        x: float,
        top: float,
        size: float,
        *,
        leading: float | None = None,
        ink: Colour = BLACK,
    ) -> float:
        """Write lines below each other from `top` down and return where the last one ends."""
        step = leading or 1.3 * size
        for i, text in enumerate(texts):
            self.text(text, x, top - ASCENT * size - i * step, size, ink=ink)
        return top - step * len(texts)

    def wrapped(self, text: str, size: float, width: float) -> list[str]:
        """Return `text` in lines that fit `width`; breaks at spaces and between ideographs."""
        return wrapped(self.letters, self.letters.fit(text), size, width)

    def table(
        self,
        rows: Sequence[Sequence[str]],
        x: float,
        top: float,
        widths: Sequence[float],
        *,
        size: float = 6.5,
        row: float = 10.0,
        right: int = 0,
        head: Colour | None = None,
    ) -> float:
        """Draw a ruled table and return where it ends.

        Parameters
        ----------
        rows : sequence of sequence of str
            The first one is the head if it has a colour. Longer texts end in ….
        x, top : float
            Upper left corner.
        widths : sequence of float
            Of the columns.
        size, row : float
            Points of the letters and of a row.
        right : int
            So many last columns are aligned at the right, heads too.
        head : Colour or None
            Ground of the first row, with white letters.
        """
        canvas, pad = self.canvas, 2.5
        bottom, edges = top - row * len(rows), [x]
        for width in widths:
            edges.append(edges[-1] + width)
        if head is not None:
            self.fill(Box("", x, top - row, edges[-1] - x, row), head)
        for i, cells in enumerate(rows):
            baseline = top - (i + 1) * row + (row - (ASCENT - DESCENT) * size) / 2
            is_head = i == 0 and head is not None
            ink, ground = (WHITE, head or WHITE) if is_head else (BLACK, WHITE)
            for j, cell in enumerate(cells):
                if not cell:
                    continue
                at_right = j >= len(cells) - right
                self.text(
                    cell,
                    edges[j + 1] - pad if at_right else edges[j] + pad,
                    baseline,
                    size,
                    align="right" if at_right else "left",
                    ink=ink,
                    ground=ground,
                    width=widths[j] - 2 * pad,
                )
        canvas.setStrokeColorRGB(*RULES)
        canvas.setLineWidth(0.3)
        canvas.grid(edges, [top - i * row for i in range(len(rows) + 1)])
        return bottom

    def fill(self, box: Box, colour: Colour) -> None:
        """Colour a box; claims nothing."""
        self.canvas.setFillColorRGB(*colour)
        self.canvas.rect(box.left, box.bottom, box.width, box.height, stroke=0, fill=1)

    def rule(self, box: Box, colour: Colour = BLACK, width: float = 0.5) -> None:
        """Draw the edge of a box; claims nothing."""
        self.canvas.setStrokeColorRGB(*colour)
        self.canvas.setLineWidth(width)
        self.canvas.rect(box.left, box.bottom, box.width, box.height, stroke=1, fill=0)
