"""Clues as flat tables: CSV for any spreadsheet, GeoParquet for programs."""

import itertools
from pathlib import Path
from typing import Any

from clues.outputs.exchange import lonlat_outlines
from clues.outputs.flat import FLAT_FIELDS, flat_rows
from clues.outputs.tables import ClueTables
from tiles.files import atomic_path, write_csv_rows

__all__ = ["write_csv", "write_geoparquet"]

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet would compute."""

LONLAT = "EPSG:4490"


def write_csv(tables: ClueTables, path: Path) -> None:
    """Write one line per clue as CSV that spreadsheets open with the right characters.

    UTF-8 with byte order mark, lines end with CR LF, areas have two decimals. A text that a
    spreadsheet would compute is led by an apostrophe.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``.csv``; written atomically.
    """
    rows = (
        [_cell(values[f.key], f.decimals) for f in FLAT_FIELDS] for _, values in flat_rows(tables)
    )
    write_csv_rows(path, itertools.chain([[field.zh for field in FLAT_FIELDS]], rows))


def _cell(value: Any, decimals: int) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return f"{value:.{decimals}f}"


def write_geoparquet(tables: ClueTables, path: Path) -> None:
    """Write one row per clue as GeoParquet, in longitude and latitude of CGCS2000.

    Parameters
    ----------
    tables : ClueTables
    path : Path
        ``.parquet``; written atomically.
    """
    import geopandas as gpd
    import pandas as pd

    clues = tables.clues
    outlines = dict(zip(clues["patch_id"], lonlat_outlines(clues), strict=True))
    rows = list(flat_rows(tables))
    columns = {}
    for field in FLAT_FIELDS:
        kind: Any = object if field.width else float if field.decimals else "int64"
        columns[field.key] = pd.Series([values[field.key] for _, values in rows], dtype=kind)
    shapes = gpd.GeoSeries([outlines[patch] for patch, _ in rows], crs=LONLAT)
    table = gpd.GeoDataFrame(columns, geometry=shapes, crs=LONLAT)
    with atomic_path(path) as part:
        table.to_parquet(part, index=False, write_covering_bbox=True)
