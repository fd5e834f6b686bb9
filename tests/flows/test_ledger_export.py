"""``tuban ledger export``: all formats of one run say the same, and sum up to ``run.json``."""

import csv
import datetime as dt
import io
import json
import zipfile
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
from lxml import etree
from PIL import Image
from typer.testing import CliRunner

from clues.coordinatetext import read_coordinate_text
from configs.errors import ExitCode, InputError
from configs.runparts import LEDGER_FORMATS
from flows.cli.app import build_app
from flows.delivered import judge_delivered
from flows.formats import FORMATS, chosen_formats, export_ledger
from tests.clues.test_oracle import write_county
from tests.flows.command import run_folder, tuban
from tests.flows.imaged import map_has_its_image, package_has_its_images
from tests.flows.minicounty import build_mini, write_config

DAY = "2025-10-08"
STEM = "999901示例县_2025Q2"
NAMES = {
    "xlsx": f"{STEM}_卫片执法线索台账_20251008.xlsx",
    "geojson": f"{STEM}_卫片执法线索_20251008.geojson",
    "gpkg": f"{STEM}_卫片执法线索_20251008.gpkg",
    "parquet": f"{STEM}_卫片执法线索_20251008.parquet",
    "csv": f"{STEM}_卫片执法线索台账_20251008.csv",
    "kmz": f"{STEM}_卫片执法线索_20251008.kmz",
    "shp": f"{STEM}_卫片执法线索SHP_20251008.zip",
    "txt": f"{STEM}_线索坐标_20251008.txt",
    "bhtb": f"{STEM}_变化图斑_20251008.zip",
    "update": f"{STEM}_地类更新过程_20251008.zip",
}
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def run(oracle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the worked county, judged and given out in all formats."""
    folder = tmp_path_factory.mktemp("run")
    layers = write_county(oracle_dir, folder)
    judge_delivered(oracle_dir / "BHTB.geojson", layers, folder / "judged")
    words = ["ledger", "export", str(folder / "judged"), "--out", str(folder / "out")]
    told = CliRunner().invoke(build_app(), [*words, "--format", "all", "--date", DAY])
    assert told.exit_code == 0, told.output
    return folder


def test_files_have_their_official_names(run: Path):
    assert sorted(p.name for p in (run / "out").iterdir()) == sorted(NAMES.values())


def mu_of_clues(run: Path, name: str) -> list[Decimal]:
    """Return the areas of the clues in mu, as an independent reader finds them."""
    path = run / "out" / NAMES[name]
    found: list[float | str]
    if name == "xlsx":
        heads, *rows = openpyxl.load_workbook(path)["线索台账"].iter_rows(
            min_row=2, values_only=True
        )
        at = heads.index("面积（亩）")
        found = [row[at] for row in rows if row[heads.index("线索编号")]]
        assert Decimal(str(rows[-1][at])) == sum(Decimal(str(v)) for v in found)
    elif name == "geojson":
        found = [f["properties"]["area_mu"] for f in json.loads(path.read_text())["features"]]
    elif name == "gpkg":
        found = list(pyogrio.read_dataframe(path, layer="线索")["面积亩"])
    elif name == "parquet":
        found = list(pd.read_parquet(path)["area_mu"])
    elif name == "csv":
        text = path.read_bytes().decode("utf-8-sig")
        found = [row["面积亩"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    elif name == "kmz":
        root = etree.fromstring(zipfile.ZipFile(path).read("doc.kml"))
        found = root.xpath("//*[local-name()='Data'][@name='面积亩']/*/text()")
    else:
        found = list(gpd.read_file(path)["MJM"])
    return sorted(Decimal(str(value)) for value in found)


def test_the_areas_of_every_format_are_those_of_the_run(run: Path):
    judged = gpd.read_parquet(run / "judged" / "patches.parquet")
    clues = judged[judged["disposition"] == "clue"]
    summary = json.loads((run / "judged" / "run.json").read_text(encoding="utf-8"))
    findings = gpd.read_parquet(run / "judged" / "findings.parquet")
    dismissed = findings[(findings["line"] == "land") & ~findings["patch_id"].isin(clues.patch_id)]
    lines = summary["indicators"]["lines"]["land"].values()
    metres = (
        sum(Decimal(str(o["m2"])) for o in lines) - Decimal(int(dismissed.area_dm2.sum())) / 100
    )
    exact = sorted(Decimal(int(a)) * 3 / 200000 for a in clues["area_dm2"])
    for name in ("xlsx", "geojson", "gpkg", "parquet", "csv", "kmz", "shp"):
        told = mu_of_clues(run, name)
        assert sum(told) == (metres * 3 / 2000).quantize(CENT, ROUND_HALF_UP), name
        assert max(abs(a - b) for a, b in zip(told, exact, strict=True)) < CENT


def test_outcomes_sum_up_to_run_json(run: Path):
    summary = json.loads((run / "judged" / "run.json").read_text(encoding="utf-8"))
    parcels = pyogrio.read_dataframe(run / "out" / NAMES["gpkg"], layer="地块")
    land = parcels[parcels["判定线代码"] == "land"]
    for outcome, told in summary["indicators"]["lines"]["land"].items():
        own = land[land["判定代码"] == outcome]
        assert len(own) == told["count"]
        assert sum(own["面积亩"]) == pytest.approx(told["mu"], abs=0.01)


def test_ground_is_the_same_in_hectares(run: Path):
    parcels = read_coordinate_text(run / "out" / NAMES["txt"], None, "txt")
    judged = gpd.read_parquet(run / "judged" / "patches.parquet")
    clues = judged[judged["disposition"] == "clue"]
    told = sum(Decimal(v) for v in parcels["PZMJ"])
    assert abs(told - Decimal(int(clues["area_dm2"].sum())) / 1_000_000) < Decimal("0.0005")
    assert parcels.geometry.area.sum() == pytest.approx(clues.geometry.area.sum(), abs=0.5)


def test_the_survey_gets_all_changes_and_no_update_before_verdicts(run: Path):
    patches = gpd.read_file(run / "out" / NAMES["bhtb"])
    judged = gpd.read_parquet(run / "judged" / "patches.parquet")
    changed = judged[~judged["outcome"].isin(["non_new", "below_threshold"])]
    assert sorted(patches["JCBH"]) == sorted(changed["patch_id"])
    former = dict(zip(patches["JCBH"], patches["DLBM"], strict=True))
    assert (former["P1"], former["P3"], former["P4"]) == ("0103", "0102", "0404")
    assert len(gpd.read_file(run / "out" / NAMES["update"])) == 0


def test_exporting_again_gives_the_same_bytes(run: Path, tmp_path: Path):
    chosen = ("csv", "kmz", "shp", "txt", "gpkg")
    files = export_ledger(run / "judged", chosen, tmp_path, day=dt.date(2025, 10, 8))
    for path in files:
        assert path.read_bytes() == (run / "out" / path.name).read_bytes(), path.name


def test_formats_are_named_and_ordered_once():
    assert tuple(FORMATS) == LEDGER_FORMATS
    assert chosen_formats(["csv", " XLSX", "csv"], "here") == ("xlsx", "csv")
    with pytest.raises(InputError, match="no format 'vct'"):
        chosen_formats(["vct"], "here")


def test_what_is_no_run_is_refused(tmp_path: Path):
    told = CliRunner().invoke(build_app(), ["ledger", "export", str(tmp_path), "-o", str(tmp_path)])
    assert told.exit_code == ExitCode.USER_ERROR
    assert "no judged run" in told.output


@pytest.mark.slow
def test_a_run_writes_the_formats_of_its_config_with_pictures(tmp_path: Path):
    build_mini(tmp_path)
    outputs = {"evidence": "none", "formats": ["kmz", "xlsx", "csv"], "pictures": 2}
    config = write_config(tmp_path, outputs=outputs)
    tuban("run", config, "--out", tmp_path / "runs", "--plain", "--tile", 64, "--workers", 2)
    folder = run_folder(tmp_path / "runs")
    written = {path.name for path in folder.iterdir() if path.name.startswith("clues.")}
    assert written == {"clues.kmz", "clues.xlsx", "clues.csv", "clues.sqlite"}
    sheet = openpyxl.load_workbook(folder / "clues.xlsx")["线索台账"]
    heads, *rows = sheet.iter_rows(min_row=2, values_only=True)
    at = heads.index("线索编号")
    clues = [row[at] for row in rows if isinstance(row[0], int)]
    assert len(sheet._images) == 2 * min(2, len(clues)) > 0
    with zipfile.ZipFile(folder / "clues.kmz") as archive:
        shown = [name for name in archive.namelist() if name.endswith(".jpg")]
        assert len(shown) == len(sheet._images)
        assert all(Image.open(io.BytesIO(archive.read(name))).width == 160 for name in shown)
    files = export_ledger(folder, ["xlsx"], tmp_path, day=dt.date(2025, 10, 8), pictures=2)
    again = openpyxl.load_workbook(files[0])["线索台账"]
    assert [i._data() for i in again._images] == [i._data() for i in sheet._images]
    map_has_its_image(folder, tmp_path / "maps")
    package_has_its_images(folder, tmp_path / "field")
