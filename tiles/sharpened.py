"""A scene whose bands are sharpened by its panchromatic image, on the analysis grid."""

import math
import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tiles.grid import AnalysisGrid, Extent, sample_cells
from tiles.pairgrid import scene_extent
from tiles.pansharpen import PanCell, Sharpening, brovey, fit_sharpening
from tiles.registration import Registration
from tiles.scene import Scene
from tiles.sources import CellCache, SceneReader
from tiles.warp import scene_layers

__all__ = ["SharpReader", "is_sharpened", "scene_reader", "sharpening_of"]

PAN = "pan"

FINER = 0.75
"""A grid whose pixels are smaller than this part of the bands' is worth a panchromatic image."""

CELLS, TRIED = 8, 32
"""Sample cells of the fit, and how many are looked at for usable ones."""

USABLE = 0.5
"""Least share of usable pixels in a sample cell."""

KEPT = 16
"""Fits remembered in a process."""

_fits: OrderedDict[object, Sharpening] = OrderedDict()
_fits_lock = threading.Lock()


class SharpReader:
    """Reads one scene's bands with the detail of its panchromatic image.

    The weights are fitted at the first read on a sample that depends on scene and grid alone.

    Parameters
    ----------
    scene, bands, grid, move, cache, name
        As for `tiles.sources.SceneReader`; the scene has a panchromatic image.
    """

    def __init__(
        self,
        scene: Scene,
        bands: tuple[str, ...],
        grid: AnalysisGrid,
        move: Registration | None,
        cache: CellCache,
        name: str,
    ) -> None:
        self._scene, self._grid = scene, grid
        self._places = [list(scene.bands).index(b) for b in bands]
        self._bands = SceneReader(scene, tuple(scene.bands), grid, move, cache, name)
        self._pan = SceneReader(_pan_only(scene), (PAN,), grid, move, cache, f"{name} pan")

    def read(self, extent: Extent) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return values (band, y, x) and valid (y, x) of an extent; values are 0 where invalid."""
        values, valid = self._bands.read(extent)
        if not valid.any():
            return values[self._places], valid
        pan, ok = self._pan.read(extent)
        weights = sharpening_of(self._scene, self._grid).weights
        sharp = brovey(values, pan[0], weights)[self._places]
        valid &= ok
        sharp *= valid
        return sharp, valid

    def close(self) -> None:
        """Close the datasets of all threads."""
        self._bands.close()
        self._pan.close()


def scene_reader(
    scene: Scene,
    bands: tuple[str, ...],
    grid: AnalysisGrid,
    move: Registration | None,
    cache: CellCache,
    name: str,
) -> SceneReader | SharpReader:
    """Return a reader of a scene that sharpens where the scene offers it and the grid is finer."""
    kind = SharpReader if is_sharpened(scene, grid) else SceneReader
    return kind(scene, bands, grid, move, cache, name)


def is_sharpened(scene: Scene, grid: AnalysisGrid) -> bool:
    """Return whether a scene has a panchromatic image that this grid has use for."""
    return scene.pan is not None and _ratio(scene, grid) < FINER


def sharpening_of(scene: Scene, grid: AnalysisGrid) -> Sharpening:
    """Return the weights of a scene's bands, fitted once per process.

    Parameters
    ----------
    scene : Scene
        With a panchromatic image.
    grid : AnalysisGrid

    Raises
    ------
    RasterError
        If the sample cannot be read.
    """
    key = (grid.grid_id, repr(scene))
    with _fits_lock:
        if key not in _fits:
            _fits[key] = _fit(scene, grid)
            if len(_fits) > KEPT:
                _fits.popitem(last=False)
        return _fits[key]


def _fit(scene: Scene, grid: AnalysisGrid) -> Sharpening:
    """Fit on cells of a grid that has the pixels of the bands."""
    step = 1 / _ratio(scene, grid)
    coarse = replace(
        grid, x_resolution=grid.x_resolution * step, y_resolution=grid.y_resolution * step
    )
    names = tuple(scene.bands)
    extent = scene_extent(scene, coarse)
    cache = CellCache(1.0)
    bands = SceneReader(scene, names, coarse, None, cache, "bands")
    pan = SceneReader(_pan_only(scene), (PAN,), coarse, None, cache, PAN)
    ratio = max(2, round(pan.layers[0].ratio / max(layer.ratio for layer in bands.layers)))
    cells: list[PanCell] = []
    for cell in sample_cells(extent, 0, share=0.0, minimum=TRIED):
        values, valid = bands.read(cell)
        if valid.mean() < USABLE:
            continue
        sheet, ok = pan.read(cell)
        cells.append(PanCell(values, sheet[0], valid & ok))
        if len(cells) == CELLS:
            break
    bands.close()
    pan.close()
    if not cells:
        blank = np.zeros((len(names), 1, 1), np.float32)
        cells.append(PanCell(blank, blank[0], np.zeros((1, 1), np.bool_)))
    return fit_sharpening(cells, ratio)


def _pan_only(scene: Scene) -> Scene:
    assert scene.pan is not None
    return replace(scene, bands={PAN: scene.pan}, mask=None)


def _ratio(scene: Scene, grid: AnalysisGrid) -> float:
    """Return pixels of the finest band per pixel of the grid."""
    layers = scene_layers(scene, tuple(scene.bands), grid)
    finest = max(layer.ratio for layer in layers)
    return finest if math.isfinite(finest) else 1.0
