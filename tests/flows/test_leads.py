"""Leads from a layer file to ledger, map files, sheet, report and store, on the worked county."""

import json
import sqlite3
from pathlib import Path

import geopandas as gpd
import lxml.html
import openpyxl
import pyogrio
import pytest
import shapely
from typer.testing import CliRunner

from clues.outputs.report import report_document, write_report
from clues.outputs.reportbuilding import build_report
from clues.outputs.reportmodel import QualityFacts
from clues.outputs.sheet import evidence_sheets
from clues.outputs.tables import ClueTables, RunTitle
from flows.cli.app import build_app
from tests.clues.conftest import hand_pictures
from tests.clues.test_oracle import write_county

E0, N0 = 38_500_000, 4_060_000
LEADS = [
    ("12336-0007", "12336", "2025-06-20", "=村民举报占用基本农田建房", 175, 420),
    ("XF-3", "信访", "2025-07-01", "同一处房屋", 130, 455),
    ("W-9", "网站", "2025-06-30", "河边挖沙", 3000, 3000),
    ("12336-0008", "12336", None, "屋顶翻建", 465, 415),
]


def write_leads(folder: Path, rows=LEADS) -> None:
    table = gpd.GeoDataFrame(
        [r[:4] for r in rows],
        columns=["XSBH", "LY", "SLRQ", "NR"],
        geometry=[shapely.Point(E0 + x, N0 + y) for *_, x, y in rows],
        crs="EPSG:4526",
    )
    table.to_file(folder / "leads.geojson", driver="GeoJSON")


@pytest.fixture
def judged(oracle_dir, tmp_path: Path):
    layers = write_county(oracle_dir, tmp_path)
    write_leads(tmp_path)
    with layers.open("a", encoding="utf-8") as handle:
        handle.write("  - {role: lead, source: leads.geojson}\n")

    def judge():
        out = tmp_path / "run"
        run = CliRunner().invoke(
            build_app(), ["judge", str(oracle_dir / "BHTB.geojson"), str(layers), "-o", str(out)]
        )
        assert run.exit_code == 0, run.output
        return run, out

    return judge


def test_one_clue_with_two_sources_and_a_far_lead_of_its_own(judged):
    run, out = judged()
    for line in ("patches\t9", "clue\t6", "leads\t4", "leads_attached\t2", "leads_opened\t1"):
        assert line in run.stdout
    assert "ratio_percent\t26.47" in run.stdout
    features = json.loads((out / "clues.geojson").read_text(encoding="utf-8"))["features"]
    by_patch = {f["properties"]["patch_id"]: f["properties"] for f in features}
    third = by_patch["P3"]
    joined = {x["number"]: x["distance_m"] for x in third["leads"]}
    assert joined == {"XF-3": 15.0, "12336-0007": 15.0}
    (own,) = (p for p in by_patch.values() if p["origin"] == "lead")
    assert own["area_m2"] == 0
    assert own["leads"][0]["text"] == "河边挖沙"
    assert by_patch["P6"]["leads"][0]["relation"] == "reopened"
    assert by_patch["P6"]["outcome"] == "unresolved"


def test_ledger_and_map_layer_tell_where_a_clue_comes_from(judged):
    _, out = judged()
    book = openpyxl.load_workbook(out / "clues.xlsx")
    rows = list(book["线索台账"].iter_rows(min_row=2, values_only=True))
    heads = list(rows[0])
    ledger = {r[heads.index("图斑编号")]: dict(zip(heads, r, strict=True)) for r in rows[1:-1]}
    source = ledger["P3"]["线索来源"]
    assert source.startswith("卫片\n")
    assert "12336举报12336-0007（2025-06-20）距15.00 m" in source
    assert ledger["P3"]["理由"].count("12336-0007") == 1
    assert ledger["P6"]["理由"].count("12336-0008") == 1
    own = next(r for r in ledger.values() if str(r["线索来源"]).startswith("网络举报"))
    assert own["面积（亩）"] == 0
    assert "W-9" in own["待核问题"]
    listed = list(book["其他来源线索"].iter_rows(min_row=2, values_only=True))
    assert len(listed) == 4
    words = {r[0]: (r[3], r[4], r[5]) for r in listed}
    assert words["12336-0007"][:2] == ("=村民举报占用基本农田建房", "并入线索")
    assert words["12336-0007"][2] == words["XF-3"][2] == ledger["P3"]["线索编号"]
    formulas = [c for s in book for row in s.iter_rows() for c in row if c.data_type == "f"]
    assert {c.row for c in formulas} == {len(rows) + 1}  # the sums of what people fill in
    layer = pyogrio.read_dataframe(out / "clues.gpkg", layer="其他来源线索")
    assert sorted(layer["来件编号"]) == sorted(r[0] for r in LEADS)


def test_sheet_and_report_show_leads(judged, tmp_path: Path):
    _, out = judged()
    summary = json.loads((out / "run.json").read_text(encoding="utf-8"))
    title = RunTitle("999901", "示例县", 2025, 2, "run", {})
    tables = ClueTables.read(out, title)
    numbers = {f"C{i:03d}": p for i, p in enumerate(tables.patches["patch_id"])}
    by_patch = {p: n for n, p in numbers.items()}
    tables.patches["clue_no"] = [by_patch[p] for p in tables.patches["patch_id"]]
    sheets = {s.patch_id: s for s in evidence_sheets(tables)}
    assert sheets["P3"].facts[-1][:2] == ("线索来源", "Sources")
    assert "12336举报" in sheets["P3"].facts[-1][2]
    assert sum("12336-0007" in zh for _, zh, _ in sheets["P3"].reasons) == 1
    assert any("无日期" in zh or "12336-0008" in zh for zh, _ in sheets["P6"].questions)
    bounds = tuple(tables.patches.total_bounds)
    overview = hand_pictures(bounds)[1]
    model = build_report(tables, QualityFacts(), hand_pictures, overview)
    write_report(report_document(model, "zh"), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "共 9 个图斑" in text
    assert "其他来源线索" in text
    assert "河边挖沙" in text
    assert summary["tallies"]["leads"] == 4
    _report_says_what_run_json_says(out, tmp_path / "reports", summary["indicators"])


def _report_says_what_run_json_says(run: Path, out: Path, indicators: dict) -> None:
    command = ["report", str(run), "-o", str(out), "--format", "html,pdf", "--language", "en"]
    told = CliRunner().invoke(build_app(), [*command, "--previous", str(run)])
    assert told.exit_code == 0, told.output
    names = [Path(line).suffix for line in told.stdout.splitlines()]
    assert names == [".html", ".pdf"]
    page = lxml.html.parse(told.stdout.splitlines()[0])
    tables = {t.findtext("caption"): t for t in page.iter("table")}
    rules = tables["Parcels by rule"]
    rows = [[c.text_content() for c in r] for r in rules.iterfind("tbody/tr")]
    for outcome, name in (("suspected", "suspected unlawful"), ("legal", "lawful")):
        own = [r for r in rows if r[0] == "land" and r[3] == name]
        entry = indicators["lines"]["land"][outcome]
        assert sum(int(r[4]) for r in own) == entry["count"]
        assert sum(float(r[5]) for r in own) == pytest.approx(entry["mu"], abs=0.0101)
    compared = next(t for c, t in tables.items() if " and 20" in c)
    assert {r[3].text_content() for r in compared.iterfind("tbody/tr")} <= {"+0", "+0.00"}


def test_judging_twice_keeps_each_lead_and_number_once(judged):
    first = json.loads((judged()[1] / "clues.geojson").read_text(encoding="utf-8"))
    out = judged()[1]
    again = json.loads((out / "clues.geojson").read_text(encoding="utf-8"))
    assert [f["id"] for f in first["features"]] == [f["id"] for f in again["features"]]
    with sqlite3.connect(out / "clues.sqlite") as store:
        (count,) = store.execute("select count(*) from leads").fetchone()
        linked = store.execute(
            "select l.number, c.object_id from leads l join clues c on c.id = l.clue_id"
        ).fetchall()
    assert count == 4
    assert dict(linked)["12336-0007"] == dict(linked)["XF-3"] == "P3"


def test_explain_and_diff_know_leads(judged, oracle_dir):
    _, out = judged()
    runner = CliRunner()
    told = runner.invoke(build_app(), ["explain", "P6", "--run", str(out)])
    assert told.exit_code == 0, told.output
    assert "线别：其他来源线索" in told.stdout
    layers = out.parent / "LAYERS.yaml"
    same = runner.invoke(build_app(), ["judge", str(out), str(layers), "--diff", "cn-land"])
    assert same.exit_code == 0, same.output
    assert "0 parcels change" in same.output
