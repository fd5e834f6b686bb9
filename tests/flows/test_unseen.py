"""What could not be observed is told: where, and how much of the cropland."""

import datetime as dt
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import yaml

from clues.layers import read_onemap
from clues.observed import observed_areas
from clues.unseen import NextScene, unseen_parts, write_unseen
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.minicounty import (
    CRS,
    NORTH,
    PIXEL,
    SIZE,
    WEST,
    box,
    build_mini,
    write_config,
    write_image,
)
from tests.tiles.deliverymade import safe, write
from tiles.catalog import build_catalog
from tiles.geodesy import ellipsoidal_area

HIDDEN = (40, 50, 60, 70)
"""Row, column, height, width."""


def test_parts_of_the_cropland_that_were_hidden(tmp_path: Path) -> None:
    config = build_mini(tmp_path)
    onemap = read_onemap(config.parent / "LAYERS.yaml", crs=CRS)
    hidden = np.array([box(*HIDDEN), box(150, 10, 5, 5)])
    parts = unseen_parts(hidden, onemap, CRS)
    whole = parts[parts["role"] == "all"]
    assert whole["area_dm2"].tolist() == [round(a * 100) for a in ellipsoidal_area(hidden, CRS)]
    crops = parts[parts["role"] == "cropland"]
    land = gpd.read_file(tmp_path / "landuse.gpkg")
    fields = shapely.union_all(land.geometry[land["DLBM"] == "0103"].to_numpy())
    wanted = shapely.intersection(fields, shapely.union_all(hidden)).area
    assert crops["area_dm2"].sum() / 100 == pytest.approx(wanted, rel=1e-3)
    assert crops["key"].str.startswith("landuse:").all()
    assert set(parts["role"]) == {"all", "cropland"}


def test_parts_of_basic_farmland_and_red_lines_that_were_hidden(tmp_path: Path) -> None:
    config = build_mini(tmp_path)
    lines = {
        "basic_farmland": [box(30, 30, 20, 60), box(0, 150, 10, 10)],
        "redline": [box(90, 100, 40, 60)],
    }
    layers = yaml.safe_load((tmp_path / "LAYERS.yaml").read_text(encoding="utf-8"))
    for role, shapes in lines.items():
        names = {"BSM": [f"{role}{i}" for i in range(len(shapes))]}
        gpd.GeoDataFrame(names, geometry=shapes, crs=CRS).to_file(tmp_path / f"{role}.gpkg")
        layers["layers"].append({"role": role, "source": f"{role}.gpkg", "complete": True})
    (tmp_path / "LAYERS.yaml").write_text(yaml.safe_dump(layers))
    onemap = read_onemap(config.parent / "LAYERS.yaml", crs=CRS)
    hidden = np.array([box(*HIDDEN)])
    parts = unseen_parts(hidden, onemap, CRS)
    assert list(dict.fromkeys(parts["role"])) == ["all", "cropland", "basic_farmland", "redline"]
    for role, wanted in (
        ("basic_farmland", box(40, 50, 10, 40)),
        ("redline", box(90, 100, 10, 20)),
    ):
        (part,) = parts[parts["role"] == role].itertuples()
        assert part.key == f"{role}:{role}0"
        assert shapely.equals_exact(
            part.geometry.normalize(), shapely.multipolygons([wanted]).normalize(), 1e-6
        )
        assert part.area_dm2 == round(ellipsoidal_area(np.array([wanted]), CRS)[0] * 100)
    write_unseen(parts, tmp_path / "unseen.gpkg")
    read = gpd.read_file(tmp_path / "unseen.gpkg")
    assert {"永久基本农田", "生态保护红线"} < set(read["对象"])


def test_without_layers_or_gaps(tmp_path: Path) -> None:
    assert unseen_parts(np.array([box(*HIDDEN)]), None, CRS)["role"].tolist() == ["all"]
    assert unseen_parts(np.empty(0, object), None, CRS).empty


def test_shares_of_divisions_and_what_lies_beyond_the_images() -> None:
    west, middle, beyond = box(0, 0, 192, 96), box(0, 96, 192, 96), box(0, 192, 192, 96)
    layer = gpd.GeoDataFrame(
        {"number": ["370305001", "370305002", "370305003"], "name": ["甲镇", "乙镇", "丙镇"]},
        geometry=[west, middle, beyond],
        crs=CRS,
    )
    onemap = SimpleNamespace(layers={"division": SimpleNamespace(table=layer)})
    rows = observed_areas(
        np.array([box(0, 0, 192, 24)]),
        box(0, 0, 192, 192),
        aoi=None,
        onemap=onemap,
        county=("370305", "小县"),
        crs=CRS,
    )
    assert [r.name for r in rows] == ["小县", "甲镇", "乙镇", "丙镇"]
    assert [r.percent for r in rows] == pytest.approx([58.33, 75, 100, 0], abs=0.02)
    assert rows[0].area_dm2 == pytest.approx(sum(r.area_dm2 for r in rows[1:]), abs=2)
    rows = observed_areas(
        np.array([box(0, 0, 192, 24)]), box(0, 0, 192, 192),
        aoi=west, onemap=onemap, county=("370305", "小县"), crs=CRS,
    )  # fmt: skip
    assert [r.percent for r in rows] == pytest.approx([75, 75], abs=0.02)


def later_scene(folder: Path, day: str, scl: np.ndarray) -> None:
    product = safe(folder, np.full((6, SIZE, SIZE), 0.2, np.float32), day=day)
    (mask,) = product.rglob("*_SCL_20m.jp2")
    write(mask, scl, 20.0)


@pytest.mark.slow
def test_a_run_writes_what_its_mask_hides_and_when_it_is_seen_next(tmp_path: Path) -> None:
    build_mini(tmp_path)
    row, col, height, width = HIDDEN
    mask = np.zeros((192, 192), np.uint8)
    mask[row : row + height, col : col + width] = 1
    mask[180:184, 8:12] = 1
    with rasterio.open(tmp_path / "before.tif") as source:
        profile = source.profile | {"dtype": "uint8", "count": 1}
    with rasterio.open(tmp_path / "mask.tif", "w", **profile) as target:
        target.write(mask, 1)
    after = {"scenes": ["after.tif"], "date": "2025-09-06", "mask": "mask.tif"}
    config = write_config(tmp_path, after=after)
    summary = work_run(config, tmp_path / "runs", RunOptions(tile=64), plain=True)
    unseen = gpd.read_file(Path(summary["folder"]) / "quality" / "unseen.gpkg")
    whole = unseen[unseen["object"] == "ground not observed"]
    assert len(whole) == 2
    west, south, east, north = whole.geometry.iloc[whole.area.argmax()].bounds
    assert (west, north) == (WEST + col * PIXEL, NORTH - row * PIXEL)
    assert (east - west, north - south) == (width * PIXEL, height * PIXEL)
    assert (unseen["对象"] == "耕地").any()
    assert unseen["下次可用日期"].isna().all()
    assert set(unseen["说明"]) == {"配置未给出影像目录，下次可用影像未知"}
    share = 100 * (1 - (mask > 0).mean())
    assert summary["observed"]["areas"][0]["observed_percent"] == pytest.approx(share, abs=0.01)

    # Two later scenes: the first is cloudy over the small part, the third hides everything.
    clear = np.full((96, 96), 4, np.uint8)
    cloudy = clear.copy()
    cloudy[88:94, 2:8] = 9
    later_scene(tmp_path / "new", "20250911", np.full((96, 96), 9, np.uint8))
    later_scene(tmp_path / "new", "20250916", cloudy)
    later_scene(tmp_path / "new", "20250926", clear)
    build_catalog(tmp_path / "new", tmp_path / "catalog")
    config = write_config(tmp_path, after=after, catalog="catalog")
    again = work_run(config, tmp_path / "runs", RunOptions(tile=64), plain=True)
    assert again["stages"]["tiles"]["made"] == 0
    unseen = gpd.read_file(Path(again["folder"]) / "quality" / "unseen.gpkg")
    whole = unseen[unseen["object"] == "ground not observed"].sort_values("面积_m2")
    assert whole["下次可用日期"].tolist() == ["2025-09-26", "2025-09-16"]
    assert whole["下次可用影像"].str.contains("T49QCD").all()
    assert set(unseen["note"]) == {"earliest later scene of the catalogue that shows it"}


@pytest.mark.slow
def test_a_run_says_that_clouds_could_not_be_searched(tmp_path: Path) -> None:
    config = build_mini(tmp_path)
    for name in ("before.tif", "after.tif"):
        with rasterio.open(tmp_path / name) as source:
            visible = source.read((1, 2, 3))
        write_image(tmp_path / name, visible)
    summary = work_run(config, tmp_path / "runs", RunOptions(tile=64), plain=True)
    folder = Path(summary["folder"])
    assert not (folder / "quality" / "clouds.tif").exists()
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))["exceptions"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    for text in ("未检测云：两期没有共同的蓝、红、近红外波段", "clouds not searched: blue, red"):
        assert any(text in line for line in told)
    assert "未检测云：两期没有共同的蓝、红、近红外波段" in page
    assert "clouds not searched" not in page


def test_names_in_english_travel_with_the_file(tmp_path: Path) -> None:
    parts = unseen_parts(np.array([box(*HIDDEN), box(5, 5, 2, 2)]), None, CRS)
    nexts = [NextScene(dt.date(2025, 9, 26), "S2", 63.2, False, True), None]
    write_unseen(parts, tmp_path / "unseen.gpkg", nexts)
    with closing(sqlite3.connect(tmp_path / "unseen.gpkg")) as file:
        names = dict(file.execute("SELECT column_name, name FROM gpkg_data_columns"))
        told = file.execute("SELECT table_name, description FROM gpkg_contents").fetchall()
    assert names["下次可用日期"] == "next_date"
    assert told == [("未观测", "两期未均观测到的区域 Ground that was not observed at both dates")]
    read = gpd.read_file(tmp_path / "unseen.gpkg")
    assert set(read.columns) - {"geometry"} == set(names)
    assert read["note"].tolist() == [
        "unknown: later scenes show 63 % at most (2025-09-26)",
        "unknown: no scene of the catalogue shows it within a year",
    ]
    assert read["下次可用日期"].isna().all()
