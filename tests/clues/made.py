"""Small judged worlds made in memory, with the fields that every layer of a role has."""

import datetime as dt

import geopandas
import numpy as np
import pandas as pd
import shapely

from clues.layers import LayerTable, OneMap
from configs.layers import LayersFile, LayerSpec, role_fields
from tiles.geodesy import ellipsoidal_area

CRS = "EPSG:4526"
X, Y = 38_500_000.0, 4_060_000.0
BEFORE, AFTER = dt.date(2025, 3, 5), dt.date(2025, 6, 12)


def rectangle(x0, y0, x1, y1):
    return shapely.box(X + x0, Y + y0, X + x1, Y + y1)


def layer(role, rows, crs=CRS, complete=True, version="0"):
    """Return a layer of (id, outline, fields) with all fields of its role."""
    rows = sorted(rows, key=lambda r: f"{role}:{r[0]}")
    shapes = geopandas.GeoSeries([g for _, g, _ in rows], crs=CRS).to_crs(crs)
    table = geopandas.GeoDataFrame(
        {"key": pd.Series([f"{role}:{i}" for i, _, _ in rows], dtype=object)}, geometry=shapes
    )
    classes = ("category", "group") if role == "landuse" else ()
    names = {*role_fields(role), *classes, *(f for _, _, fields in rows for f in fields)}
    for name in sorted(names):
        spec = role_fields(role).get(name)
        number = spec is not None and spec.kind in ("number", "area")
        values = [fields.get(name, np.nan if number else None) for _, _, fields in rows]
        table[name] = pd.Series(values, dtype=float if number else object)
    empty = pd.DataFrame()
    spec = LayerSpec(role=role, source="memory", complete=complete)
    return LayerTable(role, (spec,), table, empty, empty, version, complete)


def onemap_of(layers, crs=CRS):
    """Return a One-Map of {role: [(id, outline, fields), …]}, all complete."""
    return OneMap(crs, {r: layer(r, rows, crs) for r, rows in layers.items()}, LayersFile())


def patch(outline, **columns):
    return {"geometry": outline, "use": "industry", "change_type": "unknown"} | columns


def patches_of(rows, crs=CRS):
    """Return a patch table of `patch` rows."""
    shapes = geopandas.GeoSeries([r["geometry"] for r in rows], crs=CRS).to_crs(crs)
    table = geopandas.GeoDataFrame(
        {
            "patch_id": [f"P{i}" for i in range(1, len(rows) + 1)],
            "county_code": "999901",
            "before_from": BEFORE,
            "before_to": BEFORE,
            "after_from": AFTER,
            "after_to": AFTER,
        },
        geometry=shapes,
    )
    table["area_dm2"] = np.rint(ellipsoidal_area(shapes.to_numpy(), crs) * 100).astype(np.int64)
    for name in sorted({n for r in rows for n in r} - {"geometry"}):
        table[name] = pd.Series([r.get(name) for r in rows], dtype=object)
    return table


def answers(judgement):
    """Return "outcome rule" of every finding."""
    table = judgement.findings
    return [f"{o} {r}" for o, r in zip(table["outcome"], table["rule"], strict=True)]
