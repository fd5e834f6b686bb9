"""Raw GF-2 deliveries go the whole way to the ledger, and a broken one says what is wrong."""

import json
import shutil
from pathlib import Path

import geopandas as gpd
import pytest
import rasterio
from openpyxl import load_workbook

from configs.errors import RasterError
from configs.run import RunConfig
from flows.plan import make_plan
from flows.preparing import prepare_pair
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.gaofen import NEW, PRODUCTS, box, build_gaofen

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_gaofen(tmp_path_factory.mktemp("gaofen"))


@pytest.mark.slow
def test_a_delivery_runs_to_the_ledger(delivered: Path):
    summary = work_run(delivered, delivered.parent / "runs", RunOptions(), plain=True)
    folder = Path(summary["folder"])
    patches = gpd.read_parquet(folder / "patches.parquet")
    for place in NEW:
        wanted = gpd.GeoSeries([box(*place)], crs="EPSG:32650").to_crs(patches.crs).iloc[0]
        hit = patches.geometry.intersection(wanted).area.sum() / wanted.area
        assert hit > 0.85
    assert len(patches) == len(NEW)
    sheet = load_workbook(folder / "clues.xlsx", read_only=True).worksheets[0]
    assert sum(1 for _ in sheet.iter_rows()) > summary["stages"]["outputs"]["clues"] >= 1
    gate = {c["name"]: c for c in json.loads((folder / "quality/gate.json").read_text())["checks"]}
    assert gate["residual shift"]["value"] < 0.5
    assert gate["terrain before"]["detail"].startswith("elevation raster dem.tif")
    assert gate["pan-sharpening after"]["value"] < 6
    assert "regression weights" in gate["pan-sharpening after"]["detail"]
    prepared = prepare_pair(delivered, delivered.parent / "runs", RunOptions())
    again = work_run(Path(prepared["config"]), delivered.parent / "again", RunOptions(), plain=True)
    other = gpd.read_parquet(Path(again["folder"]) / "patches.parquet")
    assert list(other["patch_id"]) == list(patches["patch_id"])
    assert other.geometry.geom_equals(patches.geometry).all()


def test_the_plan_of_a_delivery(delivered: Path):
    plan = make_plan(RunConfig.load(delivered))
    assert plan.grid.crs == "EPSG:4548"
    assert plan.bands == ("blue", "green", "red", "nir")
    assert [e.scenes[0].sensor for e in (plan.before, plan.after)] == ["gf2_pms"] * 2
    assert plan.before.civil_from is not None
    assert plan.before.civil_from.isoformat() == "2024-04-18"
    assert plan.before.scenes[0].pan is not None
    values = RunConfig.load(delivered).model_dump()
    values |= {"grid": {"pansharpen": False}, "terrain": {"height_m": 200.0}}
    plan = make_plan(RunConfig.model_validate(values))
    assert plan.grid.x_resolution == 3.2
    assert plan.before.scenes[0].pan is None


def lose(part: str, folder: Path) -> None:
    next(folder.glob(f"*{part}")).unlink()


def swap(_: str, folder: Path) -> None:
    path = next(folder.glob("*-MSS1.xml"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("<Bands>1,2,3,4<", "<Bands>3,2,1,4<"), encoding="utf-8")


def garble(_: str, folder: Path) -> None:
    path = next(folder.glob("*-MSS1.rpb"))
    path.write_text(path.read_text(encoding="utf-8").replace("0.0", "zero"), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "part", "what"),
    [
        (lose, "-MSS1.rpb", "rational polynomial"),
        (lose, "-PAN1.rpb", "rational polynomial"),
        (lose, "-PAN1.tiff", "panchromatic image of the delivery is missing"),
        (lose, "-MSS1.tiff", "multispectral image of the delivery is missing"),
        (lose, "-MSS1.xml", "metadata file of the image is missing"),
        (swap, "", "bands are in the order 3, 2, 1, 4"),
        (garble, "", "cannot be read"),
    ],
)
def test_a_broken_delivery_says_what_is_wrong(
    delivered: Path, tmp_path: Path, damage, part: str, what: str
):
    shutil.copytree(delivered.parent / PRODUCTS[1], tmp_path / PRODUCTS[1])
    damage(part, tmp_path / PRODUCTS[1])
    values = RunConfig.load(delivered).model_dump() | {
        "after": {"scenes": [tmp_path / PRODUCTS[1]]}
    }
    with pytest.raises(RasterError, match=what) as caught:
        make_plan(RunConfig.model_validate(values))
    assert PRODUCTS[1] in caught.value.where
    assert caught.value.fix


def test_an_elevation_raster_that_does_not_cover(delivered: Path, tmp_path: Path):
    with rasterio.open(delivered.parent / "dem.tif") as raster:
        profile, values = raster.profile, raster.read()
    profile["transform"] = profile["transform"] @ rasterio.Affine.translation(40, 0)
    with rasterio.open(tmp_path / "dem.tif", "w", **profile) as raster:
        raster.write(values)
    config = RunConfig.load(delivered).model_dump() | {"terrain": {"dem": tmp_path / "dem.tif"}}
    with pytest.raises(RasterError, match=r"elevation raster covers \d+\.\d % of the area"):
        make_plan(RunConfig.model_validate(config))
