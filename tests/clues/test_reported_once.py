"""Nothing judged is reported twice: runs repeated, remade, late; things merged and split."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import select

from clues.identity import trace_fates
from clues.objects import Fates
from clues.outputs.tables import ClueTables
from clues.store import schema
from clues.store.inserting import RunRecord
from clues.store.lineage import Period, held_before
from clues.store.register import RegisteredClue, registered_clues
from clues.store.repository import Store
from clues.store.verdicts import add_verdicts
from flows.registering import Registration
from flows.tracing import current_patches, traced
from tests.clues.made import rectangle
from tiles.geodesy import ellipsoidal_area

CRS = "EPSG:4526"
BASE = dt.date(2024, 12, 20)
Q1, Q2, Q3, Q4 = (dt.date(2025, month, 20) for month in (3, 6, 9, 12))
SITE, WIDER = rectangle(100, 100, 300, 300), rectangle(100, 100, 360, 300)
WEST, EAST = rectangle(100, 100, 190, 300), rectangle(210, 100, 300, 300)
MOVED, NORTH = rectangle(104, 103, 304, 303), rectangle(100, 800, 300, 1000)
NOTHING: dict[str, Any] = {}


class County:
    """A register and the periods that were entered into it."""

    def __init__(self, store: Store, tables: ClueTables) -> None:
        self.store, self.tables = store, tables

    def enter(
        self,
        name: str,
        after: dt.date,
        shapes: dict[str, Any],
        *,
        key: str = "",
        before: dt.date = BASE,
    ) -> tuple[Fates, dict[str, str]]:
        """Register a period; return the fates and the numbers of the clues that it lists."""
        period = Period(name, before, after, CRS, SITE.union(NORTH).buffer(1000).bounds)
        with self.store.engine.connect() as connection:
            held = held_before(connection, period)
        patches = self._patches(shapes)
        fates = trace_fates(
            *(held.known, current_patches(patches, period), shapely.box(*period.bounds)),
            crs=CRS,
            later=held.later,
            before=before,
        )
        patches = traced(patches, fates, _NO_RULES)
        left_out = patches["judged_before"] | patches["listed_before"]
        patches["disposition"] = ["dismissed" if out else "clue" for out in left_out]
        run = RunRecord(
            *(key or name, name, "999901", "", CRS, 2025, 2, "cn-land", "1", {}, {}),
            period=(before, after),
        )
        beside = Registration(self.store.url, period, fates, held.digest)
        tables = replace(self.tables, patches=patches)
        numbers = self.store.register(
            run, patches, [], before=beside.require_same, beside=beside.enter(tables)
        )
        return fates, numbers

    def _patches(self, shapes: dict[str, Any]) -> Any:
        some = self.tables.patches.iloc[[0] * len(shapes)].reset_index(drop=True)
        areas = ellipsoidal_area(list(shapes.values()), CRS) if shapes else []
        some = some.drop(columns=["object_id"], errors="ignore")
        some = some.assign(patch_id=list(shapes), area_dm2=[round(a * 100) for a in areas])
        return some.set_geometry(list(shapes.values()), crs=CRS)

    def judge(self, run: str, patch_id: str, verdict: str) -> None:
        """Let people judge a patch of a run."""
        patch = schema.patches.c
        asked = select(patch.id).join(schema.runs).where(schema.runs.c.name == run)
        with self.store.transaction() as connection:
            key = connection.scalar(asked.where(patch.patch_id == patch_id))
            row = {"patch_key": key, "parcel_no": 0, "line": "land", "reason": "", "by": "张三"}
            row |= {"at": dt.datetime.now(dt.UTC), "source": "ledger", "verdict": verdict}
            add_verdicts(connection, [row])

    @property
    def clues(self) -> dict[str, RegisteredClue]:
        with self.store.engine.connect() as connection:
            return {c.clue_no: c for c in registered_clues(connection)}


class _NoRules:
    parameters: dict[str, Any] = {}  # noqa: RUF012


_NO_RULES: Any = _NoRules()


@pytest.fixture
def county(tables: ClueTables, tmp_path: Path) -> Iterator[County]:
    store = Store.at(tmp_path / "register.sqlite")
    yield County(store, tables)
    store.close()


def test_a_run_that_is_entered_twice_adds_nothing(county: County):
    _, first = county.enter("q1", Q1, {"TA": SITE, "TB": NORTH})
    county.judge("q1", "TA", "伪变化")
    counts = county.store.counts()
    _, again = county.enter("q1", Q1, {"TA": SITE, "TB": NORTH})
    assert again == first
    assert county.store.counts() == counts


@pytest.mark.parametrize("remade", [NOTHING, {"TC": MOVED}, {"TC": WEST, "TD": EAST}])
@pytest.mark.parametrize("before", [BASE, Q1])
def test_a_quarter_remade_by_another_config_brings_nothing_back(
    county: County, remade: dict[str, Any], before: dt.date
):
    _, first = county.enter("q1", Q1, {"TA": SITE})
    county.judge("q1", "TA", "合法")
    county.enter("q1", Q1, remade, key="other config")
    shown = {"TE": MOVED} if before == BASE else NOTHING
    fates, numbers = county.enter("q2", Q2, shown, before=before)
    assert numbers == {}
    assert {f.verdict for f in fates.rows if f.object_id == "TA"} == {"合法"}
    assert first["TA"] in county.clues


def test_a_clue_that_no_judgement_shows_any_more_is_not_issued(county: County):
    _, first = county.enter("q1", Q1, {"TA": SITE, "TB": NORTH})
    county.enter("q1", Q1, {"TB": NORTH}, key="other config")
    told = {number: clue.status for number, clue in county.clues.items()}
    assert told == {first["TA"]: "ended", first["TB"]: "open"}


@pytest.mark.parametrize("verdict", ["伪变化", "合法", "违法"])
def test_a_judged_place_is_told_when_it_grows_beyond_the_limit_and_only_then(
    county: County, verdict: str
):
    _, first = county.enter("q1", Q1, {"TA": SITE})
    county.judge("q1", "TA", verdict)
    assert county.enter("q2", Q2, {"TB": MOVED})[1] == {}
    assert county.enter("q3", Q3, {"TC": WIDER})[1] == {"TC": first["TA"]}
    assert county.clues[first["TA"]].status == "open"
    county.judge("q3", "TC", verdict)
    assert county.enter("q4", Q4, {"TD": WIDER})[1] == {}


def test_an_older_quarter_that_comes_late_does_not_tell_what_is_judged(county: County):
    county.enter("q2", Q2, {"TB": SITE})
    county.judge("q2", "TB", "伪变化")
    fates, numbers = county.enter("q1", Q1, {"TA": MOVED})
    assert numbers == {}
    (row,) = fates.rows
    assert (row.object_id, row.judged_before, row.verdict) == ("TB", True, "伪变化")


def test_a_verdict_after_a_late_quarter_leaves_its_list_as_it_was(county: County):
    county.enter("q2", Q2, {"TB": SITE})
    _, listed = county.enter("q1", Q1, {"TA": MOVED})
    county.judge("q2", "TB", "伪变化")
    _, again = county.enter("q1", Q1, {"TA": MOVED}, key="other rules")
    assert again == listed
    assert len(listed) == 1


def test_judged_things_that_merge_are_not_told_unless_they_grew_together(county: County):
    halves = {"TA": rectangle(100, 100, 200, 300), "TB": rectangle(201, 100, 300, 300)}
    county.enter("q1", Q1, halves)
    for name in halves:
        county.judge("q1", name, "违法")
    fates, numbers = county.enter("q2", Q2, {"TC": SITE})
    assert numbers == {}
    assert fates.by_patch["TC"].fate == "merged"
    assert county.enter("q3", Q3, {"TD": MOVED})[1] == {}
    assert set(county.enter("q4", Q4, {"TE": WIDER})[1]) == {"TE"}


def test_the_parts_of_a_judged_thing_are_not_told(county: County):
    county.enter("q1", Q1, {"TA": SITE})
    county.judge("q1", "TA", "合法")
    fates, numbers = county.enter("q2", Q2, {"TB": WEST, "TC": EAST})
    assert numbers == {}
    assert {f.fate for f in fates.rows} == {"split"}
    assert county.enter("q3", Q3, {"TD": WEST, "TE": EAST})[1] == {}
    grown = rectangle(210, 100, 400, 300)
    _, told = county.enter("q4", Q4, {"TF": WEST, "TG": grown})
    assert set(told) == {"TG"}


def test_numbers_are_never_given_again(county: County):
    _, first = county.enter("q1", Q1, {"TA": SITE, "TB": NORTH})
    county.enter("q1", Q1, NOTHING, key="nothing found")
    elsewhere = rectangle(600, 600, 700, 700)
    _, second = county.enter("q1", Q1, {"TC": elsewhere}, key="another config")
    assert not set(second.values()) & set(first.values())
    _, third = county.enter("q2", Q2, {"TD": elsewhere, "TE": NORTH})
    assert third["TD"] == second["TC"]
    assert third["TE"] not in {*first.values(), *second.values()}
