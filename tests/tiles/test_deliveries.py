"""Deliveries in the layouts of their suppliers: bands, days, scales, angles, masks, refusals."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pydantic import ValidationError

from configs.errors import RasterError
from configs.sensors import SensorSpec, sensor_names, sensor_spec
from tests.tiles.deliverymade import gaofen, grd, landsat, reflectance, safe, swath
from tiles.footprint import outline
from tiles.pairgrid import default_grid
from tiles.scene import Epoch, Scene
from tiles.sensors import open_epoch

SIX = ("blue", "green", "red", "nir", "swir1", "swir2")
PRODUCTS = {
    "gf1_pms": ("GF1_PMS1_E117.5_N36.7_20250612_L1A0001234567", "MSS1", "PAN1"),
    "gf2_pms": ("GF2_PMS2_E117.5_N36.7_20250612_L1A0001234567", "MSS2", "PAN2"),
    "gf6_pms": ("GF6_PMS_E117.5_N36.7_20250612_L1A1119963704", "MUX", "PAN"),
    "gf7_dlc": ("GF7_DLC_E117.5_N36.7_20250612_L1A0000852849", "BWDMUX", "BWDPAN"),
    "zy3": ("ZY302_PMS_E117.5_N36.7_20250612_L1A0000840534", "MUX", "NAD"),
}
GF1D = ("GF1D_PMS_E117.5_N36.7_20250612_L1A1257351301", "MUX", "PAN")
DELIVERED = [*sorted(PRODUCTS.items()), ("gf1_pms", GF1D)]

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def opened(path: Path, sensor: str | None = None) -> Scene:
    return open_epoch([path], sensor=sensor).scenes[0]


def physical(scene: Scene, role: str) -> np.ndarray:
    band = scene.bands[role]
    with rasterio.open(band.path) as ds:
        return ds.read(band.index) * band.scale + band.offset


def test_every_sensor_has_a_fixture_here():
    made = {*PRODUCTS, "sentinel2", "sentinel2_harmonised", "landsat", "landsat_oli", "sentinel1"}
    assert made | {"generic"} == set(sensor_names())


@pytest.mark.parametrize("sensor", sorted(PRODUCTS))
def test_gains_of_the_year_and_camera_give_radiances(
    tmp_path: Path, sensor: str, monkeypatch: pytest.MonkeyPatch
):
    product, image, pan = PRODUCTS[sensor]
    folder = gaofen(tmp_path, product, image, pan)
    spec = sensor_spec(sensor)
    assert opened(folder).bands["red"].scale == 1.0
    wanted = {"year": 2025, "images": f"^{product[:3]}", "gain": {"B3": 0.5, "PAN": 0.25}}
    others = [wanted | {"year": 2024}, wanted | {"images": "^XX"}]
    values = spec.model_dump() | {"gains": [*others, wanted | {"offset": {"B3": 0.125}}]}
    given = SensorSpec.model_validate(values)
    monkeypatch.setattr("tiles.products.sensor_spec", lambda _: given)
    scene = opened(folder)
    red, blue = scene.bands["red"], scene.bands["blue"]
    assert (red.scale, red.offset, blue.scale, blue.offset) == (0.5, 0.125, 1.0, 0.0)
    assert scene.pan is not None
    assert scene.pan.scale == 0.25
    with pytest.raises(ValidationError, match="there is no band 'B9'"):
        SensorSpec.model_validate(values | {"gains": [wanted | {"gain": {"B9": 1.0}}]})


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("baseline", ["0301", "0400", "0509"])
def test_sentinel2_safe_gives_the_same_reflectance_at_any_baseline(
    tmp_path: Path, level: str, baseline: str
):
    values = reflectance()
    scene = opened(safe(tmp_path, values, level=level, baseline=baseline))
    assert tuple(scene.bands) == SIX
    for number, role in enumerate(SIX):
        step = 1 if role in SIX[:4] else 2
        seen = physical(scene, role)
        assert np.abs(seen - values[number, ::step, ::step]).max() < 6e-5
    assert scene.sensor == "sentinel2"
    assert scene.acquired is not None
    assert scene.acquired.isoformat() == "2023-03-05T03:11:22.123456+00:00"
    facts = scene.facts
    assert (facts.level, facts.baseline) == (f"Level-{level[1:]}", f"{baseline[:2]}.{baseline[2:]}")
    assert (facts.cloud_percent, facts.sun_elevation, facts.view_angle) == (12.5, 49.75, 6.5)
    if level == "L2A":
        assert scene.mask is not None
        assert scene.mask.path.name.endswith("SCL_20m.jp2")
        assert dict(scene.mask.meanings)["cloud"] == (8, 9)


def test_an_offset_that_would_be_taken_off_twice_is_caught_from_the_pixels(tmp_path: Path):
    product = safe(tmp_path, reflectance(), stored_offset=0)
    with pytest.raises(RasterError, match=r"taken off twice[\s\S]*sentinel2_harmonised"):
        opened(product)
    scene = opened(product, "sentinel2_harmonised")
    assert np.abs(physical(scene, "red") - reflectance()[2]).max() < 6e-5


@pytest.mark.parametrize(("dark", "told"), [(-0.025, ""), (-0.08, "check the offset")])
def test_negative_reflectance_is_what_the_offset_was_added_for(
    tmp_path: Path, dark: float, told: str
):
    values = reflectance(dark=0.06)
    values[4:, 4:8, 4:8] = dark  # 0.4 % of the pixels, in the short waves
    product = safe(tmp_path, values)
    scene = opened(product)
    assert told in (scene.doubt.both if scene.doubt else "")
    assert bool(scene.doubt) == bool(told)
    assert physical(scene, "swir1").min() == pytest.approx(dark, abs=6e-5)
    if told:
        (product / "MTD_MSIL2A.xml").unlink()
        with pytest.raises(RasterError, match="taken off twice"):
            opened(product)


@pytest.mark.parametrize("lost", ["metadata", "metadata and name"])
def test_an_offset_that_would_never_be_taken_off_is_caught_from_the_pixels(
    tmp_path: Path, lost: str
):
    product = safe(tmp_path, reflectance())
    (product / "MTD_MSIL2A.xml").unlink()
    if lost == "metadata":
        assert opened(product).bands["red"].offset == -0.1
        return
    renamed = product.rename(tmp_path / "march")
    with pytest.raises(RasterError, match=r"never be taken off[\s\S]*MTD_MSI"):
        opened(renamed)


@pytest.mark.parametrize("dark", [0.08, 0.2])
def test_a_scene_without_dark_pixels_is_believed(tmp_path: Path, dark: float):
    values = np.maximum(reflectance(dark=dark), np.float32(dark))
    scene = opened(safe(tmp_path, values, stored_offset=0, baseline="0301"))
    assert scene.bands["red"].offset == 0.0
    assert opened(safe(tmp_path, values, level="L1C")).bands["red"].offset == -0.1


@pytest.mark.parametrize(
    ("product", "sensor"),
    [
        ("LC09_L2SP_119038_20230206_20230310_02_T1", "landsat_oli"),
        ("LC08_L1TP_119038_20230206_20230310_02_T1", "landsat_oli"),
        ("LE07_L2SP_119038_20030206_20200916_02_T1", "landsat"),
        ("LT05_L1TP_119038_20000309_20200916_02_T1", "landsat"),
    ],
)
def test_landsat_with_its_metadata(tmp_path: Path, product: str, sensor: str):
    values = reflectance()
    scene = opened(landsat(tmp_path, values, product))
    assert (scene.sensor, tuple(scene.bands)) == (sensor, SIX)
    for number, role in enumerate(SIX):
        assert np.abs(physical(scene, role) - values[number]).max() < 5e-5
    assert scene.acquired is not None
    assert scene.acquired.strftime("%H:%M:%S") == "02:44:20"
    assert (scene.facts.level, scene.facts.cloud_percent) == (product.split("_")[1], 3.21)
    assert scene.mask is not None
    assert dict(scene.mask.meanings)["shadow"] == (4,)


@pytest.mark.parametrize(("sensor", "names"), DELIVERED)
def test_chinese_deliveries(tmp_path: Path, sensor: str, names: tuple[str, str, str]):
    product, image, pan = names
    scene = opened(gaofen(tmp_path, product, image, pan))
    assert (scene.sensor, tuple(scene.bands)) == (sensor, SIX[:4])
    assert scene.pan is not None
    assert scene.pan.path.name == f"{product}-{pan}.tiff"
    # 23:30 in Beijing is still the day before midnight there, and 15:30 UTC.
    assert scene.acquired is not None
    assert scene.acquired.isoformat() == "2025-06-12T15:30:05+00:00"
    assert (scene.facts.view_angle, scene.facts.sun_elevation) == (8.5, 65.0)
    assert scene.attribution
    alone = opened(tmp_path / product / f"{product}-{image}.tiff")
    assert alone.bands == scene.bands


def test_a_wide_field_image_is_read_by_the_four_bands_of_the_other_camera(tmp_path: Path):
    product = "GF1_WFV3_E117.5_N36.7_20250612_L1A0006547030"
    home = gaofen(tmp_path, product, "MSS1", None)
    for file in sorted(home.iterdir()):
        file.rename(home / f"{product}{file.suffix}")
    scene = opened(home / f"{product}.tiff", "gf1_pms")
    assert (scene.sensor, tuple(scene.bands), scene.pan) == ("gf1_pms", SIX[:4], None)
    assert scene.acquired is not None
    assert scene.acquired.isoformat() == "2025-06-12T15:30:05+00:00"


@pytest.mark.parametrize(("sensor", "names"), DELIVERED)
def test_a_delivery_without_coefficients_is_refused(
    tmp_path: Path, sensor: str, names: tuple[str, str, str]
):
    product, image, pan = names
    folder = gaofen(tmp_path, product, image, pan)
    (folder / f"{product}-{image}.rpb").unlink()
    with pytest.raises(RasterError, match=rf"coefficients is missing: {product}-{image}\.rpb"):
        opened(folder)
    with pytest.raises(RasterError, match=r"coefficients is missing"):
        opened(folder / f"{product}-{image}.tiff")


def test_what_contradicts_its_metadata_is_refused(tmp_path: Path):
    product, image, pan = PRODUCTS["gf2_pms"]
    folder = gaofen(tmp_path, product, image, pan)
    xml = folder / f"{product}-{image}.xml"
    text = xml.read_text()
    for old, new, what in (
        ("1,2,3,4", "4,3,2,1", "bands are in the order 4, 3, 2, 1"),
        ("<WidthInPixels>32", "<WidthInPixels>33", "its metadata say 32 × 33"),
        ("</ProductMetaData>", "", "metadata file cannot be read"),
        ("<ProductMetaData>", "<!DOCTYPE x [<!ENTITY a 'b'>]><ProductMetaData>", "document type"),
    ):
        xml.write_text(text.replace(old, new))
        with pytest.raises(RasterError, match=what):
            opened(folder)
    xml.write_text(text)
    (folder / f"{product}-{pan}.tiff").unlink()
    with pytest.raises(RasterError, match=r"panchromatic image[\s\S]*multispectral file itself"):
        opened(folder)
    assert opened(folder / f"{product}-{image}.tiff").pan is None


@pytest.mark.parametrize("names", [PRODUCTS["gf1_pms"], PRODUCTS["gf2_pms"], GF1D])
def test_the_name_of_a_missing_panchromatic_image_is_told(
    tmp_path: Path, names: tuple[str, str, str]
):
    product, image, pan = names
    folder = gaofen(tmp_path, product, image, pan)
    (folder / f"{product}-{pan}.tiff").unlink()
    with pytest.raises(RasterError, match=rf"named like {product}-{pan}\.tiff"):
        opened(folder)


def test_zy3_without_the_nadir_camera(tmp_path: Path):
    product, image, _ = PRODUCTS["zy3"]
    assert opened(gaofen(tmp_path, product, image, None)).pan is None


def test_sentinel1_has_both_polarisations(tmp_path: Path):
    scene = opened(grd(tmp_path))
    assert (scene.sensor, sorted(scene.bands)) == ("sentinel1", ["vh", "vv"])
    assert scene.acquired is not None
    assert scene.acquired.isoformat() == "2025-03-05T10:20:30.123456+00:00"
    assert (scene.facts.level, scene.facts.view_angle) == ("GRD", 38.9)
    corners = [swath(row, col) for row in (0, 64) for col in (0, 64)]
    (west, south), (east, north) = np.min(corners, axis=0), np.max(corners, axis=0)
    assert outline(scene, "EPSG:4326").bounds == pytest.approx((west, south, east, north))
    scene = opened(grd(tmp_path / "corners", points_apart=64))
    with pytest.raises(RasterError, match=r"not geocoded: it has 4 control points"):
        default_grid(Epoch.of([scene]), Epoch.of([scene]))


def test_a_torn_jp2_is_found_at_once(tmp_path: Path):
    product = safe(tmp_path, np.random.default_rng(0).random((6, 256, 256)).astype(np.float32))
    red = next(product.rglob("*_B04_10m.jp2"))
    red.write_bytes(red.read_bytes()[: red.stat().st_size // 3])
    with pytest.raises(RasterError, match="B04_10m"):
        opened(product)
    red.write_bytes(b"\x00" * 100)
    with pytest.raises(RasterError, match="B04_10m"):
        opened(product)
