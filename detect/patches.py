"""Patches: joined components as polygons with ids, areas, dates and change types."""

import base64
import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.errors import InputError
from configs.transitions import transitions
from configs.vocabulary import change_type
from detect.components import Components
from detect.member_values import INDICES, STEPS, VALUES
from detect.outlines import outlines
from tiles.geodesy import DM2_PER_M2, ellipsoidal_area, sheet_number, to_cgcs2000
from tiles.grid import AnalysisGrid

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = [
    "CivilDates",
    "PaintRuns",
    "index_changes_of",
    "large_enough",
    "mean_widths",
    "paint_runs",
    "paint_values",
    "patch_ids",
    "patch_table",
    "shape_facts",
    "smooth_shares",
    "with_classes",
]

CivilDates = tuple[dt.date | None, dt.date | None]
"""First and last civil date of an epoch; None where unknown."""

SEMI_MAJOR_M, E2 = 6378137.0, 0.006694380022900788  # CGCS2000 ellipsoid


class PaintRuns(NamedTuple):
    """Runs for the raster writer, sorted by (row, first), last column inclusive."""

    row: NDArray[np.integer]
    first: NDArray[np.integer]
    last: NDArray[np.integer]
    value: NDArray[np.uint8]


def patch_ids(
    grid: AnalysisGrid,
    before: CivilDates,
    after: CivilDates,
    anchors: Iterable[tuple[int, int]],
) -> list[str]:
    """Return the stateless ids of patches from grid, civil dates and anchor pixel.

    ``T`` and the first 12 letters of base32(sha256(grid id | four dates | row | column)).
    """
    epochs = "/".join(day.isoformat() if day else "-" for day in (*before, *after))
    ids = []
    for row, col in anchors:
        digest = hashlib.sha256(f"{grid.grid_id}|{epochs}|{row}|{col}".encode()).digest()
        ids.append("T" + base64.b32encode(digest)[:12].decode())
    return ids


def patch_table(
    components: Components,
    grid: AnalysisGrid,
    *,
    before: CivilDates,
    after: CivilDates,
    classes: "pd.DataFrame | None" = None,
    county_code: str | None = None,
    county_name: str | None = None,
    smooth: bool = False,
) -> "gpd.GeoDataFrame":
    """Return the patches of an area, one per component and in their order.

    Parameters
    ----------
    components : Components
    grid : AnalysisGrid
        Grid of the pixels; its CRS is the table's.
    before, after : (date or None, date or None)
        First and last civil date of each epoch.
    classes : DataFrame, optional
        One row per component: ``from_cover``, ``to_cover``, ``change_type``, ``confidence``; see
        `with_classes`.
    county_code, county_name : str, optional
        Written to every row.
    smooth : bool
        Whether outlines are smoothed by half a pixel at most, see `detect.outlines`.

    Returns
    -------
    GeoDataFrame
        ``area_dm2`` is the ellipsoidal area of ``geometry`` in 0.01 m², rounded half up: what
        anyone measures on the outline that is handed over. Smoothing keeps the area of the
        pixels, whose number ``n_pixels`` counts with filled holes. ``width_m`` is the mean width
        of elongated patches, see `mean_widths`. ``magnitude`` is the mean score of the pixels
        that are no filled holes, ``magnitude_p90`` the 90th percentile of the member pixels' (all
        of a small patch, a fixed sample of a large one), ``ndvi_change`` and the like the means
        of theirs, NaN where not known. ``lon``, ``lat`` is a point inside on CGCS2000 and
        ``sheet`` its 1:10 000 sheet.

    Raises
    ------
    InputError
        If the grid lies where its CRS has no longitude and latitude, or `classes` has another
        number of rows.
    """
    import geopandas as gpd

    geometry = outlines(components, grid, smooth=smooth)
    n, unknown = len(geometry), change_type("unknown")
    anchors = zip(components.anchor_row.tolist(), components.anchor_col.tolist(), strict=True)
    lonlat = _inner_points(geometry, grid)
    scored = components.stats.pixels - components.filled
    area_dm2 = np.floor(ellipsoidal_area(geometry, grid.crs) * DM2_PER_M2 + 0.5)
    columns: dict[str, Any] = {
        "patch_id": _texts(patch_ids(grid, before, after, anchors)),
        "source_id": _texts([None] * n),
        "county_code": _texts([county_code] * n),
        "county_name": _texts([county_name] * n),
        "anchor_row": components.anchor_row,
        "anchor_col": components.anchor_col,
        "n_pixels": components.stats.pixels,
        "area_dm2": area_dm2.astype(np.int64),
        "width_m": np.full(n, np.nan),
        **{
            f"{name}_{end}": _texts([day] * n)
            for name, days in (("before", before), ("after", after))
            for end, day in zip(("from", "to"), days, strict=True)
        },
        "change_type": _texts([unknown.code] * n),
        "tblx": _texts([unknown.tblx] * n),
        "use": _texts([unknown.use] * n),
        "confidence": np.full(n, -1, np.int16),
        "magnitude": components.stats.score_sum / scored,
        "magnitude_p90": components.high_score,
        **index_changes_of(components),
        "from_cover": _texts([""] * n),
        "to_cover": _texts([""] * n),
        "lon": lonlat[:, 0],
        "lat": lonlat[:, 1],
        "sheet": _texts([sheet_number(x, y) for x, y in lonlat.tolist()]),
    }
    table = gpd.GeoDataFrame(columns, geometry=geometry, crs=grid.crs)
    table["width_m"] = mean_widths(shape_facts(table))
    return table if classes is None else with_classes(table, classes)


def index_changes_of(components: Components) -> dict[str, NDArray[np.float64]]:
    """Return the columns of index changes, after − before; NaN where the tiles told none."""
    told = components.values / STEPS
    if told.shape[1] < len(INDICES):
        told = np.full((len(components), len(INDICES)), np.nan)
    return {f"{name.lower()}_change": told[:, i] for i, name in enumerate(INDICES)}


def _inner_points(geometry: NDArray[np.object_], grid: AnalysisGrid) -> NDArray[np.float64]:
    """Return longitude, latitude of a point inside each outline."""
    points = shapely.get_coordinates(shapely.point_on_surface(geometry)).reshape(-1, 2)
    lonlat = to_cgcs2000(points, grid.crs) if len(points) else points
    if not np.isfinite(lonlat).all():
        raise InputError(
            f"pixels lie outside the area of {grid.crs}",
            "patch_table(components, grid)",
            "check the CRS of the images: their coordinates have no longitude and latitude",
        )
    return lonlat


def _texts(values: list[Any]) -> NDArray[np.object_]:
    result = np.empty(len(values), object)
    result[:] = values
    return result


def with_classes(table: "gpd.GeoDataFrame", classes: "pd.DataFrame") -> "gpd.GeoDataFrame":
    """Return the patches with the columns of `classes` in place of their own.

    Parameters
    ----------
    table : GeoDataFrame
        From `patch_table`.
    classes : DataFrame
        One row per patch, in the same order. ``change_type`` is a code of the vocabulary and
        gives ``tblx`` and ``use`` too, unless `classes` has them.

    Raises
    ------
    InputError
        If the number of rows differs.
    """
    if len(classes) != len(table):
        raise InputError(
            f"{len(classes)} classes for {len(table)} patches",
            "with_classes(table, classes)",
            "pass one row per patch, in the order of the table",
        )
    columns = {name: classes[name].to_numpy() for name in classes.columns}
    if "change_type" in columns:
        types = [change_type(code) for code in columns["change_type"]]
        columns.setdefault("tblx", _texts([t.tblx for t in types]))
        columns.setdefault("use", _texts([t.use for t in types]))
    return table.assign(**columns)


def large_enough(
    table: "gpd.GeoDataFrame", least_m2: Mapping[str, float] | None = None
) -> NDArray[np.bool_]:
    """Tell which patches reach the least area of their change type.

    Parameters
    ----------
    table : GeoDataFrame
        From `patch_table`, with change types.
    least_m2 : mapping of str to float, optional
        Square metres by code of a change type, in place of the vocabulary's.
    """
    given = dict(least_m2 or {})
    least = [given.get(code, change_type(code).least_m2) for code in table["change_type"]]
    large = table["area_dm2"].to_numpy() >= np.array(least, np.float64) * DM2_PER_M2
    return np.asarray(large, np.bool_)


def shape_facts(table: "gpd.GeoDataFrame") -> "pd.DataFrame":
    """Return the size and form of patches, which tell roads from plots.

    Width and length are those of the rectangle with the patch's area and half its perimeter as
    length + width, so that bends do not matter. For a long strip the width is close to
    2 × area / perimeter. The outline of pixels is longer than the edge it stands for; each right
    angle is cut half a pixel before and after the corner, which is exact along rows, columns and
    diagonals. Smoothed outlines have few of them left.

    Parameters
    ----------
    table : GeoDataFrame
        Columns ``area_dm2``, ``n_pixels`` (0 where the outline is not made of pixels) and
        ``geometry``.

    Returns
    -------
    DataFrame
        ``area_m2``, ``perimeter_m``, ``width_m``, ``length_m``, ``elongation`` (length / width,
        at least 1), ``pixel_m`` (0 where the outline is not made of pixels); index of the table.
    """
    import pandas as pd

    area = table["area_dm2"].to_numpy() / DM2_PER_M2
    pixels = table["n_pixels"].to_numpy()
    geometry = table.geometry.to_numpy()
    perimeter = _ground_lengths(geometry, str(table.crs))
    side = np.sqrt(area / np.where(pixels > 0, pixels, 1)) * (pixels > 0)
    perimeter -= (1 - np.sqrt(0.5)) * side * _right_angles(geometry)
    half = np.maximum(perimeter / 2, 2 * np.sqrt(area))
    length = (half + np.sqrt(np.maximum(half**2 - 4 * area, 0))) / 2
    width = np.minimum(area / length, length)
    columns = {
        "area_m2": area,
        "perimeter_m": perimeter,
        "width_m": width,
        "length_m": length,
        "elongation": length / width,
        "pixel_m": side,
    }
    return pd.DataFrame(columns, index=table.index)


def smooth_shares(components: Components) -> NDArray[np.float64]:
    """Return the share of even windows inside each component at the later date, NaN if unknown."""
    told = components.values.shape[1] == len(VALUES)
    return components.values[:, -1] / STEPS if told else np.full(len(components), np.nan)


def mean_widths(shapes: "pd.DataFrame") -> NDArray[np.float64]:
    """Return the mean width in metres, to 0.1 m, of elongated patches; NaN for the others.

    What is elongated tells the transition table (``linear.elongation_min``).

    Parameters
    ----------
    shapes : DataFrame
        From `shape_facts`.
    """
    long = shapes["elongation"].to_numpy() >= transitions().linear.elongation_min
    return np.where(long, np.round(shapes["width_m"].to_numpy(), 1), np.nan)


def _right_angles(geometry: NDArray[np.object_]) -> NDArray[np.int64]:
    """Count the corners of outlines at which two sides are at right angles on the grid."""
    parts, owner = shapely.get_parts(geometry, return_index=True)
    rings, part_of = shapely.get_rings(parts, return_index=True)
    points, ring_of = shapely.get_coordinates(rings, return_index=True)
    side, of = np.diff(points, axis=0), ring_of[:-1]
    inner = ring_of[1:] == of
    side, of = side[inner], of[inner]
    follows = np.arange(1, len(of) + 1)
    first = np.flatnonzero(np.diff(of, prepend=-1))
    if len(first):
        follows[np.append(first[1:], len(of)) - 1] = first
    other = side[follows]
    cosine = np.abs((side * other).sum(axis=1))
    square = cosine <= 1e-6 * np.hypot(*side.T) * np.hypot(*other.T)
    count = np.zeros(len(geometry), np.int64)
    np.add.at(count, owner[part_of[of[square]]], 1)
    return count


def _ground_lengths(geometry: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """Return perimeters in metres, in the plane that touches the ellipsoid at each side."""
    parts, owner = shapely.get_parts(geometry, return_index=True)
    rings, part_of = shapely.get_rings(parts, return_index=True)
    coordinates, ring_of = shapely.get_coordinates(rings, return_index=True)
    lon, lat = np.radians(to_cgcs2000(coordinates, crs)).T if len(coordinates) else np.empty((2, 0))
    same = ring_of[1:] == ring_of[:-1]
    middle = (lat[1:] + lat[:-1]) / 2
    curvature = 1 - E2 * np.sin(middle) ** 2
    east = np.diff(lon) * SEMI_MAJOR_M / np.sqrt(curvature) * np.cos(middle)
    north = np.diff(lat) * SEMI_MAJOR_M * (1 - E2) / curvature**1.5
    total = np.zeros(len(geometry))
    np.add.at(total, owner[part_of[ring_of[1:][same]]], np.hypot(east, north)[same])
    return total


def paint_values(table: "gpd.GeoDataFrame") -> NDArray[np.uint8]:
    """Return the value of each patch in the change raster: the number of its change type."""
    return np.array([change_type(code).number for code in table["change_type"]], np.uint8)


def paint_runs(components: Components, values: NDArray[np.integer]) -> PaintRuns:
    """Return the runs of all components with a value each, for the raster writer.

    The pixels painted with k are as many as the patches of value k have.

    Parameters
    ----------
    components : Components
    values : ndarray of int, shape (components,)
        0–255, in the order of the components.

    Raises
    ------
    InputError
        If the number of values differs or one does not fit.
    """
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if len(values) != len(components) or low < 0 or high > 255:
        raise InputError(
            f"{len(values)} values from {low} to {high} for {len(components)} components",
            "paint_runs(components, values)",
            "pass one value from 0 to 255 per component",
        )
    value = values.astype(np.uint8)[components.comp]
    return PaintRuns(components.row, components.first, components.last, value)
