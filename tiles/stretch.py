"""How pixels become colours for people: one tone curve for both dates and all places of a pair."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tiles.grid import CELL, Extent
from tiles.pairgrid import common_bands, pair_extent
from tiles.reader import PairReader
from tiles.scene import Epoch

__all__ = ["EMPTY", "PairStretch", "Stretch", "colour_bands", "stretch_of"]

COLOURS = (("red", "green", "blue"), ("nir", "red", "green"))
"""True colour; without a blue band near-infrared false colour."""

BLACK_PERCENT, BRIGHT_PERCENT, WHITE_PERCENT = 1.0, 98.0, 99.9
BRIGHT = 0.82
"""Grey of the bright percentile; the rest is for what is brighter: new ground keeps texture."""

HEADROOM = 0.5
"""White lies at least so far beyond bright as a part of the range: the sample may have no new
ground in it."""

GAMMA = 0.55
"""Below 1: dark fields, most of the land in spring, are told apart."""

EMPTY = 255
"""Grey of pixels without image."""

SIDE, PER_AXIS = 128, 5
"""Pixels along a sampled square, and squares along each axis."""


@dataclass(frozen=True)
class Stretch:
    """The tone curve of a pair.

    Attributes
    ----------
    limits : tuple of (float, float, float)
        Values that are black, bright and white, per band.
    """

    limits: tuple[tuple[float, float, float], ...]

    def picture(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Return red, green, blue of shape (y, x, 3); white where there is no image."""
        channels = []
        for band, (black, bright, white) in zip(values, self.limits, strict=True):
            body = np.clip((band - black) / (bright - black), 0, 1) ** GAMMA * BRIGHT
            rest = np.clip((band - bright) / (white - bright), 0, 1) * (1 - BRIGHT)
            grey = ((body + rest) * 255).round().astype(np.uint8)
            channels.append(np.where(valid, grey, np.uint8(EMPTY)))
        while len(channels) < 3:
            channels.append(channels[-1])
        return np.ascontiguousarray(np.stack(channels[:3], axis=-1))


def colour_bands(before: Epoch, after: Epoch) -> tuple[str, ...]:
    """Return the bands of a pair that are shown as red, green and blue."""
    bands = common_bands(before, after)
    return next((c for c in COLOURS if all(b in bands for b in c)), bands[2::-1] or bands)


def stretch_of(reader: PairReader) -> Stretch:
    """Return the tone curve of a pair from squares spread over its common ground.

    Parameters
    ----------
    reader : PairReader
        Of the bands to show. The squares depend on the pair alone, so every process and every
        product of a run gets the same curve.
    """
    squares = _squares(pair_extent(reader.before, reader.after, reader.grid))
    dates = [date for square in squares for date in reader.read_dates(square)]
    limits = []
    for band in range(len(reader.bands)):
        pixels = np.concatenate([values[band][valid] for values, valid, _ in dates])
        pixels = pixels[np.isfinite(pixels)]
        percents = (BLACK_PERCENT, BRIGHT_PERCENT, WHITE_PERCENT)
        found = np.percentile(pixels, percents) if len(pixels) else (0.0, 1.0, 1.0)
        black, bright, white = (float(v) for v in found)
        bright = bright if bright > black else black + 1.0
        limits.append((black, bright, max(white, bright + HEADROOM * (bright - black))))
    return Stretch(tuple(limits))


class PairStretch:
    """The tone curve of one pair for all who show it; looked for by the first who asks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: Stretch | None = None

    def __call__(self, reader: PairReader) -> Stretch:
        """Return what `stretch_of` finds with the first of all readers of the pair."""
        with self._lock:
            if self._found is None:
                self._found = stretch_of(reader)
            return self._found


def _squares(extent: Extent) -> Iterator[Extent]:
    rows, cols = (_spread(first, last) for first, last in
                  ((extent.row0, extent.row1), (extent.col0, extent.col1)))  # fmt: skip
    for row0, row1 in rows:
        for col0, col1 in cols:
            yield Extent(row0, col0, row1, col1)


def _spread(first: int, last: int) -> list[tuple[int, int]]:
    """Return pieces of at most `SIDE` evenly along a stretch; all of it where it is short."""
    if last - first <= SIDE * PER_AXIS:
        return [(at, min(at + SIDE, last)) for at in range(first, last, SIDE)]
    room = last - first - SIDE
    starts = [first + room * i // (PER_AXIS - 1) for i in range(PER_AXIS)]
    # in one cell each: cells are read as a whole
    aligned = sorted({max(at - at % CELL, first) for at in starts})
    return [(at, at + SIDE) for at in aligned]
