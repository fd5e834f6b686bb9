"""Stores for the tests of the desk: a judged county in a file and on a server of their own."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import shapely
from sqlalchemy import create_engine

from clues.cases.actors import Actor
from clues.cases.casebook import Casebook
from clues.store.repository import Store
from tests.clues.test_store import judged, record
from tests.database import postgis_server

__all__ = [
    "ADMIN",
    "CITY",
    "COUNTY",
    "INSPECTOR",
    "PROVINCE",
    "book_of",
    "county_run",
    "days",
    "filled",
    "fresh",
    "place",
    "server",
    "template",
]

COUNTY = Actor("li", "county", "999901")
CITY = Actor("wang", "city", "9999")
PROVINCE = Actor("zhao", "province", "99")
INSPECTOR = Actor("chen", "inspector", "999901")
ADMIN = Actor("root", "administrator")
E0, N0 = 38_500_000.0, 4_060_000.0

PLACES = ["file", pytest.param("server", marks=[pytest.mark.desk, pytest.mark.slow])]
"""Where a store lies; what needs the server is a desk test."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Give the URL of a server whose database has the tables of a store."""
    with postgis_server() as url:
        Store.at(url).close()
        yield url


def fresh(url: str) -> str:
    """Return the URL of a new database like the one of a URL."""
    host, _, name = url.rpartition("/")
    administer = create_engine(
        f"postgresql+psycopg://{host.partition('://')[2]}/postgres", isolation_level="AUTOCOMMIT"
    )
    with administer.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS desk WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE desk TEMPLATE {name}")
    administer.dispose()
    return f"{host}/desk"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty store in a file, to be copied: migrations take longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "empty.sqlite"
    Store.at(path).close()
    return path


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path, template: Path) -> Path | str:
    """Give a place with an empty store: a file, or the database of the server."""
    if request.param == "file":
        return Path(shutil.copy(template, tmp_path / "desk.sqlite"))
    return fresh(request.getfixturevalue("server"))


def county_run(n: int = 6, county: str = "999901", sign: str = "T", east: float = 0.0) -> Any:
    """Return patches and findings of a county: every patch a clue, two parcels on the first."""
    patches, findings = judged(n, county)
    for table in (patches, findings):
        table["patch_id"] = table["patch_id"].str.replace("T", sign)
        boxes = [
            shapely.box(E0 + east + 50 * i, N0, E0 + east + 50 * i + 40, N0 + 40) for i in range(n)
        ]
        table["geometry"] = boxes
        table["area_dm2"] = 160000
    patches["disposition"], patches["lon"], patches["lat"] = "clue", 117.0, 36.7
    patches["priority"] = [10 * (i + 1) for i in range(n)]
    findings["cropland_dm2"] = 100000
    findings["parcel_id"] = findings["patch_id"]
    findings["severity"] = 1
    first = findings.iloc[[0, 0]].copy()
    first["parcel_no"], first["area_dm2"] = [1, 2], [60000, 100000]
    first["parcel_id"] = [f"{first['patch_id'].iloc[0]}_{k}" for k in (1, 2)]
    findings = pd.concat([first, findings.iloc[1:]], ignore_index=True)
    return patches.set_crs("EPSG:4526", allow_override=True), findings.set_crs(
        "EPSG:4526", allow_override=True
    )


def filled(place: Path | str, n: int = 6) -> Store:
    """Return a store with one judged run of n clues."""
    store = Store.at(place)
    store.register(record("run-1"), *county_run(n))
    return store


def book_of(store: Store, tmp_path: Path) -> Casebook:
    """Return the book of a store; its day is the machine's."""
    return Casebook(store, "Asia/Shanghai", tmp_path / "attachments")


def days(count: int) -> dt.date:
    """Return a day so many days from now."""
    return dt.date.today() + dt.timedelta(days=count)
