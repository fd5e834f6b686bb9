"""The clue store: migrations, registration by several at once, the history of a register."""

import datetime as dt
import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, select

from clues.audit.verify import verify
from clues.objects import ObjectFate
from clues.store import schema
from clues.store.inserting import AREA_COLUMNS, LayerRecord, RunRecord
from clues.store.lineage import Held, Period, held_before, keep_fates
from clues.store.repository import Store
from clues.store.verdicts import add_verdicts
from configs.errors import StoreAway, StoreError
from tests.database import postgis_server


def judged(n: int = 5, county: str = "999901") -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    boxes = [shapely.box(10 * i, 0, 10 * i + 5, 5) for i in range(n)]
    patches = gpd.GeoDataFrame(
        {
            "patch_id": [f"T{i:012d}" for i in range(n)],
            "source_id": "",
            "county_code": county,
            "anchor_row": range(n),
            "anchor_col": 0,
            "n_pixels": 25,
            "area_dm2": 2500,
            "before_from": dt.date(2025, 3, 5),
            "before_to": dt.date(2025, 3, 5),
            "after_from": dt.date(2025, 6, 12),
            "after_to": dt.date(2025, 6, 12),
            "change_type": "new_building",
            "use": "industry",
            "confidence": 80,
            "disposition": ["clue" if i % 2 == 0 else "dismissed" for i in range(n)],
            "outcome": "suspected",
            "rule": "V1",
            "priority": 3,
            "lon": 114.0,
            "lat": 36.0,
        },
        geometry=boxes,
        crs="EPSG:4526",
    )
    findings = gpd.GeoDataFrame(
        {
            "patch_id": patches["patch_id"],
            "line": "land",
            "parcel_no": 1,
            "parcel_id": patches["patch_id"],
            "area_dm2": 2500,
            "documents": "approval:A1",
            **dict.fromkeys(AREA_COLUMNS, 0),
            "outcome": "suspected",
            "rule": "V1",
            "rules": "V1",
            "flags": "",
            "reason_zh": "未报即用",
            "reason_en": "used without approval",
            "trace": "{}",
        },
        geometry=boxes,
        crs="EPSG:4526",
    )
    return patches, findings


def record(key: str = "run-1") -> RunRecord:
    return RunRecord(
        run_key=key,
        name="test",
        county_code="999901",
        county_name="示例县",
        grid_crs="EPSG:4526",
        year=2026,
        quarter=1,
        rule_set="cn-land",
        rule_set_version="1",
        config={"a": 1},
        versions={},
        layers=(LayerRecord("approval", "JSYDSP", "abc", "EPSG:4526", 3, "true"),),
    )


@pytest.fixture
def store(tmp_path: Path):
    store = Store.at(tmp_path / "clues.sqlite")
    yield store
    store.close()


def test_migrations_reach_the_schema_and_go_back(tmp_path: Path):
    store = Store.at(tmp_path / "clues.sqlite")
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, schema.metadata) == []
        assert set(inspect(connection).get_table_names()) == {
            *schema.metadata.tables,
            "alembic_version",
        }
    store.migrate()
    store.close()


def test_an_older_store_is_brought_up_to_date_and_kept_as_it_was(tmp_path: Path):
    path = tmp_path / "old.sqlite"
    old = Store(f"sqlite:///{path}")
    old.migrate("0004")
    old.register(record(), *judged(5))
    day = dt.date(2026, 4, 1)
    batch = {"year": 2026, "number": 1, "issue_date": day, "due_date": day}
    with old.transaction() as connection:
        connection.execute(schema.batches.insert().values(**batch))
        connection.execute(schema.clues.update().values(batch_id=1))
    old.close()
    assert not list(tmp_path.glob("*before*"))
    new = Store.at(path)
    issue = schema.issues.c
    with new.engine.connect() as connection:
        told = connection.execute(select(issue.clue_id, issue.batch_id).order_by(issue.id)).all()
    assert [tuple(t) for t in told] == [(1, 1), (2, 1), (3, 1)]
    new.close()
    Store.at(path).close()
    (copy,) = tmp_path.glob("*before*")
    assert copy.name == "old.before-0004.sqlite"
    with sqlite3.connect(copy) as kept:
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == ("0004",)
        assert kept.execute("SELECT count(*) FROM clues").fetchone() == (3,)


def rows_of(path: Path, tables: list[str]) -> dict[str, list[dict[str, Any]]]:
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        return {
            name: [dict(row) for row in database.execute(f"SELECT * FROM {name} ORDER BY 1")]
            for name in tables
        }


def in_place(n: int) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return what `judged` does, where its CRS is meant for."""
    tables = judged(n)
    for table in tables:
        table["geometry"] = table.translate(38_500_000, 4_000_000)
    return tables


def test_a_store_of_the_first_version_goes_on_with_all_it_held(tmp_path: Path):
    """Filled through the first schema, brought up to date, it is a store of today."""
    today = Store.at(tmp_path / "today.sqlite")
    today.register(record(), *in_place(5))
    day, now = dt.date(2026, 4, 1), dt.datetime.now(dt.UTC)
    with today.transaction() as connection:
        batch = {"year": 2026, "number": 1, "issue_date": day, "due_date": day}
        connection.execute(schema.batches.insert().values(**batch))
        connection.execute(schema.clues.update().values(batch_id=1))
        said = {"patch_key": 1, "parcel_no": 0, "line": "land", "verdict": "合法", "reason": "批文"}
        add_verdicts(connection, [said | {"by": "Sun", "at": now, "source": "ledger abc"}])
    today.close()

    path = tmp_path / "old.sqlite"
    old = Store(f"sqlite:///{path}")
    old.migrate("0001")
    old.close()
    with sqlite3.connect(path) as database:
        database.execute("ATTACH ? AS today", (str(tmp_path / "today.sqlite"),))
        held = [
            *("batches", "counters", "runs", "layers", "layer_versions"),
            *("patches", "clues", "parcels", "findings", "verdicts"),
        ]
        for name in held:
            columns = [row[1] for row in database.execute(f"PRAGMA main.table_info({name})")]
            told = ", ".join(f'"{column}"' for column in columns)
            database.execute(f"INSERT INTO main.{name} ({told}) SELECT {told} FROM today.{name}")
    database.close()
    before = rows_of(path, held)
    assert all(before.values())

    new = Store.at(path)
    with new.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == "0006"
        assert compare_metadata(context, schema.metadata) == []
        issue = schema.issues.c
        issued = connection.execute(select(issue.clue_id, issue.batch_id).order_by(issue.id)).all()
        assert [tuple(one) for one in issued] == [(1, 1), (2, 1), (3, 1)]
        listed = connection.scalars(select(schema.worklist.c.clue_no).order_by("clue_no")).all()
    after = rows_of(path, held)
    for name, rows in before.items():
        assert [{k: row[k] for k in rows[0]} for row in after[name]] == rows, name
    assert listed == [row["clue_no"] for row in before["clues"]]
    assert not verify(new).broken
    assert new.register(record(), *in_place(5)) == dict(
        zip(("T000000000000", "T000000000002", "T000000000004"), listed, strict=True)
    )
    patches, findings = in_place(3)
    for table in (patches, findings):
        table["patch_id"] = table["patch_id"].str.replace("T", "U")
    assert max(new.register(record("run-2"), patches, findings).values()) == "99990126Q1000005"
    new.close()
    assert (tmp_path / "old.before-0001.sqlite").is_file()


def test_an_unwritable_store_says_what_to_do(tmp_path: Path):
    (tmp_path / "clues.sqlite").mkdir()
    with pytest.raises(StoreError, match=r"(?s)unable to open.*where:.*fix:"):
        Store.at(tmp_path / "clues.sqlite")


def test_nothing_is_written_where_the_file_is_another_one(tmp_path: Path):
    path, away = tmp_path / "clues.sqlite", tmp_path / "away.sqlite"
    store = Store.at(path)
    path.rename(away)
    with pytest.raises(StoreAway, match=r"(?s)moved, removed or replaced.*fix:"):
        store.register(record(), *judged(5))
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreAway, match="moved, removed or replaced"):
        store.look()
    away.rename(path)
    assert len(store.register(record(), *judged(5))) == 3
    store.close()


def other(name: str, shift: int) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    patches, findings = judged(3)
    for table in (patches, findings):
        table["patch_id"] = table["patch_id"].str.replace("T", name)
        table.geometry = table.geometry.translate(0, shift)
    return patches, findings


def registered_by(place: Path | str, name: str, shift: int, start: Any, told: Any) -> None:
    start.wait()
    store = Store.at(place)
    try:
        told.put(store.register(record(f"run-{name}"), *other(name, shift)))
    finally:
        store.close()


def race(place: Path | str) -> list[dict[str, str]]:
    """Register four runs from four processes at once, one of them twice."""
    context = multiprocessing.get_context("fork")
    start, told = context.Event(), context.Queue()
    runs = (("A", 10), ("B", 20), ("C", 30), ("C", 30))
    workers = [context.Process(target=registered_by, args=(place, *r, start, told)) for r in runs]
    for worker in workers:
        worker.start()
    start.set()
    found = [told.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    return sorted(found, key=str)


def require_no_number_twice(found: list[dict[str, str]], place: Path | str) -> None:
    assert found[2] == found[3]
    numbers = [n for told in found[:3] for n in told.values()]
    assert sorted(numbers) == [f"99990126Q1{i:06d}" for i in range(1, 7)]
    store = Store.at(place)
    assert store.counts()["runs"] == 3
    store.close()


def test_runs_are_registered_at_the_same_time(tmp_path: Path):
    place = tmp_path / "new" / "register.sqlite"
    require_no_number_twice(race(place), place)


@pytest.mark.slow
@pytest.mark.desk
def test_a_server_keeps_a_register_like_a_file(tmp_path: Path):
    with postgis_server() as url:
        require_no_number_twice(race(url), url)
        for place in (tmp_path / "register.sqlite", url):
            require_history(place)


def test_a_register_in_a_file_keeps_history(tmp_path: Path):
    require_history(tmp_path / "register.sqlite")


def require_history(place: Path | str) -> None:
    """A register tells a period what it held before, and takes verdicts on earlier ones only."""
    store = Store.at(place)
    patches, findings = other("H", 1000)
    first = period("first", dt.date(2025, 6, 12))
    entered(store, "h-1", first, patches, findings, ["new"] * 3)
    second = period("second", dt.date(2025, 9, 12))
    with store.transaction() as connection:
        key = connection.scalar(
            select(schema.patches.c.id).where(schema.patches.c.object_id == "H000000000000")
        )
        said = {"patch_key": key, "parcel_no": 0, "line": "land", "verdict": "违法", "reason": ""}
        add_verdicts(connection, [said | {"by": "A", "at": first_day(), "source": "test"}])
    with store.engine.connect() as connection:
        held = held_before(connection, second)
        own = held_before(connection, first)
        apart = held_before(connection, replace(second, bounds=(9e5, 9e5, 9.1e5, 9.1e5)))
    assert [k.object_id for k in held.known] == [f"H{i:012d}" for i in range(3)]
    assert [k.verdict for k in held.known] == ["违法", None, None]
    assert held.known[0].judged.equals(patches.geometry[0])
    assert (held.known[0].before, held.known[0].after) == (first.before, first.after)
    assert (own.known, len(own.later)) == ((), 3)
    assert own.digest == held_before_nothing(apart)
    store.close()


def held_before_nothing(held: Held) -> str:
    assert (held.known, held.later) == ((), ())
    return held.digest


def first_day() -> dt.datetime:
    return dt.datetime(2025, 7, 1, tzinfo=dt.UTC)


def period(name: str, after: dt.date) -> Period:
    return Period(name, dt.date(2025, 3, 5), after, "EPSG:4526", (0, 900, 100, 1100))


def entered(
    store: Store,
    key: str,
    when: Period,
    patches: gpd.GeoDataFrame,
    findings: gpd.GeoDataFrame,
    fates: list[Any],
) -> None:
    run = replace(record(key), name=when.run, period=(when.before, when.after))
    rows = [
        ObjectFate(*(p, fate, p, (), 2500, 0, shape, 2500, when.before, when.after))
        for p, fate, shape in zip(patches["patch_id"], fates, patches.geometry, strict=True)
    ]

    def beside(connection: Any, run_id: int, keys: dict[str, int]) -> None:
        kinds = {p: (k, ("new_building", "", "")) for p, k in keys.items()}
        keep_fates(connection, run_id, rows, kinds, {})

    store.register(run, patches, findings, beside=beside)


def test_sqlite_needs_no_extension(store: Store):
    with create_engine(store.url).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_store_of_a_later_version_is_refused(tmp_path: Path):
    path = tmp_path / "clues.sqlite"
    store = Store.at(path)
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffff'")
    store.close()
    with pytest.raises(StoreError, match="schema ffff, which this version does not know"):
        Store.at(path)
