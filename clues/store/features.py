"""Features of One-Map layers in the clue store, for maps: those around the patches of a run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import shapely
from sqlalchemy import ColumnElement, Connection, Select, delete, false, func, insert, select, true

from clues.store import schema

__all__ = [
    "FeatureRow",
    "LayerFeature",
    "Place",
    "count_features",
    "division_outline",
    "divisions_stamp",
    "feature",
    "feature_roles",
    "features",
    "keep_features",
]

BATCH = 500
DIVISION = "division"
COUNTY_DIGITS = 6

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class LayerFeature:
    """A feature to enter.

    Attributes
    ----------
    key : str
        Unique in its layer version.
    counties : tuple of str
        Codes of the counties that it touches; none where nobody knows.
    attrs : dict
        Fields as JSON holds them.
    geometry : geometry
        In longitude and latitude, WGS84.
    """

    key: str
    counties: tuple[str, ...]
    attrs: Mapping[str, Any]
    geometry: Any


@dataclass(frozen=True)
class FeatureRow:
    """A feature as it is kept; `id` is its number in the store."""

    id: int
    role: str
    key: str
    attrs: dict[str, Any]
    geometry: Any


@dataclass(frozen=True)
class Place:
    """Where features are looked for.

    Attributes
    ----------
    divisions : tuple of str
        Codes, or their beginnings, of whom it is told to; none for everything.
    bounds : tuple of float, optional
        West, south, east, north in degrees.
    """

    divisions: tuple[str, ...] = ()
    bounds: Bounds | None = None

    def where(self) -> ColumnElement[bool]:
        """Return the condition on `layer_features`."""
        table = schema.layer_features.c
        wanted: ColumnElement[bool] = true()
        if self.divisions:
            codes = [table.counties.contains(f",{d[:COUNTY_DIGITS]}") for d in self.divisions]
            wanted = reduce(or_, codes, false())
        if self.bounds is not None:
            west, south, east, north = self.bounds
            wanted &= (table.west <= east) & (table.east >= west)
            wanted &= (table.south <= north) & (table.north >= south)
        return wanted


def keep_features(
    connection: Connection, named: tuple[str, str, str], ground: Any, rows: Iterable[LayerFeature]
) -> int:
    """Enter features of a layer version: on the ground of a run it replaces what was known.

    Parameters
    ----------
    connection : Connection
    named : tuple of str
        Role, name and version of the layer, as the run that was registered tells them.
    ground : geometry
        In degrees: the features are all that the version has there.
    rows : iterable of LayerFeature

    Returns
    -------
    int
        Features; 0 where the store knows no such version.
    """
    role, name, version = named
    layer, versions = schema.layers.c, schema.layer_versions.c
    key = connection.scalar(
        select(versions.id)
        .join(schema.layers, layer.id == versions.layer_id)
        .where(layer.role == role, layer.name == name, versions.version == version)
    )
    if key is None:
        return 0
    fresh = list(rows)
    _drop_replaced(connection, role, key, ground, fresh)
    values = [_values(row) | {"version_id": key, "role": role} for row in fresh]
    for start in range(0, len(values), BATCH):
        connection.execute(insert(schema.layer_features), values[start : start + BATCH])
    return len(values)


def _drop_replaced(
    connection: Connection, role: str, version: int, ground: Any, fresh: list[LayerFeature]
) -> None:
    """Drop the features that come again, and those of other versions on the same ground."""
    table = schema.layer_features
    counties = tuple(sorted({code for row in fresh for code in row.counties}))
    there = Place(bounds=tuple(ground.bounds)).where() & (table.c.role == role)
    there &= (table.c.version_id == version) | Place(counties).where()
    columns = (table.c.id, table.c.version_id, table.c.feature_key, table.c.geometry)
    keys = {row.key for row in fresh}
    shapely.prepare(ground)
    gone = [
        row.id
        for row in connection.execute(select(*columns).where(there))
        if (row.feature_key in keys and row.version_id == version)
        or (row.version_id != version and ground.intersects(shapely.from_wkb(bytes(row.geometry))))
    ]
    for start in range(0, len(gone), BATCH):
        connection.execute(delete(table).where(table.c.id.in_(gone[start : start + BATCH])))


def feature_roles(connection: Connection) -> list[str]:
    """Return the roles of which there are features."""
    asked = select(schema.layer_features.c.role).distinct().order_by(schema.layer_features.c.role)
    return list(connection.scalars(asked))


def features(
    connection: Connection, role: str, place: Place, after: int, limit: int
) -> list[FeatureRow]:
    """Return features of a role in the order in which they were entered.

    Parameters
    ----------
    connection : Connection
    role : str
    place : Place
    after : int
        Number in the store behind which to go on; 0 from the start.
    limit : int
    """
    table = schema.layer_features.c
    asked = _of_role(role).where(place.where(), table.id > after).order_by(table.id).limit(limit)
    return [_row(row) for row in connection.execute(asked)]


def feature(connection: Connection, role: str, number: int, place: Place) -> FeatureRow | None:
    """Return one feature by its number in the store, or None."""
    asked = _of_role(role).where(place.where(), schema.layer_features.c.id == number)
    row = connection.execute(asked).first()
    return None if row is None else _row(row)


def count_features(connection: Connection, role: str, place: Place) -> int:
    """Return how many features of a role there are."""
    found = _of_role(role).where(place.where()).subquery()
    return connection.scalar(select(func.count()).select_from(found)) or 0


def divisions_stamp(connection: Connection) -> int:
    """Return a number that changes with the divisions that are known."""
    table = schema.layer_features.c
    return connection.scalar(select(func.max(table.id)).where(table.role == DIVISION)) or 0


def division_outline(connection: Connection, divisions: Sequence[str]) -> Any:
    """Return the outline of divisions in longitude and latitude; None where none is known.

    Of a township that is not drawn the county is taken.
    """
    rows = [_row(row) for row in connection.execute(_of_role(DIVISION))]
    codes = [(str(row.attrs.get("number") or ""), row.geometry) for row in rows]
    inside = [g for code, g in codes if code and code.startswith(tuple(divisions))]
    if not inside:
        inside = [g for code, g in codes if code and any(d.startswith(code) for d in divisions)]
    return shapely.union_all(inside) if inside else None


def _of_role(role: str) -> Select[Any]:
    table = schema.layer_features.c
    columns = (table.id, table.role, table.feature_key, table.attrs, table.geometry)
    return select(*columns).where(table.role == role)


def _row(row: Any) -> FeatureRow:
    return FeatureRow(
        row.id, row.role, row.feature_key, dict(row.attrs), shapely.from_wkb(bytes(row.geometry))
    )


def _values(row: LayerFeature) -> dict[str, Any]:
    west, south, east, north = (float(v) for v in row.geometry.bounds)
    return {
        "feature_key": row.key,
        "counties": "".join(f",{code}" for code in row.counties) + ("," if row.counties else ""),
        "attrs": dict(row.attrs),
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "geometry": shapely.to_wkb(row.geometry),
    }
