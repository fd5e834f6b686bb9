"""The catalogue: any mix of deliveries, the same scenes again, coverage, gaps, the best pair."""

import csv
import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pystac
import pytest
import shapely

from configs.errors import InputError
from tests.tiles.deliverymade import gaofen, grd, landsat, reflectance, safe
from tiles.catalog import build_catalog, load_catalog, search_entries
from tiles.coverage import coverage_of, propose_pairs
from tiles.deliveries import open_scene
from tiles.discovery import discover
from tiles.stac import read_item

MakeTif = Callable[..., Path]
ZONE = "Asia/Shanghai"
GF2 = "GF2_PMS1_E117.5_N36.7_20250612_L1A0001234567"

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of deliveries of every family, good and bad."""
    root = tmp_path_factory.mktemp("mix") / "deliveries"
    safe(root / "s2" / "2023", reflectance())
    safe(root / "s2", reflectance(seed=1), level="L1C", baseline="0301", day="20210311")
    landsat(root / "usgs", reflectance(), "LC09_L2SP_119038_20230206_20230310_02_T1")
    gaofen(root, GF2, "MSS1", "PAN1")
    grd(root / "radar")
    torn = safe(root / "torn", reflectance(), day="20230320")
    next(torn.rglob("*_B08_10m.jp2")).write_bytes(b"no image")
    (root / "GF1_PMS1_E1.0_N1.0_20240101_L1A0000000001.tar.gz").write_bytes(b"")
    (root / "readme.txt").write_text("not an image")
    return root


def test_any_mix_is_found_without_moving_a_file(mix: Path, tmp_path: Path):
    before = {p: p.stat().st_mtime_ns for p in sorted(mix.rglob("*"))}
    built = build_catalog(mix, tmp_path / "catalog", time_zone=ZONE)
    assert {p: p.stat().st_mtime_ns for p in sorted(mix.rglob("*"))} == before
    assert [(e.sensor, e.acquired.date().isoformat()) for e in built.entries] == [
        ("sentinel2", "2021-03-11"),
        ("landsat_oli", "2023-02-06"),
        ("sentinel2", "2023-03-05"),
        ("sentinel1", "2025-03-05"),
        ("gf2_pms", "2025-06-12"),
    ]
    reasons = {name.split("/")[0]: problem for name, problem, _ in built.problems}
    assert set(reasons) == {"torn", "GF1_PMS1_E1.0_N1.0_20240101_L1A0000000001.tar.gz"}
    assert "opened as a raster" in reasons["torn"]
    with (tmp_path / "catalog" / "problems.csv").open(encoding="utf-8-sig") as handle:
        rows = list(csv.reader(handle))
    assert len(rows) == 3
    assert all(row[2] for row in rows)


def test_the_item_gives_the_same_scene_again(mix: Path, tmp_path: Path):
    entries = build_catalog(mix, tmp_path / "catalog", time_zone=ZONE).entries
    direct = {}
    for found in discover(mix):
        if not found.problem and "torn" not in str(found.paths[0]):
            scene = open_scene([p.resolve() for p in found.paths], None, ZONE)
            direct[scene.scene_id] = scene
    for entry in entries:
        again = read_item(entry.path)
        scene = direct[again.scene_id]
        for role, band in scene.bands.items():
            other = again.bands[role]
            assert other.path.resolve() == band.path
            assert (other.index, other.scale, other.offset) == (band.index, band.scale, band.offset)
            assert (other.nodata, other.wavelength_um) == (band.nodata, band.wavelength_um)
            assert (other.calibration is None) == (scene.sensor != "sentinel1")
            if other.calibration is not None:
                assert other.calibration.resolve() == band.calibration
        assert sorted(again.bands) == sorted(scene.bands)
        assert (again.pan is None) == (scene.pan is None)
        assert (again.mask is None) == (scene.mask is None)
        if scene.mask is not None and again.mask is not None:
            assert again.mask.meanings == scene.mask.meanings
            assert again.mask.unusable == scene.mask.unusable
        for name in ("acquired", "sensor", "attribution", "facts"):
            assert getattr(again, name) == getattr(scene, name)


def test_the_catalogue_is_valid_stac(mix: Path, tmp_path: Path):
    build_catalog(mix, tmp_path / "catalog")
    catalog = pystac.Catalog.from_file(str(tmp_path / "catalog" / "catalog.json"))
    items = list(catalog.get_items())
    assert len(items) == 5
    for item in items:
        item.stac_extensions = []
        item.validate()
        assert item.get_root() is catalog
    catalog.validate()
    gf = next(i for i in items if i.id.startswith("GF2"))
    assert {"pan", "image", "image.rpb", "image.xml", "pan.rpb"} <= set(gf.assets)
    assert all(Path(a.get_absolute_href() or "").is_file() for a in gf.assets.values())


def test_building_again_drops_what_is_gone(mix: Path, tmp_path: Path):
    root = shutil.copytree(mix, tmp_path / "copy")
    first = build_catalog(root, tmp_path / "catalog")
    names = sorted(p.name for p in (tmp_path / "catalog" / "items").iterdir())
    texts = {p.name: p.read_bytes() for p in (tmp_path / "catalog" / "items").iterdir()}
    assert build_catalog(root, tmp_path / "catalog").entries == first.entries
    assert texts == {p.name: p.read_bytes() for p in (tmp_path / "catalog" / "items").iterdir()}
    shutil.rmtree(root / "usgs")
    build_catalog(root, tmp_path / "catalog")
    left = sorted(p.name for p in (tmp_path / "catalog" / "items").iterdir())
    assert [n for n in names if n not in left] == [n for n in names if n.startswith("LC09")]


def test_a_catalogue_inside_the_deliveries_is_not_indexed(make_tif: MakeTif, tmp_path: Path):
    make_tif("in/a_20240305.tif", np.ones((4, 8, 8), np.uint8))
    for _ in range(2):
        built = build_catalog(tmp_path / "in", tmp_path / "in" / "catalog")
        assert [e.name for e in built.entries] == ["a_20240305"]


def test_no_date_and_no_place_are_problems(make_tif: MakeTif, tmp_path: Path):
    make_tif("in/undated.tif", np.ones((4, 8, 8), np.uint8))
    make_tif("in/nowhere_20240305.tif", np.ones((4, 8, 8), np.uint8), crs=None)
    make_tif("in/empty_20240305.tif", np.zeros((4, 8, 8), np.uint8))
    built = build_catalog(tmp_path / "in", tmp_path / "catalog")
    assert not built.entries
    found = {name: problem for name, problem, _ in built.problems}
    assert "nothing tells when" in found["undated.tif"]
    assert "no coordinate reference system" in found["nowhere_20240305.tif"]
    assert "no data" in found["empty_20240305.tif"]


def test_search(mix: Path, tmp_path: Path):
    build_catalog(mix, tmp_path / "catalog")
    entries = load_catalog(tmp_path / "catalog")
    first = dt.date(2023, 2, 1)
    found = search_entries(entries, begin=first, end=dt.date(2023, 12, 31))
    assert [e.sensor for e in found] == ["landsat_oli", "sentinel2"]
    assert [e.sensor for e in search_entries(found, max_cloud=5)] == ["landsat_oli"]
    assert not search_entries(entries, area=shapely.box(0, 0, 1, 1))
    place = shapely.Point(117.5, 36.7)
    assert [e.sensor for e in search_entries(entries, area=place)] == ["gf2_pms"]
    with pytest.raises(InputError, match="no catalogue"):
        load_catalog(tmp_path / "nothing")
    (tmp_path / "catalog" / "catalog.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        load_catalog(tmp_path / "catalog")


def scene(make_tif: MakeTif, day: str, columns: slice, cloud: int = 0) -> None:
    """Write a Sentinel-2 scene of 100 × 100 pixels, data in some columns, cloud on the right."""
    stored = np.zeros((100, 100), np.uint16)
    stored[:, columns] = 3000
    stored[:20, columns] = 100
    scl = np.full((100, 100), 4, np.uint8)
    if cloud:
        scl[:, -cloud:] = 9
    for band in ("B02", "B03", "B04", "B08"):
        make_tif(f"in/{day}/T50SMF_{day}T030000_{band}.tif", stored)
    make_tif(f"in/{day}/T50SMF_{day}T030000_SCL.tif", scl)


@pytest.fixture
def covered(make_tif: MakeTif, tmp_path: Path) -> Path:
    scene(make_tif, "20240410", slice(0, 50))
    scene(make_tif, "20240420", slice(40, 100), cloud=20)
    scene(make_tif, "20241101", slice(0, 100))
    scene(make_tif, "20250415", slice(0, 100), cloud=10)
    scene(make_tif, "20250801", slice(0, 100))
    build_catalog(tmp_path / "in", tmp_path / "catalog")
    return tmp_path / "catalog"


def test_coverage_tells_share_and_gaps(covered: Path):
    entries = load_catalog(covered)
    area = max((e.footprint for e in entries), key=lambda g: g.area)
    found = {c.period: c for c in coverage_of(entries, area, time_zone=ZONE)}
    assert list(found) == [
        "2024-Q2", "2024-Q3", "2024-Q4", "2025-Q1", "2025-Q2", "2025-Q3",
    ]  # fmt: skip
    shares = {name: c.usable_percent for name, c in found.items()}
    assert shares["2024-Q2"] == pytest.approx(80, abs=0.5)
    assert shares["2025-Q2"] == pytest.approx(90, abs=0.5)
    assert (shares["2024-Q3"], shares["2024-Q4"]) == (0, 100)
    assert found["2024-Q4"].gaps.is_empty
    gap = found["2024-Q2"].gaps
    assert gap.area / area.area == pytest.approx(0.2, abs=0.005)
    assert gap.centroid.x > area.centroid.x
    assert found["2024-Q2"].scenes == 2


def test_the_best_pair_is_of_one_season_and_says_why(covered: Path):
    entries = load_catalog(covered)
    area = max((e.footprint for e in entries), key=lambda g: g.area)
    years = [(dt.date(y, 1, 1), dt.date(y, 12, 31)) for y in (2024, 2025)]
    found = propose_pairs(entries, area, before=years[0], after=years[1], time_zone=ZONE)
    best = found[0]
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert (best.before.day.isoformat(), best.after.day.isoformat()) == ("2024-11-01", "2025-08-01")
    assert "100.0 % of the area" in best.reason("en")
    assert "92 days apart" in best.reason("en")
    assert "季节相差 92 天" in best.reason("zh")
    west = shapely.box(*area.bounds[:2], area.centroid.x - 0.001, area.bounds[3])
    best = propose_pairs(entries, west, before=years[0], after=years[1], time_zone=ZONE)[0]
    assert (best.before.day.isoformat(), best.after.day.isoformat()) == ("2024-04-10", "2025-04-15")
    assert "5 days apart" in best.reason("en")


def test_broken_items_do_not_stop_a_build(make_tif: MakeTif, tmp_path: Path):
    make_tif("in/a_20240305.tif", np.ones((4, 8, 8), np.uint8))
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "x", "assets": {}}
    (tmp_path / "in" / "x.json").write_text(json.dumps(item))
    (tmp_path / "in" / "other.json").write_text("[1, 2")
    built = build_catalog(tmp_path / "in", tmp_path / "catalog")
    assert [e.name for e in built.entries] == ["a_20240305"]
    assert [name for name, _, _ in built.problems] == ["x.json"]
