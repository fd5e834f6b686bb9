"""A scene whose bands are sharpened by its panchromatic image, on the analysis grid.

Bands and pan come with a placement each, and the two need not agree: on the sample that the weights
are fitted to, the bands are laid over pan first, and the correction goes into their one resampling.
"""

import math
import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tiles.block import Block
from tiles.coregister import Registered, register_pair
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

APART_PX = 0.25
"""Bands nearer to pan than this, in pixels of pan, are not moved: it is not worth it."""

FARTHEST_PX = 4.0
"""Bands farther from pan, in their own pixels, are left: the two images are not of one product."""

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
        self._scene, self._grid, self._move = scene, grid, move
        self._cache, self._name = cache, name
        self._places = [list(scene.bands).index(b) for b in bands]
        self._pan = SceneReader(_pan_only(scene), (PAN,), grid, move, cache, f"{name} pan")
        self._bands: SceneReader | None = None
        self._lock = threading.Lock()

    def read(self, extent: Extent) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return values (band, y, x) and valid (y, x) of an extent; values are 0 where invalid."""
        fit = sharpening_of(self._scene, self._grid)
        values, valid = self._on_pan(fit).read(extent)
        if not valid.any():
            return values[self._places], valid
        pan, ok = self._pan.read(extent)
        sharp = brovey(values, pan[0], fit.weights)[self._places]
        valid &= ok
        sharp *= valid
        return sharp, valid

    def close(self) -> None:
        """Close the datasets of all threads."""
        if self._bands is not None:
            self._bands.close()
        self._pan.close()

    def _on_pan(self, fit: Sharpening) -> SceneReader:
        """Return the reader of the bands, which are moved by what the fit says."""
        with self._lock:
            if self._bands is None:
                move = _followed(self._move, fit.moved)
                names = tuple(self._scene.bands)
                self._bands = SceneReader(
                    self._scene, names, self._grid, move, self._cache, self._name
                )
            return self._bands


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
    """Return the weights of a scene's bands and where they lie, fitted once per process.

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
    pan = SceneReader(_pan_only(scene), (PAN,), coarse, None, CellCache(1.0), PAN)
    layers = scene_layers(scene, names, coarse)
    ratio = max(2, round(pan.layers[0].ratio / max(layer.ratio for layer in layers)))
    extents: list[Extent] = []

    def read(move: Registration | None) -> list[PanCell]:
        bands = SceneReader(scene, names, coarse, move, CellCache(1.0), "bands")
        cells = []
        for cell in extents:
            (values, valid), (sheet, ok) = bands.read(cell), pan.read(cell)
            cells.append(PanCell(values, sheet[0], valid & ok))
        bands.close()
        return cells

    extents += _usable_cells(SceneReader(scene, names, coarse, None, CellCache(1.0), "look"))
    cells = read(None)
    if not cells:
        pan.close()
        blank = np.zeros((len(names), 1, 1), np.float32)
        return fit_sharpening([PanCell(blank, blank[0], np.zeros((1, 1), np.bool_))], ratio)
    found = register_pair(
        lambda move: [_as_block(c, e) for c, e in zip(read(move), extents, strict=True)],
        max_shift_px=FARTHEST_PX,
        model="shift",
    )
    apart = found.applied.length_px * ratio > APART_PX
    fit = fit_sharpening(read(found.applied) if apart else cells, ratio)
    pan.close()
    return _placed(fit, found, step, apart=apart)


def _usable_cells(bands: SceneReader) -> list[Extent]:
    """Return the sample cells that show enough; closes the reader."""
    chosen: list[Extent] = []
    extent = scene_extent(bands.scene, bands.grid)
    for cell in sample_cells(extent, 0, share=0.0, minimum=TRIED):
        if bands.read(cell)[1].mean() >= USABLE:
            chosen.append(cell)
            if len(chosen) == CELLS:
                break
    bands.close()
    return chosen


def _placed(fit: Sharpening, found: Registered, step: float, *, apart: bool) -> Sharpening:
    """Return the fit with the move of the bands, in pixels of the grid."""
    left = found.left if apart else found.found
    return replace(
        fit,
        moved=(found.applied.dy * step, found.applied.dx * step) if apart else (0.0, 0.0),
        left_px=round(left.length_px * step, 3) if left.used else None,
    )


def _as_block(cell: PanCell, extent: Extent) -> Block:
    """Return pan and the brightness of the bands as the two dates of a block."""
    before, after = cell.pan[None], cell.bands.mean(axis=0)[None]
    source = np.zeros((2, *cell.valid.shape), np.uint8)
    return Block(extent, extent, (PAN,), before, after, cell.valid, source)


def _followed(move: Registration | None, more: tuple[float, float]) -> Registration | None:
    """Return a move of the scene followed by that of its bands."""
    if more == (0.0, 0.0):
        return move
    first = move or Registration(0.0, 0.0, 0, 0, 0.0)
    return replace(first, dy=first.dy + more[0], dx=first.dx + more[1])


def _pan_only(scene: Scene) -> Scene:
    assert scene.pan is not None
    return replace(scene, bands={PAN: scene.pan}, mask=None)


def _ratio(scene: Scene, grid: AnalysisGrid) -> float:
    """Return pixels of the finest band per pixel of the grid."""
    layers = scene_layers(scene, tuple(scene.bands), grid)
    finest = max(layer.ratio for layer in layers)
    return finest if math.isfinite(finest) else 1.0
