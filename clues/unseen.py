"""What the images could not show: the parts of the county, of cropland and of red lines hidden."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from tiles.files import atomic_path
from tiles.geodesy import ellipsoidal_area

if TYPE_CHECKING:
    import geopandas as gpd

    from clues.layers import OneMap

__all__ = ["ROLES", "unseen_parts", "write_unseen"]

ROLES = ("cropland", "basic_farmland", "redline")
"""What is listed, in this order: the cropland of the land-use map, and two control lines."""

DM2 = 100.0


def unseen_parts(
    hidden: NDArray[np.object_], onemap: "OneMap | None", crs: str
) -> "gpd.GeoDataFrame":
    """Return what of the areas that matter was not observed at both dates.

    Parameters
    ----------
    hidden : ndarray of Polygon, shape (n,)
        Ground without a usable pixel at one date or both; the polygons do not overlap.
    onemap : OneMap or None
        Without it only the hidden ground itself is listed.
    crs : str
        Of the coordinates, and of the layers.

    Returns
    -------
    GeoDataFrame
        Columns role (``all``, then those of `ROLES`), key of the feature ("" for ``all``),
        area_dm2 (int64) and geometry, in this order of role and in that of the layer.
    """
    import geopandas as gpd

    tables = [_table("all", np.full(len(hidden), "", object), hidden, crs)]
    for role in ROLES if onemap is not None else ():
        assert onemap is not None
        layer = onemap.layers.get("landuse" if role == "cropland" else role)
        if layer is None:
            continue
        table = layer.table
        if role == "cropland":
            table = table[(table["group"] == "cropland").to_numpy()]
        shapes = table.geometry.to_numpy()
        places, which = shapely.STRtree(hidden).query(shapes, predicate="intersects")
        order = np.lexsort((which, places))
        places, which = places[order], which[order]
        parts = _areal(shapely.intersection(shapes[places], hidden[which]))
        keys = table["key"].to_numpy(dtype=object)[places]
        tables.append(_table(role, keys, parts, crs))
    rows = [row for table in tables for row in table]
    return gpd.GeoDataFrame(
        rows, columns=["role", "key", "area_dm2", "geometry"], geometry="geometry", crs=crs
    )


Rows = list[tuple[str, str, int, shapely.Geometry]]


def _areal(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Drop lines and points of intersections."""
    made = np.empty(len(shapes), object)
    for i, shape in enumerate(shapes):
        parts = shapely.get_parts(shape)
        made[i] = shapely.multipolygons(parts[shapely.get_type_id(parts) == 3])
    return made


def _table(role: str, keys: NDArray[np.object_], shapes: NDArray[np.object_], crs: str) -> Rows:
    areas = np.rint(ellipsoidal_area(shapes, crs) * DM2).astype(np.int64)
    return [
        (role, str(key), int(area), shape)
        for key, area, shape in zip(keys, areas, shapes, strict=True)
        if area > 0
    ]


def write_unseen(parts: "gpd.GeoDataFrame", path: Path) -> None:
    """Write the parts as a GeoPackage with Chinese layer and field names."""
    names = {"role": "对象", "key": "要素", "area_m2": "面积_m2"}
    words = {
        "all": "未观测区域",
        "cropland": "耕地",
        "basic_farmland": "永久基本农田",
        "redline": "生态保护红线",
    }
    shown = parts.assign(
        role=parts["role"].map(words), area_m2=parts["area_dm2"].astype(float) / DM2
    )
    shown = shown[["role", "key", "area_m2", "geometry"]].rename(columns=names)
    with atomic_path(path) as part:
        shown.to_file(
            part, layer="未观测", driver="GPKG", engine="pyogrio", geometry_type="Unknown"
        )
