"""Where a changed area ends: the outline that smoothing has pushed outwards is drawn back.

Smoothing spreads a change over its surroundings, so that a fixed threshold outlines it the larger
the stronger it is. On the edge of a wide change the smoothed magnitude is half of that inside; seen
through the exponents of the contextual score, with the local texture at its highest there, about
two thirds remain. A pixel therefore belongs to a change only if its score is at least that share
of the highest score nearby.
"""

import numpy as np
from numpy.typing import NDArray

from detect.kernels.windows import near_highest
from detect.magnitudes import smoothing_px

__all__ = ["EDGE_PERCENT", "edge_radius", "inside_edge"]

EDGE_PERCENT = 65
"""Percent of the highest score nearby that the edge of a wide change keeps: the halved magnitude
gives 0.5 ** (7/8) = 55, the texture, highest there, and the noise that the smoothing adds to both
sides about ten more. Without it areas come out 80 % too large (`benchmarks/attempts.md`)."""


def edge_radius(pixel_m: float) -> int:
    """Return how far, in pixels, the smoothing carries a change beyond its edge.

    Twice the standard deviation of the Gaussian less the pixel that an edge runs through; 0 where
    the smoothing stays within a pixel.
    """
    return max(0, round(2 * smoothing_px(pixel_m)) - 1)


def inside_edge(score: NDArray[np.uint16], radius: int) -> NDArray[np.bool_]:
    """Return which pixels have at least `EDGE_PERCENT` of the highest score within `radius`.

    Parameters
    ----------
    score : ndarray of uint16, shape (y, x)
    radius : int
        Half side of the square window; pixels closer to the border see less of it.
    """
    if radius == 0:
        return np.ones(score.shape, np.bool_)
    inside = np.empty(score.shape, np.bool_)
    near_highest(score, radius, np.uint32(EDGE_PERCENT), inside)
    return inside
