"""True or pseudo change, learned from what people found on the ground: features, forest, odds.

The forest reads what a run keeps of every patch (size, form, strength, index changes, covers, type
of change) and nothing of its place, so that it may be carried to another county. How many of its
trees must agree for which probability is measured on patches whose neighbourhood it did not see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from configs.vocabulary import COVERS, change_type, change_types
from detect.member_values import INDICES
from detect.patches import shape_facts
from models.forest import Forest, votes
from models.growing import grow_forest
from models.samples import blocked_folds
from models.training import contradicted
from tiles.grid import CELL
from tiles.state import pack_states, unpack_states

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "FIRST",
    "LEARNED",
    "MIN_EACH",
    "FeedbackState",
    "Fitted",
    "feature_columns",
    "feedback_arrays",
    "feedback_of",
    "fit_feedback",
    "patch_blocks",
    "patch_features",
    "pseudo_permille",
    "spatial_folds",
    "with_feedback",
]

MIN_EACH = 20
"""Fewest patches of either verdict that are learned from."""

TREES, DEPTH = 200, 8
MISSING = -9.0
"""Value of what is not known of a patch; no figure reaches it."""

FIRST = {"first_type": "change_type", "first_confidence": "confidence"}
"""Columns that keep what imagery said before a model changed it, and what they keep."""

LEARNED = "learned_pseudo"
"""Change type of what the model is sure to be a pseudo-change."""

MEASURES = ("area", "compactness", "width_m", "elongation", "confidence")
KEPT = ("magnitude", "magnitude_p90", *(f"{name.lower()}_change" for name in INDICES))
"""Columns of the patch table that are read as they are."""

DEGREE_STEPS = 10_000
"""Places to a degree for spatial blocks: some 10 m, the pixel that blocks are made for."""


@dataclass(frozen=True)
class FeedbackState:
    """A fitted model of verdicts; `feedback_arrays` makes it a model file.

    Attributes
    ----------
    features : tuple of str
        Names of the forest's columns.
    forest : Forest
        Class 1 is the pseudo-change.
    permille : ndarray of int32, shape (trees + 1,)
        Probability of a pseudo-change in 1/1000 by the number of trees that say so.
    """

    features: tuple[str, ...]
    forest: Forest
    permille: NDArray[np.int32]


class Fitted(NamedTuple):
    """What `fit_feedback` returns.

    Attributes
    ----------
    state : FeedbackState
    held_out : ndarray of int32, shape (n,)
        Probability in 1/1000 by forests that did not see the patch's block, nor its verdict for
        what a vote means.
    doubted : ndarray of bool, shape (n,)
        Verdicts that were not learned from.
    """

    state: FeedbackState
    held_out: NDArray[np.int32]
    doubted: NDArray[np.bool_]


def feature_columns() -> tuple[str, ...]:
    """Return the names of the columns of `patch_features`."""
    covers = [f"{end}_{cover}" for end in ("from", "to") for cover in COVERS]
    return (*MEASURES, *KEPT, *covers, *(f"type_{t.code}" for t in change_types()))


def patch_features(patches: "gpd.GeoDataFrame") -> NDArray[np.float32]:
    """Return what the model reads of patches.

    Parameters
    ----------
    patches : GeoDataFrame
        Patch table of a run, before or after a model was applied to it; columns that it lacks
        count as not known.

    Returns
    -------
    ndarray of float32, shape (n, features)
        Finite; columns as `feature_columns` tells.
    """
    n, shapes = len(patches), shape_facts(patches)
    area = np.maximum(shapes["area_m2"].to_numpy(), 1.0)

    def numbers(name: str) -> NDArray[np.float64]:
        if name not in patches:
            return np.full(n, np.nan)
        return np.asarray(patches[name].to_numpy(), np.float64)

    def is_one_of(name: str, codes: tuple[str, ...]) -> list[NDArray[np.float64]]:
        told = patches[name].to_numpy(object) if name in patches else np.full(n, "", object)
        return [np.asarray(told == code, np.float64) for code in codes]

    first = {kept: name for name, kept in FIRST.items() if name in patches}
    columns = [
        np.log2(area),
        shapes["perimeter_m"].to_numpy() ** 2 / area,
        shapes["width_m"].to_numpy(),
        shapes["elongation"].to_numpy(),
        numbers(first.get("confidence", "confidence")),
        *(numbers(name) for name in KEPT),
        *is_one_of("from_cover", COVERS),
        *is_one_of("to_cover", COVERS),
        *is_one_of(first.get("change_type", "change_type"), tuple(t.code for t in change_types())),
    ]
    x = np.stack(columns, axis=1).astype(np.float32)
    return np.where(np.isfinite(x), x, np.float32(MISSING))


def patch_blocks(patches: "gpd.GeoDataFrame") -> list[tuple[int, int]]:
    """Return for each patch the block of some 2.5 km that it lies in."""
    steps = [
        np.floor(patches[name].to_numpy(np.float64) * DEGREE_STEPS / CELL)
        for name in ("lat", "lon")
    ]
    return [(int(row), int(col)) for row, col in zip(*steps, strict=True)]


def spatial_folds(patches: "gpd.GeoDataFrame", *, folds: int = 4) -> NDArray[np.int64]:
    """Deal patches to folds by whole blocks of ground, over runs and counties alike."""
    rows, cols = (
        np.floor(patches[name].to_numpy(np.float64) * DEGREE_STEPS).astype(np.int64)
        for name in ("lat", "lon")
    )
    return blocked_folds(rows, cols, folds=folds)


def fit_feedback(
    x: NDArray[np.float32],
    pseudo: NDArray[np.bool_],
    fold: NDArray[np.int64],
    *,
    learn: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> Fitted:
    """Learn true against pseudo change.

    People err: a verdict that forests grown on other ground strongly contradict is not learned
    from, and is told.

    Parameters
    ----------
    x : ndarray of float32, shape (n, features)
        From `patch_features`; one row per judged patch, in the order of their ids.
    pseudo : ndarray of bool, shape (n,)
        True where people found a pseudo-change.
    fold : ndarray of int64, shape (n,)
        From `spatial_folds`.
    learn : ndarray of bool, shape (n,), optional
        Patches to learn from; the others are only asked about, by forests of other folds.

    Returns
    -------
    Fitted
        Equal for equal input.

    Raises
    ------
    InputError
        If there are fewer than `MIN_EACH` patches of either kind, or all lie in one block.
    """
    learn = np.ones(len(x), np.bool_) if learn is None else learn
    counts = int((learn & ~pseudo).sum()), int((learn & pseudo).sum())
    if min(counts) < MIN_EACH:
        raise InputError(
            f"{counts[0]} real and {counts[1]} pseudo-changes were judged; "
            f"{MIN_EACH} of each are needed",
            "verdicts",
            "judge more patches (`tuban model propose` names some), or give more runs",
        )
    if len(np.unique(fold[learn])) < 2:
        raise InputError(
            "all judged patches lie in one block of ground",
            "verdicts",
            "judge patches in several places: nothing can be measured on one",
        )
    counted, doubted = _votes_elsewhere(x, pseudo, fold, learn, seed), np.zeros(len(x), np.bool_)
    doubted[learn] = contradicted(counted[learn], pseudo[learn].astype(np.int64))
    keep = learn & ~doubted
    found = _votes_elsewhere(x, pseudo, fold, keep, seed)[:, 1].astype(np.int64)
    meaning = _meaning(found[keep], pseudo[keep])
    state = FeedbackState(feature_columns(), _grown(x[keep], pseudo[keep], seed), meaning)
    held_out = np.zeros(len(x), np.int32)
    for number in np.unique(fold).tolist():
        held, rest = fold == number, (fold != number) & keep
        held_out[held] = _meaning(found[rest], pseudo[rest])[found[held]]
    return Fitted(state, held_out, doubted)


def _votes_elsewhere(
    x: NDArray[np.float32],
    pseudo: NDArray[np.bool_],
    fold: NDArray[np.int64],
    keep: NDArray[np.bool_],
    seed: int,
) -> NDArray[np.int32]:
    """Return the votes of forests that were grown on the other folds."""
    found = np.zeros((len(x), 2), np.int32)
    for number in np.unique(fold).tolist():
        held, rest = fold == number, (fold != number) & keep
        found[held] = votes(_grown(x[rest], pseudo[rest], seed + 1 + number), x[held])
    return found


def _grown(x: NDArray[np.float32], pseudo: NDArray[np.bool_], seed: int) -> Forest:
    y = pseudo.astype(np.int64)
    return grow_forest(x, y, n_classes=2, trees=TREES, depth=DEPTH, seed=seed)


def _meaning(found: NDArray[np.int64], pseudo: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the probability in 1/1000 of each number of votes: a logistic curve that rises.

    Platt's targets keep it off 0 and 1 by as much as few verdicts leave open.

    References
    ----------
    .. [1] Lin, Lin, Weng (2007). A note on Platt's probabilistic outputs for support vector
       machines. doi:10.1007/s10994-007-5018-6
    """
    yes, no = int(pseudo.sum()), int((~pseudo).sum())
    target = np.where(pseudo, (yes + 1) / (yes + 2), 1 / (no + 2))
    share = found / TREES - 0.5
    base = np.log((yes + 1) / (no + 1))
    slope, shift = 0.0, float(base)
    for _ in range(100):
        p = 1 / (1 + np.exp(-(slope * share + shift)))
        miss, weight = target - p, p * (1 - p) + 1e-9
        gradient = np.array([(miss * share).sum() - 1e-3 * slope, miss.sum()])
        curve = np.array(
            [
                [(weight * share**2).sum() + 1e-3, (weight * share).sum()],
                [(weight * share).sum(), weight.sum()],
            ]
        )
        step = np.linalg.solve(curve, gradient)
        step *= min(1.0, 5.0 / max(1e-12, float(np.abs(step).max())))
        slope, shift = slope + float(step[0]), shift + float(step[1])
        if np.abs(step).max() < 1e-9:
            break
    if slope <= 0:
        slope, shift = 0.0, float(base)
    at = np.arange(TREES + 1) / TREES - 0.5
    return np.asarray(np.round(1000 / (1 + np.exp(-(slope * at + shift)))), np.int32)


def pseudo_permille(state: FeedbackState, patches: "gpd.GeoDataFrame") -> NDArray[np.int32]:
    """Return the probability of each patch to be a pseudo-change, in 1/1000."""
    if not len(patches):
        return np.zeros(0, np.int32)
    return state.permille[votes(state.forest, patch_features(patches))[:, 1]]


def with_feedback(
    patches: "gpd.GeoDataFrame", state: FeedbackState, limit: int
) -> "gpd.GeoDataFrame":
    """Return patches with their probability, and with the learned type where it is sure.

    What imagery said stays in the columns of `FIRST`. A patch that imagery took for a pseudo-change
    with at least that confidence keeps its type.

    Parameters
    ----------
    patches : GeoDataFrame
        Patch table that no model was applied to.
    state : FeedbackState
    limit : int
        Probability in 1/1000 from which a patch becomes `LEARNED`, with it as confidence.
    """
    permille = pseudo_permille(state, patches)
    kinds = [change_type(code) for code in patches["change_type"]]
    alike = np.array([k.is_pseudo for k in kinds], np.bool_)
    confidence = patches["confidence"].to_numpy()
    sure = (permille >= limit) & ~(alike & (confidence * 10 >= permille))
    learned = change_type(LEARNED)
    changed: dict[str, Any] = {
        "change_type": learned.code,
        "tblx": learned.tblx,
        "use": learned.use,
        "confidence": (permille // 10).astype(confidence.dtype),
    }
    first = {name: patches[kept].to_numpy() for name, kept in FIRST.items()}
    told = {n: np.where(sure, v, patches[n].to_numpy()) for n, v in changed.items()}
    return patches.assign(pseudo_percent=(permille // 10).astype(np.int16), **first, **told)


def feedback_arrays(state: FeedbackState) -> dict[str, NDArray[Any]]:
    """Return a state as the arrays of a model file."""
    return pack_states({"feedback": state})


def feedback_of(arrays: Mapping[str, NDArray[Any]], where: str) -> FeedbackState:
    """Return the state in the arrays of a model file, whoever wrote it.

    Raises
    ------
    InputError
        If they hold none that can be worked with on the patches of this tuban.
    """
    state: FeedbackState = unpack_states(arrays, {"feedback": FeedbackState}, where)["feedback"]
    forest, fault = state.forest, state.forest.fault()
    if state.features != feature_columns():
        fault = "it reads other figures of a patch than this tuban keeps"
    elif (forest.n_features, forest.n_classes) != (len(state.features), 2):
        fault = "the forest has other columns or classes than the state"
    elif state.permille.shape != (forest.trees + 1,) or state.permille.dtype != np.int32:
        fault = "it does not tell what each number of votes means"
    elif ((state.permille < 0) | (state.permille > 1000)).any() or not forest.trees:
        fault = "its probabilities are none"
    if fault:
        raise InputError(
            f"its model of verdicts cannot be used: {fault}",
            where,
            "use the tuban that wrote it, or train it anew with `tuban model retrain`",
        )
    return state
