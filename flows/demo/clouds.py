"""Clouds and their shadows over the demo county, with a mask that is good but not perfect."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from flows.demo.settings import Difficulty

__all__ = ["Sky", "make_sky"]

SHADOW_PX = (-24, 17)
"""Where a cloud's shadow falls: rows, columns (sun in the south-east)."""

WHITE = {"B02": 0.62, "B03": 0.61, "B04": 0.62, "B08": 0.66, "B11": 0.48, "B12": 0.38}
DIM = {"B02": 0.30, "B03": 0.38, "B04": 0.44, "B08": 0.55, "B11": 0.58, "B12": 0.60}
"""Share of light lost in a full shadow."""


@dataclass
class Sky:
    """What stands between the ground and the sensor at one date.

    Attributes
    ----------
    cloud, shadow : ndarray of float32, shape (y, x)
        Opacity and depth of shadow, 0–1.
    mask : ndarray of bool, shape (y, x)
        What the delivered mask says: True = not usable.
    loose : list of tuple
        What the mask misses: kind (``cloud_edge`` or ``shadow``) and a bool raster.
    """

    cloud: NDArray[np.float32]
    shadow: NDArray[np.float32]
    mask: NDArray[np.bool_]
    loose: list[tuple[str, NDArray[np.bool_]]] = field(default_factory=list)

    def over(self, band: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        """Return a band as seen through this sky."""
        lit = band * (1 - DIM[name] * self.shadow)
        return np.asarray(lit * (1 - self.cloud) + WHITE[name] * self.cloud, np.float32)


def _blob(
    size: int, row: float, col: float, radius: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the opacity of one cloud: an uneven disc with a soft edge."""
    y, x = np.ogrid[:size, :size]
    angle = np.arctan2(y - row, x - col)
    phase = rng.uniform(0, 2 * math.pi, 3)
    rim = 1 + 0.18 * np.sin(2 * angle + phase[0]) + 0.10 * np.sin(5 * angle + phase[1])
    depth = (radius * rim - np.hypot(y - row, x - col)) / 2.2
    return np.asarray(np.clip(0.5 + depth / 2, 0, 1), np.float32)


def _shifted(cloud: NDArray[np.float32]) -> NDArray[np.float32]:
    moved = ndimage.shift(cloud, SHADOW_PX, order=0, mode="constant")
    return np.asarray(ndimage.gaussian_filter(moved, 1.5), np.float32)


def make_sky(
    size: int,
    places: list[tuple[float, float]],
    level: Difficulty,
    rng: np.random.Generator,
) -> Sky:
    """Put clouds over the given pixels.

    Parameters
    ----------
    size : int
        Side of the image in pixels.
    places : list of (row, column)
        Centres; the last `level.loose_shadows` of them get a shadow that the mask misses, and the
        first ``level.open_edges`` share a mask that misses part of the edge.
    level : Difficulty
    rng : Generator

    Returns
    -------
    Sky
    """
    sky = Sky(
        np.zeros((size, size), np.float32),
        np.zeros((size, size), np.float32),
        np.zeros((size, size), bool),
    )
    near = np.ones((3, 3), bool)
    for i, (row, col) in enumerate(places):
        radius = float(rng.uniform(0.016, 0.03)) * max(size, 512)
        cloud = _blob(size, row, col, radius, rng)
        shade = _shifted(cloud)
        told = ndimage.binary_dilation(cloud > 0.05, near, iterations=2)
        if i < round(level.open_edges * len(places)):
            y, x = np.ogrid[:size, :size]
            side = rng.uniform(-math.pi, math.pi)
            turn = np.abs(np.angle(np.exp(1j * (np.arctan2(y - row, x - col) - side))))
            told &= ~((turn < 0.45) & (cloud < 0.85))
            sky.loose.append(("cloud_edge", (cloud > 0.05) & ~told))
        dark = ndimage.binary_dilation(shade > 0.08, near, iterations=1)
        if i >= len(places) - level.loose_shadows:
            sky.loose.append(("shadow", (shade > 0.3) & ~told))
        else:
            told = told | dark
        sky.cloud = np.maximum(sky.cloud, cloud)
        sky.shadow = np.maximum(sky.shadow, shade)
        sky.mask |= told
    sky.loose = [(kind, where & ~sky.mask) for kind, where in sky.loose]
    return sky
