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
