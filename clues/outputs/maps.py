"""Map sheets for print: clues of a county, a township or a national sheet on one page.

The picture and the outlines arrive as values. A public map shows neither: it counts clues in the
cells of a coarse grid and has no coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from clues.outputs.cartography import coordinate_ticks, legend, north_angle, north_arrow, scale_bar
from clues.outputs.drawing import BLACK, MILLIMETRE, WHITE, Box, Paper
from clues.outputs.mapfit import (
    FACTORS,
    PANEL,
    PAPERS,
    fitted,
    fitting_lines,
    map_box,
    needed_scale,
)
from clues.outputs.mapframe import Ink, MapFrame, clip_to, outlines
from clues.outputs.mapparts import BasePictures, Division, MapPart
from clues.outputs.mapwords import MapLook, legend_words, notes, title_lines, true_north
from clues.outputs.palette import number_ink
from clues.outputs.placing import Anchor, place_labels
from clues.outputs.publicmap import cell_inks, cells_of, division_count, with_cells
from clues.outputs.tables import ClueTables
from tiles.files import atomic_path
from tiles.geodesy import metres_per_unit

__all__ = ["MapPage", "MapReport", "clue_ink", "short_number", "write_map"]

IMAGE_DPI = 200
BORDER = (0.45, 0.10, 0.50)


@dataclass(frozen=True)
class MapReport:
    """What came of a sheet.

    Attributes
    ----------
    clues : int
        Numbered clues on it, or counted ones of a public map.
    unlabelled : int
        Clues whose number found no place.
    scale : float
        Denominator.
    boxes : tuple of Box
        Where everything stands, of points.
    """

    clues: int
    unlabelled: int
    scale: float
    boxes: tuple[Box, ...]


def write_map(
    path: Path,
    part: MapPart,
    tables: ClueTables,
    divisions: Sequence[Division],
    look: MapLook,
    pictures: BasePictures | None = None,
) -> MapReport:
    """Draw one sheet as a PDF.

    Parameters
    ----------
    path : Path
        Written atomically; the same run gives the same bytes.
    part : MapPart
    tables : ClueTables
        With clue numbers.
    divisions : sequence of Division
        Their borders and names.
    look : MapLook
    pictures : callable, optional
        Base picture; None and public maps have none.
    """
    if look.public:
        part = with_cells(part, cells_of(tables, part, look.cell_m))
    short, long = (side * MILLIMETRE for side in PAPERS[look.paper])
    crs = tables.patches.crs.to_string()
    both = ((long, short), (short, long))
    size = min(
        both,
        key=lambda s: needed_scale(
            part.bounds, map_box(s, look.paper, look.public), crs, part.spare
        ),
    )
    title = " ".join(title_lines(tables.title, part.name, look))
    with atomic_path(path) as target, Paper(target, size, title) as paper:
        sheet = MapPage(paper, part, tables, divisions, look)
        sheet.draw(None if look.public else pictures)
        return MapReport(sheet.shown, sheet.unlabelled, sheet.frame.scale, tuple(paper.turn()))


class MapPage:
    """One page: title, frame with what lies in it, panel below.

    Parameters
    ----------
    paper : Paper
        The page that is open.
    part : MapPart
    tables : ClueTables
    divisions : sequence of Division
    look : MapLook
    panel, foot : float
        Points below the frame, on A4, and those of them at the foot that stay free.
    told : sequence of str, optional
        Lines in the panel instead of the notes.
    """

    def __init__(
        self,
        paper: Paper,
        part: MapPart,
        tables: ClueTables,
        divisions: Sequence[Division],
        look: MapLook,
        *,
        panel: float = PANEL,
        foot: float = 0.0,
        told: Sequence[str] | None = None,
    ) -> None:
        self.told, self.foot = told, foot
        self.paper, self.part, self.look = paper, part, look
        self.title, self.divisions = tables.title, divisions
        self.crs = tables.patches.crs.to_string()
        self.tables = tables
        self.f = FACTORS[look.paper]
        self.margin = 10 * MILLIMETRE * self.f
        self.panel_top = self.margin + panel * self.f
        page = (paper.page.width, paper.page.height)
        box = map_box(page, look.paper, look.public, panel=panel)
        self.frame = MapFrame(box, fitted(part.bounds, box, self.crs, part.spare), self.crs)
        self.unlabelled = 0
        clues = tables.clues
        numbered = np.ones(len(clues), bool)
        inside = shapely.intersects(clues.geometry.to_numpy(), shapely.box(*self.frame.bounds))
        if part.shape is not None:
            points = shapely.point_on_surface(clues.geometry.to_numpy())
            shapely.prepare(part.shape)
            numbered = shapely.intersects(part.shape, points)
        self.clues, self.numbered = clues[inside], numbered[inside]
        self.cells = cells_of(tables, part, look.cell_m) if look.public else None
        self.shown = self.cells.total if self.cells else int(self.numbered.sum())

    def draw(self, pictures: BasePictures | None) -> None:
        """Draw everything, from the ground up."""
        self._head()
        self._ground(pictures)
        if self.cells is not None:
            self.cells.draw(self.paper, self.frame)
        self._borders()
        if not self.look.public:
            self._clues()
        self._labels()
        if self.look.public:
            self.paper.rule(self.frame.box, BLACK, 0.9)
        else:
            coordinate_ticks(self.paper, self.frame, least=3, size=5.5 * self.f)
        self._panel(pictures is not None)

    def _head(self) -> None:
        page, f = self.paper.page, self.f
        width = page.width - 2 * self.margin
        first, second = title_lines(self.title, self.part.name, self.look)
        first = self.part.title or first
        size = 15 * f
        while self.paper.letters.width(first, size) > width and size > 8 * f:
            size -= 0.5
        middle = page.width / 2
        baseline = page.top - self.margin - 15 * f
        self.paper.text(first, middle, baseline, size, align="middle", width=width)
        self.paper.text(second, middle, baseline - 14 * f, 8 * f, align="middle", width=width)

    def _ground(self, pictures: BasePictures | None) -> None:
        from PIL import Image
        from reportlab.lib.utils import ImageReader

        frame, canvas = self.frame, self.paper.canvas
        self.paper.fill(frame.box, WHITE if pictures is None else (0.93, 0.93, 0.93))
        if pictures is None:
            return
        most = int(max(frame.box.width, frame.box.height) / 72 * IMAGE_DPI)
        image, (west, south, east, north) = pictures(frame.bounds, most)
        corners = frame.to_paper(np.array([(west, south), (east, north)]))
        (left, bottom), (right, top) = corners.tolist()
        canvas.saveState()
        clip_to(canvas, frame.box)
        picture = ImageReader(Image.fromarray(image))
        canvas.drawImage(picture, left, bottom, right - left, top - bottom)
        canvas.restoreState()

    def _borders(self) -> None:
        shapes = [d.shape for d in self.divisions]
        if self.look.public:
            mx, _ = metres_per_unit(self.crs, *self.frame.middle)
            shapes = [shapely.simplify(s, self.look.cell_m / 5 / mx) for s in shapes]
        halo = None if self.look.public else WHITE
        ink = Ink(BORDER, width=0.8 * self.f, dash=(6, 2, 1.5, 2), halo=halo)
        outlines(self.paper, self.frame, shapes, ink)
        if self.part.shape is not None and not self.look.public:
            edge = Ink(BORDER, width=1.3 * self.f, halo=halo)
            outlines(self.paper, self.frame, [self.part.shape], edge)

    def _clues(self) -> None:
        shapes = self.clues.geometry.to_numpy()
        outcomes = self.clues["outcome"].astype(str).to_numpy()
        for outcome in sorted(set(outcomes), reverse=True):
            ink = clue_ink(outcome, self.f)
            outlines(self.paper, self.frame, shapes[(outcomes == outcome) & self.numbered], ink)
        away = Ink((0.35, 0.35, 0.35), width=0.5 * self.f)
        outlines(self.paper, self.frame, shapes[~self.numbered], away)

    def _labels(self) -> None:
        """Write the names of divisions and the numbers of clues, none on another."""
        f, letters = self.f, self.paper.letters
        anchors = [] if self.look.public else self._number_anchors()
        things = [_thing(a) for a in anchors]
        names = []
        for text, point in self._names():
            x, y = self.frame.to_paper(np.array([point]))[0].tolist()
            wide = letters.width(letters.fit(text), 8.5 * f) + 4
            names.append(Anchor(text, x, y, wide, 11.5 * f))
        written, left = place_labels(names, self.frame.box, things, gap=1.0)
        again, _ = place_labels(left, self.frame.box, [n.box for n in written], gap=1.0)
        for name in (*written, *again):
            self._tag(name.box, name.anchor.text, 8.5 * f, BORDER, None)
        taken = [n.box for n in (*written, *again)]
        placed, left = place_labels(anchors, self.frame.box, taken, gap=2.0 * f)
        self.unlabelled = len(left)
        colours = dict(zip(self._numbers(), self.clues["outcome"], strict=True))
        for label in placed:
            colour = number_ink(str(colours[label.anchor.text]))
            if label.led:
                self._lead(label.anchor, label.box, colour)
        for label in placed:
            colour = number_ink(str(colours[label.anchor.text]))
            self._tag(label.box, label.anchor.text, 6.5 * f, colour, colour)

    def _names(self) -> list[tuple[str, tuple[float, float]]]:
        """Return the names of the divisions in the frame and a place inside each."""
        window = shapely.box(*self.frame.bounds)
        found = []
        for division in self.divisions:
            seen = shapely.intersection(division.shape, window)
            if not seen.is_empty and seen.area > 0.01 * window.area:
                point = shapely.point_on_surface(seen)
                name = division.name or division.code
                if self.look.public:
                    count = division_count(self.tables, self.part, division)
                    name += "" if count is None else f" {count}"
                found.append((name, (point.x, point.y)))
        return found

    def _numbers(self) -> list[str]:
        return [short_number(n) for n in self.clues["clue_no"]]

    def _number_anchors(self) -> list[Anchor]:
        """Return the numbers to write, the most urgent first."""
        letters, size = self.paper.letters, 6.5 * self.f
        bounds = shapely.bounds(self.frame.visible(self.clues.geometry.to_numpy()))
        order = np.lexsort((np.arange(len(bounds)), -self.clues["priority"].to_numpy(np.int64)))
        numbers, anchors = self._numbers(), []
        for i in order[self.numbered[order]]:
            low, high = self.frame.to_paper(bounds[i].reshape(2, 2)).tolist()
            middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
            half = ((high[0] - low[0]) / 2, (high[1] - low[1]) / 2)
            wide = letters.width(numbers[i], size) + 3
            anchors.append(Anchor(numbers[i], *middle, wide, size * 1.25, *half))
        return anchors

    def _tag(
        self,
        box: Box,
        text: str,
        size: float,
        ink: tuple[float, float, float],
        edge: tuple[float, float, float] | None,
    ) -> None:
        """Write a label on white, so that it can be read over any picture."""
        self.paper.fill(box, WHITE)
        if edge is not None:
            self.paper.rule(box, edge, 0.4)
        baseline = box.bottom + (box.height - 0.72 * size) / 2
        self.paper.text(text, box.left + box.width / 2, baseline, size, align="middle", ink=ink)

    def _lead(self, anchor: Anchor, box: Box, colour: tuple[float, float, float]) -> None:
        x = min(max(anchor.x, box.left), box.right)
        y = min(max(anchor.y, box.bottom), box.top)
        canvas = self.paper.canvas
        for line, width in ((WHITE, 1.4), (colour, 0.5)):
            canvas.setStrokeColorRGB(*line)
            canvas.setLineWidth(width)
            canvas.line(anchor.x, anchor.y, x, y)

    def _panel(self, has_picture: bool) -> None:
        paper, f = self.paper, self.f
        top, left = self.panel_top - 8 * f, self.margin
        width = paper.page.width - 2 * self.margin
        words = legend_words(self.look, self.title.speech)
        paper.text(words["legend"], left, top - 8 * f, 8 * f)
        entries = _legend_entries(words, set(self.clues["outcome"].astype(str)), self)
        third = 0.30 * width
        legend(paper, entries, left, top - 14 * f, third, size=6.5 * f)
        middle = left + third + 8 * f
        span = 0.27 * width
        north_arrow(paper, self.frame, middle + 12 * f, top - 38 * f, height=32 * f)
        told = true_north(self.look, north_angle(self.crs, *self.frame.middle))
        for i, line in enumerate(told):
            room = span - 34 * f
            paper.text(line, middle + 34 * f, top - (32 + 9 * i) * f, 6 * f, width=room)
        scale = f"{self.frame.scale:,.0f}".replace(",", " ")
        paper.text(f"{words['scale']} 1:{scale}", middle + 34 * f, top - 20 * f, 8 * f)
        scale_bar(paper, self.frame, middle - 4, top - 64 * f, span - 6 * f, size=6 * f)
        right = middle + span
        texts = self.told or notes(self.title, self.look, self._facts(has_picture))
        high = top - self.margin + 8 * f if not self.foot else top - self.foot * f
        lines, size = fitting_lines(
            paper, texts, (8.0 if self.told else 6.2) * f, (left + width - right, high)
        )
        paper.lines(lines, right, top, size)

    def _facts(self, has_picture: bool) -> dict[str, Any]:
        days = {
            name: sorted({d.isoformat() for d in self.tables.patches[name] if d == d and d})
            for name in ("before_from", "before_to", "after_from", "after_to")
        }
        prefixes = sorted({str(n)[:-6] for n in self.clues["clue_no"]})
        return {
            "crs": self.crs,
            "days": days,
            "picture": has_picture,
            "unlabelled": self.unlabelled,
            "prefixes": prefixes,
            "clues": self.shown,
        }


def clue_ink(outcome: str, factor: float = 1.0) -> Ink:
    """Return how the outline of a clue is drawn."""
    return Ink(number_ink(outcome), width=1.1 * factor, halo=WHITE)


def short_number(clue_no: str) -> str:
    """Return the running number of a clue as maps show it.

    Examples
    --------
    >>> short_number("99990225Q3000042")
    '42'
    """
    return str(clue_no)[-6:].lstrip("0") or "0"


def _legend_entries(
    words: dict[str, str], outcomes: set[str], sheet: MapPage
) -> list[tuple[str, Ink]]:
    entries: list[tuple[str, Ink]] = []
    if sheet.look.public:
        entries += [(words[name], ink) for name, ink in cell_inks()]
    else:
        for outcome in sorted(outcomes, reverse=True):
            entries.append((words[outcome], clue_ink(outcome)))
        if not sheet.numbered.all():
            entries.append((words["away"], Ink((0.35, 0.35, 0.35), width=0.5)))
        if sheet.part.shape is not None:
            entries.append((words["part"], Ink(BORDER, width=1.3)))
    if sheet.divisions:
        entries.append((words["border"], Ink(BORDER, width=0.8, dash=(4, 1.5, 1, 1.5))))
    return entries


def _thing(anchor: Anchor) -> Box:
    return Box(
        anchor.text,
        anchor.x - anchor.half_width,
        anchor.y - anchor.half_height,
        2 * anchor.half_width,
        2 * anchor.half_height,
    )
