"""Three counties run one by one with one fitted state, merged, are the joint run."""

import datetime as dt
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from clues.packagecheck import check_package
from clues.store.answers import add_answers, filled_in
from clues.store.repository import Store
from clues.store.verdicts import add_verdicts
from configs.errors import InputError
from configs.run import RunConfig
from flows.again import judge_again
from flows.cli.app import build_app
from flows.fitting import hand_over
from flows.packaging import build_package
from flows.runner import fitted_aside, work_run
from flows.stages import RunOptions
from tests.clues.test_packages import every_byte
from tests.flows.threecounties import CODES, FILING, LEAD_TEXT, NAMES, build_three, write_run

WHEN, REMARK = dt.datetime(2025, 10, 1, tzinfo=dt.UTC), "已责令停工"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Worked:
    """Packages and run folders, by name: joint, then the codes of the counties."""

    packages: dict[str, Path]
    runs: dict[str, Path]


def fill_in(run: Path) -> None:
    """Enter a verdict and a remark on the first clue of each county, as importing a ledger does."""
    store = Store.at(run / "clues.sqlite")
    with store.transaction() as connection:
        firsts = {f.clue_no[:6]: f for f in reversed(filled_in(connection)) if f.clue_no}
        for code, first in sorted(firsts.items()):
            told = {"patch_key": first.patch_key, "by": "王五", "at": WHEN, "source": "ledger"}
            verdict = {"parcel_no": 0, "line": "", "verdict": "违法", "reason": ""}
            on_parcel = verdict | {"parcel_no": 1, "line": "land", "verdict": "其他"}
            add_verdicts(connection, [told | verdict, told | on_parcel])
            add_answers(connection, [told | {"name": "remarks", "value": f"{REMARK}{code}"}])
    store.close()


@pytest.fixture(scope="module")
def worked(tmp_path_factory) -> Worked:
    base = tmp_path_factory.mktemp("three")
    build_three(base)
    with fitted_aside(RunConfig.load(write_run(base, "joint", "370000", "某市"))) as (context, _):
        hand_over(context, base / "state")
    options = RunOptions(tile=96, workers=2, state=base / "state")
    runs, packages = {}, {}
    for name, code, county in [("joint", "370000", "某市"), *zip(CODES, CODES, NAMES, strict=True)]:
        config = write_run(base, name, code, county)
        runs[name] = Path(work_run(config, base / "runs", options, plain=True)["folder"])
        fill_in(runs[name])
        packages[name] = build_package(runs[name], base / f"{name}.zip")[0]
    return Worked(packages, runs)


def tables(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.startswith("tables/")]
        return {n: archive.read(n) for n in names if n != "tables/observed.json"}


def read(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def manifest(path: Path) -> dict:
    return json.loads(read(path, "manifest.json"))


def test_counties_ask_enough(worked):
    patches = gpd.read_parquet(worked.runs["joint"] / "patches.parquet")
    leads = gpd.read_parquet(worked.runs["joint"] / "leads.parquet")
    crossing = patches.geometry.buffer(6).sindex.query(patches.geometry, predicate="intersects")
    codes = patches["county_code"].to_numpy()
    pairs = {tuple(sorted((codes[a], codes[b]))) for a, b in crossing.T if codes[a] != codes[b]}
    assert len(pairs) >= 2  # changes on borders became a patch in each county
    assert set(codes) == set(CODES)
    assert {"attached", "opened"} <= set(leads["relation"])
    assert (patches["disposition"] == "dismissed").any()


def test_merged_counties_are_the_joint_run_byte_for_byte(worked, tmp_path):
    parts = [worked.packages[code] for code in (CODES[2], CODES[0], CODES[1])]
    told = CliRunner().invoke(
        build_app(),
        ["package", "merge", *map(str, parts), "--out", str(tmp_path), "--name", "某市"],
    )
    assert told.exit_code == 0, told.output
    path = tmp_path / "370000某市_2025Q3_合并成果包_20250906.zip"
    joint = worked.packages["joint"]
    assert tables(path) == tables(joint)
    mine, theirs = manifest(path), manifest(joint)
    for name in ("totals", "counties", "grid", "state", "rules", "layers", "made_from", "epochs",
                 "images"):  # fmt: skip
        assert mine[name] == theirs[name], name
    for package in (path, joint):
        checked = CliRunner().invoke(build_app(), ["package", "verify", str(package)])
        assert checked.exit_code == 0, checked.output
        assert f"{theirs['totals']['clues']} clues" in checked.output
    assert theirs["totals"]["filled"] == {
        "patches": 3,
        "cells": 6,
        "verdicts": {"违法": 3},
        "parcels": {"其他": 3},
    }
    assert [i["date"] for i in mine["images"]] == ["before", "after"]
    book = openpyxl.load_workbook(io.BytesIO(read(path, "products/clues.xlsx")))
    heads, first = book.worksheets[1].iter_rows(values_only=True, max_row=2)
    told = dict(zip(heads, first, strict=True))
    assert [told[n].split()[-1] for n in ("前影像源", "后影像源")] == ["before", "after"]
    cells = {c.value for row in book.worksheets[0].iter_rows() for c in row}
    assert {"违法", *(f"{REMARK}{code}" for code in CODES)} <= cells
    made, whole = (json.loads(read(p, "products/clues.geojson")) for p in (path, joint))
    assert made["features"] == whole["features"]


def test_a_county_alone_sees_its_ground_up_to_the_border(worked):
    parts = [json.loads(read(worked.packages[c], "tables/observed.json"))[0] for c in CODES]
    joint = json.loads(read(worked.packages["joint"], "tables/observed.json"))[0]
    assert [p["observed_percent"] for p in (*parts, joint)] == [100.0] * 4
    total = sum(p["observed_dm2"] for p in parts)
    assert total == pytest.approx(joint["observed_dm2"], abs=4)  # each is rounded


def test_judging_again_keeps_to_county_borders(worked, tmp_path):
    joint = worked.runs["joint"]
    config = json.loads((joint / "run.json").read_text(encoding="utf-8"))["config"]
    was = Path(config["layers"])
    told = pd.read_parquet(joint / "findings.parquet")
    judge_again(joint, was, tmp_path / "all", rules="cn-land")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "all" / "findings.parquet"), told)
    filing = gpd.read_file(was.parent / "facility.gpkg").assign(BAMJ=4000.0)
    filing.to_file(was.parent / "facility2.gpkg")
    now = was.with_name("now.yaml")
    now.write_text(was.read_text(encoding="utf-8").replace("facility.gpkg", "facility2.gpkg"))
    some = judge_again(joint, now, tmp_path / "some")
    assert 0 < some.touched < some.patches
    judge_again(tmp_path / "all", now, tmp_path / "fresh", rules="cn-land")
    answers = ["patch_id", "line", "parcel_id", "area_dm2", "outcome", "rules", "reason_zh"]
    found = [pd.read_parquet(tmp_path / n / "findings.parquet")[answers] for n in ("some", "fresh")]
    pd.testing.assert_frame_equal(*found)
    division = gpd.read_file(was.parent / "XZQ.gpkg")
    division.assign(geometry=division.buffer(3)).to_file(was.parent / "XZQ2.gpkg")
    now.write_text(was.read_text(encoding="utf-8").replace("XZQ.gpkg", "XZQ2.gpkg"))
    with pytest.raises(InputError, match="county borders have changed"):
        judge_again(joint, now, tmp_path / "moved", rules="cn-land")


def test_nothing_of_a_run_leaks_into_its_public_export(worked, tmp_path):
    package = worked.packages["joint"]
    told = CliRunner().invoke(
        build_app(), ["package", "redact", str(package), "--out", str(tmp_path)]
    )
    assert told.exit_code == 0, told.output
    (public,) = tmp_path.glob("*_公开成果_*.zip")
    patches = gpd.read_parquet(worked.runs["joint"] / "patches.parquet")
    words = {"王五", REMARK, LEAD_TEXT, FILING, "临淄区", "鲁政土字", *patches["patch_id"]}
    data = every_byte(public)
    assert [w for w in words if w.encode() in data] == []
    assert any(w.encode() in every_byte(package) for w in words)


def test_photos_of_the_field_go_in_when_asked_for(worked, tmp_path):
    run, photo = worked.runs[CODES[2]], b"a photo"
    with pytest.raises(InputError, match="no photos from the field"):
        build_package(run, tmp_path / "p.zip", photos=True)
    name = hashlib.sha256(photo).hexdigest()
    kept = run / "field" / "attachments" / name[:2] / f"{name}.jpg"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(photo)
    path, _ = build_package(run, tmp_path / "p.zip", photos=True)
    assert read(path, f"products/field/attachments/{name[:2]}/{name}.jpg") == photo
    assert check_package(path).faults == []
    assert not any("field" in n for n in zipfile.ZipFile(worked.packages[CODES[2]]).namelist())
    kept.write_bytes(b"another")
    with pytest.raises(InputError, match="the photo was altered"):
        build_package(run, tmp_path / "q.zip", photos=True)


def test_a_file_altered_after_the_run_is_not_handed_in(worked, tmp_path):
    report = worked.runs[CODES[1]] / "report.html"
    with report.open("a", encoding="utf-8") as text:
        text.write("<!-- -->")
    with pytest.raises(InputError, match="altered since"):
        build_package(worked.runs[CODES[1]], tmp_path)
    assert list(tmp_path.iterdir()) == []
