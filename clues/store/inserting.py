"""Entering the parts of a judged run into the clue store, each in the transaction of the caller."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from sqlalchemy import Connection, Table, func, insert, select, update

from clues.rowgroups import records
from clues.store import schema

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "AREA_COLUMNS",
    "LayerRecord",
    "RunRecord",
    "insert_clues",
    "insert_layers",
    "insert_many",
    "insert_parcels",
    "insert_patches",
    "insert_run",
    "numbers_of",
]

BATCH = 5000
AREA_COLUMNS = (
    "cropland_dm2",
    "cropland_net_dm2",
    "pbf_dm2",
    "redline_dm2",
    "outside_boundary_dm2",
    "farmland_dm2",
    "unused_dm2",
    "construction_dm2",
)
JUDGED = ("outcome", "rule", "rules", "flags", "reason_zh", "reason_en", "trace")
"""What the store keeps of a finding beside its parcel."""


@dataclass(frozen=True)
class RunRecord:
    """What the store keeps of a run.

    Attributes
    ----------
    run_key : str
        Names the run; registering the same key again changes nothing.
    year, quarter : int
        Printed in clue numbers.
    period : (date, date) or None
        Before and after date of the pair; a run that traces objects has it.
    """

    run_key: str
    name: str
    county_code: str
    county_name: str
    grid_crs: str
    year: int
    quarter: int
    rule_set: str
    rule_set_version: str
    config: dict[str, Any]
    versions: dict[str, Any]
    layers: tuple["LayerRecord", ...] = ()
    period: tuple[dt.date, dt.date] | None = None


@dataclass(frozen=True)
class LayerRecord:
    """One immutable version of a One-Map layer."""

    role: str
    name: str
    version: str
    crs: str
    features: int
    complete: str


def insert_run(connection: Connection, run: RunRecord, now: dt.datetime) -> int:
    """Enter a run; return its row number."""
    result = connection.execute(
        insert(schema.runs).values(
            run_key=run.run_key,
            name=run.name,
            county_code=run.county_code,
            county_name=run.county_name,
            grid_crs=run.grid_crs,
            config=run.config,
            versions=run.versions,
            registered_at=now,
            period_before=run.period[0] if run.period else None,
            period_after=run.period[1] if run.period else None,
        )
    )
    key: Any = result.inserted_primary_key
    return int(key[0])


def insert_patches(
    connection: Connection, run_id: int, patches: "gpd.GeoDataFrame"
) -> dict[str, int]:
    """Enter patches; return their row numbers by patch number."""
    columns = [
        c.name
        for c in schema.patches.columns
        if c.name in patches.columns and c.name not in ("geometry", "id")
    ]
    for start in range(0, len(patches), BATCH):
        some = patches.iloc[start : start + BATCH]
        rows = records(some[columns])
        shapes = zip(
            _objects(some),
            shapely.to_wkb(some.geometry.to_numpy()),
            some.geometry.bounds.to_numpy().tolist(),
            strict=True,
        )
        own = (
            {"run_id": run_id, "object_id": thing, "geometry": wkb}
            | dict(zip(("west", "south", "east", "north"), bounds, strict=True))
            for thing, wkb, bounds in shapes
        )
        told = ({k: _plain(v) for k, v in row.items()} for row in rows)
        insert_many(connection, schema.patches, (a | b for a, b in zip(told, own, strict=True)))
    table = schema.patches.c
    found = connection.execute(select(table.patch_id, table.id).where(table.run_id == run_id))
    return {str(patch_id): int(key) for patch_id, key in found}


def _objects(patches: "gpd.GeoDataFrame") -> list[str]:
    """Return what stays the same thing on the ground; a patch that nobody redrew is its own."""
    ids = [str(p) for p in patches["patch_id"]]
    if "object_id" not in patches:
        return ids
    pairs = zip(patches["object_id"], ids, strict=True)
    return [thing if isinstance(thing, str) and thing else own for thing, own in pairs]


def insert_parcels(
    connection: Connection,
    run_id: int,
    keys: dict[str, int],
    run: RunRecord,
    findings: "gpd.GeoDataFrame | Iterable[gpd.GeoDataFrame]",
    now: dt.datetime,
) -> None:
    """Enter the parcels of patches, and what was found of each, batch by batch."""
    last = connection.scalar(select(func.max(schema.parcels.c.id))) or 0
    for table in [findings] if hasattr(findings, "columns") else findings:
        last = _insert_parcels(connection, keys, run, table, now, last)


def _insert_parcels(
    connection: Connection,
    keys: dict[str, int],
    run: RunRecord,
    findings: "gpd.GeoDataFrame",
    now: dt.datetime,
    last: int,
) -> int:
    """Enter the parcels and findings of some patches behind the row `last`; return the last row."""
    outlines = shapely.to_wkb(findings.geometry.to_numpy())
    rows = records(findings.drop(columns="geometry"))
    parcels = [
        {
            "patch_key": keys[row["patch_id"]],
            "line": row["line"],
            "parcel_no": int(row["parcel_no"]),
            "parcel_id": row["parcel_id"],
            "area_dm2": int(row["area_dm2"]),
            "areas": {name: int(row[name]) for name in AREA_COLUMNS},
            "documents": [d for d in str(row["documents"]).split(",") if d],
            "geometry": wkb,
        }
        for row, wkb in zip(rows, outlines, strict=True)
    ]
    insert_many(connection, schema.parcels, parcels)
    table = schema.parcels.c
    names = (table.patch_key, table.line, table.parcel_no, table.id)
    fresh = connection.execute(select(*names).where(table.id > last))
    ids = {(patch, line, no): int(key) for patch, line, no, key in fresh}
    same = {"rule_set": run.rule_set, "rule_set_version": run.rule_set_version, "judged_at": now}
    places = ((keys[row["patch_id"]], row["line"], int(row["parcel_no"])) for row in rows)
    told = (
        {"parcel_key": ids[place], **same, **_level(row), **{n: row[n] for n in JUDGED}}
        for place, row in zip(places, rows, strict=True)
    )
    insert_many(connection, schema.findings, told)
    return max(ids.values(), default=last)


def _level(row: dict[str, Any]) -> dict[str, int]:
    return {"severity": int(row["severity"])} if "severity" in row else {}


def insert_clues(
    connection: Connection,
    keys: dict[str, int],
    run: RunRecord,
    patches: "gpd.GeoDataFrame",
    now: dt.datetime,
) -> None:
    """Give numbers to clues that have none: a thing keeps its number when it is judged again."""
    rows = []
    numbered = set(connection.scalars(select(schema.clues.c.object_id)))
    things = patches[["patch_id", "county_code", "disposition"]].assign(thing=_objects(patches))
    fresh = (things["disposition"] == "clue") & ~things["thing"].isin(numbered)
    for county, group in things[fresh].groupby("county_code", sort=True):
        series = f"{county}{run.year % 100:02d}Q{run.quarter}"
        first = _take_numbers(connection, series, len(group))
        pairs = zip(group["patch_id"], group["thing"], strict=True)
        for offset, (patch_id, thing) in enumerate(pairs):
            rows.append(
                {
                    "clue_no": f"{series}{first + offset:06d}",
                    "object_id": thing,
                    "patch_key": keys[patch_id],
                    "status": "suspected",
                    "registered_at": now,
                }
            )
    insert_many(connection, schema.clues, rows)


def insert_layers(connection: Connection, records: Sequence[LayerRecord], now: dt.datetime) -> None:
    """Enter the layer versions of a run that are not known yet."""
    layer, version = schema.layers.c, schema.layer_versions.c
    for record in records:
        named = (layer.role == record.role) & (layer.name == record.name)
        layer_id = connection.scalar(select(layer.id).where(named))
        if layer_id is None:
            connection.execute(insert(schema.layers).values(role=record.role, name=record.name))
            layer_id = connection.scalar(select(layer.id).where(named))
        same = (version.layer_id == layer_id) & (version.version == record.version)
        if connection.scalar(select(version.id).where(same)) is None:
            values = {n: getattr(record, n) for n in ("version", "crs", "features", "complete")}
            connection.execute(
                insert(schema.layer_versions).values(layer_id=layer_id, recorded_at=now, **values)
            )


def _take_numbers(connection: Connection, series: str, count: int) -> int:
    """Return the first of `count` fresh numbers of a series."""
    table = schema.counters
    last = connection.scalar(select(table.c.last).where(table.c.series == series))
    if last is None:
        connection.execute(insert(table).values(series=series, last=count))
        return 1
    connection.execute(update(table).where(table.c.series == series).values(last=last + count))
    return int(last) + 1


def numbers_of(connection: Connection, run_id: int) -> dict[str, str]:
    """Return the clue number of every patch of a run that is a clue."""
    found = connection.execute(
        select(schema.patches.c.patch_id, schema.clues.c.clue_no)
        .join(schema.clues, schema.clues.c.object_id == schema.patches.c.object_id)
        .where(schema.patches.c.run_id == run_id, schema.patches.c.disposition == "clue")
        .order_by(schema.clues.c.clue_no)
    )
    return {str(patch_id): str(clue_no) for patch_id, clue_no in found}


def insert_many(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Enter rows, some thousands at a time; all name the columns that the first names.

    SQLAlchemy words the statement and converts the values, column by column: row by row it takes as
    long for that as the database for entering them.
    """
    left = iter(rows)
    batch = list(islice(left, BATCH))
    if not batch:
        return
    dialect = connection.dialect
    compiled = insert(table).inline().compile(dialect=dialect, column_keys=list(batch[0]))
    names = compiled.positiontup or list(batch[0])
    ways = [table.c[n].type.dialect_impl(dialect).bind_processor(dialect) for n in names]
    while batch:
        columns = [
            _bound([row[n] for row in batch], way) for n, way in zip(names, ways, strict=True)
        ]
        told: Any = list(zip(*columns, strict=True))
        if not compiled.positional:
            told = [dict(zip(names, values, strict=True)) for values in told]
        connection.exec_driver_sql(str(compiled), told)
        batch = list(islice(left, BATCH))


def _bound(values: list[Any], way: Callable[[Any], Any] | None) -> list[Any]:
    return values if way is None else [way(v) for v in values]


def _plain(value: Any) -> Any:
    """Return a numpy scalar, NaN or NaT as a plain value."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:
        return None
    return value.date() if isinstance(value, dt.datetime) else value
