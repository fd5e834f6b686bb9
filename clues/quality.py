"""Quality of layers, row by row: geometry made clean, keys made unique, defects reported.

A report row says which source row, field and value is wrong, what became of it (`effect`), and
the remedy. A document is never dropped for a bad attribute: that would turn an unreadable date
into "no approval". Its value becomes unknown; only rows that cannot be put on the map are left out.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from configs.problems import problem, reason_name

__all__ = [
    "DEGREE_GRID",
    "METRE_GRID",
    "REPORT_COLUMNS",
    "area_mismatches",
    "clean_geometries",
    "geometry_report",
    "overlapping_features",
    "polygon_parts",
    "report_rows",
    "unique_keys",
]

METRE_GRID = 0.001
"""Coordinates are kept to 1 mm."""

DEGREE_GRID = 1e-10
"""Coordinates in degrees are kept to about 0.01 mm, so that areas keep their 0.01 m²."""

REPORT_COLUMNS = [
    "source",
    "row",
    "key",
    "field",
    "value",
    "problem",
    "remedy",
    "effect",
    "code",
    "problem_zh",
    "remedy_zh",
]
"""`effect` is one of: row left out, value unknown, repaired, listed."""

MANY = 1000
"""From so many geometries on, threads are worth their start."""

GEOMETRY_CODES = {
    "no geometry": "no_geometry",
    "coordinates that are no numbers": "bad_coordinates",
    "no area on the map": "no_area",
}
"""Code of what `clean_geometries` says, but for the reasons why an outline is invalid."""

MIN_OVERLAP_M2 = 1.0
"""Overlaps within one layer below this come from digitising, not from the documents."""

AREA_DIFFERENCE = 0.05
"""Relative difference of a stated area from the drawn one that is worth a look."""

POLYGON_TYPES = (3, 6)


def report_rows(
    code: str,
    source: Any,
    rows: NDArray[np.int64],
    *,
    keys: NDArray[np.object_] | None = None,
    field: Any = "",
    values: Any = None,
    facts: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return report rows of one kind of defect.

    Parameters
    ----------
    code : str
        Kind of defect, see `configs.problems`.
    source : str or ndarray of object, shape (n,)
    rows : ndarray of int64, shape (n,)
        Source rows from 1.
    keys : ndarray of object, shape (n,), optional
    field, values : scalar or array
    facts : sequence of n mappings, or one mapping for all
        What the sentences of the defect name.
    """
    if not len(rows):
        dtypes = tuple(str(getattr(v, "dtype", type(v))) for v in (source, keys, field, values))
        if dtypes not in _NO_ROWS:
            _NO_ROWS[dtypes] = _report(code, source, rows, keys, field, values, facts)
        return _NO_ROWS[dtypes].copy()
    return _report(code, source, rows, keys, field, values, facts)


_NO_ROWS: dict[tuple[str, ...], pd.DataFrame] = {}
"""Reports without rows, by what tells the types of their columns: most reports are such."""


def _report(
    code: str,
    source: Any,
    rows: NDArray[np.int64],
    keys: NDArray[np.object_] | None,
    field: Any,
    values: Any,
    facts: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None,
) -> pd.DataFrame:
    kind = problem(code)
    each = [facts or {}] * len(rows) if facts is None or isinstance(facts, Mapping) else facts
    texts = {
        column: pd.Series([sentence.format(**f) for f in each], dtype=object)
        for column, sentence in (
            ("problem", kind.problem.en),
            ("remedy", kind.remedy.en),
            ("problem_zh", kind.problem.zh),
            ("remedy_zh", kind.remedy.zh),
        )
    }
    frame = pd.DataFrame(
        {"row": np.asarray(rows, np.int64), "source": source, "key": keys, "field": field}
        | {"value": values, **texts, "effect": kind.effect, "code": code}
    )
    frame["value"] = frame["value"].map(lambda v: None if v is None else str(v)).astype(object)
    return frame[REPORT_COLUMNS]


def geometry_report(
    source: str, problems: NDArray[np.object_], geometries: NDArray[np.object_]
) -> pd.DataFrame:
    """Return report rows of what `clean_geometries` found, by source row."""
    codes = np.array([GEOMETRY_CODES.get(p, "repaired_outline") for p in problems], dtype=object)
    codes[shapely.is_missing(geometries) & (codes == "repaired_outline")] = "lost_outline"
    frames = []
    for code in (*GEOMETRY_CODES.values(), "lost_outline", "repaired_outline"):
        rows = np.flatnonzero((codes == code) & (problems != ""))
        facts = [{"reason": p, "reason_zh": reason_name(p)} for p in problems[rows]]
        frames.append(report_rows(code, source, rows + 1, field="geometry", facts=facts))
    return pd.concat(frames, ignore_index=True)


def polygon_parts(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return geometries with only their polygons, as Polygon or MultiPolygon; None where none."""
    result = np.array(geometries, dtype=object)
    kinds = shapely.get_type_id(result)
    mixed = np.flatnonzero(~np.isin(kinds, (*POLYGON_TYPES, -1)))
    for i in mixed:
        parts = shapely.get_parts(shapely.get_parts(result[i]))
        polygons = [p for p in parts if p.geom_type == "Polygon" and not p.is_empty]
        result[i] = shapely.union_all(polygons) if polygons else None
    result[shapely.is_empty(result)] = None
    return result


def clean_geometries(
    geometries: NDArray[np.object_], crs: str, *, polygons: bool = True
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Make geometries two-dimensional, valid and of fixed precision.

    Parameters
    ----------
    geometries : ndarray of object, shape (n,)
        In `crs`; None for a missing one.
    crs : str
        Its unit sets the precision: 1 mm, or 1e-10 degrees.
    polygons : bool
        Whether only polygons count; other parts are dropped.

    Returns
    -------
    clean : ndarray of object, shape (n,)
        Normalised; None where nothing usable is left.
    problems : ndarray of object, shape (n,)
        Why a geometry was repaired or is None; "" where it was fine.
    """
    clean = shapely.force_2d(np.asarray(geometries, dtype=object))
    problems = np.full(len(clean), "", dtype=object)
    missing = shapely.is_missing(clean) | shapely.is_empty(clean)
    problems[missing], clean[missing] = "no geometry", None
    finite = np.ones(len(clean), dtype=bool)
    coordinates, owner = shapely.get_coordinates(clean, return_index=True)
    finite[owner[~np.isfinite(coordinates).all(axis=1)]] = False
    problems[~finite], clean[~finite] = "coordinates that are no numbers", None
    invalid = np.flatnonzero(~shapely.is_missing(clean) & ~shapely.is_valid(clean))
    problems[invalid] = shapely.is_valid_reason(clean[invalid])
    clean[invalid] = [_repaired(shape) for shape in clean[invalid]]
    grid = DEGREE_GRID if pyproj.CRS(crs).is_geographic else METRE_GRID
    clean = _in_threads(lambda part: shapely.normalize(shapely.set_precision(part, grid)), clean)
    if polygons:
        clean = polygon_parts(clean)
    empty = ~shapely.is_missing(clean) & shapely.is_empty(clean)
    clean[empty] = None
    problems[shapely.is_missing(clean) & (problems == "")] = "no area on the map"
    return clean, problems


def _in_threads(
    work: Callable[[NDArray[np.object_]], NDArray[np.object_]], shapes: NDArray[np.object_]
) -> NDArray[np.object_]:
    """Work many shapes on all cores: GEOS lets other threads go on meanwhile."""
    if len(shapes) < MANY:
        return work(shapes)
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        return np.concatenate(list(pool.map(work, np.array_split(shapes, 4 * cores))))


def _repaired(shape: Any) -> Any:
    """Return a valid geometry; what an odd number of turns of a ring surrounds is inside it.

    Each ring is noded by itself, holes are taken out of their shell, then the parts are united:
    both loops of an outline that crosses itself stay, and so do parts that overlap.
    """
    if shapely.get_type_id(shape) not in POLYGON_TYPES:
        return shapely.make_valid(shape)
    parts = []
    for polygon in shapely.get_parts(shape):
        rings = shapely.make_valid(shapely.polygons(shapely.get_rings(polygon)))
        shell, *holes = polygon_parts(rings)
        if shell is not None:
            parts.append(shapely.difference(shell, shapely.union_all(holes)) if holes else shell)
    return shapely.union_all(parts)


def unique_keys(
    role: str, ids: Sequence[str | None], rows: Sequence[int], geometries: NDArray[np.object_]
) -> NDArray[np.object_]:
    """Return one key per feature: ``role:id``, ``role:rowN`` without an id, ``#2`` for doubles.

    Doubles are numbered by their geometry, then row, so that the order of rows in the source does
    not matter.
    """
    keys: NDArray[np.object_] = np.array(
        [f"{role}:{i}" if i else f"{role}:row{r}" for i, r in zip(ids, rows, strict=True)],
        dtype=object,
    )
    series = pd.Series(keys)
    double = [int(i) for i in np.flatnonzero(series.duplicated(keep=False))]
    order = sorted(
        double, key=lambda i: (keys[i], shapely.to_wkb(geometries[i], hex=True) or "", rows[i])
    )
    previous, count = "", 0
    for i in order:
        count = count + 1 if keys[i] == previous else 1
        previous = keys[i]
        if count > 1:
            keys[i] = f"{keys[i]}#{count}"
    return keys


def overlapping_features(
    geometries: NDArray[np.object_], areas_of: Any, *, min_area_m2: float = MIN_OVERLAP_M2
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return pairs of features that overlap by at least `min_area_m2`, each pair once.

    Parameters
    ----------
    geometries : ndarray of object, shape (n,)
        Clean polygons.
    areas_of : callable
        Gives m² of an array of polygons.
    min_area_m2 : float

    Returns
    -------
    first, second : ndarray of int64, shape (pairs,)
        Indices, first < second, sorted.
    area_m2 : ndarray of float64, shape (pairs,)
    """
    tree = shapely.STRtree(geometries)
    first, second = tree.query(geometries, predicate="intersects").astype(np.int64)
    once = first < second
    first, second = first[once], second[once]
    apart = shapely.touches(geometries[first], geometries[second])
    first, second = first[~apart], second[~apart]
    common = polygon_parts(shapely.intersection(geometries[first], geometries[second]))
    area = np.asarray(areas_of(common), dtype=np.float64)
    keep = area >= min_area_m2
    first, second, area = first[keep], second[keep], area[keep]
    order = np.lexsort((second, first))
    return first[order], second[order], area[order]


def area_mismatches(
    stated_m2: NDArray[np.float64], drawn_m2: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the rows whose stated area differs from the drawn one by more than 5 %; never NaN."""
    with np.errstate(invalid="ignore"):
        wrong = np.abs(stated_m2 - drawn_m2) > AREA_DIFFERENCE * np.maximum(stated_m2, drawn_m2)
    return np.flatnonzero(wrong).astype(np.int64)
