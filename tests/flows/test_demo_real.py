"""The real pair of the demo: the cube as it lies in the package, and what is said without it."""

import datetime as dt
import shutil
import zipfile

import numpy as np
import pytest
import rasterio

from configs.errors import InputError
from configs.layers import LayersFile
from configs.run import RunConfig
from flows.demo import real


@pytest.fixture(scope="module")
def cube(data_dir):
    path = data_dir / "nrt_romania_s2" / "sentinel2_cube_subset_romania_10m.nc"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return real._Cube(path)


def test_cube_tells_dates_and_place(cube):
    assert len(cube.dates) == 140
    assert cube.dates[0] == dt.date(2015, 8, 1)
    assert cube.transform.a == -cube.transform.e == 10.0
    assert cube.transform.c == pytest.approx(5_271_982.58, abs=0.01)
    assert cube.layer("B8", dt.date(2016, 8, 5)).shape == (100, 100)


@pytest.mark.parametrize("year", [2016, 2020])
def test_clear_date_is_clear_and_in_summer(cube, year):
    date = real._clear_date(cube, year)
    assert (date.year, date.month in real.SUMMER) == (year, True)
    assert np.isin(cube.layer("SCL", date), real.CLEAR).mean() > 0.97


def test_pair_is_written_with_config_and_land_use(cube, data_dir, tmp_path, monkeypatch):
    wheel = tmp_path / "cache" / real.WHEEL
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (*real.PARTS, real.TREES):
            archive.write(data_dir / "nrt_romania_s2" / name, f"nrt/data/{name}")
    monkeypatch.setattr(real, "WHEEL_SHA256", real.sha256(wheel))
    config = RunConfig.load(real.build_real_pair(tmp_path))
    assert config.before.date < config.after.date
    layers = LayersFile.load(config.layers)
    assert [s.role for s in layers.layers] == ["landuse"]
    for epoch in (config.before, config.after):
        (folder,) = epoch.scenes
        assert len(list(folder.glob("*_B*.tif"))) == 5
        with rasterio.open(next(folder.glob("*_B11.tif"))) as source:
            assert source.res == (20.0, 20.0)
            assert source.crs == "EPSG:3035"


def test_unreachable_registry_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(InputError, match="could not be fetched") as error:
        real.fetch_wheel(tmp_path / "cache")
    assert "without --real needs no network" in error.value.fix


def test_another_file_is_refused(tmp_path):
    (tmp_path / real.WHEEL).write_bytes(b"not a wheel")
    with pytest.raises(InputError, match="not the published wheel"):
        real.fetch_wheel(tmp_path)
    shutil.rmtree(tmp_path)
