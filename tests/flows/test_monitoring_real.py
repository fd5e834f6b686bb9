"""A monitor over a real series: a forest road and clear-cuts in Romania, Sentinel-2, 140 dates."""

import datetime as dt
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import yaml

from flows.demo.real import _Cube
from flows.monitor.monitoring import fit_monitor, update_monitor
from flows.stages import RunOptions

pytestmark = pytest.mark.slow

BANDS = {"B4": "B04", "B8": "B08", "SCL": "SCL"}
CLEAR = (4, 5, 6, 7)


@pytest.fixture(scope="module")
def cube(data_dir):
    path = data_dir / "nrt_romania_s2" / "sentinel2_cube_subset_romania_10m.nc"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return _Cube(path)


def write_scenes(cube: _Cube, folder: Path) -> None:
    profile = {"driver": "GTiff", "height": 100, "width": 100, "count": 1, "crs": "EPSG:3035"}
    for day in cube.dates:
        home = folder / f"S2A_MSIL2A_{day:%Y%m%d}T092031_N0214_R093_T34TGQ_{day:%Y%m%d}T120000"
        home.mkdir(parents=True)
        for band, name in BANDS.items():
            plane = cube.layer(band, day)
            file = home / f"T34TGQ_{day:%Y%m%d}T092031_{name}.tif"
            with rasterio.open(
                file, "w", dtype=plane.dtype, transform=cube.transform, **profile
            ) as ds:
                ds.write(plane, 1)


def summer(cube: _Cube, year: int) -> np.ndarray:
    """Return the median NDVI of a summer, an estimate that shares nothing with the monitor."""
    planes = []
    for day in (d for d in cube.dates if d.year == year and 6 <= d.month <= 9):
        red, nir = (cube.layer(b, day).astype(float) for b in ("B4", "B8"))
        ndvi = (nir - red) / np.maximum(nir + red, 1)
        planes.append(np.where(np.isin(cube.layer("SCL", day), CLEAR), ndvi, np.nan))
    return np.nanmedian(planes, axis=0)


def test_the_road_and_the_clear_cuts_are_reported(cube, tmp_path, record_property):
    write_scenes(cube, tmp_path / "scenes")
    config = {
        "version": 1,
        "name": "romania",
        "folder": "scenes",
        "sensor": "sentinel2_harmonised",
        "history": {"end": dt.date(2018, 12, 31), "harmonics": 1},
        "months": [4, 10],
        "cloud_margin_m": 120,
        "series": {"confirm": 5},
        "patches": {"least_change": 0.2, "direction": "loss"},
    }
    (tmp_path / "romania.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    options = RunOptions(workers=1)
    fit_monitor(tmp_path / "romania.yaml", tmp_path, options)
    made = update_monitor(tmp_path / "romania.yaml", tmp_path, options).version
    read = {}
    for name in ("confirmed", "magnitude"):
        with rasterio.open(made.folder / f"{name}.tif") as source:
            read[name] = source.read(1)
    found = (read["confirmed"] > 0) & (read["magnitude"] <= -0.2)
    change = summer(cube, 2020) - summer(cube, 2016)
    lost = change < -0.2
    recall, precision = (found & lost).sum() / lost.sum(), (found & lost).sum() / found.sum()
    some = (found & (change < -0.1)).sum() / found.sum()
    patches = gpd.read_file(made.folder / "patches.gpkg")
    told = (
        f"{lost.sum()} pixels lost between the summers, {found.sum()} found: recall {recall:.2f}, "
        f"precision {precision:.2f} (by chance {lost.mean():.2f}), {some:.2f} lost 0.1 or more; "
        f"{len(patches)} patches, {patches['area_m2'].sum() / 1e4:.1f} ha"
    )
    record_property("found", told)
    assert recall > 0.55, told
    assert precision > 5 * lost.mean(), told
    assert (patches["first_seen"] > "2018-12-31").all()
