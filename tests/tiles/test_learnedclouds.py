"""s2cloudless: used where it is asked for, refused with its remedy where it cannot be."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from configs.errors import ConfigError, RasterError
from configs.run import RunConfig
from flows.fitjob import GateJob, _clouds
from flows.plan import make_plan
from tests.tiles.deliverymade import safe, write
from tiles import learnedclouds
from tiles.clouds import CLOUD
from tiles.learnedclouds import BANDS, detector_bands, require_detector
from tiles.registration import Registration
from tiles.sensors import open_epoch

SIDE = 240
HOLE = np.s_[60:120, 90:150]
"""A cloud of 600 m, rows and columns of 10 m."""

CLOUDY = {"B01": 0.45, "B05": 0.5, "B8A": 0.5, "B09": 0.3, "B10": 0.03}
LAND = {"B01": 0.12, "B05": 0.12, "B8A": 0.28, "B09": 0.08, "B10": 0.001}


def level1(folder: Path, day: str, cloud: bool) -> Path:
    """Write a Level-1C product with all bands of the model, a cloud in it or none."""
    values = np.empty((6, SIDE, SIDE), np.float32)
    for band, (land, white) in enumerate(
        ((0.1, 0.5), (0.09, 0.5), (0.09, 0.52), (0.28, 0.55), (0.2, 0.4), (0.13, 0.3))
    ):
        values[band] = land
        if cloud:
            values[band][HOLE] = white
    values += np.random.default_rng(0).normal(0, 0.002, values.shape).astype(np.float32)
    product = safe(folder, values, level="L1C", day=day, baseline="0301")
    blue = next(product.rglob("T49QCD*_B02.jp2"))
    for name, metres in (("B01", 60), ("B05", 20), ("B8A", 20), ("B09", 60), ("B10", 60)):
        step = metres // 10
        plane = np.full((SIDE, SIDE), LAND[name], np.float32)
        if cloud:
            plane[HOLE] = CLOUDY[name]
        stored = np.rint(plane[::step, ::step] * 10000).astype(np.uint16)
        write(blue.with_name(blue.name.replace("B02", name)), stored, float(metres))
    return product


def test_bands_beside_the_analysed_ones_are_found(tmp_path: Path) -> None:
    scene = open_epoch([level1(tmp_path, "20250901", True)]).scenes[0]
    bands = detector_bands(scene)
    assert tuple(bands) == BANDS
    assert bands["B10"].path.name.endswith("_B10.jp2")
    assert bands["B10"].scale == 0.0001


def test_a_product_without_the_bands_is_refused(tmp_path: Path) -> None:
    product = safe(tmp_path, np.full((6, 64, 64), 0.2, np.float32))
    scene = open_epoch([product]).scenes[0]
    with pytest.raises(RasterError, match=r"needs Sentinel-2 Level-1C; the bands B01[\s\S]*remove"):
        detector_bands(scene)


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learnedclouds, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "tuban\[s2cloudless\]".*CC BY-SA 4\.0'):
        require_detector([])


def test_the_config_names_it_shortly() -> None:
    epochs = {"before": {"scenes": ["a.tif"]}, "after": {"scenes": ["b.tif"]}}
    config = RunConfig.model_validate({"name": "a", "clouds": "s2cloudless"} | epochs)
    assert config.clouds.detector == "s2cloudless"
    with pytest.raises(ValueError, match="s2cloudless"):
        RunConfig.model_validate({"name": "a", "clouds": "fmask"} | epochs)


@pytest.mark.skipif(
    find_spec("s2cloudless") is None, reason="s2cloudless is not installed: tuban[s2cloudless]"
)
@pytest.mark.filterwarnings("default")
def test_it_finds_the_cloud(tmp_path: Path) -> None:
    before, after = (
        {"scenes": [level1(tmp_path, day, cloud)]}
        for day, cloud in (("20240901", False), ("20250901", True))
    )
    config = RunConfig.model_validate(
        {
            "name": "a",
            "before": before,
            "after": after,
            "clouds": {"detector": "s2cloudless", "margin_m": 0},
        }
    )
    plan = make_plan(config)
    found = _clouds(GateJob(plan, config.gate, 0, config.clouds), Registration(0.0, 0.0, 0, 0, 0.0))
    assert found is not None
    assert not (found.codes[0] == CLOUD).any()
    rows, cols = np.nonzero(found.codes[1] == CLOUD)
    side = found.factor
    inside = np.zeros((SIDE, SIDE), bool)
    inside[HOLE] = True
    truth = inside[side // 2 :: side, side // 2 :: side]
    cloud = np.zeros_like(truth)
    cloud[rows, cols] = True
    assert (cloud & truth).sum() >= 0.8 * truth.sum()
    assert (cloud & ~truth).sum() <= 0.6 * truth.sum()
