"""The quality check of layers: seeded defects are found, all of them and nothing else."""

import datetime as dt
import json

import geopandas
import numpy as np
import openpyxl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from clues.checks import check_layers
from clues.topology import gaps
from clues.webmaps import suspect_shift, to_gcj02, undo_gcj02
from configs.layers import LayersFile, LayerSpec
from flows.cli.app import build_app
from tests.clues.test_oracle import write_county

CRS = "EPSG:4526"
X, Y = 38_500_000.0, 4_060_000.0
TODAY = dt.date(2026, 1, 1)
COMPLETE = {"complete": True}


def box(x, y, width=100.0, height=100.0):
    return shapely.box(X + x, Y + y, X + x + width, Y + y + height)


def write(path, rows, names, crs=CRS):
    columns = dict(zip(names, zip(*(r[1:] for r in rows), strict=True), strict=True))
    frame = geopandas.GeoDataFrame(columns, geometry=[r[0] for r in rows], crs=CRS)
    frame.to_crs(crs).to_file(path)
    return path


def check(*specs, **settings):
    layers = [LayerSpec(**(COMPLETE | settings | s)) for s in specs]
    return check_layers(LayersFile(layers=layers), today=TODAY)


def found(result):
    table = result.findings
    return sorted(zip(table["code"], table["key"].fillna(""), strict=True))


def landuse_rows():
    """Return a clean land-use mosaic of 5 x 4 squares."""
    rows = []
    for i in range(5):
        for j in range(4):
            shape = box(100 * i, 100 * j)
            rows.append([shape, f"{i}{j}", "0103", None, 0.1, 10_000.0, 1000.0, 9000.0])
    return rows


LANDUSE = ("BSM", "DLBM", "CZCSXM", "KCXS", "TBMJ", "KCMJ", "TBDLMJ")


@pytest.mark.parametrize("crs", [CRS, "EPSG:4490", "EPSG:4547"])
def test_a_clean_mosaic_has_no_findings(tmp_path, crs):
    source = write(tmp_path / "DLTB.gpkg", landuse_rows(), LANDUSE, crs)
    assert found(check({"role": "landuse", "source": source})) == []


def test_the_worked_county_has_no_findings(oracle_dir, tmp_path):
    for crs in (CRS, "EPSG:4490"):
        file = LayersFile.load(write_county(oracle_dir, tmp_path, crs=crs))
        result = check_layers(file, today=TODAY)
        assert found(result) == []
        assert not result.refused


def test_land_use_defects_are_found_all_and_only(tmp_path):
    rows = landuse_rows()
    rows[5][0] = box(100, 100, 99.98)  # gap of 2 m2 towards 21
    rows[4][0] = box(100, 0, 100, 100.004)  # overlap of 0.4 m2 and 4 mm: the precision
    rows[8][0] = box(200, 0, 100, 100.2)  # overlap of 20 m2 with 21
    rows[5][2] = "0602C"
    rows[6][1] = "10"  # the id of another row
    rows[7][5] = 12_000.0  # stated area, and the sum with it
    rows[9][3] = "301"
    rows[10][2], rows[10][4] = "0702", 0.0  # no town code
    rows[11][4] = 1.5
    rows[12][7] = 8000.0  # sum only
    rows[13][0] = shapely.Polygon(  # bow tie over its own square
        [(X + 300, Y + 100), (X + 400, Y + 200), (X + 400, Y + 100), (X + 300, Y + 200)]
    )
    rows[13][5:] = [5000.0, 500.0, 4500.0]
    rows.append([box(500, 0, 0.7, 1.0), "thin", "0103", None, 0.0, 0.7, 0.0, 0.7])
    rows.append([box(700, 700), "again", "0103", None, 0.1, 10_000.0, 1000.0, 9000.0])
    rows.append(list(rows[-1]))
    rows.append([None, "nowhere", "0103", None, 0.1, 10_000.0, 1000.0, 9000.0])
    rows.append([box(900, 900), "blank", None, None, 0.0, 10_000.0, 0.0, 10_000.0])
    source = write(tmp_path / "DLTB.gpkg", rows, LANDUSE)
    result = check({"role": "landuse", "source": source})
    assert found(result) == sorted(
        [
            ("gap", "landuse:11"),
            ("overlap", "landuse:20"),
            ("unknown_class", "landuse:11"),
            ("double_id", "landuse:10#2"),
            ("area_differs", "landuse:13"),
            ("sum_differs", "landuse:13"),
            ("bad_town", "landuse:21"),
            ("town_missing", "landuse:22"),
            ("bad_kcxs", "landuse:23"),
            ("sum_differs", "landuse:30"),
            ("repaired_outline", "landuse:31"),
            ("gap", "landuse:31"),
            ("gap", "landuse:31"),
            ("sliver", "landuse:thin"),
            ("duplicate_feature", "landuse:again#2"),
            ("no_geometry", "landuse:nowhere"),
            ("value_missing", "landuse:blank"),
        ]
    )
    gap = result.findings[result.findings["code"] == "gap"].iloc[0]
    assert gap["problem_zh"].startswith("相邻处有 2.00 m² 的缝隙，位于 114.0")
    assert gap["row"] == 6
    assert "114.00" in gap["problem"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(1, 4)] * 2), min_size=1))
def test_gaps_are_the_holes_of_the_union(rows):
    shapes = np.array([box(10 * x, 10 * y, 10 * w, 10 * h) for x, y, w, h in rows])
    holes, beside, area = gaps(shapes, CRS)
    union = shapely.get_parts(shapely.union_all(shapes))
    rings = [r for part in union for r in part.interiors]
    assert shapely.area(holes).sum() == pytest.approx(sum(shapely.Polygon(r).area for r in rings))
    assert area.sum() == pytest.approx(shapely.area(holes).sum(), abs=0.01)
    for hole, i in zip(holes, beside, strict=True):
        assert shapely.length(shapely.intersection(hole, shapes[i])) > 0


def approval_rows():
    return [
        [box(0, 0), "A1", "20241120", "20240101", 1.0],
        [box(200, 0), "A2", "20241120", None, 1.0],
        [box(400, 0), "A3", "20241120", None, 1.0],
    ]


APPROVAL = ("DKBH", "PZRQ", "SQRQ", "PZMJ")


def test_document_defects_are_found_all_and_only(tmp_path):
    rows = approval_rows()
    rows.append([box(290, 0), "A4", "20250101", None, 1.0])  # 1,000 m2 of A2
    rows.append([box(400, 0), "A5", "20250101", None, 1.0])  # the whole of A3
    rows.append([box(600, 0), "A6", None, None, 1.0])
    rows.append([box(800, 0), "A7", "20251340", None, 1.0])
    rows.append([box(1000, 0), "A8", "20250101", "20250102", 1.0])
    rows.append([box(1200, 0), "A9", "20260102", None, 1.0])
    rows.append([box(1400, 0), "A10", "19491001", None, 1.0])
    rows.append([box(1600, 0), "A11", "20250101", None, 15.0])  # mu, not hectares
    rows.append([None, "A12", "20250101", None, 1.0])
    rows.append([box(1800, 0), None, "20250101", None, 1.0])
    source = write(tmp_path / "JSYDSP.gpkg", rows, APPROVAL)
    supplies = [
        [box(0, 0), "G1", "20250101"],
        [box(240, 0, 20), "G2", "20250101"],
        [box(450, 0), "G3", "20250101"],  # half of it off A3
        [box(250, 0, 20), "G4", "20250101"],  # 1,000 m2 of G2
        [box(2000, 0), "G5", "20250101"],
    ]
    supply = write(tmp_path / "TDGY.gpkg", supplies, ("DKBH", "PZRQ"))
    result = check(
        {"role": "approval", "source": source, "no_overlap": True},
        {"role": "supply", "source": supply},
    )
    assert found(result) == sorted(
        [
            ("repeated_approval", "approval:A2"),
            ("repeated_approval", "approval:A3"),
            ("value_missing", "approval:A6"),
            ("unreadable_value", "approval:A7"),
            ("dates_reversed", "approval:A8"),
            ("date_in_future", "approval:A9"),
            ("date_too_old", "approval:A10"),
            ("area_differs", "approval:A11"),
            ("no_geometry", "approval:A12"),
            ("value_missing", "approval:row13"),
            ("supply_outside", "supply:G3"),
            ("supply_outside", "supply:G5"),
            ("repeated_supply", "supply:G2"),
        ]
    )
    half = result.findings[result.findings["key"] == "supply:G3"].iloc[0]
    assert half["problem_zh"] == "5000.00 m²（50.00 %）不在任何批文范围内"
    assert result.not_checked == (("图斑缝隙：无土地利用现状图层", "gaps: no land-use layer"),)


def test_a_whole_layer_in_another_unit_is_one_finding(tmp_path):
    rows = [[box(200 * i, 0), f"A{i}", "20241120", None, 15.0] for i in range(6)]
    rows[5][4] = 1.0
    result = check({"role": "approval", "source": write(tmp_path / "a.gpkg", rows, APPROVAL)})
    assert found(result) == [("unit_suspected", "")]
    row = result.findings.iloc[0]
    assert "5 行的填写面积是椭球面积的 15 倍：按公顷读取，疑为亩" in row["problem_zh"]
    assert row["remedy"].endswith("`units: {area_m2: mu}` in the layers file")
    mended = {"role": "approval", "source": tmp_path / "a.gpkg", "units": {"area_m2": "mu"}}
    assert found(check(mended)) == [("area_differs", "approval:A5")]


def test_the_accuracy_of_a_local_system_is_told(tmp_path):
    frame = geopandas.GeoDataFrame({"HXBM": ["1"]}, geometry=[shapely.box(0, 0, 100, 100)])
    frame.to_parquet(tmp_path / "a.parquet")
    projection = "+proj=tmerc +lat_0=36.67 +lon_0=114 +ellps=GRS80"
    crs = {"projection": projection, "accuracy_m": 0.5}
    crs["control_points"] = [{"x": 0, "y": 0, "lon": 114.0, "lat": 36.67}]
    result = check({"role": "redline", "source": tmp_path / "a.parquet", "crs": crs})
    assert result.layers[0].crs == "EPSG:4547"
    assert result.layers[0].accuracy.startswith("0.000 m RMS")
    assert result.layers[0].on_map == 1


def test_terms_divisions_and_fields_of_web_maps(tmp_path):
    terms = [
        [box(0, 0), "L1", "20250601", "20250101"],
        [box(200, 0), "L2", "20250101", "长期"],
        [box(400, 0), "L3", "20250101", None],
    ]
    temporary = write(tmp_path / "LSYD.gpkg", terms, ("DKBH", "QSRQ", "JZRQ"))
    areas = [[box(0, 0), "1304", "a", 3], [box(100, 0), "130427", "b", 4]]
    division = write(tmp_path / "d.geojson", areas, ("adcode", "centroid", "childrenNum"))
    result = check(
        {"role": "temporary", "source": temporary}, {"role": "division", "source": division}
    )
    assert found(result) == [
        ("bad_division", "division:1304"),
        ("dates_reversed", "temporary:L1"),
        ("gcj02", ""),
        ("value_missing", "temporary:L3"),
    ]


def county_outline(noise_m=0.0, shifted=False):
    ring = shapely.segmentize(box(0, 0, 500, 400).exterior, 10.0)
    frame = geopandas.GeoSeries([ring], crs=CRS).to_crs("EPSG:4490")
    lonlat = shapely.get_coordinates(frame.to_numpy())
    lonlat = to_gcj02(lonlat) if shifted else lonlat
    rng = np.random.default_rng(3)
    lonlat += rng.normal(0, noise_m / 1e5, lonlat.shape)
    lonlat[-1] = lonlat[0]
    return shapely.Polygon(lonlat)


@pytest.mark.parametrize(
    ("noise", "shifted", "suspected"),
    [(0, True, True), (5, True, True), (0, False, False), (30, False, False)],
)
def test_a_web_boundary_is_suspected_with_evidence(tmp_path, noise, shifted, suspected):
    landuse = write(tmp_path / "DLTB.gpkg", landuse_rows(), LANDUSE)
    outline = county_outline(noise, shifted)
    frame = geopandas.GeoDataFrame({"XZQDM": ["999901"]}, geometry=[outline], crs="EPSG:4490")
    frame.to_file(tmp_path / "XZQ.gpkg")
    result = check(
        {"role": "landuse", "source": landuse},
        {"role": "division", "source": tmp_path / "XZQ.gpkg"},
    )
    codes = [c for c, _ in found(result) if c == "gcj02"]
    assert codes == ["gcj02"] * suspected
    if suspected:
        row = result.findings[result.findings["code"] == "gcj02"].iloc[0]
        assert "GCJ-02" in row["problem"]
        assert (row["row"], row["role"]) == (0, "division")


def test_the_shift_of_web_maps():
    point = np.array([[116.404, 39.915]])
    shifted = to_gcj02(point)
    assert shifted[0] == pytest.approx([116.410244, 39.916404], abs=2e-6)
    assert undo_gcj02(shifted)[0] == pytest.approx(point[0], abs=1e-9)
    assert suspect_shift(point, np.array([shapely.LineString([(116, 39), (117, 40)])])) is None


def test_check_on_the_command_line(oracle_dir, tmp_path):
    app, layers = build_app(), write_county(oracle_dir, tmp_path)
    run = CliRunner().invoke(app, ["layers", "check", str(layers), "-o", str(tmp_path / "a")])
    assert run.exit_code == 0, run.output
    assert "landuse\t5 on the map\t0 defects" in run.stdout
    changes = {("JSYDSP", 0, "PZRQ"): "soon", ("JSYDSP", 1, "DKBH"): "=1+1"}
    layers = write_county(oracle_dir, tmp_path, changes=changes)
    out = tmp_path / "b"
    run = CliRunner().invoke(app, ["layers", "check", str(layers), "-o", str(out)])
    assert run.exit_code == 3
    book = openpyxl.load_workbook(out / "layer_check.xlsx")
    assert book.sheetnames == ["问题清单", "图层", "未检查", "defects", "layers", "not checked"]
    rows = list(book["问题清单"].iter_rows(values_only=True))
    assert rows[0][:3] == ("图层", "数据源", "行号")
    assert rows[1][:5] == ("用地批文", "JSYDSP.gpkg", 1, "approval:A1", "属性值无法识别")
    data = json.loads((out / "layer_check.json").read_text(encoding="utf-8"))
    assert data["counts"] == {"unreadable_value": 1}
    (tmp_path / "JSYDSP.gpkg").write_bytes(b"broken")
    run = CliRunner().invoke(app, ["layers", "check", str(layers), "-o", str(out)])
    assert run.exit_code == 1
    assert "approval\trefused" in run.stdout
    assert "landuse\t5 on the map" in run.stdout
