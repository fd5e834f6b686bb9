"""The same clue list, byte for byte, however the work is cut, spread and ordered."""

import shutil
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import yaml
from numpy.typing import NDArray

from configs.vocabulary import change_types
from flows.demo.county import build_county
from flows.manifest import Run
from tests.flows.command import made, products, run_folder, tuban

pytestmark = pytest.mark.slow

WHOLE = 1 << 20
"""A tile that holds the county: cells of this size start at the grid's origin."""

SETTINGS = """
landcover: {trees: 12, max_depth: 8, samples_per_class: 400}
outputs: {evidence: 0}
"""


def county(folder: Path, after_crs: str = "", size_px: int = 1024) -> Path:
    config = build_county(folder, 1, 2, size_px=size_px, after_crs=after_crs).config
    with config.open("a", encoding="utf-8") as text:
        text.write(SETTINGS)
    return config


def work(config: Path, out: Path, tile: int, workers: int, *more: str, **environment: str) -> Path:
    """Run a county; return its run folder."""
    tuban(
        *("run", config, "--out", out, "--tile", tile, "--workers", workers, *more), **environment
    )
    return run_folder(out)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the config of the county and the run that all others must equal."""
    config = county(tmp_path_factory.mktemp("county"))
    out = tmp_path_factory.mktemp("base")
    return config, work(config, out, 256, 2, "--plain", PYTHONHASHSEED="1")


def same(folder: Path, other: Path) -> None:
    assert (folder / "clues.geojson").read_bytes() == (other / "clues.geojson").read_bytes()
    np.testing.assert_array_equal(change(folder), change(other))


def change(folder: Path) -> NDArray[np.uint8]:
    with rasterio.open(folder / "change.tif") as raster:
        return raster.read(1)


def crossings(patches: gpd.GeoDataFrame, size: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which patches lie in more than one row, and in more than one column, of tiles."""
    pixel = 10.0
    west, south, east, north = (patches.bounds[n].to_numpy() for n in patches.bounds)
    first, last = np.rint(-north / pixel), np.rint(-south / pixel) - 1
    left, right = np.rint(west / pixel), np.rint(east / pixel) - 1
    return first // size != last // size, left // size != right // size


def test_the_county_asks_enough(base):
    patches = gpd.read_parquet(base[1] / "patches.parquet")
    clues = patches[patches["disposition"] == "clue"]
    rows, cols = crossings(clues, 256)
    holes = clues.geometry.map(lambda shape: len(shape.interiors)).to_numpy() > 0
    assert len(clues) >= 30
    assert (rows | cols).sum() >= 10
    assert (rows & cols).sum() >= 1
    assert (holes & (rows | cols)).sum() >= 1
    assert (np.logical_or(*crossings(clues, 512))).sum() >= 5


def test_clues_are_numbered_by_county_and_anchor(base):
    clues = gpd.read_file(base[1] / "clues.geojson")
    patches = gpd.read_parquet(base[1] / "patches.parquet")
    listed = patches.set_index("patch_id").loc[clues["patch_id"]]
    place = listed[["county_code", "anchor_row", "anchor_col"]]
    assert place.equals(place.sort_values(list(place.columns), kind="stable"))
    assert clues["clue_no"].is_monotonic_increasing
    assert clues["clue_no"].str[-6:].astype(int).tolist() == list(range(1, len(clues) + 1))


def test_change_raster_holds_the_pixels_of_the_patches(base):
    patches = gpd.read_parquet(base[1] / "patches.parquet")
    number = {t.code: t.number for t in change_types()}
    sums = patches.groupby(patches["change_type"].map(number))["n_pixels"].sum()
    values, counts = np.unique(change(base[1]), return_counts=True)
    painted = {int(v): int(n) for v, n in zip(values, counts, strict=True) if v >= 2}
    assert painted == {int(k): int(n) for k, n in sums.items()}
    assert len(painted) >= 5


@pytest.mark.parametrize(
    ("tile", "workers", "more"),
    [
        pytest.param(512, 1, ["--plain"], marks=pytest.mark.long),
        (WHOLE, 2, ["--plain"]),
        (256, 2, ["--plain", "--scheduler", "processes"]),
        (512, 1, ["--scheduler", "processes"]),
    ],
    ids=["512-1-threads", "whole-2-threads", "256-2-processes", "512-1-processes-prefect"],
)
def test_tiling_and_spreading(base, tmp_path, tile, workers, more):
    folder = work(base[0], tmp_path, tile, workers, *more, PYTHONHASHSEED="random")
    if tile == WHOLE:
        assert made(folder)["tiles"] == 1
    if "processes" in more:
        tiles = [p["values"]["pid"] for p in products(folder) if p["stage"] == "tiles"]
        assert len(set(tiles)) == workers
        assert not set(tiles) & {note["pid"] for note in Run.open(folder).notes if "pid" in note}
    same(folder, base[1])


def shuffle_rows(path: Path, encoding: str | None, rng: np.random.Generator) -> None:
    """Write a layer anew with its rows in another order."""
    table = gpd.read_file(path, encoding=encoding)
    table = table.iloc[rng.permutation(len(table))]
    driver = {".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".geojson": "GeoJSON"}[path.suffix]
    options = {"encoding": encoding} if encoding else {}
    if driver == "GeoJSON":
        options["COORDINATE_PRECISION"] = 15
    for old in path.parent.glob(f"{path.stem}.*"):
        old.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rings of a Shapefile are turned, as they were before
        table.to_file(path, driver=driver, index=False, **options)


def test_shuffled_inputs(base, tmp_path):
    config, expected = base
    folder = tmp_path / "county"
    shutil.copytree(config.parent, folder)
    rng = np.random.default_rng(5)
    path = folder / "LAYERS.yaml"
    layers = yaml.safe_load(path.read_text(encoding="utf-8"))
    for layer in layers["layers"]:
        shuffle_rows(folder / layer["source"], layer.get("encoding"), rng)
    layers["layers"] = [layers["layers"][i] for i in rng.permutation(len(layers["layers"]))]
    path.write_text(yaml.safe_dump(layers, allow_unicode=True), encoding="utf-8")
    # Two threads for array libraries, where the command asks for one by itself.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")
    again = work(
        folder / config.name,
        tmp_path / "runs",
        512,
        2,
        "--plain",
        PYTHONHASHSEED="random",
        **threads,
    )
    # The head names the versions of the layers, and shuffled files are other versions.
    first, second = ((f / "clues.geojson").read_bytes().split(b"\n") for f in (again, expected))
    assert len(first) > 30
    assert first[1:] == second[1:]
    np.testing.assert_array_equal(change(again), change(expected))


def test_after_image_in_the_neighbouring_zone(tmp_path):
    config = county(tmp_path / "county", "EPSG:32651", 512)  # what is asked can be of half the side
    assert len({rasterio.open(p).crs for p in config.parent.glob("*/*_B04.tif")}) == 2
    first = work(config, tmp_path / "a", 128, 2, "--plain", "--scheduler", "processes")
    second = work(config, tmp_path / "b", WHOLE, 2, "--plain", PYTHONHASHSEED="random")
    clues = gpd.read_parquet(first / "patches.parquet").query("disposition == 'clue'")
    assert len(clues) >= 20
    assert np.logical_or(*crossings(clues, 128)).sum() >= 5
    same(second, first)
