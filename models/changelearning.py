"""Learn what counts as change from labelled pairs, in units of the scene so that it transfers.

A pixel is told by the contextual statistic in scene medians, IR-MAD in scene medians, and the
features of both dates, each in robust scores of its own scene. A forest of few labels knows which
kinds of change were wanted, the statistic knows better how much changed: the score is the statistic
times a power of the forest's share of votes. Power and threshold are chosen on scenes that the
forest asked there has not seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.auto import FACTOR, INFRARED_WEIGHT, MEDIANS, SAMPLE_PIXELS, WEAK_SHARE, WHITENING
from detect.calibration import calibrate
from detect.edges import edge_radius, inside_edge
from detect.evidence import MEDIAN_FLOOR, evidence_statistic, fit_evidence
from detect.kernels.pixels import quantise
from detect.magnitudes import Gaussian, RobustScale, fit_scale, scaled
from detect.projections import fit_irmad, irmad_statistic
from detect.sample import draw_pixels, gather
from detect.score import STRONG, ChangeState, Scores, halo_px
from models.features import HALO, feature_names, features_at
from models.forest import Forest, votes
from models.growing import grow_forest
from tiles.block import Block
from tiles.grid import splitmix64

__all__ = [
    "ChangeLearner",
    "LabelledScene",
    "PairScale",
    "choose_cut",
    "fit_pair_scale",
    "grow_learner",
    "label_scene",
    "learned_scores",
    "learned_statistic",
    "pair_feature_names",
    "pair_halo",
]

TARGET = "construction"
"""Weights of the contextual statistic that the forest refines: labels are of built ground."""

CANDIDATE_MEDIANS = 1.5
"""Scene medians from which the forest is asked: half of the lowest threshold that is tried, so that
even a neighbour in the smoothing of the votes has some."""

LEAST_SHARE = 0.02
"""Share of votes that a candidate keeps: the certainty of a forest cannot undo all evidence."""

SHARE_SIGMA_PX = 1.0
"""Smoothing of the votes, in pixels: a label's edge is no sharper."""

SCALE_PIXELS = 20_000
"""Pixels of a scene on which its features are brought to scale."""

SAMPLES = {"changed": 1500, "unchanged": 3000}
"""Most pixels a scene gives: a large city must not outvote seven small ones."""

SAMPLE_SEED = 0x6368_616E

TREES, DEPTH = 40, 10

POWERS = (0.0, 0.5, 1.0)
"""Powers of the votes that are tried; 0 leaves the statistic as it is."""

FACTORS = tuple(float(v) for v in np.round(np.geomspace(0.4, 1.15, 12), 4))
"""Thresholds that are tried, relative to that of ``auto``."""

LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class PairScale:
    """What brings a pair into units of its own scene.

    Attributes
    ----------
    change : ChangeState
        Contextual statistic, in units of one scene median.
    mad : ChangeState
        IR-MAD in units of its scene median; without a fitted part where no band varies.
    before, after : RobustScale
        Of the features of both dates.
    """

    change: ChangeState
    mad: ChangeState
    before: RobustScale
    after: RobustScale


@dataclass(frozen=True)
class ChangeLearner:
    """A learned change detector.

    Attributes
    ----------
    bands : tuple of str
        Bands as the images must have them.
    names : tuple of str
        Columns of the forest.
    forest : Forest
    power : float
        Of the share of votes, one of `POWERS`; 1 for objects.
    threshold : float
        Strong threshold of statistic × share ** power, in scene medians. For objects the least
        share of votes at which a scene may be cut.
    way : {"pixels", "objects"}
        Whether the forest tells pixels or image objects.
    proven : bool
        Whether it found more than ``auto`` on places that it had not seen. Else runs keep ``auto``.
    """

    bands: tuple[str, ...]
    names: tuple[str, ...]
    forest: Forest
    power: float
    threshold: float
    way: str = "pixels"
    proven: bool = True


@dataclass(frozen=True)
class LabelledScene:
    """Samples of one labelled pair in canonical order: pixels, or objects with another `x`.

    Attributes
    ----------
    name : str
    x : ndarray of float32, shape (n, f)
    y : ndarray of int64, shape (n,)
        1 changed, 0 not.
    """

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]


def pair_halo(pixel_m: float) -> int:
    """Return the pixels around a block that its learned scores depend on."""
    reach = Gaussian.radius_of(SHARE_SIGMA_PX) + edge_radius(pixel_m)
    return max(halo_px("auto", pixel_m), HALO) + reach


def pair_feature_names(bands: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that the forest reads."""
    names = feature_names(tuple(bands))
    return (
        "statistic",
        "irmad",
        *(f"{n}_{date}" for date in ("before", "after", "change") for n in names),
    )


def fit_pair_scale(
    cells: Sequence[Block], *, pixel_m: float, wavelengths: Sequence[float | None]
) -> PairScale:
    """Fit both statistics and the scale of the features on the sample cells of a scene.

    Parameters
    ----------
    cells : sequence of Block
        Each with `pair_halo` around its core; order does not matter.
    pixel_m : float
    wavelengths : sequence of float or None

    Raises
    ------
    InputError
        If the cells hold no usable pixel.
    """
    pixels = draw_pixels(cells, limit=SAMPLE_PIXELS)
    if not sum(p.rows.size for p in pixels):
        raise InputError(
            "no pixel of the sample can be used at both dates",
            "fit_pair_scale(cells=...)",
            "check overlap and masks of the pair",
        )
    empty = ChangeState("auto", "medium", TARGET, pixel_m, len(wavelengths), 0, 0.0)
    evidence = fit_evidence(
        pixels,
        wavelengths=wavelengths,
        infrared_weight=INFRARED_WEIGHT[TARGET],
        whitening=WHITENING[TARGET],
    )
    change = replace(empty, evidence=evidence, evidence_unit=1.0)
    median = max(calibrate(pixels, change).median, MEDIAN_FLOOR)
    mad = fit_irmad(*gather(pixels))
    projected = replace(empty, mad=mad, mad_unit=1.0)
    if mad is not None:
        middle = max(calibrate(pixels, projected).median, LEAST_SPREAD)
        projected = replace(projected, mad_unit=1.0 / middle)
    few = draw_pixels(cells, limit=SCALE_PIXELS)
    dates = [
        fit_scale(
            np.concatenate(
                [
                    features_at(image(p.block), p.block.valid, p.rows, p.cols, p.block.bands)
                    for p in few
                ]
            ).astype(np.float64)
        )
        for image in (_before, _after)
    ]
    return PairScale(replace(change, evidence_unit=1.0 / median), projected, *dates)


def label_scene(
    name: str, block: Block, scale: PairScale, labels: NDArray[np.uint8]
) -> LabelledScene:
    """Draw the samples of a labelled pair: of each kind those with the smallest hash.

    Parameters
    ----------
    name : str
    block : Block
        With `pair_halo` around its core.
    scale : PairScale
    labels : ndarray of uint8, shape (y, x)
        Of the core: 0 unknown, 1 unchanged, 2 changed.
    """
    core = block.core_slices
    known = np.where(block.valid[core], labels, 0)
    rows, cols = (v.astype(np.int64) for v in np.nonzero(known))
    truth = known[rows, cols] == 2
    rank = splitmix64(rows + block.core.row0, cols + block.core.col0, SAMPLE_SEED)
    chosen = [
        np.flatnonzero(which)[np.argsort(rank[which], kind="stable")[:limit]]
        for which, limit in ((truth, SAMPLES["changed"]), (~truth, SAMPLES["unchanged"]))
    ]
    at = np.sort(np.concatenate(chosen))
    rows, cols = rows[at] + core[0].start, cols[at] + core[1].start
    x = _features(block, scale, _statistic(block, scale), rows, cols)
    return LabelledScene(name, x, truth[at].astype(np.int64))


def grow_learner(
    scenes: Sequence[LabelledScene],
    bands: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> ChangeLearner:
    """Grow the forest of some scenes; power and threshold are those of ``auto`` until chosen.

    Parameters
    ----------
    scenes : sequence of LabelledScene
        Their order does not matter.
    bands : sequence of str
    names : sequence of str, optional
        Columns of the samples; those of pixels by default.
    seed : int

    Raises
    ------
    InputError
        If the scenes hold one kind of label only.
    """
    ordered = sorted(scenes, key=lambda scene: scene.name)
    y = np.concatenate([scene.y for scene in ordered])
    if len(np.unique(y)) < 2:
        raise InputError(
            "the labels hold no changed pixel, or nothing else",
            "grow_learner(scenes=...)",
            "give change masks with both: 1 unchanged, 2 changed",
        )
    x = np.ascontiguousarray(np.concatenate([scene.x for scene in ordered]))
    forest = grow_forest(x, y, n_classes=2, trees=TREES, depth=DEPTH, seed=seed)
    bands = tuple(bands)
    columns = pair_feature_names(bands) if names is None else tuple(names)
    return ChangeLearner(bands, columns, forest, 0.0, MEDIANS[TARGET] * FACTOR["medium"])


def choose_cut(
    learner: ChangeLearner,
    scores: Sequence[Callable[[ChangeLearner], float]],
) -> ChangeLearner:
    """Choose power and threshold by the mean score of scenes that the forests asked did not see.

    Parameters
    ----------
    learner : ChangeLearner
    scores : sequence of callable
        One per scene: F1 of the change map that a forest without this scene draws with the power
        and the threshold of the learner it is given.

    Returns
    -------
    ChangeLearner
        Of equal choices the one nearest to the plain statistic.
    """
    base = MEDIANS[TARGET]
    tried = [replace(learner, power=p, threshold=base * f) for p in POWERS for f in FACTORS]
    means = [float(np.mean([score(one) for score in scores])) for one in tried]
    return tried[int(np.argmax(np.round(means, 9)))]


def learned_statistic(
    block: Block, scale: PairScale, learner: ChangeLearner
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the statistic in scene medians and the smoothed share of votes, both (y, x).

    They cover the extent of the block. The share is 0 where the statistic is below
    `CANDIDATE_MEDIANS`: nobody is asked there.
    """
    if block.bands != learner.bands:
        raise InputError(
            f"the pair has the bands {', '.join(block.bands)}",
            "learned change",
            f"use a model of these bands; this one reads {', '.join(learner.bands)}",
        )
    statistic = _statistic(block, scale)
    asked = block.valid & (statistic >= np.float32(CANDIDATE_MEDIANS))
    rows, cols = (v.astype(np.int64) for v in np.nonzero(asked))
    share = np.zeros(statistic.shape, np.float32)
    counts = votes(learner.forest, _features(block, scale, statistic, rows, cols))[:, 1]
    share[rows, cols] = counts.astype(np.float32) / np.float32(max(learner.forest.trees, 1))
    return statistic, Gaussian(SHARE_SIGMA_PX, asked).smooth(share)


def learned_scores(
    block: Block,
    statistic: NDArray[np.float32],
    share: NDArray[np.float32],
    learner: ChangeLearner,
    pixel_m: float,
) -> Scores:
    """Return the scores of the core from what `learned_statistic` found."""
    weight = np.maximum(share, np.float32(LEAST_SHARE))
    if learner.power < 1:  # a root is rounded the same at every place of an array, a power is not
        weight = np.sqrt(weight) if learner.power > 0 else np.ones_like(weight)
    asked = statistic >= np.float32(CANDIDATE_MEDIANS)
    value = np.where(asked, statistic * weight, 0).astype(np.float32)
    score = np.zeros(value.shape, np.uint16)
    quantise(value, block.valid, np.float32(STRONG / learner.threshold), score)
    inside = inside_edge(score, edge_radius(pixel_m))
    core = block.core_slices
    score, inside = np.ascontiguousarray(score[core]), inside[core]
    weak = round(WEAK_SHARE * STRONG)
    return Scores(score, (score >= weak) & inside, (score >= STRONG) & inside)


def _statistic(block: Block, scale: PairScale) -> NDArray[np.float32]:
    change = scale.change
    if change.evidence is None:
        return np.zeros(block.valid.shape, np.float32)
    plane = evidence_statistic(block, change.evidence, change.pixel_m)
    return np.asarray(plane * np.float32(change.evidence_unit), np.float32)


def _features(
    block: Block,
    scale: PairScale,
    statistic: NDArray[np.float32],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the columns of `pair_feature_names` at pixels."""
    mad = np.zeros(block.valid.shape, np.float32)
    if scale.mad.mad is not None:
        mad = irmad_statistic(block, scale.mad.mad) * np.float32(scale.mad.mad_unit)
    seen = np.ones((1, len(rows)), np.bool_)
    dates = []
    for image, unit in ((block.before, scale.before), (block.after, scale.after)):
        x = features_at(image, block.valid, rows, cols, block.bands)
        dates.append(scaled(np.ascontiguousarray(x.T)[:, None, :], seen, unit)[:, 0].T)
    parts = [statistic[rows, cols][:, None], mad[rows, cols][:, None], *dates, dates[1] - dates[0]]
    return np.ascontiguousarray(np.hstack(parts), np.float32)


def _before(block: Block) -> NDArray[np.float32]:
    return block.before


def _after(block: Block) -> NDArray[np.float32]:
    return block.after
