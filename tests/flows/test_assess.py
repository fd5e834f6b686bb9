"""`tuban assess` from the command line: truth as raster and as polygons, sample and areas."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from typer.testing import CliRunner

from flows.assessing import _candidates, _mapped
from flows.cli.app import build_app
from tiles.changemap import MapStrips

WEST, NORTH, PIXEL = 500_000.0, 4_000_000.0, 10.0


def assess(*words):
    return CliRunner().invoke(build_app(), ["assess", *map(str, words)])


def write(path, values, crs="EPSG:32650"):
    options = {"crs": crs, "transform": Affine(PIXEL, 0, WEST, 0, -PIXEL, NORTH)} if crs else {}
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8", **options
    ) as ds:
        ds.write(values.astype(np.uint8), 1)
    return path


@pytest.fixture
def maps(tmp_path):
    """A map that finds one of two changes, half of it, and one false alarm; the truth."""
    mapped, truth = np.ones((100, 120)), np.zeros((100, 120))
    truth[10:30, 10:30] = truth[60:70, 60:70] = 1
    mapped[10:30, 10:24] = 3
    mapped[80:85, 100:110] = 5
    mapped[:, :3] = 0
    return write(tmp_path / "map.tif", mapped), write(tmp_path / "truth.tif", truth)


def test_truth_as_raster_and_as_polygons_agree(maps, tmp_path):
    done = assess(*maps, "-o", tmp_path / "one")
    assert done.exit_code == 0, done.output
    first = json.loads((tmp_path / "one" / "assessment.json").read_text())
    assert (first["pixels"]["hits"], first["pixels"]["misses"]) == (280, 220)
    assert first["pixels"]["false_alarms"] == 50
    assert first["not_observed_percent"] == 2.5
    by_size = {p["from_m2"]: (p["true_patches"], p["found"]) for p in first["patches"]}
    assert by_size[10_000.0] == (2, 1)
    assert by_size[3000.0] == (0, 0)
    assert first["pixel_m2"] == pytest.approx(100, rel=2e-3)
    boxes = [(10, 10, 30, 30), (60, 60, 70, 70)]
    shapes = [
        shapely.box(WEST + 10 * c0, NORTH - 10 * r1, WEST + 10 * c1, NORTH - 10 * r0)
        for r0, c0, r1, c1 in boxes
    ]
    geopandas.GeoSeries(shapes, crs="EPSG:32650").to_crs(4490).to_file(tmp_path / "truth.gpkg")
    assert assess(maps[0], tmp_path / "truth.gpkg", "-o", tmp_path / "two").exit_code == 0
    second = json.loads((tmp_path / "two" / "assessment.json").read_text())
    assert second["pixels"] == first["pixels"]
    with rasterio.open(tmp_path / "one" / "errors.png") as picture:
        assert picture.read()[:, 15, 15].tolist() == [46, 139, 87]
        assert picture.read()[:, 82, 105].tolist() == [240, 173, 49]


def test_a_truth_that_counts_from_one_must_name_its_change(maps, tmp_path):
    assert assess(*maps, "-o", tmp_path / "one").exit_code == 0
    with rasterio.open(maps[1]) as ds:
        counted = write(tmp_path / "counted.tif", ds.read(1) + 1)
    done = assess(maps[0], counted, "-o", tmp_path / "two")
    assert done.exit_code == 1
    assert "holds 1, 2 and no 0" in done.output
    assert "--changed 2" in done.output
    assert not (tmp_path / "two").exists()
    done = assess(maps[0], counted, "--changed", 2, "-o", tmp_path / "two")
    assert done.exit_code == 0, done.output
    one, two = (
        json.loads((tmp_path / name / "assessment.json").read_text()) for name in ("one", "two")
    )
    assert one["pixels"] == two["pixels"]
    assert one["patches"] == two["patches"]
    own = assess(maps[0], maps[0], *("--changed", 3, "--changed", 5), "-o", tmp_path / "own")
    assert "precision 1.000  recall 1.000" in own.output


def test_from_a_design_to_areas(maps, tmp_path):
    done = assess(maps[0], "--design", 200, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    table = geopandas.read_file(tmp_path / "sample.geojson")
    with rasterio.open(maps[1]) as ds:
        truth = ds.read(1)
        points = table.to_crs(ds.crs).geometry
        cells = [ds.index(p.x, p.y) for p in points]
    assert cells == list(zip(table["row"], table["col"], strict=True))
    unfinished = assess(maps[0], "--sample", tmp_path / "sample.geojson", "-o", tmp_path)
    assert unfinished.exit_code == 1
    assert "unit 1 has the reference" in unfinished.output
    names = np.array(["no change", "change"])
    table["reference"] = names[truth[table["row"], table["col"]]]
    table.to_file(tmp_path / "done.geojson")
    done = assess(maps[0], "--sample", tmp_path / "done.geojson", "-o", tmp_path)
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "assessment.json").read_text())
    area = told["areas"][1]
    assert abs(area["value"] - 5.0) <= area["margin"]
    assert told["mapped"][1] == pytest.approx(3.3, rel=5e-3)
    assert "±" in done.output


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda m, t, d: (m,), "one of TRUTH, --design and --sample"),
        (lambda m, t, d: (m, write(d / "s.tif", np.zeros((50, 50)))), "other pixels"),
        (lambda m, t, d: (write(d / "n.tif", np.ones((9, 9)), None), t), "other pixels"),
        (
            lambda m, t, d: (
                write(d / "n.tif", np.ones((9, 9)), None),
                write(d / "o.tif", np.zeros((9, 9)), None),
            ),
            "give --pixel-m",
        ),
        (lambda m, t, d: (write(d / "n.tif", np.ones((9, 9)), None), "--design", 9), "has no CRS"),
        (lambda m, t, d: (m, d / "t.gpkg", "--changed", 2), "the truth is polygons"),
    ],
)
def test_bad_input_says_what_to_do(maps, tmp_path, spoil, told):
    done = assess(*spoil(*maps, tmp_path), "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert told in done.output
    assert not (tmp_path / "out").exists()


def test_real_labels(data_dir, tmp_path):
    folder = data_dir / "taizhou_landsat"
    done = assess(folder / "change.bmp", folder / "change.bmp", "--pixel-m", 30, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    assert "precision 1.000" in done.output


def test_a_sample_is_the_same_however_the_map_is_read(tmp_path):
    values = np.random.default_rng(9).choice([0, 1, 3], (700, 300), p=[0.1, 0.88, 0.02])
    whole = MapStrips(write(tmp_path / "map.tif", values))
    strips = MapStrips(whole.path, pixels=1)
    assert (len(list(whole)), len(list(strips))) == (1, 3)
    (pixels, units), (own, drawn) = _candidates(whole, 60), _candidates(strips, 60)
    assert pixels == own == [int((values == 1).sum()), int((values == 3).sum())]
    assert np.array_equal(np.stack(units), np.stack(drawn))
    assert units[0].size == 120
    found = _mapped(whole, units[0], units[1])
    other = _mapped(strips, units[0], units[1])
    assert found[1] == other[1] == pixels
    assert np.array_equal(found[0], other[0])
    assert np.array_equal(found[0], units[2])
