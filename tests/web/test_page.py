"""The page of the desk in a browser: a clue looked at, a phone, people without a mouse."""

from typing import Any

import pytest

from clues.accounts import Accounts
from tests.web.browsing import Served, Visit, visit
from tests.web.conftest import FIRST, PASSWORD

pytestmark = pytest.mark.desk


def entered(browser: Any, many: Served, language: str, name: str = "county", **how: Any) -> Visit:
    """Return somebody who signed in and sees the first clue painted."""
    found = visit(browser, many.address, **how)
    found.open(language)
    found.sign_in(name, PASSWORD)
    found.painted()
    return found


WORDS = {
    "zh": (
        "条线索",
        "未报即用",
        "新增建（构）筑物",
        "没有符合条件的线索",
        "键盘操作",
        "意见已保存",
    ),
    "en": ("clues", "used without application", "new building", "No clue fits", "Keys", "is kept"),
}


SAID = """
words => [...document.querySelectorAll(".comment-text")].some(said => said.innerText === words)
"""


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_clue_is_found_looked_at_and_spoken_of(browser, many, language):
    counted, rule, kind, none, keys, kept = WORDS[language]
    who = entered(browser, many, language)
    page = who.page
    assert page.evaluate("document.documentElement.lang") == {"zh": "zh-CN", "en": "en"}[language]
    assert page.inner_text(".list-summary").endswith(counted)
    first = page.inner_text(".clue-title h2").strip().split()[-1]
    assert page.locator(".list-row[aria-selected=true]").get_attribute("data-no") == first
    page.wait_for_selector(".why-steps li.holds")
    assert page.locator(".why-steps").first.inner_text()
    assert page.locator(".why details li.falls").count() > 10
    page.keyboard.press("p")
    page.wait_for_selector(".parcel")
    page.keyboard.press("j")
    second = who.painted(first)
    assert second != first
    page.keyboard.press("k")
    assert who.painted(second) == first
    page.keyboard.press("c")
    page.fill("#comment", f"<b>{kind}</b>")
    page.click(".comment-form button")
    page.wait_for_selector(f"#told:has-text('{kept}')")
    who.until(SAID, f"<b>{kind}</b>")
    page.keyboard.press("/")
    page.keyboard.type("no such number")
    page.wait_for_selector(".list-none")
    assert none in page.inner_text(".list-none")
    page.fill("#search", first)
    who.until("() => document.querySelectorAll('.list-row').length === 1")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert keys in page.inner_text("dialog h2")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert rule in told(page, "/api/vocabulary")["rules"]["V1"][language]
    who.close()


def test_somebody_elses_password_is_changed_first(browser, many):
    Accounts(many.store).add("fresh", "county", FIRST, PASSWORD, by="setup", must_change=True)
    who = visit(browser, many.address)
    who.open("en")
    who.sign_in("fresh", PASSWORD)
    page = who.page
    page.wait_for_selector("input[name=fresh]")
    page.fill("input[name=old]", PASSWORD)
    page.fill("input[name=fresh]", "millet beside the dyke")
    page.fill("input[name=again]", "millet beside the dam")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said:has-text('differ')")
    page.fill("input[name=again]", "millet beside the dyke")
    page.keyboard.press("Enter")
    who.painted()
    page.click(".top .menu summary")
    page.click(".top .menu button")
    page.wait_for_selector("input[name=password]")
    who.close()


def test_a_phone_shows_one_pane_at_a_time(browser, many):
    who = entered(browser, many, "zh", width=390, height=780, has_touch=True, is_mobile=True)
    page = who.page
    for name in ("list", "map", "clue"):
        who.pane(name)
        others = {"list", "map", "clue"} - {name}
        assert not any(page.is_visible(f".pane-{other} > *") for other in others)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.evaluate(SMALL)
    assert small == []
    who.close()


def test_who_has_no_clues_is_told_so(browser, many):
    who = visit(browser, many.address)
    who.open("en")
    who.sign_in("inspector", PASSWORD)
    who.page.wait_for_selector(".list-none:has-text('no clues here for you yet')")
    who.page.fill("#search", "0")
    who.page.wait_for_selector(".list-none:has-text('Take away a filter')")
    who.close()


def test_everything_has_a_name_and_can_be_read(browser, many):
    who = entered(browser, many, "en")
    page = who.page
    page.click(".map-tools summary")
    page.wait_for_selector(".layer-menu label")
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(PALE) == []
    page.keyboard.press("Escape")
    page.click(".filter-bar button")
    page.wait_for_selector("dialog .filter-form")
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(PALE) == []
    page.select_option("#by-rule", "V11")
    page.click("dialog .primary")
    page.wait_for_selector(".chip:has-text('V11 Damage to cropland')")
    who.close()


SMALL = """
() => [...document.querySelectorAll("button, select")]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }) && e.offsetHeight < 40)
  .map((e) => e.outerHTML)
"""
NAMELESS = """
() => {
  const kinds = "button, input, select, textarea, a, nav, section, canvas, [role=slider]";
  const named = (e) => e.getAttribute("aria-label") || e.labels?.length || e.title
    || e.innerText?.trim() || e.querySelector?.("img[alt]");
  return [...document.querySelectorAll(kinds)]
    .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !named(e))
    .map((e) => e.outerHTML.slice(0, 120));
}
"""
PALE = """
() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (let e = node; e; e = e.parentElement) {
      const found = parts(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] > 0.5) return found;
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    const seen = node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    if (!seen || !text.data.trim() || node.closest(":disabled, .maplibregl-ctrl")) continue;
    const [a, b] = [light(parts(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.push(`${ratio.toFixed(2)} ${text.data.trim()} ${node.className}`);
  }
  return pale;
}
"""


def test_a_supervisor_looks_and_changes_nothing(browser, many):
    who = entered(browser, many, "en", name="supervisor")
    page = who.page
    assert page.locator(".verdict").count() == 0
    page.keyboard.press("c")
    who.part("comments")
    assert page.locator("#comment").count() == 0
    who.close()


def told(page: Any, path: str) -> Any:
    """Return an answer of the API as the signed-in person gets it."""
    return page.evaluate("path => fetch(path).then(a => a.json())", path)
