"""Forest inference: flat node arrays and integer votes, the same class as the trees that grew it.

Nodes of all trees lie in one array, level by level, the two children of a node side by side. A leaf
points at itself with an infinite threshold, so that every row takes the same number of steps and
the kernel has no branch to mispredict.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from configs.errors import InputError

__all__ = ["Forest", "count_votes", "predict", "votes"]

ROWS = 256
"""Rows that walk through a tree together; with 16 features they fill half of a 32 kB cache."""

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
    n_features, n_classes : int
        Columns of the input and of the votes.
    """

    roots: NDArray[np.int32]
    depths: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    child: NDArray[np.int32]
    label: NDArray[np.int16]
    n_features: int
    n_classes: int

    @classmethod
    def empty(cls, n_features: int, n_classes: int) -> "Forest":
        """Return a forest without trees: it never votes."""
        whole, short = np.empty(0, np.int32), np.empty(0, np.int16)
        return cls(
            whole, whole, short, np.empty(0, np.float32), whole, short, n_features, n_classes
        )

    @property
    def trees(self) -> int:
        """Number of trees."""
        return len(self.roots)

    def fault(self) -> str:
        """Say what would make the kernel read beyond the arrays; "" where every walk ends well."""
        kinds = {"roots": "i4", "depths": "i4", "feature": "i2", "threshold": "f4", "child": "i4"}
        if any(getattr(self, n).dtype != k for n, k in (kinds | {"label": "i2"}).items()):
            return "its arrays are not of the types of a forest"
        nodes = np.arange(self.label.size)
        inner = self.label < 0
        if {a.shape for a in (self.feature, self.threshold, self.child, self.label)} != {
            nodes.shape
        }:
            return "the node arrays differ in length"
        if self.depths.shape != self.roots.shape or not _within(self.roots, len(nodes)):
            return "the roots are no nodes"
        if not _within(self.depths, MAX_DEPTH):
            return f"trees are deeper than {MAX_DEPTH}"
        if not (
            _within(self.feature, self.n_features) and _within(self.label + 1, self.n_classes + 1)
        ):
            return f"a node asks beyond {self.n_features} features or {self.n_classes} classes"
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
    if x.ndim != 2 or x.shape[1] != forest.n_features:
        raise InputError(
            f"features have shape {x.shape}, the forest was grown on {forest.n_features} columns",
            "forest.votes(x=...)",
            "compute the features with the bands of the fitted state",
        )
    out = np.zeros((len(x), forest.n_classes), np.int32)
    count_votes(
        np.ascontiguousarray(x, np.float32),
        forest.roots,
        forest.depths,
        forest.feature,
        forest.threshold,
        forest.child,
        forest.label,
        out,
    )
    return out


def predict(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the class with most votes along the last axis; ties go to the smaller number."""
    return np.asarray(counts.argmax(axis=-1), np.int64)


@njit(nogil=True, cache=True)
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
    node = np.empty(ROWS, np.uint32)
    for start in range(0, x.shape[0], ROWS):
        n = min(ROWS, x.shape[0] - start)
        part = x[start : start + n]
        for tree in range(roots.shape[0]):
            root = np.uint32(roots[tree])
            for i in range(n):
                node[i] = root
            for _ in range(depths[tree]):
                for i in range(n):
                    at = node[i]
                    step = part[i, np.uint16(feature[at])] > threshold[at]
                    node[i] = np.uint32(child[at]) + np.uint32(step)
            for i in range(n):
                out[start + i, np.uint16(label[node[i]])] += 1
