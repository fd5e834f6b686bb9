"""Every family of deliveries in its layout: catalog build, check."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import yaml
from typer.testing import CliRunner

from flows.cli.app import build_app
from tests.tiles.deliverymade import CRS, gaofen, landsat, reflectance, write

RAW = {
    "gf1_pms": ("GF1_PMS1_E117.5_N36.7_{day}_L1A0001234567", "MSS1", "PAN1"),
    "gf1_pms D": ("GF1D_PMS_E117.5_N36.7_{day}_L1A1257351301", "MUX", "PAN"),
    "gf2_pms": ("GF2_PMS2_E117.5_N36.7_{day}_L1A0001234567", "MSS2", "PAN2"),
    "gf6_pms": ("GF6_PMS_E117.5_N36.7_{day}_L1A1119963704", "MUX", "PAN"),
    "gf7_dlc": ("GF7_DLC_E117.5_N36.7_{day}_L1A0000852849", "BWDMUX", "BWDPAN"),
    "zy3": ("ZY302_PMS_E117.5_N36.7_{day}_L1A0000840534", "MUX", "NAD"),
}
LANDSAT = {
    "landsat_oli": "LC09_L2SP_119038_{day}_20250901_02_T1",
    "landsat": "LE07_L1TP_119038_{day}_20250901_02_T1",
}
DAYS = ("2024-06-12", "2025-06-18")
SIX = "blue, green, red, nir, swir1, swir2"


def tuban(*args: object) -> str:
    result = CliRunner().invoke(build_app(), ["--quiet", *map(str, args)])
    assert result.exit_code == 0, result.output
    return result.stdout


def deliver(folder: Path, family: str, day: str, values: np.ndarray) -> None:
    number = day.replace("-", "")
    if family in RAW:
        product, image, pan = RAW[family]
        gaofen(folder, product.format(day=number), image, pan, day)
    elif family in LANDSAT:
        landsat(folder, values, LANDSAT[family].format(day=number))
    else:
        write(folder / f"flight_{number}.tif", (values * 1e4).astype(np.uint16), 10.0)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("family", [*RAW, *LANDSAT, "generic"])
def test_a_family_goes_by_the_catalogue_into_a_check(tmp_path: Path, family: str):
    for number, day in enumerate(DAYS):
        deliver(tmp_path / "in", family, day, reflectance(seed=number))
    rows = tuban("catalog", "build", tmp_path / "in", "-o", tmp_path / "catalog").splitlines()
    assert [row.split("\t")[:2] for row in rows] == [[day, family.split()[0]] for day in DAYS]
    first, second = (row.split("\t")[-1] for row in rows)
    whole = gpd.GeoDataFrame(
        {"BSM": ["1"], "DLBM": ["0103"]}, geometry=[shapely.box(0, 3e6, 1e6, 5e6)], crs=CRS
    )
    whole.to_file(tmp_path / "landuse.gpkg", index=False)
    layers = [{"role": "landuse", "source": "landuse.gpkg", "complete": True}]
    (tmp_path / "LAYERS.yaml").write_text(yaml.safe_dump({"version": 1, "layers": layers}))
    values = {
        "name": "family",
        "before": {"scenes": [first]},
        "after": {"scenes": [second]},
        "layers": "LAYERS.yaml",
    } | ({"terrain": {"height_m": 100.0}} if family in RAW else {})
    config = tmp_path / "family.yaml"
    config.write_text(yaml.safe_dump(values))
    told = tuban("check", config)
    assert f"bands {'blue, green, red, nir' if family in RAW else SIX}, " in told
    assert f"{DAYS[0]} → {DAYS[1]}" in told
    # Panchromatic images are found through the item: the grid has their pixel.
    assert ("0.8 m" in told) == (family in RAW)
