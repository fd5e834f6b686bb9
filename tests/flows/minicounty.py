"""A county of 192 × 192 pixels, written in a moment: two images, a land-use map, an approval."""

import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import yaml
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

SIZE, PIXEL = 192, 10.0
WEST, NORTH = 500000.0, 4002560.0
CRS = "EPSG:32650"
APPROVAL_NUMBER = "鲁政土字〔2024〕7号"

CROP, WOOD, TOWN = (0.05, 0.08, 0.06, 0.36), (0.03, 0.05, 0.03, 0.26), (0.19, 0.21, 0.24, 0.27)
NEW_BUILDINGS = ((20, 30, 12, 14), (60, 120, 16, 10), (100, 20, 11, 22), (120, 130, 18, 18))
"""Row, column, height, width of what is built between the dates; the first is approved."""


def box(row: int, col: int, height: int, width: int) -> shapely.Polygon:
    """Return the outline of some pixels."""
    x, y = WEST + col * PIXEL, NORTH - row * PIXEL
    return shapely.box(x, y - height * PIXEL, x + width * PIXEL, y)


def build_mini(folder: Path) -> Path:
    """Write the county; return its config."""
    folder.mkdir(parents=True, exist_ok=True)
    parcels = []
    cover = np.zeros((SIZE, SIZE), np.uint8)
    for row in range(0, SIZE, 24):
        for col in range(0, SIZE, 32):
            kind = (
                2 if (row, col) in ((72, 64), (168, 160)) else int((row // 24 + col // 32) % 3 == 2)
            )
            cover[row : row + 24, col : col + 32] = kind
            parcels.append((kind, box(row, col, 24, 32)))
    before = paint(cover, 0)
    for row, col, height, width in NEW_BUILDINGS:
        cover[row : row + height, col : col + width] = 2
    write_image(folder / "before.tif", before)
    write_image(folder / "after.tif", paint(cover, 1))
    codes = ("0103", "0301", "0701")
    gpd.GeoDataFrame(
        {
            "BSM": [f"{i:04d}" for i in range(len(parcels))],
            "DLBM": [codes[kind] for kind, _ in parcels],
            "ZLDWMC": ["临淄区"] * len(parcels),
        },
        geometry=[shape for _, shape in parcels],
        crs=CRS,
    ).to_file(folder / "landuse.gpkg", index=False)
    approved = box(*NEW_BUILDINGS[0]).buffer(30, join_style="mitre")
    write_approvals(folder / "approval.shp", {APPROVAL_NUMBER: approved})
    return write_config(folder)


def write_approvals(path: Path, shapes: dict[str, shapely.Polygon | None]) -> None:
    """Write approvals as a Shapefile in GBK that does not tell its encoding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gpd.GeoDataFrame(
            {"PWH": list(shapes), "PZRQ": ["2024-12-01"] * len(shapes)},
            geometry=list(shapes.values()),
            crs=CRS,
        ).to_file(path, encoding="GBK", index=False)
    path.with_suffix(".cpg").unlink(missing_ok=True)


def write_config(folder: Path, **changes: object) -> Path:
    """Write the config and the layers file, with changes at the top of the config."""
    layers = [
        {"role": "landuse", "source": "landuse.gpkg", "complete": True},
        {"role": "approval", "source": "approval.shp", "encoding": "GBK", "complete": True},
    ]
    (folder / "LAYERS.yaml").write_text(yaml.safe_dump({"version": 1, "layers": layers}))
    config = {
        "name": "mini",
        "area": {"county_code": "370305", "county_name": "小县"},
        "before": {"scenes": ["before.tif"], "date": "2025-04-18"},
        "after": {"scenes": ["after.tif"], "date": "2025-09-06"},
        "layers": "LAYERS.yaml",
        "detection": {"method": "cva"},
        "landcover": {"trees": 5, "max_depth": 6, "samples_per_class": 100},
        "outputs": {"evidence": 1},
        **changes,
    }
    path = folder / "mini.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


def paint(cover: NDArray[np.uint8], date: int) -> NDArray[np.float32]:
    """Return four bands: the cover's reflectance with a texture that stays, and noise."""
    lasting, passing = np.random.default_rng(1), np.random.default_rng(2 + date)
    texture = ndimage.gaussian_filter(lasting.standard_normal((4, *cover.shape)), (0, 1.2, 1.2))
    noise = passing.standard_normal((4, *cover.shape))
    colours = np.array([CROP, WOOD, TOWN], np.float32)
    image = colours[cover].transpose(2, 0, 1) * (1 + 0.35 * texture) + 0.003 * noise
    return image.clip(0.001, 1).astype(np.float32)


def write_image(path: Path, bands: NDArray[np.float32], crs: str | None = CRS) -> None:
    """Write bands as a GeoTIFF of the county."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="float32",
        count=len(bands),
        height=bands.shape[1],
        width=bands.shape[2],
        crs=crs,
        transform=Affine(PIXEL, 0, WEST, 0, -PIXEL, NORTH),
        tiled=True,
        blockxsize=64,
        blockysize=64,
    ) as raster:
        raster.write(bands)


def compress_image(path: Path) -> None:
    """Write an image again in compressed blocks of 64 pixels, all bands of a block together."""
    with rasterio.open(path) as raster:
        profile = raster.profile | {"compress": "zstd", "interleave": "pixel"}
        bands = raster.read()
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(bands)


def spoil_block(path: Path, row: int, col: int) -> None:
    """Make a block of a compressed image unreadable, in place: the size of the file stays."""
    with rasterio.open(path) as raster:
        offset = int(raster.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(64))
