"""The worked county: every parcel, rule, area, flag, total and the ratio; in three CRSs."""

import datetime as dt
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from clues.delivered import load_patches
from clues.judgement import judge_patches
from clues.layers import build_onemap
from configs.layers import LayersFile
from flows.cli import explain as explain_command
from flows.cli import judge as judge_command
from tests.clues.casebook import shipped

ROLES = {
    "DLTB": "landuse",
    "YJJBNTTB": "basic_farmland",
    "STBHHX": "redline",
    "CZKFBJ": "growth_boundary",
    "JSYDSP": "approval",
    "TDGY": "supply",
    "LSYD": "temporary",
    "SSNYD": "facility",
    "CKQ": "mining_right",
}
USES = {
    "factory": "industry",
    "house": "dwelling",
    "work camp": "work_camp",
    "livestock shed": "livestock_shed",
    "new roof": "dwelling",
    "pit": "mining",
    "road": "road",
}
OUTCOMES = {"illegal": "suspected"}


def write_county(oracle: Path, out: Path, *, crs: str = "EPSG:4526", changes=None) -> Path:
    """Write the county's layers in a CRS, with changed cells {(layer, row, field): value}."""
    changed = {layer for layer, _, _ in changes or {}}
    source = {name: oracle / f"{name}.geojson" for name in (*ROLES, "BHTB")}
    for name in changed if crs == "EPSG:4526" else source:
        table = gpd.read_file(source[name]).to_crs(crs)
        for (layer, row, field), value in (changes or {}).items():
            if layer == name:
                table[field] = table[field].astype(object)
                table.loc[row, field] = value
        source[name] = out / f"{name}.gpkg"
        table.to_file(source[name], driver="GPKG", layer=name)
    lines = [
        "version: 1",
        'county: {code: "999901", name: 示例县}',
        "patches:",
        f"  source: {source['BHTB']}",
        "  fields: {id: JCBH, county_code: XZQDM, before_date: QSX, after_date: HSX, use: T2,"
        " type: TBLX}",
        f"  uses: {json.dumps(USES)}",
        "layers:",
        *(f"  - {{role: {r}, source: {source[n]}, complete: true}}" for n, r in ROLES.items()),
    ]
    path = out / "LAYERS.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def judged(
    path: Path, *, crs: str = "EPSG:4526", rules: str = "cn-land", shuffle: bool = False, **options
):
    file = LayersFile.load(path)
    if shuffle:
        file = file.model_copy(update={"layers": file.layers[::-1]})
    patches, _ = load_patches(file.patches, path.parent, crs)
    return judge_patches(patches, build_onemap(file, crs=crs), shipped(rules), **options)


@pytest.fixture(scope="module")
def expected(oracle_dir):
    return json.loads((oracle_dir / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def county(oracle_dir, tmp_path_factory):
    path = write_county(oracle_dir, tmp_path_factory.mktemp("county"))
    return judged(path)


def parcel_table(judgement) -> dict[str, pd.Series]:
    """Return the findings by the names of the worked example (mining parcels as P7_m1 …)."""
    found = {}
    for row in judgement.findings.itertuples(index=False):
        name = row.parcel_id.replace("_", "_m") if row.line == "mining" else row.parcel_id
        found[name] = row
    return found


def check(judgement, expected, *, tolerance_dm2: int) -> None:
    found = parcel_table(judgement)
    assert set(found) == {p["id"] for p in expected["parcels"]}
    for parcel in expected["parcels"]:
        row = found[parcel["id"]]
        assert row.line == parcel.get("line", "land")
        assert row.outcome == OUTCOMES.get(parcel["result"], parcel["result"])
        assert row.rules.split(",") == parcel.get("rules", ["ML1"])
        assert [f for f in row.flags.split(",") if f] == parcel.get("flags", [])
        for key, column in (
            ("m2", "area_dm2"),
            ("cropland_m2", "cropland_dm2"),
            ("cropland_outflow_m2", "cropland_dm2"),
            ("pbf_m2", "pbf_dm2"),
        ):
            if key in parcel:
                assert abs(getattr(row, column) - 100 * parcel[key]) <= tolerance_dm2
    totals = judgement.indicators["totals_m2"]
    for name, value in expected["totals_m2"].items():
        own = name.replace("illegal", "suspected")
        assert totals[own] == pytest.approx(value, abs=0.01 * tolerance_dm2 + 1e-9)
    assert judgement.indicators["ratio_percent"] == expected["ratio_pct"]
    assert judgement.indicators["ratio_alert"]


def test_every_parcel_to_a_hundredth_of_a_square_metre(county, expected):
    check(county, expected, tolerance_dm2=1)


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4547"])
def test_the_same_in_other_reference_systems(oracle_dir, expected, tmp_path, crs):
    judgement = judged(write_county(oracle_dir, tmp_path, crs=crs), crs=crs)
    check(judgement, expected, tolerance_dm2=1)


def test_patches_are_clues_or_dismissed(county):
    patches = county.patches.set_index("patch_id")
    clues = sorted(patches.index[patches["disposition"] == "clue"])
    assert clues == ["P2", "P3", "P4", "P7"]
    counts = county.indicators["patches"]
    assert counts["clues"] + counts["dismissed"] == counts["all"] == 9
    assert patches.loc["P4", "rule"] == "V9"
    assert patches["priority"].idxmax() == "P3"
    assert (patches["priority"] > 0).equals(patches["disposition"] == "clue")


def test_parcels_sum_up_to_the_patch_on_each_line(county):
    sums = county.findings.groupby(["patch_id", "line"])["area_dm2"].sum()
    areas = county.patches.set_index("patch_id")["area_dm2"]
    for (patch, _), total in sums.items():
        assert total == areas[patch]


def test_coverage_names_each_document(county):
    table = county.coverage.set_index(["parcel_id", "line", "key"])
    row = table.loc[("P2_1", "land", "approval:A2")]
    assert (row["number"], row["date"], row["area_dm2"], row["share"]) == (
        "A2",
        dt.date(2025, 1, 10),
        360000,
        1.0,
    )
    assert table.loc[("P7", "land", "mining_right:K1"), "share"] == pytest.approx(0.4)


def test_the_reason_of_the_approved_part(county):
    row = parcel_table(county)["P2_1"]
    assert row.reason_zh.startswith(
        "地块 P2_1 面积 3600.00 m²（5.40 亩），批文 A2（2025-01-10）覆盖 100.00 %，"
        "早于前时相 2025-03-05。"
    )


def test_order_and_batches_do_not_matter(oracle_dir, tmp_path, county):
    path = write_county(oracle_dir, tmp_path)
    other = judged(path, shuffle=True, batch=2)
    pd.testing.assert_frame_equal(
        pd.DataFrame(other.findings.drop(columns=["geometry", "trace"])),
        pd.DataFrame(county.findings.drop(columns=["geometry", "trace"])),
    )
    pd.testing.assert_frame_equal(other.coverage, county.coverage)
    assert (other.findings.geometry.to_wkb() == county.findings.geometry.to_wkb()).all()


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        (
            {
                ("JSYDSP", 1, "PZRQ"): "20250401",
                ("LSYD", 0, "JZRQ"): "20250612",
                ("SSNYD", 0, "MJ"): 1193.0,
                ("CKQ", 0, "YXQZ"): "20250611",
                ("DLTB", 3, "DLBM"): "0102",
                ("BHTB", 7, "T2"): "factory",
                ("BHTB", 2, "T2"): "unchanged",
            },
            {
                "P2_1": "unresolved U",
                "P2_2": "suspected V4",
                "P4_1": "other O2",
                "P5": "suspected V10",
                "P7_m1": "suspected M3",
                "P6": "suspected V1",
                "P8": "suspected V1",
                "P3": "non_new N2",
            },
        ),
        (
            {
                ("JSYDSP", 1, "PZRQ"): "20250305",
                ("TDGY", 1, "PZRQ"): "20250701",
                ("LSYD", 0, "JZRQ"): "20240612",
                ("SSNYD", 0, "BARQ"): "20250613",
                ("DLTB", 3, "DLBM"): "9999",
            },
            {
                "P2_1": "legal L1",
                "P4_1": "unresolved V8",
                "P5": "suspected V10",
                "P6": "unresolved U",
            },
        ),
        (
            {
                ("JSYDSP", 1, "PZRQ"): "20250613",
                ("LSYD", 0, "JZRQ"): "20240611",
                ("BHTB", 4, "T2"): "house",
            },
            {
                "P2_1": "suspected V1",
                "P2_2": "suspected V1",
                "P4_1": "suspected V8",
                "P5": "suspected V10",
            },
        ),
        ({("JSYDSP", 1, "YTDM"): "commerce"}, {"P2_1": "suspected V6"}),
    ],
)
def test_other_dates_documents_and_classes_decide_otherwise(oracle_dir, tmp_path, changes, answers):
    found = parcel_table(judged(write_county(oracle_dir, tmp_path, changes=changes)))
    assert {n: f"{found[n].outcome} {found[n].rule}" for n in answers} == answers


def test_an_incomplete_layer_leaves_the_question(oracle_dir, tmp_path):
    path = write_county(oracle_dir, tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("JSYDSP.geojson, complete: true", "JSYDSP.geojson, complete: false"),
        encoding="utf-8",
    )
    found = parcel_table(judged(path))
    assert found["P1"].outcome == "legal"
    assert (found["P3"].outcome, found["P3"].also_possible) == ("unresolved", "L1,L3")
    assert "图层未声明完整：用地批文" in found["P3"].questions_zh


def test_a_layer_complete_until_a_day_before_the_image_leaves_the_question(oracle_dir, tmp_path):
    path = write_county(oracle_dir, tmp_path)
    text = path.read_text(encoding="utf-8")
    for until, outcome in (("2025-06-11", "unresolved"), ("2025-06-12", "suspected")):
        changed = text.replace(
            "JSYDSP.geojson, complete: true",
            f"JSYDSP.geojson, complete: {{until: {until}}}",
        )
        path.write_text(changed, encoding="utf-8")
        assert parcel_table(judged(path))["P3"].outcome == outcome


def commands() -> typer.Typer:
    app = typer.Typer()
    judge_command.register(app)
    explain_command.register(app)
    return app


def test_judge_and_explain_on_the_command_line(oracle_dir, tmp_path):
    layers, out = write_county(oracle_dir, tmp_path), tmp_path / "run"
    run = CliRunner().invoke(
        commands(), ["judge", str(oracle_dir / "BHTB.geojson"), str(layers), "-o", str(out)]
    )
    assert run.exit_code == 0, run.output
    assert "ratio_percent\t26.47" in run.stdout
    names = {p.name for p in out.iterdir()}
    assert {
        "patches.parquet",
        "findings.parquet",
        "coverage.parquet",
        "indicators.json",
        "run.json",
        "rules.json",
        "clues.geojson",
        "clues.gpkg",
        "clues.xlsx",
    } <= names
    clues = json.loads((out / "clues.geojson").read_text(encoding="utf-8"))["features"]
    numbers = {f["properties"]["patch_id"]: f["id"] for f in clues}
    assert numbers["P3"].startswith("99990125Q2")
    told = CliRunner().invoke(commands(), ["explain", numbers["P3"], "--run", str(out)])
    assert told.exit_code == 0
    assert "V1 未报即用（未批先建）：成立" in told.stdout
    told = CliRunner().invoke(commands(), ["explain", "P2_2", "--run", str(out), "--lang", "en"])
    assert "V4 more land used than approved: holds" in told.stdout
    lost = CliRunner().invoke(commands(), ["explain", "P99", "--run", str(out)])
    assert "there is no clue, patch or parcel 'P99'" in str(lost.exception)


STRICT = """\
version: 1
name: strict
title: {zh: 严格, en: strict}
extends: cn-land
settings: {min_area_built: 100, tau: 0.99}
"""


def test_one_changed_threshold_is_told_without_imagery_or_writing(oracle_dir, tmp_path):
    layers, out = write_county(oracle_dir, tmp_path), tmp_path / "run"
    source, strict = str(oracle_dir / "BHTB.geojson"), tmp_path / "strict.yaml"
    strict.write_text(STRICT, encoding="utf-8")
    diff = ["judge", source, str(layers), "--diff", str(strict)]
    told = CliRunner().invoke(commands(), diff)
    assert told.exit_code == 0, told.output
    assert "land\tP9\tbelow_threshold F1\tlegal L1" not in told.stdout
    assert "land\tP9\tbelow_threshold F1\tsuspected V1" in told.stdout
    assert "land\tbelow_threshold F1\tsuspected V1\t1\t0.23 mu" in told.stdout
    assert "ratio_percent\t26.47\t27.27" in told.stdout
    CliRunner().invoke(commands(), ["judge", source, str(layers), "-o", str(out)])
    before = sorted((p.name, p.stat().st_mtime_ns) for p in out.iterdir())
    again = CliRunner().invoke(commands(), ["judge", str(out), str(layers), "--diff", str(strict)])
    assert again.stdout == told.stdout
    assert before == sorted((p.name, p.stat().st_mtime_ns) for p in out.iterdir())
    same = CliRunner().invoke(commands(), ["judge", str(out), str(layers), "--diff", "cn-land"])
    assert len(same.stdout.splitlines()) == 2
    nothing = CliRunner().invoke(commands(), ["judge", source, str(layers)])
    assert nothing.exit_code == 2


def test_layer_rows_with_problems_end_in_exit_code_3(oracle_dir, tmp_path):
    layers = write_county(oracle_dir, tmp_path, changes={("JSYDSP", 0, "PZRQ"): "2024-13-45"})
    run = CliRunner().invoke(
        commands(),
        ["judge", str(oracle_dir / "BHTB.geojson"), str(layers), "-o", str(tmp_path / "run")],
    )
    assert run.exit_code == 3, run.output
    findings = pd.read_parquet(tmp_path / "run" / "findings.parquet").set_index("parcel_id")
    assert findings.loc["P1", "outcome"] == "unresolved"
    assert np.isin("P2_1", findings.index)
