"""The GeoPackage of a field package: patches, points, check cards, photos, and its keys."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from clues.fieldform import FILLED, SHOWN, CardField
from clues.outputs.columns import Row, document_texts
from clues.outputs.tables import ClueTables
from configs.units import metres2, mu
from configs.vocabulary import change_type
from tiles.files import atomic_path

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "CARDS",
    "FORMAT",
    "KEYS",
    "PATCHES",
    "PHOTOS",
    "PHOTO_FIELDS",
    "POINTS",
    "card_rows",
    "write_field_layers",
]

PATCHES, POINTS, CARDS, PHOTOS, KEYS = "patches", "points", "checks", "photos", "tuban"
FORMAT = "1"
SQL_TYPES = {"area": "DOUBLE", "whole": "INTEGER", "date": "DATE"}
STAMP = "2000-01-01T00:00:00.000Z"
AREAS = {
    "cropland_mu": "cropland_dm2",
    "pbf_mu": "pbf_dm2",
    "farmland_mu": "farmland_dm2",
    "construction_mu": "construction_dm2",
    "unused_mu": "unused_dm2",
}
PHOTO_FIELDS = (
    CardField("clue_no", "线索编号", "Clue"),
    CardField("photo", "照片", "Photo"),
    CardField("azimuth", "方位角（度）", "Azimuth (degrees)", "area"),
    CardField("note", "说明", "Note"),
)


def card_rows(
    tables: ClueTables, wanted: Iterable[str], places: Mapping[str, str], language: str
) -> list[dict[str, Any]]:
    """Return what the machine knows of some clues, by the keys of `clues.fieldform.SHOWN`.

    Parameters
    ----------
    tables : ClueTables
    wanted : iterable of str
        Clue numbers.
    places : mapping of str to str
        Where a clue lies in words, by its number.
    language : {"zh", "en"}
    """
    numbers = set(wanted)
    tables = tables.only(set(tables.clues["patch_id"][tables.clues["clue_no"].isin(numbers)]))
    findings, coverage = tables.findings_by_patch(), tables.coverage_by_patch()
    speech = tables.title.speech.model_copy(update={"language": language})
    rows = []
    for record in tables.clues.drop(columns="geometry").to_dict("records"):
        if record["clue_no"] not in numbers:
            continue
        patch = {str(k): v for k, v in record.items()}
        key = str(patch["patch_id"])
        row = Row(0, patch, findings.get(key, []), coverage.get(key, []), [], tables.leading_line)
        kind = change_type(patch["change_type"])
        told: dict[str, Any] = {
            "clue_no": str(patch["clue_no"]),
            "patch_id": key,
            "county_code": str(patch["county_code"] or ""),
            "location": places.get(str(patch["clue_no"]), ""),
            "centre": f"{float(patch['lon']):.6f}°E {float(patch['lat']):.6f}°N",
            "change": kind.name_zh if language == "zh" else kind.name_en,
            "before": _day(patch["before_to"]),
            "after": _day(patch["after_to"]),
            "suggestion": speech.outcome(patch["outcome"], "zh" if language == "zh" else "en"),
            "area_m2": float(metres2(patch["area_dm2"])),
            "area_mu": float(mu(patch["area_dm2"])),
            "documents": document_texts(row, speech),
            "reason": row.joined(f"reason_{language}"),
            "questions": row.joined(f"questions_{language}"),
            "priority": int(patch["priority"]),
        }
        rows.append(told | {k: float(mu(row.area(name))) for k, name in AREAS.items()})
    return rows


def write_field_layers(
    path: Path,
    rows: list[dict[str, Any]],
    tables: ClueTables,
    language: str,
    *,
    mark: str,
    filled: Mapping[str, Mapping[str, str]],
) -> None:
    """Write the GeoPackage.

    Parameters
    ----------
    path : Path
        Written atomically. Layers ``patches`` and ``points`` in the CRS of the run; tables
        ``checks`` (one card per clue), ``photos`` (empty) and ``tuban`` (by what it is read back).
    rows : list of dict
        See `card_rows`.
    tables : ClueTables
    language : {"zh", "en"}
    mark : str
        How far the store went.
    filled : mapping
        What people filled in already, by clue number and field.
    """
    import geopandas as gpd

    by_number = dict(zip(tables.clues["clue_no"], tables.clues.geometry, strict=True))
    shapes = [by_number[row["clue_no"]] for row in rows]
    columns = {f.key: [row[f.key] for row in rows] for f in SHOWN}
    outlines = [s if s.geom_type == "MultiPolygon" else shapely.MultiPolygon([s]) for s in shapes]
    crs = tables.patches.crs
    patches = gpd.GeoDataFrame(columns, geometry=outlines, crs=crs)
    short = {k: columns[k] for k in ("clue_no", "patch_id", "suggestion", "priority")}
    points = gpd.GeoDataFrame(short, geometry=shapely.point_on_surface(shapes), crs=crs)
    with atomic_path(path) as part:
        for name, table in ((PATCHES, patches), (POINTS, points)):
            _write(table, part, name)
        with closing(sqlite3.connect(part)) as database, database:
            _table(database, CARDS, (*SHOWN, *FILLED), language)
            cards = [row | dict(filled.get(row["clue_no"], {})) for row in rows]
            _insert(database, CARDS, (*SHOWN, *FILLED), cards)
            _table(database, PHOTOS, PHOTO_FIELDS, language)
            keys = (CardField("kind", "类别", "kind"), CardField("value", "内容", "value"))
            _table(database, KEYS, keys, language)
            told = {
                "tuban-field": FORMAT,
                "run": tables.title.run_name,
                "language": language,
                "mark": mark,
            }
            _insert(database, KEYS, keys, [{"kind": k, "value": v} for k, v in told.items()])
            database.execute("UPDATE gpkg_contents SET last_change = ?", (STAMP,))


def _write(table: "gpd.GeoDataFrame", path: Path, layer: str) -> None:
    table.to_file(path, layer=layer, driver="GPKG", engine="pyogrio", VERSION="1.2")


def _table(
    database: sqlite3.Connection, name: str, fields: Iterable[CardField], language: str
) -> None:
    """Make a table without geometry that GIS programs list."""
    columns = ", ".join(f'"{f.key}" {SQL_TYPES.get(f.kind, "TEXT")}' for f in fields)
    database.execute(f'CREATE TABLE "{name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT, {columns})')
    title = {CARDS: ("核查登记卡", "check cards"), PHOTOS: ("照片", "photos")}.get(
        name, (name, name)
    )
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change)"
        " VALUES (?, 'attributes', ?, ?, ?)",
        (name, name, title[0 if language == "zh" else 1], STAMP),
    )


def _insert(
    database: sqlite3.Connection,
    name: str,
    fields: Iterable[CardField],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    keys = [f.key for f in fields]
    marks = ", ".join("?" for _ in keys)
    names = ", ".join(f'"{k}"' for k in keys)
    values = [[row.get(k) or None if k != "priority" else row.get(k) for k in keys] for row in rows]
    # names of our own columns and layers
    database.executemany(f'INSERT INTO "{name}" ({names}) VALUES ({marks})', values)  # nosec B608


def _day(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") and value == value else ""
