"""Pieces of one thing that hang together over ground which was not observed."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

__all__ = ["areal", "joined_over"]


def joined_over(hidden: Any, shapes: Sequence[Any], reach: float) -> list[list[int]]:
    """Return which outlines hang together over hidden ground, as lists of their places.

    Parameters
    ----------
    hidden : Polygon or MultiPolygon
        Ground that was not observed; empty: every outline stands alone.
    shapes : sequence of Polygon or MultiPolygon
    reach : float
        Width of the rim around hidden ground that tells nothing, in units of the CRS.
    """
    if hidden.is_empty or len(shapes) < 2:
        return [[i] for i in range(len(shapes))]
    whole = shapely.union_all([shapely.buffer(hidden, reach), *shapes])
    parts = shapely.get_parts(whole)
    groups: dict[int, list[int]] = defaultdict(list)
    for i, shape in enumerate(shapes):
        (held,) = np.flatnonzero(shapely.intersects(parts, shapely.point_on_surface(shape)))
        groups[int(held)].append(i)
    return sorted(groups.values())


def areal(shape: Any) -> Any:
    """Return the polygons of a geometry."""
    parts = shapely.get_parts(shape)
    parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
