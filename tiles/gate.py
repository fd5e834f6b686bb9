"""The pair gate: may these two images be compared, with every figure beside its limit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from configs.errors import PairRefused
from tiles.block import Block
from tiles.registration import Registration
from tiles.scene import Epoch

__all__ = ["GateCheck", "gate_report", "radiometric_jump", "require_gate"]

MAX_RESOLUTION_RATIO = 4.0
"""Finest pixels of the coarser date over those of the grid: more would invent detail."""

MAX_JUMP = 0.5
"""Shift of the dark end, in units of the spread between dark and bright, that is reported."""


MIN_AGREEING = 50.0
"""Percent of the windows found again that must follow the same model of displacement."""

ENOUGH_WINDOWS = 9
"""Where so many windows have edges at both dates and no displacement brings them together, the
images do not show the same ground where they say so; fewer may each have changed."""


@dataclass(frozen=True)
class GateCheck:
    """One check of a pair.

    Attributes
    ----------
    name : str
    value : float or None
        The measured figure; None where it could not be measured.
    limit : float or None
    unit : str
        ``bands``, ``%``, ``px``, ``days``, ``ratio``, ``ERGAS``.
    passed : bool
    remedy : str
        What can be done; empty where all is well.
    advisory : bool
        Told to the reader, but refuses nothing.
    detail : str
        What stands behind the figure: names of bands, weights, heights.
    """

    name: str
    value: float | None
    limit: float | None
    unit: str
    passed: bool
    remedy: str = ""
    advisory: bool = False
    detail: str = ""


def gate_report(
    before: Epoch,
    after: Epoch,
    *,
    bands: tuple[str, ...],
    overlap_percent: float,
    valid_percent: float,
    resolution_ratio: float,
    found: Registration | None,
    left: Registration | None,
    blocks: Sequence[Block] = (),
    max_residual_px: float = 0.5,
    max_shift_px: float = 8.0,
    min_overlap_percent: float = 5.0,
) -> tuple[GateCheck, ...]:
    """Check a pair.

    Parameters
    ----------
    before, after : Epoch
    bands : tuple of str
        Common bands.
    overlap_percent : float
        Common part of the two footprints, of the smaller one.
    valid_percent : float
        Pixels of the sample usable at both dates.
    resolution_ratio : float
        Pixel side of the coarser date's finest common band over that of the grid.
    found : Registration or None
        Estimate on the images as they are; None where the pair is not to be registered.
    left : Registration or None
        Estimate after the correction (the same object where nothing was corrected).
    blocks : sequence of Block
        Sample of the corrected pair, for the radiometric check.
    max_residual_px, max_shift_px, min_overlap_percent : float
        Limits.

    Returns
    -------
    tuple of GateCheck
        In a fixed order.
    """
    common = _at_least(
        "common bands",
        len(bands),
        1,
        "bands",
        "give images with common bands, or name the sensor: --sensor, sensor: in the config",
    )
    return (
        replace(common, detail=", ".join(bands)),
        _at_least(
            "overlap",
            overlap_percent,
            min_overlap_percent,
            "%",
            "give two images of the same place; check the CRS of both",
        ),
        _at_least(
            "usable pixels",
            valid_percent,
            min_overlap_percent,
            "%",
            "check nodata and masks, or give images with fewer clouds",
        ),
        _at_most(
            "resolution",
            resolution_ratio,
            MAX_RESOLUTION_RATIO,
            "ratio",
            "name the coarser pixel size with grid.resolution",
        ),
        _date_order(before, after),
        *_registration(found, left, max_shift_px, max_residual_px),
        _jump(blocks),
    )


def require_gate(checks: Sequence[GateCheck]) -> None:
    """Raise `PairRefused` with all figures unless every check that refuses has passed."""
    failed = [c for c in checks if not c.passed and not c.advisory]
    if failed:
        raise PairRefused(
            "; ".join(_sentence(c) for c in failed),
            "pair gate",
            "; ".join(dict.fromkeys(c.remedy for c in failed)),
        )


def radiometric_jump(blocks: Sequence[Block]) -> float | None:
    """Return how far the dark end moved between the dates, in units of the before date's spread.

    A real change moves some pixels, a wrong offset (a processing baseline, a missing calibration)
    moves all of them. Per band the 1 % percentiles are subtracted and divided by the 1–99 % spread
    of the before date; the median of the bands is returned, None without pixels.
    """
    used = [b for b in blocks if b.valid.any()]
    if not used:
        return None
    moves = []
    for band in range(len(used[0].bands)):
        first = np.concatenate([b.before[band][b.valid] for b in used])
        second = np.concatenate([b.after[band][b.valid] for b in used])
        low, high = np.percentile(first, (1, 99))
        moves.append((np.percentile(second, 1) - low) / max(float(high - low), 1e-9))
    return float(np.median(moves))


def _at_least(name: str, value: float, limit: float, unit: str, remedy: str) -> GateCheck:
    passed = value >= limit
    return GateCheck(name, float(value), float(limit), unit, passed, "" if passed else remedy)


def _at_most(name: str, value: float, limit: float, unit: str, remedy: str) -> GateCheck:
    passed = value <= limit
    return GateCheck(name, float(value), float(limit), unit, passed, "" if passed else remedy)


def _date_order(before: Epoch, after: Epoch) -> GateCheck:
    if before.civil_to is None or after.civil_from is None:
        remedy = "give the dates (before.date, after.date); without them nothing can be judged"
        return GateCheck("date order", None, 0.0, "days", False, remedy, advisory=True)
    days = (after.civil_from - before.civil_to).days
    return _at_least("date order", days, 0, "days", "swap the two dates, or mend them")


def _registration(
    found: Registration | None,
    left: Registration | None,
    max_shift_px: float,
    max_residual_px: float,
) -> tuple[GateCheck, ...]:
    if found is None or left is None or not found.used:
        return _unknown_displacement(found, max_shift_px, max_residual_px)
    return (
        _at_most(
            "shift",
            found.largest_px,
            max_shift_px,
            "px",
            "register the images to each other first, or raise gate.max_shift_px",
        ),
        _at_most(
            "residual shift",
            left.misfit_px,
            max_residual_px,
            "px",
            "orthorectify both images with the same terrain model, or raise gate.max_residual_px",
        ),
        _at_least(
            "agreeing windows",
            100.0 * left.used / max(left.matched, 1),
            MIN_AGREEING,
            "%",
            "parts of the images are displaced in different ways: orthorectify both with the same "
            "terrain model, or limit the analysis to the part that fits (area.aoi)",
        ),
    )


def _unknown_displacement(
    found: Registration | None, max_shift_px: float, max_residual_px: float
) -> tuple[GateCheck, ...]:
    """Refuse a pair that should have told its displacement; say why another cannot tell it."""
    refused = found is not None and found.textured >= ENOUGH_WINDOWS
    if found is None:
        detail, remedy = "", "not measured: gate.register_pair is false"
    else:
        detail = f"0 of {found.textured} windows with edges at both dates tell one displacement"
        remedy = "the images are too small, too cloudy or too smooth; compare them by eye first"
    if refused:
        remedy = (
            "check the georeferencing of both images; for a pair known to fit, or without "
            "texture, set gate.register_pair: false (tuban detect: --no-register)"
        )
    return (
        GateCheck("shift", None, max_shift_px, "px", False, remedy, True),
        GateCheck("residual shift", None, max_residual_px, "px", False, remedy, True),
        GateCheck(
            "agreeing windows",
            0.0 if refused else None,
            MIN_AGREEING,
            "%",
            False,
            remedy,
            advisory=not refused,
            detail=detail,
        ),
    )


def _jump(blocks: Sequence[Block]) -> GateCheck:
    value = radiometric_jump(blocks)
    passed = value is None or abs(value) <= MAX_JUMP
    remedy = "" if passed else "check offset and calibration of both dates (sensor:)"
    return GateCheck("radiometric offset", value, MAX_JUMP, "ratio", passed, remedy, advisory=True)


def _sentence(check: GateCheck) -> str:
    value = "unknown" if check.value is None else f"{check.value:.2f}"
    detail = f": {check.detail}" if check.detail else ""
    return f"{check.name} is {value} {check.unit} (limit {check.limit:g}){detail}"
