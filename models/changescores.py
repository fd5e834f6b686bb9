"""How good a change map is beside a truth of every pixel: pixels, patches, outlines."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.accuracy import confusion, kappa

__all__ = [
    "SIZE_CLASSES_M2",
    "PatchScores",
    "PixelScores",
    "boundary_iou",
    "score_patches",
    "score_pixels",
]

Mask = NDArray[np.bool_]

SIZE_CLASSES_M2 = (0.0, 1000.0, 3000.0, 10_000.0, 50_000.0)
"""Lower limits of the classes of patches by area: 0.1, 0.3, 1 and 5 ha."""


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _f1(precision: float | None, recall: float | None) -> float | None:
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@dataclass(frozen=True)
class PixelScores:
    """Counts of pixels and what follows from them; None where nothing can be said.

    Attributes
    ----------
    hits, false_alarms, misses, quiet : int
        Pixels changed in both, in the map only, in the truth only, in neither.
    """

    hits: int
    false_alarms: int
    misses: int
    quiet: int

    @property
    def precision(self) -> float | None:
        """Share of the mapped change that is true."""
        return _ratio(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Share of the true change that is mapped."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _f1(self.precision, self.recall)

    @property
    def iou(self) -> float | None:
        """Intersection over union of the change."""
        return _ratio(self.hits, self.hits + self.false_alarms + self.misses)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa."""
        return kappa(np.array([[self.quiet, self.false_alarms], [self.misses, self.hits]]))


def score_pixels(truth: Mask, mapped: Mask, valid: Mask) -> PixelScores:
    """Count pixels.

    Parameters
    ----------
    truth, mapped : ndarray of bool, shape (y, x)
        True where something changed.
    valid : ndarray of bool, shape (y, x)
        Pixels that count.
    """
    counts = confusion(truth[valid].astype(np.int64), mapped[valid].astype(np.int64), 2)
    return PixelScores(int(counts[1, 1]), int(counts[0, 1]), int(counts[1, 0]), int(counts[0, 0]))


@dataclass(frozen=True)
class PatchScores:
    """Patches of one size class.

    Attributes
    ----------
    from_m2 : float
        Lower limit of the class.
    true_patches, found : int
        Patches of the truth, and those that the map finds.
    mapped_patches, right : int
        Patches of the map, and those that the truth confirms.
    """

    from_m2: float
    true_patches: int
    found: int
    mapped_patches: int
    right: int

    @property
    def recall(self) -> float | None:
        """Share of the true patches that are found."""
        return _ratio(self.found, self.true_patches)

    @property
    def precision(self) -> float | None:
        """Share of the mapped patches that are right."""
        return _ratio(self.right, self.mapped_patches)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _f1(self.precision, self.recall)


def score_patches(
    truth: Mask,
    mapped: Mask,
    valid: Mask,
    *,
    pixel_m2: float,
    share: float = 0.5,
    limits_m2: Sequence[float] = SIZE_CLASSES_M2,
) -> tuple[PatchScores, ...]:
    """Count patches found and confirmed, by size class.

    A true patch is found where the map covers at least `share` of it; a mapped patch is right where
    the truth covers at least `share` of it. Patches are joined over corners.

    Parameters
    ----------
    truth, mapped, valid : ndarray of bool, shape (y, x)
    pixel_m2 : float
        Area of a pixel.
    share : float
        0–1.
    limits_m2 : sequence of float
        Lower limits of the size classes, rising.
    """
    one, two = truth & valid, mapped & valid
    (size_true, hit_true), (size_map, hit_map) = _covered(one, two), _covered(two, one)
    limits = [*limits_m2, np.inf]
    scores = []
    for low, high in pairwise(limits):
        of_true = (size_true * pixel_m2 >= low) & (size_true * pixel_m2 < high)
        of_map = (size_map * pixel_m2 >= low) & (size_map * pixel_m2 < high)
        found = int((of_true & (hit_true >= share * size_true)).sum())
        right = int((of_map & (hit_map >= share * size_map)).sum())
        scores.append(PatchScores(low, int(of_true.sum()), found, int(of_map.sum()), right))
    return tuple(scores)


def _covered(patches: Mask, other: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pixels of each patch, and how many of them the other mask holds."""
    labels, count = ndimage.label(patches, structure=np.ones((3, 3), np.bool_))
    sizes = np.bincount(labels[patches], minlength=count + 1)[1:]
    both = np.bincount(labels[patches & other], minlength=count + 1)[1:]
    return sizes, both


def boundary_iou(truth: Mask, mapped: Mask, valid: Mask, *, distance_px: int) -> float | None:
    """Return the intersection over union of the inner rims of the patches.

    Parameters
    ----------
    truth, mapped, valid : ndarray of bool, shape (y, x)
    distance_px : int
        Width of the rim in pixels.

    References
    ----------
    .. [1] Cheng, Girshick, Dollár, Berg, Kirillov (2021). Boundary IoU: improving object-centric
       image segmentation evaluation. doi:10.1109/CVPR46437.2021.01508
    """
    rims = [_rim(mask & valid, distance_px) for mask in (truth, mapped)]
    union = int((rims[0] | rims[1]).sum())
    return int((rims[0] & rims[1]).sum()) / union if union else None


def _rim(mask: Mask, distance_px: int) -> Mask:
    inner: Mask = ndimage.binary_erosion(
        mask, np.ones((3, 3), np.bool_), iterations=distance_px, border_value=1
    )
    return mask & ~inner
