"""tuban prepare: the files hold what a run reads, and the work goes on where it stopped."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import yaml
from scipy import ndimage
from typer.testing import CliRunner

from configs.errors import InputError, ResourceError
from configs.run import RunConfig
from flows.cli.app import build_app
from flows.fitting import registration_of
from flows.plan import make_plan
from flows.preparing import _pair_config, footing, prepare_pair
from flows.runner import open_run
from flows.stages import RunOptions
from tests.flows.minicounty import build_mini, write_config
from tiles.block import Block
from tiles.registration import Registration

OPTIONS = RunOptions(tile=100, workers=2)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the small county, its after image moved by part of a pixel."""
    folder = tmp_path_factory.mktemp("county")
    config = build_mini(folder)
    with rasterio.open(folder / "after.tif", "r+") as raster:
        moved = ndimage.shift(raster.read(), (0, 1.3, -0.6), order=3, mode="nearest")
        moved[:, 40:50, 70:95] = 0
        raster.write(moved.astype(np.float32).clip(0))
    return config


@pytest.fixture(scope="module")
def made(county: Path) -> dict:
    return prepare_pair(county, county.parent / "runs", OPTIONS)


def whole(config: Path, move: Registration | None) -> Block:
    plan = make_plan(RunConfig.load(config))
    with plan.reader(move) as reader:
        return reader.read(plan.extent)


def test_the_files_hold_what_a_run_reads(county: Path, made: dict):
    config = RunConfig.load(county)
    with open_run(config, county.parent / "runs", OPTIONS) as context:
        move = registration_of(context)
    assert move.length_px > 1
    lazy, written = whole(county, move), whole(Path(made["config"]), None)
    assert lazy.extent == written.extent
    for name in ("before", "after", "valid", "source"):
        np.testing.assert_array_equal(getattr(lazy, name), getattr(written, name))
    assert make_plan(config).grid == make_plan(RunConfig.load(Path(made["config"]))).grid


def test_images_are_cogs_and_items_tell_their_lineage(county: Path, made: dict):
    folder = Path(made["folder"])
    for scene, date in zip(made["scenes"], ("before", "after"), strict=True):
        assert scene["name"] == f"{date}/{date}"
        with rasterio.open(folder.parent / scene["image"]) as raster:
            assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert raster.descriptions == ("blue", "green", "red", "nir")
            assert raster.tags()["TUBAN_LINEAGE"] == "; ".join(scene["lineage"])
            assert np.isnan(raster.nodata)
            valid = np.isfinite(raster.read(1)).mean()
        assert scene["valid_percent"] == pytest.approx(100 * valid, abs=1e-3)
        item = json.loads((folder.parent / scene["item"]).read_text(encoding="utf-8"))
        assert item["properties"]["processing:lineage"] == "; ".join(scene["lineage"])
        source = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
        assert source == [(county.parent / f"{date}.tif").as_uri()]
    assert item["properties"]["datetime"] == "2025-09-06T04:00:00Z"
    moved = item["properties"]["tuban:registration"]
    assert (moved["dy"], moved["dx"]) == pytest.approx((-1.3, 0.6), abs=0.15)
    assert any(
        step.startswith("registered to the before date") for step in made["scenes"][1]["lineage"]
    )


@pytest.mark.parametrize(
    ("masks", "clouds"), [((True, True), {"search": "never"}), ((True, False), None)]
)
def test_clouds_are_searched_again_only_where_the_run_searches(
    county: Path, tmp_path: Path, masks: tuple[bool, bool], clouds: dict | None
):
    with rasterio.open(county.parent / "before.tif") as raster:
        profile = raster.profile | {"dtype": "uint8", "count": 1}
    with rasterio.open(tmp_path / "mask.tif", "w", **profile) as target:
        target.write(np.zeros((1, target.height, target.width), np.uint8))
    values = RunConfig.load(county).model_dump()
    for name, masked in zip(("before", "after"), masks, strict=True):
        values[name]["mask"] = tmp_path / "mask.tif" if masked else None
    config = RunConfig.model_validate(values)
    job = SimpleNamespace(plan=make_plan(config))
    assert yaml.safe_load(_pair_config(config, job, [])).get("clouds") == clouds


def test_it_goes_on_where_it_stopped(county: Path, made: dict):
    folder = Path(made["folder"])
    assert made["made"] == made["tiles"] == 12
    image = folder / "after" / "after.tif"
    stamp = (folder / "before" / "before.tif").stat().st_mtime_ns
    before = image.read_bytes()
    again = prepare_pair(county, county.parent / "runs", OPTIONS)
    assert again["made"] == 0
    image.unlink()
    mended = prepare_pair(county, county.parent / "runs", OPTIONS)
    assert mended["made"] == 6
    assert image.read_bytes() == before
    assert (folder / "before" / "before.tif").stat().st_mtime_ns == stamp
    assert mended["scenes"] == made["scenes"]
    assert not list(folder.rglob(".part-*"))
    assert not list((folder.parent / "work" / "prepared").rglob("*.tif"))


def test_any_tile_size_gives_the_same_files(county: Path, made: dict, tmp_path: Path):
    other = prepare_pair(county, tmp_path / "other", RunOptions(tile=1024, workers=1))
    for one, two in zip(made["scenes"], other["scenes"], strict=True):
        paths = [Path(m["folder"]).parent / s["image"] for m, s in ((made, one), (other, two))]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_pair_without_dates_is_refused_before_the_work(county: Path, tmp_path: Path):
    config = write_config(county.parent)
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    values["after"].pop("date")
    undated = county.parent / "undated.yaml"
    undated.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    with pytest.raises(InputError, match="nothing tells when the scene was taken") as caught:
        prepare_pair(undated, tmp_path, OPTIONS)
    assert "after.date" in caught.value.fix


def test_workers_and_tiles_follow_the_memory():
    assert footing(RunOptions(workers=4), 4).workers == 4
    small = footing(RunOptions(workers=8, memory=700 << 20), 4)
    assert small.tile == 1024
    assert small.workers == 1
    less = footing(RunOptions(workers=8, memory=540 << 20), 8)
    assert less.tile < 1024
    with pytest.raises(ResourceError, match="MB are needed"):
        footing(RunOptions(memory=200 << 20), 4)


def test_the_command(county: Path, made: dict):
    arguments = ["prepare", str(county), "-o", str(county.parent / "runs"), "--tile", "100"]
    result = CliRunner().invoke(build_app(), arguments)
    assert result.exit_code == 0
    assert "registered to the before date" in result.stdout
    assert f"{made['config']}: run it with tuban run" in result.stdout
