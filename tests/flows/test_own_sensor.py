"""A sensor of the user's own file: check, detect, catalogue, keys, lineage, refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from configs.errors import ConfigError, RasterError
from configs.monitoring import MonitorConfig
from configs.run import RunConfig
from configs.sensors import sensor_spec
from flows.cli.app import build_app
from flows.plan import make_plan
from flows.preparing import prepare_pair
from flows.runner import open_run
from flows.stages import RunOptions
from tests.flows.minicounty import NEW_BUILDINGS, build_mini, write_config
from tests.tiles.deliverymade import gaofen, write
from tiles.sensors import open_epoch

CAMERA = """\
title: A camera whose file holds near infrared first
attribution: Our own flight
source: Office of Surveys, delivery sheet 3 of 2021
name_pattern: '^OURCAM_'
nodata: 0
bands:
  - {name: C1, role: nir, wavelength_um: 0.84}
  - {name: C2, role: red, wavelength_um: 0.66}
  - {name: C3, role: green, wavelength_um: 0.56}
  - {name: C4, role: blue, wavelength_um: 0.48}
stacks:
  - [C1, C2, C3, C4]
gains:
  - {year: 2021, gain: {C1: 0.0001, C2: 0.0001, C3: 0.0001, C4: 0.0001}}
  - {year: 2022, gain: {C1: 0.0002, C2: 0.0002, C3: 0.0002, C4: 0.0002}}
"""
NAMES = ("OURCAM_20210418.tif", "OURCAM_20220906.tif")


def tuban(*args: object, codes: tuple[int, ...] = (0,)) -> str:
    result = CliRunner().invoke(build_app(), ["--quiet", *map(str, args)])
    assert result.exit_code in codes, result.output
    return result.output


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """Return the config of a county seen by a camera of which the package knows nothing."""
    home = tmp_path / "county"
    build_mini(home)
    for name, image, scale in zip(NAMES, ("before", "after"), (1e4, 5e3), strict=True):
        with rasterio.open(home / f"{image}.tif") as ds:
            stored = np.rint(ds.read()[::-1] * scale).astype(np.uint16)
        write(home / "flights" / name, stored, 10.0)
    (home / "sensors").mkdir()
    (home / "sensors" / "our_cam.yaml").write_text(CAMERA)
    flights = [{"scenes": [f"flights/{name}"]} for name in NAMES]
    return write_config(home, before=flights[0], after=flights[1], sensor="sensors/our_cam.yaml")


def test_check_and_detect_read_bands_and_gains_of_the_file(county: Path):
    assert "bands blue, green, red, nir" in tuban("check", county)
    plan = make_plan(RunConfig.load(county))
    for epoch, gain in ((plan.before, 1e-4), (plan.after, 2e-4)):
        red = epoch.scenes[0].bands["red"]
        assert (red.index, red.scale) == (2, gain)
    assert plan.attribution == ["Our own flight"]
    home = county.parent
    out = home / "change.tif"
    tuban(
        "detect", *(home / "flights" / n for n in NAMES), "-o", out, "--method", "cva",
        "--sensor", home / "sensors" / "our_cam.yaml",
    )  # fmt: skip
    with rasterio.open(out) as ds:
        changed = ds.read(1) == 2
    for row, col, height, width in NEW_BUILDINGS:
        assert changed[row + 1 : row + height - 1, col + 1 : col + width - 1].mean() > 0.8
    assert changed.mean() < 0.04


def test_the_content_of_the_file_is_in_the_keys_and_in_the_lineage(county: Path):
    home, file = county.parent, county.parent / "sensors" / "our_cam.yaml"
    config = RunConfig.load(county)
    with open_run(config, home / "runs", RunOptions()) as context:
        first = context.plan_key
    made = prepare_pair(county, home / "runs", RunOptions(workers=1))
    assert all("read as our_cam (sensor file, SHA-256" in s["lineage"][0] for s in made["scenes"])
    item = json.loads(next(Path(made["folder"]).glob("before/*.json")).read_text())
    assert item["properties"]["tuban:sensor"] == "our_cam"
    assert "our_cam.yaml" in [link["title"] for link in item["links"]]
    prepared = make_plan(RunConfig.load(Path(made["config"])))
    assert prepared.bands == ("blue", "green", "red", "nir")
    file.write_text(CAMERA.replace("C2: 0.0001", "C2: 0.0003"))
    assert make_plan(config).before.scenes[0].bands["red"].scale == 3e-4
    with open_run(config, home / "runs", RunOptions()) as context:
        assert context.plan_key.difference(first.parts) == "file sensor our_cam changed"
    values = {"name": "m", "scenes": NAMES, "sensor": str(file), "history": {"end": "2022-01-01"}}
    before = MonitorConfig.model_validate(values).key8
    file.write_text(CAMERA)
    assert MonitorConfig.model_validate(values).key8 != before


def test_the_catalogue_keeps_which_file_it_was_built_by(county: Path):
    home, file = county.parent, county.parent / "sensors" / "our_cam.yaml"
    write(home / "flights" / "other_20210501.tif", np.ones((4, 20, 20), np.uint16), 10.0)
    build = ("catalog", "build", home / "flights", "-o", home / "catalog", "--sensor", file)
    assert tuban(*build).count("our_cam") == 2
    found = tuban("catalog", "search", home / "catalog", "--sensor", file).splitlines()
    items = [line.split("\t")[-1] for line in found]
    assert len(items) == 2
    write_config(home, before={"scenes": [items[0]]}, after={"scenes": [items[1]]})
    scene = make_plan(RunConfig.load(county)).before.scenes[0]
    assert (scene.sensor, scene.bands["red"].scale) == (str(file), 1e-4)
    other = home / "sensors" / "other.yaml"
    other.write_text(CAMERA.replace("0.0001", "0.0007"))
    file.write_text(CAMERA.replace("0.0001", "0.0005"))
    for sensor in (None, str(other)):
        with pytest.raises(RasterError, match=r"not made by the sensor file[\s\S]*catalog build"):
            open_epoch([Path(items[0])], sensor=sensor)
    tuban(*build)
    assert open_epoch([Path(items[0])]).scenes[0].bands["red"].scale == 5e-4


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_four_lines_give_gains_to_a_shipped_sensor(tmp_path: Path):
    product = "GF2_PMS2_E117.5_N36.7_20250612_L1A0001234567"
    folder = gaofen(tmp_path, product, "MSS2", "PAN2")
    file = tmp_path / "our_gf2.yaml"
    gain = "{B1: 0.15, B2: 0.17, B3: 0.16, B4: 0.19, PAN: 0.16}"
    file.write_text(
        f"extends: gf2_pms\ngains:\n  - {{year: 2025, images: '^GF2_PMS2', gain: {gain}}}\n"
    )
    assert sensor_spec(str(file)).title == sensor_spec("gf2_pms").title
    scene = open_epoch([folder], sensor=str(file)).scenes[0]
    assert [b.scale for b in scene.bands.values()] == [0.15, 0.17, 0.16, 0.19]
    assert scene.pan is not None
    assert scene.pan.scale == 0.16
    tuban("catalog", "build", tmp_path, "-o", tmp_path / "catalog", "--sensor", file)
    assert "our_gf2" in tuban("catalog", "search", tmp_path / "catalog")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, r"no such sensor file[\s\S]*config's folder"),
        ("layers: []\n", r"unknown key 'layers' \(line 1\)"),
        (CAMERA.replace("'^OURCAM_'", "'^OURCAM_('"), r"name_pattern: no regular expression"),
        ("extends: gf2\n", "did you mean 'gf2_pms'"),
        (CAMERA.replace("- [C1,", "- [C9,"), "there is no band 'C9'"),
    ],
)
def test_an_absent_or_wrong_file_is_named(tmp_path: Path, text: str | None, what: str):
    file = tmp_path / "mine.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=what) as caught:
        sensor_spec(str(file))
    assert str(file) in caught.value.where
    assert "tuban run --schema" not in caught.value.fix
