"""The contextual change statistic: residuals of the two-way regression seen in their surroundings.

Magnitude of the partly whitened residuals of both directions, smoothed over a building plot,
times weak powers of the local texture of the residuals and of the lost local correlation between
the dates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.kernels.pixels import (
    capped_root,
    evidence_product,
    mixed_squares,
    predict_residuals,
)
from detect.kernels.windows import lost_correlation, window_variance
from detect.magnitudes import (
    Box,
    Gaussian,
    RobustScale,
    box_radius,
    fit_scale,
    scaled,
    smoothing_px,
)
from detect.regression import Prediction, fit_prediction, sample_residuals
from detect.sample import CellPixels, affine_map, gather, weighted_covariance
from tiles.block import Block

__all__ = [
    "MEDIAN_FLOOR",
    "EvidenceState",
    "evidence_halo",
    "evidence_statistic",
    "fit_evidence",
]

WINDOW_M = 70.0
"""Side of the windows of texture and correlation: a few building plots; on labelled cities 50 to
90 m score alike."""

CONTEXT_RADIUS = 3
"""Radius in pixels of the predictors' local mean: absorbs residual shift and sharpness, which reach
a pixel or two however large it is."""

STRUCTURE_SHARE = 0.75
"""Smoothing of the structure factor relative to that of the magnitude: less, since its window has
averaged already."""

CAP_MEDIANS = 6.0
"""Magnitudes above this many medians are cut: one glinting roof must not make a blob. Noise of six
bands never gets there; on labelled cities 4 to 8 score within 0.005."""

MEDIAN_FLOOR = 0.3
"""Smallest median magnitude: of (nearly) identical images only the differing pixels stand out. Real
pairs have 1.2 to 1.6, where it never acts."""

STRUCTURE_TOP = 1.05
"""Structure factor where the dates do not correlate: a twentieth above one, so that windows that
correlate fully weaken a change but cannot undo it."""

VARIANCE_FLOOR = 0.05
"""Variance added in the local correlation, in squared robust scores: a twentieth of the scene's
own, below which a window is flat and its correlation noise."""

VISIBLE_UM = 0.7
"""Wavelengths below this are visible light, by the response of the eye."""

COVARIANCE_CLIP = 4.0
"""Residuals beyond this many standard deviations do not shape their covariance further: Gaussian
noise reaches them once in sixteen thousand."""

EIGENVALUE_FLOOR = 0.02
"""Smallest eigenvalue of the covariance of the residuals relative to their mean: rounding of 8-bit
images makes the weakest ones noise, and a whitened noise axis would rule the length."""


@dataclass(frozen=True)
class OneWay:
    """The prediction of one date from the other, and how its residuals are measured.

    Attributes
    ----------
    prediction : Prediction
    weight : ndarray of float32, shape (band,)
        Band weights.
    mix : ndarray of float32, shape (band, band), or None
        Band weights with the partial whitening; None where nothing is whitened.
    cap : float
        Largest length of the residuals of one pixel.
    """

    prediction: Prediction
    weight: NDArray[np.float32]
    mix: NDArray[np.float32] | None
    cap: float


@dataclass(frozen=True)
class EvidenceState:
    """A fitted contextual statistic.

    Attributes
    ----------
    scale_before, scale_after : RobustScale
    forward, backward : OneWay
        Of the after date from the before date, and the other way.
    visible : tuple of int
        Bands used for the local correlation.
    """

    scale_before: RobustScale
    scale_after: RobustScale
    forward: OneWay
    backward: OneWay
    visible: tuple[int, ...]

    @property
    def unexplained(self) -> float:
        """Spread of what one date does not tell of the other, 1 for all: median over the bands."""
        inverse = (way.prediction.inverse_scale for way in (self.forward, self.backward))
        return float(np.median(1 / np.concatenate(list(inverse))))


def evidence_halo(pixel_m: float) -> int:
    """Return the pixels around a block that its statistic depends on."""
    smoothing = smoothing_px(pixel_m)
    window = box_radius(WINDOW_M, pixel_m)
    magnitude = CONTEXT_RADIUS + max(Gaussian.radius_of(smoothing), window)
    structure = window + Gaussian.radius_of(STRUCTURE_SHARE * smoothing)
    return max(magnitude, structure)


def visible_bands(wavelengths: Sequence[float | None]) -> tuple[int, ...]:
    """Return the bands of visible light; all bands where no wavelength tells."""
    known = tuple(i for i, w in enumerate(wavelengths) if w is not None and w < VISIBLE_UM)
    return known or tuple(range(len(wavelengths)))


def fit_evidence(
    pixels: Sequence[CellPixels],
    *,
    wavelengths: Sequence[float | None],
    infrared_weight: float,
    whitening: float,
) -> EvidenceState:
    """Fit scales, predictions, whitening and caps on sampled pixels.

    Parameters
    ----------
    pixels : sequence of CellPixels
        From `detect.sample.draw_pixels`; the cells carry the halo.
    wavelengths : sequence of float or None
        Centre of each band in µm.
    infrared_weight : float
        Weight of bands that are not visible light; visible bands have weight one.
    whitening : float
        0 measures residuals by their length, 1 by their Mahalanobis distance: bands that err
        together then count once, and change of colour more than change of brightness.
    """
    before, after = gather(pixels)
    scale_before, scale_after = fit_scale(before), fit_scale(after)
    first, second = _designs(pixels, scale_before, scale_after)
    bands = before.shape[1]
    visible = visible_bands(wavelengths)
    weight = np.full(bands, infrared_weight, np.float32)
    weight[list(visible)] = 1
    forward, backward = (
        _fit_one_way(design, target[:, :bands], weight, whitening)
        for design, target in ((first, second), (second, first))
    )
    return EvidenceState(scale_before, scale_after, forward, backward, visible)


def _fit_one_way(
    design: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float32],
    whitening: float,
) -> OneWay:
    """Fit the prediction of one date, the mixing of its residuals and the cap of their length."""
    prediction = fit_prediction(design, target)
    residual = sample_residuals(design, target, prediction)
    mix = np.diag(weight.astype(np.float64))
    whitened = whitening > 0 and weight.size > 1
    if whitened:
        mix = weight[:, None] * _whitening(residual, whitening)
    length = np.sqrt(np.sum(affine_map(residual, mix, np.zeros(weight.size)) ** 2, axis=1))
    cap = CAP_MEDIANS * max(float(np.median(length)), MEDIAN_FLOOR)
    return OneWay(prediction, weight, mix.astype(np.float32) if whitened else None, cap)


def _designs(
    pixels: Sequence[CellPixels], before: RobustScale, after: RobustScale
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return robust scores and their local means at the sampled pixels of both dates."""
    parts: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for cell in pixels:
        valid = cell.block.valid
        window = Box(CONTEXT_RADIUS, valid)
        for part, values, scale in (
            (parts[0], cell.block.before, before),
            (parts[1], cell.block.after, after),
        ):
            scores = scaled(values, valid, scale)
            part.append(np.hstack([cell.take(scores), cell.take(window.means(scores))]))
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def _whitening(residual: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """Return the matrix that applies C^(−power/2) to the residuals."""
    clipped = np.clip(residual, -COVARIANCE_CLIP, COVARIANCE_CLIP)
    _, covariance = weighted_covariance(clipped, np.ones(clipped.shape[0]))
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values / max(values.mean(), 1e-12), EIGENVALUE_FLOOR)
    return np.asarray((vectors * values ** (-power / 2)) @ vectors.T, np.float64)


def evidence_statistic(block: Block, state: EvidenceState, pixel_m: float) -> NDArray[np.float32]:
    """Return the contextual change statistic of a block, float32 (y, x), zero where not valid.

    Values within `evidence_halo` pixels of the edge of the extent lack part of their window.

    Parameters
    ----------
    block : Block
    state : EvidenceState
    pixel_m : float
        Ground size of a pixel in metres.
    """
    valid, visible = block.valid, np.array(state.visible, np.int64)
    first = scaled(block.before, valid, state.scale_before)
    second = scaled(block.after, valid, state.scale_after)
    near, wide = Box(CONTEXT_RADIUS, valid), Box(box_radius(WINDOW_M, pixel_m), valid)
    means = near.means(first), near.means(second)
    forward, forward_variance = _one_way(first, means[0], second, valid, state.forward, wide)
    backward, backward_variance = _one_way(second, means[1], first, valid, state.backward, wide)
    sigma = smoothing_px(pixel_m)
    plot = Gaussian(sigma, valid)
    if wide.radius != near.radius:
        means = wide.means(first), wide.means(second)
    lost = np.empty(valid.shape, np.float32)
    lost_correlation(
        first,
        second,
        *means,
        visible,
        wide.radius,
        wide.inverse_count,
        np.float32(VARIANCE_FLOOR),
        np.float32(0),
        np.float32(STRUCTURE_TOP),
        lost,
    )
    structure = Gaussian(STRUCTURE_SHARE * sigma, valid).smooth(lost)
    evidence_product(
        plot.smooth(forward),
        plot.smooth(backward),
        forward_variance,
        backward_variance,
        structure,
        lost,
    )
    return lost


def _one_way(
    first: NDArray[np.float32],
    means: NDArray[np.float32],
    second: NDArray[np.float32],
    valid: NDArray[np.bool_],
    way: OneWay,
    window: Box,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the capped length of the residuals and their variance in the window."""
    residuals, squares = np.empty_like(first), np.empty(valid.shape, np.float32)
    predict_residuals(
        first,
        means,
        second,
        valid,
        way.prediction.coefficients,
        way.prediction.inverse_scale,
        way.weight,
        residuals,
        squares,
    )
    variance, length = np.empty_like(squares), np.empty_like(squares)
    window_variance(residuals, squares, way.weight, window.radius, window.inverse_count, variance)
    if way.mix is not None:
        mixed_squares(residuals, way.mix, squares)
    capped_root(squares, np.float32(way.cap), length)
    return length, variance
