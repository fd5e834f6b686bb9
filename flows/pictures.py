"""Pictures of clues, cut in one pass over the images: block by block, never back and forth."""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from clues.outputs.sheet import frame_of
from tiles.chips import Chip, ChipCutter
from tiles.grid import CELL, AnalysisGrid

if TYPE_CHECKING:
    from PIL.Image import Image

    from clues.outputs.tables import ClueTables
    from flows.stages import StageContext

__all__ = ["Thumbnails", "cutter_of", "first_by_priority", "in_image_order", "thumbnails"]

Bounds = tuple[float, float, float, float]
Thumbnails = Mapping[str, tuple[bytes, bytes]]
"""Before and after picture as JPEG, by clue number."""

LEAST_PX = 32
"""Fewest image pixels along the side of a picture: a clue is judged by what is around it."""

BLOCK = 4 * CELL
"""Side in pixels of the blocks in whose order pictures are cut: what one keeps in memory."""

OUTLINE = (255, 230, 0)
JPEG_QUALITY = 85


def cutter_of(context: "StageContext") -> ChipCutter:
    """Return the cutter of before and after pictures of a run; close it after use."""
    from flows.fitting import registration_of

    plan = context.plan
    return ChipCutter(
        plan.before,
        plan.after,
        plan.grid,
        registration_of(context),
        least_px=LEAST_PX,
        stretch=context.stretch,
    )


def in_image_order(frames: Mapping[str, Bounds], grid: AnalysisGrid) -> list[str]:
    """Return the names of frames block by block of the grid, then west to east in a row of pixels.

    Cut in this order, each cell of an image is warped once, however the frames are listed.
    """
    places = []
    for name, bounds in frames.items():
        extent = grid.extent_of(bounds)
        row, col = (extent.row0 + extent.row1) // 2, (extent.col0 + extent.col1) // 2
        places.append((row // BLOCK, col // BLOCK, row, col, name))
    return [place[-1] for place in sorted(places)]


def first_by_priority(tables: "ClueTables", count: int) -> list[str]:
    """Return the numbers of the first clues by priority; ties in ledger order."""
    order = tables.clues.sort_values(["priority", "clue_no"], ascending=[False, True])
    return [str(number) for number in order["clue_no"][:count]]


def thumbnails(
    cutter: ChipCutter, tables: "ClueTables", first: int = 500, side_px: int = 160
) -> Thumbnails:
    """Return small pictures of the first clues by priority, with their outline.

    Parameters
    ----------
    cutter : ChipCutter
        See `cutter_of`.
    tables : ClueTables
        With clue numbers.
    first : int
        So many clues at most.
    side_px : int
        Side of the pictures.

    Returns
    -------
    mapping of str to (bytes, bytes)
        In order of priority; both pictures of a clue have the same extent, scale and stretch.
    """
    shapes = dict(zip(tables.clues["clue_no"], tables.clues.geometry, strict=True))
    wanted = first_by_priority(tables, first)
    frames = {number: frame_of(shapes[number]) for number in wanted}
    made = {
        number: (_jpeg(before, shapes[number]), _jpeg(after, shapes[number]))
        for number, (before, after) in _cut_all(cutter, frames, side_px)
    }
    return {number: made[number] for number in wanted}


def _cut_all(
    cutter: ChipCutter, frames: Mapping[str, Bounds], side_px: int
) -> Iterator[tuple[str, tuple[Chip, Chip]]]:
    for name in in_image_order(frames, cutter.grid):
        yield name, cutter.cut(frames[name], side_px)


def _jpeg(chip: Chip, shape: Any) -> bytes:
    from PIL import Image

    picture = Image.fromarray(chip.image)
    _draw(picture, chip.bounds, shapely.get_rings(shapely.get_parts(shape)))
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return target.getvalue()


def _draw(picture: "Image", bounds: Bounds, rings: Iterable[Any]) -> None:
    from PIL import ImageDraw

    west, south, east, north = bounds
    scale = np.array([picture.width / (east - west), -picture.height / (north - south)])
    pen = ImageDraw.Draw(picture)
    for ring in rings:
        points = (shapely.get_coordinates(ring) - (west, north)) * scale
        pen.line([(float(x), float(y)) for x, y in points], fill=OUTLINE, width=2)
