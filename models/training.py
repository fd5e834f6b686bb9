"""Learn land cover from the land-use map: clean the samples, measure, fit."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from models.accuracy import confusion, f1_scores, kappa, macro_f1
from models.features import band_roles, feature_names
from models.forest import Forest, predict, votes
from models.growing import grow_forest
from models.landcover import LandcoverState
from models.samples import SampleTable, blocked_folds

__all__ = ["contradicted", "fit_landcover"]

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
        Size of the forest. Each fold gets a quarter of the trees, at least 15.
    seed : int
        Seed of the forest and the folds.
    folds : int
        Spatial folds.
    clean : bool
        Whether contradicted samples are dropped.

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
    fold = blocked_folds(samples.rows, samples.cols, folds=folds, seed=seed)
    if len(y) and not fold.any():
        notes.append("all samples lie in one block: no accuracy, no cleaning")
    size = (max(15, trees // 4), max_depth, seed)
    keep, held_out = _cleaned(samples, y, fold, len(classes), size, clean=clean)
    forest = Forest.empty(len(names), len(classes))
    if len(y):
        grown = {"n_classes": len(classes), "trees": trees, "depth": max_depth, "seed": seed}
        forest = grow_forest(samples.X[keep], y[keep], **grown)
    kept_only, whole = _matrix(held_out, y, keep), _matrix(held_out, y, np.ones_like(keep))
    state = LandcoverState(
        classes=classes,
        bands=bands,
        roles=roles,
        features=names,
        forest=forest,
        sample_counts=np.bincount(y[keep], minlength=len(classes)).astype(np.int64),
        dropped_counts=np.bincount(y[~keep], minlength=len(classes)).astype(np.int64),
        confusion=kept_only,
        f1=f1_scores(kept_only),
        macro_f1=macro_f1(kept_only),
        macro_f1_map=macro_f1(whole),
        kappa=kappa(kept_only),
        notes=tuple(notes),
    )
    log.info("land cover: %d of %d samples kept, F1 %s", keep.sum(), len(y), state.macro_f1)
    return state


def _cleaned(
    samples: SampleTable,
    y: NDArray[np.int64],
    fold: NDArray[np.int64],
    n_classes: int,
    size: tuple[int, int, int],
    *,
    clean: bool,
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Return which samples are kept, and the votes of forests that did not see them."""
    keep = np.ones(len(y), np.bool_)
    if clean and fold.any():
        keep = ~contradicted(_out_of_fold(samples, y, keep, fold, n_classes, size), y)
    return keep, _out_of_fold(samples, y, keep, fold, n_classes, size)


def contradicted(
    counts: NDArray[np.int32],
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


def _out_of_fold(
    samples: SampleTable,
    y: NDArray[np.int64],
    keep: NDArray[np.bool_],
    fold: NDArray[np.int64],
    n_classes: int,
    size: tuple[int, int, int],
) -> NDArray[np.int32]:
    """Return votes of forests grown on the kept samples of the other folds."""
    trees, depth, seed = size
    counts = np.zeros((len(y), n_classes), np.int32)
    for number in np.unique(fold).tolist():
        held, rest = fold == number, np.flatnonzero((fold != number) & keep)
        if not held.any() or not len(rest):
            continue
        forest = grow_forest(
            samples.X[rest],
            y[rest],
            n_classes=n_classes,
            trees=trees,
            depth=depth,
            seed=seed + 1 + number,
            draw=min(len(rest), max(FOLD_DRAW, len(rest) // 4)),
        )
        counts[held] = votes(forest, samples.X[held])
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
