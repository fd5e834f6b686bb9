"""Change of radar intensity: the log-ratio, and the omnibus test of a pair."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.kernels.pixels import difference_score
from detect.kernels.radar import log_ratios, ratio_statistic, root_of_squares
from detect.magnitudes import Gaussian, smoothing_px
from detect.omnibus import LikelihoodLaw, looks_of_ratios, omnibus_law
from detect.sample import column_medians, robust_spread
from tiles.block import Block

__all__ = ["RadarState", "fit_radar", "radar_statistic"]

NEGATIVE_SHARE = 0.01
"""Share of negative values from which on the images must be decibels."""

LARGEST_POWER = 10.0
"""Median above which values are amplitudes (digital numbers): backscatter as power is below."""

FLOOR = 1e-3
"""Smallest signal relative to the median of a channel (of power); darker is the noise of the
receiver, and a logarithm of it would be anything."""

LIMIT = 6.0
"""Spreads at which the log-ratio of a pixel is cut before smoothing: one new reflector must not
make a blob."""


@dataclass(frozen=True)
class RadarState:
    """A fitted comparison of radar intensities.

    Attributes
    ----------
    omnibus : bool
        The likelihood ratio of every pixel; otherwise the smoothed log-ratio.
    power : float
        Of the values in the intensity: 1 intensity, 2 amplitude, 0 decibels.
    floor : ndarray of float32, shape (channel, 2)
        Smallest value that is taken for a signal, by date.
    centre : ndarray of float32, shape (channel,)
        Median of ln(after / before): difference of calibration.
    inverse : ndarray of float32, shape (channel,)
        1 / robust spread of ln(after / before); 0 where nothing varies.
    looks : tuple of float
        Equivalent number of looks of every channel.
    """

    omnibus: bool
    power: float
    floor: NDArray[np.float32]
    centre: NDArray[np.float32]
    inverse: NDArray[np.float32]
    looks: tuple[float, ...]

    @property
    def law(self) -> LikelihoodLaw:
        """Distribution of the likelihood ratio where nothing changed."""
        return omnibus_law(2, self.looks)


def fit_radar(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    *,
    omnibus: bool = False,
    looks: float | None = None,
) -> RadarState:
    """Fit the comparison of two dates on sampled pixels.

    Parameters
    ----------
    before, after : ndarray of float64, shape (pixel, channel)
        Intensities, amplitudes or decibels; which of them the values tell.
    omnibus : bool
        Prepare the omnibus test instead of the log-ratio.
    looks : float, optional
        Equivalent number of looks; by default estimated from the ratios.
    """
    channels = before.shape[1]
    power = _power(np.concatenate([before, after]))
    lowest = np.stack([column_medians(before), column_medians(after)], axis=1)
    floor = np.full((channels, 2), -np.finfo(np.float32).max, np.float32)
    if power:
        weakest = np.maximum(lowest * FLOOR ** (1 / power), np.finfo(np.float32).tiny)
        floor = weakest.astype(np.float32)
    first, second = (np.ascontiguousarray(d.T[:, None].astype(np.float32)) for d in (before, after))
    ratios = np.empty_like(first)
    use = np.ones(ratios.shape[1:], np.bool_)
    log_ratios(first, second, use, power, floor, np.zeros(channels, np.float32), ratios)
    sampled = ratios[:, 0].T.astype(np.float64)
    centre = column_medians(sampled)
    spread = robust_spread(sampled, centre)
    spread = np.where(spread > 0, spread, sampled.std(axis=0))
    inverse = np.zeros(channels)
    np.divide(1.0, spread, out=inverse, where=spread > 1e-6)
    found = tuple(
        looks if looks is not None else looks_of_ratios(sampled[:, b] - centre[b])
        for b in range(channels)
    )
    return RadarState(
        omnibus, power, floor, centre.astype(np.float32), inverse.astype(np.float32), found
    )


def _power(values: NDArray[np.float64]) -> float:
    """Return the power of the values in the intensity; 0 for decibels."""
    if np.count_nonzero(values < 0) > NEGATIVE_SHARE * values.size:
        return 0.0
    return 2.0 if float(np.median(values)) > LARGEST_POWER else 1.0


def radar_statistic(block: Block, state: RadarState, pixel_m: float) -> NDArray[np.float32]:
    """Return the change statistic of a pair, float32 (y, x), zero where not valid.

    For the omnibus test it is the root of −2 ρ ln Q, otherwise the length of the smoothed
    log-ratios in robust spreads.
    """
    ratios = np.empty(block.before.shape, np.float32)
    log_ratios(
        block.before, block.after, block.valid, state.power, state.floor, state.centre, ratios
    )
    out = np.empty(block.valid.shape, np.float32)
    if state.omnibus:
        weights = [4 * n * rho for n, rho in zip(state.looks, state.law.corrections, strict=True)]
        ratio_statistic(ratios, np.array(weights), out)
        return out
    window = Gaussian(smoothing_px(pixel_m), block.valid)
    for ratio, inverse in zip(ratios, state.inverse, strict=True):
        score = np.empty_like(ratio)
        difference_score(ratio, block.valid, np.float32(0), inverse, np.float32(LIMIT), score)
        ratio[:] = window.smooth(score)
    root_of_squares(ratios, out)
    return out
