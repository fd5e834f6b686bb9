"""A pair of Sentinel-2-like scenes of any size, with layers: what scaling is measured on.

Run ``python -m benchmarks.scenes FOLDER --size 4096``. Everything follows from a hash of the place
of a pixel, so a larger pair holds the smaller one, and blocks are written one by one: memory does
not grow with the size. Ground: tracts of one use (cropland above all) cut into strips of fields
with their own crops, villages, woods and ponds; textures that stay; crops that turn and stand less
far at the later date; another light, haze and sensor noise at each date. Every cell of 54 x 54
pixels holds one true change, 343 per million pixels, four of five of them of 10 to 50 pixels. Files
are as Sentinel-2 is handed out in the cloud: deflate with predictor, tiles of 512 x 512, bands
pixel by pixel. Layers: a land-use map of the tracts, basic farmland, red line, townships, and
approvals of an eighth of the new buildings; with ``--approvals N`` approvals of drawn places follow
until there are N.
"""

import argparse
import math
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine
from numba import njit, prange
from numpy.typing import NDArray
from rasterio.windows import Window

from tiles.grid import splitmix64

BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")
WEST, NORTH, PIXEL, CRS = 300_000.0, 4_100_000.0, 10.0, "EPSG:32650"
DAYS = ("2024-04-18", "2025-04-13")
BLOCK, CHANGE, TRACT, FIELDS, TOWNSHIP = 512, 54, 128, 64, 2048

CROP, WOOD, GRASS, TOWN, WATER = range(5)
CODES = ("0103", "0301", "0404", "0701", "1104")
"""Land-use code of each kind of tract."""

COLOURS = np.array(
    [
        [520, 800, 650, 3500, 1950, 1150],  # wheat
        [900, 1200, 1450, 2350, 2950, 2450],  # ploughed
        [600, 900, 900, 2700, 2350, 1600],  # sown late
        [300, 500, 350, 2800, 1500, 800],  # wood
        [620, 880, 930, 2350, 2450, 1650],  # grass
        [1850, 2050, 2200, 2550, 2650, 2500],  # village
        [600, 700, 500, 320, 160, 110],  # water
        [2150, 2350, 2500, 2800, 2850, 2700],  # new roofs and concrete
        [1300, 1700, 2150, 2850, 3500, 3150],  # stripped earth
    ],
    np.float32,
)
"""Reflectance x 10 000 by band: 0-2 crops, 3-6 the other tracts, 7 and 8 what is built or dug."""

LATE = (np.float32(0.04), np.float32(0.08))
"""How far fields are from their stage of a year before: least, and how much fields differ."""


@njit(inline="always")
def _mix(a: np.int64, b: np.int64, seed: np.int64) -> np.uint64:
    x = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xC2B2AE3D27D4EB4F)
    x += np.uint64(seed) * np.uint64(0x165667B19E3779F9)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(inline="always")
def _unit(x: np.uint64, part: int) -> np.float32:
    """Return 0 to 1 from 16 bits of a hash."""
    return np.float32((x >> np.uint64(16 * part)) & np.uint64(0xFFFF)) / np.float32(65536)


@njit(inline="always")
def _tract(row: np.int64, col: np.int64) -> int:
    u = _unit(_mix(row, col, 1), 0)
    if u < 0.66:
        return 0
    if u < 0.80:
        return 1
    if u < 0.88:
        return 2
    return 3 if u < 0.96 else 4


@njit
def _change(row: np.int64, col: np.int64) -> tuple[int, int, int, int, int]:
    """Return row, column, height and width of the change in a cell, and what it shows."""
    h = _mix(row, col, 2)
    u, v = _unit(h, 0), _unit(h, 1)
    # many small ones, few large ones
    side = 3.2 + 4.0 * u if u < 0.8 else 6.5 + 10.0 * (u - 0.8) / 0.2
    if u > 0.985:
        side = 36.0
    wide = 0.6 + 0.9 * v
    height = min(48, max(3, int(side / wide + 0.5)))
    width = min(48, max(3, int(side * wide + 0.5)))
    g = _mix(row, col, 3)
    top = row * CHANGE + 2 + int(_unit(g, 0) * (CHANGE - 4 - height + 0.99))
    left = col * CHANGE + 2 + int(_unit(g, 1) * (CHANGE - 4 - width + 0.99))
    w = _unit(g, 2)
    kind = 7 if w < 0.7 else 8 if w < 0.9 else 6
    return top, left, height, width, kind


@njit(inline="always")
def _texture(row: np.int64, col: np.int64, step: np.int64, seed: np.int64) -> np.float32:
    """Return smooth noise, -1 to 1, that is the same at every date."""
    r, c = row // step, col // step
    y, x = np.float32(row - r * step) / step, np.float32(col - c * step) / step
    a, b = _unit(_mix(r, c, seed), 0), _unit(_mix(r, c + 1, seed), 0)
    e, f = _unit(_mix(r + 1, c, seed), 0), _unit(_mix(r + 1, c + 1, seed), 0)
    top, low = a + (b - a) * x, e + (f - e) * x
    return 2 * (top + (low - top) * y) - 1


@njit(parallel=True, cache=True)
def paint(row0: int, col0: int, height: int, width: int, date: int, colours, out) -> None:
    """Paint a block of a date: bands x rows x columns of uint16."""
    for i in prange(height):
        row = row0 + i
        last_cell, last_plot = np.int64(-1), np.int64(-1)
        top, left, tall, wide, what = 0, 0, 0, 0, 0
        kind, strip, by_row, plot = 0, 1, True, np.uint64(0)
        for j in range(width):
            col = col0 + j
            if col // CHANGE != last_cell:
                last_cell = col // CHANGE
                top, left, tall, wide, what = _change(row // CHANGE, last_cell)
            if col // FIELDS != last_plot:
                last_plot = col // FIELDS
                kind = _tract(row // TRACT, col // TRACT)
                plot = _mix(row // FIELDS, last_plot, 4)
                strip, by_row = 8 + int(_unit(plot, 0) * 14), _unit(plot, 1) < 0.5
            along = row % FIELDS if by_row else col - last_plot * FIELDS
            number = along // strip
            field = _mix(row // FIELDS * 8 + number, last_plot, 5)
            base, rough, turn = kind + 2, np.float32(0.05), np.float32(0.0)
            stage, toward = np.float32(0.0), base
            if kind == CROP:
                crop = _unit(field, 0)
                base = 0 if crop < 0.7 else 1 if crop < 0.85 else 2
                if along == number * strip and _unit(field, 2) < 0.3:
                    base = 1
                year = _mix(row // FIELDS * 8 + number, last_plot, 6 + date)
                turn = np.float32(0.12) * (_unit(year, 0) - np.float32(0.5))
                if date == 1:
                    stage = LATE[0] + LATE[1] * _unit(field, 3)
                    toward = 1 if base == 0 else 0
            elif kind == TOWN:
                rough = np.float32(0.25)
            if date == 1 and top <= row < top + tall and left <= col < left + wide:
                base, rough, turn = what, np.float32(0.10), np.float32(0.0)
                stage = np.float32(0.0)
            stays = np.float32(0.6) * _texture(row, col, 5, 8)
            stays += np.float32(0.4) * (2 * _unit(_mix(row, col, 9), 0) - 1)
            light = (
                1 + rough * stays + turn + np.float32(0.05) * (_unit(field, 1) - np.float32(0.5))
            )
            gain, haze = (
                (np.float32(1.05), np.float32(40)) if date else (np.float32(1), np.float32(0))
            )
            for k in range(6):
                n = _mix(row * 8 + k, col, 10 + date)
                noise = _unit(n, 0) + _unit(n, 1) + _unit(n, 2) + _unit(n, 3) - np.float32(2)
                colour = colours[base, k] + stage * (colours[toward, k] - colours[base, k])
                value = (colour * light + np.float32(45) * noise) * gain + haze
                out[k, i, j] = np.uint16(max(np.float32(1), min(np.float32(10000), value)))


def write_scene(path: Path, size: int, date: int) -> None:
    """Write one date, block by block."""
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "uint16",
        "count": len(BANDS),
        "height": size,
        "width": size,
        "crs": CRS,
        "transform": Affine(PIXEL, 0, WEST, 0, -PIXEL, NORTH),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "zlevel": 6,
        "predictor": 2,
        "nodata": 0,
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
    }
    part = path.with_suffix(".part.tif")
    with rasterio.Env(GDAL_CACHEMAX=64), rasterio.open(part, "w", **profile) as raster:
        raster.descriptions = BANDS
        for row in range(0, size, BLOCK):
            for col in range(0, size, BLOCK):
                tall, wide = min(BLOCK, size - row), min(BLOCK, size - col)
                block = np.empty((len(BANDS), tall, wide), np.uint16)
                paint(row, col, tall, wide, date, COLOURS, block)
                raster.write(block, window=Window(col, row, wide, tall))
    part.replace(path)


def _boxes(row: Any, col: Any, height: Any, width: Any) -> NDArray[np.object_]:
    x, y = WEST + np.asarray(col) * PIXEL, NORTH - np.asarray(row) * PIXEL
    low = y - np.asarray(height) * PIXEL
    return np.asarray(shapely.box(x, low, x + np.asarray(width) * PIXEL, y))


def _table(geometry: NDArray[np.object_], **columns: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=CRS)


def write_layers(folder: Path, size: int, approvals: int = 0) -> Path:
    """Write the layers of a pair and ``LAYERS.yaml``."""
    n = math.ceil(size / TRACT)
    rows, cols = (a.ravel() for a in np.mgrid[:n, :n])
    kind = np.array([_tract(r, c) for r, c in zip(rows, cols, strict=True)])
    at = rows * TRACT, cols * TRACT
    tall, wide = np.minimum(TRACT, size - at[0]), np.minimum(TRACT, size - at[1])
    tracts = _boxes(*at, tall, wide)
    ids = np.array([f"{r:03d}{c:03d}" for r, c in zip(rows, cols, strict=True)])
    chance = splitmix64(rows, cols, 11).astype(np.float64) / 2.0**64
    basic, red = (kind == CROP) & (chance < 0.7), (kind == WOOD) & (chance < 0.3)
    towns = math.ceil(size / TOWNSHIP)
    trow, tcol = (a.ravel() for a in np.mgrid[:towns, :towns])
    names = [f"{99000000 + 1000 * r + c}" for r, c in zip(trow, tcol, strict=True)]
    rest = size - trow * TOWNSHIP, size - tcol * TOWNSHIP
    outlines = _boxes(
        trow * TOWNSHIP, tcol * TOWNSHIP, *(np.minimum(TOWNSHIP, one) for one in rest)
    )
    tables = {
        "landuse": _table(tracts, BSM=ids, DLBM=np.array(CODES)[kind]),
        "basic_farmland": _table(tracts[basic], BSM=ids[basic]),
        "redline": _table(tracts[red], BSM=ids[red]),
        "division": _table(outlines, XZQDM=names, XZQMC=[f"第{n[-6:]}镇" for n in names]),
        "approval": _approvals(size, approvals),
    }
    lines = ["version: 1", "layers:"]
    for role, table in tables.items():
        table.to_file(folder / f"{role}.gpkg", index=False)
        lines.append(f"  - {{role: {role}, source: {role}.gpkg, complete: true}}")
    path = folder / "LAYERS.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _approvals(size: int, count: int = 0) -> gpd.GeoDataFrame:
    """Return approvals of an eighth of the new buildings, two pixels larger all round.

    Up to `count` follow of drawn places, of 4 to 20 pixels a side: most approvals of a county are
    not where the ground changes this year.
    """
    n = math.ceil(size / CHANGE)
    rows, cols = (a.ravel() for a in np.mgrid[:n, :n])
    chosen = splitmix64(rows, cols, 12) % np.uint64(8) == 0
    found = [_change(r, c) for r, c in zip(rows[chosen], cols[chosen], strict=True)]
    found = [f for f in found if f[4] == 7]
    top, left, tall, wide = (np.array([f[i] for f in found]) for i in range(4))
    shapes = _boxes(top - 2, left - 2, tall + 4, wide + 4)
    more = np.arange(max(0, count - len(found)))
    drawn = [splitmix64(more, np.full_like(more, k), 13) for k in range(4)]
    tall, wide = ((4 + d % np.uint64(17)).astype(np.int64) for d in drawn[2:])
    top, left = ((d % np.uint64(size - 20)).astype(np.int64) for d in drawn[:2])
    shapes = np.concatenate([shapes, _boxes(top, left, tall, wide)])
    numbers = [f"土批〔2024〕{i + 1}号" for i in range(len(shapes))]
    return _table(shapes, PWH=numbers, PZRQ=["2024-02-01"] * len(shapes))


CONFIG = """\
name: scaling-{size}
area: {{county_code: "990000", county_name: 测试省}}
sensor: sentinel2_harmonised
before: {{scenes: [{before}], date: {days[0]}}}
after: {{scenes: [{after}], date: {days[1]}}}
layers: {layers}
clouds: {{search: never}}
outputs: {outputs}
"""

OUTPUTS = "{formats: [xlsx, gpkg], evidence: 200, pictures: 200}"


def build_pair(folder: Path, size: int, approvals: int = 0, outputs: str = OUTPUTS) -> Path:
    """Write what is missing of a pair of `size` x `size` pixels; return its config."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for date in (0, 1):
        path = folder / f"{('before', 'after')[date]}-{size}.tif"
        if not path.is_file():
            write_scene(path, size, date)
        names.append(path.name)
    layers = folder / (f"layers-{size}-{approvals}" if approvals else f"layers-{size}")
    if not (layers / "LAYERS.yaml").is_file():
        layers.mkdir(exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_layers(layers, size, approvals)
    config = folder / f"scaling-{size}.yaml"
    text = CONFIG.format(
        size=size,
        before=names[0],
        after=names[1],
        days=DAYS,
        layers=f"{layers.name}/LAYERS.yaml",
        outputs=outputs,
    )
    config.write_text(text, encoding="utf-8")
    return config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, nargs="+", default=[2048])
    parser.add_argument("--approvals", type=int, default=0)
    told = parser.parse_args()
    for size in told.size:
        print(build_pair(told.folder, size, told.approvals), flush=True)


if __name__ == "__main__":
    main()
