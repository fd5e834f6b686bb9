"""Grow trees with scikit-learn and turn them into arrays: random forests and boosted trees."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from configs.errors import InputError
from models.boosting import ALL_LEAVES, MAX_LEAVES, SLOTS, Boosting
from models.forest import Forest

__all__ = [
    "Tree",
    "boosting_arrays",
    "grow_boosting",
    "grow_forest",
    "join_trees",
    "to_arrays",
]

MIN_LEAF = 5
"""Fewest samples in a leaf: a mislabelled pixel must not get a leaf of its own."""


class Tree(NamedTuple):
    """One tree: children (−1 at leaves), feature, threshold and shares of the classes by node."""

    left: NDArray[np.integer]
    right: NDArray[np.integer]
    feature: NDArray[np.integer]
    threshold: NDArray[np.float64]
    shares: NDArray[np.float64]


def grow_forest(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    n_classes: int,
    trees: int,
    depth: int,
    seed: int,
    draw: int | None = None,
) -> Forest:
    """Grow a random forest with scikit-learn, one thread, and return it as arrays.

    Rare classes weigh more (``balanced_subsample``), so that a county of cropland still learns
    its ponds. The answer depends on the order of the rows: pass them in table order. Each tree
    sees `draw` rows drawn with replacement, by default as many as there are.
    """
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(
        n_estimators=trees,
        max_depth=depth,
        min_samples_leaf=MIN_LEAF,
        class_weight="balanced_subsample",
        max_samples=draw,
        n_jobs=1,
        random_state=seed,
    )
    return to_arrays(model.fit(x, y), n_classes)


def to_arrays(model: Any, n_classes: int) -> Forest:
    """Turn a fitted ``RandomForestClassifier`` into arrays that decide exactly as its trees do.

    scikit-learn compares a float32 value with a float64 threshold; the largest float32 below the
    threshold splits the same values. A leaf votes for its heaviest class, ties go to the smaller.

    Parameters
    ----------
    model : RandomForestClassifier
        Fitted on class numbers from 0.
    n_classes : int
        Columns of the votes; classes the model never saw get none.
    """
    trees = [
        Tree(t.children_left, t.children_right, t.feature, t.threshold, t.value[:, 0, :])
        for t in (estimator.tree_ for estimator in model.estimators_)
    ]
    return join_trees(trees, model.classes_, int(model.n_features_in_), n_classes)


def join_trees(
    trees: Sequence[Tree], codes: NDArray[np.integer], n_features: int, n_classes: int
) -> Forest:
    """Turn trees into the arrays of a forest.

    Parameters
    ----------
    trees : sequence of Tree
    codes : ndarray of int, shape (k,)
        Class of each column of their shares.
    n_features, n_classes : int
        Columns of the input and of the votes.
    """
    parts, base = [], 0
    for tree in trees:
        part = _tree_arrays(tree, codes, base)
        parts.append(part)
        base += len(part[1])
    depths, feature, threshold, child, label, seen = zip(*parts, strict=True)
    sizes = np.array([len(f) for f in feature])
    inner = np.concatenate(label) < 0
    shares = np.zeros((int((~inner).sum()), n_classes), np.float64)
    shares[:, codes] = np.concatenate(seen)[~inner]
    return Forest(
        roots=(np.cumsum(sizes) - sizes).astype(np.int32),
        depths=np.array(depths, np.int32),
        feature=np.concatenate(feature).astype(np.int16),
        threshold=np.concatenate(threshold),
        child=np.concatenate(child).astype(np.int32),
        label=np.concatenate(label).astype(np.int16),
        leaf=np.where(inner, -1, np.cumsum(~inner) - 1).astype(np.int32),
        shares=shares,
        n_features=n_features,
        n_classes=n_classes,
    )


def _tree_arrays(tree: Tree, codes: NDArray[np.integer], base: int) -> tuple[Any, ...]:
    """Return depth and node arrays of one tree, numbered level by level from `base`."""
    levels = [np.zeros(1, np.int64)]
    while True:
        inner = levels[-1][tree.left[levels[-1]] >= 0]
        if not len(inner):
            break
        levels.append(np.stack((tree.left[inner], tree.right[inner]), axis=1).ravel())
    order = np.concatenate(levels)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(base, base + len(order))
    left = tree.left[order]
    leaf = left < 0
    threshold = np.where(leaf, np.inf, _float32_below(tree.threshold[order]))
    seen = tree.shares[order]
    label = codes[seen.argmax(axis=1)]
    return (
        len(levels) - 1,
        np.where(leaf, 0, tree.feature[order]),
        threshold.astype(np.float32),
        np.where(leaf, place[order], place[left]),
        np.where(leaf, label, -1),
        seen,
    )


def _float32_below(value: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 ≤ each value: x ≤ value is the same for every float32 x."""
    near = value.astype(np.float32)
    return np.where(near > value, np.nextafter(near, np.float32(-np.inf)), near)


def grow_boosting(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    n_classes: int,
    rounds: int,
    depth: int,
    seed: int,
    min_leaf: int = 20,
) -> Boosting:
    """Fit a histogram gradient boosting with scikit-learn, one thread, and return it as arrays.

    Rare classes weigh more, as in the forest. The answer depends on the order of the rows: pass
    them in table order.

    Parameters
    ----------
    x : ndarray of float32, shape (n, features)
    y : ndarray of int64, shape (n,)
        Classes from 0, at least two of them.
    n_classes : int
        Columns of the votes; classes that `y` lacks get none.
    rounds : int
        Trees per class.
    depth : int
        Deepest tree; none has more than 31 leaves.
    seed : int
    min_leaf : int
        Fewest rows of a leaf.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=rounds,
        max_depth=depth,
        min_samples_leaf=min_leaf,
        class_weight="balanced",
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):
        return boosting_arrays(model.fit(x, y), n_classes)


def boosting_arrays(model: Any, n_classes: int) -> Boosting:
    """Turn a fitted ``HistGradientBoostingClassifier`` into arrays that decide as it does.

    Parameters
    ----------
    model : HistGradientBoostingClassifier
        Fitted on class numbers from 0, with numbers as features.
    n_classes : int
        Columns of the votes.

    Raises
    ------
    InputError
        If a tree has more than 32 leaves or asks for categories.
    """
    trees = [_masks(tree.nodes) for round_ in model._predictors for tree in round_]
    feature, threshold, keep, values = zip(*trees, strict=True)
    return Boosting(
        starts=np.cumsum([0, *(len(f) for f in feature)]).astype(np.int32),
        feature=np.concatenate(feature).astype(np.int16),
        threshold=_float32_below(np.concatenate(threshold)),
        keep=np.concatenate(keep).astype(np.uint32),
        values=np.stack(values),
        baseline=np.asarray(model._baseline_prediction, np.float64).ravel(),
        codes=np.asarray(model.classes_, np.int64),
        n_features=int(model.n_features_in_),
        n_classes=n_classes,
    )


def _masks(nodes: Any) -> tuple[Any, ...]:
    """Return features, thresholds and masks of the inner nodes, and the values of the leaves."""
    leaves = int(nodes["is_leaf"].sum())
    if leaves > MAX_LEAVES or nodes["is_categorical"].any():
        raise InputError(
            f"a tree has {leaves} leaves or asks for categories",
            "boosting_arrays(model=...)",
            f"fit with max_leaf_nodes of at most {MAX_LEAVES}, on numbers",
        )
    values = np.zeros(MAX_LEAVES, np.float64)
    inner, keep = [], []
    count = 0

    def number(at: int) -> int:
        """Give the leaves below a node numbers from left to right; return their bits."""
        nonlocal count
        node = nodes[at]
        if node["is_leaf"]:
            values[SLOTS[count]] = node["value"]
            count += 1
            return 1 << (count - 1)
        left = number(int(node["left"]))
        inner.append(at)
        keep.append(int(ALL_LEAVES) & ~left)
        return left | number(int(node["right"]))

    number(0)
    order = np.array(inner, np.int64)
    return nodes["feature_idx"][order], nodes["num_threshold"][order], keep, values
