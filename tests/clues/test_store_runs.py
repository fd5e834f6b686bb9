"""Runs in the store, on both stores: clue numbers, what comes again, what fails leaves nothing."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from sqlalchemy import select

from clues.store import schema
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


def test_a_failed_registration_leaves_nothing(store: Store):
    patches, findings = judged(3)
    findings.loc[2, "parcel_no"] = None
    with pytest.raises((TypeError, ValueError)):
        store.register(record(), patches, findings)
    assert store.counts()["runs"] == 0
