"""The whole life of a clue on the page: handed out, checked at the desk and on site, judged,
reviewed, filed, decided, put right, closed; in both languages and on both stores.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clues.accounts import Accounts
from clues.audit.verify import verify
from flows.desk.adding import add_run
from flows.desk.place import desk_place
from flows.desk.services import DeskServices
from tests.database import postgis_server
from tests.web.browsing import Visit, listening, visit
from tests.web.conftest import PASSWORD, PEOPLE, ZONE, DeskFiles
from web.app import create_app

pytestmark = pytest.mark.desk

TURNED = """
() => { setInterval(() => window.dispatchEvent(
  new DeviceOrientationEvent("deviceorientationabsolute", { absolute: true, alpha: 145 })), 50); }
"""
"""A compass tells where it points to again and again."""

SENSORS = ["geolocation", "accelerometer", "gyroscope", "magnetometer"]
PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
NUMBER = "鲁政土字〔2023〕99号"


@dataclass(frozen=True)
class Place:
    """A served desk in the language that people read it in."""

    address: str
    language: str
    store: Any
    folder: Path


CROSSED = [pytest.param(p, marks=pytest.mark.long) for p in ("en on SQLite", "zh on PostGIS")]


@pytest.fixture(scope="module", params=["zh on SQLite", "en on PostGIS", *CROSSED])
def place(
    request: pytest.FixtureRequest, desk_files: DeskFiles, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("cases")
    language, _, kind = request.param.split()
    with ExitStack() as stack:
        if kind == "SQLite":
            shutil.copy(desk_files.store, folder)
            shutil.copytree(desk_files.folder / "register-desk", folder / "register-desk")
            where = desk_place(str(folder / desk_files.store.name))
            store = where.open()
        else:
            url = stack.enter_context(postgis_server())
            where = desk_place(url, folder / "files")
            add_run(desk_files.runs["370305"], where, by="root")
            store = where.open()
            accounts = Accounts(store)
            for name, (role, division) in PEOPLE.items():
                accounts.add(name, role, division, PASSWORD, by="setup", must_change=False)
        stack.callback(store.close)
        services = DeskServices(where, store, ZONE)
        app = create_app(store, zone=ZONE, folder=where.files, services=services)
        address = stack.enter_context(listening(app))
        yield Place(address, language, store, where.files)


def at_clue(browser: Any, place: Place, name: str, number: str, **how: Any) -> Visit:
    """Return somebody who signed in and looks at a clue and its cases."""
    who = visit(browser, place.address, **how)
    who.open(place.language, f"#/review?clue={number}")
    who.sign_in(name, PASSWORD)
    who.until("no => document.querySelector('.clue-title h2')?.textContent.includes(no)", number)
    return who


def take(who: Visit, step: str, after: str, **fields: str) -> None:
    """Take a step of the only case by its form, and wait for the state after it."""
    page = who.page
    show_cases(who)
    page.click(f".case [data-step={step}]")
    for name, value in fields.items():
        page.fill(f"dialog [name={name}]", value)
    page.click("dialog .asked-end .primary")
    page.wait_for_selector("dialog", state="detached")
    in_state(who, after)


def show_cases(who: Visit) -> None:
    who.tab("cases")
    who.page.wait_for_selector(".case")


def in_state(who: Visit, state: str) -> None:
    """Wait until the path of the case stands at a state of the vocabulary, or a level of review."""
    names = who.page.evaluate("fetch('/api/vocabulary').then(a => a.json())")
    code = str(who.page.evaluate("document.documentElement.lang"))[:2]
    name = {**names["states"], **names["review_levels"]}[state][code]
    who.until(
        "name => [...document.querySelectorAll('.case header .badge')]"
        ".some(b => b.innerText.trim().toLowerCase() === name)",
        name.lower(),
    )


def test_the_whole_life_of_a_clue(browser, place, tmp_path):
    number = handed_out(browser, place)
    desk_checked(browser, place, number)
    field_checked(browser, place, number, tmp_path)
    judged_and_submitted(browser, place, number)
    for name, level in (("city", "province"), ("province", "done")):
        who = at_clue(browser, place, name, number)
        take(who, "approve", level)
        who.close()
    put_right_and_closed(browser, place, number)
    found = verify(place.store, place.folder / "attachments")
    assert found.broken == ""
    assert found.files == 1


def handed_out(browser: Any, place: Place) -> str:
    """Mark a clue in the list and dispatch it in a batch; return its number."""
    who = visit(browser, place.address)
    who.open(place.language)
    who.sign_in("county", PASSWORD)
    page = who.page
    page.wait_for_selector(".list-row")
    page.click(".list-tools [aria-pressed]")
    row = page.locator(".list-row").first
    number = str(row.get_attribute("data-no"))
    row.click()
    page.wait_for_selector(".list-row[aria-checked=true]")
    page.click(".list-tools .give")
    for name, value in {
        "due_date": "2099-12-31",
        "assigned_to": "inspector",
        "year": "2026",
        "number": "4",
        "issue_date": "2026-01-05",
    }.items():
        page.fill(f"dialog [name={name}]", value)
    page.click("dialog .asked-end .primary")
    page.wait_for_selector("dialog", state="detached")
    who.close()
    return number


def desk_checked(browser: Any, place: Place, number: str) -> None:
    """Attach an approval, see what it changes and by whom, and send the check."""
    who = at_clue(browser, place, "county", number)
    page = who.page
    show_cases(who)
    page.click(".case [data-step=desk_check]")
    page.fill("dialog [name=approval_number]", NUMBER)
    page.fill("dialog [name=paper_date]", "2023-05-01")
    page.click("dialog .paper button")
    page.wait_for_selector("dialog .differences li")
    assert "county" in page.inner_text("dialog .rejudged")
    assert NUMBER in page.inner_text("dialog .rejudged")
    assert page.locator("dialog .differences .badge.unresolved").count() == 1
    page.fill("dialog [name=finding]", "批文与图斑位置不符")
    page.click("dialog .asked-end .primary")
    page.wait_for_selector("dialog", state="detached")
    in_state(who, "desk_checked")
    who.close()


def field_checked(browser: Any, place: Place, number: str, folder: Path) -> None:
    """Check it on site with a phone: a photo, the position of the phone, the azimuth by hand."""
    photo = folder / "site.jpg"
    Image.new("RGB", (320, 240), (120, 150, 90)).save(photo)
    spot = {"longitude": 117.0, "latitude": 36.16, "accuracy": 5}
    more: dict[str, Any] = {"geolocation": spot, "permissions": SENSORS}
    who = at_clue(browser, place, "inspector", number, **PHONE, **more)
    page = who.page
    who.pane("clue")
    show_cases(who)
    page.tap(".case [data-step=field_check]")
    page.set_input_files("dialog [name=shot]", photo)
    page.wait_for_selector("dialog .photos li")
    page.tap("dialog .locate")
    who.until("() => document.querySelector('dialog [name=lon]').value === '117.000000'")
    page.tap("dialog .heading")
    wanted = "没有罗盘" if place.language == "zh" else "There is no compass"
    who.until("words => document.querySelector('dialog .placed').innerText.includes(words)", wanted)
    page.fill("dialog [name=azimuth]", "90")
    page.evaluate(TURNED)
    page.tap("dialog .heading")
    who.until("() => document.querySelector('dialog [name=azimuth]').value === '215'")
    assert "215°" in page.inner_text("dialog .faces")
    page.fill("dialog [name=situation]", "已建成硬化地面")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.tap("dialog .asked-end .primary")
    page.wait_for_selector("dialog", state="detached")
    in_state(who, "field_checked")
    who.tab("files")
    page.wait_for_selector(".files img")
    who.until("() => document.querySelector('.files img').naturalWidth === 320")
    who.close()


def judged_and_submitted(browser: Any, place: Place, number: str) -> None:
    who = at_clue(browser, place, "county", number)
    page = who.page
    show_cases(who)
    page.keyboard.press("1")
    page.wait_for_selector(f"#clue-{number}.done")
    page.click(f"#clue-{number}")
    in_state(who, "judged")
    take(who, "submit", "city")
    who.close()


def put_right_and_closed(browser: Any, place: Place, number: str) -> None:
    """File, decide, rectify so that nothing remains, close; then look at it from above."""
    who = at_clue(browser, place, "county", number)
    page = who.page
    take(who, "file", "filed", filing_number="〔2026〕11", filing_date="2026-02-01")
    take(
        who,
        "decide",
        "decided",
        decision_number="〔2026〕12",
        decision_date="2026-03-01",
        illegal_dm2="1000.50",
    )
    page.click(".case [data-step=rectify]")
    page.fill("dialog [name=demolished_dm2]", "1000.51")
    page.wait_for_selector("dialog .balance.bad")
    assert page.is_disabled("dialog .asked-end .primary")
    page.fill("dialog [name=demolished_dm2]", "600.00")
    page.fill("dialog [name=papers_dm2]", "400.50")
    page.wait_for_selector("dialog .balance:not(.bad)")
    page.click("dialog .asked-end .primary")
    page.wait_for_selector("dialog", state="detached")
    in_state(who, "rectified")
    draw = "修改图斑" if place.language == "zh" else "Edit the outline"
    page.wait_for_selector(f".verdict-more button:has-text('{draw}')")
    take(who, "close", "closed")
    page.wait_for_selector(f".verdict-more button:has-text('{draw}')", state="detached")
    who.tab("time")
    assert page.locator(".timeline li").count() >= 12
    page.click(".list-tools .take")
    assert page.locator("dialog .formats a").count() == 9
    page.keyboard.press("Escape")
    page.goto(f"{place.address}/?lang={place.language}#/figures")
    page.wait_for_selector(".tile strong")
    assert page.locator(".tile strong").nth(2).inner_text() == "1"
    assert page.locator("path.county").count() == page.locator("path.county.extent").count() > 0
    who.close()
