"""Pictures of both dates for people: same place, same scale, same stretch."""

import datetime as dt
import math
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from threading import Event

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tiles.grid import AnalysisGrid, Extent
from tiles.pairgrid import pair_extent
from tiles.reader import DateArrays, PairReader
from tiles.registration import Registration
from tiles.scene import Epoch
from tiles.stretch import Stretch, colour_bands, stretch_of

__all__ = ["Chip", "ChipCutter"]

NO_SCENE = 255

BLOCK = 512, 4096
"""Rows and columns that are read at once for a picture of a large frame."""

THREADS = 2
"""Blocks that are read at the same time; each takes up to 25 MB."""

CACHE_MB = 96.0
"""Memory for warped cells and stored blocks, MB: what chips that lie close together share."""

HATCH_PX = 4
"""Width of the stripes over pixels without image."""

HALF = 128
"""Grey of a pixel half of which has no image: more than that and it is striped."""

HATCH = np.array([[160] * 3, [222] * 3], np.uint8)
"""Greys of the stripes: no ground looks like them, however bright."""


@dataclass(frozen=True)
class Chip:
    """A picture of one date.

    Attributes
    ----------
    image : ndarray of uint8, shape (y, x, 3)
        Red, green, blue; striped where there is no image: clouds that were masked, no data.
    bounds : tuple of float
        West, south, east, north in the CRS of the grid.
    scene_id : str
        Scene that fills most of the picture, empty if none does.
    civil_date : date or None
        Its day.
    attribution : str
        Credit line.
    sensor : str
        Name of its sensor for people, empty if no scene fills it.
    unseen : float
        Share of the picture that is striped.
    """

    image: NDArray[np.uint8]
    bounds: tuple[float, float, float, float]
    scene_id: str
    civil_date: dt.date | None
    attribution: str
    sensor: str = ""
    unseen: float = 0.0


class ChipCutter:
    """Cuts pictures out of a pair; keeps the files open between cuts.

    Parameters
    ----------
    before, after : Epoch
    grid : AnalysisGrid
    registration : Registration or None
        Applied to the after date.
    time_zone : str
        Zone of civil dates.
    least_px : int
        Fewest image pixels along the side of a picture; smaller frames are widened.
    stretch : callable
        Gives the tone curve of the pair, as `stretch_of` does; asked once.
    """

    def __init__(
        self,
        before: Epoch,
        after: Epoch,
        grid: AnalysisGrid,
        registration: Registration | None = None,
        time_zone: str = "Asia/Shanghai",
        least_px: int = 4,
        stretch: Callable[[PairReader], Stretch] = stretch_of,
    ) -> None:
        colours = colour_bands(before, after)
        self._epochs = (before, after)
        self._time_zone = time_zone
        self.grid, self._least_px, self._curve = grid, least_px, stretch
        self._reader = PairReader(
            before, after, grid, bands=colours, registration=registration, cache_mb=CACHE_MB
        )

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __enter__(self) -> "ChipCutter":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @cached_property
    def _pixel_m(self) -> tuple[float, float]:
        return self.grid.pixel_metres(pair_extent(*self._epochs, self.grid))

    @cached_property
    def _stretch(self) -> Stretch:
        return self._curve(self._reader)

    def cut(
        self, bounds: tuple[float, float, float, float], size_px: int = 400
    ) -> tuple[Chip, Chip]:
        """Cut both dates.

        Parameters
        ----------
        bounds : tuple of float
            West, south, east, north in the CRS of the grid; widened to a square on the ground
            and to whole pixels.
        size_px : int
            Side of the pictures.

        Returns
        -------
        tuple of Chip
            Before, after; the same bounds, the stretch of the whole pair.
        """
        extent = self._square(bounds)
        return self._cut(0, extent, size_px), self._cut(1, extent, size_px)

    def cut_after(
        self,
        bounds: tuple[float, float, float, float],
        size_px: int = 400,
        ended: Event | None = None,
    ) -> Chip:
        """Cut the later date alone, as `cut` does.

        Parameters
        ----------
        bounds, size_px
            As for `cut`.
        ended : Event, optional
            Cut in one thread, beside something else; `CancelledError` once it is set.
        """
        return self._cut(1, self._square(bounds), size_px, ended)

    def _cut(self, date: int, extent: Extent, size_px: int, ended: Event | None = None) -> Chip:
        step = max(1, min(extent.shape) // (2 * size_px))
        values, valid, source = self._thinned(date, extent, step, ended)
        image = _resized(self._stretch.picture(values, valid), size_px)
        unseen = _resized(np.where(valid, 0, 255).astype(np.uint8), size_px) > HALF
        place = self.grid.bounds(extent)
        chip = self._chip(self._epochs[date], _striped(image, unseen), source, place)
        return replace(chip, unseen=float(unseen.mean()))

    def _square(self, bounds: tuple[float, float, float, float]) -> Extent:
        extent = self.grid.extent_of(bounds)
        mx, my = self._pixel_m
        side = max(extent.width * mx, extent.height * my, self._least_px * max(mx, my))
        rows, cols = math.ceil(side / my - 1e-6), math.ceil(side / mx - 1e-6)
        row0 = (extent.row0 + extent.row1 - rows) // 2
        col0 = (extent.col0 + extent.col1 - cols) // 2
        return Extent(row0, col0, row0 + rows, col0 + cols)

    def _thinned(self, date: int, extent: Extent, step: int, ended: Event | None) -> DateArrays:
        """Read a date, every `step`-th pixel, in blocks that keep memory flat."""
        tall, wide = (step * max(1, side // step) for side in BLOCK)
        ways = range(extent.row0, extent.row1, tall), range(extent.col0, extent.col1, wide)
        blocks = [
            Extent(row, col, min(row + tall, extent.row1), min(col + wide, extent.col1))
            for row, col in product(*ways)
        ]

        def read(block: Extent) -> DateArrays:
            if ended is not None and ended.is_set():
                raise CancelledError
            return _every(step, self._reader.read_date(date, block))

        is_alone = ended is None and len(blocks) > 1
        with ThreadPoolExecutor(THREADS) if is_alone else nullcontext() as pool:
            parts = list(map(read, blocks) if pool is None else pool.map(read, blocks))
        across = len(ways[1])
        rows = [_beside(parts[at : at + across], -1) for at in range(0, len(parts), across)]
        return _beside(rows, -2)

    def _chip(
        self,
        epoch: Epoch,
        image: NDArray[np.uint8],
        source: NDArray[np.uint8],
        bounds: tuple[float, float, float, float],
    ) -> Chip:
        counts = np.bincount(source[source != NO_SCENE], minlength=1)
        scene = epoch.scenes[int(counts.argmax())] if counts.any() else None
        one_day = epoch.civil_from == epoch.civil_to
        day = epoch.civil_from if one_day or scene is None else scene.civil_date(self._time_zone)
        credit = epoch.scenes[0].attribution if scene is None else scene.attribution
        if scene is None:
            return Chip(image, bounds, "", day, credit)
        return Chip(image, bounds, scene.scene_id, day, credit, scene.sensor_title)


def _every(step: int, date: DateArrays) -> DateArrays:
    """Return every `step`-th pixel; copied, since a view would keep the whole block."""
    values, valid, source = date
    at = np.s_[::step, ::step]
    return values[:, *at].copy(), valid[at].copy(), source[at].copy()


def _beside(dates: list[DateArrays], axis: int) -> DateArrays:
    values, valid, source = (np.concatenate(a, axis=axis) for a in zip(*dates, strict=True))
    return values, valid, source


def _resized(picture: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    image = Image.fromarray(picture)
    finer = size_px >= max(image.size)
    method = Image.Resampling.NEAREST if finer else Image.Resampling.BOX
    return np.asarray(image.resize((size_px, size_px), method), np.uint8)


def _striped(image: NDArray[np.uint8], unseen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    rows, cols = np.nonzero(unseen)
    if not len(rows):
        return image
    striped = image.copy()
    striped[rows, cols] = HATCH[(rows + cols) // HATCH_PX % 2]
    return striped
