"""A made-up valley in a series of images: season, clouds, gaps, a dug-up parcel, a drying one."""

import datetime as dt
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from rasterio.transform import Affine

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "monitoring.md"
CONFIG = "reserve.yaml"

ROWS, COLS, SIDE = 80, 96, 24
WEST, NORTH = 399_360.0, 4_101_120.0
CRS = "EPSG:32650"
FIRST, HISTORY_END, LAST = dt.date(2019, 1, 3), dt.date(2020, 12, 31), dt.date(2021, 10, 20)
STEP = 15
"""Days between two dates."""

PLANTED = dt.date(2021, 6, 1)
DUG, DRYING = 3, 4
"""Numbers of the parcel with the planted drop and of the one with a trend."""


def parcel_box(number: int) -> tuple[int, int, int, int]:
    """Return rows and columns of a parcel: first, behind the last."""
    row, col = 6 + (number // 3) * 36, 6 + (number % 3) * 30
    return row, col, row + SIDE, col + SIDE


def ndvi_on(day: dt.date, rng: np.random.Generator) -> np.ndarray:
    years = (day - FIRST).days / 365.25
    season = 0.55 + 0.2 * np.sin(2 * np.pi * (years - 0.3)) + 0.04 * np.sin(4 * np.pi * years)
    ndvi = np.full((ROWS, COLS), season) + rng.normal(0, 0.02, (ROWS, COLS))
    r0, c0, r1, c1 = parcel_box(DRYING)
    ndvi[r0:r1, c0:c1] -= 0.06 * years
    if day >= PLANTED:
        r0, c0, r1, c1 = parcel_box(DUG)
        ndvi[r0:r1, c0:c1] -= 0.3
    return ndvi


def write_scene(folder: Path, day: dt.date) -> Path:
    """Write one date as a folder of bands with its scene classification."""
    rng = np.random.default_rng(day.toordinal())
    ndvi = ndvi_on(day, rng)
    red = np.full((ROWS, COLS), 0.06)
    nir = red * (1 + ndvi) / (1 - ndvi)
    scl = np.full((ROWS, COLS), 4, np.uint8)
    if rng.random() < 0.4:
        row, col = rng.integers(0, ROWS - 20), rng.integers(0, COLS - 30)
        tall, wide = (ROWS, COLS) if rng.random() < 0.3 else (30, 45)
        scl[row : row + tall, col : col + wide] = 9
        red[row : row + tall, col : col + wide] = nir[row : row + tall, col : col + wide] = 0.5
    planes = {"B04": np.rint(red * 10_000), "B08": np.rint(nir * 10_000), "SCL": scl}
    if rng.random() < 0.2:  # the edge of the swath
        for plane in planes.values():
            plane[:, : COLS // 3] = 0
    name = f"T50SKA_{day:%Y%m%d}T030541"
    home = folder / f"S2A_MSIL2A_{day:%Y%m%d}T030541_N0214_R075_T50SKA_{day:%Y%m%d}T080000"
    home.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "height": ROWS, "width": COLS, "count": 1, "crs": CRS}
    profile |= {"transform": Affine(10, 0, WEST, 0, -10, NORTH)}
    for band, plane in planes.items():
        kind = "uint8" if band == "SCL" else "uint16"
        with rasterio.open(home / f"{name}_{band}.tif", "w", dtype=kind, **profile) as ds:
            ds.write(plane.astype(kind), 1)
    return home


def dates() -> list[dt.date]:
    return [FIRST + dt.timedelta(days=STEP * k) for k in range((LAST - FIRST).days // STEP + 1)]


def write_valley(folder: Path) -> dict[dt.date, Path]:
    """Write all scenes, the layer of parcels and the config; return the scenes by date."""
    scenes = {day: write_scene(folder / "scenes", day) for day in dates()}
    shapes = []
    for number in range(6):
        r0, c0, r1, c1 = parcel_box(number)
        west, north = WEST + 10 * c0, NORTH - 10 * r0
        shapes.append(shapely.box(west, north - 10 * (r1 - r0), west + 10 * (c1 - c0), north))
    names = {"DKBH": [f"CB-{n}" for n in range(6)], "XMMC": [f"储备地块{n}" for n in range(6)]}
    table = gpd.GeoDataFrame(names, geometry=shapes, crs=CRS)
    table.to_file(folder / "parcels.gpkg", driver="GPKG", engine="pyogrio")
    (folder / CONFIG).write_text(page_blocks("yaml")[0], encoding="utf-8")
    return scenes


def page_blocks(language: str = "") -> list[str]:
    """Return the blocks of a language of the how-to page."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]
