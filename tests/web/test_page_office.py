"""What an office does on the page beside judging: outlines, parcels, people, tokens, the audit."""

import json
from typing import Any

import httpx
import pytest
import shapely

from tests.web.browsing import Served, Visit, visit
from tests.web.conftest import FIRST, PASSWORD
from tests.web.keyed import sent, signed_in

pytestmark = pytest.mark.desk

COSINE = 0.8076
"""Of the latitude of the county: degrees of longitude are shorter by it."""


def at_place(browser: Any, many: Served, name: str, language: str, place: str) -> Visit:
    """Return somebody who signed in and stands at a place of the page."""
    who = visit(browser, many.address)
    who.open(language, place)
    who.sign_in(name, PASSWORD)
    return who


def shape_of(client: httpx.Client, number: str) -> Any:
    """Return the outline of a clue."""
    told = client.get(f"/api/clues/{number}").json()
    return shapely.from_geojson(json.dumps(told["geometry"]))


def click_around(who: Visit, *places: tuple[int, int]) -> None:
    """Click on the maps, at pixels counted from their middle."""
    box = who.page.locator(".sides").bounding_box()
    assert box
    for x, y in places:
        who.page.mouse.click(box["x"] + box["width"] / 2 + x, box["y"] + box["height"] / 2 + y)


def test_an_outline_is_drawn_anew_and_then_cut(browser, own_many):
    client = signed_in(own_many.address, "county")
    who = at_place(browser, own_many, "county", "en", "#/review?order=number")
    page, number = who.page, who.painted()
    old = shape_of(client, number)
    page.click(".verdict-more button:has-text('Edit the outline')")
    assert page.is_disabled(".draw-bar .primary")
    click_around(who, (-60, -60), (60, 40), (60, -60), (-60, 40))
    page.wait_for_selector(".draw-bar .primary:disabled")
    assert "crosses itself" in page.inner_text(".draw-bar")
    for _ in range(3):
        page.click(".draw-bar button:has-text('Remove last point')")
    click_around(who, (60, -60), (60, 40), (-60, 40))
    page.click(".draw-bar .primary:enabled")
    page.wait_for_selector(".draw-bar", state="detached")
    drawn = shape_of(client, number)
    assert old.contains(drawn.centroid)
    west, south, east, north = drawn.bounds
    assert (east - west) * COSINE / (north - south) == pytest.approx(1.2, abs=0.03)
    assert len(drawn.exterior.coords) == 5
    count = client.get("/api/clues").json()["total"]
    assert who.painted() == number
    page.click(".verdict-more button:has-text('Edit the outline')")
    page.click(".draw-bar [data-kind=cut]")
    click_around(who, (-200, 20), (200, 20))
    page.wait_for_selector(".draw-bar:has-text('2 pieces'):has-text('cannot be undone')")
    page.click(".draw-bar .primary:enabled")
    page.wait_for_selector("#told:has-text('New clues')")
    page.wait_for_selector(".draw-bar", state="detached")
    assert client.get("/api/clues").json()["total"] == count + 2
    assert who.painted(number) in page.inner_text("#told")
    page.fill("#search", number)
    page.wait_for_selector(".clue-badges .badge:has-text('Gone')")
    page.wait_for_selector(".verdict-more button:has-text('Edit the outline')", state="detached")
    who.close()


def test_parcels_go_to_different_cases_and_people(browser, own_many):
    client = signed_in(own_many.address, "county")
    numbers = [one["clue_no"] for one in client.get("/api/clues?limit=100").json()["items"]]
    parcels = {no: client.get(f"/api/clues/{no}").json()["parcels"] for no in numbers}
    number = max(numbers, key=lambda no: len(parcels[no]))
    assert len(parcels[number]) >= 2
    case = sent(client, "/api/dispatch", clue_nos=[number])["cases"][number]
    who = at_place(browser, own_many, "county", "zh", f"#/review?clue={number}")
    page = who.page
    who.painted()
    who.tab("cases")
    for attempt in range(2):
        page.click(".case button:has-text('分案')")
        assert "可以撤销" in page.inner_text("dialog")
        page.check("dialog [name=parcel-0]")
        page.click("dialog .asked-end .primary")
        if attempt == 0:
            page.click("#told .told-action:has-text('撤销')")
            page.wait_for_selector("#told:has-text('已撤销')")
            assert len(client.get(f"/api/clues/{number}").json()["cases"]) == 1
            who.until("() => document.querySelectorAll('.case').length === 1")
    who.until("() => document.querySelectorAll('.case').length === 2")
    cases = {one["case_no"]: one for one in client.get(f"/api/clues/{number}").json()["cases"]}
    held = [{(p["line"], p["parcel_id"]) for p in one["parcels"]} for one in cases.values()]
    assert len(held) == 2
    assert not held[0] & held[1]
    assert held[0] | held[1] == {(p["line"], p["parcel_id"]) for p in parcels[number]}
    other = next(no for no in cases if no != case)
    page.click(f".case:has(h3:text-is('{other}')) button:has-text('指派')")
    page.fill("dialog [name=assigned_to]", "inspector")
    page.click("dialog .asked-end .primary")
    page.wait_for_selector("dialog", state="detached")
    given = {no: client.get(f"/api/cases/{no}").json()["assigned_to"] or "" for no in cases}
    assert given == {case: "", other: "inspector"}
    page.wait_for_selector(".case dd:text-is('inspector')")
    seen = signed_in(own_many.address, "inspector").get(f"/api/clues/{number}").json()
    assert [one["case_no"] for one in seen["cases"]] == [other]
    who.close()


def test_a_token_works_until_it_is_revoked(browser, many):
    who = at_place(browser, many, "county", "en", "#/accounts")
    page = who.page
    page.click(".new-token")
    page.fill("dialog [name=name]", "nightly table")
    page.click("dialog .asked-end .primary")
    page.wait_for_selector("dialog .secret")
    held = {"Authorization": f"Bearer {page.inner_text('dialog .secret')}"}
    with httpx.Client(base_url=many.address, headers=held) as program:
        assert program.get("/api/clues").json()["total"] > 0
        page.keyboard.press("Escape")
        page.click("[aria-label='Revoke the token nightly table']")
        page.wait_for_selector("td:text-is('Revoked')")
        assert program.get("/api/clues").status_code == 401
    who.close()


def test_a_user_is_entered_changed_and_shut_out(browser, many):
    first = "barley over the weir"
    who = at_place(browser, many, "root", "zh", "#/accounts")
    page = who.page
    page.click(".new-user")
    for name, value in {"name": "zhao", "display": "赵敏", "password": first}.items():
        page.fill(f"dialog [name={name}]", value)
    page.select_option("dialog [name=role]", "inspector")
    page.fill("dialog [name=division]", FIRST)
    page.click("dialog .asked-end .primary")
    page.wait_for_selector("td:text-is('赵敏')")
    session = {"name": "zhao", "password": first}
    with httpx.Client(base_url=many.address) as person:
        told = person.post("/api/session", json=session).json()["user"]
        assert (told["role"], told["division"], told["must_change"]) == ("inspector", FIRST, True)
        page.click("[aria-label='修改用户 zhao']")
        page.uncheck("dialog [name=active]")
        page.click("dialog .asked-end .primary")
        page.wait_for_selector("tr:has(th:text-is('zhao')) td:text-is('停用')")
        assert person.get("/api/clues").status_code == 401
        assert person.post("/api/session", json=session).status_code == 401
    who.close()


def test_the_audit_is_checked_on_the_page(browser, many):
    who = at_place(browser, many, "root", "en", "#/sample")
    page = who.page
    page.click("button.audit")
    page.wait_for_selector("p:has-text('Sound: nothing was changed.')")
    told = signed_in(many.address, "root").get("/api/audit/verify").json()
    assert told["is_sound"]
    assert f"{told['rows']:,} rows" in page.inner_text("p:has-text('Sound')")
    who.close()
