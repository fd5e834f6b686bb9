"""Marks of a map on paper: coordinate ticks, scale bar, north arrow, legend, QR code."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from clues.outputs.drawing import BLACK, WHITE, Box, Paper
from clues.outputs.lettering import ASCENT, DESCENT
from clues.outputs.mapframe import Ink, MapFrame, clip_to, hatch
from tiles.geodesy import metres_per_unit, to_cgcs2000, transformer

__all__ = [
    "coordinate_ticks",
    "legend",
    "north_angle",
    "north_arrow",
    "qr_code",
    "qr_modules",
    "round_length",
    "scale_bar",
]

STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000)


def round_length(longest: float) -> float:
    """Return the greatest 1, 2 or 5 times a power of ten that is not above `longest`.

    Examples
    --------
    >>> [round_length(x) for x in (0.7, 3, 49, 1000)]
    [0.5, 2.0, 20.0, 1000.0]
    """
    power = 10.0 ** math.floor(math.log10(longest) + 1e-9)
    step = next(s for s in (5, 2, 1) if s * power <= longest * (1 + 1e-9))
    return step * power


def scale_bar(
    paper: Paper, frame: MapFrame, x: float, bottom: float, width: float, size: float = 6.0
) -> Box:
    """Draw a bar of a round length, in metres or kilometres.

    Parameters
    ----------
    paper : Paper
    frame : MapFrame
    x, bottom : float
        Lower left corner.
    width : float
        Room; the bar with its labels is not wider.
    size : float
        Points of the labels.

    Returns
    -------
    Box
    """
    metres = frame.metres_per_point[0]
    room = width - 5 * size
    length = round_length(room * metres)
    unit, divisor = ("km", 1000.0) if length >= 1000 else ("m", 1.0)
    long, high = length / metres, 0.5 * size
    canvas, left = paper.canvas, x + size
    canvas.setLineWidth(0.4)
    canvas.setStrokeColorRGB(*BLACK)
    for i in range(2):
        colour = BLACK if i == 0 else WHITE
        canvas.setFillColorRGB(*colour)
        canvas.rect(left + i * long / 2, bottom, long / 2, high, stroke=1, fill=1)
    baseline = bottom + high + 1 + DESCENT * size
    labels = [(0.0, "0"), (length / 2, f"{length / 2 / divisor:g}")]
    labels.append((length, f"{length / divisor:g} {unit}"))
    boxes = [
        paper.text(text, left + at / metres, baseline, size, align="middle") for at, text in labels
    ]
    paper.claim(Box("scale bar", left, bottom, long, high))
    start, end = boxes[0].left, boxes[-1].right
    return Box("scale bar", start, bottom, end - start, boxes[0].top - bottom)


def north_angle(crs: str, x: float, y: float) -> float:
    """Return how far true north lies to the right of the upper edge at a place, in degrees."""
    lon, lat = (float(v) for v in transformer(crs, "EPSG:4490").transform(x, y))
    step = 0.001 if lat < 89 else -0.001
    mx, my = metres_per_unit(crs, x, y)
    to_x, to_y = transformer("EPSG:4490", crs).transform(lon, lat + step)
    back_x, back_y = transformer("EPSG:4490", crs).transform(lon, lat)
    dx, dy = (to_x - back_x) * mx, (to_y - back_y) * my
    return math.degrees(math.atan2(dx * math.copysign(1, step), dy * math.copysign(1, step)))


def north_arrow(
    paper: Paper, frame: MapFrame, x: float, bottom: float, height: float = 28.0
) -> Box:
    """Draw an arrow to true north at the middle of the frame; `x` is its middle."""
    canvas = paper.canvas
    size = height * 0.32
    shaft = height - 1.3 * size
    angle = north_angle(frame.crs, *frame.middle)
    canvas.saveState()
    canvas.translate(x, bottom + shaft / 2)
    canvas.rotate(-angle)
    canvas.setStrokeColorRGB(*BLACK)
    canvas.setLineWidth(0.4)
    canvas.setLineJoin(0)
    half = shaft * 0.28
    for side, colour in ((-1, BLACK), (1, WHITE)):
        canvas.setFillColorRGB(*colour)
        path = canvas.beginPath()
        path.moveTo(0, shaft / 2)
        path.lineTo(side * half, -shaft / 2)
        path.lineTo(0, -shaft / 4)
        path.close()
        canvas.drawPath(path, stroke=1, fill=1)
    canvas.restoreState()
    paper.text("N", x, bottom + shaft + 1 + DESCENT * size, size, align="middle")
    turned = half + abs(math.sin(math.radians(angle))) * shaft / 2
    return paper.claim(Box("north arrow", x - turned, bottom - 0.5, 2 * turned, shaft + 0.5))


def legend(
    paper: Paper,
    entries: Sequence[tuple[str, Ink]],
    x: float,
    top: float,
    width: float,
    *,
    size: float = 7.0,
    columns: int = 1,
) -> Box:
    """Draw swatches with labels, column by column, and return the room they take."""
    step, swatch = 1.45 * size, 2.2 * size
    rows = math.ceil(len(entries) / columns)
    room = width / columns
    for i, (label, ink) in enumerate(entries):
        left, row_top = x + (i // rows) * room, top - (i % rows) * step
        baseline = row_top - ASCENT * size
        box = Box(f"swatch {label}", left, baseline - 0.08 * size, swatch, 0.85 * size)
        _swatch(paper, box, ink)
        paper.text(label, box.right + 3, baseline, size, width=room - swatch - 6)
    return Box("legend", x, top - rows * step, width, rows * step)


def _swatch(paper: Paper, box: Box, ink: Ink) -> None:
    canvas = paper.canvas
    canvas.saveState()
    clip_to(canvas, paper.claim(box))
    if ink.fill is not None:
        canvas.setFillColorRGB(*ink.fill, alpha=ink.opacity)
        canvas.rect(box.left, box.bottom, box.width, box.height, stroke=0, fill=1)
    if ink.hatch is not None:
        hatch(canvas, box, ink.hatch, 3.0)
    if ink.line is not None:
        canvas.setDash(list(ink.dash))
        paper.rule(box.inset(ink.width / 2 + 0.2), ink.line, ink.width)
    canvas.restoreState()


def coordinate_ticks(
    paper: Paper, frame: MapFrame, *, wanted: int = 3, least: int = 0, size: float = 5.5
) -> list[Box]:
    """Draw the frame with ticks at round longitudes and latitudes on CGCS2000.

    Labels stand outside: longitudes below the frame, latitudes turned upwards left of it. Keep
    about ``2 × size`` points free there. An axis has at most `wanted` of them or, where `least` is
    given, at least so many.
    """
    box = frame.box
    paper.rule(box, BLACK, 0.7)
    west, south, east, north = frame.bounds
    at = np.linspace(0.0, 1.0, 33)
    low = np.column_stack([west + at * (east - west), np.full_like(at, south)])
    left = np.column_stack([np.full_like(at, west), south + at * (north - south)])
    lon, lat = to_cgcs2000(low, frame.crs)[:, 0], to_cgcs2000(left, frame.crs)[:, 1]
    boxes = []
    canvas, tick = paper.canvas, 3.0
    for value, text in _round_angles(lon, wanted, least, "EW"):
        x = box.left + float(np.interp(value, lon, at)) * box.width
        canvas.line(x, box.bottom, x, box.bottom - tick)
        half = paper.letters.width(text, size) / 2
        x = min(max(x, box.left + half), box.right - half)
        boxes.append(paper.text(text, x, box.bottom - tick - size, size, align="middle"))
    for value, text in _round_angles(lat, wanted, least, "NS"):
        y = box.bottom + float(np.interp(value, lat, at)) * box.height
        canvas.line(box.left, y, box.left - tick, y)
        boxes.append(_upright(paper, text, frame, y, size))
    return boxes


def _upright(paper: Paper, text: str, frame: MapFrame, y: float, size: float) -> Box:
    """Write a label left of the frame, turned to be read from the right."""
    half = paper.letters.width(text, size) / 2
    y = min(max(y, frame.box.bottom + half), frame.box.top - half)
    baseline = frame.box.left - 4
    canvas = paper.canvas
    canvas.saveState()
    canvas.translate(baseline, y)
    canvas.rotate(90)
    written = paper.text(text, 0, 0, size, align="middle")
    canvas.restoreState()
    paper.boxes.remove(written)
    left = baseline - ASCENT * size
    return paper.claim(Box(text, left, y - half, (ASCENT + DESCENT) * size, 2 * half, BLACK, WHITE))


def _round_angles(
    values: NDArray[np.float64], wanted: int, least: int, letters: str
) -> list[tuple[float, str]]:
    """Return round angles inside a growing row of values with their texts."""
    low, high = values[0] * 3600, values[-1] * 3600
    span = high - low
    steps: tuple[float, ...] = (*(0.01, 0.02, 0.05, 0.1, 0.2, 0.5), *STEPS_SECONDS)
    step = next((s for s in steps if span / s <= wanted), steps[-1])
    if least:
        enough = (s for s in reversed(steps) if high // s - -(-low // s) + 1 >= least)
        step = next(enough, steps[0])
    found = []
    for i in range(math.ceil(low / step), math.floor(high / step) + 1):
        found.append((i * step / 3600, _angle_text(i * step, step, letters)))
    return found


def _angle_text(seconds: float, step: float, letters: str) -> str:
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2
    sign = letters[0] if seconds >= 0 else letters[1]
    total = round(abs(seconds), digits)
    minutes, rest = divmod(total, 60)
    degrees, minutes = divmod(int(minutes), 60)
    text = f"{degrees}°{minutes:02d}′"
    if step % 60:
        text += f"{rest:0{3 + digits if digits else 2}.{digits}f}″"
    return text + sign


@lru_cache(maxsize=4)
def qr_modules(text: str) -> tuple[tuple[bool, ...], ...]:
    """Return the rows of modules of the QR code (level M) of a text, without quiet zone."""
    from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    count = range(code.getModuleCount())
    return tuple(tuple(bool(code.isDark(row, col)) for col in count) for row in count)


def qr_code(paper: Paper, text: str, left: float, bottom: float, side: float) -> Box:
    """Draw the QR code of a text as vectors, with its quiet zone of four modules."""
    modules = qr_modules(text)
    step = side / (len(modules) + 8)
    path = paper.canvas.beginPath()
    for row, darks in enumerate(modules):
        col = 0
        for dark, run in groupby(darks):
            long = len(list(run))
            if dark:
                x, y = left + (col + 4) * step, bottom + side - (row + 5) * step
                path.rect(x, y, long * step, step)
            col += long
    paper.canvas.setFillColorRGB(0, 0, 0)
    paper.canvas.drawPath(path, stroke=0, fill=1)
    return paper.claim(Box("qr", left, bottom, side, side))
