"""Change of texture and of structure, which tell where a pixel is a small part of a thing.

Neither asks how bright the ground is: texture compares the spread of values in a window between the
dates, structure asks whether the pattern in the window is still the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detect.evidence import VARIANCE_FLOOR, visible_bands
from detect.kernels.pixels import difference_score
from detect.kernels.radar import root_of_squares
from detect.kernels.windows import lost_correlation
from detect.magnitudes import Box, RobustScale, box_radius, fit_scale, scaled
from detect.sample import CellPixels, column_medians, gather, robust_spread
from tiles.block import Block

__all__ = ["TextureState", "fit_texture", "texture_halo", "texture_statistic"]

WINDOW_M = 40.0
"""Side of the windows: a house with its yard. Smaller ones see parts of a roof at metre scale."""

LEAST_RADIUS = 3
"""Smallest radius of the windows in pixels: a spread or a correlation of fewer than 49 values is
known to no better than a tenth."""

LIMIT = 6.0
"""Spreads at which the change of texture of a band is cut."""


@dataclass(frozen=True)
class TextureState:
    """A fitted comparison of the windows around a pixel.

    Attributes
    ----------
    structure : bool
        Lost correlation of the windows of both dates; otherwise the ratio of their spreads.
    scale_before, scale_after : RobustScale
    visible : tuple of int
        Bands that count.
    centre, inverse : ndarray of float32, shape (len(visible),)
        Median of ln(spread after / spread before), which another contrast of one image shifts, and
        1 / its robust spread; unused for structure.
    """

    structure: bool
    scale_before: RobustScale
    scale_after: RobustScale
    visible: tuple[int, ...]
    centre: NDArray[np.float32]
    inverse: NDArray[np.float32]


def texture_halo(pixel_m: float) -> int:
    """Return the pixels around a block that its texture depends on."""
    return max(LEAST_RADIUS, box_radius(WINDOW_M, pixel_m))


def fit_texture(
    pixels: Sequence[CellPixels],
    *,
    wavelengths: Sequence[float | None],
    pixel_m: float,
    structure: bool,
) -> TextureState:
    """Fit the comparison of windows on sampled pixels.

    Parameters
    ----------
    pixels : sequence of CellPixels
        From `detect.sample.draw_pixels`; the cells carry `texture_halo` pixels of halo.
    wavelengths : sequence of float or None
        Centre of each band in µm: bands of visible light count where any is known, else all.
    pixel_m : float
        Ground size of a pixel in metres.
    structure : bool
        Compare the pattern of the windows instead of its spread.
    """
    before, after = gather(pixels)
    visible = visible_bands(wavelengths)
    none, one = np.zeros(len(visible), np.float32), np.ones(len(visible), np.float32)
    state = TextureState(structure, fit_scale(before), fit_scale(after), visible, none, one)
    if structure:
        return state
    ratios = np.concatenate([cell.take(_log_ratios(cell.block, state, pixel_m)) for cell in pixels])
    centre = column_medians(ratios)
    spread = robust_spread(ratios, centre)
    spread = np.where(spread > 0, spread, ratios.std(axis=0))
    inverse = np.zeros(len(visible))
    np.divide(1.0, spread, out=inverse, where=spread > 1e-6)
    return replace(state, centre=centre.astype(np.float32), inverse=inverse.astype(np.float32))


def texture_statistic(block: Block, state: TextureState, pixel_m: float) -> NDArray[np.float32]:
    """Return the change of texture or structure, float32 (y, x), zero where not valid.

    Texture: length of the changes of log spread over the bands, in robust spreads of the scene.
    Structure: 1 − the mean correlation of the windows, from 0 to 1; windows that are flat at both
    dates are alike.
    """
    out = np.empty(block.valid.shape, np.float32)
    if not state.structure:
        ratios = _log_ratios(block, state, pixel_m)
        for ratio, centre, inverse in zip(ratios, state.centre, state.inverse, strict=True):
            values = ratio.copy()
            difference_score(values, block.valid, centre, inverse, np.float32(LIMIT), ratio)
        root_of_squares(ratios, out)
        return out
    first, second = _scores(block, state)
    window = Box(texture_halo(pixel_m), block.valid)
    lost_correlation(
        first,
        second,
        window.means(first),
        window.means(second),
        np.arange(len(state.visible)),
        window.radius,
        window.inverse_count,
        np.float32(VARIANCE_FLOOR),
        np.float32(VARIANCE_FLOOR),
        np.float32(1),
        out,
    )
    return out


def _scores(block: Block, state: TextureState) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the robust scores of the bands that count, of both dates."""
    chosen = list(state.visible)
    first, second = (
        scaled(
            np.ascontiguousarray(values[chosen]),
            block.valid,
            RobustScale(scale.centre[chosen], scale.inverse[chosen]),
        )
        for values, scale in (
            (block.before, state.scale_before),
            (block.after, state.scale_after),
        )
    )
    return first, second


def _log_ratios(block: Block, state: TextureState, pixel_m: float) -> NDArray[np.float32]:
    """Return ln(spread after / spread before) of the windows, float32 (band, y, x)."""
    window = Box(texture_halo(pixel_m), block.valid)
    before, after = (
        np.maximum(window.means(scores * scores) - window.means(scores) ** 2, 0)
        + np.float32(VARIANCE_FLOOR)
        for scores in _scores(block, state)
    )
    return np.asarray(np.float32(0.5) * np.log(after / before), np.float32)
