"""Patches: joined components as polygons with ids, areas, dates and change types."""

import base64
import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from configs.errors import InputError
from configs.vocabulary import change_type
from detect.components import Components
from detect.kernels.runs import link_runs, number_roots
from detect.kernels.trace import trace_rings
from tiles.geodesy import DM2_PER_M2, ellipsoidal_area, sheet_number, to_cgcs2000
from tiles.grid import AnalysisGrid

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = [
    "CivilDates",
    "PaintRuns",
    "outlines",
    "paint_runs",
    "paint_values",
    "patch_ids",
    "patch_table",
    "shape_facts",
    "with_classes",
]

CivilDates = tuple[dt.date | None, dt.date | None]
"""First and last civil date of an epoch; None where unknown."""

BATCH_RUNS = 500_000
"""Runs traced at once (about 100 MB on the way), unless one component has more."""

SEMI_MAJOR_M, E2 = 6378137.0, 0.006694380022900788  # CGCS2000 ellipsoid


class PaintRuns(NamedTuple):
    """Runs for the raster writer, sorted by (row, first), last column inclusive."""

    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    value: NDArray[np.uint8]


def outlines(components: Components, grid: AnalysisGrid) -> NDArray[np.object_]:
    """Return the outline of each component.

    Parameters
    ----------
    components : Components
    grid : AnalysisGrid
        Grid of the pixels.

    Returns
    -------
    ndarray of shapely Polygon or MultiPolygon, shape (components,)
        Valid, in the grid's CRS, shells counter-clockwise, rings from their north-west vertex,
        without vertices inside straight edges. A component whose parts touch only at corners is
        a MultiPolygon of them.
    """
    parts: list[NDArray[np.object_]] = []
    owners: list[NDArray[np.int64]] = []
    for runs, run_start, owner in _piece_batches(components):
        rings = trace_rings(runs[0], runs[1], runs[2], run_start)
        x, y = grid.xy(rings.row, rings.col)
        offsets = (rings.ring_start, rings.piece_start)
        parts.append(
            shapely.from_ragged_array(
                shapely.GeometryType.POLYGON, np.column_stack([x, y]), offsets
            )
        )
        owners.append(owner)
    result = np.empty(len(components), object)
    if parts:
        part, owner = np.concatenate(parts), np.concatenate(owners)
        several = np.bincount(owner, minlength=len(components)) > 1
        single = ~several[owner]
        result[owner[single]] = part[single]
        if several.any():
            number = np.cumsum(several) - 1
            result[several] = shapely.multipolygons(part[~single], indices=number[owner[~single]])
    return result


def _piece_batches(
    components: Components,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield runs (3, n) sorted by piece, the first run of each piece, the component of each."""
    row, first, last, comp = components.row, components.first, components.last, components.comp
    piece, parent = np.empty(len(row), np.int64), np.arange(len(row))
    link_runs(row, first, last, np.arange(len(row)), 0, parent)
    number_roots(parent, piece)
    order = np.lexsort((piece, comp))
    piece, comp = piece[order], comp[order]
    run_start = np.flatnonzero(np.diff(piece, prepend=-1, append=-1))
    owner = comp[run_start[:-1]]
    batch = run_start[:-1] // BATCH_RUNS
    edges = np.flatnonzero(np.diff(batch, prepend=-1, append=-1))
    for lo, hi in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        pick = order[run_start[lo] : run_start[hi]]
        starts = run_start[lo : hi + 1] - run_start[lo]
        yield np.array([row[pick], first[pick], last[pick]]), starts, owner[lo:hi]


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

    Returns
    -------
    GeoDataFrame
        ``area_dm2`` is the ellipsoidal area in 0.01 m², rounded half up; ``n_pixels`` counts
        filled holes, ``magnitude`` is the mean score of the other pixels; ``lon``, ``lat`` is a
        point inside on CGCS2000 and ``sheet`` its 1:10 000 sheet.

    Raises
    ------
    InputError
        If the grid lies where its CRS has no longitude and latitude, or `classes` has another
        number of rows.
    """
    import geopandas as gpd

    geometry = outlines(components, grid)
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
        "from_cover": _texts([""] * n),
        "to_cover": _texts([""] * n),
        "lon": lonlat[:, 0],
        "lat": lonlat[:, 1],
        "sheet": _texts([sheet_number(x, y) for x, y in lonlat.tolist()]),
    }
    table = gpd.GeoDataFrame(columns, geometry=geometry, crs=grid.crs)
    return table if classes is None else with_classes(table, classes)


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


def shape_facts(table: "gpd.GeoDataFrame") -> "pd.DataFrame":
    """Return the size and form of patches, which tell roads from plots.

    Width and length are those of the rectangle with the patch's area and half its perimeter as
    length + width, so that bends do not matter. For a long strip the width is close to
    2 × area / perimeter. The outline of pixels is longer than the edge it stands for; each corner
    is cut from edge middle to edge middle, which is exact along rows, columns and diagonals.

    Parameters
    ----------
    table : GeoDataFrame
        Columns ``area_dm2``, ``n_pixels`` (0 where the outline is not made of pixels) and
        ``geometry``.

    Returns
    -------
    DataFrame
        ``area_m2``, ``perimeter_m``, ``width_m``, ``length_m``, ``elongation`` (length / width,
        at least 1); index of the table.
    """
    import pandas as pd

    area = table["area_dm2"].to_numpy() / DM2_PER_M2
    pixels = table["n_pixels"].to_numpy()
    geometry = table.geometry.to_numpy()
    perimeter = _ground_lengths(geometry, str(table.crs))
    rings = shapely.get_num_coordinates(geometry) - _count_rings(geometry)
    side = np.sqrt(area / np.where(pixels > 0, pixels, 1)) * (pixels > 0)
    perimeter -= (1 - np.sqrt(0.5)) * side * rings
    half = np.maximum(perimeter / 2, 2 * np.sqrt(area))
    length = (half + np.sqrt(np.maximum(half**2 - 4 * area, 0))) / 2
    width = np.minimum(area / length, length)
    columns = {
        "area_m2": area,
        "perimeter_m": perimeter,
        "width_m": width,
        "length_m": length,
        "elongation": length / width,
    }
    return pd.DataFrame(columns, index=table.index)


def _count_rings(geometry: NDArray[np.object_]) -> NDArray[np.int64]:
    parts, owner = shapely.get_parts(geometry, return_index=True)
    count = np.zeros(len(geometry), np.int64)
    np.add.at(count, owner, 1 + shapely.get_num_interior_rings(parts))
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
