"""A monitor over a made-up valley: one parcel dug up, one drying, clouds, swath edges."""

import datetime as dt
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import yaml
from openpyxl import load_workbook
from typer.testing import CliRunner

from configs.errors import InputError, RunError
from detect.series import fit_series, series_breaks, update_series
from flows.cli.app import build_app
from flows.monitor.monitoring import fit_monitor, update_monitor
from flows.stages import RunOptions
from flows.versions import Versions
from tests.flows.monitored import (
    COLS,
    CONFIG,
    DRYING,
    DUG,
    HISTORY_END,
    PLANTED,
    ROWS,
    SIDE,
    STEP,
    dates,
    page_blocks,
    parcel_box,
    write_scene,
    write_valley,
)
from tiles.deliveries import group_files
from tiles.files import sha256
from tiles.grid import Extent
from tiles.stack import StackReader, open_stack

RASTERS = ("first_seen", "confirmed", "magnitude", "confidence")
HISTORY = [day for day in dates() if day <= HISTORY_END]
ONE = RunOptions(workers=1)
STEADY = dt.date(2021, 6, 25)
"""All dates up to here are taken in by one update, where a test goes on from there."""


def invoke(home: Path, command: str) -> str:
    """Run a command of the page in a folder; return what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        done = CliRunner().invoke(build_app(), [*command.split()[1:], "--workers", "1"])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def valley(tmp_path_factory):
    """The scenes by date, and a monitor fitted on their history by the command of the page."""
    home = tmp_path_factory.mktemp("valley")
    scenes = write_valley(home)
    told = invoke(home, page_blocks()[0].splitlines()[0])
    assert f"{len(HISTORY)} dates up to {HISTORY[-1]}" in told
    (folder,) = (home / "monitors").iterdir()
    return home, scenes, folder


@pytest.fixture
def monitor(valley, tmp_path):
    """A copy of the fitted monitor."""
    return shutil.copytree(valley[2], tmp_path / "monitor")


def later(scenes: dict[dt.date, Path], first: dt.date, last: dt.date) -> list[Path]:
    return [path for day, path in scenes.items() if first < day <= last]


def rasters(folder: Path) -> dict[str, np.ndarray]:
    read = {}
    for name in RASTERS:
        with rasterio.open(folder / f"{name}.tif") as source:
            read[name] = source.read(1)
    return read


def assert_same(first: Path, second: Path) -> None:
    one, two = rasters(first), rasters(second)
    for name in RASTERS:
        np.testing.assert_array_equal(one[name], two[name])
    tables = [gpd.read_file(f / "patches.gpkg") for f in (first, second)]
    assert tables[0].equals(tables[1])
    if (first / "parcels.gpkg").is_file():
        tables = [gpd.read_file(f / "parcels.gpkg") for f in (first, second)]
        assert tables[0].equals(tables[1])


def hashes(folder: Path) -> dict[str, str]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): sha256(p) for p in files}


def test_the_parcel_with_a_planted_drop_is_flagged_and_no_other(monitor):
    command = page_blocks()[0].splitlines()[1]
    told = invoke(monitor, command.replace(CONFIG, str(monitor)))
    assert "parcels: 4 stable, 1 disturbed, 1 declining" in told
    folder = monitor / "versions" / "v0002"
    table = gpd.read_file(folder / "parcels.gpkg").set_index("parcel_id")
    assert table.index[table["status"] == "disturbed"].tolist() == [f"CB-{DUG}"]
    assert table.index[table["status"] == "declining"].tolist() == [f"CB-{DRYING}"]
    assert table.index[table["flagged"]].tolist() == [f"CB-{DUG}", f"CB-{DRYING}"]
    dug = table.loc[f"CB-{DUG}"]
    assert dug["magnitude"] == pytest.approx(-0.3, abs=0.02)
    assert PLANTED <= dt.date.fromisoformat(dug["first_seen"]) <= PLANTED + dt.timedelta(days=40)
    assert table.loc[f"CB-{DRYING}", "slope"] == pytest.approx(-0.06, abs=0.01)
    for name in ("0.30", "%", dug["confirmed"]):
        assert name in dug["reason_zh"]
        assert name in dug["reason_en"]
    patches = gpd.read_file(folder / "patches.gpkg")
    largest = patches.loc[patches["area_m2"].idxmax()]
    assert largest["n_pixels"] == pytest.approx(SIDE * SIDE, rel=0.03)
    assert largest["magnitude"] == pytest.approx(-0.3, abs=0.02)
    assert dt.date.fromisoformat(largest["first_seen_median"]) >= PLANTED
    r0, c0, r1, c1 = parcel_box(DUG)
    confirmed = rasters(folder)["confirmed"]
    assert (confirmed[r0:r1, c0:c1] > 0).mean() > 0.97
    page = (folder / "parcels.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "http" not in page.split("</style>")[1]
    book = load_workbook(folder / "parcels.xlsx")
    assert book.sheetnames == [
        "地块长势",
        "标记地块序列",
        "说明",
        "parcels",
        "flagged series",
        "notes",
    ]
    assert book["parcels"]["A2"].value == f"CB-{DUG}"
    assert book["parcels"].max_row == 7


@pytest.mark.slow
def test_date_by_date_is_all_at_once_is_the_statistics(valley, monitor, tmp_path):
    _, scenes, _ = valley
    update_monitor(monitor, monitor, ONE, scenes=later(scenes, HISTORY_END, STEADY))
    other = shutil.copytree(monitor, tmp_path / "other")
    new = later(scenes, STEADY, dates()[-1])[:4]
    for scene in new:
        single = update_monitor(monitor, monitor, ONE, scenes=[scene])
    whole = update_monitor(other, other, ONE, scenes=new)
    assert (single.version.name, whole.version.name) == ("v0006", "v0003")
    one, two = rasters(single.version.folder), rasters(whole.version.folder)
    for name in RASTERS:
        np.testing.assert_array_equal(one[name], two[name])
    assert single.version.facts["scenes"] == whole.version.facts["scenes"]

    everything = [p for day, p in scenes.items() if day <= STEADY] + new
    stack, _ = open_stack(group_files(everything), sensor=None)
    plan = single.version.facts["plan"]
    extent = Extent(**plan["extent"])
    from flows.monitor.job import MonitorPlan

    reader = StackReader(
        tuple(d.epoch for d in stack), MonitorPlan.of_record(plan).grid, ("red", "nir")
    )
    history = sum(d.day.year < 2021 for d in stack)
    values = np.zeros((len(stack), 1, ROWS, COLS), np.float32)
    valid = np.zeros((len(stack), ROWS, COLS), bool)
    for k in range(len(stack)):
        (red, nir), valid[k] = reader.read(k, extent)
        np.divide(nir - red, nir + red, out=values[k, 0], where=valid[k])
    days = np.array([d.number for d in stack])
    state = fit_series(days[:history], values[:history], valid[:history], method="ewma")
    for k in range(history, len(stack)):
        state = update_series(state, int(days[k]), values[k], valid[k])
    found = series_breaks(state)
    np.testing.assert_array_equal(found.confirmed, one["confirmed"])
    np.testing.assert_array_equal(found.first_seen, one["first_seen"])
    np.testing.assert_allclose(found.magnitude, one["magnitude"], atol=1e-6)


@pytest.mark.slow
def test_a_kill_between_versions_leaves_the_old_one_whole(valley, monitor, tmp_path, monkeypatch):
    _, scenes, _ = valley
    new = later(scenes, HISTORY_END, HISTORY_END + dt.timedelta(days=2 * STEP))
    untouched = shutil.copytree(monitor, tmp_path / "untouched")
    before = hashes(monitor / "versions" / "v0001")
    with monkeypatch.context() as patched:
        patched.setattr(Versions, "publish", _killed)
        with pytest.raises(KeyboardInterrupt):
            update_monitor(monitor, monitor, ONE, scenes=new)
    assert Versions(monitor).latest.name == "v0001"
    assert (monitor / "work" / "v0002" / "state").is_dir()
    again = update_monitor(monitor, monitor, ONE, scenes=new)
    assert again.version.name == "v0002"
    assert hashes(monitor / "versions" / "v0001") == before
    assert not list((monitor / "work").glob("v*/*.tif"))
    assert_same(
        again.version.folder, update_monitor(untouched, untouched, ONE, scenes=new).version.folder
    )


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_tiles_and_workers_change_nothing(valley, monitor, tmp_path):
    home, scenes, _ = valley
    new = later(scenes, HISTORY_END, dates()[-1])
    small = RunOptions(workers=2, tile=64)
    made = fit_monitor(home / CONFIG, tmp_path, small)
    assert len(list((made.version.folder / "state").iterdir())) > 1
    assert_same(made.version.folder, monitor / "versions" / "v0001")
    tiled = update_monitor(made.folder, tmp_path, small, scenes=new[::-1])
    whole = update_monitor(monitor, monitor, ONE, scenes=new)
    assert_same(tiled.version.folder, whole.version.folder)


def test_a_known_scene_is_skipped_and_an_older_one_refused(valley, monitor, tmp_path):
    home, scenes, _ = valley
    known = scenes[HISTORY[-1]]
    same = update_monitor(monitor, monitor, ONE, scenes=[known])
    assert (same.made, same.version.name) == (False, "v0001")
    assert "is in v0001 already" in same.notes[0]
    command = page_blocks()[1].strip().replace("scenes/NEW_SCENE", str(known))
    assert "v0001: unchanged" in invoke(home, command)
    assert not (monitor / "work").exists()
    older = write_scene(tmp_path, HISTORY[-2] + dt.timedelta(days=1))
    with pytest.raises(InputError, match="not newer than v0001"):
        update_monitor(monitor, monitor, ONE, scenes=[older])


def test_fitting_again(valley):
    home, _, folder = valley
    same = fit_monitor(home / CONFIG, folder.parent, ONE)
    assert not same.made
    assert "nothing is to do" in same.notes[-1]
    scene = write_scene(home / "scenes", dates()[10] + dt.timedelta(days=1))
    try:
        with pytest.raises(RunError, match="1 are new"):
            fit_monitor(home / CONFIG, folder.parent, ONE)
    finally:
        shutil.rmtree(scene)


def test_what_cannot_be_fitted_is_told(valley, tmp_path):
    home, scenes, _ = valley
    config = yaml.safe_load((home / CONFIG).read_text(encoding="utf-8")) | {"parcels": None}
    listed = {"scenes": [str(p) for p in list(scenes.values())[:7]]}
    for change, words in (
        (listed | {"folder": None}, "7 dates lie in the history; .* at least 10"),
        ({"folder": str(tmp_path)}, "no scene is found"),
        (listed | {"folder": None, "index": "NDMI"}, "index NDMI needs"),
    ):
        path = tmp_path / "wrong.yaml"
        few = {"history": config["history"] | {"harmonics": 1}} if "index" in change else {}
        path.write_text(yaml.safe_dump(config | change | few), encoding="utf-8")
        with pytest.raises(InputError, match=words):
            fit_monitor(path, tmp_path, ONE)
    with pytest.raises(InputError, match="no fitted version"):
        update_monitor(home / CONFIG, tmp_path, ONE)
    with pytest.raises(InputError, match="no fitted version"):
        update_monitor(tmp_path, tmp_path, ONE)
