"""A period without change ends with empty products, not with an error."""

import datetime as dt
import json
from pathlib import Path

import geopandas as gpd
import openpyxl
import shapely

from clues.judgement import judge_patches
from clues.layers import build_onemap
from clues.outputs.exchange import write_geojson
from clues.outputs.geopackage import write_geopackage
from clues.outputs.ledger import write_ledger
from clues.outputs.report import report_document, write_report
from clues.outputs.reportbuilding import build_report
from clues.outputs.reportmodel import QualityFacts
from clues.outputs.sheet import evidence_sheets
from clues.outputs.tables import ClueTables
from configs.layers import LayersFile
from flows.judging import rules_of, tallies, write_tables
from flows.registering import register_run


def test_no_patch_gives_empty_products(tables, pictures, tmp_path: Path):
    gpd.GeoDataFrame(
        {"PWH": ["A1"], "PZRQ": [dt.date(2024, 1, 1).isoformat()]},
        geometry=[shapely.box(38_500_000, 4_060_000, 38_500_100, 4_060_100)],
        crs="EPSG:4526",
    ).to_file(tmp_path / "approval.gpkg")
    (tmp_path / "LAYERS.yaml").write_text(
        "version: 1\nlayers:\n  - {role: approval, source: approval.gpkg, complete: true}\n"
    )
    onemap = build_onemap(LayersFile.load(tmp_path / "LAYERS.yaml"), crs="EPSG:4526")
    rules = rules_of("cn-land")
    judgement = judge_patches(tables.patches.iloc[:0].drop(columns="clue_no"), onemap, rules)
    assert tallies(judgement) == {"patches": 0}
    write_tables(judgement, rules, tmp_path)
    judged = ClueTables.read(tmp_path, tables.title)
    judged = register_run(
        tmp_path,
        judged,
        key="none",
        crs="EPSG:4526",
        rule_set=rules.name,
        rule_set_version=rules.digest,
        layers=[],
        config={},
    )
    write_geojson(judged, tmp_path / "clues.geojson")
    write_geopackage(judged, tmp_path / "clues.gpkg")
    write_ledger(judged, tmp_path / "clues.xlsx")
    overview = pictures((0.0, 0.0, 1.0, 1.0))[0]
    model = build_report(judged, QualityFacts(), pictures, overview)
    for language, suffix in (("zh", "docx"), ("en", "pdf")):
        write_report(report_document(model, language), tmp_path / f"report.{suffix}")
    assert evidence_sheets(judged) == []
    assert json.loads((tmp_path / "clues.geojson").read_text())["features"] == []
    assert openpyxl.load_workbook(tmp_path / "clues.xlsx")["线索台账"].max_row == 3
