"""Runs in the store, on both stores: clue numbers, what comes again, what fails leaves nothing."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import Connection, delete, func, insert, select

from clues.store import schema
from clues.store.inserting import insert_many
from clues.store.repository import Store
from tests.clues.desk import place, server, template  # noqa: F401
from tests.clues.test_store import judged, record


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:  # noqa: F811
    store = Store.at(place)
    yield store
    store.close()


def test_clue_numbers_follow_the_order_and_only_clues_get_one(store: Store):
    patches, findings = judged(5)
    numbers = store.register(record(), patches, findings)
    assert numbers == {
        "T000000000000": "99990126Q1000001",
        "T000000000002": "99990126Q1000002",
        "T000000000004": "99990126Q1000003",
    }
    counts = store.counts()
    assert (counts["patches"], counts["findings"], counts["clues"]) == (5, 5, 3)
    assert counts["layer_versions"] == 1


def test_registering_again_changes_nothing(store: Store):
    first = store.register(record(), *judged(5))
    before = store.counts()
    assert store.register(record(), *judged(5)) == first
    assert store.counts() == before


def test_numbers_are_never_reused_across_runs(store: Store):
    first = store.register(record("run-1"), *judged(5))
    patches, findings = judged(3)
    for table in (patches, findings):
        table["patch_id"] = table["patch_id"].str.replace("T", "U")
    second = store.register(record("run-2"), patches, findings)
    assert not set(first.values()) & set(second.values())
    assert max(second.values()) == "99990126Q1000005"


def test_a_patch_judged_again_keeps_its_number(store: Store):
    first = store.register(record("run-1"), *judged(5))
    patches, findings = judged(5)
    patches["disposition"] = ["dismissed", "clue", "clue", "dismissed", "clue"]
    again = store.register(record("run-2"), patches, findings)
    assert again["T000000000002"] == first["T000000000002"]
    assert again["T000000000001"] == "99990126Q1000004"
    assert "T000000000000" not in again


def test_geometry_and_dates_come_back(store: Store):
    patches, findings = judged(1)
    store.register(record(), patches, findings)
    with store.engine.connect() as connection:
        row = connection.execute(select(schema.patches)).one()
    assert shapely.from_wkb(row.geometry).equals(patches.geometry[0])
    assert (row.west, row.north, row.before_from) == (0.0, 5.0, dt.date(2025, 3, 5))


def test_numbers_are_told_before_most_is_entered_and_may_yet_be_lost(store: Store):
    told: list[tuple[dict[str, str], int]] = []

    def ahead(connection: Connection, numbers: dict[str, str]) -> None:
        found = connection.scalar(select(func.count()).select_from(schema.findings))
        told.append((numbers, int(found or 0)))

    patches, findings = judged(5)
    spoilt = findings.astype({"parcel_no": object})
    spoilt.loc[4, "parcel_no"] = None
    with pytest.raises(TypeError):
        store.register(record(), patches, spoilt, numbered=ahead)
    assert store.counts()["clues"] == 0
    numbers = store.register(record(), patches, findings, numbered=ahead)
    assert told == [(numbers, 0)] * 2
    store.register(record(), patches, findings, numbered=ahead)
    assert len(told) == 2  # a run that is known is not entered again


def test_rows_are_entered_as_sqlalchemy_enters_them(store: Store):
    now = dt.datetime(2026, 3, 1, 12, 30, 15, 250, tzinfo=dt.UTC)
    rows: list[dict[str, Any]] = [
        {
            "run_key": f"run-{i}",
            "name": "100 % 甲",
            "county_code": "999901",
            "county_name": "测试县",
            "grid_crs": "EPSG:4525",
            "config": config,
            "versions": {"tuban": "1"},
            "registered_at": now,
            "period_before": day,
            "period_after": None,
        }
        for i, (config, day) in enumerate([({"甲": [1, None]}, dt.date(2025, 3, 5)), ({}, None)])
    ]
    asked = select(schema.runs).order_by(schema.runs.c.run_key)
    with store.transaction() as connection:
        insert_many(connection, schema.runs, iter(rows))
        insert_many(connection, schema.runs, [])
        ours = [row[1:] for row in connection.execute(asked)]
        connection.execute(delete(schema.runs))
        connection.execute(insert(schema.runs), rows)
        assert ours == [row[1:] for row in connection.execute(asked)]


def test_a_failed_registration_leaves_nothing(store: Store):
    patches, findings = judged(3)
    findings.loc[2, "parcel_no"] = None
    with pytest.raises((TypeError, ValueError)):
        store.register(record(), patches, findings)
    assert store.counts()["runs"] == 0
