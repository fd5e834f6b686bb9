"""English names of Chinese layers and fields, inside the GeoPackage that holds them."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

__all__ = ["name_columns"]

TABLE = """CREATE TABLE IF NOT EXISTS gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name))"""
EXTENSIONS = """CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))"""
DEFINITION = "http://www.geopackage.org/spec121/#extension_schema"


def name_columns(
    path: Path, layer: str, description: str, columns: Mapping[str, tuple[str, str]]
) -> None:
    """Give a layer a description and its fields English names, which GIS programs show as alias.

    Parameters
    ----------
    path : Path
        GeoPackage, closed.
    layer : str
    description : str
    columns : mapping of str to (str, str)
        Field to its English name and what it holds.

    References
    ----------
    .. [1] OGC 12-128r19, GeoPackage Encoding Standard, annex F.9: Schema extension.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE gpkg_contents SET description = ? WHERE table_name = ?", (description, layer)
        )
        database.execute(TABLE)
        database.execute(EXTENSIONS)
        database.execute(
            "INSERT INTO gpkg_extensions"
            " VALUES ('gpkg_data_columns', NULL, 'gpkg_schema', ?, 'read-write')",
            (DEFINITION,),
        )
        database.executemany(
            "INSERT INTO gpkg_data_columns (table_name, column_name, name, title, description)"
            " VALUES (?, ?, ?, ?, ?)",
            [(layer, field, name, name, text) for field, (name, text) in columns.items()],
        )
