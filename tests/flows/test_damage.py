"""Damage in the middle of an image: found, named, and the scene set aside where others cover."""

import hashlib
import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from configs.errors import DamagedImage
from configs.run import RunConfig
from flows.runner import open_run, work_run, work_stages
from flows.stages import RunOptions
from tests.flows.command import run_folder
from tests.flows.minicounty import SIZE, build_mini, compress_image, spoil_block, write_config
from tests.flows.test_catalog import six
from tests.tiles.deliverymade import safe
from tiles.checksums import require_intact
from tiles.damage import damaged_image
from tiles.rasters import probe
from tiles.sensors import open_epoch

OPTIONS = RunOptions(tile=64, workers=2)


def copied(folder: Path, name: str, damaged: tuple[int, int] | None = None) -> Path:
    """Write the after image again in compressed blocks, one of them made unreadable."""
    target = folder / name
    shutil.copyfile(folder / "after.tif", target)
    compress_image(target)
    if damaged is not None:
        spoil_block(target, *damaged)
    return target


def test_the_damaged_block_is_named(tmp_path: Path) -> None:
    build_mini(tmp_path)
    whole = copied(tmp_path, "whole.tif")
    assert damaged_image(whole, (1, 2)) is None
    torn = copied(tmp_path, "torn.tif", (1, 2))
    probe(torn, 1)  # the end of the file can be read
    error = damaged_image(torn, (1,))
    assert error is not None
    assert "1 of 9 blocks of the file are damaged" in error.what
    assert error.where == f"{torn}, band 1, first block: rows 64–127, columns 128–191"


def test_a_run_without_another_scene_names_file_and_block(tmp_path: Path) -> None:
    build_mini(tmp_path)
    copied(tmp_path, "torn.tif", (1, 2))
    after = {"scenes": ["torn.tif"], "date": "2025-09-06"}
    config = RunConfig.load(write_config(tmp_path, after=after))
    with (
        open_run(config, tmp_path / "runs", OPTIONS) as context,
        pytest.raises(DamagedImage, match=r"blocks of the file are damaged") as caught,
    ):
        work_stages(context)
    assert "torn.tif, band 1, 2, 3, 4, first block: rows 64–127, columns 128–191" in str(
        caught.value
    )

    # Another start does not try the file again, until it is another one.
    with open_run(config, tmp_path / "runs", OPTIONS) as context:
        seen = context.run.products()
        with pytest.raises(DamagedImage, match=r"rows 64–127, columns 128–191"):
            work_stages(context)
        assert context.run.products() == seen
    copied(tmp_path, "torn.tif")
    with open_run(config, tmp_path / "runs", OPTIONS) as context:
        assert [s.scene_id for s in context.plan.after.scenes] == ["torn"]


@pytest.mark.slow
def test_the_damaged_scene_is_set_aside_and_ids_stay(tmp_path: Path) -> None:
    build_mini(tmp_path)
    plain = work_run(tmp_path / "mini.yaml", tmp_path / "plain", OPTIONS, plain=True)
    torn = copied(tmp_path, "torn.tif", (1, 2))
    after = {"scenes": ["torn.tif", "after.tif"], "date": "2025-09-06", "order": "given"}
    config = write_config(tmp_path, after=after)
    work_run(config, tmp_path / "runs", OPTIONS, plain=True)
    folder = run_folder(tmp_path / "runs")
    summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert "影像不能使用，已搁置：torn.tif" in summary["exceptions"][0]
    assert "1 of 9 blocks" in summary["exceptions"][0]
    assert "rows 64–127, columns 128–191" in summary["exceptions"][0]
    assert summary["stages"]["plan"]["after"]["scenes"] == ["after"]
    assert summary["inputs"]["config field set_aside"] == [str(torn)]
    assert "影像不能使用，已搁置：torn.tif" in (folder / "report.html").read_text(encoding="utf-8")
    ids = [
        gpd.read_parquet(Path(place) / "patches.parquet")["patch_id"].tolist()
        for place in (plain["folder"], folder)
    ]
    assert ids[0] == ids[1]

    # Another start knows the damage; once the file is mended, its scene is used again.
    for mended, scenes in ((False, ["after"]), (True, ["torn", "after"])):
        if mended:
            copied(tmp_path, "torn.tif")
        with open_run(RunConfig.load(config), tmp_path / "runs", OPTIONS) as context:
            assert [s.scene_id for s in context.plan.after.scenes] == scenes


def with_manifest(product: Path) -> Path:
    """Add the supplier's list of checksums to a product."""
    rows = "".join(
        '<dataObject ID="x"><byteStream mimeType="application/octet-stream">'
        f'<fileLocation locatorType="URL" href="./{p.relative_to(product).as_posix()}"/>'
        f'<checksum checksumName="SHA3-256">{hashlib.sha3_256(p.read_bytes()).hexdigest()}'
        "</checksum></byteStream></dataObject>"
        for p in sorted(product.rglob("*.jp2"))
    )
    (product / "manifest.safe").write_text(
        '<?xml version="1.0"?><xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1">'
        f"<dataObjectSection>{rows}</dataObjectSection></xfdu:XFDU>",
        encoding="utf-8",
    )
    return product


def damage_middle(file: Path) -> Path:
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 500] = bytes(500)
    file.write_bytes(content)
    return file


def test_wrong_pixels_of_a_jp2_are_found_by_the_checksum(tmp_path: Path) -> None:
    product = with_manifest(safe(tmp_path, six(1), day="20220906"))
    scene = open_epoch([product]).scenes[0]
    assert require_intact(scene) == 7  # six bands and the SCL
    (red,) = product.rglob("*_B04_10m.jp2")
    before = rasterio.open(red).read()
    damage_middle(red)
    # The decoder hands out other pixels and says nothing.
    assert damaged_image(red, (1,)) is None
    assert (rasterio.open(red).read() != before).any()
    with pytest.raises(DamagedImage, match=r"SHA3-256[\s\S]*B04_10m\.jp2"):
        require_intact(scene)


@pytest.mark.slow
def test_a_product_that_is_not_as_delivered_is_set_aside(tmp_path: Path) -> None:
    build_mini(tmp_path)
    good = safe(tmp_path / "a", six(1), day="20220906")
    bad = with_manifest(safe(tmp_path / "b", six(1), day="20220907"))
    damage_middle(next(bad.rglob("*_B04_10m.jp2")))
    before = {"scenes": ["before.tif"], "date": "2021-04-18"}
    config = write_config(tmp_path, before=before, after={"scenes": [str(good), str(bad)]})
    summary = work_run(config, tmp_path / "runs", OPTIONS, plain=True)
    assert "T49QCD_20220907T030539_B04_10m.jp2" in summary["exceptions"][0]
    assert "SHA3-256" in summary["exceptions"][0]
    assert summary["stages"]["plan"]["after"]["to"] == "2022-09-06"
    assert np.isclose(summary["observed"]["valid_percent"], 100, atol=8), SIZE
