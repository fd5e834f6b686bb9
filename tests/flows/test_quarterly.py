"""Three quarterly updates in a row, as they are run: new images, the Prefect flow, one register."""

import contextlib
import json
import sqlite3
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import yaml

from flows.ledgerimport import import_ledger
from tests.flows.command import tuban
from tests.flows.minicounty import NEW_BUILDINGS, SIZE, box, build_mini, paint, write_config
from tests.tiles.deliverymade import safe
from tiles.catalog import build_catalog

pytestmark = [pytest.mark.slow, pytest.mark.flow]

DAYS = ("20250320", "20250620", "20250920", "20251220")
STANDING = (0, 2, 3, 4)
"""How many of the new buildings stand at each date; the first has an approval."""

LAST_YEAR = {"latest": {"apart_days": [250, 400]}}
"""A before image that is older than all buildings: they all show once more."""


def deliver(home: Path, day: int) -> None:
    """Deliver the images of a date, and take them into the catalogue."""
    cover = np.zeros((SIZE, SIZE), np.uint8)
    for row in range(0, SIZE, 24):
        for col in range(0, SIZE, 32):
            town = (row, col) in ((72, 64), (168, 160))
            cover[row : row + 24, col : col + 32] = 2 if town else (row // 24 + col // 32) % 3 == 2
    for row, col, height, width in NEW_BUILDINGS[: STANDING[day]]:
        cover[row : row + height, col : col + width] = 2
    bands = paint(cover, day)
    safe(home / "deliveries", np.concatenate([bands, 0.9 * bands[2:]]), day=DAYS[day])
    build_catalog(home / "deliveries", home / "catalog")


def quarterly_config(home: Path, **changes: object) -> Path:
    """Write a config that leaves its dates to the profile, but for the changes."""
    path = write_config(
        home, name="spots", profile="quarterly", catalog="catalog",
        outputs={"evidence": 0, "pictures": 0}, **changes,
    )  # fmt: skip
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    for date in {"before", "after"} - set(changes):
        del told[date]
    path.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    return path


def worked(config: Path, *more: str) -> Path:
    """Run a quarter; return its run folder."""
    out = config.parent / "runs"
    before = set(out.glob("*-*"))
    tuban("run", config, "--out", out, "--tile", 256, "--workers", 1, *more)
    (folder,) = set(out.glob("*-*")) - before
    return folder


def listed(folder: Path) -> dict[str, int]:
    """Return the clues of a list: the number of each, and the building that it lies on."""
    clues = gpd.read_file(folder / "clues.geojson").to_crs("EPSG:32650")
    places = [box(*building) for building in NEW_BUILDINGS]
    return {
        clue.clue_no: next(i for i, place in enumerate(places) if clue.geometry.intersects(place))
        for clue in clues.itertuples()
    }


def judge(folder: Path, number: str) -> None:
    """Let people say of a clue, in the ledger, that it is lawful."""
    path = folder / "clues.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    heads = [cell.value for cell in sheet[2]]
    (row,) = (r for r in sheet.iter_rows(min_row=3) if r[heads.index("线索编号")].value == number)
    row[heads.index("核实认定意见")].value = "合法"
    book.save(path)
    import_ledger(path, folder, by="张三")


def earlier(folder: Path) -> set[str]:
    """Return the numbers in the sheet of clues that wait for an answer since earlier lists."""
    book = openpyxl.load_workbook(folder / "clues.xlsx", read_only=True)
    if "前期线索" not in book.sheetnames:
        return set()
    return {row[0] for row in book["前期线索"].iter_rows(min_row=2, values_only=True)}


def test_quarter_after_quarter_nothing_is_reported_twice(tmp_path: Path):
    home = tmp_path / "county"
    build_mini(home)
    deliver(home, 0)
    deliver(home, 1)
    first = worked(quarterly_config(home), "--plain")
    (one,) = listed(first)
    assert listed(first) == {one: 1}
    judge(first, one)

    deliver(home, 2)
    second = worked(quarterly_config(home))
    (two,) = listed(second)
    assert listed(second) == {two: 2}

    deliver(home, 3)
    third = worked(quarterly_config(home, before=LAST_YEAR))
    (three,) = listed(third)
    assert listed(third) == {three: 3}
    assert len({one, two, three}) == 3
    assert earlier(third) == {two}, "what nobody answered is asked for, what was judged is not"
    again = gpd.read_parquet(third / "patches.parquet")
    again = again[again["disposition"] != "clue"]
    assert len(again) == 3, "the pair shows the approved building and both that were listed"

    opened = [json.loads((f / "opening.json").read_text())["days"] for f in (first, second, third)]
    assert [day["after"].replace("-", "") for day in opened] == list(DAYS[1:])
    assert [day["before"].replace("-", "") for day in opened] == [DAYS[0], DAYS[1], DAYS[0]]
    with contextlib.closing(sqlite3.connect(home / "register.sqlite")) as register:
        assert register.execute("SELECT count(*) FROM runs").fetchone() == (3,)
    with contextlib.closing(sqlite3.connect(home / "runs" / ".prefect" / "prefect.db")) as server:
        runs = "SELECT flow.name, state_name FROM flow_run JOIN flow ON flow.id = flow_run.flow_id"
        assert server.execute(runs).fetchall() == [("quarterly", "Completed")] * 2
