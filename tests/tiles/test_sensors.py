"""Deliveries to epochs: band names, dates, scales, masks, and clear refusals."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from configs.errors import ConfigError, RasterError
from tiles.naming import acquired_from_name
from tiles.pairgrid import default_grid
from tiles.sensors import open_epoch

MakeTif = Callable[..., Path]
SIX = ("blue", "green", "red", "nir", "swir1", "swir2")
FLAT = np.full((4, 5), 1000, np.uint16)
S2 = "T49QCD_20161209T031122"


def test_folder_of_sentinel_bands(make_tif: MakeTif, tmp_path: Path) -> None:
    for band in ("B01", "B02", "B03", "B04", "B05", "B08", "B8A", "B11", "B12"):
        make_tif(f"img/{S2}_{band}.tif", FLAT)
    epoch = open_epoch([tmp_path / "img"])
    scene = epoch.scenes[0]
    assert epoch.bands == SIX
    assert (scene.scene_id, scene.sensor) == (S2, "sentinel2")
    assert scene.acquired == dt.datetime(2016, 12, 9, 3, 11, 22, tzinfo=dt.UTC)
    assert epoch.civil_from == epoch.civil_to == dt.date(2016, 12, 9)
    assert scene.bands["nir"].path.name.endswith("B08.tif")
    assert (scene.bands["red"].scale, scene.bands["red"].nodata) == (1e-4, 0.0)
    assert "Copernicus" in scene.attribution


def test_twenty_metre_delivery_takes_b8a_as_nir(make_tif: MakeTif, tmp_path: Path) -> None:
    for band in ("B02_20m", "B04_20m", "B8A_20m"):
        make_tif(f"R20m/{S2}_{band}.tif", FLAT, size=20)
    make_tif(f"R10m/{S2}_B02_10m.tif", FLAT)
    epoch = open_epoch([tmp_path])
    assert epoch.bands == ("blue", "red", "nir")
    assert epoch.scenes[0].bands["blue"].path.name.endswith("B02_10m.tif")


def test_listed_band_files_make_one_scene(make_tif: MakeTif) -> None:
    name = "LC08_L1TP_195025_20130707_20170503_01_T1"
    paths = [make_tif(f"{name}_B{i}.TIF", FLAT) for i in (5, 4, 3, 8)]
    epoch = open_epoch(paths)
    assert len(epoch.scenes) == 1
    assert epoch.bands == ("green", "red", "nir")
    assert epoch.civil_from == dt.date(2013, 7, 7)
    assert epoch.scenes[0].bands["red"].scale == 1.0


def test_two_scenes_in_order(make_tif: MakeTif) -> None:
    paths = [make_tif(f"{d}/b_B0{i}.tif", FLAT) for d in ("z", "a") for i in (2, 3)]
    epoch = open_epoch([paths[0].parent, paths[2].parent])
    assert [next(iter(s.bands.values())).path.parent.name for s in epoch.scenes] == ["z", "a"]


def test_baseline_offset_and_surface_reflectance(make_tif: MakeTif, tmp_path: Path) -> None:
    product = "S2B_MSIL2A_20230305T030539_N0509_R075_T49QCD_20230305T060000"
    make_tif(f"{product}/T49QCD_20230305T030539_B04_10m.tif", FLAT)
    band = open_epoch([tmp_path / product]).scenes[0].bands["red"]
    assert (band.scale, band.offset) == (1e-4, -0.1)
    path = make_tif("LC09_L2SP_119038_20230206_20230310_02_T1_SR_B4.TIF", FLAT)
    band = open_epoch([path]).scenes[0].bands["red"]
    assert (band.scale, band.offset) == (0.0000275, -0.2)
    path = make_tif(f"{product}/T49QCD_20230305T030539_B03_10m.tif", FLAT.astype(np.float32) / 1e4)
    assert open_epoch([path]).scenes[0].bands["green"].scale == 1.0


@pytest.mark.parametrize(
    ("count", "bands"),
    [(1, ("band1",)), (3, ("band1", "band2", "band3")), (4, SIX[:4]), (6, SIX)],
)
def test_stacks_without_names(make_tif: MakeTif, count: int, bands: tuple[str, ...]) -> None:
    epoch = open_epoch([make_tif("x.tif", np.ones((count, 4, 5), np.uint8))])
    assert epoch.bands == bands
    assert epoch.civil_from is None
    assert [b.index for b in epoch.scenes[0].bands.values()] == list(range(1, count + 1))


def test_stack_with_band_names_or_a_named_sensor(make_tif: MakeTif) -> None:
    names = ("B4", "B3", "B2", "B8")
    path = make_tif("y.tif", np.ones((4, 4, 5), np.uint16), descriptions=names)
    epoch = open_epoch([path], sensor="sentinel2")
    assert epoch.bands == ("blue", "green", "red", "nir")
    assert [b.index for b in epoch.scenes[0].bands.values()] == [3, 2, 1, 4]
    path = make_tif("full.tif", np.ones((13, 4, 5), np.uint16))
    epoch = open_epoch([path], sensor="sentinel2")
    assert epoch.bands == SIX
    assert [b.index for b in epoch.scenes[0].bands.values()] == [2, 3, 4, 8, 12, 13]
    with pytest.raises(ConfigError, match="did you mean 'sentinel2'"):
        open_epoch([path], sensor="sentinel")


def test_envi_without_suffix(data_dir: Path) -> None:
    epoch = open_epoch([data_dir / "taizhou_landsat" / "2000TM"])
    assert epoch.bands == SIX
    assert [b.wavelength_um for b in epoch.scenes[0].bands.values()] == pytest.approx(
        [0.4825, 0.565, 0.66, 0.825, 1.65, 2.22]
    )


@pytest.mark.parametrize(
    ("city", "first", "second"),
    [("beihai", "2016-12-09", "2018-03-09"), ("saclay_e", "None", "2017-08-29")],
)
def test_oscd_dates(data_dir: Path, city: str, first: str, second: str) -> None:
    days = []
    for folder in ("imgs_1", "imgs_2"):
        epoch = open_epoch([data_dir / "oscd" / city / folder])
        assert epoch.bands == SIX
        days.append(str(epoch.civil_from))
    # The first granule of saclay_e is named by the time of its processing.
    assert days == [first, second]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("GF2_PMS1_E114.5_N36.7_20250612_L1A0001234567-MSS1.tiff", "2025-06-12"),
        ("LT51670552010352MLK00_B6", "2010-12-18"),
        ("before_2024-03-05", "2024-03-05"),
        ("2000TM", None),
        ("id12345678", None),
        ("20251399_x", None),
    ],
)
def test_dates_in_names(name: str, day: str | None) -> None:
    for zone in ("Asia/Shanghai", "America/Los_Angeles", "Pacific/Auckland"):
        found = acquired_from_name(name, zone)
        epoch_day = found and str(found.astimezone(__import__("zoneinfo").ZoneInfo(zone)).date())
        assert epoch_day == day


def test_given_date_wins(make_tif: MakeTif, caplog: pytest.LogCaptureFixture) -> None:
    path = make_tif("a_20240305.tif", np.ones((4, 4, 5), np.uint8))
    epoch = open_epoch([path], date=dt.date(2024, 3, 6))
    assert epoch.civil_to == dt.date(2024, 3, 6)
    assert "2024-03-06 was given, the file names say 2024-03-05\n" in caplog.text


def test_quality_band_and_own_mask(make_tif: MakeTif, tmp_path: Path) -> None:
    for token in ("R10m/{}_B02_10m", "R20m/{}_SCL_20m", "R60m/{}_SCL_60m", "R20m/other_SCL_20m"):
        make_tif(f"s/{token.format(S2)}.tif", FLAT)
    scene = open_epoch([tmp_path / "s"]).scenes[0]
    assert scene.mask is not None
    assert (scene.mask.kind, scene.mask.path.name) == ("values", f"{S2}_SCL_20m.tif")
    mask = make_tif("m.tif", np.zeros((4, 5), np.uint8))
    scene = open_epoch([tmp_path / "s"], mask=mask).scenes[0]
    assert scene.mask is not None
    assert (scene.mask.kind, scene.mask.path) == ("bits", mask)
    with pytest.raises(RasterError, match="whole numbers"):
        open_epoch([tmp_path / "s"], mask=make_tif("f.tif", np.zeros((4, 5), np.float32)))


def test_truncated_files_are_found_at_once(
    make_tif: MakeTif, data_dir: Path, tmp_path: Path
) -> None:
    path = make_tif("whole.tif", np.ones((4, 300, 300), np.uint16))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RasterError, match=r"truncated[\s\S]*whole\.tif, band [\s\S]*fix"):
        open_epoch([path])
    for name in ("2000TM", "2000TM.HDR"):
        shutil.copy(data_dir / "taizhou_landsat" / name, tmp_path / name)
    envi = tmp_path / "2000TM"
    envi.write_bytes(envi.read_bytes()[:500_000])
    with pytest.raises(RasterError, match="2000TM"):
        open_epoch([envi])


def test_refusals_name_the_file(make_tif: MakeTif, tmp_path: Path) -> None:
    whole = make_tif("w.tif", np.ones((4, 4, 5), np.uint8))
    vrt = tmp_path / "v.tif"
    vrt.write_text(
        '<VRTDataset rasterXSize="5" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{whole}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(RasterError, match=r"virtual rasters \(VRT\) are refused"):
        open_epoch([vrt])
    for content, what in ((b"", "is empty"), (b"<html>log in</html>", "a text or web page")):
        (tmp_path / "t.tif").write_bytes(content)
        with pytest.raises(RasterError, match=what):
            open_epoch([tmp_path / "t.tif"])
    for remote in ("/vsicurl/http://example.org/a.tif", f"/vsizip/{whole}", "s3://b/a.tif"):
        with pytest.raises(RasterError, match="only local"):
            open_epoch([Path(remote)])
    for remote in ("http://example.org/a.tif", "https://user@127.0.0.1/a.tif"):
        with pytest.raises(RasterError, match=r"is not allowed[\s\S]*TUBAN_HOSTS"):
            open_epoch([Path(remote)])
    with pytest.raises(RasterError, match=r"no such raster file[\s\S]*missing\.tif"):
        open_epoch([tmp_path / "missing.tif"])
    text = tmp_path / "t.tif"
    text.write_text("not a raster")
    with pytest.raises(RasterError, match=r"cannot be opened[\s\S]*t\.tif"):
        open_epoch([text])


def test_ambiguous_folders(make_tif: MakeTif, tmp_path: Path) -> None:
    make_tif("two/a_B02.tif", FLAT)
    make_tif("two/b_B02.tif", FLAT)
    with pytest.raises(RasterError, match="2 scenes: a, b"):
        open_epoch([tmp_path / "two"])
    make_tif("twice/x_B02.tif", FLAT)
    make_tif("twice/sub/x_B02.tif", FLAT)
    with pytest.raises(RasterError, match="band B02 is there twice"):
        open_epoch([tmp_path / "twice"])
    make_tif("stacks/p.tif", FLAT)
    make_tif("stacks/q.tif", FLAT)
    with pytest.raises(RasterError, match="2 other rasters"):
        open_epoch([tmp_path / "stacks"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RasterError, match="no band files"):
        open_epoch([tmp_path / "empty"])


def test_a_scene_that_lacks_a_band_is_named(make_tif: MakeTif, tmp_path: Path) -> None:
    for folder, bands in (("one", ("B02", "B04")), ("two", ("B02",))):
        for band in bands:
            make_tif(f"{folder}/{folder}_{band}.tif", FLAT)
    with pytest.raises(RasterError, match=r"lacks the band red that one has[\s\S]*where: two"):
        open_epoch([tmp_path / "one", tmp_path / "two"])


def test_jp2_is_read(tmp_path: Path) -> None:
    path = tmp_path / f"{S2}_B04.jp2"
    values = np.arange(64 * 64, dtype=np.uint16).reshape(1, 64, 64)
    transform = rasterio.Affine(10, 0, 5e5, 0, -10, 4e6)
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", dtype="uint16", count=1, height=64, width=64,
        crs="EPSG:32650", transform=transform, QUALITY="100", REVERSIBLE="YES",
    ) as ds:  # fmt: skip
        ds.write(values)
    assert open_epoch([path]).bands == ("red",)


def test_a_file_that_refers_to_another_is_refused(make_tif: MakeTif, tmp_path: Path) -> None:
    path = make_tif("a.tif", np.ones((64, 64), np.uint8))
    other = make_tif("secret.tif", np.full((32, 32), 7, np.uint8))
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS">'
        f'<MDI key="OVERVIEW_FILE">{other}</MDI></Metadata></PAMDataset>'
    )
    with pytest.raises(RasterError, match="refers to another file"):
        open_epoch([path])


def test_one_bad_scene_of_many_is_set_aside(
    make_tif: MakeTif, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = make_tif("whole_20240305.tif", np.ones((4, 300, 300), np.uint16))
    torn = make_tif("torn_20240305.tif", np.ones((4, 300, 300), np.uint16))
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    epoch = open_epoch([torn, whole, tmp_path / "gone.tif"])
    assert [s.scene_id for s in epoch.scenes] == ["whole_20240305"]
    assert ["torn" in s.scene or "gone" in s.scene for s in epoch.set_aside] == [True, True]
    assert "truncated" in epoch.set_aside[0].reason
    assert "set aside" in caplog.text
    with pytest.raises(RasterError, match="truncated"):
        open_epoch([torn, tmp_path / "gone.tif"])


def test_images_of_one_date_in_two_systems_need_a_named_one(make_tif: MakeTif) -> None:
    first = make_tif("a.tif", np.ones((4, 30, 30), np.uint16))
    second = make_tif("b.tif", np.ones((4, 30, 30), np.uint16), crs="EPSG:32651", x=0.0)
    epoch = open_epoch([first, second])
    with pytest.raises(RasterError, match=r"2 reference systems[\s\S]*grid\.crs"):
        default_grid(epoch, epoch)
    assert default_grid(epoch, epoch, "EPSG:32650").crs == "EPSG:32650"
