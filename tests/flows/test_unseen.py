"""What could not be observed is told: where, and how much of the cropland."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from clues.layers import read_onemap
from clues.unseen import unseen_parts
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.minicounty import CRS, NORTH, PIXEL, WEST, box, build_mini, write_config
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


def test_without_layers_or_gaps(tmp_path: Path) -> None:
    assert unseen_parts(np.array([box(*HIDDEN)]), None, CRS)["role"].tolist() == ["all"]
    assert unseen_parts(np.empty(0, object), None, CRS).empty


@pytest.mark.slow
def test_a_run_writes_what_its_mask_hides(tmp_path: Path) -> None:
    config = build_mini(tmp_path)
    row, col, height, width = HIDDEN
    mask = np.zeros((192, 192), np.uint8)
    mask[row : row + height, col : col + width] = 1
    with rasterio.open(tmp_path / "before.tif") as source:
        profile = source.profile | {"dtype": "uint8", "count": 1}
    with rasterio.open(tmp_path / "mask.tif", "w", **profile) as target:
        target.write(mask, 1)
    after = {"scenes": ["after.tif"], "date": "2025-09-06", "mask": "mask.tif"}
    config = write_config(tmp_path, after=after)
    summary = work_run(config, tmp_path / "runs", RunOptions(tile=64), plain=True)
    unseen = gpd.read_file(Path(summary["folder"]) / "quality" / "unseen.gpkg")
    whole = unseen[unseen["对象"] == "未观测区域"]
    assert len(whole) == 1
    west, south, east, north = whole.total_bounds
    assert (west, north) == (WEST + col * PIXEL, NORTH - row * PIXEL)
    assert (east - west, north - south) == (width * PIXEL, height * PIXEL)
    assert (unseen["对象"] == "耕地").any()
