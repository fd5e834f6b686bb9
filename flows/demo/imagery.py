"""The two images of the demo county, rendered from its parcels.

Every band is rendered at half the pixel size, seen through the atmosphere, blurred by the sensor,
shifted, averaged to pixels, and given noise. Materials, mosaics and texture stay the same at both
dates; crops, brightness, haze, gain, clouds and the pointing of the sensor do not.
"""

import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import rasterio.features
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject, transform_bounds
from scipy import ndimage

from flows.demo.changes import Change
from flows.demo.clouds import Sky
from flows.demo.land import Frame
from flows.demo.settings import AFTER, BEFORE, Difficulty
from flows.demo.spectra import BANDS, LOOKS, SOIL, material_index, material_table
from tiles.grid import splitmix64

__all__ = [
    "PSEUDO_MATERIALS",
    "Scenery",
    "render_pair",
    "scene_name",
    "transform_of",
    "write_raster",
]

FINE = 2
"""Rendered pixels along one side of an image pixel."""

BLUR_PX = {"B02": 0.42, "B03": 0.42, "B04": 0.42, "B08": 0.45, "B11": 0.8, "B12": 0.8}
"""Standard deviation of the sensor's blur in image pixels; the SWIR bands come from 20 m."""

GAIN = {"B02": 1.08, "B03": 1.06, "B04": 1.04, "B08": 0.93, "B11": 1.08, "B12": 1.06}
OFFSET = {"B02": 0.006, "B03": 0.004, "B04": 0.003, "B08": 0.002, "B11": 0.002, "B12": 0.001}
HAZE = {"B02": 0.016, "B03": 0.011, "B04": 0.008, "B08": 0.004, "B11": 0.001, "B12": 0.001}

PSEUDO_MATERIALS: dict[str, tuple[str, str]] = {
    "harvest": ("wheat", "stubble"),
    "film_mulch": ("wheat", "mulch"),
    "flooded_paddy": ("wheat", "flooded"),
    "sown": ("tilled", "maize"),
    "ploughed": ("wheat", "tilled"),
}
"""What fields that only look changed show at the two dates."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Scenery:
    """Everything that is to be seen.

    Attributes
    ----------
    frame : Frame
    land : GeoDataFrame
        Parcels.
    changes : list of Change
    pseudo : dict of int to str
        Parcel number and key of `PSEUDO_MATERIALS`.
    skies : tuple of Sky
        Clouds and shadows of the two dates.
    level : Difficulty
    seed : int
    """

    frame: Frame
    land: gpd.GeoDataFrame
    changes: list[Change]
    pseudo: dict[int, str]
    skies: tuple[Sky, Sky]
    level: Difficulty
    seed: int


@dataclass
class _Ground:
    """Fine rasters of one date: what lies where."""

    material: NDArray[np.uint8]
    share: Array
    bright: Array


def transform_of(frame: Frame, fine: int = 1) -> Affine:
    """Return the affine transform of the image, or of a raster `fine` times finer."""
    step = frame.pixel_m / fine
    return Affine(step, 0, frame.west, 0, -step, frame.north)


def _field(shape: tuple[int, int], sigmas: tuple[float, ...], rng: np.random.Generator) -> Array:
    """Return smooth noise of unit variance, the mean of several scales."""
    total = np.zeros(shape, np.float32)
    for sigma in sigmas:
        coarse = max(1, int(sigma / 3))
        small = tuple(-(-n // coarse) + 2 for n in shape)
        noise = ndimage.gaussian_filter(
            rng.standard_normal(small, dtype=np.float32), sigma / coarse, mode="wrap"
        )
        if coarse > 1:
            noise = ndimage.zoom(noise, coarse, order=1)
        noise = noise[: shape[0], : shape[1]]
        total += (noise - noise.mean()) / noise.std()
    return np.asarray(total / total.std(), np.float32)


def _mosaic(
    rows: NDArray[np.intp], cols: NDArray[np.intp], names: tuple[str, ...], cell: int, seed: int
) -> NDArray[np.uint8]:
    """Return the material of fine pixels of a mosaic: one draw per cell, the same at both dates."""
    palette = np.array([material_index(n) for n in names], np.uint8)
    if len(palette) == 1 or cell < 1:
        return np.full(len(rows), palette[0], np.uint8)
    band = (rows // cell).astype(np.int64)
    slip = (splitmix64(band, 0, seed + 7) % np.uint64(cell)).astype(np.int64)
    draw = splitmix64(band, (cols + slip) // cell, seed)
    return palette[(draw % np.uint64(len(palette))).astype(np.int64)]


class _Painter:
    """Paints the ground of both dates on the fine raster."""

    def __init__(self, scene: Scenery) -> None:
        self.scene = scene
        size = scene.frame.size_px * FINE
        self.shape = (size, size)
        self.rng = np.random.default_rng([scene.seed, 3])
        shapes = ((g, i) for i, g in enumerate(scene.land.geometry))
        self.parcel: NDArray[np.int32] = rasterio.features.rasterize(
            shapes, out_shape=self.shape, transform=transform_of(scene.frame, FINE), dtype="int32"
        )
        looks = [LOOKS[name] for name in scene.land["look"]]
        count = len(looks)
        self.looks = looks
        spread = np.array([k.spread for k in looks])
        self.steady = 1 + spread * self.rng.standard_normal(count)
        self.vigour = self.rng.standard_normal(count)
        self.lasting = _field(self.shape, (1.0, 6.0), self.rng)

    def ground(self, after: bool) -> _Ground:
        """Return the ground of one date."""
        scene, level, count = self.scene, self.scene.level, len(self.looks)
        draw = np.random.default_rng([scene.seed, 4 + after])
        share = np.array([k.share for k in self.looks])
        loose = share < 1  # plants vary more than ground
        flicker = level.flicker * np.where(loose, 1.0, 0.6)
        factor = self.steady * (1 + flicker * draw.standard_normal(count))
        swing = 0.06 * self.vigour + level.vigour * draw.standard_normal(count)
        share = np.where(loose, np.clip(share + swing, 0.3, 1.0), 1.0)
        texture = np.array([k.texture for k in self.looks], np.float32)
        names = [k.after if after else k.before for k in self.looks]
        for number, kind in scene.pseudo.items():
            names[number] = (PSEUDO_MATERIALS[kind][after],)
            if names[number][0] not in ("wheat", "maize", "young_crop"):
                share[number] = 1.0
        first = np.array([material_index(n[0]) for n in names], np.uint8)
        fleeting = _field(self.shape, (1.0, 10.0), draw)
        ground = _Ground(
            first[self.parcel],
            share.astype(np.float32)[self.parcel],
            1 + texture[self.parcel] * (0.85 * self.lasting + 0.35 * fleeting),
        )
        ground.share += (0.05 * fleeting) * (ground.share < 1)
        np.clip(ground.share, 0.1, 1.0, out=ground.share)
        ground.bright *= factor.astype(np.float32)[self.parcel]
        self._mosaics(ground, names)
        if after:
            self._changes(ground, fleeting)
        return ground

    def _mosaics(self, ground: _Ground, names: list[tuple[str, ...]]) -> None:
        cells = {
            n: LOOKS[look].cell_m
            for n, look in zip(names, self.scene.land["look"], strict=True)
            if len(n) > 1
        }
        for palette, cell_m in sorted(cells.items()):
            members = np.array([n == palette for n in names])
            rows, cols = np.nonzero(members[self.parcel])
            cell = round(cell_m / self.scene.frame.pixel_m * FINE)
            ground.material[rows, cols] = _mosaic(rows, cols, palette, cell, self.scene.seed)

    def _changes(self, ground: _Ground, fleeting: Array) -> None:
        shapes = [(c.geometry, i + 1) for i, c in enumerate(self.scene.changes)]
        if not shapes:
            return
        label = rasterio.features.rasterize(
            shapes,
            out_shape=self.shape,
            transform=transform_of(self.scene.frame, FINE),
            dtype="int32",
        )
        draw = np.random.default_rng([self.scene.seed, 6])
        for i, window in enumerate(ndimage.find_objects(label)):
            if window is None:
                continue
            look = LOOKS[self.scene.changes[i].item.look]
            rows, cols = np.nonzero(label[window] == i + 1)
            rows, cols = rows + window[0].start, cols + window[1].start
            cell = round(look.cell_m / self.scene.frame.pixel_m * FINE)
            own = self.scene.seed + 100 + i
            ground.material[rows, cols] = _mosaic(rows, cols, look.after, cell, own)
            ground.share[rows, cols] = look.share
            level = 1 + look.spread * float(draw.standard_normal())
            ground.bright[rows, cols] = level * (1 + look.texture * fleeting[rows, cols])


def _band(ground: _Ground, number: int) -> Array:
    table = material_table()[:, number]
    soil = table[material_index(SOIL)]
    pure = table[ground.material]
    return np.asarray((pure * ground.share + soil * (1 - ground.share)) * ground.bright, np.float32)


def _sensor(
    fine: Array, name: str, shift: tuple[float, float], rng: np.random.Generator, noise: float
) -> Array:
    """Blur, shift, average to pixels, add noise."""
    seen = ndimage.gaussian_filter(fine, BLUR_PX[name] * FINE, mode="nearest")
    if any(shift):
        seen = ndimage.shift(seen, [s * FINE for s in shift], order=1, mode="nearest")
    n = fine.shape[0] // FINE
    pixels = seen.reshape(n, FINE, n, FINE).mean(axis=(1, 3))
    grain = rng.standard_normal(pixels.shape, dtype=np.float32)
    return np.asarray(pixels + grain * (noise + 0.006 * pixels), np.float32)


def write_raster(path: Path, data: NDArray[np.generic], frame: Frame, nodata: int | None) -> None:
    """Write one band as a tiled, compressed GeoTIFF.

    Parameters
    ----------
    path : Path
    data : ndarray, shape (y, x)
    frame : Frame
    nodata : int or None
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=data.shape[1], height=data.shape[0], count=1,
        dtype=data.dtype, crs=frame.crs, transform=transform_of(frame), nodata=nodata,
        tiled=True, blockxsize=256, blockysize=256, compress="deflate", predictor=2, zlevel=4,
    ) as target:  # fmt: skip
        target.write(data, 1)


def scene_name(date: dt.date) -> str:
    """Return the stem of an image's files."""
    return f"S2DEMO_{date:%Y%m%d}"


def render_pair(scene: Scenery, out: Path, after_crs: str = "") -> None:
    """Render both dates and write bands and cloud masks.

    Files: ``before/S2DEMO_<date>_B02.tif`` … and ``before/S2DEMO_<date>_mask.tif`` (0 usable,
    1 cloud or shadow), the same in ``after/``. Reflectance × 10000 in uint16, 0 = no data.

    Parameters
    ----------
    scene : Scenery
        What is to be seen.
    out : Path
        Folder.
    after_crs : str
        CRS to deliver the after image in, if another.
    """
    painter = _Painter(scene)
    for after, (folder, date) in enumerate((("before", BEFORE), ("after", AFTER))):
        ground, sky = painter.ground(bool(after)), scene.skies[after]
        rng = np.random.default_rng([scene.seed, 8 + after])
        size = scene.frame.size_px
        haze = 1 + 0.6 * _field((size, size), (80.0,), rng)
        for number, name in enumerate(BANDS):
            shift = scene.level.shift_px if after else (0.0, 0.0)
            seen = _sensor(_band(ground, number), name, shift, rng, scene.level.noise)
            if after:
                thick = scene.level.haze * HAZE[name]
                seen = seen * (1 - thick) + thick * haze
                seen = seen * GAIN[name] + OFFSET[name]
            seen = sky.over(seen, name)
            stored = np.clip(np.round(seen * 1e4), 1, 65535).astype(np.uint16)
            write_raster(out / folder / f"{scene_name(date)}_{name}.tif", stored, scene.frame, 0)
        mask = out / folder / f"{scene_name(date)}_mask.tif"
        write_raster(mask, sky.mask.astype(np.uint8), scene.frame, None)
    if after_crs:
        for path in sorted((out / "after").glob("*.tif")):
            _deliver_in(path, after_crs)


def _deliver_in(path: Path, crs: str) -> None:
    """Warp a raster to another CRS in place, cubic for bands, nearest for the mask."""
    with rasterio.open(path) as source:
        data, profile = source.read(1), source.profile
        bounds, step = source.bounds, source.transform.a
    is_mask = profile["nodata"] is None
    west, south, east, north = transform_bounds(profile["crs"], crs, *bounds)
    target = Affine(step, 0, west, 0, -step, north)
    width, height = math.ceil((east - west) / step), math.ceil((north - south) / step)
    moved = np.zeros((height, width), data.dtype)
    reproject(
        data, moved, src_transform=profile["transform"], src_crs=profile["crs"],
        src_nodata=profile["nodata"], dst_transform=target, dst_crs=crs,
        dst_nodata=profile["nodata"],
        resampling=Resampling.nearest if is_mask else Resampling.cubic,
    )  # fmt: skip
    profile.update(crs=crs, transform=target, width=width, height=height)
    with rasterio.open(path, "w", **profile) as out:
        out.write(moved, 1)
