"""Learn land cover from the land-use map: clean the samples, measure, fit."""

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from configs.transitions import transitions
from models.accuracy import confusion, f1_scores, kappa, macro_f1
from models.boosting import Boosting, votes_of
from models.certainty import Certainty, fit_certainty
from models.features import band_roles, feature_names
from models.forest import Forest, predict
from models.growing import grow_boosting
from models.landcover import LandcoverState
from models.samples import SampleTable, blocked_folds
from models.treegrowing import grow_stepped
from models.trials import TrialTable

__all__ = ["Classifier", "contradicted", "doubted", "fit_landcover"]

Classifier = Literal["forest", "boosting"]

log = logging.getLogger(__name__)

MIN_SAMPLES = 20
"""Fewest samples a class needs to be learned."""

FOLD_DRAW = 2000
"""Rows a tree of a fold draws, or a quarter of all if that is more: enough to find wrong labels."""

OWN_SHARE = 0.15
"""A label is doubted when fewer than this share of the trees that never saw its block agree…"""

OTHER_SHARE = 0.5
"""…and at least this share agrees on one other class."""

DROP_LIMIT = 0.4
"""Largest share of a class that cleaning may drop; a class is never argued away."""


def fit_landcover(
    samples: SampleTable,
    *,
    classes: Sequence[str],
    bands: Sequence[str],
    roles: Sequence[str] | None = None,
    trees: int = 60,
    max_depth: int = 12,
    seed: int = 0,
    folds: int = 4,
    clean: bool = True,
    trials: TrialTable | None = None,
    classifier: Classifier = "forest",
) -> LandcoverState:
    """Fit the land-cover forest of a run on samples labelled by its own land-use map.

    Some map polygons are wrong or outdated. A forest grown without a sample's block is asked for
    its label; where it strongly contradicts the map, the sample is dropped, once. Accuracy is then
    measured in a second round of the same spatially blocked folds: on the samples kept, and against
    the map as it is, errors included. The truth lies between the two.

    Parameters
    ----------
    samples : SampleTable
        Labels from 1; label k means ``classes[k - 1]``.
    classes : sequence of str
        Land covers in label order.
    bands : sequence of str
        Band names of the images, as in the blocks the samples came from.
    roles : sequence of str, optional
        Role of each band, see `models.features.band_roles`.
    trees, max_depth : int
        Size of the forest. Each fold gets a quarter of the trees, at least 15. Boosting has as many
        rounds as the forest would have trees, in the folds too.
    seed : int
        Seed of the forest and the folds.
    folds : int
        Spatial folds.
    clean : bool
        Whether contradicted samples are dropped.
    trials : TrialTable, optional
        Groups of pixels that confidence is learned on, see `models.certainty`.
    classifier : {"forest", "boosting"}
        What votes in the end; wrong labels are found by forests in any case.

    Returns
    -------
    LandcoverState
        Two fits on the same samples are equal. Where fewer than two classes have enough samples
        the state holds no trees, its `notes` say why, and every cover it is asked for is unknown.

    Raises
    ------
    InputError
        If a label lies outside `classes` or the features are not those of `bands`.
    """
    bands, classes = tuple(bands), tuple(classes)
    roles = band_roles(bands) if roles is None else tuple(roles)
    names = feature_names(bands, roles=roles)
    _check(samples, len(classes), names)
    notes: list[str] = []
    samples = _learnable(samples, classes, notes)
    y = samples.labels.astype(np.int64) - 1
    fold, trial_fold = _folds(samples, trials, folds, seed)
    if len(y) and not fold.any():
        notes.append("all samples lie in one block: no accuracy, no cleaning")
    size = (trees, max_depth, seed)
    keep, held_out, forests = _cleaned(samples, y, fold, len(classes), size, classifier, clean)
    model: Forest | Boosting = Forest.empty(len(names), len(classes))
    if len(y):
        model = _grown(samples, np.flatnonzero(keep), len(classes), size, classifier)
    kept_only, whole = _matrix(held_out, y, keep), _matrix(held_out, y, np.ones_like(keep))
    state = LandcoverState(
        classes=classes,
        bands=bands,
        roles=roles,
        features=names,
        forest=model if isinstance(model, Forest) else Forest.empty(len(names), len(classes)),
        boosting=model if isinstance(model, Boosting) else None,
        sample_counts=np.bincount(y[keep], minlength=len(classes)).astype(np.int64),
        dropped_counts=np.bincount(y[~keep], minlength=len(classes)).astype(np.int64),
        confusion=kept_only,
        f1=f1_scores(kept_only),
        macro_f1=macro_f1(kept_only),
        macro_f1_map=macro_f1(whole),
        kappa=kappa(kept_only),
        notes=tuple(notes),
        certainty=_certainty(trials, trial_fold, forests, classes),
    )
    log.info("land cover: %d of %d samples kept, F1 %s", keep.sum(), len(y), state.macro_f1)
    return state


def _cleaned(
    samples: SampleTable,
    y: NDArray[np.int64],
    fold: NDArray[np.int64],
    n_classes: int,
    size: tuple[int, int, int],
    classifier: Classifier,
    clean: bool,
) -> tuple[NDArray[np.bool_], NDArray[np.int32], dict[int, Forest | Boosting]]:
    """Return which samples are kept, the votes of models that did not see them, and these."""
    keep = np.ones(len(y), np.bool_)
    if clean and fold.any():
        keep = ~doubted(samples, fold, n_classes, size)
    forests = _fold_models(samples, keep, fold, n_classes, size, classifier)
    return keep, _out_of_fold(forests, samples.X, fold, n_classes), forests


def doubted(
    samples: SampleTable, fold: NDArray[np.int64], n_classes: int, size: tuple[int, int, int]
) -> NDArray[np.bool_]:
    """Tell which labels the other folds strongly contradict: those that cleaning drops.

    Parameters
    ----------
    samples : SampleTable
    fold : ndarray of int64, shape (n,)
        See `models.samples.blocked_folds`.
    n_classes : int
    size : tuple of int
        Trees, depth and seed of the whole forest.
    """
    y = samples.labels.astype(np.int64) - 1
    first = _fold_models(samples, np.ones(len(y), np.bool_), fold, n_classes, size, "forest")
    return contradicted(_out_of_fold(first, samples.X, fold, n_classes), y)


def _folds(
    samples: SampleTable, trials: TrialTable | None, folds: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the folds of samples and trials; a block of both is in the same one."""
    rows, cols = samples.rows, samples.cols
    if trials is not None:
        rows, cols = np.append(rows, trials.rows), np.append(cols, trials.cols)
    fold = blocked_folds(rows, cols, folds=folds, seed=seed)
    return fold[: len(samples)], fold[len(samples) :]


def _certainty(
    trials: TrialTable | None,
    fold: NDArray[np.int64],
    forests: dict[int, Forest | Boosting],
    classes: tuple[str, ...],
) -> Certainty:
    """Learn confidence on the groups whose label the other blocks do not contradict."""
    if trials is None or len(forests) < 2:
        return Certainty.unknown()
    counts = np.zeros((len(trials.labels), 2, len(classes)), np.int64)
    for date, x in enumerate((trials.before, trials.after)):
        held = _out_of_fold(forests, x, fold, len(classes))
        np.add.at(counts[:, date], trials.group, held)
    label = trials.labels - 1
    asked = counts.sum(axis=2).min(axis=1) > 0
    for date in range(2):
        asked &= ~contradicted(counts[:, date], label)
    return fit_certainty(counts[asked], label[asked], trials.areas[1:], classes, transitions())


def contradicted(
    counts: NDArray[np.integer],
    y: NDArray[np.int64],
    *,
    own: float = OWN_SHARE,
    other: float = OTHER_SHARE,
    limit: float = DROP_LIMIT,
) -> NDArray[np.bool_]:
    """Tell which labels the trees that never saw their block strongly disagree with.

    Parameters
    ----------
    counts : ndarray of int32, shape (n, classes)
        Votes of the trees grown on the other blocks; a row of zeros contradicts nothing.
    y : ndarray of int64, shape (n,)
        Class of the map, from 0.
    own, other : float
        A label is contradicted if its class has less than share `own` of the votes and another
        one has at least share `other`.
    limit : float
        Share of a class that may be contradicted; the most doubtful ones are, in table order.

    Returns
    -------
    ndarray of bool, shape (n,)

    References
    ----------
    .. [1] Brodley, Friedl (1999). Identifying mislabeled training data. doi:10.1613/jair.606
    """
    total = counts.sum(axis=1)
    mine = counts[np.arange(len(y)), y]
    doubted: NDArray[np.bool_] = (total > 0) & (mine < own * total)
    doubted &= counts.max(axis=1) >= other * total
    for label in np.unique(y[doubted]):
        members = np.flatnonzero(y == label)
        allowed = int(limit * len(members))
        found = members[doubted[members]]
        if len(found) > allowed:
            ranked = found[np.argsort(mine[found] / total[found], kind="stable")]
            doubted[ranked[allowed:]] = False
    return doubted


def _grown(
    samples: SampleTable,
    rows: NDArray[np.intp],
    n_classes: int,
    size: tuple[int, int, int],
    classifier: Classifier,
    draw: int | None = None,
) -> Forest | Boosting:
    """Return a model grown on some samples; a single class is told by a forest."""
    trees, depth, seed = size
    y = samples.labels[rows].astype(np.int64) - 1
    if classifier == "boosting" and len(np.unique(y)) > 1:
        x = samples.X[rows]
        return grow_boosting(x, y, n_classes=n_classes, rounds=trees, depth=depth, seed=seed)
    grown = {"n_classes": n_classes, "trees": trees, "depth": depth, "seed": seed}
    return grow_stepped(samples.steps.take(rows), y, **grown, draw=draw)


def _fold_models(
    samples: SampleTable,
    keep: NDArray[np.bool_],
    fold: NDArray[np.int64],
    n_classes: int,
    size: tuple[int, int, int],
    classifier: Classifier,
) -> dict[int, Forest | Boosting]:
    """Return for each fold a model grown on the kept samples of the others."""
    trees, depth, seed = size
    if classifier == "forest":
        trees = max(15, trees // 4)
    forests = {}
    for number in np.unique(fold).tolist():
        rest = np.flatnonzero((fold != number) & keep)
        if not len(rest):
            continue
        draw = min(len(rest), max(FOLD_DRAW, len(rest) // 4))
        part = (trees, depth, seed + 1 + number)
        forests[number] = _grown(samples, rest, n_classes, part, classifier, draw)
    return forests


def _out_of_fold(
    forests: dict[int, Forest | Boosting],
    x: NDArray[np.float32],
    fold: NDArray[np.int64],
    n_classes: int,
) -> NDArray[np.int32]:
    """Return the votes of the model that did not see the fold of each row; 0 without one."""
    counts = np.zeros((len(x), n_classes), np.int32)
    for number, forest in forests.items():
        held = fold == number
        counts[held] = votes_of(forest, x[held])
    return counts


def _matrix(
    held_out: NDArray[np.int32], y: NDArray[np.int64], asked: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return map against held-out class for the samples asked that got votes."""
    asked = asked & (held_out.sum(axis=1) > 0)
    return confusion(y[asked], predict(held_out[asked]), held_out.shape[1])


def _learnable(samples: SampleTable, classes: tuple[str, ...], notes: list[str]) -> SampleTable:
    """Return the samples of the classes that have enough of them; none if fewer than two do."""
    counts = np.bincount(samples.labels, minlength=len(classes) + 1)
    for label in np.flatnonzero((counts > 0) & (counts < MIN_SAMPLES)):
        notes.append(
            f"{classes[label - 1]} is not learned: {counts[label]} samples, {MIN_SAMPLES} needed"
        )
    enough = counts >= MIN_SAMPLES
    if enough.sum() < 2:
        notes.append(f"land cover stays unknown: {enough.sum()} classes have enough samples")
        enough[:] = False
    return samples.take(np.flatnonzero(enough[samples.labels]))


def _check(samples: SampleTable, n_classes: int, names: tuple[str, ...]) -> None:
    if samples.names != names:
        raise InputError(
            f"the samples hold the features {', '.join(samples.names)}",
            "fit_landcover(bands=..., roles=...)",
            f"draw them with the same bands and roles; these give {', '.join(names)}",
        )
    if len(samples) and not 1 <= samples.labels.min() <= samples.labels.max() <= n_classes:
        raise InputError(
            f"labels run from {samples.labels.min()} to {samples.labels.max()}",
            "fit_landcover(samples=...)",
            f"label k must mean class k of the {n_classes} classes given",
        )
