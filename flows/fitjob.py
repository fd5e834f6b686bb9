"""What a worker does before the tiles: read sample cells, register and check the pair, fit.

The driver never opens a pixel: it hands one of these jobs to a worker and takes numbers back.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.runparts import CloudSettings, DetectionSettings, GateSettings, LandcoverSettings
from configs.vocabulary import COVERS
from detect.auto import fit_change
from detect.normalise import Radiometry, apply_radiometry, fit_radiometry
from detect.score import halo_px
from flows.plan import RunPlan
from flows.tilejob import States
from models.changelearning import ChangeLearner, pair_halo
from models.fullcover import COMPARED_HALO
from models.landcover import LandcoverState
from models.learnedchange import LearnedState, fit_learned
from models.samples import SampleTable, cap_samples, draw_samples, join_dates, seen_on
from models.training import fit_landcover
from models.trials import TrialTable, draw_trials, join_trials
from tiles.block import Block
from tiles.cloudmap import CloudMap, find_clouds
from tiles.coregister import estimate_registration, register_pair
from tiles.gate import GateCheck, gate_report
from tiles.grid import Extent, sample_cells
from tiles.labels import LabelBurner
from tiles.learnedclouds import with_learned
from tiles.lineage import geometry_checks
from tiles.pairgrid import overlap_percent, resolution_ratio
from tiles.registration import Registration

__all__ = [
    "Alignment",
    "FitJob",
    "GateJob",
    "LabelShapes",
    "draw_landcover",
    "fit_pair",
    "gate_pair",
    "sample_blocks",
]

READERS = 2
"""Threads that read cells: most of the time goes into unpacking stored blocks."""

SAMPLE_CACHE_MB = 48.0
"""Kept of what was decoded while cells are read: they lie apart, so few share a stored block."""

GATE_CELLS = 16
"""Cells whose windows are matched, all over the area: enough for a hundred windows."""


@dataclass(frozen=True)
class Alignment:
    """How the pair is laid over each other, and what of it cannot be seen.

    Attributes
    ----------
    registration : Registration or None
    clouds : CloudMap or None
    """

    registration: Registration | None
    clouds: CloudMap | None = None


@dataclass(frozen=True)
class GateJob:
    """What a worker needs to register a pair and to check it.

    Attributes
    ----------
    plan : RunPlan
    gate : GateSettings
    seed : int
        Of the sample cells.
    clouds : CloudSettings
    given : Alignment or None
        Taken over instead of finding one; it is checked all the same.
    """

    plan: RunPlan
    gate: GateSettings
    seed: int
    clouds: CloudSettings
    given: Alignment | None = None


def gate_pair(job: GateJob) -> tuple[Alignment, tuple[GateCheck, ...]]:
    """Register the pair on sample cells and measure what the gate asks.

    Parameters
    ----------
    job : GateJob

    Returns
    -------
    Alignment
        The correction to apply, none if the gate does not register; clouds found.
    tuple of GateCheck
        Each with its number, limit and remedy.

    Raises
    ------
    RasterError
        If a cell cannot be read.
    """
    plan, gate = job.plan, job.gate
    cells = sample_cells(plan.extent, job.seed, share=0.0, minimum=GATE_CELLS)
    found = left = None
    applied = Registration(0.0, 0.0, 0, 0, 0.0)
    untouched: list[Block] = []

    def laid(move: Registration | None) -> list[Block]:
        """Read the cells with a correction, and keep those read without one."""
        if move is not None:
            return _read(plan, cells, Alignment(move))
        untouched[:] = _read(plan, cells, Alignment(None))
        return untouched

    if job.given is not None:
        moves = (None, job.given.registration) if gate.register_pair else ()
        reads = (laid(move) for move in moves)
        told = [estimate_registration(r, max_shift_px=gate.max_shift_px) for r in reads]
        found, left = told or (None, None)
    elif gate.register_pair:
        found, applied, left = register_pair(laid, max_shift_px=gate.max_shift_px)
    aligned = job.given or Alignment(applied, _clouds(job, applied))
    as_read = aligned.clouds is None and _is_none(aligned.registration)
    blocks = untouched if as_read and untouched else _read(plan, cells, aligned)
    checks = gate_report(
        plan.before,
        plan.after,
        bands=plan.bands,
        overlap_percent=overlap_percent(plan.before, plan.after, plan.grid),
        valid_percent=_valid_percent(blocks),
        resolution_ratio=resolution_ratio(plan.before, plan.after, plan.grid),
        found=found,
        left=left,
        blocks=blocks,
        max_residual_px=gate.max_residual_px,
        max_shift_px=gate.max_shift_px,
        min_overlap_percent=gate.min_overlap_percent,
    )
    return aligned, (
        *checks,
        *geometry_checks(plan.before, plan.after, plan.bands, plan.grid),
    )


def _is_none(move: Registration | None) -> bool:
    """Tell whether a correction leaves every pixel where it is."""
    return move is None or (move.is_shift and move.dy == 0 == move.dx)


def _clouds(job: GateJob, applied: Registration) -> CloudMap | None:
    """Look for clouds at the dates of which a scene has no quality raster."""
    plan, wanted = job.plan, job.clouds
    epochs = (plan.before, plan.after)
    dates = plan.cloud_dates(wanted.search)
    with plan.reader(applied) as reader:
        found = find_clouds(
            reader.read_dates,
            plan.extent,
            plan.bands,
            pixel_m=plan.pixel_m,
            margin_m=wanted.margin_m,
            dates=dates,
            sun_azimuth=(
                epochs[0].scenes[0].facts.sun_azimuth,
                epochs[1].scenes[0].facts.sun_azimuth,
            ),
        )
    if wanted.detector == "colours" or not any(dates):
        return found
    return with_learned(
        found,
        epochs,
        plan.grid,
        plan.extent,
        pixel_m=plan.pixel_m,
        margin_m=wanted.margin_m,
        dates=dates,
        move=applied,
    )


def _read(plan: RunPlan, cells: Sequence[Extent], aligned: Alignment, halo: int = 0) -> list[Block]:
    with (
        plan.reader(aligned.registration, aligned.clouds, SAMPLE_CACHE_MB) as reader,
        ThreadPoolExecutor(READERS) as readers,
    ):
        return list(readers.map(lambda cell: reader.read(cell, halo), cells))


def _valid_percent(blocks: Sequence[Block]) -> float:
    valid = sum(int(b.valid.sum()) for b in blocks)
    return 100.0 * valid / sum(b.valid.size for b in blocks)


@dataclass(frozen=True)
class LabelShapes:
    """Outlines of the land-use map whose cover is known, where samples are drawn.

    Attributes
    ----------
    geometries : ndarray of object, shape (n,)
        Polygons in the grid's CRS.
    labels : ndarray of int16, shape (n,)
        Position of the cover in `configs.vocabulary.COVERS`, from 1.
    """

    geometries: NDArray[np.object_]
    labels: NDArray[np.int16]


@dataclass(frozen=True)
class FitJob:
    """What a worker needs to fit everything that is fitted before the tiles.

    Attributes
    ----------
    plan : RunPlan
    registration : Registration
    detection : DetectionSettings
    landcover : LandcoverSettings
    seed : int
    shapes : LabelShapes or None
        None where there is no land-use map: the forest then knows nothing.
    clouds : CloudMap or None
    learner : ChangeLearner or None
        Of a model of labelled change that the run works with.
    model : str
        Its hash.
    """

    plan: RunPlan
    registration: Registration
    detection: DetectionSettings
    landcover: LandcoverSettings
    seed: int
    shapes: LabelShapes | None = None
    clouds: CloudMap | None = None
    learner: ChangeLearner | None = None
    model: str = ""

    @property
    def halo(self) -> int:
        """Pixels around a sample cell that scoring and features read."""
        scored = halo_px(self.detection.method, self.plan.pixel_m)
        least = max(scored, COMPARED_HALO, self.erode_px)
        if self.learner is None or self.learner.way == "objects":
            return least  # objects are sampled in the cells alone
        return max(least, pair_halo(self.plan.pixel_m))

    @property
    def erode_px(self) -> int:
        """Pixels dropped along parcel borders: nowhere fewer than the dates may be off there."""
        return max(self.landcover.erode_px, math.ceil(self.registration.residual_px))

    def cells(self) -> list[Extent]:
        """Return the sample cells."""
        return sample_cells(self.plan.extent, self.seed)

    def extents(self) -> list[Extent]:
        """Return what is read for the sample cells: each with its halo."""
        return [cell.expand(self.halo) for cell in self.cells()]


def sample_blocks(job: FitJob) -> list[Block]:
    """Read the sample cells of a fit with their halo."""
    aligned = Alignment(job.registration, job.clouds)
    return _read(job.plan, job.cells(), aligned, job.halo)


def fit_pair(job: FitJob) -> States:
    """Fit radiometry, change statistic and land cover on the sample cells.

    Parameters
    ----------
    job : FitJob

    Returns
    -------
    States

    Raises
    ------
    RasterError
        If a cell cannot be read.
    """
    plan, detection = job.plan, job.detection
    blocks = sample_blocks(job)
    with ThreadPoolExecutor(1) as beside:  # neither needs the other
        fitted = beside.submit(
            fit_change,
            blocks,
            method=detection.method,
            sensitivity=detection.sensitivity,
            target=detection.target,
            pixel_m=plan.pixel_m,
            wavelengths=plan.wavelengths,
            threshold=detection.threshold,
            significance=detection.significance,
            looks=detection.looks,
        )
        radiometry = fit_radiometry(blocks)
        landcover = _landcover(job, blocks, radiometry)
        change = fitted.result()
    learned = LearnedState.none()
    if job.learner is not None:
        learned = fit_learned(
            blocks,
            job.learner,
            model=job.model,
            pixel_m=plan.pixel_m,
            wavelengths=plan.wavelengths,
        )
    return States(job.registration, radiometry, change, landcover, learned=learned)


def _landcover(job: FitJob, blocks: Sequence[Block], radiometry: Radiometry) -> LandcoverState:
    """Fit the forest on the run's own land-use map; without a map it knows nothing.

    It learns from both dates: most of the map still holds at the later one, and a forest that saw
    one season only takes the crops of another for something else. Where the map is outdated the
    cleaning of the samples drops it.
    """
    settings = job.landcover
    samples, trials = draw_landcover(job, blocks, radiometry)
    return fit_landcover(
        samples,
        classes=COVERS,
        bands=job.plan.bands,
        trees=settings.trees,
        classifier=settings.classifier,
        max_depth=settings.max_depth,
        seed=job.seed,
        trials=trials,
    )


def draw_landcover(
    job: FitJob, blocks: Sequence[Block], radiometry: Radiometry
) -> tuple[SampleTable, TrialTable]:
    """Draw what land cover is learned from.

    Parameters
    ----------
    job : FitJob
    blocks : sequence of Block
        The sample cells with the job's halo.
    radiometry : Radiometry

    Returns
    -------
    SampleTable, TrialTable
        Samples of both dates, and groups for the confidence.
    """
    settings = job.landcover
    tables: tuple[list[SampleTable], list[SampleTable]] = ([], [])
    trials = []
    labels_of = _labels(job)
    for block in blocks:
        labels = labels_of(block.extent)
        later = replace(block, before=apply_radiometry(block, radiometry).after)
        drawn = draw_samples(block, labels, erode_px=job.erode_px, seed=job.seed)
        tables[0].append(drawn)
        tables[1].append(seen_on(drawn, later))
        trials.append(draw_trials(block, later.before, labels, classes=len(COVERS)))
    samples = join_dates([cap_samples(t, settings.samples_per_class, job.seed) for t in tables])
    return samples, join_trials(trials)


def _labels(job: FitJob) -> Callable[[Extent], NDArray[np.int16]]:
    """Return what burns the covers of the land-use map over an extent; 0 where it tells none."""
    if job.shapes is None:
        return lambda extent: np.zeros(extent.shape, np.int16)
    return LabelBurner(job.shapes.geometries, job.shapes.labels, job.plan.grid).burn
