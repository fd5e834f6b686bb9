"""What makes the demo county easy or hard, and its dates."""

import datetime as dt
from dataclasses import dataclass

from configs.errors import InputError

__all__ = ["AFTER", "BEFORE", "COUNTY_CODE", "COUNTY_NAME", "Difficulty", "difficulty_of"]

BEFORE = dt.date(2025, 4, 18)
AFTER = dt.date(2025, 9, 6)
COUNTY_CODE = "999902"
COUNTY_NAME = "演示县"


@dataclass(frozen=True)
class Difficulty:
    """How much stands between the changes and whoever looks for them.

    Attributes
    ----------
    vigour : float
        Spread between fields of how much ground the crop covers, drawn anew at each date.
    flicker : float
        Relative brightness change of a parcel from one date to the other.
    pseudo : float
        Fields that only look changed, per true change.
    clouds : int
        Clouds on the after image; the before image has a third of them.
    open_edges : float
        Share of clouds whose mask misses a part of the edge.
    loose_shadows : int
        Cloud shadows the mask misses.
    hidden : int
        True changes that lie under a cloud.
    haze : float
        Strength of the haze.
    shift_px : tuple of float
        Misregistration of the after image (rows, columns).
    noise : float
        Sensor noise in reflectance.
    wrong_parcels : float
        Share of land-use polygons with a wrong class.
    small : float
        Share of changes between 0.1 and 0.3 ha.
    """

    vigour: float
    flicker: float
    pseudo: float
    clouds: int
    open_edges: float
    loose_shadows: int
    hidden: int
    haze: float
    shift_px: tuple[float, float]
    noise: float
    wrong_parcels: float
    small: float


_LEVELS = {
    1: Difficulty(0.03, 0.015, 0.3, 2, 0.0, 0, 0, 0.4, (0.2, -0.3), 0.0015, 0.04, 0.06),
    2: Difficulty(0.045, 0.022, 1.0, 4, 0.5, 1, 1, 1.0, (0.4, -0.7), 0.0025, 0.10, 0.12),
    3: Difficulty(0.09, 0.04, 1.5, 8, 1.0, 3, 3, 1.8, (-0.9, 0.8), 0.0040, 0.18, 0.20),
}


def difficulty_of(level: int) -> Difficulty:
    """Return the settings of a level, 1 (easy) to 3 (hard)."""
    if level not in _LEVELS:
        raise InputError(
            f"there is no difficulty {level}", "--difficulty", "choose 1 (easy), 2 or 3 (hard)"
        )
    return _LEVELS[level]
