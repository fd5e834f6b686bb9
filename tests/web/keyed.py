"""Clues judged by keyboard: keys for each, and how long until the next one is painted."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.web.browsing import Visit
from tests.web.conftest import PASSWORD

KEYS: tuple[tuple[str, ...], ...] = (("1",), ("2",), ("3", "6"), ("4", "2"))
"""Unlawful, lawful, other with its sixth reason, no change with its second."""

WATCHING = "addEventListener('keydown', e => { window.pressedAt = e.timeStamp; }, true)"
TAKEN = """
(was) => {
  const shown = performance.getEntriesByName("clue painted").at(-1);
  return shown && shown.detail !== was && shown.startTime + shown.duration - window.pressedAt;
}
"""


@dataclass(frozen=True)
class Judged:
    """A clue that was judged: its number, keys, ms from the last key to the next clue painted."""

    clue_no: str
    keys: int
    taken: float


def signed_in(address: str, name: str) -> httpx.Client:
    """Return a client of the API of somebody who signed in."""
    client = httpx.Client(base_url=address, timeout=60)
    told = client.post("/api/session", json={"name": name, "password": PASSWORD})
    assert told.status_code == 200, told.text
    client.headers["X-CSRF-Token"] = told.json()["csrf"]
    return client


def sent(client: httpx.Client, path: str, version: int | None = None, **body: Any) -> Any:
    """Send something to the API; return its answer."""
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    told = client.post(path, json=body, headers=headers)
    assert told.is_success, told.text
    return told.json()


def checked_on_site(client: httpx.Client) -> dict[str, str]:
    """Dispatch all clues and check them on site; return the case of each clue."""
    cases: dict[str, str] = sent(client, "/api/dispatch", filters={})["cases"]
    for number in cases.values():
        version = client.get(f"/api/cases/{number}").json()["version"]
        path = f"/api/cases/{number}/actions/field_check"
        sent(client, path, version, form={"situation": "已建成"})
    return cases


def judge_by_keys(who: Visit, count: int, thought: float) -> list[Judged]:
    """Judge so many clues from the one that is painted on, with thought (ms) before each key."""
    found = []
    page = who.page
    page.evaluate(WATCHING)
    number = who.painted()
    for at in range(count):
        keys = KEYS[at % len(KEYS)]
        for key in keys:
            page.wait_for_timeout(thought)
            page.keyboard.press(key)
        following = who.painted(number)
        taken = page.evaluate(TAKEN, number)
        found.append(Judged(number, len(keys), float(taken)))
        number = following
    return found
