"""`tuban vet` from files to files: the worked county in three reference systems, bad input."""

import datetime as dt
import json
import re

import geopandas
import openpyxl
import pandas as pd
import pytest
import shapely
from typer.testing import CliRunner

from clues.proposals import read_proposals
from clues.vetting import layers_on, vet_parcels
from configs.errors import ConfigError, ExitCode, LayerError
from configs.layers import LayersFile, ParcelSource
from flows.cli.app import build_app
from flows.vetting import vet
from tests.clues.test_oracle import write_county
from tests.clues.test_sources import record, ring

ON = dt.date(2025, 6, 12)
CJK = re.compile(r"[\u3400-\u9fff]")


def box(x0, y0, x1, y1):
    return shapely.box(38_500_000 + x0, 4_060_000 + y0, 38_500_000 + x1, 4_060_000 + y1)


ROWS = [
    ("Q1", "新厂", "工业", 0.64, "20250501", box(60, 60, 140, 140)),
    ("Q2", "=1+1", "工业", 0.72, "2025-05-01", box(240, 50, 360, 110)),
    ("Q10", "居民点", "住宅", 0.5, None, box(150, 400, 250, 450)),
    ("Q3", "路", "公路", 0.06, "2025/5/1", box(590, 100, 650, 110)),
    ("Q4", "矿山", "火星基地", None, None, box(1080, 350, 1130, 390)),
]


def write_parcels(path, rows=ROWS, *, crs="EPSG:4526", **options):
    columns = ["DKBH", "XMMC", "YTDM", "SQMJ", "SQRQ"]
    table = geopandas.GeoDataFrame(
        [dict(zip(columns, r, strict=False)) for r in rows],
        geometry=[r[-1] for r in rows],
        crs="EPSG:4526",
    )
    table.to_crs(crs).to_file(path, **options)
    return path


@pytest.fixture(scope="module")
def county(oracle_dir, tmp_path_factory):
    return write_county(oracle_dir, tmp_path_factory.mktemp("county"))


@pytest.fixture(scope="module")
def run(county):
    parcels = write_parcels(county.parent / "parcels.gpkg")
    return vet(parcels, county, county.parent / "out", on=ON)


def test_the_worked_county(run):
    parcels = run.vetting.parcels.set_index("parcel_id")
    assert list(parcels.index) == ["Q1", "Q2", "Q3", "Q4", "Q10"]
    assert parcels["outcome"].to_dict() == dict.fromkeys(["Q1", "Q2", "Q10"], "fail") | {
        "Q3": "ask",
        "Q4": "ask",
    }
    found = run.vetting.checks.set_index(["parcel_id", "check"])
    areas = {
        ("Q1", "approved"): ("fail", 640_000),
        ("Q1", "supplied"): ("fail", 640_000),
        ("Q2", "approved"): ("fail", 120_000),
        ("Q10", "basic_farmland"): ("fail", 250_000),
        ("Q10", "cropland"): ("ask", 500_000),
        ("Q3", "redline"): ("ask", 50_000),
        ("Q3", "forest"): ("ask", 60_000),
        ("Q4", "minerals"): ("ask", 80_000),
        ("Q4", "redline"): ("pass", 0),
        ("Q4", "growth_boundary"): ("ask", 200_000),
    }
    for key, (outcome, area) in areas.items():
        assert (found.loc[key, "outcome"], found.loc[key, "low_dm2"]) == (outcome, area), key
    assert found.loc[("Q4", "growth_boundary"), "cause"] == "use"
    assert found.loc[("Q4", "area"), "cause"] == "stated"
    sums = run.vetting.classes.groupby("parcel_id")["gross_dm2"].sum()
    assert sums.to_dict() == parcels["area_dm2"].to_dict()


def test_every_sentence_is_of_one_language(run):
    names = {"新厂", "居民点", "火星基地"}
    for row in run.vetting.checks.to_dict("records"):
        for part in ("sentence", "question"):
            english = row[f"{part}_en"]
            for name in names:
                english = english.replace(name, "")
            assert not CJK.search(english), english
            chinese = re.sub(r"[A-Z]+\d+", "", row[f"{part}_zh"])
            assert not re.search(r"[A-Za-z]{2,}", chinese), chinese
        assert bool(row["question_zh"]) == (row["outcome"] == "ask")


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4547"])
def test_the_same_in_other_reference_systems(run, county, tmp_path, oracle_dir, crs):
    layers = LayersFile.load(write_county(oracle_dir, tmp_path, crs=crs))
    parcels, _ = read_proposals(write_parcels(tmp_path / "p.gpkg", crs=crs), ParcelSource())
    other = vet_parcels(parcels, layers_on(layers, ON, crs), run.vetting.rules, ON)
    keys = ["parcel_id", "check", "outcome", "cause", "features"]
    pd.testing.assert_frame_equal(other.checks[keys], run.vetting.checks[keys])
    for column in ("low_dm2", "high_dm2"):
        mine, theirs = run.vetting.checks[column], other.checks[column]
        assert (mine - theirs).abs().max() <= 1
    classes = ["parcel_id", "code", "name_zh"]
    pd.testing.assert_frame_equal(other.classes[classes], run.vetting.classes[classes])
    sums = other.classes.groupby("parcel_id")["gross_dm2"].sum()
    areas = other.parcels.set_index("parcel_id")["area_dm2"]
    assert (sums.sort_index() == areas.sort_index()).all()


def test_a_shapefile_in_gbk_reads_the_same(run, tmp_path):
    parcels, report = read_proposals(
        write_parcels(tmp_path / "p.shp", encoding="GBK"), ParcelSource()
    )
    first = run.vetting.parcels[parcels.columns]
    pd.testing.assert_frame_equal(pd.DataFrame(parcels), pd.DataFrame(first))
    assert list(report["code"]) == ["unknown_use"]


def test_the_workbook_says_it_in_both_languages(run, county):
    book = openpyxl.load_workbook(county.parent / "out" / "vet.xlsx")
    assert book.sheetnames[:5] == ["审查结论", "审查明细", "地类占用", "涉及要素", "说明"]
    assert book.sheetnames[5:] == ["answers", "checks", "land classes", "features", "notes"]
    rows = list(book["审查结论"].iter_rows(values_only=True))
    assert rows[1][:4] == ("Q1", "新厂", "", "工业仓储")
    assert rows[1][8:10] == ("不通过", "重复批地、重复供地")
    assert rows[2][1] == "=1+1"
    assert book["审查结论"].cell(3, 2).data_type == "s"
    assert rows[4][3] == "未知（火星基地）"
    assert rows[-1][6] == pytest.approx(sum(r[6] for r in rows[1:-1]))
    classes = list(book["地类占用"].iter_rows(values_only=True))
    for column in (4, 5, 8):
        assert classes[-1][column] == pytest.approx(sum(r[column] for r in classes[1:-1]))
    by_parcel = {r[0]: r[7] for r in rows[1:-1]}
    for parcel, mu in by_parcel.items():
        assert sum(r[5] for r in classes[1:-1] if r[0] == parcel) == pytest.approx(mu, abs=1e-9)
    for sheet in book.sheetnames[5:]:
        for row in book[sheet].iter_rows(values_only=True):
            text = " ".join(str(v) for v in row if v)
            assert not CJK.search(re.sub("新厂|居民点|路|矿山|火星基地", "", text)), text


def test_the_files_for_programs(run, county):
    out = county.parent / "out"
    data = json.loads((out / "vet.json").read_text(encoding="utf-8"))
    assert (data["on"], data["rule_set"]) == ("2025-06-12", "vet-land")
    check = next(c for c in data["parcels"][0]["checks"] if c["check"] == "approved")
    assert check["source"].startswith("approval@")
    assert check["on_features"][0]["dates"] == "2024-11-20"
    shapes = geopandas.read_file(out / "vet.geojson")
    assert shapes["outcome"].tolist() == ["fail", "fail", "ask", "ask", "fail"]
    assert shapes["area_m2"].tolist() == [6400.0, 7200.0, 600.0, 2000.0, 5000.0]
    assert shapes.total_bounds[0] == pytest.approx(114.0, abs=0.1)
    conflicts = geopandas.read_file(out / "vet.gpkg", layer="涉及范围")
    own = conflicts[(conflicts["地块编号"] == "Q2") & (conflicts["审查事项"] == "重复批地")]
    assert own["面积平方米"].tolist() == [1200.0]
    assert own.geometry.area.tolist() == pytest.approx([1200.0])
    page = (out / "vet.html").read_text(encoding="utf-8")
    assert page.count("<section") == 2 * len(data["parcels"])
    assert "=1+1" in page


def call(*args):
    return CliRunner().invoke(build_app(), ["vet", *map(str, args)])


def test_the_command_line(county, tmp_path):
    parcels = write_parcels(tmp_path / "p.gpkg", ROWS[:1])
    done = call(parcels, county, "-o", tmp_path / "out", "--on", "2024-12-01", "--lang", "zh")
    assert done.exit_code == 0, done.output
    assert "on\t2024-12-01" in done.stdout
    assert "Q1\tfail\tfail: approved\task: " in done.stdout
    book = openpyxl.load_workbook(tmp_path / "out" / "vet.xlsx")
    assert book.sheetnames == ["审查结论", "审查明细", "地类占用", "涉及要素", "说明"]
    overlapping = [ROWS[0], ("Q1", *ROWS[0][1:5], box(100, 60, 200, 140))]
    parcels = write_parcels(tmp_path / "two.gpkg", overlapping)
    done = call(parcels, county, "-o", tmp_path / "two", "--on", "2024-12-01")
    assert done.exit_code == ExitCode.EXCEPTIONS
    summary = json.loads((tmp_path / "two" / "run.json").read_text(encoding="utf-8"))
    assert [r["code"] for r in summary["rejects"]] == ["overlap"]
    assert "3200.00 m²" in summary["rejects"][0]["problem"]
    assert {r["key"] for r in summary["rejects"]} <= {"Q1", "Q1#2"}


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["--on", "12.6.2025"], ExitCode.MISUSE, "is no date"),
        (["--lang", "fr"], ExitCode.MISUSE, "fr"),
        (["--rules", "vet-lnd"], ExitCode.USER_ERROR, "did you mean 'vet-land'?"),
        (["--rules", "nothing.yaml"], ExitCode.USER_ERROR, "the file does not exist"),
    ],
)
def test_bad_options_say_what_is_wrong(county, tmp_path, args, code, text):
    parcels = write_parcels(tmp_path / "p.gpkg", ROWS[:1])
    done = call(parcels, county, "-o", tmp_path / "out", *args)
    assert done.exit_code == code
    assert text in done.output
    assert not (tmp_path / "out").exists()


def test_a_coordinate_text_reads_as_parcels(tmp_path):
    text = record("Q1", [ring(60, 60, 140, 140)])
    (tmp_path / "a.txt").write_text(text, encoding="gbk")
    parcels, report = read_proposals(tmp_path / "a.txt", ParcelSource())
    row = parcels.iloc[0]
    assert (row["parcel_id"], row["name"], row["use"]) == ("Q1", "厂房(一期)", "industry")
    assert (row["stated_m2"], row["area_dm2"]) == (3600.0, 640_000)
    assert not len(report)


def test_bad_parcels_say_what_is_wrong(county, tmp_path):
    with pytest.raises(LayerError, match="the file does not exist"):
        read_proposals(tmp_path / "none.gpkg", ParcelSource())
    path = write_parcels(tmp_path / "p.gpkg", ROWS[4:])
    with pytest.raises(LayerError, match=r"name it under `fields: \{name") as caught:
        read_proposals(path, ParcelSource(fields={"name": ("XMM",)}))
    assert "did you mean 'XMMC'" in caught.value.fix
    _, report = read_proposals(path, ParcelSource())
    assert report["code"].tolist() == ["unknown_use"]
    parcels, report = read_proposals(path, ParcelSource(uses={"火星基地": "mining"}))
    assert parcels["use"].tolist() == ["mining"]
    assert not len(report)
    line = shapely.LineString([(38_500_000, 4_060_000), (38_500_010, 4_060_000)])
    path = write_parcels(tmp_path / "line.gpkg", [(*ROWS[0][:5], line)])
    with pytest.raises(LayerError, match="no parcel with a usable outline"):
        read_proposals(path, ParcelSource())
    broken = county.parent / "broken.yaml"
    text = county.read_text(encoding="utf-8")
    broken.write_text(text + "parcels: {fields: {nam: XMMC}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="parcels have no such field; "):
        LayersFile.load(broken)
