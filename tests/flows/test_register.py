"""One register over periods: fates, numbers, verdicts, crashes, an older period that comes late."""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import yaml
from openpyxl import load_workbook
from sqlalchemy import select
from typer.testing import CliRunner

from clues.store import schema
from clues.store.verdicts import add_verdicts
from configs.errors import StoreError
from flows import registering
from flows.again import judge_again
from flows.cli.app import build_app
from flows.finished import finished_tables
from flows.registering import store_of
from flows.runner import work_run
from flows.stagekeys import RunOptions
from tests.flows import minicounty as mini

APPROVED, JUDGED, GROWING, STEADY = mini.NEW_BUILDINGS
GROWN, FRESH = (100, 20, 19, 32), (150, 20, 15, 20)
QUICK = {"outputs": {"evidence": "none", "formats": ["geojson"], "pictures": 0}}
COMPARE = registering.Registration.require_same
DAYS = {"q1": "2025-09-06", "q2": "2025-12-06"}


def run(config: Path, **options: Any) -> dict[str, Any]:
    return work_run(config, config.parent / "runs", RunOptions(workers=2), plain=True, **options)


def config_of(folder: Path, name: str, register: str = "register.sqlite", **more: Any) -> Path:
    after = {"scenes": [f"{name[:2]}.tif"], "date": DAYS[name[:2]]}
    outputs = {"evidence": 1, "formats": ["xlsx", "geojson"], "pictures": 0}
    more = {"after": after, "outputs": outputs, "register": register} | more
    more |= {"landcover": {"enabled": False}}
    return mini.write_config(folder, name=name, **more).rename(folder / f"{name}.yaml")


def cover(*built: tuple[int, int, int, int]) -> Any:
    ground = np.zeros((mini.SIZE, mini.SIZE), np.uint8)
    for row in range(0, mini.SIZE, 24):
        for col in range(0, mini.SIZE, 32):
            town = (row, col) in ((72, 64), (168, 160))
            kind = 2 if town else int((row // 24 + col // 32) % 3 == 2)
            ground[row : row + 24, col : col + 32] = kind
    for row, col, height, width in built:
        ground[row : row + height, col : col + width] = 2
    return ground


def table(done: dict[str, Any]) -> gpd.GeoDataFrame:
    return finished_tables(Path(done["folder"])).patches


def at(patches: gpd.GeoDataFrame, place: tuple[int, int, int, int]) -> dict[str, Any]:
    """Return the patch on a building."""
    shape = mini.box(*place)
    (found,) = patches[patches.intersects(shape.centroid)].to_dict("records")
    return dict(found)


def ledger_hash(done: dict[str, Any]) -> str:
    files = ("clues.xlsx", "clues.geojson", "patches.parquet", "lineage.parquet")
    data = b"".join((Path(done["folder"]) / name).read_bytes() for name in files)
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("register")
    mini.build_mini(folder)
    mini.write_image(folder / "q1.tif", mini.paint(cover(APPROVED, JUDGED, GROWING, STEADY), 1))
    mini.write_image(folder / "q2.tif", mini.paint(cover(JUDGED, GROWN, STEADY, FRESH), 3))
    return folder


def moved(registration: Any, connection: Any) -> None:
    """Compare as if another run had changed the register since."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registration, "digest", "of another moment")
        COMPARE(registration, connection)


@pytest.fixture(scope="module")
def year(county: Path) -> dict[str, Any]:
    """Two quarters: the first is judged in part before the second is worked.

    Another run gets in between when the second is to be registered: it is told, and worked again.
    """
    first = run(config_of(county, "q1"))
    found = table(first)
    store = store_of(Path(first["folder"]))
    with store.transaction() as connection:
        for place in (JUDGED, GROWING):
            asked = select(schema.patches.c.id).where(
                schema.patches.c.patch_id == at(found, place)["patch_id"]
            )
            said = {"patch_key": connection.scalar(asked), "parcel_no": 0, "line": "land"}
            told = {"verdict": "违法", "reason": "", "by": "A", "source": "test"}
            moment = {"at": dt.datetime(2025, 10, 1, tzinfo=dt.UTC)}
            add_verdicts(connection, [said | told | moment])
    store.close()
    second = config_of(county, "q2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registering.Registration, "require_same", moved)
        with pytest.raises(StoreError, match="same command"):
            run(second)
    second = run(second)
    return {"first": first, "second": second, "old": found, "new": table(second)}


@pytest.mark.slow
def test_a_second_quarter_tells_what_is_new(year: dict[str, Any]):
    old, new = year["old"], year["new"]
    assert set(old["fate"]) == {"new"}
    assert list(old["object_id"]) == list(old["patch_id"])
    told = {name: at(new, p) for name, p in (("judged", JUDGED), ("grown", GROWN))}
    told |= {"steady": at(new, STEADY), "fresh": at(new, FRESH)}
    fates = {name: (row["fate"], row["disposition"]) for name, row in told.items()}
    assert fates == {
        "judged": ("persisting", "dismissed"),
        "grown": ("grown", "clue"),
        "steady": ("persisting", "clue"),
        "fresh": ("new", "clue"),
    }
    assert told["judged"]["rule"] == "N6"
    for name, place in (("judged", JUDGED), ("grown", GROWING), ("steady", STEADY)):
        before = at(old, place)
        assert told[name]["object_id"] == before["patch_id"] != told[name]["patch_id"]
        assert told[name]["first_seen"] == dt.date(2025, 9, 6)
        assert told[name]["limitation_until"] == dt.date(2027, 9, 6)
        assert told[name]["clue_no"] in ("", before["clue_no"])
    assert told["fresh"]["clue_no"] not in set(old["clue_no"])
    added = told["grown"]["area_dm2"] - at(old, GROWING)["area_dm2"]
    assert told["grown"]["added_dm2"] == pytest.approx(added, rel=0.02)
    assert year["second"]["stages"]["judge"]["fates"] == {
        "ended": 1,
        "grown": 1,
        "new": 1,
        "persisting": 2,
    }
    clues = (new["disposition"] == "clue").sum()
    assert clues + (new["disposition"] == "dismissed").sum() == len(new)


@pytest.mark.slow
def test_the_ledger_tells_objects_and_days(year: dict[str, Any]):
    book = load_workbook(Path(year["second"]["folder"]) / "clues.xlsx")
    rows = list(book["机器字段"].values)
    told = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    grown = at(year["new"], GROWN)
    (row,) = [r for r in told if r["图斑编号"] == grown["patch_id"]]
    assert (row["变化状态"], row["对象编号"]) == ("扩大", grown["object_id"])
    assert (row["首次发现"], row["处罚时效截止"]) == ("2025-09-06", "2027-09-06")
    reasons = next(r for r in book["线索台账"].values if r[1] == grown["clue_no"])
    assert any(
        "扩大，本期新增面积" in str(cell) and "原核实结论：违法" in str(cell) for cell in reasons
    )
    explained = CliRunner().invoke(
        build_app(), ["explain", grown["clue_no"], "--run", year["second"]["folder"]]
    )
    assert explained.exit_code == 0, explained.output
    assert "2025-09-06 新增" in explained.output
    assert "2025-12-06 扩大" in explained.output


@pytest.mark.slow
def test_a_run_that_is_cut_off_goes_on_to_the_same_ledger(
    year: dict[str, Any], county: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = ledger_hash(year["second"])

    def cut_off(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(registering, "present_state", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run(county / "q2.yaml", fresh=True)
    monkeypatch.undo()
    assert ledger_hash(run(county / "q2.yaml")) == whole


@pytest.mark.slow
def test_other_rules_judge_a_period_again_under_the_same_numbers(
    year: dict[str, Any], county: Path
):
    store = store_of(Path(year["second"]["folder"]))
    before = store.counts()
    store.close()
    done = run(config_of(county, "q2", rules="cn-hebei-2026"))
    same = ["patch_id", "object_id", "fate", "clue_no"]
    assert done["folder"] == year["second"]["folder"]
    assert table(done)[same].equals(year["new"][same])
    store = store_of(Path(done["folder"]))
    after = store.counts()
    store.close()
    assert after["runs"] == before["runs"] + 1
    assert after["clues"] == before["clues"]
    judge_again(Path(done["folder"]), county / "LAYERS.yaml", county / "other")
    other = finished_tables(county / "other").patches
    assert other[same].equals(year["new"][same])
    run(config_of(county, "q2"))


@pytest.mark.slow
def test_an_older_period_that_comes_late_takes_the_numbers_of_its_objects(
    county: Path, caplog: pytest.LogCaptureFixture
):
    later = run(config_of(county, "q2late", register="late.sqlite", **QUICK))
    caplog.clear()
    new = {"clue_list": "new"}
    older = run(config_of(county, "q1late", register="late.sqlite", **QUICK, **new))
    assert "later periods of this ground" in caplog.text
    assert Path(later["folder"]).name in caplog.text
    now, then = table(later), table(older)
    first = CliRunner().invoke(build_app(), ["register", "list", str(county / "late.sqlite")])
    assert "2025-09-06" in first.output
    assert at(then, STEADY)["rule"] == "N7"
    for place, shown in ((JUDGED, JUDGED), (GROWING, GROWN), (STEADY, STEADY)):
        assert at(then, place)["object_id"] == at(now, shown)["object_id"]
        assert at(now, shown)["clue_no"]
        assert at(then, place)["fate"] == "new"
    again = run(county / "q2late.yaml")
    assert at(table(again), GROWN)["fate"] == "grown"
    assert at(table(again), GROWN)["first_seen"] == dt.date(2025, 9, 6)
    assert sorted(table(again)["clue_no"]) == sorted(now["clue_no"])


def test_a_register_is_named_beside_the_config(tmp_path: Path):
    from configs.run import RunConfig

    path = tmp_path / "a.yaml"
    scenes = {"before": {"scenes": ["a.tif"]}, "after": {"scenes": ["b.tif"]}}
    for given, meant in (
        ("all.sqlite", str(tmp_path / "all.sqlite")),
        ("postgresql://user@host/all", "postgresql://user@host/all"),
    ):
        path.write_text(yaml.safe_dump({"name": "a", "register": given} | scenes))
        config = RunConfig.load(path)
        assert config.register_place == meant
        assert RunConfig.model_validate(config.model_dump(mode="json")) == config
