"""Relative radiometry: the after date in the units and light of the before date.

Invariant pixels are those that IR-MAD takes for unchanged. Where it does not settle on enough of
them (a scene of crops in two seasons), the half of the pixels nearest to the lines is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from detect.kernels.pixels import rescale
from detect.magnitudes import RESOLVED, TINY
from detect.projections import fit_irmad
from detect.sample import (
    affine_map,
    column_medians,
    draw_pixels,
    gather,
    robust_spread,
    weighted_covariance,
)
from tiles.block import Block

__all__ = ["Radiometry", "apply_radiometry", "fit_radiometry", "fit_radiometry_samples"]

SAMPLE_PIXELS = 100_000
"""Pixels drawn for the fit."""

FEWEST_PIXELS = 100
"""Sample pixels below which the dates are left as they are."""

ITERATIONS = 10
"""Most rounds of trimming."""

KEPT = 0.5
"""Share of the pixels, those that changed least, that the line is fitted to by trimming."""

INVARIANT = 0.9
"""No-change probability from which a pixel counts as invariant."""

INVARIANT_SHARE = 0.02
"""Share of the pixels that must be invariant, or IR-MAD is not believed."""


@dataclass(frozen=True)
class Radiometry:
    """A line per band: before ≈ gain × after + offset on land that did not change.

    Attributes
    ----------
    gain, offset : ndarray of float64, shape (band,)
    correlation : ndarray of float64, shape (band,)
        Of the two dates on the pixels kept; 0 for a constant band.
    pixels : int
        Sample pixels the lines were fitted to.
    way : str
        ``irmad``, ``trimmed``, or ``none`` where there were too few pixels.
    """

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    correlation: NDArray[np.float64]
    pixels: int
    way: str = "trimmed"


def fit_radiometry(cells: Sequence[Block]) -> Radiometry:
    """Fit the radiometry of the after date on sample cells, in any order."""
    return fit_radiometry_samples(*gather(draw_pixels(cells, limit=SAMPLE_PIXELS)))


def fit_radiometry_samples(before: NDArray[np.float64], after: NDArray[np.float64]) -> Radiometry:
    """Fit an orthogonal regression per band on invariant pixels, the same for all bands.

    Both dates are put on robust scores, so that neither counts as free of error.

    Parameters
    ----------
    before, after : ndarray of float64, shape (pixel, band)
        In canonical order.

    References
    ----------
    .. [1] Canty, Nielsen (2008). Automatic radiometric normalization of multitemporal satellite
       imagery with the iteratively re-weighted MAD transformation. doi:10.1016/j.rse.2007.07.013
    .. [2] Rousseeuw, Van Driessen (2006). Computing LTS regression for large data sets.
       doi:10.1007/s10618-005-0024-4
    """
    count, bands = before.shape
    if count < FEWEST_PIXELS:
        return Radiometry(np.ones(bands), np.zeros(bands), np.zeros(bands), 0, "none")
    centres = column_medians(before), column_medians(after)
    spreads = _spread(before, centres[0]), _spread(after, centres[1])
    varies = (spreads[0] > 0) & (spreads[1] > 0)
    scores = [
        (values - centre) / np.where(spread > 0, spread, 1.0)
        for values, centre, spread in zip((before, after), centres, spreads, strict=True)
    ]
    kept = _invariant(*scores)
    way = "irmad"
    if kept.sum() < max(INVARIANT_SHARE * count, FEWEST_PIXELS):
        kept, way = _trimmed(scores, varies), "trimmed"
    slope, shift, correlation = _lines(scores, kept, varies)
    ratio = np.where(varies, spreads[0], 1.0) / np.where(varies, spreads[1], 1.0)
    gain = np.where(varies, slope * ratio, 1.0)
    offset = centres[0] + np.where(varies, shift * spreads[0], 0.0) - gain * centres[1]
    return Radiometry(gain, offset, correlation, int(kept.sum()), way)


def _invariant(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the pixels that IR-MAD takes for unchanged: such a difference comes without change."""
    state = fit_irmad(before, after)
    if state is None:
        return np.zeros(before.shape[0], np.bool_)
    weights = np.hstack([state.project_before, -state.project_after])
    variates = affine_map(np.hstack([before, after]), weights, state.offset)
    statistic = np.sum(variates**2, axis=1)
    return np.asarray(chdtrc(state.offset.size, statistic) >= INVARIANT, np.bool_)


def _trimmed(scores: list[NDArray[np.float64]], varies: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the half of the pixels nearest to the lines that are fitted to it."""
    slope, shift = np.ones(varies.size), np.zeros(varies.size)
    kept = np.zeros(scores[0].shape[0], np.bool_)
    for _ in range(ITERATIONS):
        nearest = _nearest(scores, slope, shift, varies)
        if np.array_equal(nearest, kept):
            break
        kept = nearest
        slope, shift, _ = _lines(scores, kept, varies)
    return kept


def _lines(
    scores: list[NDArray[np.float64]], kept: NDArray[np.bool_], varies: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return slope, intercept and correlation of every band on the pixels kept."""
    slope, shift = np.ones(varies.size), np.zeros(varies.size)
    correlation = np.zeros(varies.size)
    for b in np.flatnonzero(varies):
        pair = np.column_stack([scores[1][kept, b], scores[0][kept, b]])
        slope[b], shift[b], correlation[b] = _orthogonal_line(pair)
    return slope, shift, correlation


def _spread(values: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the robust spread per band, the standard deviation where it is 0, 0 if constant."""
    spread = robust_spread(values, centre)
    spread = np.where(spread > 0, spread, values.std(axis=0))
    return np.where(spread > np.maximum(RESOLVED * np.abs(centre), TINY), spread, 0.0)


def _nearest(
    scores: list[NDArray[np.float64]],
    slope: NDArray[np.float64],
    shift: NDArray[np.float64],
    varies: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return the pixels nearest to the lines, every band in units of its median distance."""
    distance = np.abs(scores[0] - slope * scores[1] - shift) / np.sqrt(1.0 + slope**2)
    scale = column_medians(distance)
    used = varies & (scale > 0)
    total = np.sum((distance[:, used] / scale[used]) ** 2, axis=1)
    return np.asarray(total <= np.quantile(total, KEPT), np.bool_)


def _orthogonal_line(pair: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return slope, intercept and correlation of y on x by orthogonal regression.

    A slope that is not positive means that the band does not carry over: the spreads are matched.
    """
    mean, covariance = weighted_covariance(pair, np.ones(pair.shape[0]))
    xx, yy, xy = covariance[0, 0], covariance[1, 1], covariance[0, 1]
    if xy <= 0:
        return 1.0, float(mean[1] - mean[0]), 0.0
    half = (yy - xx) / 2
    slope = (half + np.sqrt(half**2 + xy**2)) / xy
    return float(slope), float(mean[1] - slope * mean[0]), float(xy / np.sqrt(xx * yy))


def apply_radiometry(block: Block, radiometry: Radiometry) -> Block:
    """Return the block with its after date expressed in the radiometry of the before date."""
    out = np.empty(block.after.shape, np.float32)
    gain = radiometry.gain.astype(np.float32)
    rescale(block.after, block.valid, gain, radiometry.offset.astype(np.float32), out)
    return block.with_after(out)
