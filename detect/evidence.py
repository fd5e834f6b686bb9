"""The contextual change statistic: residuals of the two-way regression seen in their surroundings.

Magnitude of the residuals of both directions, smoothed over a building plot, times weak powers of
the local texture of the residuals and of the lost local correlation between the dates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.kernels.pixels import change_magnitude, evidence_product, root_of_product
from detect.magnitudes import (
    Gaussian,
    RobustScale,
    box_radius,
    fit_scale,
    inverse_box_count,
    local_correlation,
    local_variance,
    scaled,
    smoothing_px,
)
from detect.regression import (
    Prediction,
    fit_prediction,
    prediction_residuals,
    sample_residuals,
)
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
"""Side of the windows of texture and correlation."""

CONTEXT_PX = 2.0
"""Standard deviation of the predictors' local mean: absorbs residual shift and sharpness."""

CAP_MEDIANS = 6.0
"""Magnitudes above this many medians are cut: one glinting roof must not make a blob."""

MEDIAN_FLOOR = 0.3
"""Smallest median magnitude: of (nearly) identical images only the differing pixels stand out."""

STRUCTURE_TOP = 1.05
"""Structure factor where the dates do not correlate."""

VARIANCE_FLOOR = 0.05
"""Variance added in the local correlation, in squared robust scores."""

VISIBLE_UM = 0.7
"""Wavelengths below this are visible light."""

COVARIANCE_CLIP = 4.0
"""Residuals beyond this many standard deviations do not shape the colour covariance further."""

EIGENVALUE_FLOOR = 0.02
"""Smallest eigenvalue of the colour covariance relative to their mean."""


@dataclass(frozen=True)
class EvidenceState:
    """A fitted contextual statistic.

    Attributes
    ----------
    scale_before, scale_after : RobustScale
    forward, backward : Prediction
        Of the after date from the before date, and the other way.
    mix_forward, mix_backward : ndarray of float32, shape (band, band)
        Band weights, with the partial colour whitening.
    weight : ndarray of float32, shape (band,)
        Band weights.
    visible : tuple of int
        Bands used for the local correlation.
    cap_forward, cap_backward : float
        Largest magnitude of one pixel.
    """

    scale_before: RobustScale
    scale_after: RobustScale
    forward: Prediction
    backward: Prediction
    mix_forward: NDArray[np.float32]
    mix_backward: NDArray[np.float32]
    weight: NDArray[np.float32]
    visible: tuple[int, ...]
    cap_forward: float
    cap_backward: float


def evidence_halo(pixel_m: float) -> int:
    """Return the pixels around a block that its statistic depends on."""
    smoothing = smoothing_px(pixel_m)
    window = box_radius(WINDOW_M, pixel_m)
    context = Gaussian.radius_of(CONTEXT_PX)
    magnitude = context + max(Gaussian.radius_of(smoothing), window)
    structure = window + Gaussian.radius_of(0.75 * smoothing)
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
    """Fit scales, predictions, colour whitening and caps on sampled pixels.

    Parameters
    ----------
    pixels : sequence of CellPixels
        From `detect.sample.draw_pixels`; the cells carry the halo.
    wavelengths : sequence of float or None
        Centre of each band in µm.
    infrared_weight : float
        Weight of bands that are not visible light; visible bands have weight one.
    whitening : float
        0 keeps the residuals of the visible bands, 1 decorrelates them: colour change counts
        more than brightness change.
    """
    before, after = gather(pixels)
    scale_before, scale_after = fit_scale(before), fit_scale(after)
    first, second = _designs(pixels, scale_before, scale_after)
    bands = before.shape[1]
    forward = fit_prediction(first, second[:, :bands])
    backward = fit_prediction(second, first[:, :bands])
    visible = visible_bands(wavelengths)
    weight = np.full(bands, infrared_weight, np.float32)
    weight[list(visible)] = 1
    lengths = [
        _fit_length(sample_residuals(design, target[:, :bands], made), weight, visible, whitening)
        for design, target, made in ((first, second, forward), (second, first, backward))
    ]
    return EvidenceState(
        scale_before,
        scale_after,
        forward,
        backward,
        mix_forward=lengths[0][0],
        mix_backward=lengths[1][0],
        weight=weight,
        visible=visible,
        cap_forward=lengths[0][1],
        cap_backward=lengths[1][1],
    )


def _fit_length(
    residual: NDArray[np.float64],
    weight: NDArray[np.float32],
    visible: Sequence[int],
    whitening: float,
) -> tuple[NDArray[np.float32], float]:
    """Return the mixing matrix of the residuals and the cap of their length."""
    mix = weight[:, None] * _whitening(residual, visible, whitening)
    length = np.sqrt(np.sum(affine_map(residual, mix, np.zeros(weight.size)) ** 2, axis=1))
    return mix.astype(np.float32), CAP_MEDIANS * max(float(np.median(length)), MEDIAN_FLOOR)


def _designs(
    pixels: Sequence[CellPixels], before: RobustScale, after: RobustScale
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return robust scores and their local means at the sampled pixels of both dates."""
    parts: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for cell in pixels:
        valid = cell.block.valid
        window = Gaussian(CONTEXT_PX, valid)
        for part, values, scale in (
            (parts[0], cell.block.before, before),
            (parts[1], cell.block.after, after),
        ):
            scores = scaled(values, valid, scale)
            part.append(np.hstack([cell.take(scores), cell.take(window.smooth_all(scores))]))
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def _whitening(
    residual: NDArray[np.float64], visible: Sequence[int], power: float
) -> NDArray[np.float64]:
    """Return the matrix that applies C^(−power/2) to the visible residuals."""
    bands = residual.shape[1]
    full = np.eye(bands)
    if not power or len(visible) < 2:
        return full
    clipped = np.clip(residual[:, list(visible)], -COVARIANCE_CLIP, COVARIANCE_CLIP)
    _, covariance = weighted_covariance(clipped, np.ones(clipped.shape[0]))
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values / max(values.mean(), 1e-12), EIGENVALUE_FLOOR)
    full[np.ix_(visible, visible)] = (vectors * values ** (-power / 2)) @ vectors.T
    return full


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
    valid = block.valid
    first = scaled(block.before, valid, state.scale_before)
    second = scaled(block.after, valid, state.scale_after)
    sigma, radius = smoothing_px(pixel_m), box_radius(WINDOW_M, pixel_m)
    context, window = Gaussian(CONTEXT_PX, valid), Gaussian(sigma, valid)
    inverse = inverse_box_count(valid, radius)
    magnitudes, textures = [], []
    for u, v, prediction, mix, cap in (
        (first, second, state.forward, state.mix_forward, state.cap_forward),
        (second, first, state.backward, state.mix_backward, state.cap_backward),
    ):
        residual = prediction_residuals(u, context.smooth_all(u), v, valid, prediction)
        length = np.empty_like(inverse)
        change_magnitude(residual, mix, np.float32(cap), length)
        magnitudes.append(window.smooth(length))
        textures.append(local_variance(residual, state.weight, radius, inverse))
    magnitude, texture = np.empty_like(inverse), np.empty_like(inverse)
    root_of_product(magnitudes[0], magnitudes[1], magnitude)
    root_of_product(textures[0], textures[1], texture)
    np.sqrt(texture, out=texture)
    structure = _structure(first, second, state, radius, inverse, Gaussian(0.75 * sigma, valid))
    out = np.empty_like(inverse)
    evidence_product(magnitude, texture, structure, out)
    return out


def _structure(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    state: EvidenceState,
    radius: int,
    inverse: NDArray[np.float32],
    window: Gaussian,
) -> NDArray[np.float32]:
    """Return 1.05 − max(0, mean local correlation of the visible bands), smoothed."""
    visible = list(state.visible)
    same = local_correlation(
        first[visible], second[visible], radius=radius, inverse_count=inverse, floor=VARIANCE_FLOOR
    )
    factor = np.where(inverse > 0, np.float32(STRUCTURE_TOP) - np.maximum(same, 0), np.float32(0))
    return window.smooth(factor.astype(np.float32))
