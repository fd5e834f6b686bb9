"""Styles inside a GeoPackage: QGIS opens its layers coloured by answer, with a legend."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import quoteattr

__all__ = ["add_styles", "style_by_answer"]

TABLE = """CREATE TABLE IF NOT EXISTS layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT, f_table_schema TEXT,
  f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT, ui TEXT, update_time DATETIME)"""
STAMP = "2000-01-01T00:00:00.000Z"
"""Of everything that is dated: the bytes depend on the clues alone."""


def style_by_answer(field: str, answers: Mapping[str, tuple[str, str]]) -> str:
    """Return a QGIS style that colours outlines by a field.

    Parameters
    ----------
    field : str
    answers : mapping of str to (str, str)
        Value of the field to its name in the legend and its colour, ``#rrggbb``.

    Returns
    -------
    str
        QML.
    """
    categories, symbols = [], []
    for i, (value, (label, colour)) in enumerate(answers.items()):
        categories.append(
            f'<category render="true" symbol="{i}" value={quoteattr(value)}'
            f" label={quoteattr(label)}/>"
        )
        symbols.append(_symbol(i, colour))
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.28.0" styleCategories="Symbology">'
        f'<renderer-v2 type="categorizedSymbol" attr={quoteattr(field)} symbollevels="0">'
        f"<categories>{''.join(categories)}</categories><symbols>{''.join(symbols)}</symbols>"
        "</renderer-v2></qgis>"
    )


def _symbol(name: int, colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    options = {
        "color": f"{red},{green},{blue},60",
        "style": "solid",
        "outline_color": f"{red},{green},{blue},255",
        "outline_style": "solid",
        "outline_width": "0.6",
        "outline_width_unit": "MM",
    }
    told = "".join(f'<Option type="QString" name="{k}" value="{v}"/>' for k, v in options.items())
    return (
        f'<symbol type="fill" name="{name}" alpha="1"><layer class="SimpleFill" enabled="1">'
        f'<Option type="Map">{told}</Option></layer></symbol>'
    )


def add_styles(path: Path, styles: Mapping[str, str]) -> None:
    """Give layers of a GeoPackage a default style, and everything in it the same date.

    Parameters
    ----------
    path : Path
        GeoPackage, closed.
    styles : mapping of str to str
        Layer to QML.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(TABLE)
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles', '')"
        )
        database.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,"
            " f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner,"
            " update_time) VALUES ('', '', ?, 'geom', ?, ?, '', 1, '', '', ?)",
            [(layer, layer, qml, STAMP) for layer, qml in styles.items()],
        )
        database.execute("UPDATE gpkg_contents SET last_change = ?", (STAMP,))
