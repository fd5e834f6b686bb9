"""Delivered patches: a use that nobody knows is told by row, never swallowed."""

import datetime as dt
import json

import geopandas
import pytest
import shapely
from typer.testing import CliRunner

from clues.delivered import load_patches
from configs.errors import ExitCode
from configs.layers import PatchSource
from flows.cli.app import build_app
from tests.clues.test_oracle import write_county

DAYS = {"before_date": dt.date(2025, 3, 5), "after_date": dt.date(2025, 6, 12)}


def load(folder, use, tblx, **source):
    table = {"JCBH": [f"P{i}" for i in range(len(use))], "T2": use, "TBLX": tblx}
    boxes = [
        shapely.box(500_000 + 50 * i, 4_060_000, 500_040 + 50 * i, 4_060_040) for i in range(5)
    ]
    frame = geopandas.GeoDataFrame(table, geometry=boxes[: len(use)], crs="EPSG:4547")
    frame.to_file(folder / "p.gpkg")
    found = PatchSource(source=folder / "p.gpkg", **DAYS, **source)
    return load_patches(found, folder, "EPSG:4547")


def test_a_use_that_nobody_knows_is_told(tmp_path):
    patches, report = load(
        tmp_path, ["厂房", "glory hole", "stuff", None, None], ["20", "CK", None, "XX", "GF"]
    )
    assert patches["use"].tolist() == ["industry", "mining", "unknown", "unknown", "photovoltaic"]
    told = report[["row", "key", "field", "value", "code"]].values.tolist()
    assert told == [
        [2, "patch:P1", "T2", "glory hole", "unmapped_use"],
        [3, "patch:P2", "T2", "stuff", "unmapped_use"],
        [4, "patch:P3", "TBLX", "XX", "unmapped_use"],
    ]
    row = report.iloc[0]
    assert row["problem"] == "no known use; the patch is judged as: mining pit"
    assert row["remedy"].endswith("`uses: {glory hole: USE}`")
    assert "按“采矿”处理" in row["problem_zh"]


def test_the_remedy_helps(tmp_path):
    patches, report = load(tmp_path, ["glory hole"], [None], uses={"glory hole": "mining"})
    assert patches["use"].tolist() == ["mining"]
    assert not len(report)


def test_the_command_ends_with_the_problems(oracle_dir, tmp_path):
    layers = write_county(oracle_dir, tmp_path, changes={("BHTB", 2, "T2"): "hous"})
    text = layers.read_text(encoding="utf-8")
    layers.write_text(text.replace('"house": "dwelling", ', ""), encoding="utf-8")
    arguments = [str(tmp_path / "BHTB.gpkg"), str(layers), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(build_app(), ["judge", *arguments])
    assert result.exit_code == ExitCode.EXCEPTIONS, result.output
    (row,) = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["rejects"]
    assert (row["role"], row["row"], row["value"]) == ("patches", 3, "hous")


@pytest.mark.parametrize("word", ["其他", "other", " "])
def test_an_unknown_use_may_be_stated(tmp_path, word):
    patches, report = load(tmp_path, [word], [None])
    assert patches["use"].tolist() == ["unknown"]
    assert not len(report)
