"""Width and length of patches on the ground, as roads are measured."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.transitions import transitions
from tiles.geodesy import to_cgcs2000

__all__ = ["ground_lengths", "length_and_width", "mean_widths", "perimeters"]

SEMI_MAJOR = 6378137.0
ECCENTRICITY_2 = 0.006694380022900686


def perimeters(geometries: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """Return the perimeters in metres on the ground, holes included.

    Sides are measured with the radii of curvature of CGCS2000 at their middle, exact to 1 mm for
    sides below some kilometres.

    Parameters
    ----------
    geometries : ndarray of object, shape (n,)
        Polygons or multipolygons.
    crs : str
        CRS of their coordinates, x first.
    """
    rings, ring_of = _rings(geometries)
    return _summed(rings, ring_of, len(geometries), crs)


def ground_lengths(lines: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """Return the lengths of lines in metres on the ground, from any CRS; see `perimeters`."""
    return _summed(lines, np.arange(len(lines)), len(lines), crs)


def _summed(lines: Any, owner: NDArray[np.int64], n: int, crs: str) -> NDArray[np.float64]:
    """Sum up the sides of lines by owner."""
    points, part = shapely.get_coordinates(lines, return_index=True)
    out = np.zeros(n)
    if not len(points):
        return out
    lon, lat = np.radians(to_cgcs2000(points, crs)).T
    middle = (lat[1:] + lat[:-1]) / 2
    bend = 1 - ECCENTRICITY_2 * np.sin(middle) ** 2
    north = SEMI_MAJOR * (1 - ECCENTRICITY_2) / bend**1.5 * np.diff(lat)
    east = SEMI_MAJOR / np.sqrt(bend) * np.cos(middle) * np.diff(lon)
    same = part[1:] == part[:-1]
    np.add.at(out, owner[part[1:][same]], np.hypot(north, east)[same])
    return out


def _rings(geometries: NDArray[np.object_]) -> tuple[Any, NDArray[np.int64]]:
    polygons, owner = shapely.get_parts(geometries, return_index=True)
    rings, part = shapely.get_rings(polygons, return_index=True)
    return rings, np.asarray(owner[part], dtype=np.int64)


def length_and_width(
    perimeter: NDArray[np.float64], area: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sides of the rectangle with this perimeter (m) and area (m²).

    For a band, straight or bent, these are its length and mean width; for a compact shape both
    are half a side of the perimeter.

    Examples
    --------
    >>> length, width = length_and_width(np.array([168.0]), np.array([320.0]))
    >>> float(length[0]), float(width[0])
    (80.0, 4.0)
    """
    half = perimeter / 2
    root = np.sqrt(np.maximum(half * half - 4 * area, 0.0))
    return (half + root) / 2, (half - root) / 2


def mean_widths(perimeter: NDArray[np.float64], area: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean width of elongated shapes to 0.1 m, NaN for the others.

    What is elongated tells the transition table (``linear.elongation_min``).
    """
    length, width = length_and_width(perimeter, area)
    long = length >= transitions().linear.elongation_min * width
    return np.where(long, np.round(width, 1), np.nan)
