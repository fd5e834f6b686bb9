"""A layer of a GeoPackage, written from batches: none is in memory longer than it takes."""

from collections.abc import Collection, Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    import geopandas as gpd
    import pyarrow as pa

__all__ = ["write_layer"]

SHAPE, MANY = "geometry", "MultiPolygon"


def write_layer(
    path: Path, name: str, frames: "Iterable[gpd.GeoDataFrame]", kinds: Collection[str]
) -> None:
    """Write batches of features as one layer.

    Parameters
    ----------
    path : Path
        A GeoPackage; made when missing.
    name : str
    frames : iterable of GeoDataFrame
        At least one, all of the same columns; the first settles what kind a column is of.
    kinds : collection of str
        Kinds of all outlines; polygons of one and of several parts are all of several then.
    """
    import pyarrow as pa
    import pyogrio

    batches = iter(frames)
    first = next(batches)
    if not len(first):
        first.to_file(path, layer=name, driver="GPKG", engine="pyogrio")
        return
    kind = next(iter(kinds)) if len(kinds) == 1 else "Unknown"
    if set(kinds) == {"Polygon", MANY}:
        kind = MANY
    schema = pa.schema([(str(c), _kind(first[c])) for c in first.columns])
    crs, code = first.crs, first.crs.to_epsg()
    reader = pa.RecordBatchReader.from_batches(
        schema, (_batch(frame, schema, kind) for frame in chain([first], batches) if len(frame))
    )
    pyogrio.write_arrow(
        reader,
        path,
        layer=name,
        driver="GPKG",
        geometry_name=SHAPE,
        geometry_type=kind,
        crs=f"EPSG:{code}" if code else crs.to_wkt("WKT1_GDAL"),
    )


def _kind(column: Any) -> "pa.DataType":
    import pyarrow as pa

    if column.name == SHAPE:
        return pa.binary()
    if column.dtype.kind in "iufb" and column.dtype != object:
        return pa.from_numpy_dtype(column.dtype)
    return pa.string()


def _batch(frame: "gpd.GeoDataFrame", schema: "pa.Schema", kind: str) -> "pa.RecordBatch":
    import pyarrow as pa

    shapes = frame.geometry.to_numpy()
    if kind == MANY:
        single = frame.geom_type.to_numpy() == "Polygon"
        shapes[single] = shapely.multipolygons(shapes[single], indices=np.arange(single.sum()))
    columns = []
    for field in schema:
        values = shapely.to_wkb(shapes) if field.name == SHAPE else frame[field.name]
        columns.append(pa.array(values, type=field.type, from_pandas=True))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
