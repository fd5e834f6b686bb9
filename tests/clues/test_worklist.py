"""The worklist on both stores: one set of filters, who sees what, pages that lose nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from clues.store import schema
from clues.store.clueview import clue
from clues.store.presence import listed_otherwise
from clues.store.repository import Store
from clues.store.worklist import (
    ORDERS,
    Filters,
    Scope,
    clue_numbers_matching,
    count,
    neighbours,
    points,
    worklist,
)
from clues.store.worklistrows import refresh
from configs.errors import InputError
from tests.clues.desk import (  # noqa: F401
    COUNTY,
    book_of,
    county_run,
    days,
    place,
    server,
    template,
)
from tests.clues.test_store import record

WHOLE, NONE = Scope(), Filters()


@pytest.fixture
def store(place: Path | str, tmp_path: Path) -> Iterator[Store]:  # noqa: F811
    """Two counties of two runs; in the first a case is late and a clue judged."""
    store = Store.at(place)
    store.register(record("run-1"), *county_run(6))
    other = replace(record("run-2"), name="other", county_code="999902")
    store.register(other, *county_run(3, "999902", "U", east=5000.0))
    book = book_of(store, tmp_path)
    cases = book.dispatch(COUNTY, [f"99990126Q100000{i}" for i in (1, 2)], due_date=days(-3)).cases
    book.assign(COUNTY, cases["99990126Q1000001"], 1, "chen", "999901101")
    book.act(COUNTY, cases["99990126Q1000002"], "judge", 1, {"verdict": "legal"})
    yield store
    store.close()


def found(store: Store, filters: Filters = NONE, scope: Scope = WHOLE) -> list[str]:
    with store.engine.connect() as connection:
        numbers = clue_numbers_matching(connection, filters, scope)
        assert len(numbers) == count(connection, filters, scope)
        assert numbers == [r[0] for r in points(connection, filters, scope).rows]
        told = worklist(connection, filters, scope, "number", limit=500).items
    assert [r["clue_no"] for r in told] == numbers
    return [n[4:6] + n[-1] for n in numbers]


def test_every_filter_gives_the_same_clues_to_list_points_and_count(store: Store):
    late = replace(NONE, day=days(0), overdue=True)
    for filters, wanted in (
        (NONE, ["011", "012", "013", "014", "015", "016", "021", "022", "023"]),
        (Filters(run="other"), ["021", "022", "023"]),
        (Filters(division="999902"), ["021", "022", "023"]),
        (Filters(state=("dispatched", "judged")), ["011", "012"]),
        (Filters(verdict=("legal",)), ["012"]),
        (Filters(verdict=("none",), division="999901"), ["011", "013", "014", "015", "016"]),
        (Filters(outcome=("legal",)), []),
        (Filters(q="q1000003"), ["013", "023"]),
        (Filters(q="99990126Q1000001-01"), ["011"]),
        (Filters(q="%"), []),
        (Filters(assigned_to="chen"), ["011"]),
        (Filters(min_area=160001), []),
        (Filters(max_area=160000, rule=("V1",), fate=("new",)), ["011"]),
        (Filters(object_ids=("U000000000001",)), ["022"]),
        (late, ["011"]),
    ):
        shown = found(store, filters)
        assert shown[: len(wanted)] == wanted, filters
        if not filters.max_area:
            assert shown == wanted, filters
    with pytest.raises(InputError, match="depends on the day"):
        found(store, Filters(overdue=True))


def test_a_box_in_degrees_finds_what_it_touches(store: Store):
    with store.engine.connect() as connection:
        row = worklist(connection, Filters(q="99990226Q1000001"), WHOLE).items[0]
    west, south, east, north = row["bounds"]
    assert 113 < west < east < 115
    assert found(store, Filters(bbox=(west, south, east, north))) == ["021"]


def test_nobody_sees_beyond_their_scope(store: Store):
    assert found(store, NONE, Scope(("999902",))) == ["021", "022", "023"]
    assert found(store, NONE, Scope(("99",))) == found(store)
    assert found(store, NONE, Scope(("999901101",))) == ["011"]
    assert found(store, NONE, Scope(("999901",), "chen")) == ["011"]
    assert found(store, Filters(division="999901"), Scope(("999902",))) == []
    with store.engine.connect() as connection:
        assert clue(connection, "99990126Q1000001", Scope(("999902",))) is None
        public = clue(connection, "99990126Q1000001", Scope(redacted=True))
    assert public is not None
    assert public["geometry"] is public["bounds"] is public["assigned_to"] is None
    assert public["cases"] == public["parcels"] == public["case_nos"] == []
    assert public["lon"] == pytest.approx(117.025)


def test_pages_hold_every_clue_once_in_every_order(store: Store):
    for order in ORDERS:
        with store.engine.connect() as connection:
            seen, cursor, second = [], "", ""
            while True:
                page = worklist(connection, NONE, WHOLE, order, cursor, 2)
                seen += page.items
                cursor = page.next
                second = second or cursor
                if not cursor:
                    break
            whole = worklist(connection, NONE, WHOLE, order, limit=500).items
            for wrong in ("nonsense", cursor + "é", "W10", "WyJudW1iZXIiLDEsMl0"):
                with pytest.raises(InputError, match="cursor"):
                    worklist(connection, NONE, WHOLE, order, wrong or "x")
            walked = worklist(connection, NONE, WHOLE, order, second, 1, (9, 9)).items
            ranked = worklist(connection, NONE, WHOLE, order, second, 1, (1, 9)).items
        assert seen == whole
        assert len(whole) == 9
        assert walked == ranked == whole[2:3]
    with store.engine.connect() as connection:
        first = worklist(connection, NONE, WHOLE, "priority", limit=1).items[0]
        due = worklist(connection, NONE, WHOLE, "due", limit=1).items[0]
        beside = neighbours(connection, "99990126Q1000006", NONE, WHOLE)
    assert first["priority"] == 60
    assert due["due_date"] == days(-3)
    assert beside == {"previous": "99990126Q1000005", "next": "99990226Q1000001"}


def test_one_clue_with_all_that_is_known_of_it(store: Store):
    with store.engine.connect() as connection:
        told = clue(connection, "99990126Q1000001", Scope(("999901",)))
    assert told is not None
    assert told["geometry"]["type"] == "Polygon"
    assert [p["parcel_id"] for p in told["parcels"]] == ["T000000000000_1", "T000000000000_2"]
    assert told["parcels"][0]["documents"] == [{"role": "approval", "key": "approval:A1"}]
    assert (told["cropland_dm2"], told["severity"]) == (200000, 1)
    assert told["cases"][0]["opened_at"].tzinfo is not None


def test_the_worklist_can_be_made_again_from_the_store(store: Store):
    before = found(store)
    with store.transaction() as connection:
        assert listed_otherwise(connection) == ""
        connection.execute(delete(schema.worklist))
        assert listed_otherwise(connection) == "99990126Q1000001"
        refresh(connection)
        assert listed_otherwise(connection) == ""
        state = connection.scalar(select(schema.worklist.c.state).limit(1))
    assert state
    assert found(store) == before
