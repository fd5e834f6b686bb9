"""A figure as a list of parts, drawn alike as SVG, by reportlab, and in pixels by Pillow."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

from clues.outputs.lettering import FONT_NAME, font_path, register_font, writable

__all__ = ["Area", "Bar", "Figure", "Label", "Photo", "Stroke", "draw_figure", "raster", "svg"]

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Bar:
    """A rectangle; x to the right, y down, from the top left of the figure."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    stroke: str = ""


@dataclass(frozen=True)
class Stroke:
    """A straight line."""

    start: Point
    end: Point
    colour: str = "#333333"
    width: float = 1.0


@dataclass(frozen=True)
class Label:
    """A line of text; `y` is its baseline, `ground` the colour behind it, if not the figure's."""

    x: float
    y: float
    text: str
    size: float = 11.0
    anchor: Anchor = "start"
    colour: str = "#222222"
    ground: str = ""


@dataclass(frozen=True)
class Area:
    """Rings of one outline; holes are rings too."""

    rings: tuple[tuple[Point, ...], ...]
    stroke: str
    width: float = 1.4
    fill: str = ""
    opacity: float = 0.25
    title: str = ""


@dataclass(frozen=True)
class Photo:
    """A JPEG."""

    x: float
    y: float
    width: float
    height: float
    jpeg: bytes


@dataclass(frozen=True)
class Figure:
    """Parts in the order they are drawn, and what a reader who cannot see it is told."""

    width: float
    height: float
    label: str
    parts: tuple[Bar | Stroke | Label | Area | Photo, ...]

    def texts(self) -> Iterable[str]:
        """Return the texts in it."""
        return (p.text for p in self.parts if isinstance(p, Label))


def svg(figure: Figure, *, name: str = "") -> str:
    """Return the figure as an SVG element.

    Parameters
    ----------
    figure : Figure
    name : str
        Class of the element.
    """
    head = (
        f'<svg viewBox="0 0 {figure.width:g} {figure.height:g}" role="img" '
        f"aria-label={quoteattr(figure.label)} class={quoteattr(name or 'figure')}>"
    )
    return head + "".join(_svg_part(part) for part in figure.parts) + "</svg>"


def _svg_part(part: Any) -> str:
    match part:
        case Bar():
            paint = f'fill="{part.fill or "none"}"'
            paint += f' stroke="{part.stroke}" stroke-width="0.8"' if part.stroke else ""
            size = f'width="{part.width:.2f}" height="{part.height:.2f}"'
            return f'<rect x="{part.x:.2f}" y="{part.y:.2f}" {size} {paint}/>'
        case Stroke():
            (x1, y1), (x2, y2) = part.start, part.end
            place = f'x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}"'
            return f'<line {place} stroke="{part.colour}" stroke-width="{part.width:g}"/>'
        case Label():
            place = f'x="{part.x:.2f}" y="{part.y:.2f}" font-size="{part.size:g}"'
            paint = f'text-anchor="{part.anchor}" fill="{part.colour}"'
            paint += f' data-ground="{part.ground}"' if part.ground else ""
            return f"<text {place} {paint}>{escape(part.text)}</text>"
        case Area():
            rings = "".join(
                "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in r) + "Z" for r in part.rings
            )
            paint = f'stroke="{part.stroke}" stroke-width="{part.width:g}" fill-rule="evenodd"'
            fill = f'fill="{part.fill or "none"}" fill-opacity="{part.opacity:g}"'
            title = f"<title>{escape(part.title)}</title>" if part.title else ""
            return f'<path d="{rings}" {paint} {fill}>{title}</path>'
        case _:
            data = base64.b64encode(part.jpeg).decode()
            place = f'x="{part.x:g}" y="{part.y:g}" width="{part.width:g}" height="{part.height:g}"'
            return (
                f'<image {place} preserveAspectRatio="none" href="data:image/jpeg;base64,{data}"/>'
            )


def draw_figure(canvas: Any, figure: Figure, x: float, bottom: float, width: float) -> None:
    """Draw the figure on a reportlab canvas, so wide, from its lower left corner."""
    register_font()
    scale = width / figure.width
    canvas.saveState()
    canvas.translate(x, bottom)
    canvas.scale(scale, scale)
    for part in figure.parts:
        _draw_part(canvas, part, figure.height)
    canvas.restoreState()


def _draw_part(canvas: Any, part: Any, height: float) -> None:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.utils import ImageReader

    match part:
        case Bar():
            canvas.setLineWidth(0.8)
            if part.fill:
                canvas.setFillColor(HexColor(part.fill))
            if part.stroke:
                canvas.setStrokeColor(HexColor(part.stroke))
            low = height - part.y - part.height
            paint = {"fill": int(bool(part.fill)), "stroke": int(bool(part.stroke))}
            canvas.rect(part.x, low, part.width, part.height, **paint)
        case Stroke():
            canvas.setStrokeColor(HexColor(part.colour))
            canvas.setLineWidth(part.width)
            (x1, y1), (x2, y2) = part.start, part.end
            canvas.line(x1, height - y1, x2, height - y2)
        case Label():
            canvas.setFillColor(HexColor(part.colour))
            canvas.setFont(FONT_NAME, part.size)
            write = {
                "start": canvas.drawString,
                "middle": canvas.drawCentredString,
                "end": canvas.drawRightString,
            }[part.anchor]
            write(part.x, height - part.y, writable(part.text)[0])
        case Area():
            _draw_area(canvas, part, height)
        case _:
            image = ImageReader(io.BytesIO(part.jpeg))
            canvas.drawImage(image, part.x, height - part.y - part.height, part.width, part.height)


def _draw_area(canvas: Any, part: Area, height: float) -> None:
    from reportlab.lib.colors import HexColor

    path = canvas.beginPath()
    for ring in part.rings:
        path.moveTo(ring[0][0], height - ring[0][1])
        for px, py in ring[1:]:
            path.lineTo(px, height - py)
        path.close()
    canvas.setStrokeColor(HexColor(part.stroke))
    canvas.setLineWidth(part.width)
    if part.fill:
        canvas.setFillColor(HexColor(part.fill))
        canvas.setFillAlpha(part.opacity)
    canvas.drawPath(path, stroke=1, fill=int(bool(part.fill)), fillMode=0)
    canvas.setFillAlpha(1.0)


def raster(figure: Figure, scale: float = 2.0) -> bytes:
    """Return the figure in pixels, `scale` to a unit: JPEG with a photo in it, else PNG."""
    from PIL import Image, ImageDraw

    size = (round(figure.width * scale), round(figure.height * scale))
    image = Image.new("RGB", size, "#ffffff")
    for part in figure.parts:
        if isinstance(part, Photo):
            place = (round(part.x * scale), round(part.y * scale))
            own = Image.open(io.BytesIO(part.jpeg)).convert("RGB")
            wanted = (round(part.width * scale), round(part.height * scale))
            image.paste(own.resize(wanted, Image.Resampling.LANCZOS), place)
        elif isinstance(part, Area):
            _paint_area(image, part, scale)
        else:
            _paint(ImageDraw.Draw(image), part, scale)
    buffer = io.BytesIO()
    if any(isinstance(part, Photo) for part in figure.parts):
        image.save(buffer, "JPEG", quality=85)
    else:
        image.quantize(64).save(buffer, "PNG")
    return buffer.getvalue()


def _paint(draw: Any, part: Any, scale: float) -> None:
    from PIL import ImageFont

    if isinstance(part, Bar):
        edges = (part.x, part.y, part.x + part.width, part.y + part.height)
        corners = [e * scale for e in edges]
        draw.rectangle(corners, fill=part.fill or None, outline=part.stroke or None)
    elif isinstance(part, Stroke):
        ends = [v * scale for v in (*part.start, *part.end)]
        draw.line(ends, fill=part.colour, width=max(1, round(part.width * scale)))
    else:
        font = ImageFont.truetype(str(font_path()), round(part.size * scale))
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[part.anchor]
        place = (part.x * scale, part.y * scale)
        draw.text(place, writable(part.text)[0], fill=part.colour, font=font, anchor=anchor)


def _paint_area(image: Any, part: Area, scale: float) -> None:
    """Paint the fill through a mask of the outline's own box only: maps hold thousands."""
    from PIL import Image, ImageChops, ImageDraw

    rings = [[(x * scale, y * scale) for x, y in ring] for ring in part.rings]
    if part.fill:
        xs, ys = ([p[i] for ring in rings for p in ring] for i in (0, 1))
        left, top = int(min(xs)), int(min(ys))
        size = (int(max(xs)) - left + 2, int(max(ys)) - top + 2)
        inside = Image.new("1", size, 0)
        for ring in rings:
            own = Image.new("1", size, 0)
            ImageDraw.Draw(own).polygon([(x - left, y - top) for x, y in ring], fill=1)
            inside = ImageChops.logical_xor(inside, own)
        mask = inside.convert("L").point(lambda v: round(v * part.opacity))
        image.paste(Image.new("RGB", size, part.fill), (left, top), mask)
    draw = ImageDraw.Draw(image)
    for ring in rings:
        draw.line([*ring, ring[0]], fill=part.stroke, width=max(1, round(part.width * scale)))
