"""Sensor files: names, roles, scales."""

import re

import pytest
from pydantic import ValidationError

from configs.bandroles import ROLES, role_of_wavelength
from configs.sensors import (
    SensorBand,
    SensorSpec,
    detect_sensor,
    sensor_names,
    sensor_spec,
)

DOCUMENT = re.compile(
    r"ESA, Sentinel-2 Products Specification Document \(S2-PDGS-TAS-DI-PSD\), issue 14\.9"
    r"|ESA, Sentinel-1 Product Specification \(S1-RS-MDA-52-7441\)"
    r"|U\.S\. Geological Survey, LSDS-\d{4} "
    r"\(Landsat \d-\d Collection 2 Level 2 Science Product Guide\)"
    r"|Standardization Administration of China, GB/T 38198-2019 \(format of optical data products"
)
"""Publisher, title and number, with version or year where the number does not stand for one."""

SIX_ROLES = ("generic", "landsat", "landsat_oli", "sentinel2", "sentinel2_harmonised")


@pytest.mark.parametrize("name", sensor_names())
def test_every_sensor_is_whole(name: str) -> None:
    spec = sensor_spec(name)
    roles = [b.role for b in spec.bands]
    assert len(set(roles)) == len(roles)
    seen = ROLES if name in SIX_ROLES else ROLES[:3]
    assert set(seen) <= set(roles) or spec.kind == "radar"
    assert DOCUMENT.search(spec.source) or name == "generic"
    is_seen_only = "File names as seen in public software: PRODUCT-" in spec.source
    assert is_seen_only == (spec.delivery is not None)
    for band in spec.bands:
        assert spec.band(band.name) is band
        assert spec.band(band.role) is band
        if band.role in ROLES and band.wavelength_um:
            assert role_of_wavelength(band.wavelength_um) == band.role
    for stack in spec.stacks:
        found = spec.stack(len(stack))
        assert found is not None
        assert tuple(b.name for b in found) == stack
    assert spec.stack(77) is None
    assert len({len(s) for s in spec.stacks}) == len(spec.stacks)


@pytest.mark.parametrize(
    ("name", "sensor"),
    [
        ("T49QCD_20161209T031122_B02.tif", "sentinel2"),
        ("S2A_OPER_MSI_L1C_TL_SGS__20160315T201048_A003809_T31UDP_B02", "sentinel2"),
        ("S2C_MSIL2A_20250305T030539_N0511_R075_T49QCD", "sentinel2"),
        ("LT05_L1TP_167055_20000309_20161214_01_T1", "landsat"),
        ("LE07_L2SP_119038_20030206", "landsat"),
        ("LT51670552010352MLK00_B6", "landsat"),
        ("LC09_L2SP_119038_20230206_20230310_02_T1_SR_B4", "landsat_oli"),
        ("2000TM", None),
        ("GF2_PMS1_E114.5_N36.7_20250612_L1A0001234567-MSS1.tiff", "gf2_pms"),
        ("GF1B_PMS_E114.5_N36.7_20250612_L1A1227", "gf1_pms"),
        ("GF6_PMS_E114.5_N36.7_20250612_L1A1119963704-MUX", "gf6_pms"),
        ("GF7_DLC_E114.5_N36.7_20250612_L1A0000852849-BWDMUX", "gf7_dlc"),
        ("ZY302_TMS_E114.5_N36.7_20250612_L1A0000840534-MUX", "zy3"),
        ("S1A_IW_GRDH_1SDV_20250305T102030_20250305T102055_058000_072B5C_1234.SAFE", "sentinel1"),
        ("GF1_WFV3_E113.0_N34.0_20220624_L1A0006547030", None),
    ],
)
def test_names_tell_the_sensor(name: str, sensor: str | None) -> None:
    assert detect_sensor(name) == sensor


def test_band_names_are_forgiving() -> None:
    spec = sensor_spec("sentinel2")
    assert {spec.band(n) for n in ("B2", "b02", "B02", "blue")} == {spec.bands[1]}
    assert spec.band("B13") is None


def test_scale_rules() -> None:
    spec = sensor_spec("sentinel2")
    assert spec.scale_of("x/S2B_MSIL2A_20230305_N0509_R075/B04.jp2").offset == -0.1
    assert spec.scale_of("x/S2B_MSIL2A_20200305_N0214_R075/B04.jp2").offset == 0.0
    assert sensor_spec("landsat").scale_of("LE07_L1TP_B4.TIF").scale == 1.0


def test_a_stack_of_unknown_bands_is_refused() -> None:
    with pytest.raises(ValidationError, match="no band 'B9'"):
        SensorSpec(
            title="x",
            attribution="",
            source="none",
            bands=(SensorBand(name="B1", role="red"),),
            stacks=(("B9",),),
        )


def test_a_misspelt_role_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ValidationError, match=r"no role 'nri' .*: did you mean 'nir'"):
        SensorBand(name="B1", role="nri")
    with pytest.raises(ValidationError, match=r"no role 'swir' .*: did you mean 'swir[12]'"):
        SensorBand(name="B1", role="red", stands_in_for="swir")
    assert SensorBand(name="B5", role="band5").role == "band5"
