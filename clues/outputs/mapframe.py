"""A piece of ground on paper: the frame of a map and the outlines in it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.outputs.drawing import BLACK, Box, Colour, Paper
from tiles.geodesy import metres_per_unit

__all__ = ["Ink", "MapFrame", "clip_to", "hatch", "outlines"]

PAPER_METRE = 72 / 0.0254
"""Points in a metre of paper."""

FINEST_PT = 0.05
"""Detail below this is not drawn: a tenth of the thinnest line."""


@dataclass(frozen=True)
class Ink:
    """How an outline is drawn and shown in the legend.

    Attributes
    ----------
    line, fill : Colour or None
    width : float
        Of the line in points.
    dash : tuple of float
        Lengths of strokes and gaps; empty for a full line.
    hatch : Colour or None
        Of diagonal lines over the area.
    opacity : float
        Of the fill.
    halo : Colour or None
        Wider line below, for outlines over pictures.
    """

    line: Colour | None = BLACK
    fill: Colour | None = None
    width: float = 0.6
    dash: tuple[float, ...] = ()
    hatch: Colour | None = None
    opacity: float = 1.0
    halo: Colour | None = None


@dataclass(frozen=True)
class MapFrame:
    """A box on paper that shows a rectangle of ground.

    Parameters
    ----------
    box : Box
    bounds : tuple of float
        West, south, east, north in `crs`.
    crs : str
    """

    box: Box
    bounds: tuple[float, float, float, float]
    crs: str

    @cached_property
    def middle(self) -> tuple[float, float]:
        """Middle of the shown ground in the CRS."""
        west, south, east, north = self.bounds
        return (west + east) / 2, (south + north) / 2

    @cached_property
    def metres_per_point(self) -> tuple[float, float]:
        """Ground metres of one point along x and along y, in the middle."""
        west, south, east, north = self.bounds
        mx, my = metres_per_unit(self.crs, *self.middle)
        return mx * (east - west) / self.box.width, my * (north - south) / self.box.height

    @property
    def scale(self) -> float:
        """Denominator of the scale along x, in the middle."""
        return self.metres_per_point[0] * PAPER_METRE

    def to_paper(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points on paper of (n, 2) coordinates in the CRS."""
        west, south, east, north = self.bounds
        scale = [self.box.width / (east - west), self.box.height / (north - south)]
        shift = [self.box.left - west * scale[0], self.box.bottom - south * scale[1]]
        return np.asarray(coordinates * scale + shift, np.float64)

    def visible(self, geometries: Any) -> NDArray[Any]:
        """Return the geometries cut to the frame (with a rim for lines) and simplified."""
        west, south, east, north = self.bounds
        rim = 0.05 * (east - west)
        cut = shapely.clip_by_rect(
            np.asarray(geometries, dtype=object), west - rim, south - rim, east + rim, north + rim
        )
        return np.asarray(shapely.simplify(cut, FINEST_PT * (east - west) / self.box.width))


def outlines(paper: Paper, frame: MapFrame, geometries: Iterable[Any], ink: Ink) -> None:
    """Draw polygons and lines, clipped to the frame.

    Parameters
    ----------
    paper : Paper
    frame : MapFrame
    geometries : iterable of shapely geometries
        In the CRS of the frame.
    ink : Ink
    """
    shapes = frame.visible(list(geometries))
    rings = shapely.get_parts(shapely.boundary(shapes[shapely.get_dimensions(shapes) == 2]))
    rings = np.concatenate([rings, shapely.get_parts(shapes[shapely.get_dimensions(shapes) == 1])])
    if not len(rings):
        return
    canvas = paper.canvas
    canvas.saveState()
    clip_to(canvas, frame.box)
    if ink.fill is not None or ink.hatch is not None:
        _area(canvas, frame, rings, ink)
    if ink.line is not None:
        canvas.setLineJoin(1)
        if ink.halo is not None:
            canvas.setStrokeColorRGB(*ink.halo)
            canvas.setLineWidth(ink.width + 1.2)
            canvas.drawPath(_path(canvas, frame, rings), stroke=1, fill=0)
        canvas.setStrokeColorRGB(*ink.line)
        canvas.setLineWidth(ink.width)
        canvas.setDash(list(ink.dash))
        canvas.drawPath(_path(canvas, frame, rings), stroke=1, fill=0)
    canvas.restoreState()


def _area(canvas: Any, frame: MapFrame, rings: NDArray[Any], ink: Ink) -> None:
    path = _path(canvas, frame, rings)
    if ink.fill is not None:
        canvas.setFillColorRGB(*ink.fill, alpha=ink.opacity)
        canvas.drawPath(path, stroke=0, fill=1, fillMode=0)
    if ink.hatch is not None:
        low = frame.to_paper(np.reshape(shapely.total_bounds(rings), (2, 2)))
        box = frame.box
        left, bottom = np.maximum(low[0], (box.left, box.bottom))
        right, top = np.minimum(low[1], (box.right, box.top))
        canvas.saveState()
        canvas.clipPath(_path(canvas, frame, rings), stroke=0, fill=0, fillMode=0)
        hatch(canvas, Box("", left, bottom, right - left, top - bottom), ink.hatch)
        canvas.restoreState()


def hatch(canvas: Any, box: Box, colour: Colour, gap: float = 4.0) -> None:
    """Draw diagonals over a box, on the same lines wherever the box is."""
    canvas.setStrokeColorRGB(*colour)
    canvas.setLineWidth(0.35)
    first = math.floor((box.left - box.top) / gap)
    last = math.ceil((box.right - box.bottom) / gap)
    for i in range(first, last + 1):
        offset = i * gap
        canvas.line(box.bottom + offset, box.bottom, box.top + offset, box.top)


def clip_to(canvas: Any, box: Box) -> None:
    """Draw only inside a box until the state of the canvas is restored."""
    path = canvas.beginPath()
    path.rect(box.left, box.bottom, box.width, box.height)
    canvas.clipPath(path, stroke=0, fill=0)


def _path(canvas: Any, frame: MapFrame, rings: NDArray[Any]) -> Any:
    path = canvas.beginPath()
    for ring in rings:
        points = frame.to_paper(shapely.get_coordinates(ring)).tolist()
        closed = len(points) > 2 and points[0] == points[-1]
        path.moveTo(*points[0])
        for x, y in points[1:-1] if closed else points[1:]:
            path.lineTo(x, y)
        if closed:
            path.close()
    return path
