"""`tuban watch` from files to files: run folders that tell what they saw, and delivered patches."""

import datetime as dt
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from typer.testing import CliRunner

from configs.errors import InputError
from flows.cli.app import build_app
from flows.watching import watch_approvals
from tests.clues.made import CRS, X, Y, patch, patches_of, rectangle
from tiles.observed import observed_shares

SPANS = ((dt.date(2023, 3, 1), dt.date(2024, 3, 1)), (dt.date(2024, 3, 1), dt.date(2025, 3, 1)))


def write_approvals(folder: Path) -> Path:
    shapes = {"A1": rectangle(0, 0, 100, 100), "A2": rectangle(200, 0, 300, 100), "A3": None}
    gpd.GeoDataFrame(
        {"PWH": list(shapes), "PZRQ": ["2023-06-01"] * 3}, geometry=list(shapes.values()), crs=CRS
    ).to_file(folder / "approvals.gpkg")
    path = folder / "LAYERS.yaml"
    path.write_text(
        "version: 1\nlayers:\n  - {role: approval, source: approvals.gpkg, complete: true}\n"
    )
    return path


def write_change(path: Path, clouds=()) -> None:
    """Write a change raster of 10 m pixels, 0 under clouds given as rectangles."""
    values = np.ones((20, 40), np.uint8)
    for x0, y0, x1, y1 in clouds:
        values[(150 - y1) // 10 : (150 - y0) // 10, (x0 + 50) // 10 : (x1 + 50) // 10] = 0
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="uint8",
        count=1,
        height=20,
        width=40,
        crs=CRS,
        transform=Affine(10, 0, X - 50, 0, -10, Y + 150),
    ) as raster:
        raster.write(values, 1)


def write_run(folder: Path, number: int, rows, clouds=None) -> Path:
    folder.mkdir()
    table = patches_of([patch(shape, use=use) for shape, use in rows])
    for name, day in zip(("before", "after"), SPANS[number], strict=True):
        table[f"{name}_from"] = table[f"{name}_to"] = day
    table.to_parquet(folder / "patches.parquet")
    if clouds is not None:
        write_change(folder / "change.tif", clouds)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    first = write_run(
        tmp_path / "2024", 0, [(rectangle(80, 0, 130, 50), "industry")], clouds=[(200, 0, 300, 100)]
    )
    second = write_run(tmp_path / "2025", 1, [(rectangle(0, 0, 90, 50), "dwelling")], clouds=[])
    return [first, second]


def test_from_run_folders_to_files(tmp_path: Path, runs):
    layers, out = write_approvals(tmp_path), tmp_path / "out"
    result = CliRunner().invoke(
        build_app(), ["watch", str(layers), *map(str, runs[::-1]), "-o", str(out)]
    )
    assert result.exit_code == 3, result.output
    assert "idle 12 months\t0 found\t1 unknown\t1 clear" in result.stdout
    made = sorted(p.name for p in out.iterdir())
    assert made == ["watch.geojson", "watch.gpkg", "watch.html", "watch.json", "watch.xlsx"]
    told = json.loads((out / "watch.json").read_text(encoding="utf-8"))
    first, second = told["documents"]
    assert [p["name"] for p in told["periods"]] == ["2024", "2025"]
    assert [p["built_m2"] for p in first["periods"]] == [1000.0, 4500.0]
    assert [p["cumulative_m2"] for p in first["periods"]] == [1000.0, 5000.0]
    assert (first["first_seen_after"], first["first_seen_by"]) == ("2023-03-01", "2024-03-01")
    assert first["outside_m2"] == 1500.0
    assert [p["observed_percent"] for p in second["periods"]] == [0.0, 100.0]
    idle = next(f for f in second["findings"] if f["kind"] == "idle")
    assert idle["answer"] == "unknown"
    assert "2024 0.00 %" in idle["sentence_zh"]
    assert told["not_on_map"] == [["approval", "A3", "2023-06-01"]]
    assert [p["observed_told"] for p in told["periods"]] == [True, True]


def test_workbook_page_and_map_say_the_same(tmp_path: Path, runs):
    out = tmp_path / "out"
    watch_approvals(write_approvals(tmp_path), runs, out)
    book = openpyxl.load_workbook(out / "watch.xlsx")
    assert book.sheetnames == [
        *("批后监管", "问题清单", "未落图文件", "说明"),
        *("documents", "findings", "not on the map", "notes"),
    ]
    rows = list(book["批后监管"].iter_rows(values_only=True))
    first = dict(zip(rows[0], rows[1], strict=True))
    assert (first["文号"], first["2024 新建占比%"], first["已建占比%"]) == ("A1", 10.0, 50.0)
    assert (first["超范围建设"], first["批后未动工（12个月）"]) == ("疑似", "未发现")
    assert [r[1] for r in book["未落图文件"].iter_rows(min_row=2, values_only=True)] == ["A3"]
    for name in book.sheetnames[:4]:
        texts = [c.value for row in book[name].iter_rows() for c in row if isinstance(c.value, str)]
        assert not [t for t in texts if "found" in t or "unknown" in t]
    page = (out / "watch.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") == 2
    assert "未观测 not observed" in page
    layer = pyogrio.read_dataframe(out / "watch.gpkg")
    assert layer["outside"].tolist() == ["found", "unknown"]
    places = json.loads((out / "watch.geojson").read_text(encoding="utf-8"))["features"]
    assert [f["id"] for f in places] == ["approval:A1", "approval:A2"]
    assert shapely.geometry.shape(places[0]["geometry"]).exterior.is_ccw


def test_without_a_raster_what_was_seen_is_not_told(tmp_path: Path):
    run = write_run(tmp_path / "2024", 0, [(rectangle(900, 0, 950, 50), "industry")])
    found = watch_approvals(write_approvals(tmp_path), [run], tmp_path / "out").found
    assert set(found.findings["answer"]) <= {"unknown", "clear"}
    notes = openpyxl.load_workbook(tmp_path / "out" / "watch.xlsx")["说明"]
    assert "未给出可观测范围" in "".join(str(c.value) for row in notes.iter_rows() for c in row)


def test_a_run_without_patches_takes_its_days_from_its_summary(tmp_path: Path):
    run = write_run(tmp_path / "2024", 0, [(rectangle(900, 0, 950, 50), "industry")], clouds=[])
    table = gpd.read_parquet(run / "patches.parquet")
    table.iloc[:0].to_parquet(run / "patches.parquet")
    epochs = {"before": ["2023-02-25", "2023-03-01"], "after": ["2024-07-01", "2024-07-03"]}
    (run / "run.json").write_text(json.dumps({"epochs": epochs}))
    found = watch_approvals(write_approvals(tmp_path), [run], tmp_path / "out").found
    (part,) = found.built.periods
    assert (part.first, part.last) == (dt.date(2023, 3, 1), dt.date(2024, 7, 1))
    idle = found.findings[(found.findings["kind"] == "idle") & (found.findings["months"] == 12)]
    assert idle["answer"].tolist() == ["found", "found"]


def test_a_single_layer_of_documents_and_a_patch_file(tmp_path: Path):
    write_approvals(tmp_path)
    patches = patches_of([patch(rectangle(0, 0, 50, 50))])
    table = patches[["patch_id", "use", "geometry"]].rename(
        columns={"patch_id": "JCBH", "use": "T2"}
    )
    table = table.assign(QSX="2023-03-01", HSX="2024-03-01", XZQDM="999901")
    table.to_file(tmp_path / "patches.gpkg")
    result = CliRunner().invoke(
        build_app(),
        [
            *("watch", str(tmp_path / "approvals.gpkg"), str(tmp_path / "patches.gpkg")),
            *("--role", "supply", "-o", str(tmp_path / "out")),
        ],
    )
    assert result.exit_code == 3, result.output
    told = json.loads((tmp_path / "out" / "watch.json").read_text(encoding="utf-8"))
    assert told["documents"][0]["key"] == "supply:row1"
    assert told["documents"][0]["built_m2"] == 2500.0


def test_what_cannot_be_watched_is_refused(tmp_path: Path, runs):
    layers = write_approvals(tmp_path)
    with pytest.raises(InputError, match="named twice"):
        watch_approvals(layers, [runs[0], runs[0]], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no judged run"):
        watch_approvals(layers, [tmp_path / "empty"], tmp_path / "out")
    layers.write_text("version: 1\nlayers: []\n")
    with pytest.raises(InputError, match="no document to watch"):
        watch_approvals(layers, runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_observed_shares_count_pixels_inside_and_nothing_outside(tmp_path: Path):
    path = tmp_path / "change.tif"
    write_change(path, [(0, 0, 50, 100)])
    shapes = [
        rectangle(0, 0, 100, 100),
        rectangle(300, 0, 400, 100),
        rectangle(900, 0, 950, 50),
        rectangle(101, 1, 103, 3),
        rectangle(21, 21, 23, 23),
    ]
    assert observed_shares(path, shapes, CRS).tolist() == [0.5, 0.5, 0.0, 1.0, 0.0]
    moved = gpd.GeoSeries(shapes[:1], crs=CRS).to_crs("EPSG:4490")
    assert observed_shares(path, moved.to_numpy(), "EPSG:4490")[0] == pytest.approx(0.5, abs=0.06)
