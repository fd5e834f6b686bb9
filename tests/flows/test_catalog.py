"""Deliveries by the catalogue into a run: catalog build, check, run."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from typer.testing import CliRunner

from configs.run import RunConfig
from flows.cli.app import build_app
from flows.runner import change_raster
from flows.stages import RunOptions
from tests.flows.command import run_folder
from tests.flows.minicounty import NEW_BUILDINGS, SIZE, box, build_mini, paint, write_config
from tests.tiles.deliverymade import grd, safe, swath, write


def tuban(*args: object, codes: tuple[int, ...] = (0,)) -> str:
    result = CliRunner().invoke(build_app(), ["--quiet", *map(str, args)])
    assert result.exit_code in codes, result.stderr
    return result.stdout


def cover(built: bool) -> np.ndarray:
    found = np.zeros((SIZE, SIZE), np.uint8)
    for row in range(0, SIZE, 24):
        for col in range(0, SIZE, 32):
            town = (row, col) in ((72, 64), (168, 160))
            found[row : row + 24, col : col + 32] = 2 if town else (row // 24 + col // 32) % 3 == 2
    for row, col, height, width in NEW_BUILDINGS if built else ():
        found[row : row + height, col : col + width] = 2
    return found


def six(date: int) -> np.ndarray:
    bands = paint(cover(date == 1), date)
    return np.concatenate([bands, bands[2:] * np.float32(0.9)])


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """Return a county whose images are two Sentinel-2 products of different baselines."""
    build_mini(tmp_path / "county")
    safe(tmp_path / "deliveries", six(0), baseline="0301", day="20210418")
    safe(tmp_path / "deliveries", six(1), baseline="0509", day="20220906")
    return tmp_path / "county"


def items(catalog: Path) -> list[str]:
    return [line.split("\t")[-1] for line in tuban("catalog", "search", catalog).splitlines()]


@pytest.mark.slow
def test_deliveries_run_to_clues_and_a_torn_scene_is_a_row_of_the_report(county: Path):
    home = county.parent
    out = tuban("catalog", "build", home / "deliveries", "-o", home / "catalog")
    assert len(out.splitlines()) == 2
    pair = tuban(
        "catalog", "pair", home / "catalog",
        "--before", "2021-01-01..2021-12-31", "--after", "2022-01-01..2022-12-31",
    )  # fmt: skip
    before, after = (yaml.safe_load(line) for line in pair.splitlines()[-2:])
    torn = write(home / "torn_20220906.tif", np.ones((4, 300, 300), np.uint16), 10.0)
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    after["after"]["scenes"].insert(0, str(torn))
    config = write_config(county, **before, **after)
    assert "已搁置：torn_20220906.tif" in tuban("check", config)
    tuban("run", config, "--out", home / "runs", "--plain", "--tile", "64", codes=(0, 3))
    folder = run_folder(home / "runs")
    patches = gpd.read_parquet(folder / "patches.parquet")
    places = gpd.GeoSeries([box(*b) for b in NEW_BUILDINGS], crs=patches.crs)
    assert all(patches.intersects(place).any() for place in places)
    assert set(patches["before_from"].astype(str)) == {"2021-04-18"}
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "影像不能使用，已搁置：torn_20220906.tif" in report
    assert "modified Copernicus" in report
    aside = json.loads((folder / "run.json").read_text(encoding="utf-8"))["exceptions"]
    assert "truncated" in aside[0]


def test_a_scene_is_not_set_aside_where_the_rest_does_not_cover(county: Path):
    home = county.parent
    torn = write(home / "torn_20220906.tif", np.ones((4, 300, 300), np.uint16), 10.0)
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    part = write(home / "part_20220906.tif", (six(1)[:4, :100] * 1e4).astype(np.uint16), 10.0)
    before = {"scenes": ["before.tif"], "date": "2021-04-18"}
    after = {"scenes": [str(torn), str(part)], "date": "2022-09-06"}
    config = write_config(county, before=before, after=after)
    result = CliRunner().invoke(build_app(), ["check", str(config)])
    assert result.exit_code == 1
    text = result.output
    assert "truncated" in text
    assert "the other scenes of this date cover 52.1 % of the area" in text


@pytest.mark.slow
def test_baselines_03_and_04_give_the_result_of_04_and_04(tmp_path: Path):
    maps = []
    for name, baseline in (("old", "0301"), ("new", "0400")):
        root = tmp_path / name
        products = [
            safe(root, six(0), baseline=baseline, day="20210418"),
            safe(root, six(1), baseline="0400", day="20220906"),
        ]
        values = {
            "name": "pair",
            "before": {"scenes": [products[0]]},
            "after": {"scenes": [products[1]]},
            "landcover": {"enabled": False},
            "detection": {"method": "cva"},
        }
        out = tmp_path / f"{name}.tif"
        change_raster(RunConfig.model_validate(values), out, RunOptions(workers=1, tile=128))
        with rasterio.open(out) as ds:
            maps.append(ds.read(1))
    assert (maps[0] == 2).sum() > 500
    assert np.array_equal(maps[0], maps[1])


def test_radar_that_is_geocoded_runs(tmp_path: Path):
    speckle = np.random.default_rng(3).gamma(16.0, 1 / 16.0, (2, 2, 128, 128))
    pair = (speckle * np.array([200.0, 60.0])[:, None, None]).round()
    pair[1, :, 40:60, 50:80] *= 6
    for year, amplitudes in zip((2023, 2025), pair, strict=True):
        times = f"{year}0305T102030_{year}0305T102055"
        name = f"S1A_IW_GRDH_1SDV_{times}_058000_072B5C_1234_TC.tif"
        write(tmp_path / "in" / name, amplitudes.astype(np.uint16), 10.0)
    tuban("catalog", "build", tmp_path / "in", "-o", tmp_path / "catalog")
    first, second = items(tmp_path / "catalog")
    tuban("detect", first, second, "-o", tmp_path / "change.tif", "--method", "cva")
    with rasterio.open(tmp_path / "change.tif") as ds:
        changed = ds.read(1) == 2
    assert changed[42:58, 52:78].mean() > 0.9
    assert changed.sum() < 2 * 20 * 30


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_radar_as_it_is_delivered_runs(tmp_path: Path):
    power = np.random.default_rng(3).gamma(16.0, 1 / 16.0, (2, 2, 128, 128))
    power *= np.array([0.08, 0.02])[:, None, None]
    power[1, :, 40:60, 50:80] *= 12
    for day, image in zip(("20230305", "20250305"), power.astype(np.float32), strict=True):
        grd(tmp_path / "in", day=day, power=image)
    tuban("catalog", "build", tmp_path / "in", "-o", tmp_path / "catalog")
    first, second = items(tmp_path / "catalog")
    tuban("detect", first, second, "-o", tmp_path / "change.tif", "--method", "cva")
    with rasterio.open(tmp_path / "change.tif") as ds:
        changed = ds.read(1) == 2
        row, col = ds.index(*_to_map(ds.crs, *swath(50, 65)))
    assert 0.8 * 600 < changed.sum() < 2 * 600
    rows, cols = np.nonzero(changed)
    assert abs(rows.mean() - row) < 4
    assert abs(cols.mean() - col) < 4


def _to_map(crs: rasterio.CRS, lon: float, lat: float) -> tuple[float, float]:
    place = gpd.GeoSeries([shapely.Point(lon, lat)], crs=4326).to_crs(crs)[0]
    return place.x, place.y


@pytest.mark.parametrize(
    ("family", "found", "bands"),
    [
        pytest.param(
            "oscd/beihai", 2, "blue, green, red, nir, swir1, swir2", marks=pytest.mark.slow
        ),
        ("debian_satellite_landsat", 4, "blue, green, red, nir, swir1, swir2"),
    ],
)
def test_real_deliveries(data_dir: Path, tmp_path: Path, family: str, found: int, bands: str):
    tuban("catalog", "build", data_dir / family, "-o", tmp_path / "catalog")
    paths = items(tmp_path / "catalog")
    assert len(paths) == found
    first, second = paths if found == 2 else (paths[0], paths[2])
    config = tmp_path / "real.yaml"
    values = {
        "name": "real",
        "before": {"scenes": [first]},
        "after": {"scenes": [second]},
        "layers": "LAYERS.yaml",
        "outputs": {"evidence": "none"},
        "detection": {"method": "cva"},
    }
    config.write_text(yaml.safe_dump(values))
    west, south, east, north = json.loads(Path(first).read_text(encoding="utf-8"))["bbox"]
    land = gpd.GeoDataFrame(
        {"BSM": ["1"], "DLBM": ["0103"]},
        geometry=[shapely.box(west - 1, south - 1, east + 1, north + 1)],
        crs="EPSG:4326",
    )
    land.to_file(tmp_path / "landuse.gpkg", index=False)
    layers = [{"role": "landuse", "source": "landuse.gpkg", "complete": True}]
    (tmp_path / "LAYERS.yaml").write_text(yaml.safe_dump({"version": 1, "layers": layers}))
    assert bands in tuban("check", config)
    tuban("run", config, "--out", tmp_path / "runs", "--plain", codes=(0, 3))
    assert (run_folder(tmp_path / "runs") / "clues.xlsx").is_file()


def test_coverage_of_counties(county: Path):
    home = county.parent
    tuban("catalog", "build", home / "deliveries", "-o", home / "catalog")
    shapes = [box(0, 0, SIZE, SIZE // 2), box(0, SIZE // 2, SIZE, SIZE)]
    table = gpd.GeoDataFrame({"XZQMC": ["西县", "东县"]}, geometry=shapes, crs="EPSG:32650")
    table.to_file(home / "counties.gpkg", index=False)
    out = tuban(
        "catalog", "coverage", home / "catalog", "--counties", home / "counties.gpkg",
        "--every", "year", "-o", home / "coverage",
    )  # fmt: skip
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[:3] for row in rows] == [
        ["东县", "2021", "1"], ["东县", "2022", "1"], ["西县", "2021", "1"], ["西县", "2022", "1"],
    ]  # fmt: skip
    assert float(rows[2][3]) > 99
    assert float(rows[0][3]) == pytest.approx(100 * (96 - 8) / 192, abs=1)
    gaps = gpd.read_file(home / "coverage" / "gaps.geojson")
    assert set(gaps["county"]) >= {"东县"}
    result = CliRunner().invoke(
        build_app(),
        ["catalog", "coverage", str(home / "catalog"), "--counties",
         str(home / "counties.gpkg"), "--name", "NOPE"],
    )  # fmt: skip
    assert result.exit_code == 1
    assert "there are XZQMC" in result.output
