"""When a patch counts as having found a change: the same for the product and for simple methods."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FOUND_SHARE", "LARGE_M2", "PATCH_SHARE", "Matching", "f1", "match"]

FOUND_SHARE = 0.30
"""A change is found if patches cover at least this share of it."""

PATCH_SHARE = 0.15
"""A patch counts as true if at least this share of it lies on changes; a larger one is a blot."""

LARGE_M2 = 3000.0
"""Changes from this size on count for the recall."""


@dataclass(frozen=True)
class Matching:
    """Changes and patches set against each other.

    Attributes
    ----------
    found : ndarray of bool, shape (change,)
    merged : ndarray of bool, shape (change,)
        Not found, but covered by patches that are mostly something else.
    true : ndarray of bool, shape (patch,)
    patch : ndarray of int64, shape (change,)
        The true patch that covers most of the change; −1 where there is none.
    """

    found: NDArray[np.bool_]
    merged: NDArray[np.bool_]
    true: NDArray[np.bool_]
    patch: NDArray[np.int64]

    def recall(self, change_m2: NDArray[np.float64]) -> float:
        """Return the share of changes of at least `LARGE_M2` that were found."""
        large = change_m2 >= LARGE_M2
        return float(self.found[large].mean()) if large.any() else 1.0

    def precision(self) -> float:
        """Return the share of true patches; 1 where there are none."""
        return float(self.true.mean()) if len(self.true) else 1.0


def match(
    common_m2: NDArray[np.float64], change_m2: NDArray[np.float64], patch_m2: NDArray[np.float64]
) -> Matching:
    """Match changes with patches by the area they share.

    Parameters
    ----------
    common_m2 : ndarray of float64, shape (change, patch)
        Area in common.
    change_m2, patch_m2 : ndarray of float64
        Areas.
    """
    true = common_m2.sum(axis=0) >= PATCH_SHARE * patch_m2
    by_true = np.where(true, common_m2, 0.0)
    found = by_true.sum(axis=1) >= FOUND_SHARE * change_m2
    touched = common_m2.sum(axis=1) >= FOUND_SHARE * change_m2
    patch = np.full(len(change_m2), -1, np.int64)
    if len(patch_m2):
        best = by_true.argmax(axis=1)
        patch = np.where(by_true.max(axis=1) > 0, best, -1).astype(np.int64)
    return Matching(found, touched & ~found, true, patch)


def f1(recall: float, precision: float) -> float:
    """Return the harmonic mean."""
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0
