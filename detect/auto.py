"""Fit a change detector on sample cells: by name, or chosen by evidence in the data (`auto`).

``auto`` scores pixels by the contextual statistic of `detect.evidence` with a threshold of so many
scene medians. That threshold grows with the changed share. Where the no-change class of IR-MAD is
spread exactly as theory says, IR-MAD alone is cut by its own law instead, whatever share changed.
With less proof it is multiplied in where the pixels are coarse: a neighbourhood of coarse pixels
tells little, while the spectrum of each one tells more.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.special import chdtri

from configs.errors import InputError
from configs.runparts import METHODS
from detect.calibration import Calibration, calibrate
from detect.evidence import MEDIAN_FLOOR, EvidenceState, fit_evidence
from detect.magnitudes import fit_vector
from detect.methods import SPLIT_FACTOR, Asked, Threshold, fit_method, noted
from detect.projections import MadState, fit_irmad
from detect.sample import CellPixels, draw_pixels, gather
from detect.score import STRONG, ChangeState, Scores, halo_px, score_block
from detect.thresholds import otsu_threshold
from tiles.block import Block

__all__ = ["ChangeState", "Scores", "fit_change", "halo_px", "score_block"]

Sensitivity = Literal["low", "medium", "high"]
Target = Literal["any", "construction"]

SAMPLE_PIXELS = 100_000
"""Pixels drawn for a fit: the median of as many is known to half a percent of a deviation."""

FEWEST_PIXELS = 100
"""Valid sample pixels below which nothing is fitted: about eight for each unknown of a prediction
from six bands."""

WEAK_SHARE = 0.8
"""Weak threshold of ``auto`` relative to the strong one; on labelled cities 0.7 to 0.9 score alike
(`benchmarks/accuracy.md`), none and 0.6 worse."""

SPLIT_WEAK_SHARE = 0.9
"""Weak threshold of the methods whose threshold splits a histogram, relative to the strong one:
such a threshold lies between two modes, and half way down to the lower one is too far."""

FACTOR = {"low": 1.25, "medium": 1.0, "high": 2 / 3}
"""Thresholds of the contextual statistic by sensitivity, relative to the medium one: high is where
labels of every change, not of building alone, score best; low trades as much the other way."""

MEDIANS = {"any": 4.0, "construction": 3.75}
"""Strong threshold of the contextual statistic in scene medians, by target: chosen on eight
labelled cities, in a range of three quarters of a median in which their mean F1 loses 0.02."""

FUSED_MEDIANS = {"any": 2.0, "construction": 2.25}
"""The same where IR-MAD has a say as well: chosen on one labelled Landsat pair, where all from 1.75
to 2.5 score within 0.01."""

INFRARED_WEIGHT = {"any": 0.5, "construction": 0.3}
"""Weight of near and short-wave infrared: they follow moisture and season more than building.
Less of them gave eight labelled cities 0.01 and took as much from a labelled Landsat pair."""

WHITENING = {"any": 0.5, "construction": 0.75}
"""Between the length of the residuals (0), which counts bands that err together several times, and
their Mahalanobis distance (1), which counts the noise of the weakest colour fully: half way, and
further where only change of colour is asked for."""

MIN_AREA_M2 = {"any": 1000.0, "construction": 1500.0}
"""Smallest object the thresholds were tuned for: ten, fifteen pixels of 10 m, fewer than those
that the smoothing spreads a single one over."""

COARSE_PIXEL_M = 20.0
"""Pixels from this size on hold a whole building plot (the standard deviation of the smoothing):
the spectrum tells more than the window."""

UNCHANGED_SHARE = 0.5
"""Share of pixels in IR-MAD's no-change class, rescaled to its own narrowed variates, from which it
is believed on coarse pixels: the majority. The labelled Landsat pair it serves has 0.72."""

GAUSSIAN_SHAPE = 0.02
"""Largest misfit of the lower half of IR-MAD's no-change class to chi-square at which its law is
taken for true: Gaussian pairs stay within 0.011, up to half of them changed; nineteen labelled
pairs of 2, 10 and 30 m lie at 0.05 and more."""

DOUBTFUL_LEVEL = 1e-3
"""Level of that law from which a pixel below the threshold is doubtful."""

DOUBTFUL_SHARE = 0.01
"""Most doubtful pixels, ten times what the law leaves there: more are land of another spread, as
fields beside calm water are, and the law is not that of the scene."""

LAW_LEVEL = 1e-6
"""Share of unchanged pixels that pass IR-MAD's threshold where its law is taken for true: one in a
million, a single pixel of 10 m in a hundred square kilometres."""

UNRELATED = 0.87
"""Spread of the residuals relative to the image's own from which on the dates tell less than a
quarter of each other's variance: then a residual is as long as the image itself, and its median
measures no noise. Ten pairs of 2 m that nobody registered have 0.89 and more, labelled pairs of 10
and 30 m at most 0.66."""

PATCHY = 1.5
"""Least ratio of the 90th to the 10th percentile of the statistic at which unrelated dates are told
apart by place: noise everywhere has 1.02, 1.11 and 1.33 at 2, 10 and 30 m."""

BLIND = (
    "no score of the sample reaches the threshold: either little changed, or so much of a small "
    "scene did that its median tells nothing; compare with method irmad or sensitivity high"
)
"""Told where the contextual statistic finds nothing."""

UNRELATED_NOTE = (
    "the dates tell less than a quarter of each other: other seasons, angles or a poor fit of the "
    "images, or change nearly everywhere. There is no scale of no change, the statistic was split "
    "in two, and much of what is found may be false: check the pair before anybody acts on it"
)
"""Told where the statistic of dates that have little in common was split."""

SPLIT_MEDIANS = 6.0
"""An IR-MAD threshold beyond this many medians splits off a few glints, not the change: noise of
six bands passes 2.0 medians once in a thousand; labelled pairs had 2.0–4.4, on glints 6.8–19."""


def fit_change(
    cells: Sequence[Block],
    *,
    method: str,
    sensitivity: Sensitivity,
    target: Target,
    pixel_m: float,
    wavelengths: Sequence[float | None],
    threshold: Threshold = "default",
    significance: float = 1e-3,
    looks: float | None = None,
) -> ChangeState:
    """Fit a change detector on sample cells.

    Parameters
    ----------
    cells : sequence of Block
        The core is the sample cell, the extent carries `halo_px` more on all sides. Order does
        not matter.
    method : str
        ``auto``, one of `configs.runparts.METHODS`, or ``index:NAME`` (see `detect.indices`).
    sensitivity : {"low", "medium", "high"}
        How much must have changed.
    target : {"any", "construction"}
        Construction asks for more, and for change of colour rather than of brightness. Only
        ``auto`` knows the difference; it has no test for buildings.
    pixel_m : float
        Ground size of a pixel in metres.
    wavelengths : sequence of float or None
        Centre of each band in µm.
    threshold : {"default", "otsu", "kittler", "rosin", "significance"}
        How a statistic is cut (see `detect.methods`); ``auto`` has its own way.
    significance : float
        Share of unchanged pixels that may count as changed, where that is the threshold.
    looks : float, optional
        Equivalent number of looks of radar images; by default estimated.

    Returns
    -------
    ChangeState
        Its notes say what was chosen and why. Where nothing can be fitted it scores zero.

    Raises
    ------
    InputError
        If the method is not known or an index lacks its bands.
    """
    if method not in METHODS and not method.startswith("index:"):
        raise InputError(
            f"there is no method {method!r}",
            "detection.method",
            f"use {', '.join(METHODS)} or index:NAME",
        )
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
        return noted(state, f"only {count} usable pixels in the sample: nothing is reported")
    if _is_identical(pixels):
        return _fit_identical(pixels, state)
    if method == "auto":
        return _fit_auto(pixels, state, wavelengths)
    return fit_method(pixels, state, Asked(wavelengths, threshold, significance, looks))


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
    return noted(replace(state, vector=vector, vector_unit=1.0), note)


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
    calibration = calibrate(pixels, alone)
    median = max(calibration.median, MEDIAN_FLOOR)
    mad, mad_threshold, lawful, reason = _trusted_mad(pixels, state)
    if mad is None and _is_unrelated(evidence, calibration):
        return _split_unrelated(alone, calibration)
    if mad is None:
        medians = MEDIANS[target] * FACTOR[sensitivity]
        told = [f"contextual regression evidence, threshold {medians:.2f} scene medians", reason]
        if calibration.share_up_to(medians * median) == 1:
            told.append(BLIND)
        return noted(replace(alone, evidence_unit=1.0 / (medians * median)), *told)
    factor = SPLIT_FACTOR[sensitivity]
    if lawful:
        return noted(
            replace(state, mad=mad, mad_unit=1.0 / (mad_threshold * factor)),
            f"IR-MAD alone, threshold {mad_threshold * factor:.2f}",
            reason,
        )
    medians = FUSED_MEDIANS[target] * factor
    return noted(
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


def _is_unrelated(evidence: EvidenceState, calibration: Calibration) -> bool:
    """Return whether neither date tells the other, and more so in some places than in others."""
    patchy = calibration.quantile(0.9) >= PATCHY * calibration.quantile(0.1)
    return patchy and evidence.unexplained >= UNRELATED


def _split_unrelated(state: ChangeState, calibration: Calibration) -> ChangeState:
    """Split the statistic in two where the scene holds no scale of no change."""
    threshold = otsu_threshold(calibration.counts) / calibration.steps
    threshold *= SPLIT_FACTOR[state.sensitivity]
    share = 100 * (1 - calibration.share_up_to(threshold))
    return noted(
        replace(state, evidence_unit=1.0 / threshold, weak=round(SPLIT_WEAK_SHARE * state.strong)),
        f"contextual regression evidence, threshold {threshold:.2f} (otsu), {share:.1f} % of the "
        "sample above it",
        UNRELATED_NOTE,
    )


def _trusted_mad(
    pixels: Sequence[CellPixels], state: ChangeState
) -> tuple[MadState | None, float, bool, str]:
    """Return IR-MAD, its threshold, whether its law is taken for true, and the reason.

    None for IR-MAD where the data do not speak for it.
    """
    mad = fit_irmad(*gather(pixels))
    if mad is None:
        return None, 0.0, False, "IR-MAD not used: no band varies at both dates"
    freedom = mad.offset.size
    calibration = calibrate(pixels, replace(state, mad=mad, mad_unit=1.0))
    law = calibration.no_change(freedom)
    facts = f"its no-change class holds {100 * law.share:.0f} % of the pixels"
    misfit = abs(law.shape - 1)
    doubt, lawful = (
        law.scale * float(np.sqrt(chdtri(freedom, level))) for level in (DOUBTFUL_LEVEL, LAW_LEVEL)
    )
    doubtful = calibration.share_up_to(lawful) - calibration.share_up_to(doubt)
    fits = (
        f"misfit to chi-square {misfit:.3f}, limit {GAUSSIAN_SHAPE:.3f}; {100 * doubtful:.1f} % "
        f"doubtful, limit {100 * DOUBTFUL_SHARE:.0f} %"
    )
    if misfit <= GAUSSIAN_SHAPE and doubtful <= DOUBTFUL_SHARE:
        return mad, lawful, True, f"IR-MAD used: {facts} ({fits})"
    if state.pixel_m < COARSE_PIXEL_M:
        reason = (
            f"IR-MAD not used: {fits}, and pixels of {state.pixel_m:.1f} m are below "
            f"{COARSE_PIXEL_M:.0f} m, the neighbourhood tells more than the single spectrum"
        )
        return None, 0.0, False, reason
    threshold = calibration.threshold(freedom)
    medians = threshold / max(calibration.median, 1 / calibration.steps)
    facts = (
        f"{facts} (at least {100 * UNCHANGED_SHARE:.0f} %), threshold at {medians:.1f} medians "
        f"(limit {SPLIT_MEDIANS:.0f})"
    )
    if law.share < UNCHANGED_SHARE or medians > SPLIT_MEDIANS:
        return None, 0.0, False, f"IR-MAD not used: {facts}"
    return mad, threshold, False, f"IR-MAD used: pixels of {state.pixel_m:.1f} m, {facts}"
