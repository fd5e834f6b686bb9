"""Change by a model of labelled pairs in a run: brought to the scene on a sample, then per block.

Pixels keep a statistic in medians of the scene. Image objects are cut by Otsu's threshold of the
votes of the scene, never below the least cut of the places that the model learned from, because one
threshold serves no two scenes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.magnitudes import RobustScale, fit_scale, scaled
from detect.sample import draw_pixels
from detect.score import STRONG, Scores, cut_block
from detect.thresholds import otsu_threshold
from models.changelearning import (
    SCALE_PIXELS,
    ChangeLearner,
    PairScale,
    fit_pair_scale,
    learned_scores,
    learned_statistic,
    pair_feature_names,
    pair_halo,
)
from models.forest import Forest, votes
from models.objectfeatures import (
    PLANES_HALO,
    date_planes,
    object_names,
    object_statistics,
    plane_names,
)
from models.objects import OBJECT_HALO, SQUARE_PX, Objects, find_objects, object_window
from tiles.block import Block
from tiles.grid import Extent
from tiles.state import pack_states, unpack_states

__all__ = [
    "OBJECT_PIXEL_M",
    "LearnedState",
    "ObjectScale",
    "change_arrays",
    "change_of",
    "column_names",
    "fit_learned",
    "fit_object_scale",
    "learner_halo",
    "object_columns",
    "object_scores",
    "otsu_cut",
    "score_learned",
    "share_of_objects",
    "way_of",
]

OBJECT_PIXEL_M = 5.0
"""Pixels below this size show parts of buildings: objects are told, not pixels."""

SHARE_STEPS = 1000
"""Steps of a share of votes in the histogram that is cut."""


@dataclass(frozen=True)
class ObjectScale:
    """What brings the objects of a pair into units of its own scene: the scale of both dates."""

    before: RobustScale
    after: RobustScale


@dataclass(frozen=True)
class LearnedState:
    """A model of change as a run carries it.

    Attributes
    ----------
    learner : ChangeLearner
        With the threshold of this scene; without trees where there is no model.
    model : str
        Hash of the model's file; "" where there is none.
    pixel_m : float
    pixels : PairScale or None
        Of a model that tells pixels.
    objects : ObjectScale or None
        Of a model that tells objects.
    notes : tuple of str
        What the run's record says of it.
    """

    learner: ChangeLearner
    model: str = ""
    pixel_m: float = 0.0
    pixels: PairScale | None = None
    objects: ObjectScale | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def none(cls) -> "LearnedState":
        """Return the state of a run without a model."""
        return cls(ChangeLearner((), (), Forest.empty(0, 2), 0.0, 1.0, proven=False))

    @property
    def scores_change(self) -> bool:
        """Whether it scores change instead of the method; a model that proved nothing does not."""
        return self.pixels is not None or self.objects is not None

    @property
    def halo(self) -> int:
        """Pixels around a core that it looks at."""
        return learner_halo(self.learner, self.pixel_m) if self.scores_change else 0


def way_of(pixel_m: float) -> str:
    """Return whether images of a pixel size are told by ``pixels`` or ``objects``."""
    return "objects" if pixel_m < OBJECT_PIXEL_M else "pixels"


def column_names(way: str, bands: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that a way of learning reads."""
    if way == "pixels":
        return pair_feature_names(bands)
    planes = tuple(f"{n}_{date}" for date in (1, 2) for n in plane_names(len(bands)))
    return object_names(planes, len(planes) // 2)


def change_arrays(learner: ChangeLearner) -> dict[str, NDArray[Any]]:
    """Return a learner as the arrays of a model file."""
    return pack_states({"change": learner})


def change_of(arrays: Mapping[str, NDArray[Any]], where: str) -> ChangeLearner:
    """Return the learner in the arrays of a model file, whoever wrote it.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    where : str
        The file, for the error.

    Raises
    ------
    InputError
        If they hold no learner that can be worked with.
    """
    learner: ChangeLearner = unpack_states(arrays, {"change": ChangeLearner}, where)["change"]
    fault = learner.forest.fault()
    if learner.way not in ("pixels", "objects"):
        fault = f"nothing is told by {learner.way!r}"
    elif learner.names != column_names(learner.way, learner.bands):
        fault = f"columns {', '.join(map(str, learner.names))[:200]} are not those of its bands"
    elif (learner.forest.n_features, learner.forest.n_classes) != (len(learner.names), 2):
        fault = "the forest has other columns or classes than the model"
    elif not 0 < learner.threshold < float("inf") or not 0 <= learner.power <= 1:
        fault = f"threshold {learner.threshold:g}, power {learner.power:g}"
    if fault:
        raise InputError(
            f"its model of change cannot be used: {fault}",
            where,
            "use the tuban that wrote it, or train the model with this one",
        )
    return learner


def learner_halo(learner: ChangeLearner, pixel_m: float) -> int:
    """Return the pixels around a core that the scores of a learner depend on."""
    if learner.way == "objects":
        return OBJECT_HALO + SQUARE_PX + PLANES_HALO
    return pair_halo(pixel_m)


def fit_learned(
    cells: Sequence[Block],
    learner: ChangeLearner,
    *,
    model: str,
    pixel_m: float,
    wavelengths: Sequence[float | None],
) -> LearnedState:
    """Bring a model to the scene of a run on its sample cells.

    Parameters
    ----------
    cells : sequence of Block
        With `pair_halo` around their cores; objects look at cores only.
    learner : ChangeLearner
    model : str
        Hash of its file.
    pixel_m : float
    wavelengths : sequence of float or None

    Raises
    ------
    InputError
        If no pixel of the cells can be used.
    """
    state = LearnedState(learner, model, pixel_m)
    if not learner.proven:
        note = "the labels did not prove that the model finds more than auto: auto scores change"
        return replace(state, notes=(note,))
    if learner.way == "pixels":
        scale = fit_pair_scale(cells, pixel_m=pixel_m, wavelengths=wavelengths)
        note = (
            f"change is scored pixel by pixel by the model: pixels of {pixel_m:.2g} m, "
            f"threshold {learner.threshold:.2f} scene medians, votes to the power {learner.power:g}"
        )
        return replace(state, pixels=scale, notes=(note,))
    objects = fit_object_scale(cells)
    counts = np.zeros(SHARE_STEPS + 1, np.int64)
    for cell in cells:
        core = cut_block(cell, cell.core, 0)
        plane = share_of_objects(core, learner, objects)
        counts += _share_counts(plane, core.valid)
    cut = max(_cut_of(counts), learner.threshold)
    found = 100 * counts[round(cut * SHARE_STEPS) :].sum() / max(int(counts.sum()), 1)
    note = (
        f"change is scored by the model on image objects, because pixels of {pixel_m:.2g} m are "
        f"below {OBJECT_PIXEL_M:g} m: cut at {100 * cut:.0f} % of the votes, "
        f"{found:.1f} % of the sample above it"
    )
    if cut == learner.threshold:
        note += "; that is the least cut of the places that it learned from"
    return replace(state, learner=replace(learner, threshold=cut), objects=objects, notes=(note,))


def fit_object_scale(cells: Sequence[Block]) -> ObjectScale:
    """Fit the scale of both dates on the cores of sample cells.

    Raises
    ------
    InputError
        If they hold no usable pixel.
    """
    pixels = draw_pixels(cells, limit=SCALE_PIXELS)
    if not sum(p.rows.size for p in pixels):
        raise InputError(
            "no pixel of the sample can be used at both dates",
            "fit_object_scale(cells=...)",
            "check overlap and masks of the pair",
        )
    before = np.concatenate([p.take(p.block.before) for p in pixels])
    after = np.concatenate([p.take(p.block.after) for p in pixels])
    return ObjectScale(fit_scale(before), fit_scale(after))


def object_columns(block: Block, scale: ObjectScale) -> tuple[Objects, NDArray[np.float32]]:
    """Cut a block into objects and tell each: what `grow_learner` learns from.

    Returns
    -------
    Objects
        Of the core with what decides on them, as far as the block reaches.
    ndarray of float32, shape (object, column)
    """
    dates = ((block.before, scale.before), (block.after, scale.after))
    window = _window(block)

    def within(planes: NDArray[Any]) -> NDArray[Any]:
        out = np.zeros((*planes.shape[:-2], *window.shape), planes.dtype)
        part = window.intersect(block.extent)
        out[..., *part.slices_in(window)] = planes[..., *part.slices_in(block.extent)]
        return out

    stacked = np.concatenate([scaled(image, block.valid, unit) for image, unit in dates])
    objects = find_objects(within(stacked), within(block.valid), window)
    told = [date_planes(image, block.valid, unit) for image, unit in dates]
    return objects, object_statistics(objects, within(np.concatenate(told)), len(told[0]))


def _window(block: Block) -> Extent:
    """Return the window that tells the objects of the core, as far as the block reaches."""
    part = object_window(block.core).intersect(block.extent)
    row, col = (v // SQUARE_PX * SQUARE_PX for v in (part.row0, part.col0))
    return Extent(row, col, part.row1, part.col1)


def share_of_objects(
    block: Block, learner: ChangeLearner, scale: ObjectScale
) -> NDArray[np.float32]:
    """Return the share of votes for change (y, x), 0 to 1, of the object of each pixel of the core.

    It is 0 outside of objects.
    """
    if block.bands != learner.bands:
        raise InputError(
            f"the pair has the bands {', '.join(block.bands)}",
            "learned change",
            f"use a model of these bands; this one reads {', '.join(learner.bands)}",
        )
    objects, columns = object_columns(block, scale)
    labels = objects.labels[block.core.slices_in(_window(block))]
    counts = votes(learner.forest, columns)[:, 1].astype(np.float32)
    share = np.append(counts / np.float32(max(learner.forest.trees, 1)), np.float32(0))
    return np.asarray(share[labels], np.float32)


def otsu_cut(share: NDArray[np.float32], valid: NDArray[np.bool_]) -> float:
    """Return Otsu's threshold, 0 to 1, of the shares (y, x) of valid pixels."""
    return _cut_of(_share_counts(share, valid))


def _share_counts(share: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    steps = np.round(share[valid] * SHARE_STEPS).astype(np.int64)
    return np.bincount(steps, minlength=SHARE_STEPS + 1)


def _cut_of(counts: NDArray[np.int64]) -> float:
    return float(otsu_threshold(counts)) / SHARE_STEPS


def score_learned(block: Block, state: LearnedState) -> Scores:
    """Score the core of a block by a model, as `detect.score.score_block` does by a statistic.

    Parameters
    ----------
    block : Block
        Its extent reaches `LearnedState.halo` beyond its core.
    state : LearnedState
        One that scores change.
    """
    learner = state.learner
    if state.pixels is not None:
        near = cut_block(block, block.core, state.halo)
        told = learned_statistic(near, state.pixels, learner)
        return learned_scores(near, *told, learner, state.pixel_m)
    assert state.objects is not None
    share = share_of_objects(cut_block(block, block.core, state.halo), learner, state.objects)
    return object_scores(share, block.valid[block.core_slices], learner.threshold)


def object_scores(share: NDArray[np.float32], valid: NDArray[np.bool_], cut: float) -> Scores:
    """Return the scores of shares of votes (y, x) that are cut at one of them."""
    steps = np.round(share * SHARE_STEPS)  # as in the histogram that was cut
    score = np.minimum(np.floor(steps * STRONG / round(cut * SHARE_STEPS)), 65535)
    score = np.where(valid, score, 0).astype(np.uint16)
    changed = score >= STRONG
    return Scores(score, changed, changed.copy())
