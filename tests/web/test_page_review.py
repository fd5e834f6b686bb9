"""Clues looked at and judged on the page: the swipe, the keyboard, what a refusal leaves behind."""

import io
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from clues.audit.verify import verify
from tests.web.browsing import PATIENCE, Served, Visit, visit
from tests.web.conftest import PASSWORD
from tests.web.keyed import checked_on_site, judge_by_keys, sent, signed_in

pytestmark = pytest.mark.desk


NO_LAYERS = "localStorage.setItem('tuban.layers', '[]')"
FRAME = "new Promise(done => requestAnimationFrame(() => done()))"
DRAWN = f"() => {FRAME}.then(() => {FRAME})"


def entered(browser: Any, many: Served, language: str, before: str = "") -> Visit:
    """Return a county officer who sees the first clue painted."""
    who = visit(browser, many.address)
    who.page.add_init_script(before)
    who.open(language)
    who.sign_in("county", PASSWORD)
    who.painted()
    return who


def picture(who: Visit) -> np.ndarray:
    """Return what is seen of the maps once they are drawn, as bytes (rows, columns, 3)."""
    who.page.evaluate(DRAWN)
    taken = who.page.locator(".sides").screenshot()
    return np.asarray(Image.open(io.BytesIO(taken)).convert("RGB"), dtype=float)


def swiped_to(who: Visit, presses: int) -> tuple[np.ndarray, int]:
    """Move the swipe by its handle and the arrow keys; return what is seen and where it stands."""
    handle = who.page.locator(".compare-swiper-vertical")
    handle.focus()
    for _ in range(abs(presses)):
        handle.press("ArrowLeft" if presses < 0 else "ArrowRight")
    box, frame = handle.bounding_box(), who.page.locator(".sides").bounding_box()
    assert box
    assert frame
    return picture(who), round(box["x"] + box["width"] / 2 - frame["x"])


def test_the_swipe_shows_each_image_on_its_side(browser, many):
    who = entered(browser, many, "zh", NO_LAYERS)
    whole = {}
    for key, side in (("b", "before"), ("a", "after")):
        who.page.keyboard.press(key)
        who.page.wait_for_selector(f"[data-seen={side}]")
        whole[side] = picture(who)
    who.page.keyboard.press("s")
    places = []
    for presses in (-5, 10):
        seen, at = swiped_to(who, presses)
        places.append(at)
        middle = slice(100, 560)  # no tools, labels or scale bars there
        left, right = slice(20, at - 40), slice(at + 40, seen.shape[1] - 80)
        own = {
            (name, side): np.abs(seen[middle, part] - whole[side][middle, part]).mean()
            for name, part in (("left", left), ("right", right))
            for side in whole
        }
        assert own["left", "before"] < 1 < own["left", "after"], own
        assert own["right", "after"] < 1 < own["right", "before"], own
    assert places[1] - places[0] > 200
    who.close()


VERDICTS = ("illegal", "legal", "other", "false_alarm")
"""In the order of `tests.web.keyed.KEYS`."""


@pytest.mark.parametrize(("language", "count"), [("zh", 25), ("en", 9)])
def test_clues_are_judged_by_three_keys_at_most(browser, own_many, language, count):
    client = signed_in(own_many.address, "county")
    cases = checked_on_site(client)
    who = entered(browser, own_many, language)
    judged = judge_by_keys(who, count, 0)
    assert max(one.keys for one in judged) <= 3
    for at, one in enumerate(judged):
        wait_for(who, lambda no=one.clue_no: case_of(client, cases, no)["state"] == "judged")
        assert case_of(client, cases, one.clue_no)["verdict"] == VERDICTS[at % 4], one.clue_no
    last = judged[-1].clue_no
    who.page.keyboard.press("u")
    who.until("no => document.querySelector('.pane-map').dataset.painted === no", last)
    assert case_of(client, cases, last)["state"] == "field_checked"
    assert who.page.locator(f"#clue-{last}.done").count() == 0
    assert verify(own_many.store, own_many.folder / "register-desk" / "attachments").broken == ""
    who.close()


def test_a_verdict_that_is_refused_is_told_with_a_way_to_its_clue(browser, own_many):
    client = signed_in(own_many.address, "county")
    cases = checked_on_site(client)
    who = entered(browser, own_many, "en")
    page = who.page
    first = who.painted()
    case = case_of(client, cases, first)
    sent(client, f"/api/cases/{case['case_no']}/assign", case["version"], assigned_to="inspector")
    page.keyboard.press("2")
    page.wait_for_selector("#alerted .notice.kept")
    assert who.painted(first) != first
    assert f"{first} was not judged" in page.inner_text("#alerted")
    assert page.locator(f"#clue-{first}.done").count() == 0
    second = who.painted(first)
    page.keyboard.press("j")
    third = who.painted(second)
    page.keyboard.press("2")
    who.painted(third)
    assert page.locator("#alerted .notice.kept").count() == 1
    page.click("#alerted .told-action")
    who.until("no => document.querySelector('.pane-map').dataset.painted === no", first)
    assert page.locator("#alerted .notice").count() == 0
    page.keyboard.press("2")
    wait_for(who, lambda: case_of(client, cases, first)["verdict"] == "legal")
    refused = [words for words in who.told if "412" in words]
    assert len(refused) == 1
    who.told.remove(refused[0])
    who.close()


def case_of(client: httpx.Client, cases: dict[str, str], number: str) -> dict[str, Any]:
    """Return the case of a clue."""
    told: dict[str, Any] = client.get(f"/api/cases/{cases[number]}").json()
    return told


def wait_for(who: Visit, holds: Callable[[], bool]) -> None:
    """Wait until something holds that the page has no hand in."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        who.page.wait_for_timeout(50)
