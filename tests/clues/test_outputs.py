"""Ledger, exchange files, evidence sheets and report, read back by independent readers."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pyogrio
import pytest
import shapely

from clues.outputs.exchange import write_geojson
from clues.outputs.geopackage import write_geopackage
from clues.outputs.ledger import write_ledger


def test_geojson_follows_rfc_7946(tables, tmp_path: Path):
    write_geojson(tables, tmp_path / "clues.geojson")
    text = (tmp_path / "clues.geojson").read_text(encoding="utf-8")
    data = json.loads(text)
    assert len(data["features"]) == 2
    first, second = data["features"]
    assert first["properties"]["area_m2"] == 6400.0
    assert first["properties"]["findings"][0]["pbf_m2"] == 1000.0
    assert not re.search(r"\d\.\d{10}", text)
    shape = shapely.geometry.shape(second["geometry"])
    assert shape.exterior.is_ccw
    assert not shape.interiors[0].is_ccw
    assert 113.9 < shape.centroid.x < 114.1


def test_geojson_bytes_do_not_depend_on_row_order(tables, tmp_path: Path):
    write_geojson(tables, tmp_path / "a.geojson")
    write_geojson(replace(tables, findings=tables.findings[::-1]), tmp_path / "b.geojson")
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()


def test_geopackage_keeps_clues_and_dismissed_apart(tables, tmp_path: Path):
    path = tmp_path / "clues.gpkg"
    write_geopackage(tables, path)
    counts = {
        name: pyogrio.read_info(path, layer=name)["features"]
        for name, kind in pyogrio.list_layers(path)
        if kind is not None
    }
    assert counts == {"线索": 2, "地块": 3, "未列线索图斑": 1}
    clue = pyogrio.read_dataframe(path, layer="线索").iloc[0]
    assert (clue["面积亩"], clue["前时相"]) == (9.6, "2025-03-05")


@pytest.mark.parametrize("name", ["clues.xlsx", "clues.geojson", "clues.gpkg"])
def test_a_failing_writer_leaves_nothing(tables, tmp_path: Path, name: str):
    broken = tables.patches.drop(columns="area_dm2")
    object.__setattr__(tables, "patches", broken)
    write = {"xlsx": write_ledger, "geojson": write_geojson, "gpkg": write_geopackage}
    with pytest.raises(KeyError):
        write[name.rpartition(".")[2]](tables, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
