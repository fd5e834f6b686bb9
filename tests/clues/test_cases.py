"""Cases on both stores: their life, who may what, areas, splitting, undo, what ledgers bring."""

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select

from clues.audit.verify import verify
from clues.cases.actors import Actor
from clues.cases.balance import Areas
from clues.cases.casebook import Casebook
from clues.cases.life import Case, allowed, take
from clues.cases.refusals import CaseRefused, Conflict, NotAllowed, NotThere
from clues.store import schema
from clues.store.attachmentview import seen_file
from clues.store.batches import Batch
from clues.store.clueview import clue
from clues.store.eventview import events_seen
from clues.store.repository import Store
from clues.store.verdicts import add_verdicts, stored_verdicts
from clues.store.worklist import Filters, Scope, worklist
from clues.verdicts import settle, verdicts_of
from configs.batches import due_days
from configs.cases import case_book
from configs.errors import StoreError
from tests.clues.desk import (  # noqa: F401
    ADMIN,
    CITY,
    COUNTY,
    INSPECTOR,
    PROVINCE,
    book_of,
    county_run,
    days,
    filled,
    place,
    server,
    template,
)
from tests.clues.test_store import record

FIRST, SECOND, THIRD = (f"99990126Q100000{i}" for i in (1, 2, 3))
EVERYTHING = Scope()


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:  # noqa: F811
    store = filled(place)
    yield store
    store.close()


@pytest.fixture
def book(store: Store, tmp_path: Path) -> Casebook:
    return book_of(store, tmp_path)


def step(book: Casebook, actor: Actor, told: dict[str, Any], action: str, **form: Any) -> Any:
    return book.act(actor, told["case_no"], action, told["version"], form)


def opened(book: Casebook, clue_no: str = SECOND, **more: Any) -> dict[str, Any]:
    case_no = book.dispatch(COUNTY, [clue_no], **more).cases[clue_no]
    return book.case(COUNTY, case_no)


def judged_illegal(book: Casebook, clue_no: str = SECOND) -> dict[str, Any]:
    told = step(book, COUNTY, opened(book, clue_no), "desk_check", finding="no approval")
    told = step(book, COUNTY, told, "field_check", situation="a factory", lon=117.0, lat=36.7)
    return dict(step(book, COUNTY, told, "judge", verdict="illegal", illegal_dm2=100000))


def row_of(store: Store, clue_no: str) -> dict[str, Any]:
    with store.engine.connect() as connection:
        page = worklist(connection, Filters(q=clue_no), EVERYTHING)
    return page.items[0]


def words(store: Store) -> list[tuple[str, int, str]]:
    return [(v["verdict"], v["parcel_no"], v["source"]) for v in stored_verdicts(store)]


def test_a_case_lives_from_dispatch_to_closing(store: Store, book: Casebook):
    told = judged_illegal(book)
    assert (told["state"], told["areas"]["remaining"]) == ("judged", 100000)
    told = step(book, COUNTY, told, "file", filing_number="立〔2026〕1号", filing_date="2026-11-02")
    told = step(
        book, COUNTY, told, "decide", decision_number="罚〔2026〕1号", decision_date="2026-11-09"
    )
    told = step(book, COUNTY, told, "rectify", demolished_dm2=60000)
    told = step(book, COUNTY, told, "submit")
    assert told["review_level"] == "city"
    told = step(book, CITY, told, "approve")
    told = step(book, PROVINCE, told, "approve")
    with pytest.raises(CaseRefused, match="remains"):
        step(book, COUNTY, told, "close")
    told = step(book, COUNTY, told, "rectify", demolished_dm2=60000, papers_dm2=40000)
    told = step(book, COUNTY, told, "close")
    areas = told["areas"]
    assert (told["state"], told["review_level"]) == ("closed", "done")
    assert areas["illegal"] == areas["rectified"] + areas["remaining"] == 100000
    row = row_of(store, SECOND)
    assert (row["state"], row["verdict"], row["case_nos"]) == (
        *("closed", "illegal"),
        [f"{SECOND}-01"],
    )
    assert words(store) == [("违法", 0, "desk")]
    assert settle(verdicts_of(store)).pseudo == {"T000000000001": False}
    assert not verify(store).broken


def test_a_stale_version_changes_nothing(store: Store, book: Casebook):
    told = opened(book)
    step(book, COUNTY, told, "desk_check", finding="papers asked for")
    before = store.counts()
    with pytest.raises(Conflict, match="meanwhile"):
        step(book, COUNTY, told, "judge", verdict="legal")
    assert store.counts() == before
    assert book.case(COUNTY, told["case_no"])["state"] == "desk_checked"


def test_own_last_step_is_taken_back_by_a_further_event(store: Store, book: Casebook):
    told = step(book, COUNTY, opened(book), "judge", verdict="legal")
    with pytest.raises(CaseRefused, match="no last step of yours"):
        book.undo(CITY, told["case_no"], told["version"])
    events = store.counts()["events"]
    told = book.undo(COUNTY, told["case_no"], told["version"])
    assert (told["state"], told["verdict"], row_of(store, SECOND)["verdict"]) == (
        *("dispatched", None),
        "",
    )
    assert store.counts()["events"] == events + 2
    assert [w for w, _, _ in words(store)] == ["合法", "未定"]
    with pytest.raises(CaseRefused):
        book.undo(COUNTY, told["case_no"], told["version"])
    again = step(book, COUNTY, told, "judge", verdict="false_alarm", reason="season")
    assert settle(verdicts_of(store)).pseudo == {"T000000000001": True}
    assert again["version"] == 4


def test_the_dispatch_itself_can_be_taken_back_and_done_again(store: Store, book: Casebook):
    told = opened(book)
    told = book.undo(COUNTY, told["case_no"], told["version"])
    assert row_of(store, SECOND)["state"] == "suspected"
    assert opened(book, assigned_to="chen")["case_no"] == told["case_no"]
    assert row_of(store, SECOND)["assigned_to"] == "chen"
    assert not verify(store).broken


def test_parcels_of_a_clue_go_to_different_cases(store: Store, book: Casebook):
    told = opened(book, FIRST)
    parcels = [("land", "T000000000000_2")]
    with pytest.raises(CaseRefused, match="not all"):
        book.split(COUNTY, told["case_no"], 1, [("land", "T000000000000_3")])
    one, two = book.split(COUNTY, told["case_no"], 1, parcels)["cases"]
    assert (one["case_no"], two["case_no"]) == (f"{FIRST}-01", f"{FIRST}-02")
    assert [p["parcel_id"] for p in two["parcels"]] == ["T000000000000_2"]
    first = step(book, COUNTY, one, "field_check", situation="a wall")
    with pytest.raises(CaseRefused, match="larger"):
        step(book, COUNTY, first, "judge", verdict="illegal", illegal_dm2=60001)
    step(book, COUNTY, two, "judge", verdict="legal")
    assert row_of(store, FIRST)["verdict"] == ""
    step(book, COUNTY, first, "judge", verdict="illegal", illegal_dm2=60000)
    assert row_of(store, FIRST)["verdict"] == "illegal"
    assert words(store) == [
        *(("合法", 2, "desk"), ("未定", 0, "desk")),
        *(("违法", 1, "desk"), ("违法", 0, "desk")),
    ]
    with pytest.raises(StoreError, match="stands against"):
        said(store, "T000000000000", "合法")
    assert not verify(store).broken


def test_a_split_is_taken_back_until_one_of_the_cases_is_worked_on(store: Store, book: Casebook):
    told, parcels = opened(book, FIRST), [("land", "T000000000000_2")]
    for undone in (0, 1):
        pair = book.split(COUNTY, told["case_no"], told["version"], parcels)["cases"]
        with pytest.raises(CaseRefused, match="no last step of yours"):
            book.undo(ADMIN, pair[undone]["case_no"], pair[undone]["version"])
        back = book.undo(COUNTY, pair[undone]["case_no"], pair[undone]["version"])
        assert back["case_no"] == told["case_no"]
        assert sorted(p["parcel_id"] for p in back["parcels"]) == [
            *("T000000000000_1", "T000000000000_2")
        ]
        assert row_of(store, FIRST)["case_nos"] == [told["case_no"]]
        assert not verify(store).broken
        told = back
    with pytest.raises(CaseRefused, match="no last step of yours"):
        book.undo(COUNTY, told["case_no"], told["version"])
    one, two = book.split(COUNTY, told["case_no"], told["version"], parcels)["cases"]
    book.comment(COUNTY, FIRST, "of the second parcel", two["case_no"])
    with pytest.raises(CaseRefused, match="worked on"):
        book.undo(COUNTY, one["case_no"], one["version"])
    assert not verify(store).broken


def test_a_split_stays_where_a_step_followed(store: Store, book: Casebook):
    told, parcels = opened(book, FIRST), [("land", "T000000000000_2")]
    one, two = book.split(COUNTY, told["case_no"], told["version"], parcels)["cases"]
    step(book, COUNTY, two, "desk_check", finding="papers asked for")
    with pytest.raises(CaseRefused, match="worked on"):
        book.undo(COUNTY, one["case_no"], one["version"])
    assert len(row_of(store, FIRST)["case_nos"]) == 2


def test_a_case_has_the_parcels_of_a_new_outline_and_a_cut_clue_counts_by_its_parts(
    store: Store, book: Casebook
):
    before = book.statistics(EVERYTHING)["total"]
    drawn, cut = opened(book, FIRST), opened(book, SECOND)
    patches, findings = county_run(6)
    patches["object_id"] = patches["patch_id"]
    names = {"T000000000000": "E000000000000", "T000000000001": "E000000000001"}
    for table in (patches, findings):
        table["patch_id"] = table["patch_id"].replace(names)
    findings["parcel_id"] = findings["parcel_id"].replace(names, regex=True)
    half = {"patch_id": "E000000000002", "object_id": "E000000000002", "area_dm2": 60000}
    patches.loc[1, ["object_id", "area_dm2"]] = ["E000000000001", 100000]
    patches = pd.concat([patches.iloc[:2], patches.iloc[[1]].assign(**half), patches.iloc[2:]])
    other = findings[findings["patch_id"] == "E000000000001"].assign(parcel_id=half["patch_id"])
    other = other.assign(patch_id=half["patch_id"])
    findings = pd.concat([findings.iloc[:3], other, findings.iloc[3:]], ignore_index=True)
    store.register(record("run-2"), patches.reset_index(drop=True), findings)
    after = book.case(COUNTY, drawn["case_no"])
    assert [p["parcel_id"] for p in drawn["parcels"]] == ["T000000000000_1", "T000000000000_2"]
    assert [p["parcel_id"] for p in after["parcels"]] == ["E000000000000_1", "E000000000000_2"]
    book.split(COUNTY, drawn["case_no"], after["version"], [("land", "E000000000000_1")])
    assert book.case(COUNTY, cut["case_no"])["parcels"] == cut["parcels"]
    assert [r["clue_no"] for r in book.exceptions(EVERYTHING)["gone"]["items"]] == [SECOND]
    total = book.statistics(EVERYTHING)["total"]
    assert (total["count"], total["area_dm2"]) == (before["count"] + 1, before["area_dm2"])
    assert not verify(store).broken


def test_a_township_sees_its_own_case_only(store: Store, book: Casebook):
    told = opened(book, FIRST, division="999901101")
    _, two = book.split(COUNTY, told["case_no"], 1, [("land", "T000000000000_1")])["cases"]
    book.assign(COUNTY, two["case_no"], two["version"], "chen", "999901102")
    town = Actor("sun", "county", "999901102")
    assert book.case(town, two["case_no"])["assigned_to"] == "chen"
    with pytest.raises(NotThere):
        book.case(town, told["case_no"])
    assert book.case(Actor("chen", "inspector", "999901"), two["case_no"])
    with pytest.raises(NotThere):
        book.case(INSPECTOR, told["case_no"])
    with store.engine.connect() as connection:
        seen = clue(connection, FIRST, Scope(("999901102",)))
        other = worklist(connection, Filters(), Scope(("999902",)))
    assert seen is not None
    assert [c["case_no"] for c in seen["cases"]] == [two["case_no"]]
    assert other.items == []
    with pytest.raises(CaseRefused, match="does not lie"):
        book.assign(COUNTY, told["case_no"], 2, "", "999902")
    book.comment(COUNTY, FIRST, "of the first case", told["case_no"])
    book.comment(COUNTY, FIRST, "of the clue")
    file = book.attach(COUNTY, FIRST, b"a", "a.pdf", "application/pdf", case_no=told["case_no"])
    for scope, own in (
        (Scope(("999902101",)), []),
        (Scope(("999901102",)), ["of the clue"]),
        (Scope(("999901",), "chen"), ["of the clue"]),
    ):
        with store.engine.connect() as connection:
            seen = clue(connection, FIRST, scope)
            kept = seen_file(connection, file["sha256"], scope)
            events = events_seen(connection, "T000000000000", scope)
        assert [c["text"] for c in (seen or {"comments": []})["comments"]] == own
        assert (seen or {"attachments": []})["attachments"] == []
        assert kept is None
        assert not [e for e in events if e.subject == f"case:{told['case_no']}"]
    with store.engine.connect() as connection:
        assert len(worklist(connection, Filters(), Scope(("999901",))).items) == 6
        assert seen_file(connection, file["sha256"], Scope(("999901",)))
    stranger = Actor("zhou", "county", "999902")
    assert list(book.dispatch(stranger, [SECOND]).left_out) == [SECOND]
    with pytest.raises(NotThere):
        book.comment(stranger, SECOND, "hello")


def test_roles_levels_and_guards(book: Casebook):
    told = opened(book, assigned_to="chen")
    with pytest.raises(NotAllowed, match="inspector may not judge"):
        step(book, INSPECTOR, told, "judge", verdict="legal")
    with pytest.raises(CaseRefused, match="needs a field check"):
        step(book, COUNTY, told, "judge", verdict="illegal")
    with pytest.raises(CaseRefused, match="need a reason"):
        step(book, COUNTY, told, "judge", verdict="other")
    with pytest.raises(CaseRefused, match="has no field"):
        step(book, COUNTY, told, "judge", verdict="legal", colour="red")
    with pytest.raises(CaseRefused, match="no step"):
        step(book, COUNTY, told, "burn")
    for where in ({"lon": 500}, {"lat": -91}, {"azimuth": 361}, {"accuracy_m": math.inf}):
        with pytest.raises(CaseRefused, match=r"longitude|latitude|azimuth|accuracy"):
            step(book, COUNTY, told, "field_check", situation="a wall", **where)
    with pytest.raises(CaseRefused, match="situation on site is missing"):
        step(book, COUNTY, told, "field_check", situation="  ")
    told = step(book, COUNTY, told, "judge", verdict="legal")
    with pytest.raises(NotAllowed):
        step(book, CITY, told, "approve")
    told = step(book, COUNTY, told, "submit")
    with pytest.raises(NotAllowed):
        step(book, PROVINCE, told, "approve")
    told = step(book, CITY, told, "send_back", reason="the approval is of another parcel")
    assert (told["state"], told["returned"], told["verdict"]) == (
        *("dispatched", "the approval is of another parcel"),
        None,
    )
    assert "returned" in {k for k, v in book.exceptions(EVERYTHING).items() if v["count"]}


def test_comments_and_files_name_the_version_they_speak_of(store: Store, book: Casebook):
    told = opened(book)
    book.comment(COUNTY, SECOND, "seen from the road", told["case_no"])
    file = book.attach(COUNTY, SECOND, b"scan", "permit.pdf", "application/pdf")
    with store.engine.connect() as connection:
        seen = clue(connection, SECOND, Scope(("99",)))
    assert seen is not None
    assert [(c["text"], c["patch_id"]) for c in seen["comments"]] == [
        ("seen from the road", "T000000000001")
    ]
    assert seen["attachments"][0]["sha256"] == file["sha256"]
    assert seen["cases"][0]["checks"] == []
    kinds = [t["what"] for t in book.timeline("T000000000001", EVERYTHING)]
    assert kinds == ["case.dispatch", "comment.add", "attachment.add"]


def test_a_batch_gives_the_due_date_and_lateness_is_told(store: Store, book: Casebook):
    batch = Batch(2026, 4, days(-40), days(-10))
    done = book.dispatch(COUNTY, [SECOND, THIRD, "99990126Q1999999"], batch)
    assert list(done.left_out) == ["99990126Q1999999"]
    assert not book.dispatch(COUNTY, [SECOND]).cases
    row = row_of(store, SECOND)
    assert (row["batch"], row["due_date"]) == ("2026-4", days(-10))
    assert book.exceptions(EVERYTHING)["overdue"]["count"] == 2
    figures = book.statistics(EVERYTHING)
    assert [f["count"] for f in figures["funnel"]][:2] == [4, 2]
    assert figures["ratio"]["limit_percent"] == 15.0
    one, two = (book.sample(Scope(("9999",)), "2026", 3) for _ in range(2))
    assert one == two
    assert one["population"] == 6
    assert book.sample(EVERYTHING, "2027", 6)["items"] != book.sample(EVERYTHING, "1", 6)["items"]


def test_without_a_batch_the_profile_of_the_run_tells_the_due_date(store: Store, book: Casebook):
    sudden = replace(record("run-9"), name="flood", config={"profile": "emergency"})
    store.register(sudden, *county_run(1, "999902", "U", 900.0))
    done = book.dispatch(ADMIN, [SECOND, "99990226Q1000001"])
    due = {n: row_of(store, n)["due_date"] - book.today() for n in done.cases}
    assert due == {
        SECOND: dt.timedelta(days=due_days(None)),
        "99990226Q1000001": dt.timedelta(days=due_days("emergency")),
    }


def said(store: Store, patch: str, word: str, by: str = "Sun") -> None:
    """Enter a verdict as a ledger that is read back does."""
    with store.transaction() as connection:
        key = connection.scalar(
            select(schema.patches.c.id)
            .where(schema.patches.c.patch_id == patch)
            .order_by(schema.patches.c.id.desc())
        )
        row = {"patch_key": key, "parcel_no": 0, "line": "land", "verdict": word, "reason": ""}
        now = dt.datetime.now(dt.UTC)
        add_verdicts(connection, [row | {"by": by, "at": now, "source": "ledger abc"}])


def test_a_ledger_takes_an_open_case_to_judged_and_never_against_it(store: Store, book: Casebook):
    told = opened(book)
    said(store, "T000000000001", "违法")
    now = book.case(COUNTY, told["case_no"])
    assert (now["state"], now["verdict"], now["version"]) == ("judged", "illegal", 2)
    with pytest.raises(StoreError, match=r"(?s)stands against the verdict 合法.*at the desk"):
        said(store, "T000000000001", "合法")
    said(store, "T000000000001", "违法", by="Li")
    assert book.case(COUNTY, told["case_no"])["version"] == 2
    assert not verify(store).broken


def test_a_clue_that_a_ledger_judged_opens_as_judged(store: Store, book: Casebook):
    said(store, "T000000000002", "伪变化")
    assert row_of(store, THIRD)["verdict"] == "false_alarm"
    told = opened(book, THIRD)
    assert (told["state"], told["verdict"]) == ("judged", "false_alarm")
    book.undo(COUNTY, told["case_no"], 1)
    assert row_of(store, THIRD)["verdict"] == "false_alarm"


def test_a_run_judged_again_leaves_the_case_and_tells_it(store: Store, book: Casebook):
    told = judged_illegal(book)
    patches, findings = county_run(6)
    patches.loc[1, ["outcome", "rule", "disposition"]] = ["legal", "L1", "dismissed"]
    store.register(record("run-2"), patches, findings)
    row = row_of(store, SECOND)
    assert (row["outcome"], row["state"], row["verdict"]) == ("legal", "judged", "illegal")
    assert book.case(COUNTY, told["case_no"])["version"] == told["version"]
    last = book.timeline("T000000000001", EVERYTHING)[-1]
    assert (last["what"], last["before"]["outcome"], last["after"]["outcome"]) == (
        *("clue.judged_again", "suspected"),
        "legal",
    )
    assert book.exceptions(EVERYTHING)["machine_differs"]["count"] == 1
    assert not verify(store).broken


def test_every_step_of_the_table_is_checked_in_every_state():
    """Nobody takes a step that the table does not give to their role in that state."""
    book, day = case_book(), dt.date(2026, 3, 2)
    for role in book.roles:
        actor = Actor("x", role)
        for state in book.states:
            case = Case("1-01", state, "999901", 100, verdict="illegal")
            for name, action in book.actions.items():
                is_given = state in action.from_ and (
                    role == "administrator" or role in action.roles
                )
                if not is_given:
                    assert name not in allowed(case, actor)
                    with pytest.raises(CaseRefused):
                        take(case, name, {}, actor, day)


def test_areas_that_do_not_balance_are_refused():
    case = Case("1-01", "decided", "999901", 500, verdict="illegal", areas=Areas(500))
    with pytest.raises(CaseRefused, match="more was put right"):
        take(case, "rectify", {"papers_dm2": 501}, COUNTY, dt.date(2026, 3, 2))
    after, _ = take(case, "rectify", {"papers_dm2": 500}, COUNTY, dt.date(2026, 3, 2))
    assert after.areas.remaining == 0
    with pytest.raises(CaseRefused, match=r"dm²"):
        take(case, "rectify", {"papers_dm2": 0.5}, COUNTY, dt.date(2026, 3, 2))
