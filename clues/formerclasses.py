"""Land classes of patches before the change: which parcels of the land-use layer lie under each."""

from typing import Any

import numpy as np
import shapely

from clues.overlay import apportion
from tiles.geodesy import ellipsoidal_area

__all__ = ["CLASS_COLUMNS", "CLASS_TEXTS", "former_classes"]

CLASS_TEXTS = ("patch_id", "parcel", "scheme", "code", "town")
CLASS_COLUMNS = (*CLASS_TEXTS, "area_dm2")

GEOMETRY_COLLECTION = 7
LEAST_M2 = 0.01
"""Slivers below are no ground of their own."""


def former_classes(patches: Any, landuse: Any) -> Any:
    """Return which land-use parcels lie under patches, the largest first.

    Parameters
    ----------
    patches : GeoDataFrame
        Patch table.
    landuse : GeoDataFrame or None
        Land-use layer in the CRS of the patches, see `clues.layers`.

    Returns
    -------
    GeoDataFrame
        `CLASS_COLUMNS` and the outline of the piece. The areas of a patch sum up to its own,
        exactly; ground that no parcel covers has an empty parcel and code. In order of the
        patches; no rows at all without a layer.
    """
    import geopandas as gpd

    shapes = patches.geometry.to_numpy()
    if landuse is None or not len(landuse) or not len(shapes):
        empty: dict[str, Any] = {name: [] for name in CLASS_COLUMNS}
        return gpd.GeoDataFrame(empty, geometry=gpd.GeoSeries([], crs=patches.crs))
    crs = patches.crs.to_string()
    patch, parcel = shapely.STRtree(landuse.geometry.to_numpy()).query(shapes, "intersects")
    pieces = _areal(shapely.intersection(shapes[patch], landuse.geometry.to_numpy()[parcel]))
    weight = ellipsoidal_area(pieces, crs)
    kept = weight >= LEAST_M2
    patch, parcel, pieces, weight = patch[kept], parcel[kept], pieces[kept], weight[kept]
    totals = patches["area_dm2"].to_numpy(dtype=np.int64)
    rest = _uncovered(shapes, patch, pieces, totals / 100)
    bare = ellipsoidal_area(rest, crs)
    left = np.flatnonzero((bare >= LEAST_M2) | (np.bincount(patch, minlength=len(shapes)) == 0))
    patch, parcel = np.append(patch, left), np.append(parcel, np.full(len(left), -1))
    pieces, weight = np.append(pieces, rest[left]), np.append(weight, bare[left])
    order = np.lexsort((parcel, -weight, patch))
    patch, parcel = patch[order], parcel[order]
    areas = apportion(weight[order], patch, totals)
    told = {name: _named(landuse, name, parcel) for name in ("key", "scheme", "code", "town")}
    columns = {
        "patch_id": patches["patch_id"].to_numpy(dtype=object)[patch],
        "parcel": [str(key).removeprefix("landuse:") for key in told["key"]],
        **{name: told[name] for name in ("scheme", "code", "town")},
        "area_dm2": areas,
    }
    table = gpd.GeoDataFrame(columns, geometry=pieces[order], crs=patches.crs)
    return table[(table["area_dm2"] > 0).to_numpy()].reset_index(drop=True)


def _areal(pieces: Any) -> Any:
    """Return the polygons of pieces; where outlines touch there are lines and points too."""
    mixed = np.flatnonzero(shapely.get_type_id(pieces) == GEOMETRY_COLLECTION)
    for i in mixed:
        parts = shapely.get_parts(pieces[i])
        pieces[i] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return pieces


def _uncovered(shapes: Any, patch: Any, pieces: Any, metres2: Any) -> Any:
    """Return what of each patch no piece covers; nothing where it is less than half a sliver."""
    covered = np.full(len(shapes), shapely.Polygon(), dtype=object)
    order = np.argsort(patch, kind="stable")
    starts = np.flatnonzero(np.diff(patch[order], prepend=-1))
    for own in np.split(order, starts[1:]) if len(starts) else ():
        covered[patch[own[0]]] = shapely.union_all(pieces[own])
    whole = shapely.area(shapes)
    is_bare = (whole - shapely.area(covered)) * (metres2 / whole) > LEAST_M2 / 2
    rest = np.full(len(shapes), shapely.Polygon(), dtype=object)
    rest[is_bare] = shapely.difference(shapes[is_bare], covered[is_bare])
    return rest


def _named(landuse: Any, name: str, parcel: Any) -> list[str]:
    """Return a field of the parcels, "" where it is not told or there is no parcel."""
    if name not in landuse:
        return [""] * len(parcel)
    values = landuse[name].to_numpy(dtype=object)
    return [
        "" if p < 0 or values[p] is None or values[p] != values[p] else str(values[p])
        for p in parcel
    ]
