"""What tests of the page share: the desk behind a port of this machine, a browser that watches."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from clues.store.repository import Store

CHROMIUM = shutil.which("chromium")
QUIET = ("GPU stall due to ReadPixels",)
"""What the browser's own drawing without a graphics card says."""


PATIENCE = 180.0
"""Seconds until something must have happened, on a machine that is busy with much else."""

PAINTED = """
(was) => (document.querySelector(".pane-map")?.dataset.painted ?? was) !== was
"""


@dataclass(frozen=True)
class Served:
    """A desk behind a port: its address, its store, the folder of both."""

    address: str
    store: Store
    folder: Path


@contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """Serve an application on a free port of the loopback; give its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser; skip where there is none."""
    sync = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (make ci-deps)")
    with sync.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass
class Visit:
    """One person at the page, with what the console said and which addresses were asked."""

    page: Any
    address: str
    told: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, language: str, place: str = "") -> None:
        """Open the page in a language."""
        self.page.goto(f"{self.address}/?lang={language}{place}")

    def sign_in(self, name: str, password: str) -> None:
        """Sign in by the form."""
        self.page.fill("input[name=name]", name)
        self.page.fill("input[name=password]", password)
        self.page.keyboard.press("Enter")

    def painted(self, other_than: str = "") -> str:
        """Wait until a clue is painted on both maps; return its number."""
        self.until(PAINTED, other_than)
        return str(self.page.evaluate("document.querySelector('.pane-map').dataset.painted"))

    def pane(self, name: str) -> None:
        """Tap on a pane of the phone and wait until it alone is seen."""
        self.page.tap(f".pane-tabs [data-name={name}]")
        self.page.wait_for_selector(f".review[data-pane={name}] .pane-{name}", state="visible")

    def tab(self, name: str) -> None:
        """Open a part of the clue and wait until all of it is there."""
        self.page.click(f"#tab-{name}")
        self.part(name)

    def part(self, name: str) -> None:
        """Wait until a part of the clue is there."""
        self.page.wait_for_selector(f"#tab-{name}[aria-selected=true]")
        self.page.wait_for_selector("#clue-part:not([aria-busy])")

    def until(self, expression: str, told: Any = None) -> None:
        """Wait until a function of the page says yes; the page itself lets nothing be evaluated."""
        end = time.monotonic() + PATIENCE
        while not self.page.evaluate(expression, told):
            assert time.monotonic() < end, expression
            self.page.wait_for_timeout(40)

    def close(self) -> None:
        """Leave, and see that nothing went wrong on the way and no other host was asked."""
        self.page.context.close()
        assert self.told == [], self.told
        assert [
            url for url in self.asked if not url.startswith((self.address, "blob:", "data:"))
        ] == []


def visit(browser: Any, address: str, width: int = 1280, height: int = 760, **more: Any) -> Visit:
    """Return a new person at the page: nobody is signed in."""
    page = browser.new_context(viewport={"width": width, "height": height}, **more).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    found = Visit(page, address)
    page.on(
        "console",
        lambda m: (
            m.type in ("error", "warning")
            and not any(q in m.text for q in QUIET)
            and found.told.append(m.text)
        ),
    )
    page.on("pageerror", lambda error: found.told.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    return found
