"""What is wrong with an input is said in three lines, and nothing half-written stays."""

import errno
import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import rasterio
import yaml
from typer.testing import CliRunner

from configs.errors import ExitCode
from flows.cli.app import build_app
from flows.manifest import Run
from tests.flows.command import run_folder, unfinished
from tests.flows.minicounty import (
    APPROVAL_NUMBER,
    CRS,
    NEW_BUILDINGS,
    box,
    build_mini,
    write_approvals,
    write_config,
    write_image,
)

RESULTS = ("clues.geojson", "clues.gpkg", "clues.xlsx", "report.html", "change.tif", "run.json")


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """Return the config of a small county that a test may damage."""
    return build_mini(tmp_path / "county")


def invoke(*args: object) -> tuple[int, list[str]]:
    """Run a command; return its exit code and what it said on stderr, line by line."""
    result = CliRunner().invoke(build_app(), ["--quiet", *map(str, args)])
    return result.exit_code, result.stderr.splitlines()


def run(config: Path, *more: object) -> tuple[int, list[str]]:
    out = config.parent / "runs"
    return invoke("run", config, "--out", out, "--plain", "--tile", 64, "--workers", 2, *more)


def refused(config: Path) -> tuple[str, str, str]:
    """Run a config that cannot work; return what, where and fix."""
    code, lines = run(config)
    assert code == 1, lines
    what, where, fix = "\n".join(lines).partition("error: ")[2].split("\n", 2)
    out = config.parent / "runs"
    if out.exists():
        folder = run_folder(out)
        assert unfinished(folder) == []
        assert [name for name in RESULTS if (folder / name).exists()] == []
    assert where.startswith("  where: ")
    assert fix.startswith("  fix:   ")
    return what, where.removeprefix("  where: "), fix.removeprefix("  fix:   ")


def layers_of(config: Path, **changes: object) -> None:
    """Change the description of the land-use layer."""
    path = config.parent / "LAYERS.yaml"
    file = yaml.safe_load(path.read_text())
    file["layers"][0] |= changes
    path.write_text(yaml.safe_dump(file))


def image_without_crs(config: Path) -> None:
    with rasterio.open(config.parent / "before.tif") as raster:
        bands = raster.read()
    write_image(config.parent / "before.tif", bands, crs=None)


def image_elsewhere(config: Path) -> None:
    with rasterio.open(config.parent / "after.tif") as raster:
        bands = raster.read()
    write_image(config.parent / "after.tif", bands, crs="EPSG:32648")


def image_with_one_band(config: Path) -> None:
    with rasterio.open(config.parent / "after.tif") as raster:
        bands = raster.read()
    for name, chosen in (("before", slice(0, 2)), ("after", slice(2, 4))):
        folder = config.parent / name
        folder.mkdir()
        for number in range(4)[chosen]:
            band = ("B02", "B03", "B04", "B08")[number]
            write_image(folder / f"{name}_{band}.tif", bands[number : number + 1])
    write_config(
        config.parent,
        before={"scenes": ["before"], "date": "2025-04-18"},
        after={"scenes": ["after"], "date": "2025-09-06"},
    )


def image_cut_off(config: Path) -> None:
    path = config.parent / "after.tif"
    os.truncate(path, path.stat().st_size * 6 // 10)


def landuse_without_codes(config: Path) -> None:
    path = config.parent / "landuse.gpkg"
    table = gpd.read_file(path).rename(columns={"DLBM": "LEIXING"})
    path.unlink()
    table.to_file(path, index=False)


def landuse_without_crs(config: Path) -> None:
    table = gpd.read_file(config.parent / "landuse.gpkg")
    table.to_file(config.parent / "landuse.shp", index=False)
    (config.parent / "landuse.prj").unlink()
    layers_of(config, source="landuse.shp")


def landuse_of_another_crs(config: Path) -> None:
    layers_of(config, crs="EPSG:4547")


def aoi_without_polygons(config: Path) -> None:
    empty = gpd.GeoDataFrame({"name": ["a point"]}, geometry=[box(0, 0, 9, 9).centroid], crs=CRS)
    empty.to_file(config.parent / "aoi.geojson")
    write_config(config.parent, area={"county_code": "370305", "aoi": "aoi.geojson"})


def aoi_elsewhere(config: Path) -> None:
    far = gpd.GeoDataFrame(geometry=[box(9000, 9000, 9, 9)], crs=CRS)
    far.to_file(config.parent / "aoi.geojson")
    write_config(config.parent, area={"county_code": "370305", "aoi": "aoi.geojson"})


def config_with_unknown_key(config: Path) -> None:
    with config.open("a", encoding="utf-8") as text:
        text.write("detecton: {method: irmad}\n")


@pytest.mark.parametrize(
    ("damage", "what", "where", "fix"),
    [
        (image_without_crs, "no coordinate reference system", "before.tif", "grid.crs"),
        (image_elsewhere, "the two dates do not overlap", "after", "CRS"),
        (image_with_one_band, "no band in common", "blue, green", "common bands"),
        (image_cut_off, "truncated", "after.tif", "copy or download the file again"),
        (landuse_without_codes, "code is missing", "landuse.gpkg", "fields"),
        (landuse_without_crs, "does not say its CRS", "landuse.shp", "crs"),
        (landuse_of_another_crs, "EPSG:4547", "landuse.gpkg", "crs"),
        (aoi_without_polygons, "area of interest is empty", "aoi.geojson", "polygon"),
        (aoi_elsewhere, "does not meet the images", "aoi.geojson", "CRS"),
        (config_with_unknown_key, "detecton", "mini.yaml", "detection"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_damaged_input(mini: Path, damage: Callable[[Path], None], what: str, where: str, fix: str):
    damage(mini)
    told = refused(mini)
    assert what in told[0]
    assert where in told[1]
    assert fix in told[2]
    if damage is image_cut_off:
        return
    result = CliRunner().invoke(build_app(), ["check", str(mini), "--out", str(mini.parent / "r")])
    assert result.exit_code == 1
    assert told[0] in result.stdout
    assert not (mini.parent / "r").exists()


def test_no_free_disk_is_said_before_the_work(mini: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    what, where, fix = refused(mini)
    assert "MB are needed and 1.0 MB are free" in what
    assert "runs" in where
    assert "--out" in fix
    code, lines = invoke("check", mini, "--out", mini.parent / "r")
    assert code == 1, lines


def test_disk_that_fills_up_leaves_nothing_half_written(
    mini: Path, monkeypatch: pytest.MonkeyPatch
):
    flush = os.fsync

    def full(handle: int) -> None:
        if "state.npz" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        what, where, fix = refused(mini)
    assert what == "no space left on the disk"
    assert where.endswith("state.npz")
    assert "run the same command again" in fix


@pytest.mark.slow
def test_gbk_and_an_approval_without_geometry(mini: Path):
    """The one that is drawn covers, by its Chinese number; the other is listed and never covers."""
    shape = box(*NEW_BUILDINGS[0]).buffer(30, join_style="mitre")
    undrawn = "鲁政土字〔2024〕8号"
    write_approvals(mini.parent / "approval.shp", {APPROVAL_NUMBER: shape, undrawn: None})
    code, lines = run(mini)
    assert code == ExitCode.EXCEPTIONS, lines
    folder = run_folder(mini.parent / "runs")
    coverage = pd.read_parquet(folder / "coverage.parquet")
    approvals = coverage[coverage["role"] == "approval"]
    assert set(approvals["number"]) == {APPROVAL_NUMBER}
    assert approvals["patch_id"].nunique() == 1
    patches = gpd.read_parquet(folder / "patches.parquet").set_index("patch_id")
    assert patches["outcome"].eq("legal").sum() == 1
    assert patches.loc[approvals["patch_id"], "outcome"].eq("legal").all()
    (problem,) = Run.open(folder).products("judge")[0].values["rejects"]
    assert problem["key"] == f"approval:{undrawn}"
    assert problem["field"] == "geometry"
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert f'<td class="n">{problem["row"]}</td><td class="">approval:{undrawn}</td>' in report
    assert "补绘图形；此前不在图上" in report
    assert '<td class="">图形</td>' in report
    assert any("1 layer rows have problems" in line for line in lines)


@pytest.mark.parametrize(
    ("part", "value", "word"),
    [
        ("detection", {"method": "index:FOO"}, "no index named 'FOO'"),
        ("detection", {"method": "guess"}, "detection.method"),
        ("area", {"time_zone": "Asia/Nowhere"}, "no time zone 'Asia/Nowhere'"),
    ],
)
def test_check_knows_what_the_run_would_refuse(mini: Path, part: str, value: dict, word: str):
    config = yaml.safe_load(mini.read_text())
    config[part] = config.get(part, {}) | value
    mini.write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(build_app(), ["check", str(mini)])
    assert result.exit_code == 1, result.output
    assert word in result.output
    assert "fix:" in result.output


@pytest.mark.parametrize(
    ("changes", "name", "what"),
    [
        ({"catalog": "nowhere"}, "catalogue", "there is no catalogue"),
        ({"terrain": {"dem": "nowhere.tif"}}, "images", "there is no such raster file"),
    ],
)
def test_what_is_needed_late_is_missed_early(
    mini: Path, changes: dict[str, object], name: str, what: str
) -> None:
    config = write_config(mini.parent, **changes)
    assert refused(config)[0] == what
    result = CliRunner().invoke(build_app(), ["check", str(config)])
    assert f"FAIL {name}: {what}" in result.stdout
    assert Run.open(run_folder(mini.parent / "runs")).products() == []


def test_check_tells_a_layer_of_another_place(mini: Path) -> None:
    """The run would go on: so does the check, but with place and remedy."""
    result = CliRunner().invoke(build_app(), ["check", str(mini)])
    assert "look" not in result.stdout
    away = gpd.read_file(mini.parent / "landuse.gpkg").translate(300_000, 0)
    codes = {"BSM": range(len(away)), "DLBM": "0103"}
    gpd.GeoDataFrame(codes, geometry=away).to_file(mini.parent / "landuse.gpkg")
    result = CliRunner().invoke(build_app(), ["check", str(mini)])
    assert result.exit_code == 0, result.output
    told = result.stdout.partition("look place of landuse.gpkg: ")[2].splitlines()
    assert told[0] == f"none of its {len(away)} outlines lies in the area of the run, 300 km off"
    assert told[1].endswith(str(mini.parent / "landuse.gpkg"))
    assert "`crs:`" in told[2]


@pytest.mark.slow
def test_a_run_tells_a_complete_layer_of_another_place(mini: Path) -> None:
    away = gpd.read_file(mini.parent / "approval.shp").to_crs(CRS)
    away.set_geometry(away.translate(300_000, 0)).to_file(mini.parent / "approval.shp")
    code, lines = run(mini)
    assert code == ExitCode.EXCEPTIONS
    told = "layer land approval is said to be complete, but lies wholly beside the area"
    assert any(told in line for line in lines), lines


def test_check_and_run_refuse_a_config_without_layers_alike(mini: Path) -> None:
    text = yaml.safe_load(mini.read_text(encoding="utf-8"))
    del text["layers"]
    mini.write_text(yaml.safe_dump(text, allow_unicode=True), encoding="utf-8")
    what, where, fix = refused(mini)
    assert what == "the run has no layers to judge against"
    result = CliRunner().invoke(build_app(), ["check", str(mini)])
    assert result.exit_code == 1
    assert f"FAIL layers: {what}" in result.stdout
    assert where.strip() in result.output
    assert fix.strip() in result.output
    # Nothing was computed before the refusal.
    folder = run_folder(mini.parent / "runs")
    assert Run.open(folder).products() == []
