"""Patches of a run: smoothed outlines, least areas, what the tiles told of them."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import yaml

from flows.manifest import Run
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.minicounty import build_mini


@pytest.mark.slow
def test_least_areas_and_outlines_are_those_of_the_config(tmp_path: Path) -> None:
    config = build_mini(tmp_path / "mini")
    options = RunOptions(tile=96)
    first = Path(work_run(config, tmp_path / "runs", options, plain=True)["folder"])
    patches = gpd.read_parquet(first / "patches.parquet")
    told = patches[["ndvi_change", "ndwi_change", "magnitude_p90"]].to_numpy()
    assert np.isfinite(told).all()
    built = patches[patches["change_type"].isin(["new_building", "hardened_ground"])]
    assert len(built)
    assert (built["ndvi_change"] < -0.2).all()
    assert patches["ndbi_change"].isna().all()  # no short-wave infrared band

    kinds = patches.groupby("change_type")["area_dm2"].min()
    least = {kind: float(area) / 100 + 1 for kind, area in kinds.items()}
    text = yaml.safe_load(config.read_text(encoding="utf-8"))
    text["detection"] |= {"least_area_m2": least, "smooth_outlines": False}
    config.write_text(yaml.safe_dump(text, allow_unicode=True), encoding="utf-8")
    second = Path(work_run(config, tmp_path / "runs", options, plain=True)["folder"])
    fewer = gpd.read_parquet(second / "patches.parquet")
    gone = patches[~patches["patch_id"].isin(fewer["patch_id"])]
    assert gone["change_type"].nunique() == len(kinds)
    assert fewer["n_pixels"].sum() == patches["n_pixels"].sum() - gone["n_pixels"].sum()
    values = Run.open(second).products("join")[0].values
    assert sum(v["patches"] for v in values["too_small"].values()) == len(gone)
    with rasterio.open(second / "change.tif") as raster:
        assert np.count_nonzero(raster.read(1) > 1) == fewer["n_pixels"].sum()
    same = patches.set_index("patch_id").loc[fewer["patch_id"]]
    assert (np.abs(same["area_dm2"].to_numpy() - fewer["area_dm2"].to_numpy()) <= 1).all()
