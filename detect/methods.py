"""The methods that score by one statistic and cut it by its distribution, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detect.calibration import calibrate
from detect.indices import fit_index
from detect.magnitudes import fit_vector
from detect.projections import MadState, fit_irmad, fit_isfa, fit_mad
from detect.radar import fit_radar
from detect.sample import CellPixels, gather
from detect.score import ChangeState
from detect.significance import fit_noise
from detect.texture import fit_texture

__all__ = ["SPLIT_FACTOR", "Asked", "Threshold", "fit_method", "noted"]

Threshold = Literal["default", "otsu", "kittler", "rosin", "significance"]
Array = NDArray[np.float64]
Wavelengths = Sequence[float | None]

SPLIT_FACTOR = {"low": 1.25, "medium": 1.0, "high": 0.85}
"""Thresholds found on a histogram by sensitivity, relative to the medium one."""


@dataclass(frozen=True)
class Asked:
    """What a fit was asked for besides its method.

    Attributes
    ----------
    wavelengths : sequence of float or None
        Centre of each band in µm.
    threshold : {"default", "otsu", "kittler", "rosin", "significance"}
        By default ``rosin`` for projections, whose tails are heavy, the ``significance`` of theory
        for the omnibus test, and ``otsu`` for the rest.
    significance : float
        Share of unchanged pixels that may count as changed, of the threshold of that name.
    looks : float or None
        Equivalent number of looks of radar images; None: estimated.
    """

    wavelengths: Wavelengths
    threshold: Threshold
    significance: float
    looks: float | None = None


def fit_method(pixels: Sequence[CellPixels], state: ChangeState, asked: Asked) -> ChangeState:
    """Fit the method that `state` names on sampled pixels."""
    if state.method == "cva":
        return _fit_vector(pixels, state, asked)
    if state.method in PROJECTIONS:
        return _fit_projection(pixels, state, asked)
    if state.method in ("logratio", "omnibus"):
        return _fit_radar(pixels, state, asked)
    if state.method in ("texture", "structure"):
        return _fit_texture(pixels, state, asked)
    return _fit_index(pixels, state, asked)


PROJECTIONS: dict[str, tuple[str, Callable[[Array, Array], MadState | None]]] = {
    "mad": ("MAD", fit_mad),
    "irmad": ("IR-MAD", fit_irmad),
    "isfa": ("ISFA", fit_isfa),
}


UNITS = {0.0: "decibels", 1.0: "intensities", 2.0: "amplitudes"}
"""What radar values are by their power in the intensity."""


def noted(state: ChangeState, *notes: str) -> ChangeState:
    """Return the state with more notes."""
    return replace(state, notes=(*state.notes, *notes))


def _fit_vector(pixels: Sequence[CellPixels], state: ChangeState, asked: Asked) -> ChangeState:
    state = replace(state, vector=fit_vector(*gather(pixels)), vector_unit=1.0)
    threshold, told = _cut(pixels, state, asked, state.bands)
    return noted(
        replace(state, vector_unit=1.0 / threshold), f"change vectors of robust scores, {told}"
    )


def _fit_index(pixels: Sequence[CellPixels], state: ChangeState, asked: Asked) -> ChangeState:
    index = fit_index(pixels, state.method.removeprefix("index:"), asked.wavelengths)
    state = replace(state, index=index, index_unit=1.0)
    threshold, told = _cut(pixels, state, asked, 1)
    return noted(replace(state, index_unit=1.0 / threshold), f"change of {index.name}, {told}")


def _fit_projection(pixels: Sequence[CellPixels], state: ChangeState, asked: Asked) -> ChangeState:
    title, fit = PROJECTIONS[state.method]
    mad = fit(*gather(pixels))
    if mad is None:
        return noted(state, "no band varies at both dates: nothing is reported")
    state = replace(state, mad=mad, mad_unit=1.0)
    if asked.threshold == "default":
        asked = replace(asked, threshold="rosin")
    threshold, told = _cut(pixels, state, asked, mad.offset.size)
    return noted(
        replace(state, mad_unit=1.0 / threshold),
        f"{title}, {mad.iterations} iterations, correlations "
        f"{', '.join(f'{c:.2f}' for c in mad.correlations)}, {told}",
    )


def _fit_radar(pixels: Sequence[CellPixels], state: ChangeState, asked: Asked) -> ChangeState:
    omnibus = state.method == "omnibus"
    radar = fit_radar(*gather(pixels), omnibus=omnibus, looks=asked.looks)
    state = replace(state, radar=radar, radar_unit=1.0)
    looks = ", ".join(f"{n:.1f}" for n in radar.looks)
    title = f"radar {UNITS[radar.power]} of {looks} looks"
    if omnibus and asked.threshold in ("default", "significance"):
        threshold = float(np.sqrt(radar.law.threshold(asked.significance)))
        told = f"significance {asked.significance:g} of theory"
    else:
        threshold, told = _cut(pixels, state, asked, state.bands)
    return noted(
        replace(state, radar_unit=1.0 / threshold),
        f"{'omnibus test' if omnibus else 'log-ratio'} of {title}, {told}",
    )


def _fit_texture(pixels: Sequence[CellPixels], state: ChangeState, asked: Asked) -> ChangeState:
    structure = state.method == "structure"
    texture = fit_texture(
        pixels, wavelengths=asked.wavelengths, pixel_m=state.pixel_m, structure=structure
    )
    state = replace(state, texture=texture, texture_unit=1.0)
    freedom = None if structure else len(texture.visible)
    threshold, told = _cut(pixels, state, asked, freedom)
    title = "lost correlation" if structure else "change of log spread"
    return noted(replace(state, texture_unit=1.0 / threshold), f"{title} of windows, {told}")


def _cut(
    pixels: Sequence[CellPixels], state: ChangeState, asked: Asked, freedom: int | None
) -> tuple[float, str]:
    """Return the threshold of a statistic of so many degrees of freedom, and a note on it."""
    calibration = calibrate(pixels, state)
    threshold, name = _by_significance(pixels, state, asked, freedom)
    if threshold is None:
        threshold = (
            calibration.threshold(freedom, asked.threshold) * SPLIT_FACTOR[state.sensitivity]
        )
    above = 100 * (1 - calibration.share_up_to(threshold))
    return threshold, f"threshold {threshold:.2f} ({name}), {above:.1f} % of the sample above it"


def _by_significance(
    pixels: Sequence[CellPixels], state: ChangeState, asked: Asked, freedom: int | None
) -> tuple[float | None, str]:
    if asked.threshold != "significance":
        return None, "otsu" if asked.threshold == "default" else asked.threshold
    if freedom is None:
        return None, "otsu: a correlation has no law of significance here"
    calm = calibrate(pixels, state, calm=True)
    noise = fit_noise(calm.counts, calm.steps, freedom)
    if noise is None:
        return None, "otsu: the unchanged pixels are too alike for a significance"
    told = (
        f"significance {asked.significance:g} of {noise.scale:.3g} × "
        f"F({noise.freedom:.1f}, {noise.tail_freedom:.1f})"
    )
    return noise.threshold(asked.significance), told
