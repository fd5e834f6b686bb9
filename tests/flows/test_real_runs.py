"""Whole runs on real imagery with small layers made here: from two dates to a clue list."""

import datetime as dt
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from rasterio import features
from scipy import ndimage

from flows.runner import work_run
from flows.stages import RunOptions

CELL_PX = 12


def read_bands(folder: Path, *names: str) -> tuple[list[np.ndarray], rasterio.Affine, str]:
    bands = []
    for name in names:
        with rasterio.open(next(folder.glob(f"*_{name}.tif"))) as source:
            bands.append(source.read(1).astype(float))
            transform, crs = source.transform, source.crs.to_string()
    return bands, transform, crs


def land_use_map(ndvi: np.ndarray, transform: rasterio.Affine, crs: str) -> gpd.GeoDataFrame:
    """Return a coarse land-use map: blocks called cropland, forest or residential by NDVI."""
    rows, cols = ndvi.shape[0] // CELL_PX, ndvi.shape[1] // CELL_PX
    blocks = ndvi[: rows * CELL_PX, : cols * CELL_PX].reshape(rows, CELL_PX, cols, CELL_PX)
    mean = blocks.mean(axis=(1, 3))
    low, high = np.quantile(mean, [0.35, 0.75])
    label = np.where(mean < low, 3, np.where(mean > high, 2, 1)).astype(np.uint8)
    coarse = transform @ rasterio.Affine.scale(CELL_PX)
    found = [
        (shapely.geometry.shape(g), int(v)) for g, v in features.shapes(label, transform=coarse)
    ]
    codes = {1: "0103", 2: "0301", 3: "0701"}
    return gpd.GeoDataFrame(
        {"TBBH": [f"D{i}" for i in range(len(found))], "DLBM": [codes[v] for _, v in found]},
        geometry=[g for g, _ in found],
        crs=crs,
    )


def write_config(folder: Path, before: dict, after: dict, layers: list[dict], **more) -> Path:
    (folder / "layers.yaml").write_text(yaml.safe_dump({"version": 1, "layers": layers}))
    config = {
        "name": "real",
        "area": {"county_code": "450512", "county_name": "测试县"},
        "before": before,
        "after": after,
        "layers": "layers.yaml",
        "outputs": {"evidence": 2},
        **more,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True))
    return path


def tables(folder: Path) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    return (
        gpd.read_parquet(folder / "patches.parquet"),
        gpd.read_parquet(folder / "findings.parquet"),
    )


@pytest.mark.slow
def test_beihai_from_sentinel_2_to_a_clue_list(data_dir: Path, tmp_path: Path):
    city = data_dir / "oscd" / "beihai"
    if not city.is_dir():
        pytest.skip(f"no {city}")
    (red, nir), transform, crs = read_bands(city / "imgs_1", "B04", "B08")
    landuse = land_use_map((nir - red) / (nir + red), transform, crs)
    landuse.to_file(tmp_path / "landuse.gpkg")
    with rasterio.open(city / "cm" / "beihai-cm.tif") as source:
        changed, _ = ndimage.label(source.read(1) == 2, np.ones((3, 3)))
    sizes = np.bincount(changed.ravel())
    sizes[0] = 0
    approved, bare = np.argsort(sizes)[::-1][:2]
    outline = shapely.union_all(
        [
            shapely.geometry.shape(g)
            for g, _ in features.shapes(
                (changed == approved).astype(np.uint8), changed == approved, transform=transform
            )
        ]
    )
    approval = gpd.GeoDataFrame(
        {"PWH": ["桂政土〔2016〕1号"], "PZRQ": ["20160601"]},
        geometry=[outline.buffer(0.004).envelope],
        crs=crs,
    )
    approval.to_file(tmp_path / "approval.geojson", driver="GeoJSON")
    config = write_config(
        tmp_path,
        {"scenes": [str(city / "imgs_1")]},
        {"scenes": [str(city / "imgs_2")]},
        [
            {"role": "landuse", "source": "landuse.gpkg", "complete": True},
            {"role": "approval", "source": "approval.geojson", "complete": True},
        ],
    )
    summary = work_run(config, tmp_path / "runs", RunOptions(tile=256), plain=True)
    folder = Path(summary["folder"])
    patches, findings = tables(folder)
    clues = patches[patches["disposition"] == "clue"]
    assert len(clues) >= 5
    for line, rows in findings.groupby("line"):
        sums = rows.groupby("patch_id")["area_dm2"].sum()
        assert (sums == patches.set_index("patch_id").loc[sums.index, "area_dm2"]).all(), line
    assert (patches["before_to"] == dt.date(2016, 12, 9)).all()
    assert (patches["after_to"] == dt.date(2018, 3, 9)).all()
    assert len(list((folder / "evidence").glob("*.pdf"))) == 2

    # Two outcomes checked by hand: the largest labelled change lies inside the approval of
    # 2016-06-01, which is older than the first image; no document touches the second largest.
    land = findings[findings["line"] == "land"]
    inside = land[land.geometry.within(approval.geometry[0])]
    inside = inside[inside["outcome"].isin(["legal", "suspected"])]
    assert len(inside)
    assert set(inside["rule"]) == {"L1"}
    rows, cols = np.nonzero(changed == bare)
    points = shapely.points(*(transform @ (cols + 0.5, rows + 0.5)))
    hit = land[[bool(shapely.intersects(g, points).any()) for g in land.geometry]]
    hit = hit[hit["outcome"].isin(["legal", "suspected", "unresolved"])]
    assert len(hit)
    assert "legal" not in set(hit["outcome"])
    geojson = json.loads((folder / "clues.geojson").read_text(encoding="utf-8"))
    assert len(geojson["features"]) == len(clues) == summary["stages"]["outputs"]["clues"]


@pytest.mark.slow
def test_taizhou_from_envi_files_to_a_clue_list(data_dir: Path, tmp_path: Path):
    folder = data_dir / "taizhou_landsat"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    with rasterio.open(folder / "2000TM") as source:
        red, nir = source.read([3, 4]).astype(float)
        transform, crs = source.transform, source.crs.to_string()
    landuse = land_use_map((nir - red) / (nir + red + 1), transform, crs)
    landuse.to_crs("EPSG:4490").to_file(tmp_path / "landuse.gpkg")
    config = write_config(
        tmp_path,
        {"scenes": [str(folder / "2000TM")], "date": "2000-03-17"},
        {"scenes": [str(folder / "2003TM")], "date": "2003-02-06"},
        [{"role": "landuse", "source": "landuse.gpkg", "complete": True}],
        sensor="landsat",
    )
    summary = work_run(config, tmp_path / "runs", RunOptions(tile=128), plain=True)
    patches, findings = tables(Path(summary["folder"]))
    assert len(patches) > 50
    sums = findings[findings["line"] == "land"].groupby("patch_id")["area_dm2"].sum()
    assert (sums == patches.set_index("patch_id").loc[sums.index, "area_dm2"]).all()
    # No approvals layer: nothing may be called legal, and what is built stays a question.
    assert "legal" not in set(findings["outcome"])
    assert "unresolved" in set(findings["outcome"])
