"""The constant that Sentinel-2 adds to stored values since baseline 04.00, checked from pixels.

Metadata and names get lost or are wrong, and an offset applied twice or never shifts every
reflectance by 0.1: false change everywhere. Water, shadow and forest are nearly black in at least
one band, so the darkest thousandth of the darkest band tells whether the constant is there.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from configs.errors import RasterError
from configs.sensors import OffsetCheck
from configs.told import Told
from tiles.rasters import gdal_env, open_raster, read_failure
from tiles.scene import BandSource, Scene

__all__ = ["darkest", "require_offset"]

DARK_BANDS = ("red", "nir", "swir1", "swir2")
"""Bands without much light scattered by the air."""

DARK_PERCENT, WIDE_PERCENT = 0.1, 1.0
"""What is darker at so few pixels may be a fault of the correction of the air; at so many it is
water or shadow whose values never held the constant."""

LEAST_PIXELS = 1000
SIDE = 256
WINDOWS, WINDOW_PX = 8, 64


def require_offset(scene: Scene, check: OffsetCheck) -> Told | None:
    """Raise if the pixels of a scene contradict the offset that its metadata or name tell.

    Where no pixel is dark enough to tell, nothing is said.

    Returns
    -------
    Told or None
        For the report: a doubt, where metadata and name agree and only a few pixels contradict.

    Raises
    ------
    RasterError
        If the offset would be applied twice (it is not in the pixels) or never (it is).
    """
    names = [b for b in DARK_BANDS if b in scene.bands]
    bands = [scene.bands[n] for n in names if scene.bands[n].scale < 0.01]
    found = [d for d in darkest(bands) if d is not None]
    if not found:
        return None
    low, wide = (min(values) for values in zip(*found, strict=True))
    declared = any(b.offset < 0 for b in bands)
    where = f"{scene.scene_id} ({bands[0].path.parent})"
    if declared and low < check.without:
        if wide >= check.without and _told_twice(scene, check):
            return Told(
                f"最暗像元低于基线应有的值，请核对偏移量：{scene.scene_id}",
                f"check the offset of {scene.scene_id}: {check.stored} was added to the stored "
                f"values, and the darkest pixels hold {low:.0f}",
            )
        raise RasterError(
            f"the metadata say that {check.stored} was added to the stored values, and the darkest "
            f"pixels hold {low:.0f}: it has been taken off already and would be taken off twice",
            where,
            "name --sensor sentinel2_harmonised (sensor: in the config) for values without it",
        )
    if not declared and check.present <= low <= check.bright:
        raise RasterError(
            f"no metadata say that {check.stored} was added to the stored values, and the darkest "
            f"pixels hold {low:.0f}: it would never be taken off",
            where,
            "keep MTD_MSIL*.xml or a folder name with the baseline (…_N0400_…) with the bands; "
            "name --sensor sentinel2_harmonised if nothing was added",
        )
    return None


def _told_twice(scene: Scene, check: OffsetCheck) -> bool:
    """Tell whether metadata and name give one baseline that adds the constant."""
    path = next(iter(scene.bands.values())).path.as_posix()
    named = re.findall(r"_N(\d{2})(\d{2})_", path)
    told = scene.facts.baseline
    return bool(named) and told == ".".join(named[-1]) and told >= check.since


def darkest(bands: Sequence[BandSource]) -> list[tuple[float, float] | None]:
    """Return the stored values of the darkest thousandth and hundredth of each band.

    None where too few are valid. A sample is read: the overviews of the file, or windows on a
    regular lattice; bands of one file together, so that its blocks are decoded once.
    """
    samples: dict[int, NDArray[np.float64]] = {}
    for path in dict.fromkeys(band.path for band in bands):
        places = [i for i, band in enumerate(bands) if band.path == path]
        with gdal_env(), open_raster(path) as ds:
            found = _sample(ds, path, [bands[i].index for i in places])
        samples |= dict(zip(places, found, strict=True))
    return [_darkest(samples[i], band) for i, band in enumerate(bands)]


def _darkest(stored: NDArray[np.float64], band: BandSource) -> tuple[float, float] | None:
    stored = stored[stored > 0]
    if band.nodata is not None and not math.isnan(band.nodata):
        stored = stored[stored != band.nodata]
    if stored.size < LEAST_PIXELS:
        return None
    low, wide = np.percentile(stored, (DARK_PERCENT, WIDE_PERCENT))
    return float(low), float(wide)


def _sample(ds: DatasetReader, path: Path, indexes: list[int]) -> NDArray[np.float64]:
    """Return the sampled stored values, a row for each band."""
    whole = Window(0, 0, ds.width, ds.height)
    small = max(ds.height, ds.width) <= WINDOWS * WINDOW_PX
    if small or all(ds.overviews(index) for index in indexes):
        shape = (len(indexes), min(ds.height, 2 * SIDE), min(ds.width, 2 * SIDE))
        with read_failure(path, tuple(indexes), whole):
            found = np.asarray(ds.read(indexes, out_shape=shape), np.float64)
        return found.reshape(len(indexes), -1)
    lefts = [max(int((ds.width - WINDOW_PX) * (j + 0.5) / WINDOWS), 0) for j in range(WINDOWS)]
    parts = []
    for i in range(WINDOWS):
        row = max(int((ds.height - WINDOW_PX) * (i + 0.5) / WINDOWS), 0)
        if ds.block_shapes[0][1] * WINDOWS >= ds.width:  # the windows touch every block of the row
            window = Window(0, row, ds.width, WINDOW_PX)
            with read_failure(path, tuple(indexes), window):
                strip = ds.read(indexes, window=window)
            parts += [strip[:, :, left : left + WINDOW_PX] for left in lefts]
            continue
        for left in lefts:
            window = Window(left, row, WINDOW_PX, WINDOW_PX)
            with read_failure(path, tuple(indexes), window):
                parts.append(ds.read(indexes, window=window))
    parts = [part.reshape(len(indexes), -1) for part in parts]
    return np.concatenate(parts, axis=1).astype(np.float64)
