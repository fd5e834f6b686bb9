"""A model of change from labelled pairs to the change map: metre-scale images told by objects."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from affine import Affine
from scipy import ndimage
from typer.testing import CliRunner

from configs.errors import ConfigError, InputError
from configs.labelled import LabelledPairs
from configs.run import RunConfig
from flows.cli.app import build_app
from flows.learning.labelledpairs import read_pairs
from flows.plan import make_plan
from flows.storedchange import stored_change
from models.changelearning import ChangeLearner, pair_feature_names
from models.forest import Forest
from models.learnedchange import change_arrays, change_of
from models.modelfile import ModelCard, open_model, save_model
from tests.flows.minicounty import NEW_BUILDINGS, build_mini, write_config

SIDE, PIXEL, WEST, NORTH = 224, 2.0, 500000.0, 4000000.0
HOUSES = ((16, 24, 24, 40), (60, 140, 32, 32), (130, 40, 40, 24), (150, 150, 30, 48))


def tuban(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(build_app(), ["--quiet", *map(str, args)])
    assert result.exit_code == code, result.output
    return result.output


def write(path: Path, bands: np.ndarray, dtype: str = "float32") -> None:
    with rasterio.open(
        path, "w", driver="GTiff", dtype=dtype, count=len(bands), height=SIDE, width=SIDE,
        crs="EPSG:32650", transform=Affine(PIXEL, 0, WEST, 0, -PIXEL, NORTH),
    ) as raster:  # fmt: skip
        raster.write(bands.astype(dtype))


def village(folder: Path, seed: int) -> dict[str, object]:
    """Write fields of two dates, houses on some of them, and the labels; return the pair."""
    rng = np.random.default_rng(seed)
    field = np.kron(rng.uniform(0.04, 0.1, (4, 7, 7)), np.ones((1, 32, 32)))
    grain = ndimage.gaussian_filter(rng.normal(0, 1, (4, SIDE, SIDE)), (0, 1, 1))
    before = field + 0.03 * grain
    after = np.roll(field, 1, axis=0) + 0.03 * grain + rng.normal(0, 0.004, field.shape)
    labels = np.zeros((1, SIDE, SIDE))
    for row, col, height, width in HOUSES[seed % 2 :]:
        part = (slice(None), slice(row, row + height), slice(col, col + width))
        after[part] = 0.3 + 0.02 * rng.normal(0, 1, after[part].shape)
        labels[part] = 255
    name = f"village{seed}"
    write(folder / f"{name}_before.tif", before)
    write(folder / f"{name}_after.tif", after)
    write(folder / f"{name}_labels.tif", labels, "uint8")
    return {
        "name": name,
        "before": f"{name}_before.tif",
        "after": f"{name}_after.tif",
        "labels": f"{name}_labels.tif",
        "changed": [255],
        "unchanged": [0],
    }


def write_pairs(folder: Path, pairs: list[dict[str, object]], **more: object) -> Path:
    path = folder / "villages.yaml"
    path.write_text(yaml.safe_dump({"gate": {"register_pair": False}, "pairs": pairs, **more}))
    return path


@pytest.fixture(scope="module")
def villages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("villages")
    pairs = [village(folder, seed) for seed in range(4)]
    boxes = [
        shapely.box(
            WEST + col * PIXEL,
            NORTH - (row + height) * PIXEL,
            WEST + (col + width) * PIXEL,
            NORTH - row * PIXEL,
        )
        for row, col, height, width in HOUSES
    ]
    gpd.GeoDataFrame(geometry=boxes, crs="EPSG:32650").to_file(folder / "built.gpkg")
    pairs[2] = {k: v for k, v in pairs[2].items() if "changed" not in k} | {"labels": "built.gpkg"}
    still = pairs[0] | {"name": "still", "after": pairs[0]["before"], "changed": []}
    write_pairs(folder, [*pairs[:3], {k: v for k, v in still.items() if k != "labels"}])
    return folder


@pytest.mark.slow
def test_labels_become_a_model_that_maps_change_alike_in_all_tiles(
    villages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(villages)
    said = tuban("model", "train", "--labels", "villages.yaml", "--force")
    assert "village1\t" in said
    assert "mean\t" in said
    chinese = tuban("model", "show", "villages", "--lang", "zh")
    assert "判别对象：影像对象" in chinese
    assert "自动方法 F1 village0：" in chinese
    assert "on places" not in chinese
    assert "无变化的地点（用于学习，不计精度）：still" in chinese
    maps = []
    for tile in (128, 512):
        out = villages / f"change{tile}.tif"
        pair = ("village3_before.tif", "village3_after.tif", "-o", out, "--no-register")
        said = tuban("detect", *pair, "--model", "villages", "--tile", tile, "--workers", 1)
        with rasterio.open(out) as source:
            maps.append(source.read(1))
    assert "on image objects, because pixels of 2 m are below 5 m" in said
    np.testing.assert_array_equal(*maps)
    with rasterio.open("village3_labels.tif") as source:
        truth = source.read(1) > 0
    hit = np.count_nonzero(truth & (maps[0] == 2))
    assert 2 * hit / (np.count_nonzero(truth) + np.count_nonzero(maps[0] == 2)) > 0.8

    (stored,) = (villages / "tuban-models").glob("*.tuban")
    config = build_mini(tmp_path)
    write_config(tmp_path, detection={"model": str(stored)})
    said = tuban("check", config, code=1)
    assert "model of change" in said
    assert "learned on pixels of 2 m, those of the images are 10 m" in said
    settings = RunConfig.load(config)
    card, arrays = open_model(stored)
    learner = change_of(arrays, "here")
    for wrong, told in (
        ({"sensor": "gf2"}, "sensor of the before date: gf2; of the images: generic"),
        ({"kind": "net"}, "of kind net, not change"),
    ):
        path = save_model(tmp_path / told[:9].strip(), replace(card, hash="", **wrong), arrays)
        named = settings.detection.model_copy(update={"model": str(path)})
        with pytest.raises(InputError, match=told):
            stored_change(settings.model_copy(update={"detection": named}), make_plan(settings))
    for wrong, told in (
        ({"bands": ("red", "nir")}, "are not those of its bands"),
        ({"way": "guesses"}, "nothing is told by 'guesses'"),
        ({"threshold": 0.0}, "threshold 0"),
    ):
        arrays = change_arrays(replace(learner, **wrong))
        with pytest.raises(InputError, match=told) as caught:
            change_of(arrays, "here")
        assert caught.value.fix


@pytest.mark.slow
def test_a_model_of_pixels_runs_and_states_of_others_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build_mini(tmp_path)
    bands = ("blue", "green", "red", "nir")
    names = pair_feature_names(bands)
    plain = ChangeLearner(bands, names, Forest.empty(len(names), 2), 0.0, 3.0)
    card = ModelCard(
        "plain", "change", dt.date(2025, 9, 30), sensor="generic", bands=bands,
        settings={"pixel_m": 10.0},
    )  # fmt: skip
    save_model(tmp_path / "tuban-models", card, change_arrays(plain))
    maps = []
    for tile in (96, 192):
        pair = ("before.tif", "after.tif", "-o", f"{tile}.tif", "--workers", 1, "--tile", tile)
        assert "pixel by pixel by the model" in tuban("detect", *pair, "--model", "plain")
        with rasterio.open(f"{tile}.tif") as source:
            maps.append(source.read(1))
    np.testing.assert_array_equal(*maps)
    for row, col, height, width in NEW_BUILDINGS:
        inner = maps[0][row + 2 : row + height - 2, col + 2 : col + width - 2]
        assert (inner == 2).mean() > 0.9
    tuban("fit", write_config(tmp_path, landcover={"enabled": False}), "-o", "state")
    config = write_config(tmp_path, detection={"model": "plain"}, landcover={"enabled": False})
    assert "ok   model of change: plain-" in tuban("check", config)
    said = tuban("run", config, "--plain", "--state", "state", "--out", "runs", code=1)
    assert "the fitted states were made without the model plain-" in said


def test_pairs_that_cannot_be_learned_from_are_refused(villages: Path, tmp_path: Path) -> None:
    pairs = yaml.safe_load((villages / "villages.yaml").read_text())["pairs"]
    one = pairs[0] | {k: str(villages / pairs[0][k]) for k in ("before", "after", "labels")}
    others = [one | {"name": name} for name in ("a", "b")]
    missing = [pair | {"before": "nowhere.tif"} for pair in (*others, {**one, "changed": []})]
    path = write_pairs(tmp_path, missing)
    with pytest.raises(ConfigError, match="where something changed: 2, at least 3") as few:
        read_pairs(path)
    assert few.value.where == str(path)
    assert "labels are missing" in tuban("model", "train", "--labels", write_pairs(
        tmp_path, [{k: v for k, v in one.items() if k != "labels"}]), code=1)  # fmt: skip
    plain = {k: v for k, v in one.items() if "changed" not in k}
    path = write_pairs(tmp_path, [plain, *others])
    with pytest.raises(InputError, match=r"they hold 0, 255") as caught:
        read_pairs(path)
    assert "pair village0" in caught.value.where
    assert "changed: [255]" in caught.value.fix
    with rasterio.open(
        tmp_path / "small.tif", "w", driver="GTiff", dtype="uint8", count=1, height=9, width=9
    ) as raster:
        raster.write(np.full((1, 9, 9), 2, np.uint8))
    still = one | {"name": "still", "changed": [], "unchanged": [7]}
    with pytest.raises(InputError, match=r"no change \(7\); they hold 0, 255"):
        read_pairs(write_pairs(tmp_path, [still, *others, one]))
    still["labels"] = str(villages / "built.gpkg")
    with pytest.raises(InputError, match="outlines of what changed"):
        read_pairs(write_pairs(tmp_path, [still, *others, one]))
    path = write_pairs(tmp_path, [one | {"labels": "small.tif"}, *others])
    with pytest.raises(InputError, match="9 × 9 pixels are not the 224 × 224"):
        read_pairs(path)
    twice = write_pairs(tmp_path, [one, one])
    said = tuban("model", "train", "--labels", twice, code=1)
    assert "two pairs are called 'village0'" in said
    tuban("model", "train", "--labels", twice, "county.yaml", code=2)
    loaded = LabelledPairs.load(villages / "villages.yaml")
    assert loaded.pairs[2].labels == villages / "built.gpkg"
