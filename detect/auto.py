"""Fit a change detector on sample cells: by name, or chosen by evidence in the data (`auto`).

``auto`` scores pixels by the contextual statistic of `detect.evidence` with a threshold of so many
scene medians. Where the pixels are coarse and IR-MAD has found a no-change class that behaves as
theory says, its statistic is multiplied in: a neighbourhood of coarse pixels tells little, while
the spectrum of each one tells more.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from configs.errors import InputError
from detect.evidence import MEDIAN_FLOOR, fit_evidence
from detect.indices import fit_index
from detect.kernels.moments import add_histogram
from detect.kernels.pixels import quantise
from detect.magnitudes import fit_vector
from detect.projections import MadState, fit_irmad
from detect.sample import CellPixels, draw_pixels, gather
from detect.score import (
    STRONG,
    ChangeState,
    Scores,
    change_statistic,
    halo_px,
    score_block,
)
from detect.thresholds import Split, histogram_median, otsu_split
from tiles.block import Block

__all__ = ["ChangeState", "Scores", "fit_change", "halo_px", "score_block"]

Sensitivity = Literal["low", "medium", "high"]
Target = Literal["any", "construction"]

SAMPLE_PIXELS = 100_000
"""Pixels drawn for a fit."""

FEWEST_PIXELS = 100
"""Valid sample pixels below which nothing is fitted."""

FINE = 256
"""Quantised steps per unit of a statistic while its threshold is sought."""

FALSE_SHARE = 1e-3
"""Share of unchanged pixels a threshold found on a histogram may let through."""

WEAK_SHARE = 0.8
"""Weak threshold of ``auto`` relative to the strong one."""

SPLIT_WEAK_SHARE = 0.9
"""Weak threshold of the methods whose threshold splits a histogram, relative to the strong one."""

FACTOR = {"low": 1.25, "medium": 1.0, "high": 2 / 3}
"""Thresholds of the contextual statistic by sensitivity, relative to the medium one."""

SPLIT_FACTOR = {"low": 1.25, "medium": 1.0, "high": 0.85}
"""Thresholds found on a histogram by sensitivity, relative to the medium one."""

MEDIANS = {"any": 4.0, "construction": 3.75}
"""Strong threshold of the contextual statistic in scene medians, by target."""

FUSED_MEDIANS = {"any": 2.25, "construction": 2.5}
"""The same where IR-MAD has a say as well."""

INFRARED_WEIGHT = {"any": 0.5, "construction": 0.3}
"""Weight of near and short-wave infrared: they follow moisture and season more than building."""

WHITENING = {"any": 0.0, "construction": 0.75}
"""How far change of colour counts more than change of brightness."""

MIN_AREA_M2 = {"any": 1000.0, "construction": 1500.0}
"""Smallest object the thresholds were tuned for."""

COARSE_PIXEL_M = 20.0
"""Pixels from this size on hold a whole building plot: the spectrum tells more than the window."""

GAUSSIAN_SHARE = 0.10
"""Share of pixels that must agree with IR-MAD's own no-change distribution at the 5 % level."""

SPLIT_MEDIANS = 6.0
"""An IR-MAD threshold beyond this many medians splits off a few glints, not the change."""


def fit_change(
    cells: Sequence[Block],
    *,
    method: str,
    sensitivity: Sensitivity,
    target: Target,
    pixel_m: float,
    wavelengths: Sequence[float | None],
) -> ChangeState:
    """Fit a change detector on sample cells.

    Parameters
    ----------
    cells : sequence of Block
        The core is the sample cell, the extent carries `halo_px` more on all sides. Order does
        not matter.
    method : str
        ``auto``, ``cva``, ``irmad`` or ``index:NAME`` (see `detect.indices`).
    sensitivity : {"low", "medium", "high"}
        How much must have changed.
    target : {"any", "construction"}
        Construction asks for more, and for change of colour rather than of brightness. Only
        ``auto`` knows the difference; it has no test for buildings.
    pixel_m : float
        Ground size of a pixel in metres.
    wavelengths : sequence of float or None
        Centre of each band in µm.

    Returns
    -------
    ChangeState
        Its notes say what was chosen and why. Where nothing can be fitted it scores zero.

    Raises
    ------
    InputError
        If the method is not known or an index lacks its bands.
    """
    state = ChangeState(
        method,
        sensitivity,
        target,
        float(pixel_m),
        len(wavelengths),
        round((WEAK_SHARE if method == "auto" else SPLIT_WEAK_SHARE) * STRONG),
        MIN_AREA_M2[target],
    )
    pixels = draw_pixels(cells, limit=SAMPLE_PIXELS)
    count = sum(p.rows.size for p in pixels)
    if count < FEWEST_PIXELS:
        return _noted(state, f"only {count} usable pixels in the sample: nothing is reported")
    if _is_identical(pixels):
        return _fit_identical(pixels, state)
    if method == "auto":
        return _fit_auto(pixels, state, wavelengths)
    if method == "irmad":
        return _fit_irmad(pixels, state)
    if method == "cva":
        return _fit_vector(pixels, state)
    if method.startswith("index:"):
        return _fit_index(pixels, state, wavelengths)
    raise InputError(
        f"there is no method {method!r}", "detection.method", "use auto, cva, irmad or index:NAME"
    )


def _noted(state: ChangeState, *notes: str) -> ChangeState:
    return replace(state, notes=(*state.notes, *notes))


def _is_identical(pixels: Sequence[CellPixels]) -> bool:
    return all(
        np.array_equal(p.block.before[:, p.block.valid], p.block.after[:, p.block.valid])
        for p in pixels
    )


def _fit_identical(pixels: Sequence[CellPixels], state: ChangeState) -> ChangeState:
    """Leave no statistic of the (missing) noise: only plain differences count."""
    vector = fit_vector(*gather(pixels))
    note = (
        "both dates are identical on the sample: nothing changed there; elsewhere a pixel counts "
        "as changed where it differs by one robust standard deviation of the scene"
    )
    return _noted(replace(state, vector=vector, vector_unit=1.0), note)


def _fit_vector(pixels: Sequence[CellPixels], state: ChangeState) -> ChangeState:
    state = replace(state, vector=fit_vector(*gather(pixels)), vector_unit=1.0)
    split, threshold, _ = _split(pixels, state, state.bands)
    threshold *= SPLIT_FACTOR[state.sensitivity]
    return _noted(
        replace(state, vector_unit=1.0 / threshold),
        f"change vectors of robust scores, threshold {threshold:.2f} (Otsu), "
        f"{100 * split.share:.1f} % of the sample above the split",
    )


def _fit_index(
    pixels: Sequence[CellPixels], state: ChangeState, wavelengths: Sequence[float | None]
) -> ChangeState:
    index = fit_index(pixels, state.method.removeprefix("index:"), wavelengths)
    state = replace(state, index=index, index_unit=1.0)
    split, threshold, _ = _split(pixels, state, 1)
    threshold *= SPLIT_FACTOR[state.sensitivity]
    return _noted(
        replace(state, index_unit=1.0 / threshold),
        f"change of {index.name}, threshold {threshold:.2f} robust standard deviations (Otsu), "
        f"{100 * split.share:.1f} % of the sample above the split",
    )


def _fit_irmad(pixels: Sequence[CellPixels], state: ChangeState) -> ChangeState:
    mad = fit_irmad(*gather(pixels))
    if mad is None:
        return _noted(state, "no band varies at both dates: nothing is reported")
    state = replace(state, mad=mad, mad_unit=1.0)
    split, threshold, _ = _split(pixels, state, mad.offset.size)
    threshold *= SPLIT_FACTOR[state.sensitivity]
    return _noted(
        replace(state, mad_unit=1.0 / threshold),
        f"IR-MAD, {mad.iterations} iterations, canonical correlations "
        f"{', '.join(f'{c:.2f}' for c in mad.correlations)}, threshold {threshold:.2f} (Otsu), "
        f"{100 * split.share:.1f} % of the sample above the split",
    )


def _fit_auto(
    pixels: Sequence[CellPixels], state: ChangeState, wavelengths: Sequence[float | None]
) -> ChangeState:
    target, sensitivity = state.target, state.sensitivity
    evidence = fit_evidence(
        pixels,
        wavelengths=wavelengths,
        infrared_weight=INFRARED_WEIGHT[target],
        whitening=WHITENING[target],
    )
    alone = replace(state, evidence=evidence, evidence_unit=1.0)
    counts = _histogram(pixels, alone, 16 * FINE)
    median = max(histogram_median(counts) / (16 * FINE), MEDIAN_FLOOR)
    mad, mad_threshold, reason = _trusted_mad(pixels, state)
    if mad is None:
        medians = MEDIANS[target] * FACTOR[sensitivity]
        return _noted(
            replace(alone, evidence_unit=1.0 / (medians * median)),
            f"contextual regression evidence, threshold {medians:.2f} scene medians",
            reason,
        )
    factor = SPLIT_FACTOR[sensitivity]
    medians = FUSED_MEDIANS[target] * factor
    return _noted(
        replace(
            alone,
            evidence_unit=1.0 / (medians * median),
            mad=mad,
            mad_unit=1.0 / (mad_threshold * factor),
        ),
        f"contextual regression evidence × IR-MAD, thresholds {medians:.2f} scene medians and "
        f"{mad_threshold * factor:.2f}",
        reason,
    )


def _trusted_mad(
    pixels: Sequence[CellPixels], state: ChangeState
) -> tuple[MadState | None, float, str]:
    """Return IR-MAD with its threshold where the data speak for it, and the reason."""
    if state.pixel_m < COARSE_PIXEL_M:
        reason = (
            f"IR-MAD not used: pixels of {state.pixel_m:.1f} m are below {COARSE_PIXEL_M:.0f} m, "
            "the neighbourhood tells more than the single spectrum"
        )
        return None, 0.0, reason
    mad = fit_irmad(*gather(pixels))
    if mad is None:
        return None, 0.0, "IR-MAD not used: no band varies at both dates"
    alone = replace(state, mad=mad, mad_unit=1.0)
    _, threshold, counts = _split(pixels, alone, mad.offset.size)
    gaussian = int(np.sqrt(chdtri(mad.offset.size, 0.05)) * FINE)
    share = float(counts[: gaussian + 1].sum() / max(counts.sum(), 1))
    medians = threshold * FINE / max(histogram_median(counts), 1)
    facts = (
        f"{100 * share:.0f} % of the pixels agree with its no-change distribution "
        f"(limit {100 * GAUSSIAN_SHARE:.0f} %), threshold at {medians:.1f} medians "
        f"(limit {SPLIT_MEDIANS:.0f})"
    )
    if share < GAUSSIAN_SHARE or medians > SPLIT_MEDIANS:
        return None, 0.0, f"IR-MAD not used: {facts}"
    return mad, threshold, f"IR-MAD used: pixels of {state.pixel_m:.1f} m, {facts}"


def _split(
    pixels: Sequence[CellPixels], state: ChangeState, freedom: int
) -> tuple[Split, float, NDArray[np.int64]]:
    """Split the statistic of a state; the threshold stays clear of unchanged noise.

    The floor is as many medians as one in a thousand pixels would pass if nothing had changed
    and the squared statistic were chi-square with `freedom` degrees.
    """
    counts = _histogram(pixels, state, FINE)
    split = otsu_split(counts)
    floor = np.sqrt(chdtri(freedom, FALSE_SHARE) / chdtri(freedom, 0.5)) * histogram_median(counts)
    return split, max(split.threshold, float(floor), 1.0) / FINE, counts


def _histogram(pixels: Sequence[CellPixels], state: ChangeState, steps: int) -> NDArray[np.int64]:
    """Count the quantised statistic over the valid core pixels of all cells."""
    counts = np.zeros(1 << 16, np.int64)
    for cell in pixels:
        core = cell.block.core_slices
        statistic = change_statistic(cell.block, state)
        if statistic is not None:
            valid = cell.block.valid[core]
            score = np.empty(valid.shape, np.uint16)
            quantise(statistic[core], valid, np.float32(steps), score)
            add_histogram(score, valid, counts)
    return counts
