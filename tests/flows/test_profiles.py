"""Profiles at work: an emergency without its layers, an annual run that hands in."""

import json
from pathlib import Path

import openpyxl
import pytest

from configs.run import RunConfig
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.minicounty import build_mini, write_config

pytestmark = pytest.mark.slow

MISSING = "缺少图层“用地批文”（approval.shp，文件不存在）：有关判定待核实"


@pytest.fixture
def county(tmp_path: Path) -> Path:
    build_mini(tmp_path / "county")
    return tmp_path / "county"


def _run(config: Path) -> tuple[Path, dict]:
    summary = work_run(config, config.parent / "runs", RunOptions(workers=1), plain=True)
    return Path(summary["folder"]), summary


def test_an_emergency_goes_on_without_a_layer_and_says_so(county: Path):
    for file in county.glob("approval.*"):
        file.unlink()
    config = write_config(county, profile="emergency")
    folder, summary = _run(config)
    assert summary["exceptions"][0].startswith(MISSING)
    assert summary["opening"]["missing_layers"][0]["zh"] == MISSING
    assert (summary["title"]["year"], summary["title"]["quarter"]) == (2025, 3)
    assert summary["stages"]["judge"]["tallies"]["unresolved"] >= 3
    assert MISSING in (folder / "report.html").read_text(encoding="utf-8")
    book = openpyxl.load_workbook(folder / "clues.xlsx", read_only=True)
    assert "资料不全" in str(book.worksheets[0]["A1"].value)
    told = [row[1] for row in book["字典"].iter_rows(values_only=True) if row[0] == "注意"]
    assert told == [MISSING]
    sheets = len(list((folder / "evidence").glob("*.pdf")))
    assert sheets == min(1, summary["stages"]["outputs"]["clues"])
    build_mini(county.parent / "again")
    for file in (county.parent / "again").glob("approval.*"):
        file.rename(county / file.name)
    again, whole = _run(config)
    assert again == folder
    assert whole["opening"]["missing_layers"] == []
    assert whole["stages"]["judge"]["tallies"] != summary["stages"]["judge"]["tallies"]


def test_an_annual_run_draws_its_sample_and_builds_its_package(county: Path):
    config = write_config(county, profile="annual", outputs={"evidence": 0, "sample": 20})
    assert RunConfig.load(config).outputs.package
    folder, _ = _run(config)
    sample = next(folder.glob("sample-*/sample.geojson"))
    assert len(json.loads(sample.read_text())["features"]) == 20
    assert len(list((folder / "package").glob("*.zip"))) == 1
    assert "年度" in (folder / "report.html").read_text(encoding="utf-8")
    sample.write_text("filled in")
    _run(config)
    assert sample.read_text() == "filled in"
