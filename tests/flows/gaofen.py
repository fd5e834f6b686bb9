"""Two GF-2 deliveries of one hilly place as the supplier writes them, and its One-Map layers."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage

from tests.flows.minicounty import CROP, TOWN, WOOD, write_approvals, write_config
from tests.tiles.rawimage import Array, Camera, write_dem, write_raw

LON, LAT, CRS = 117.5, 36.7, "EPSG:32650"
SIDE_M, PIXEL_M = 512.0, 0.8
PRODUCTS = (
    "GF2_PMS1_E117.5_N36.7_20240418_L1A0007654321",
    "GF2_PMS1_E117.5_N36.7_20250906_L1A0008765432",
)
DAYS = ("2024-04-18", "2025-09-06")
WEIGHTS = (0.12, 0.33, 0.35, 0.2)
NEW = ((-105.0, 60.0, 62.0, 50.0), (30.0, -40.0, 55.0, 60.0))
"""West, north, width, height in metres from the middle; the first is approved."""

TO_MAP = Transformer.from_crs(4326, CRS, always_xy=True)
WEST, NORTH = (float(v) for v in TO_MAP.transform(LON, LAT))


def hills(lon: Array, lat: Array) -> Array:
    """Return heights of 170 to 230 m."""
    x, y = (lon - LON) * 89000, (lat - LAT) * 111000
    return 200 + 22 * np.sin(x / 95) * np.cos(y / 120) + 8 * np.sin((x + 2 * y) / 150)


def box(west: float, north: float, width: float, height: float) -> shapely.Polygon:
    """Return an outline from metres around the middle."""
    x, y = WEST + west, NORTH + north
    return shapely.box(x, y - height, x + width, y)


def build_gaofen(folder: Path) -> Path:
    """Write deliveries, elevation, layers and config; return the config."""
    size = round(SIDE_M / PIXEL_M)
    steps = np.arange(size) // 75
    cover = ((steps[:, None] * 2 + steps[None] * 3) % 7 % 3).astype(np.uint8)
    cover[cover == 2] = 0
    cover[: 75 * 2, : 75 * 2] = 2
    write_layers(folder, cover)
    for date, (product, look) in enumerate(zip(PRODUCTS, (0.35, -0.22), strict=True)):
        for west, north, width, height in NEW if date else ():
            rows = slice(*(round((SIDE_M / 2 - v) / PIXEL_M) for v in (north, north - height)))
            cols = slice(*(round((SIDE_M / 2 + v) / PIXEL_M) for v in (west, west + width)))
            cover[rows, cols] = 2
        write_delivery(folder / product, product, DAYS[date], paint(cover, date), look)
    write_dem(folder / "dem.tif", hills, (LON - 0.01, LAT - 0.01, LON + 0.01, LAT + 0.01))
    return write_config(
        folder,
        before={"scenes": [PRODUCTS[0]]},
        after={"scenes": [PRODUCTS[1]]},
        terrain={"dem": "dem.tif"},
        grid={"resolution": 1.6},
    )


def paint(cover: NDArray[np.uint8], date: int) -> NDArray[np.float32]:
    """Return stored values of the ground at 0.8 m."""
    lasting, passing = np.random.default_rng(1), np.random.default_rng(2 + date)
    shape = (4, *cover.shape)
    texture = ndimage.gaussian_filter(lasting.standard_normal(shape), (0, 3, 3)) * 6
    noise = passing.standard_normal(shape)
    colours = np.array([CROP, WOOD, TOWN], np.float32)[cover].transpose(2, 0, 1)
    return (2000 * colours * (1 + 0.25 * texture.clip(-2, 2)) + 4 * noise).astype(np.float32)


def write_delivery(
    folder: Path, product: str, day: str, ground: NDArray[np.float32], look: float
) -> None:
    """Write the panchromatic and the multispectral image as seen by one pushbroom."""
    pan = Camera(LON, LAT, 480, 480, PIXEL_M, look)
    coarse = Camera(LON, LAT, 120, 120, 4 * PIXEL_M, look)
    east, north = TO_MAP.transform(*pan.ground(hills))
    places = [
        (NORTH + SIDE_M / 2 - north) / PIXEL_M - 0.5,
        (east - WEST + SIDE_M / 2) / PIXEL_M - 0.5,
    ]
    seen = np.stack(
        [ndimage.map_coordinates(band, places, order=1, mode="nearest") for band in ground]
    )
    bands = seen.reshape(4, 120, 4, 120, 4).mean(axis=(2, 4))
    sheet = np.tensordot(np.array(WEIGHTS), seen, 1)[None]
    for kind, camera, image in (("MSS1", coarse, bands), ("PAN1", pan, sheet)):
        stem = folder / f"{product}-{kind}"
        write_raw(stem.with_name(f"{stem.name}.tiff"), image.round().astype(np.uint16))
        camera.write_rpb(stem.with_name(f"{stem.name}.rpb"))
        write_metadata(stem.with_name(f"{stem.name}.xml"), day, image.shape)


def write_metadata(path: Path, day: str, shape: tuple[int, ...]) -> None:
    """Write the supplier's XML."""
    bands = ",".join(str(i + 1) for i in range(shape[0]))
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<ProductMetaData>\n'
        "<SatelliteID>GF2</SatelliteID><SensorID>PMS1</SensorID>"
        f"<CenterTime>{day} 11:20:31</CenterTime><ProductLevel>LEVEL1A</ProductLevel>"
        f"<Bands>{bands}</Bands><CloudPercent>2</CloudPercent><SolarZenith>31.5</SolarZenith>"
        f"<WidthInPixels>{shape[2]}</WidthInPixels><HeightInPixels>{shape[1]}</HeightInPixels>\n"
        "</ProductMetaData>\n",
        encoding="utf-8",
    )


def write_layers(folder: Path, cover: NDArray[np.uint8]) -> None:
    """Write the land-use map of the first date and one approval."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = ("0103", "0301", "0701")
    rows = []
    for row in range(0, cover.shape[0], 75):
        for col in range(0, cover.shape[1], 75):
            height = min(75, cover.shape[0] - row) * PIXEL_M
            width = min(75, cover.shape[1] - col) * PIXEL_M
            corner = (col * PIXEL_M - SIDE_M / 2, SIDE_M / 2 - row * PIXEL_M)
            rows.append((codes[cover[row, col]], box(*corner, width, height)))
    gpd.GeoDataFrame(
        {
            "BSM": [f"{i:04d}" for i in range(len(rows))],
            "DLBM": [code for code, _ in rows],
            "ZLDWMC": ["山村"] * len(rows),
        },
        geometry=[shape for _, shape in rows],
        crs=CRS,
    ).to_file(folder / "landuse.gpkg", index=False)
    approved = box(*NEW[0]).buffer(8, join_style="mitre")
    write_approvals(folder / "approval.shp", {"鲁政土字〔2024〕7号": approved})
