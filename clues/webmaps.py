"""Is a boundary from a web map? Those of China are shifted by some hundred metres (GCJ-02).

The shift cannot be seen in one layer alone. Two things give it away: fields that only exports of
web maps have, and an outline that fits another layer of the county once the shift is undone. Both
are evidence for a question, never a reason to move anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from tiles.geodesy import metres_per_unit

__all__ = ["Suspicion", "suspect_fields", "suspect_shift", "to_gcj02", "undo_gcj02"]

EXPORT_FIELDS = frozenset(
    {"adcode", "childrennum", "acroutes", "subfeatureindex", "centroid", "citycode", "adchar"}
)
NEAR_M = 1500.0
MIN_VERTICES = 20
MIN_SHIFT_M = 100.0
FIT = 0.25
"""Largest remaining distance, as a share of the distance before, that says that the shift fits."""

KRASOVSKY_A, KRASOVSKY_E2 = 6378245.0, 0.00669342162296594323

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Suspicion:
    """Why a layer may be in GCJ-02, in both languages."""

    zh: str
    en: str


def to_gcj02(lonlat: Points) -> Points:
    """Return longitudes and latitudes with the shift of web maps in China, shape (n, 2)."""
    x, y = lonlat[:, 0] - 105.0, lonlat[:, 1] - 35.0
    root = np.sqrt(np.abs(x))
    waves = 2 / 3 * (20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x))
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves
    d_lat += 2 / 3 * (20 * np.sin(np.pi * y) + 40 * np.sin(np.pi / 3 * y))
    d_lat += 2 / 3 * (160 * np.sin(np.pi / 12 * y) + 320 * np.sin(np.pi / 30 * y))
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves
    d_lon += 2 / 3 * (20 * np.sin(np.pi * x) + 40 * np.sin(np.pi / 3 * x))
    d_lon += 2 / 3 * (150 * np.sin(np.pi / 12 * x) + 300 * np.sin(np.pi / 30 * x))
    lat = np.radians(lonlat[:, 1])
    magic = 1 - KRASOVSKY_E2 * np.sin(lat) ** 2
    meridian = KRASOVSKY_A * (1 - KRASOVSKY_E2) / magic**1.5
    parallel = KRASOVSKY_A / np.sqrt(magic) * np.cos(lat)
    shift = np.column_stack([np.degrees(d_lon / parallel), np.degrees(d_lat / meridian)])
    return np.asarray(lonlat + shift)


def undo_gcj02(lonlat: Points) -> Points:
    """Return the points whose shifted places are `lonlat`, to about 1e-9 degrees."""
    guess = np.array(lonlat, dtype=np.float64)
    for _ in range(6):
        guess += lonlat - to_gcj02(guess)
    return guess


def suspect_fields(columns: Iterable[str]) -> Suspicion | None:
    """Return a suspicion where two or more fields are those of web-map exports."""
    found = sorted(c for c in columns if c.casefold() in EXPORT_FIELDS)
    if len(found) < 2:
        return None
    names = ", ".join(found)
    return Suspicion(
        f"字段 {names} 为互联网地图导出数据所特有，其坐标通常为 GCJ-02",
        f"the fields {names} are those of web-map exports, whose coordinates usually are GCJ-02",
    )


def suspect_shift(outline: Points, reference: NDArray[np.object_]) -> Suspicion | None:
    """Return a suspicion where an outline fits the reference only with the shift undone.

    Parameters
    ----------
    outline : ndarray of float64, shape (n, 2)
        Vertices of the layer in question, degrees.
    reference : ndarray of geometry
        Lines of a layer whose place is known, degrees.

    Returns
    -------
    Suspicion or None
        None also where fewer than 20 vertices lie within 1.5 km of the reference.
    """
    if len(outline) < MIN_VERTICES:
        return None
    scale = np.array(metres_per_unit("EPSG:4490", *outline.mean(axis=0)))
    lines = shapely.transform(reference, lambda xy: xy * scale)
    tree = shapely.STRtree(lines)
    before = _distances(outline * scale, tree, lines)
    near = before <= NEAR_M
    if near.sum() < MIN_VERTICES:
        return None
    after = _distances(undo_gcj02(outline[near]) * scale, tree, lines)
    was, rest = float(np.median(before[near])), float(np.median(after))
    if was < MIN_SHIFT_M or rest > FIT * was:
        return None
    count = int(near.sum())
    return Suspicion(
        f"{count} 个界址点与土地利用现状外界相距 {was:.0f} m（中位数），"
        f"按 GCJ-02 反算后仅 {rest:.0f} m",
        f"{count} vertices lie {was:.0f} m (median) off the outline of the land-use layer, "
        f"and {rest:.0f} m with the GCJ-02 shift undone",
    )


def _distances(points: Points, tree: shapely.STRtree, lines: NDArray[np.object_]) -> Points:
    shapes = shapely.points(points)
    _, distance = tree.query_nearest(shapes, return_distance=True, all_matches=False)
    return np.asarray(distance, dtype=np.float64)
