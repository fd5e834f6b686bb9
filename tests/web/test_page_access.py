"""Every view of the page, in both languages: nothing for axe to find, nothing cut off."""

from typing import Any

import pytest

from tests.web.browsing import Visit, visit
from tests.web.conftest import PASSWORD

pytestmark = pytest.mark.desk

FAULTS = "() => axe.run().then(({ violations }) => violations.map(v => [v.id, v.nodes[0].html]))"
CUT_OFF = """
() => [".places", ".tabs", ".verdict-row", ".clue-head", ".list-tools", "dialog"]
  .flatMap((one) => [...document.querySelectorAll(one)])
  .filter((e) => e.checkVisibility({ visibilityProperty: true }))
  .filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => `${e.className} ${e.scrollWidth} > ${e.clientWidth}`)
"""
SHEETS = ("figures", "exceptions", "sample", "accounts")
TABS = ("why", "parcels", "cases", "files", "comments", "time")
PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}


class Looking:
    """Somebody who looks at every view, with what was found wrong."""

    def __init__(self, who: Visit, axe: str) -> None:
        self.who, self.axe, self.faults = who, axe, list[Any]()

    def look(self, view: str) -> None:
        """Note what is wrong with what is seen now."""
        page = self.who.page
        if not page.evaluate("() => Boolean(window.axe)"):
            page.evaluate(f"{self.axe}; 0")
        page.mouse.move(0, 0)
        wrong = page.evaluate(FAULTS) + page.evaluate(CUT_OFF)
        if page.evaluate("innerWidth < document.documentElement.scrollWidth"):
            wrong.append("the page is wider than the window")
        self.faults += [(view, one) for one in wrong]

    def dialog(self, opener: str) -> None:
        """Look at a dialog, and leave it."""
        self.who.page.click(opener)
        self.who.page.wait_for_selector("dialog[open]")
        self.look(opener)
        self.who.page.keyboard.press("Escape")
        self.who.page.wait_for_selector("dialog", state="detached")


@pytest.fixture(scope="module")
def axe() -> str:
    """Return the script that knows the rules of accessibility."""
    return str(pytest.importorskip("axe_playwright_python.base").AXE_SCRIPT)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_view_is_open_to_everybody(browser, many, axe, language):
    who = visit(browser, many.address, height=800)
    who.open(language)
    looking = Looking(who, axe)
    who.page.wait_for_selector("input[name=password]")
    looking.look("sign-in")
    who.sign_in("root", PASSWORD)
    who.painted()
    for tab in TABS:
        who.tab(tab)
        assert who.page.inner_text("#clue-part").strip(), tab
        looking.look(tab)
    for opener in (".filter-bar button", ".list-tools .take", ".list-tools .give"):
        looking.dialog(opener)
    for sheet in SHEETS:
        see(who, sheet)
        looking.look(sheet)
    assert looking.faults == []
    who.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_view_fits_a_phone(browser, many, axe, language):
    who = visit(browser, many.address, **PHONE)
    who.open(language)
    looking = Looking(who, axe)
    who.sign_in("root", PASSWORD)
    who.painted()
    for pane in ("list", "map", "clue"):
        who.pane(pane)
        looking.look(pane)
    for sheet in SHEETS:
        see(who, sheet)
        looking.look(sheet)
    assert looking.faults == []
    who.close()


def see(who: Visit, sheet: str) -> None:
    """Go to a place of the page by its address."""
    who.page.evaluate("place => { location.hash = `#/${place}`; }", sheet)
    who.page.wait_for_selector(f"main.place-{sheet}:not([aria-busy])")


def test_the_keyboard_goes_round_in_the_order_of_the_eye(browser, many):
    who = visit(browser, many.address)
    who.open("en")
    who.sign_in("county", PASSWORD)
    who.painted()
    page = who.page
    page.evaluate("document.activeElement.blur()")
    places = []
    for _ in range(40):
        page.keyboard.press("Tab")
        places.append(page.evaluate(WHERE))
    order = [one for at, one in enumerate(places) if at == 0 or places[at - 1] != one]
    wanted = ["skip", "top", "pane-list", "pane-map", "pane-clue"]
    assert [one for one in order if one in wanted][: len(wanted)] == wanted
    who.close()


WHERE = """
() => ["skip", "top", "pane-list", "pane-map", "pane-clue"]
  .find((name) => document.activeElement.closest(`.${name}`)) ?? ""
"""


def test_the_map_of_the_counties_has_their_outlines(browser, many):
    who = visit(browser, many.address)
    who.open("zh", "#/figures")
    who.sign_in("county", PASSWORD)
    page = who.page
    page.wait_for_selector("path.county")
    assert page.locator("path.county.extent").count() == 0
    assert page.evaluate(CORNERS) == 6  # five, and the first again
    assert "临淄区" in page.text_content(".county-name")
    assert "虚线" not in page.inner_text("main")
    who.close()


CORNERS = "() => document.querySelector('path.county').getAttribute('d').split(/[ML]/).length - 1"
