"""A judged run judged again: what a layer update touches, numbers that stay, both kept."""

import json
import sqlite3

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from openpyxl import load_workbook
from typer.testing import CliRunner

from configs.errors import InputError
from flows.again import judge_again
from flows.cli.app import build_app
from flows.delivered import judge_delivered
from tests.clues.test_oracle import write_county


@pytest.fixture(scope="module")
def run(oracle_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("again")
    layers = write_county(oracle_dir, folder)
    judge_delivered(oracle_dir / "BHTB.geojson", layers, folder / "first")
    return folder


def without_first(oracle_dir, folder, name):
    """Write the layers file with a layer that has lost its first feature."""
    table = gpd.read_file(oracle_dir / f"{name}.geojson").iloc[1:]
    table.to_file(folder / f"{name}2.gpkg")
    text = (folder / "LAYERS.yaml").read_text(encoding="utf-8")
    text = text.replace(str(oracle_dir / f"{name}.geojson"), str(folder / f"{name}2.gpkg"))
    (folder / "now.yaml").write_text(text, encoding="utf-8")
    return folder / "now.yaml"


def numbers(folder):
    patches = gpd.read_parquet(folder / "patches.parquet")
    summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return set(patches["patch_id"]), summary["clues"]


def test_an_approval_that_is_withdrawn(oracle_dir, run):
    before = (run / "first" / "findings.parquet").read_bytes()
    layers = without_first(oracle_dir, run, "JSYDSP")
    again = judge_again(run / "first", layers, run / "second")
    assert again.touched < again.patches
    assert again.changes[["parcel_id", "before", "after"]].values.tolist() == [
        ["P1", "legal L1", "suspected V1"]
    ]
    assert (run / "first" / "findings.parquet").read_bytes() == before
    fresh = judge_delivered(oracle_dir / "BHTB.geojson", layers, run / "fresh")
    answers = ["patch_id", "line", "parcel_id", "area_dm2", "outcome", "rules", "reason_zh"]
    found = [pd.read_parquet(run / n / "findings.parquet") for n in ("second", "fresh")]
    pd.testing.assert_frame_equal(found[0][answers], found[1][answers])
    assert fresh.summary["indicators"] == json.loads(
        (run / "second" / "indicators.json").read_text(encoding="utf-8")
    )
    first, second = numbers(run / "first")[1], numbers(run / "second")[1]
    assert second == [*first, "99990125Q2000005"]
    with sqlite3.connect(run / "second" / "clues.sqlite") as store:
        assert store.execute("SELECT count(*) FROM runs").fetchone() == (2,)
        kept = "SELECT count(DISTINCT run_id) FROM patches WHERE patch_id = 'P1'"
        assert store.execute(kept).fetchone() == (2,)


def test_layers_that_have_moved_are_refused(oracle_dir, run):
    layers = without_first(oracle_dir, run, "JSYDSP")
    with pytest.raises(InputError, match="changed since: approval"):
        judge_again(run / "first", layers, run / "third", was=layers)
    with pytest.raises(InputError, match="never written over"):
        judge_again(run / "first", layers, run / "first")


def test_one_changed_threshold_without_imagery(run, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "version: 1\nname: mine\ntitle: {zh: 甲, en: mine}\n"
        "extends: cn-land\nsettings: {min_area_built: 1000}\n",
        encoding="utf-8",
    )
    arguments = [str(run / "first"), str(run / "LAYERS.yaml")]
    told = CliRunner().invoke(build_app(), ["judge", *arguments, "--diff", str(mine)])
    assert told.exit_code == 0, told.output
    assert "land\tP6\tnon_new N1\tbelow_threshold F1" in told.stdout
    out = tmp_path / "by mine"
    kept = CliRunner().invoke(
        build_app(), ["judge", *arguments, "--rules", str(mine), "-o", str(out)]
    )
    assert kept.exit_code == 0, kept.output
    assert "judged_again\t9\t9" in kept.stdout
    mine.unlink()
    explained = CliRunner().invoke(build_app(), ["explain", "P2", "--run", str(out)])
    assert "规则集：mine" in explained.stdout


def test_facilities_use_up_a_filing_together(oracle_dir, tmp_path):
    """A patch judged again still counts what its untouched neighbours use of the filing."""
    patches = gpd.read_file(oracle_dir / "BHTB.geojson")
    row = patches[patches["JCBH"] == "P5"].iloc[0]
    left, low, _, high = row.geometry.bounds
    halves = [shapely.box(left - 9, low - 4, left + 1, high + 4)]
    halves.append(shapely.box(left + 2, low - 4, left + 49, high + 4))
    sheds = gpd.GeoDataFrame([row, row], geometry=halves, crs=patches.crs)
    sheds["JCBH"] = ["A", "B"]
    sheds.to_file(tmp_path / "sheds.gpkg")
    layers = write_county(oracle_dir, tmp_path, changes={("SSNYD", 0, "MJ"): 1900.0})
    judge_delivered(tmp_path / "sheds.gpkg", layers, tmp_path / "first")
    table = gpd.read_file(oracle_dir / "YJJBNTTB.geojson")
    corner = gpd.GeoDataFrame(table, geometry=[halves[0].buffer(-3)], crs=table.crs)
    corner.to_file(tmp_path / "pbf.gpkg")
    text = layers.read_text(encoding="utf-8")
    now = tmp_path / "now.yaml"
    old = str(oracle_dir / "YJJBNTTB.geojson")
    now.write_text(text.replace(old, str(tmp_path / "pbf.gpkg")), encoding="utf-8")
    again = judge_again(tmp_path / "first", now, tmp_path / "second")
    judge_delivered(tmp_path / "sheds.gpkg", now, tmp_path / "fresh")
    assert again.touched == 1
    found = [pd.read_parquet(tmp_path / n / "findings.parquet") for n in ("second", "fresh")]
    assert found[0]["reason_zh"].tolist() == found[1]["reason_zh"].tolist()


def test_delivered_patches_go_into_a_register(oracle_dir, tmp_path):
    layers = write_county(oracle_dir, tmp_path)
    source, place = oracle_dir / "BHTB.geojson", str(tmp_path / "county.sqlite")

    def said(*words):
        told = CliRunner().invoke(build_app(), [*map(str, words)])
        assert told.exit_code in (0, 3), told.output
        return told.output

    def table(name):
        return gpd.read_parquet(tmp_path / name / "patches.parquet").set_index("patch_id")

    said("judge", source, layers, "--out", tmp_path / "q1", "--register", place)
    first, clues = table("q1"), numbers(tmp_path / "q1")[1]
    assert len(clues) > 2
    assert set(first["fate"]) == {"new"}
    listed = said("register", "list", place)
    assert all(number in listed for number in clues)
    said("judge", source, layers, "--out", tmp_path / "q1", "--register", place)
    assert said("register", "list", place) == listed
    later = gpd.read_file(source)
    days = [c for c in later if c in ("HSX", "hsx")]
    later[days[0]] = "20250912"
    later.to_file(tmp_path / "later.geojson")
    said(*("judge", tmp_path / "later.geojson", layers, "--out", tmp_path / "q2"),
         *("--register", place, "--only-new"))  # fmt: skip
    second = table("q2")
    assert set(second["fate"]) == {"persisting"}
    assert numbers(tmp_path / "q2")[1] == []
    book = load_workbook(tmp_path / "q2" / "clues.xlsx", read_only=True)
    rows = list(book["前期线索"].iter_rows(min_row=2, values_only=True))
    assert sorted(r[0] for r in rows) == sorted(clues)
    now = without_first(oracle_dir, tmp_path, "JSYDSP")
    said("judge", tmp_path / "q2", now, "--out", tmp_path / "q2-now")
    assert len(numbers(tmp_path / "q2-now")[1]) == 1
    assert len(said("register", "list", place).split("\n")) == len(listed.split("\n")) + 1
    again = judge_again(tmp_path / "q1", now, tmp_path / "q1-now")
    assert again.touched == again.patches
    assert set(clues) < set(numbers(tmp_path / "q1-now")[1])
