"""Inference of boosted trees: small trees as masks of leaves, the class that scikit-learn decides.

A tree of up to 32 leaves needs no walk. Every leaf, from left to right, is a bit; a node whose
question a row answers with "greater" strikes the leaves of its left side; the lowest bit left is
the leaf the row ends in. Each node is asked of many rows in one go, without a branch or a gather,
which a processor does for eight of them at once.

References
----------
.. [1] Lucchese et al. (2015). QuickScorer: a fast algorithm to rank documents with additive
   ensembles of regression trees. doi:10.1145/2766462.2767733
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from models.forest import Forest, predict, votes, whole_shares
from tiles.compiled import kernel

__all__ = [
    "MAX_LEAVES",
    "VOTES",
    "Boosting",
    "add_scores",
    "boosted_classes",
    "boosted_votes",
    "votes_of",
]

MAX_LEAVES = 32
"""Leaves of a tree: bits of its mask."""

VOTES = 100
"""Votes of a row, shared among the classes by their probability: percent."""

ROWS = 512
"""Rows asked together."""

ALL_LEAVES = np.uint32(2**32 - 1)
DE_BRUIJN = np.uint32(0x077CB531)
"""Number whose products with the powers of two differ in their upper five bits."""

SLOTS = np.array([(int(DE_BRUIJN) << bit & 0xFFFFFFFF) >> 27 for bit in range(MAX_LEAVES)])
"""Where the value of each leaf lies in a row of `Boosting.values`."""


@dataclass(frozen=True)
class Boosting:
    """Fitted boosted trees as arrays.

    Attributes
    ----------
    starts : ndarray of int32, shape (trees + 1,)
        First node of each tree; trees of one round follow each other, one per score.
    feature : ndarray of int16, shape (nodes,)
        Column that a node asks for; leaves are no nodes here.
    threshold : ndarray of float32, shape (nodes,)
        A value greater than it strikes leaves.
    keep : ndarray of uint32, shape (nodes,)
        The leaves that are left then.
    values : ndarray of float64, shape (trees, 32)
        What the leaves add to the score, in the order of `SLOTS`.
    baseline : ndarray of float64, shape (scores,)
        Scores before the first tree: one per class, or a single one for two classes.
    codes : ndarray of int64, shape (known classes,)
        Class from 0 of each score.
    n_features, n_classes : int
        Columns of the input and of the votes.
    """

    starts: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    keep: NDArray[np.uint32]
    values: NDArray[np.float64]
    baseline: NDArray[np.float64]
    codes: NDArray[np.int64]
    n_features: int
    n_classes: int

    @property
    def trees(self) -> int:
        """Number of trees."""
        return len(self.values)

    def fault(self) -> str:
        """Say what would make the kernel read beyond the arrays; "" where nothing does."""
        kinds = {"starts": "i4", "feature": "i2", "threshold": "f4", "keep": "u4", "values": "f8"}
        kinds |= {"baseline": "f8", "codes": "i8"}
        if any(getattr(self, name).dtype != kind for name, kind in kinds.items()):
            return "its arrays are not of the types of boosted trees"
        nodes, scores = self.feature.shape, len(self.baseline)
        if len(nodes) != 1 or {self.threshold.shape, self.keep.shape} != {nodes}:
            return "the node arrays differ in length"
        if self.values.shape != (self.trees, MAX_LEAVES) or not np.isfinite(self.values).all():
            return "the values of the leaves are none"
        ends = (0, *nodes)
        if self.starts.shape != (self.trees + 1,) or (self.starts[[0, -1]] != ends).any():
            return "the trees are not made of the nodes"
        if (np.diff(self.starts) < 0).any() or not scores or self.trees % scores:
            return "the trees are not made of the nodes"
        if ((self.feature < 0) | (self.feature >= self.n_features)).any():
            return f"a node asks beyond {self.n_features} features"
        known = 2 if scores == 1 else scores
        if self.codes.shape != (known,) or self.baseline.shape != (scores,):
            return "it has other scores than classes"
        if (np.diff(self.codes) <= 0).any() or not 0 <= self.codes[0] <= self.codes[-1]:
            return "its classes are not in order"
        return "" if self.codes[-1] < self.n_classes else "a class lies beyond the last"


def boosted_classes(model: Boosting, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class of each row that ``HistGradientBoostingClassifier.predict`` returns.

    The same float64 values are added in the same order; ties go to the smaller class in both.

    Parameters
    ----------
    model : Boosting
    x : ndarray of float32, shape (n, n_features)
        Features, finite.

    Returns
    -------
    ndarray of int64, shape (n,)
        Classes from 0.

    Raises
    ------
    InputError
        If `x` does not have the columns the model was fitted on.
    """
    scores = _scores(model, x)
    if scores.shape[1] == 1:
        return model.codes[(scores[:, 0] > 0).astype(np.intp)]
    return model.codes[predict(scores)]


def boosted_votes(model: Boosting, x: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the probabilities of each row as whole percent, to be added up over pixels.

    Parameters
    ----------
    model : Boosting
    x : ndarray of float32, shape (n, n_features)
        Features, finite.

    Returns
    -------
    ndarray of int32, shape (n, n_classes)
        Each row sums to `VOTES`; what rounding down leaves goes to the largest remainders.
    """
    scores = _scores(model, x)
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    weight = np.exp(scores - scores.max(axis=1, keepdims=True))
    out = np.zeros((len(x), model.n_classes), np.int32)
    out[:, model.codes] = whole_shares(weight / weight.sum(axis=1, keepdims=True), VOTES)
    return out


def votes_of(model: Forest | Boosting, x: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the votes (row, class) of whichever model it is for features (row, column).

    They are trees of a forest, or percent of a probability.
    """
    return votes(model, x) if isinstance(model, Forest) else boosted_votes(model, x)


def _scores(model: Boosting, x: NDArray[np.float32]) -> NDArray[np.float64]:
    if x.ndim != 2 or x.shape[1] != model.n_features:
        raise InputError(
            f"features have shape {x.shape}, the model was fitted on {model.n_features} columns",
            "boosting (x=...)",
            "compute the features with the bands of the fitted state",
        )
    out = np.empty((len(x), len(model.baseline)), np.float64)
    add_scores(
        np.asarray(x, np.float32),
        *(model.starts, model.feature, model.threshold, model.keep, model.values, model.baseline),
        out,
    )
    return out


@kernel
def add_scores(
    x: NDArray[np.float32],  # (row, feature)
    starts: NDArray[np.int32],  # (tree + 1,)
    feature: NDArray[np.int16],  # (node,)
    threshold: NDArray[np.float32],  # (node,)
    keep: NDArray[np.uint32],  # (node,)
    values: NDArray[np.float64],  # (tree, slot)
    baseline: NDArray[np.float64],  # (score,)
    out: NDArray[np.float64],  # (row, score), written
) -> None:
    """Add what the trees say to the baseline, round by round."""
    n_scores = baseline.shape[0]
    part = np.empty((x.shape[1], ROWS), np.float32)
    total = np.empty((n_scores, ROWS), np.float64)
    left = np.empty(ROWS, np.uint32)
    for start in range(0, x.shape[0], ROWS):
        n = min(ROWS, x.shape[0] - start)
        for i in range(n):
            for f in range(x.shape[1]):
                part[f, i] = x[start + i, f]
        for k in range(n_scores):
            total[k] = baseline[k]
        for tree in range(values.shape[0]):
            left[:] = ALL_LEAVES
            for node in range(starts[tree], starts[tree + 1]):
                column, cut, kept = part[feature[node]], threshold[node], keep[node]
                for i in range(n):
                    left[i] &= kept if column[i] > cut else ALL_LEAVES
            sums, value = total[tree % n_scores], values[tree]
            for i in range(n):
                lowest = np.uint32(left[i] & np.uint32(-left[i]))
                sums[i] += value[np.uint32(lowest * DE_BRUIJN) >> np.uint32(27)]
        for i in range(n):
            for k in range(n_scores):
                out[start + i, k] = total[k, i]
