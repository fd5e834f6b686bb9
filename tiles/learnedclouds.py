"""Clouds of Sentinel-2 by s2cloudless, an optional package with a trained model.

The package finds clouds, no shadows, in Level-1C reflectance of ten bands. It is used only where
the config asks for it.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigError, RasterError
from tiles.cloudmap import OVERVIEW_M, CloudMap
from tiles.clouds import CLEAR, CLOUD, dilated
from tiles.grid import AnalysisGrid, Extent
from tiles.rasters import gdal_env
from tiles.reader import lay_over
from tiles.registration import Registration
from tiles.scene import BandSource, Epoch, Scene
from tiles.sources import CellCache, SceneReader

__all__ = ["detector_bands", "learned_clouds", "require_detector", "with_learned"]

PACKAGE = "s2cloudless"
BANDS = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands of the model, in its order."""

THRESHOLD = 0.4
AVERAGE_M = 240.0
"""What the authors recommend: probabilities averaged over 4 pixels of 60 m, limit 0.4."""

CHUNK = 32
"""Overview pixels along a side that are read at a time."""


def require_detector(scenes: Sequence[Scene]) -> None:
    """Refuse before any work what s2cloudless cannot do.

    Parameters
    ----------
    scenes : sequence of Scene
        Scenes of the dates whose clouds are to be searched.

    Raises
    ------
    ConfigError
        If the package is not installed.
    RasterError
        If a scene lacks a band of the model.
    """
    if find_spec(PACKAGE) is None:
        raise ConfigError(
            f"the package {PACKAGE} is not installed",
            "clouds: s2cloudless in the config",
            'install it with pip install "tuban[s2cloudless]" (its model is CC BY-SA 4.0), or '
            "remove the line: clouds are then searched by their colours",
        )
    for scene in scenes:
        detector_bands(scene)


def detector_bands(scene: Scene) -> dict[str, BandSource]:
    """Return the bands of the model, those beside the analysed ones included.

    Raises
    ------
    RasterError
        Naming the bands that are not there.
    """
    blue = scene.bands.get("blue")
    found: dict[str, BandSource] = {}
    if blue is not None and scene.sensor.startswith("sentinel2"):
        for name in BANDS:
            # Level 1C: one file per band, all in one folder.
            file = blue.path.with_name(re.sub(r"_B02(?=[_.])", f"_{name}", blue.path.name))
            if file.is_file() and (name == "B02" or file != blue.path):
                found[name] = replace(blue, path=file)
    if missing := [name for name in BANDS if name not in found]:
        raise RasterError(
            f"{PACKAGE} needs Sentinel-2 Level-1C; the bands {', '.join(missing)} are not there",
            scene.scene_id,
            "give the Level-1C product, one file per band, or remove clouds: s2cloudless",
        )
    return found


def with_learned(
    found: CloudMap | None,
    epochs: tuple[Epoch, Epoch],
    grid: AnalysisGrid,
    extent: Extent,
    *,
    pixel_m: float,
    margin_m: float,
    dates: tuple[bool, bool],
    move: Registration | None,
) -> CloudMap:
    """Return a cloud map whose clouds are those of s2cloudless; its shadows stay.

    Parameters
    ----------
    found : CloudMap or None
        What was found by colours.
    epochs : tuple of Epoch
        Before and after.
    grid : AnalysisGrid
    extent : Extent
        Pixels of the analysis.
    pixel_m, margin_m, dates
        As for `tiles.cloudmap.find_clouds`.
    move : Registration or None
        Applied to the after date.
    """
    clouds = found or _clear_map(extent, pixel_m)
    codes = clouds.codes.copy()
    for date, epoch in enumerate(epochs):
        if dates[date]:
            cloud = learned_clouds(epoch, grid, clouds, pixel_m, move if date else None)
            codes[date][codes[date] == CLOUD] = CLEAR
            codes[date][dilated(cloud, margin_m, pixel_m * clouds.factor)] = CLOUD
    return replace(clouds, codes=codes)


def _clear_map(extent: Extent, pixel_m: float) -> CloudMap:
    factor = max(1, round(OVERVIEW_M / pixel_m))
    row0, col0 = extent.row0 // factor, extent.col0 // factor
    shape = (-(-extent.row1 // factor) - row0, -(-extent.col1 // factor) - col0)
    return CloudMap(factor, row0, col0, np.full((2, *shape), CLEAR, np.uint8))


def learned_clouds(
    epoch: Epoch, grid: AnalysisGrid, place: CloudMap, pixel_m: float, move: Registration | None
) -> NDArray[np.bool_]:
    """Return the overview pixels of a date that the model takes for cloud, (y, x).

    References
    ----------
    .. [1] Sentinel Hub's cloud detector for Sentinel-2 imagery, package s2cloudless.
    """
    side = pixel_m * place.factor
    detector = _detector(max(1, round(AVERAGE_M / side)))
    cache = CellCache(64.0)
    readers = []
    for number, scene in enumerate(epoch.scenes):
        bands = detector_bands(scene)
        alone = replace(scene, bands=dict(bands), pan=None, mask=None)
        readers.append(SceneReader(alone, BANDS, grid, move, cache, f"{number}"))
    height, width = place.codes.shape[1:]
    chance = np.zeros((height, width), np.float32)
    with gdal_env():
        for row in range(0, height, CHUNK):
            for col in range(0, width, CHUNK):
                here = np.s_[row : row + CHUNK, col : col + CHUNK]
                shape = (min(CHUNK, height - row), min(CHUNK, width - col))
                values, valid = _overview(readers, place, row, col, shape)
                maps = detector.get_cloud_probability_maps(values[None])[0]
                chance[here] = np.where(valid, maps, np.float32(0))
    for reader in readers:
        reader.close()
    return np.asarray(detector.get_mask_from_prob(chance[None])[0] > 0, np.bool_)


def _detector(average_over: int) -> Any:
    return import_module(PACKAGE).S2PixelCloudDetector(
        threshold=THRESHOLD, average_over=average_over, dilation_size=None, all_bands=False
    )


def _overview(
    readers: Sequence[SceneReader], place: CloudMap, row: int, col: int, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the mean of the valid pixels of each overview pixel (y, x, band), and where any is."""
    k = place.factor
    row0, col0 = (place.row0 + row) * k, (place.col0 + col) * k
    pixels = Extent(row0, col0, row0 + shape[0] * k, col0 + shape[1] * k)
    values, valid, _ = lay_over(readers, pixels)
    split = (shape[0], k, shape[1], k)
    count = valid.reshape(split).sum(axis=(1, 3))
    sums = values.reshape(len(BANDS), *split).sum(axis=(2, 4))
    mean = (sums / np.maximum(count, 1)).astype(np.float32)
    return np.moveaxis(mean, 0, -1), count > 0
