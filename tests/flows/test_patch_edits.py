"""Patches of a run redrawn, cut, merged, added, deleted: a new version, and what it touches."""

import datetime as dt
import shutil
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from typer.testing import CliRunner

from clues.judgement import judge_patches
from clues.layers import read_onemap
from configs.errors import InputError, RunError
from flows.cli.app import build_app
from flows.judging import rules_of
from flows.learning.retraining import _with_found, judged_patches_of
from flows.manifest import Run
from flows.patchediting import PatchImport, export_patches, import_patches
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.minicounty import CRS, box, build_mini, write_config

pytestmark = pytest.mark.slow
ANSWERS = ["patch_id", "line", "parcel_id", "area_dm2", "outcome", "rules", "reason_zh"]
NOW = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the config of the small county and the folder of its run."""
    folder = tmp_path_factory.mktemp("edits")
    build_mini(folder / "mini")
    outputs = {"evidence": "none", "formats": ["gpkg"], "pictures": 0}
    config = write_config(folder / "mini", outputs=outputs)
    options = RunOptions(tile=96)
    return config, Path(work_run(config, folder / "runs", options, plain=True)["folder"])


@pytest.fixture
def run(made, tmp_path: Path) -> Path:
    """Return a run of one's own."""
    shutil.copytree(made[1], tmp_path / made[1].name)
    return tmp_path / made[1].name


def layer(run: Path) -> gpd.GeoDataFrame:
    export_patches(run, run / "edit.gpkg")
    return gpd.read_file(run / "edit.gpkg").sort_values("area_m2", ascending=False)


def saved(table: gpd.GeoDataFrame, run: Path, name: str = "edited.gpkg") -> Path:
    table.to_file(run / name, layer="patches", driver="GPKG", index=False)
    return run / name


def halves(shape):
    west, south, east, north = shape.bounds
    middle = (west + east) / 2
    parts = (shapely.box(west, south, middle, north), shapely.box(middle, south, east, north))
    return [shape.intersection(part) for part in parts]


def numbers(run: Path) -> dict[str, str]:
    table = gpd.read_file(run / "clues.gpkg", layer="线索")
    return dict(zip(table["图斑编号"], table["线索编号"], strict=True))


def edit(run: Path) -> tuple[Path, dict[str, str]]:
    """Cut the first patch, redraw the second, delete the last, merge nothing, add one."""
    table = layer(run).reset_index(drop=True)
    first, second, last = table.loc[0], table.loc[1], table.loc[len(table) - 1]
    shapes = halves(first.geometry)
    table.loc[0, "geometry"] = shapes[0]
    table.loc[1, "geometry"] = second.geometry.buffer(-4)
    cut = gpd.GeoDataFrame([first], geometry=[shapes[1]], crs=CRS)
    fresh = gpd.GeoDataFrame(
        {"change_type": ["新增建筑物"]}, geometry=[box(150, 20, 6, 6)], crs=CRS
    )
    fresh["change_type"] = "new_building"
    kept = table.iloc[:-1]
    whole = gpd.GeoDataFrame(pd.concat([kept, cut, fresh], ignore_index=True), crs=CRS)
    names = {"first": first.patch_id, "second": second.patch_id, "last": last.patch_id}
    return saved(whole, run), names


class Edited(NamedTuple):
    """A run that was edited once, and what it was before."""

    run: Path
    path: Path
    names: dict[str, str]
    before: dict[str, str]
    was: gpd.GeoDataFrame
    done: PatchImport


@pytest.fixture(scope="module")
def edited(made, tmp_path_factory: pytest.TempPathFactory) -> Edited:
    """Return a run after a first edit; refused until the deletion is meant."""
    run = tmp_path_factory.mktemp("edited") / made[1].name
    shutil.copytree(made[1], run)
    before, was = numbers(run), gpd.read_parquet(run / "patches.parquet")
    path, names = edit(run)
    refused = import_patches(path, run, editor="赵六")
    assert [f.what.split(":")[0] for f in refused.faults] == [
        "1 patches of the run are not in the file"
    ]
    assert Run.open(run).products("edits") == []
    done = import_patches(path, run, editor="赵六", delete_missing=True, now=NOW)
    return Edited(run, path, names, before, was, done)


def test_edits_become_a_version_and_only_what_they_touch_is_judged(made, edited):
    run, path, names, before, was, done = edited
    assert done.version == "0001"
    assert done.tallies == {"added": 1, "cut": 2, "redrawn": 1, "deleted": 1, "judged_again": 4}
    table = gpd.read_parquet(run / "patches.parquet").set_index("patch_id", drop=False)
    drawn = table[table["edit"] != ""]
    assert set(drawn["editor"]) == {"赵六"}
    assert set(drawn["edited_at"]) == {"2026-01-05T08:00:00+00:00"}
    assert sorted(drawn["parents"]) == sorted(["", names["first"], names["first"],
                                                names["second"]])  # fmt: skip
    untouched = table.index[table["edit"] == ""]
    assert set(untouched) == set(was["patch_id"]) - set(names.values())
    after = numbers(run)
    assert {p: after[p] for p in untouched if p in after} == {
        p: before[p] for p in untouched if p in before
    }
    redrawn = table[table["edit"] == "redrawn"]["patch_id"].iloc[0]
    assert after[redrawn] == before[names["second"]]
    fresh = {n for p, n in after.items() if table.loc[p, "edit"] in ("cut", "added")}
    assert fresh
    assert min(fresh) > max(before.values())
    assert {n for n, _ in done.clues} == fresh

    version = gpd.read_parquet(run / "edits" / "patches-0001.parquet")
    layers, rules = read_onemap(made[0].parent / "LAYERS.yaml", crs=CRS), rules_of("cn-land")
    whole = judge_patches(version, layers, rules)
    found = pd.read_parquet(run / "findings.parquet")
    pd.testing.assert_frame_equal(found[ANSWERS], pd.DataFrame(whole.findings[ANSWERS]))
    learned = _with_found(judged_patches_of([run]), [run])
    assert set(names.values()) | set(table.index) == set(learned["patch_id"])
    assert import_patches(path, run, editor="赵六").known
    assert Run.open(run).faults() == []


def test_a_run_goes_on_from_its_edits(made, edited):
    run = edited.run
    told, table = numbers(run), (run / "patches.parquet").read_bytes()
    assert Path(work_run(made[0], run.parent, RunOptions(tile=96), plain=True)["folder"]) == run
    assert (numbers(run), (run / "patches.parquet").read_bytes()) == (told, table)
    merged = layer(run).reset_index(drop=True)
    parts = merged.index[merged["patch_id"].str.startswith("E")]
    touching = [i for i in parts if merged.geometry[i].touches(merged.geometry[parts]).any()]
    united = merged.geometry[touching].union_all()
    again = merged.drop(index=touching[1:])
    again.loc[touching[0], "geometry"] = united
    done = import_patches(saved(again, run), run, editor="钱七")
    assert done.tallies["merged"] == 1
    assert Run.open(run).products("edits")[-1].values["parent"] == "0001"
    assert set(numbers(run).values()) - set(told.values()) > set()
    with pytest.raises(InputError, match="written from version"):
        import_patches(saved(merged, run, "old.gpkg"), run, editor="赵六")
    newest = layer(run)
    (run / "edits" / "patches-0002.parquet").write_bytes(b"")
    with pytest.raises(RunError, match="gone or was altered"):
        import_patches(saved(newest, run, "x.gpkg"), run, editor="赵六")


def test_outlines_that_cannot_be_taken_are_told_with_place_and_fix(run):
    table = layer(run).reset_index(drop=True)
    bow = shapely.Polygon([(500100, 4000900), (500200, 4001000), (500200, 4000900),
                           (500100, 4001000)])  # fmt: skip
    odd = [bow, table.geometry[0].buffer(-9), box(-20, 5, 4, 4), box(150, 20, 1, 1).buffer(-4.8)]
    fresh = gpd.GeoDataFrame(
        {"change_type": ["new_building"] * 3 + ["建房"]}, geometry=odd, crs=CRS
    )
    table.loc[1, "patch_id"] = "TNOTHERE"
    path = saved(gpd.GeoDataFrame(pd.concat([table, fresh]), crs=CRS), run)
    told = CliRunner().invoke(
        build_app(), ["patches", "import", str(path), "--run", str(run), "--editor", "赵六"]
    )
    assert told.exit_code == 1
    for words in ("not valid: Self-intersection", "no patch 'TNOTHERE'", "it lies on",
                  "beyond the images", "0.16 m²", "nothing was imported"):  # fmt: skip
        assert words in told.output
    assert not (run / "edits").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("text", "no GeoPackage"),
        ("damaged", "cannot be read"),
        ("points", "no polygon"),
        ("columns", "'patch_id' is gone"),
    ],
)
def test_files_that_are_no_edited_patches_are_refused(run, name, said):
    path = run / "bad.gpkg"
    if name == "text":
        path.write_text("no database")
    elif name == "damaged":
        path.write_bytes(b"SQLite format 3\x00" + b"\x07" * 5000)
    else:
        table = layer(run)
        if name == "points":
            table["geometry"] = table.geometry.centroid
        else:
            table = table.drop(columns="patch_id")
        saved(table, run, "bad.gpkg")
    try:
        faults = [f.what for f in import_patches(path, run, editor="赵六").faults]
    except InputError as error:
        faults = [str(error)]
    assert said in faults[0]


def test_patches_are_not_given_out_that_could_not_come_back(run):
    (run / "findings.parquet").write_bytes(b"")
    with pytest.raises(RunError, match="out of date"):
        export_patches(run, run / "edit.gpkg")
    assert not (run / "edit.gpkg").exists()
