"""Magnitudes of change: robust scores, windows, change vectors.

All windows are given in metres on the ground and turned into whole pixels once; the halo a block
needs follows from them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.kernels.pixels import change_length, robust_scores
from detect.kernels.smooth import box_means, fir_smooth
from detect.sample import column_medians, robust_spread
from tiles.block import Block

__all__ = [
    "Box",
    "Gaussian",
    "RobustScale",
    "VectorState",
    "box_radius",
    "fit_scale",
    "fit_vector",
    "scaled",
    "smoothing_px",
    "vector_halo",
    "vector_length",
    "vector_statistic",
]

SMOOTHING_M = 20.0
"""Standard deviation of the Gaussian over a magnitude: the size of a building plot; on labelled
cities 15 to 30 m score within 0.015."""

SMOOTHING_MIN_PX = 0.7
"""Least smoothing in pixels: below, a Gaussian gives the neighbours next to nothing and single
pixels stay speckle."""

CLIP = (-6.0, 10.0)
"""Range of robust scores: keeps clouds and saturated pixels from ruling a window. Reflectance ends
near at the dark side and far at the bright one."""

RESOLVED = 1e-6
"""Spread relative to the centre below which a band counts as constant (rounding of float32)."""

TINY = 1e-30
"""Spread below which a band counts as constant."""


@dataclass(frozen=True)
class RobustScale:
    """Median and robust standard deviation of every band of one date.

    Attributes
    ----------
    centre : ndarray of float32, shape (band,)
    inverse : ndarray of float32, shape (band,)
        1 / spread; 0 for a constant band.
    """

    centre: NDArray[np.float32]
    inverse: NDArray[np.float32]


def fit_scale(values: NDArray[np.float64]) -> RobustScale:
    """Fit the robust scale of (pixel, band) values.

    A band whose median absolute deviation is zero falls back to its standard deviation.
    """
    centre = column_medians(values)
    spread = robust_spread(values, centre)
    spread = np.where(spread > 0, spread, values.std(axis=0))
    inverse = np.zeros_like(spread)
    np.divide(1.0, spread, out=inverse, where=spread > np.maximum(RESOLVED * abs(centre), TINY))
    return RobustScale(centre.astype(np.float32), inverse.astype(np.float32))


def scaled(
    values: NDArray[np.float32], valid: NDArray[np.bool_], scale: RobustScale
) -> NDArray[np.float32]:
    """Return the robust scores of (band, y, x) values, clipped, zero where not valid."""
    out = np.empty(values.shape, np.float32)
    low, high = np.float32(CLIP[0]), np.float32(CLIP[1])
    robust_scores(values, valid, scale.centre, scale.inverse, low, high, out)
    return out


class Gaussian:
    """A Gaussian window over the valid pixels of one block.

    Parameters
    ----------
    sigma_px : float
        Standard deviation in pixels.
    valid : ndarray of bool, shape (y, x)
        Pixels that count.
    """

    def __init__(self, sigma_px: float, valid: NDArray[np.bool_]) -> None:
        self.radius = self.radius_of(sigma_px)
        steps = np.arange(self.radius + 1) / sigma_px
        taps = np.exp(-0.5 * steps**2)
        self._taps = (taps / (taps[0] + 2 * taps[1:].sum())).astype(np.float32)
        self._inverse = _inverse_weights(valid, self.radius, self._sums)

    @staticmethod
    def radius_of(sigma_px: float) -> int:
        """Return the radius in pixels at which the window is cut (three σ)."""
        return math.ceil(3 * sigma_px - 1e-6)

    def _sums(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.empty_like(plane)
        fir_smooth(plane, self._taps, np.ones_like(plane), out)
        return out

    def smooth(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the local mean of a plane that is zero where not valid; zero there."""
        out = np.empty_like(plane)
        fir_smooth(plane, self._taps, self._inverse, out)
        return out


class Box:
    """A square window over the valid pixels of one block.

    Parameters
    ----------
    radius : int
        In pixels; the side is 2 radius + 1.
    valid : ndarray of bool, shape (y, x)
        Pixels that count.
    """

    def __init__(self, radius: int, valid: NDArray[np.bool_]) -> None:
        self.radius = radius
        self.inverse_count = _inverse_weights(valid, radius, self._sums)

    def _sums(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.empty_like(plane)
        box_means(plane, self.radius, np.ones_like(plane), out)
        return out

    def means(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the local means of (band, y, x) planes that are zero where not valid."""
        out = np.empty_like(planes)
        for plane, target in zip(planes, out, strict=True):
            box_means(plane, self.radius, self.inverse_count, target)
        return out


def _inverse_weights(
    valid: NDArray[np.bool_],
    radius: int,
    sums: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return 1 / the weight that a window finds valid, zero where not valid.

    Where everything is valid, all pixels but those of the rim have the same: a small square tells.
    """
    side = 2 * radius + 1
    if min(valid.shape) <= side or not valid.all():
        weight = sums(valid.astype(np.float32))
        inverse = np.zeros(valid.shape, np.float32)
        np.divide(np.float32(1), weight, out=inverse, where=valid)
        return inverse
    square = np.float32(1) / sums(np.ones((side, side), np.float32))
    rows = np.full(valid.shape[0], radius)
    rows[:radius], rows[-radius:] = np.arange(radius), np.arange(radius + 1, side)
    tall = square[rows]
    inverse = np.empty(valid.shape, np.float32)
    inverse[:] = tall[:, radius : radius + 1]
    inverse[:, :radius], inverse[:, -radius:] = tall[:, :radius], tall[:, radius + 1 :]
    return inverse


def smoothing_px(pixel_m: float) -> float:
    """Return the standard deviation in pixels of the smoothing of magnitudes."""
    return max(SMOOTHING_M / pixel_m, SMOOTHING_MIN_PX)


def box_radius(side_m: float, pixel_m: float) -> int:
    """Return the radius in pixels of a square window of about `side_m`, at least one."""
    return max(1, round((side_m / pixel_m - 1) / 2))


@dataclass(frozen=True)
class VectorState:
    """A fitted change vector: both dates in robust scores.

    Attributes
    ----------
    scale_before, scale_after : RobustScale
    """

    scale_before: RobustScale
    scale_after: RobustScale


def fit_vector(before: NDArray[np.float64], after: NDArray[np.float64]) -> VectorState:
    """Fit change vector analysis on (pixel, band) values of both dates."""
    return VectorState(fit_scale(before), fit_scale(after))


def vector_halo(pixel_m: float) -> int:
    """Return the pixels around a block that its change vectors depend on."""
    return Gaussian.radius_of(smoothing_px(pixel_m))


def vector_statistic(block: Block, state: VectorState, pixel_m: float) -> NDArray[np.float32]:
    """Return the smoothed length of the change vector, float32 (y, x), zero where not valid."""
    return Gaussian(smoothing_px(pixel_m), block.valid).smooth(vector_length(block, state))


def vector_length(block: Block, state: VectorState) -> NDArray[np.float32]:
    """Return the length of the change vector, float32 (y, x), zero where not valid.

    References
    ----------
    .. [1] Malila (1980). Change vector analysis: an approach for detecting forest changes with
       Landsat.
    """
    length = np.empty(block.valid.shape, np.float32)
    scales = state.scale_before, state.scale_after
    centres, inverse = (np.array([getattr(s, n) for s in scales]) for n in ("centre", "inverse"))
    low, high = np.float32(CLIP[0]), np.float32(CLIP[1])
    change_length(block.before, block.after, block.valid, centres, inverse, low, high, length)
    return length
