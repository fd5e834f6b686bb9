"""One desk for all tests of the web: two counties, every role, served in the process."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette

from clues.accounts import Accounts
from clues.store.repository import Store
from flows.desk.adding import add_run
from flows.desk.backup import back_up
from flows.desk.place import desk_place
from flows.desk.restoring import restore_backup
from flows.desk.services import DeskServices
from tests.clues.desk import PLACES, fresh
from tests.database import postgis_server
from tests.web.browsing import Served, chromium, listening
from tests.web.manyclues import run_many
from tests.web.twocounties import COUNTIES, run_county
from web.app import create_app

STORE = "register.sqlite"
PASSWORD = "sorghum under the levee"
ZONE = "Asia/Shanghai"
FIRST, SECOND = COUNTIES
PEOPLE = {
    "root": ("administrator", ""),
    "province": ("province", "370000"),
    "city": ("city", "370300"),
    "county": ("county", FIRST),
    "other": ("county", SECOND),
    "inspector": ("inspector", FIRST),
    "supervisor": ("supervisor", FIRST),
    "citizen": ("public", ""),
}
"""Accounts by name, with role and division."""


@dataclass(frozen=True)
class DeskFiles:
    """A desk on disk: a store with accounts, its files, the run folders it came from."""

    folder: Path
    runs: dict[str, Path]

    @property
    def store(self) -> Path:
        return self.folder / STORE


@dataclass
class ServedDesk:
    """A desk that is served in this process, with one client per person who signed in."""

    files: DeskFiles
    app: Starlette
    store: Store
    folder: Path
    clients: dict[str, TestClient] = field(default_factory=dict)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.store)

    def nobody(self) -> TestClient:
        """Return a client that is not signed in."""
        return TestClient(self.app, base_url="http://desk.test")

    def as_(self, name: str) -> TestClient:
        """Return the client of a person, signed in once; it sends the CSRF header by itself."""
        if name not in self.clients:
            client = self.nobody()
            told = client.post("/api/session", json={"name": name, "password": PASSWORD})
            assert told.status_code == 200, told.text
            client.headers["X-CSRF-Token"] = told.json()["csrf"]
            self.clients[name] = client
        return self.clients[name]

    def clue_nos(self, name: str = "root", **query: Any) -> list[str]:
        """Return the clue numbers that a person sees."""
        told = self.as_(name).get("/api/clues", params={"order": "number", **query})
        assert told.status_code == 200, told.text
        return [row["clue_no"] for row in told.json()["items"]]


@pytest.fixture(scope="session")
def desk_files(tmp_path_factory: pytest.TempPathFactory) -> DeskFiles:
    """Return a desk with two counties and the accounts of `PEOPLE`; not to be written to."""
    folder = _made_once(tmp_path_factory, "desk", _make_desk)
    runs = {code: next((folder / code / "runs").glob("run-*")) for code in COUNTIES}
    return DeskFiles(folder, runs)


@pytest.fixture(scope="session")
def many_files(tmp_path_factory: pytest.TempPathFactory) -> DeskFiles:
    """Return a desk with one county of many clues and the accounts of `PEOPLE`."""
    folder = _made_once(tmp_path_factory, "many", _make_many)
    return DeskFiles(folder, {FIRST: next((folder / FIRST / "runs").glob("run-*"))})


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that is made once for all workers of a session.

    TUBAN_TEST_DESK names a folder to keep it in between sessions, for those who write tests;
    what it keeps is out of date when code of clues changes.
    """
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = Path(os.environ.get("TUBAN_TEST_DESK") or shared) / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several workers one makes it
        if not (folder / "ready").is_file():
            make(folder)
            (folder / "ready").touch()
    return folder


def _make_desk(folder: Path) -> None:
    for code in COUNTIES:
        add_run(run_county(folder / code, code), desk_place(str(folder / STORE)), by="root")
    _add_people(folder / STORE)


def _make_many(folder: Path) -> None:
    add_run(run_many(folder / FIRST), desk_place(str(folder / STORE)), by="root")
    _add_people(folder / STORE)


def _add_people(path: Path) -> None:
    store = Store.at(path)
    accounts = Accounts(store)
    for name, (role, division) in PEOPLE.items():
        accounts.add(name, role, division, PASSWORD, by="setup", must_change=False)
    store.close()


@pytest.fixture(scope="session")
def desk_on_server(
    desk_files: DeskFiles, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give the URL of a database on a server of the tests' own that holds the whole desk."""
    folder = tmp_path_factory.mktemp("moved")
    backup = back_up(desk_place(str(desk_files.store)), folder, images=False)
    with postgis_server() as url:
        restore_backup(backup.folder, desk_place(url, folder / "files"))
        yield url


def served(files: DeskFiles, folder: Path, url: str = "") -> ServedDesk:
    """Serve an own copy of a desk from a folder; of a store on a server by its URL."""
    own = files.store.with_name("register-desk")
    shutil.copytree(own, folder / own.name)
    if not url:
        shutil.copy(files.store, folder)
    place = desk_place(url or str(folder / files.store.name), folder / own.name)
    store = place.open()
    services = DeskServices(place, store, ZONE)
    app = create_app(store, zone=ZONE, folder=place.files, services=services)
    return ServedDesk(files, app, store, folder)


@pytest.fixture(scope="module", params=PLACES)
def desk(
    request: pytest.FixtureRequest, desk_files: DeskFiles, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedDesk]:
    """Serve a copy of the desk for one module of tests, from each kind of store."""
    is_file = request.param == "file"
    url = "" if is_file else fresh(request.getfixturevalue("desk_on_server"))
    found = served(desk_files, tmp_path_factory.mktemp("served"), url)
    yield found
    for client in found.clients.values():
        client.close()
    found.store.close()


@contextmanager
def opened(files: DeskFiles, folder: Path) -> Iterator[Served]:
    """Serve an own copy of a desk to browsers, with run folders of its own."""
    found = served(files, folder)
    for path in folder.glob("*-desk/runs/*/origin.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        own = shutil.copytree(told["folder"], folder / "own" / path.parent.name)
        path.write_text(json.dumps(told | {"folder": str(own)}), encoding="utf-8")
    with listening(found.app) as address:
        yield Served(address, found.store, folder)
    found.store.close()


@pytest.fixture(scope="module")
def many(many_files: DeskFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve the desk of many clues for one module of tests."""
    with opened(many_files, tmp_path_factory.mktemp("many")) as found:
        yield found


@pytest.fixture
def own_many(many_files: DeskFiles, tmp_path: Path) -> Iterator[Served]:
    """Serve the desk of many clues for one test."""
    with opened(many_files, tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start a browser for one module of tests."""
    with chromium() as opened:
        yield opened
