"""The evidence sheet as a page for a browser: the same model as the PDF, with nothing left out."""

import base64
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from markupsafe import Markup

from clues.outputs.cartography import north_angle, qr_modules, round_length
from clues.outputs.drawing import Box, Colour
from clues.outputs.mapframe import Ink, MapFrame
from clues.outputs.page import write_page
from clues.outputs.sheet import EvidenceSheet, Picture
from clues.outputs.sheetmap import key_entries, map_layers, picture_lines
from clues.outputs.sheetwords import area_rows, document_rows, footer_words, qr_text, ring_points
from clues.surroundings import Surroundings

__all__ = ["write_sheet_page"]

SIDE = 400.0
JPEG_QUALITY = 92
FRAME = Box("", 0.0, 0.0, SIDE, SIDE)


def write_sheet_page(
    sheet: EvidenceSheet,
    path: Path,
    pair: tuple[Picture, Picture],
    hashes: tuple[str, str],
    around: Surroundings,
) -> None:
    """Write the page: self-contained, with the letters of its text.

    Parameters
    ----------
    sheet : EvidenceSheet
    path : Path
    pair : tuple of Picture
        Before and after.
    hashes : tuple of str
        Of their pixels.
    around : Surroundings
    """
    layers, numbered = map_layers(sheet, around, pair[1].bounds)
    frame = MapFrame(FRAME, pair[1].bounds, sheet.crs)
    marks = []
    for one in numbered:
        inside = shapely.clip_by_rect(one.shape, *frame.bounds)
        if not inside.is_empty:
            (x, y), *_ = frame.to_paper(
                shapely.get_coordinates(shapely.point_on_surface(inside))
            ).tolist()
            marks.append((one.number, round(x, 1), round(SIDE - y, 1)))
    metres = frame.metres_per_point[0]
    length = round_length(SIDE / 3 * metres)
    told = f"{length:g} m" if length < 1000 else f"{length / 1000:g} km"
    write_page(
        path,
        "evidence.html.j2",
        sheet=sheet,
        panes=[_pane(sheet, picture) for picture in pair],
        layers=[(_path(frame, layer.shapes), _paint(layer.ink)) for layer in layers],
        marks=marks,
        key=[(zh, en, _paint(ink)) for zh, en, ink in key_entries(sheet, layers, pair)],
        north=round(north_angle(sheet.crs, *frame.middle), 2),
        bar=(round(length / metres, 1), told),
        areas=area_rows(sheet, around, classes=len(around.classes)),
        documents=document_rows(sheet),
        rings=ring_points(sheet),
        footer=[text for text in footer_words(sheet, pair, hashes, "") if text],
        qr=_qr(qr_text(sheet)),
        side=SIDE,
    )


def _pane(sheet: EvidenceSheet, picture: Picture) -> dict[str, Any]:
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(picture.image).save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    frame = MapFrame(FRAME, picture.bounds, sheet.crs)
    lines = [(_path(frame, [shape]), _paint(ink)) for shape, ink in picture_lines(sheet)]
    return {
        "picture": picture,
        "data": "data:image/jpeg;base64," + base64.b64encode(target.getvalue()).decode(),
        "lines": lines,
    }


def _path(frame: MapFrame, shapes: Iterable[Any]) -> str:
    """Return the SVG path of shapes, clipped to the frame and a rim."""
    cut = frame.visible(list(shapes))
    parts = []
    for ring in shapely.get_parts(shapely.boundary(cut)):
        points = frame.to_paper(shapely.get_coordinates(ring))
        if len(points):
            down = np.column_stack([points[:, 0], SIDE - points[:, 1]]).round(1).tolist()
            parts.append("M" + "L".join(f"{x:g} {y:g}" for x, y in down) + "Z")
    return "".join(parts)


def _paint(ink: Ink) -> dict[str, Any]:
    """Return the attributes of a path; the page draws hatches and halos itself."""
    return {
        "fill": _css(ink.fill),
        "opacity": ink.opacity,
        "line": _css(ink.line),
        "width": 1.4 * ink.width,
        "dash": " ".join(f"{1.4 * d:g}" for d in ink.dash),
        "hatch": _css(ink.hatch),
        "halo": _css(ink.halo),
    }


def _css(colour: Colour | None) -> str:
    if colour is None:
        return "none"
    return "#" + "".join(f"{math.floor(255 * part + 0.5):02x}" for part in colour)


def _qr(text: str) -> Markup:
    modules = qr_modules(text)
    path = "".join(
        f"M{x} {y}h1v1h-1z" for y, row in enumerate(modules) for x, dark in enumerate(row) if dark
    )
    size = len(modules) + 8
    return Markup(  # nosec B704 # of numbers alone
        f'<svg class="qr" viewBox="-4 -4 {size} {size}" role="img" aria-label="QR">'
        f'<rect x="-4" y="-4" width="{size}" height="{size}" fill="#fff"/><path d="{path}"/></svg>'
    )
