"""The clue store: the only place that reads and writes the database.

A run is registered in one transaction and only once; clue numbers are handed out in the order
(county, anchor) and never reused.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, func, insert, select, update
from sqlalchemy.exc import OperationalError

from clues.store import schema
from clues.store.leads import keep_leads
from configs.errors import StoreError

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["LayerRecord", "RunRecord", "Store"]

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


@dataclass(frozen=True)
class RunRecord:
    """What the store keeps of a run.

    Attributes
    ----------
    run_key : str
        Names the run; registering the same key again changes nothing.
    year, quarter : int
        Printed in clue numbers.
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


@dataclass(frozen=True)
class LayerRecord:
    """One immutable version of a One-Map layer."""

    role: str
    name: str
    version: str
    crs: str
    features: int
    complete: str


class Store:
    """A clue store behind a database URL; SQLite files are opened in WAL mode.

    Parameters
    ----------
    url : str
        SQLAlchemy URL, such as ``sqlite:////data/tuban.sqlite``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = create_engine(url)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _sqlite_pragmas)

    @classmethod
    def at(cls, path: Path) -> "Store":
        """Open the SQLite file at `path` and bring its schema up to date."""
        path.parent.mkdir(parents=True, exist_ok=True)
        store = cls(f"sqlite:///{path}")
        store.migrate()
        return store

    def migrate(self) -> None:
        """Bring the schema to the newest version."""
        config = Config()
        config.set_main_option(
            "script_location", str(resources.files("clues.store") / "migrations")
        )
        with self.transaction() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close all connections; a SQLite file is then one file again."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        self.engine.dispose()

    def register(
        self,
        run: RunRecord,
        patches: "gpd.GeoDataFrame",
        findings: "gpd.GeoDataFrame",
        leads: "gpd.GeoDataFrame | None" = None,
    ) -> dict[str, str]:
        """Store a judged run; return the clue number of every patch that is a clue.

        Parameters
        ----------
        run : RunRecord
        patches : GeoDataFrame
            All patches in the order (county, anchor), with ``disposition``.
        findings : GeoDataFrame
            One row per parcel and line.
        leads : GeoDataFrame, optional
            See `clues.leads.LEAD_COLUMNS`.

        Returns
        -------
        dict of str to str
            patch_id to clue_no. For a run registered before, the numbers given then.
        """
        now = dt.datetime.now(dt.UTC)
        with self.transaction() as connection:
            known = connection.scalar(
                select(schema.runs.c.id).where(schema.runs.c.run_key == run.run_key)
            )
            if known is None:
                run_id = _insert_run(connection, run, now)
                keys = _insert_patches(connection, run_id, patches)
                _insert_parcels(connection, run_id, keys, run, findings, now)
                _insert_clues(connection, keys, run, patches, now)
                _insert_layers(connection, run.layers, now)
                if leads is not None:
                    keep_leads(connection, leads)
                known = run_id
            return _clue_numbers(connection, known)

    def counts(self) -> dict[str, int]:
        """Return the number of rows of every table."""
        with self.engine.connect() as connection:
            return {
                name: connection.scalar(select(func.count()).select_from(table)) or 0
                for name, table in sorted(schema.metadata.tables.items())
            }

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection whose work is kept whole or not at all."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StoreError(
                f"the clue store refuses: {error.orig}",
                self.engine.url.render_as_string(hide_password=True),
                "check that the folder is writable, the disk not full and no other program "
                "holds the file, then run the same command again",
            ) from error


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _insert_run(connection: Connection, run: RunRecord, now: dt.datetime) -> int:
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
        )
    )
    key: Any = result.inserted_primary_key
    return int(key[0])


def _insert_patches(
    connection: Connection, run_id: int, patches: "gpd.GeoDataFrame"
) -> dict[str, int]:
    bounds = patches.geometry.bounds.to_numpy()
    wkb = shapely.to_wkb(patches.geometry.to_numpy())
    columns = [
        c.name
        for c in schema.patches.columns
        if c.name in patches.columns and c.name not in ("geometry", "id")
    ]
    rows, objects = [], _objects(patches)
    for i, values in enumerate(patches[columns].astype(object).to_dict("records")):
        west, south, east, north = (float(v) for v in bounds[i])
        rows.append(
            {k: _plain(v) for k, v in values.items()}
            | {"run_id": run_id, "object_id": objects[i], "geometry": wkb[i]}
            | {"west": west, "south": south, "east": east, "north": north}
        )
    _insert_many(connection, schema.patches, rows)
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


def _insert_parcels(
    connection: Connection,
    run_id: int,
    keys: dict[str, int],
    run: RunRecord,
    findings: "gpd.GeoDataFrame",
    now: dt.datetime,
) -> None:
    wkb = shapely.to_wkb(findings.geometry.to_numpy())
    records = findings.drop(columns="geometry").astype(object).to_dict("records")
    parcels, judged = [], []
    for i, row in enumerate(records):
        first = {
            "patch_key": keys[row["patch_id"]],
            "line": row["line"],
            "parcel_no": int(row["parcel_no"]),
        }
        parcels.append(
            first
            | {
                "parcel_id": row["parcel_id"],
                "area_dm2": int(row["area_dm2"]),
                "areas": {name: int(row[name]) for name in AREA_COLUMNS},
                "documents": [d for d in str(row["documents"]).split(",") if d],
                "geometry": wkb[i],
            }
        )
    _insert_many(connection, schema.parcels, parcels)
    table = schema.parcels.c
    found = connection.execute(
        select(table.patch_key, table.line, table.parcel_no, table.id)
        .join(schema.patches, schema.patches.c.id == table.patch_key)
        .where(schema.patches.c.run_id == run_id)
    )
    ids = {(patch, line, no): key for patch, line, no, key in found}
    for row in records:
        key = ids[keys[row["patch_id"]], row["line"], int(row["parcel_no"])]
        judged.append(
            {
                "parcel_key": key,
                "rule_set": run.rule_set,
                "rule_set_version": run.rule_set_version,
                "judged_at": now,
            }
            | {n: row[n] for n in ("outcome", "rule", "rules", "flags")}
            | {n: row[n] for n in ("reason_zh", "reason_en", "trace")}
        )
    _insert_many(connection, schema.findings, judged)


def _insert_clues(
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
    _insert_many(connection, schema.clues, rows)


def _insert_layers(
    connection: Connection, records: Sequence[LayerRecord], now: dt.datetime
) -> None:
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


def _clue_numbers(connection: Connection, run_id: int) -> dict[str, str]:
    found = connection.execute(
        select(schema.patches.c.patch_id, schema.clues.c.clue_no)
        .join(schema.clues, schema.clues.c.object_id == schema.patches.c.object_id)
        .where(schema.patches.c.run_id == run_id, schema.patches.c.disposition == "clue")
        .order_by(schema.clues.c.clue_no)
    )
    return {str(patch_id): str(clue_no) for patch_id, clue_no in found}


def _insert_many(connection: Connection, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), BATCH):
        connection.execute(insert(table), rows[start : start + BATCH])


def _plain(value: Any) -> Any:
    """Return a numpy scalar, NaN or NaT as a plain value."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:
        return None
    return value.date() if isinstance(value, dt.datetime) else value
