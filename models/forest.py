"""Forest inference: flat node arrays, integer votes, the class that scikit-learn decides.

Nodes of all trees lie in one array, level by level, the two children of a node side by side. A leaf
points at itself with an infinite threshold, so that every row takes the same number of steps and
the kernel has no branch to mispredict.

A forest answers in two ways. `votes`: each tree has one vote, for the heaviest class of the leaf;
whole numbers, to be added up over the pixels of a component. `classes_at`: the class of a row as
scikit-learn decides it, which adds the class shares of the leaves, tree by tree in float64. Adding
eight such columns costs more than walking the tree; the shares are whole numbers here, four classes
to a machine word, less than 1 off per tree. Where two classes lie closer than that allows, the
float64 shares are added as scikit-learn adds them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from tiles.compiled import inner, kernel

__all__ = [
    "Forest",
    "add_shares",
    "add_words",
    "classes_at",
    "count_votes",
    "predict",
    "votes",
    "whole_shares",
]

ROWS = 512
"""Rows that walk through a tree together: they share what the cache holds of it."""

CALM_STEPS = 12
"""Steps that all rows take; from then on, every few steps, those in a leaf are left out."""

FURTHER_STEPS = 4
"""Steps between two looks for rows in a leaf."""

LANES = 4
"""Classes in a machine word of 64 bits."""

LANE_TOP = 2**16 - 1
"""Largest sum of a class in its lane of a word."""

MAX_DEPTH = 64
"""Deeper trees are not read from files."""


@dataclass(frozen=True)
class Forest:
    """A fitted forest as arrays.

    Attributes
    ----------
    roots : ndarray of int32, shape (trees,)
        First node of each tree.
    depths : ndarray of int32, shape (trees,)
        Steps from the root to the deepest leaf.
    feature : ndarray of int16, shape (nodes,)
        Column that the node asks for; 0 at leaves.
    threshold : ndarray of float32, shape (nodes,)
        A row goes to the first child if its value ≤ threshold; +inf at leaves.
    child : ndarray of int32, shape (nodes,)
        First child, the second one follows it; a leaf names itself.
    label : ndarray of int16, shape (nodes,)
        Class from 0 that a leaf votes for; −1 at inner nodes.
    leaf : ndarray of int32, shape (nodes,)
        Row of `shares`; −1 at inner nodes.
    shares : ndarray of float64, shape (leaves, classes)
        Share of each class in a leaf, 0–1.
    n_features, n_classes : int
        Columns of the input and of the votes.
    """

    roots: NDArray[np.int32]
    depths: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    child: NDArray[np.int32]
    label: NDArray[np.int16]
    leaf: NDArray[np.int32]
    shares: NDArray[np.float64]
    n_features: int
    n_classes: int

    @classmethod
    def empty(cls, n_features: int, n_classes: int) -> "Forest":
        """Return a forest without trees: it never votes."""
        whole, short = np.empty(0, np.int32), np.empty(0, np.int16)
        cuts, shares = np.empty(0, np.float32), np.empty((0, n_classes), np.float64)
        return cls(*(whole, whole, short, cuts, whole, short, whole, shares), n_features, n_classes)

    @property
    def trees(self) -> int:
        """Number of trees."""
        return len(self.roots)

    @cached_property
    def words(self) -> NDArray[np.uint64]:
        """Shares as whole numbers, four classes to a word: shape (words, leaves)."""
        return _packed(whole_shares(self.shares, LANE_TOP // max(1, self.trees)))

    def fault(self) -> str:
        """Say what would make the kernel read beyond the arrays; "" where every walk ends well."""
        kinds = {"roots": "i4", "depths": "i4", "feature": "i2", "threshold": "f4", "child": "i4"}
        kinds |= {"label": "i2", "leaf": "i4", "shares": "f8"}
        if any(getattr(self, name).dtype != kind for name, kind in kinds.items()):
            return "its arrays are not of the types of a forest"
        nodes = np.arange(self.label.size)
        inner = self.label < 0
        columns = (self.feature, self.threshold, self.child, self.label, self.leaf)
        if {a.shape for a in columns} != {nodes.shape}:
            return "the node arrays differ in length"
        if self.depths.shape != self.roots.shape or not _within(self.roots, len(nodes)):
            return "the roots are no nodes"
        if not _within(self.depths, MAX_DEPTH):
            return f"trees are deeper than {MAX_DEPTH}"
        if not (
            _within(self.feature, self.n_features) and _within(self.label + 1, self.n_classes + 1)
        ):
            return f"a node asks beyond {self.n_features} features or {self.n_classes} classes"
        if not _within(self.leaf[~inner], len(self.shares)):
            return "a leaf has no shares"
        if self.shares.shape[1:] != (self.n_classes,) or not (abs(self.shares - 0.5) <= 0.5).all():
            return "the shares of a leaf are none"
        first = self.child[inner]
        if not _within(first, len(nodes) - 1) or (first <= nodes[inner]).any():
            return "a child stands before its parent or beyond the nodes"
        if (self.child != nodes)[~inner].any() or (self.threshold != np.inf)[~inner].any():
            return "a leaf leads further"
        height = np.zeros(len(nodes), np.int64)
        for _ in range(int(self.depths.max(initial=0))):
            height[inner] = 1 + np.maximum(height[first], height[first + 1])
        after = np.maximum(height[first], height[first + 1]) + 1
        if (after != height[inner]).any() or (height[self.roots] > self.depths).any():
            return "a walk does not end at a leaf"
        return ""


def _within(numbers: NDArray[np.integer], end: int) -> bool:
    return bool(((numbers >= 0) & (numbers < end)).all())


def votes(forest: Forest, x: NDArray[np.float32]) -> NDArray[np.int32]:
    """Count for each row how many trees vote for each class.

    Parameters
    ----------
    forest : Forest
        The fitted forest.
    x : ndarray of float32, shape (n, n_features)
        Features, finite.

    Returns
    -------
    ndarray of int32, shape (n, n_classes)
        Each row sums to the number of trees.

    Raises
    ------
    InputError
        If `x` does not have the columns the forest was grown on.

    References
    ----------
    .. [1] Breiman (2001). Random forests. doi:10.1023/A:1010933404324
    """
    x = _checked(forest, x)
    out = np.zeros((len(x), forest.n_classes), np.int32)
    count_votes(x, *_nodes(forest), forest.label, out)
    return out


def predict(counts: NDArray[np.number]) -> NDArray[np.int64]:
    """Return the class with most votes along the last axis; ties go to the smaller number."""
    return np.asarray(counts.argmax(axis=-1), np.int64)


def classes_at(forest: Forest, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class of each row that ``RandomForestClassifier.predict`` returns.

    Parameters
    ----------
    forest : Forest
        With at least one tree.
    x : ndarray of float32, shape (n, n_features)
        Features, finite.

    Returns
    -------
    ndarray of int64, shape (n,)
        Classes from 0; exact ties go to the smaller one, as there.

    Raises
    ------
    InputError
        If `x` does not have the columns the forest was grown on.
    """
    x = _checked(forest, x)
    words = np.zeros((len(x), len(forest.words)), np.uint64)
    add_words(x, *_nodes(forest), forest.leaf, forest.words, words)
    counts = _unpacked(words, forest.n_classes)
    found = predict(counts)
    if forest.n_classes > 1 and len(x):
        ranked = np.partition(counts, -2, axis=1)
        close = np.flatnonzero(ranked[:, -1] - ranked[:, -2] <= 2 * forest.trees)
        total = np.zeros((len(close), forest.n_classes), np.float64)
        add_shares(x[close], *_nodes(forest), forest.leaf, forest.shares, total)
        found[close] = predict(total / forest.trees)
    return found


def whole_shares(shares: NDArray[np.float64], unit: int) -> NDArray[np.int64]:
    """Turn shares (row, class) into whole numbers that sum to `unit` per row, each less than 1 off.

    What is left after rounding down goes to the largest remainders, ties to the smaller class.
    """
    exact = shares * unit
    floor = np.floor(exact)
    left = np.rint(unit - floor.sum(axis=1)).astype(np.int64)
    rank = (floor - exact).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return np.asarray(floor.astype(np.int64) + (rank < left[:, None]), np.int64)


def _packed(whole: NDArray[np.int64]) -> NDArray[np.uint64]:
    out = np.zeros((-(-whole.shape[1] // LANES), len(whole)), np.uint64)
    for number in range(whole.shape[1]):
        shift = np.uint64(16 * (number % LANES))
        out[number // LANES] |= whole[:, number].astype(np.uint64) << shift
    return out


def _unpacked(words: NDArray[np.uint64], n_classes: int) -> NDArray[np.int32]:
    shifts = np.arange(0, 16 * LANES, 16, dtype=np.uint64)
    lanes = (words[:, :, None] >> shifts) & np.uint64(LANE_TOP)
    return lanes.reshape(len(words), -1)[:, :n_classes].astype(np.int32)


_Nodes = tuple[
    NDArray[np.int32], NDArray[np.int32], NDArray[np.int16], NDArray[np.float32], NDArray[np.int32]
]


def _nodes(forest: Forest) -> _Nodes:
    return forest.roots, forest.depths, forest.feature, forest.threshold, forest.child


def _checked(forest: Forest, x: NDArray[np.float32]) -> NDArray[np.float32]:
    if x.ndim != 2 or x.shape[1] != forest.n_features:
        raise InputError(
            f"features have shape {x.shape}, the forest was grown on {forest.n_features} columns",
            "forest.votes(x=...)",
            "compute the features with the bands of the fitted state",
        )
    return np.ascontiguousarray(x, np.float32)


@inner
def walk(
    part: NDArray[np.float32],  # (row, feature)
    root: int,
    depth: int,
    feature: NDArray[np.int16],  # (node,)
    threshold: NDArray[np.float32],  # (node,)
    child: NDArray[np.int32],  # (node,)
    node: NDArray[np.uint32],  # (row,), written: the leaf each row ends in
    row: NDArray[np.uint32],  # (row,), overwritten
    at: NDArray[np.uint32],  # (row,), overwritten
) -> None:
    """Walk rows down one tree."""
    left = part.shape[0]
    for i in range(left):
        node[i] = np.uint32(root)
    for _ in range(min(depth, CALM_STEPS)):
        for i in range(left):
            k = node[i]
            step = part[i, np.uint16(feature[k])] > threshold[k]
            node[i] = np.uint32(child[k]) + np.uint32(step)
    for done in range(CALM_STEPS, depth, FURTHER_STEPS):
        moving = 0
        for j in range(left):
            who = np.uint32(j) if done == CALM_STEPS else row[j]
            last = node[who] if done == CALM_STEPS else at[j]
            node[who] = last
            if np.uint32(child[last]) != last:
                row[moving] = who
                at[moving] = last
                moving += 1
        left = moving
        for _ in range(FURTHER_STEPS):
            for j in range(left):
                k = at[j]
                step = part[row[j], np.uint16(feature[k])] > threshold[k]
                at[j] = np.uint32(child[k]) + np.uint32(step)
    if depth > CALM_STEPS:
        for j in range(left):
            node[row[j]] = at[j]


@kernel
def count_votes(
    x: NDArray[np.float32],  # (row, feature)
    roots: NDArray[np.int32],  # (tree,)
    depths: NDArray[np.int32],  # (tree,)
    feature: NDArray[np.int16],  # (node,)
    threshold: NDArray[np.float32],  # (node,)
    child: NDArray[np.int32],  # (node,)
    label: NDArray[np.int16],  # (node,)
    out: NDArray[np.int32],  # (row, class), added to
) -> None:
    """Add one vote per row and tree to `out`; the kernel of `votes`."""
    node, row, at = np.empty(ROWS, np.uint32), np.empty(ROWS, np.uint32), np.empty(ROWS, np.uint32)
    for start in range(0, x.shape[0], ROWS):
        part = x[start : min(start + ROWS, x.shape[0])]
        for tree in range(roots.shape[0]):
            walk(part, roots[tree], depths[tree], feature, threshold, child, node, row, at)
            for i in range(part.shape[0]):
                out[start + i, np.uint16(label[node[i]])] += 1


@kernel
def add_words(
    x: NDArray[np.float32],  # (row, feature)
    roots: NDArray[np.int32],  # (tree,)
    depths: NDArray[np.int32],  # (tree,)
    feature: NDArray[np.int16],  # (node,)
    threshold: NDArray[np.float32],  # (node,)
    child: NDArray[np.int32],  # (node,)
    leaf: NDArray[np.int32],  # (node,)
    words: NDArray[np.uint64],  # (word, leaf)
    out: NDArray[np.uint64],  # (row, word), written
) -> None:
    """Add the packed shares of all trees; the kernel of `classes_at`."""
    node, row, at = np.empty(ROWS, np.uint32), np.empty(ROWS, np.uint32), np.empty(ROWS, np.uint32)
    total = np.empty((words.shape[0], ROWS), np.uint64)
    for start in range(0, x.shape[0], ROWS):
        part = x[start : min(start + ROWS, x.shape[0])]
        total[:] = 0
        for tree in range(roots.shape[0]):
            walk(part, roots[tree], depths[tree], feature, threshold, child, node, row, at)
            for i in range(part.shape[0]):
                node[i] = np.uint32(leaf[node[i]])
            for w in range(words.shape[0]):
                sums, word = total[w], words[w]
                for i in range(part.shape[0]):
                    sums[i] += word[node[i]]
        for i in range(part.shape[0]):
            for w in range(words.shape[0]):
                out[start + i, w] = total[w, i]


@kernel
def add_shares(
    x: NDArray[np.float32],  # (row, feature)
    roots: NDArray[np.int32],  # (tree,)
    depths: NDArray[np.int32],  # (tree,)
    feature: NDArray[np.int16],  # (node,)
    threshold: NDArray[np.float32],  # (node,)
    child: NDArray[np.int32],  # (node,)
    leaf: NDArray[np.int32],  # (node,)
    shares: NDArray[np.float64],  # (leaf, class)
    out: NDArray[np.float64],  # (row, class), added to
) -> None:
    """Add the shares of all trees to `out` in the order of the trees, as scikit-learn does."""
    node, row, at = np.empty(ROWS, np.uint32), np.empty(ROWS, np.uint32), np.empty(ROWS, np.uint32)
    for start in range(0, x.shape[0], ROWS):
        part = x[start : min(start + ROWS, x.shape[0])]
        for tree in range(roots.shape[0]):
            walk(part, roots[tree], depths[tree], feature, threshold, child, node, row, at)
            for i in range(part.shape[0]):
                for c in range(shares.shape[1]):
                    out[start + i, c] += shares[leaf[node[i]], c]
