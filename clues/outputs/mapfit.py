"""How a piece of ground fits on a sheet of paper: frame, direction of the page, round scale."""

from collections.abc import Sequence

import numpy as np

from clues.outputs.drawing import MILLIMETRE, Box, Paper
from clues.outputs.mapframe import PAPER_METRE
from clues.outputs.mapparts import SPARE, Bounds
from tiles.geodesy import metres_per_unit

__all__ = ["FACTORS", "PANEL", "PAPERS", "fitted", "fitting_lines", "map_box", "needed_scale"]

PAPERS = {"A4": (210.0, 297.0), "A3": (297.0, 420.0), "A1": (594.0, 841.0)}
"""Short and long side in millimetres."""

FACTORS = {"A4": 1.0, "A3": 1.25, "A1": 1.6}
"""Size of letters: larger paper is read from farther away. On A1 they leave room for a national
sheet at 1:10 000."""

MANTISSAS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0)
PANEL, HEAD, TICKS = 82.0, 40.0, 13.0
"""Points below, above and beside the frame on A4."""


def map_box(size: tuple[float, float], paper: str, public: bool, *, panel: float = PANEL) -> Box:
    """Return where the frame stands on a page."""
    f = FACTORS[paper]
    margin, ticks = 10 * MILLIMETRE * f, TICKS * f
    left = margin + (0 if public else ticks)
    bottom = margin + panel * f + (ticks / 2 if public else ticks)
    top = size[1] - margin - HEAD * f
    return Box("map", left, bottom, size[0] - margin - left, top - bottom)


def needed_scale(bounds: Bounds, box: Box, crs: str, spare: float = SPARE) -> float:
    """Return the denominator at which a box holds `bounds` and so much room around them."""
    west, south, east, north = bounds
    mx, my = metres_per_unit(crs, (west + east) / 2, (south + north) / 2)
    wide, high = box.width / PAPER_METRE, box.height / PAPER_METRE
    return float(max((east - west) * mx / wide, (north - south) * my / high, 100.0) * spare)


def fitted(bounds: Bounds, box: Box, crs: str, spare: float = SPARE) -> Bounds:
    """Return the ground of a box that holds `bounds` at a round scale."""
    west, south, east, north = bounds
    x, y = (west + east) / 2, (south + north) / 2
    mx, my = metres_per_unit(crs, x, y)
    needed = needed_scale(bounds, box, crs, spare)
    power = 10.0 ** np.floor(np.log10(needed))
    scale = next(float(m * power) for m in MANTISSAS if m * power >= needed)
    half_x, half_y = (
        side / PAPER_METRE * scale / metres / 2
        for side, metres in ((box.width, mx), (box.height, my))
    )
    return x - half_x, y - half_y, x + half_x, y + half_y


def fitting_lines(
    paper: Paper, texts: Sequence[str], size: float, room: tuple[float, float]
) -> tuple[list[str], float]:
    """Return texts in lines, and the size of letters at which they fit a width and height.

    Letters shrink to two thirds; what does not fit then ends in ….
    """
    width, height = room
    smallest = size * 2 / 3
    while True:
        lines = [row for text in texts for row in paper.wrapped(text, size, width)]
        fit = int(height / (1.3 * size))
        if len(lines) <= fit:
            return lines, size
        if size <= smallest:
            last = paper.letters.elided(lines[fit - 1] + "…", size, width)
            return [*lines[: fit - 1], last], size
        size -= 0.1
