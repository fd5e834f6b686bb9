"""One scene on the analysis grid: copied where it lies on the grid, else warped cell by cell.

A source that is not on the grid is resampled only in fixed cells of the grid, and the source
window of a cell is a function of that cell alone. A pixel therefore has the same bits whatever
tiles ask for it.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.warp import Resampling
from rasterio.windows import Window

from tiles.calibration import calibrated
from tiles.grid import AnalysisGrid, Extent
from tiles.masks import grown_cell, mask_codes
from tiles.rasters import open_raster, read_failure
from tiles.registration import Registration
from tiles.remote import is_remote
from tiles.scene import BandSource, MaskSource, Scene
from tiles.warp import Layer, cell_transform, mask_layer, scene_layers, source_window, support, warp
from tiles.widen import clear_invalid, widen

__all__ = ["CellCache", "SceneReader"]

Cell = tuple[NDArray[np.float32], NDArray[Any]]

KEPT_SIDES = 256, 1024
"""Least and largest side of stored blocks that are kept, pixels: lines of a whole image serve no
neighbouring window, and a few larger ones would fill the cache. Of remote files GDAL fetches
neighbouring blocks together."""


class CellCache:
    """Warped cells and stored blocks of one process, the least recently used dropped first.

    Parameters
    ----------
    limit_mb : float
        Bytes of arrays kept at most; shared by all threads.
    """

    def __init__(self, limit_mb: float) -> None:
        self._limit = int(limit_mb * 1e6)
        self._cells: OrderedDict[object, Cell] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._making: dict[object, threading.Lock] = {}

    def get(self, key: object) -> Cell | None:
        """Return a kept cell, or None."""
        with self._lock:
            if key in self._cells:
                self._cells.move_to_end(key)
            return self._cells.get(key)

    def put(self, key: object, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        """Keep a cell."""
        with self._lock:
            if key not in self._cells:
                self._cells[key] = (values, valid)
                self._bytes += values.nbytes + valid.nbytes
            while self._bytes > self._limit and len(self._cells) > 1:
                _, (old, old_valid) = self._cells.popitem(last=False)
                self._bytes -= old.nbytes + old_valid.nbytes

    def plane(self, key: object, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return a kept array, made if it is not there: by one thread, for which others wait."""
        found = self.get(key)
        if found is not None:
            return found[1]
        with self._lock:
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            found = self.get(key)
            if found is None:
                found = NOTHING, make()
                self.put(key, *found)
        with self._lock:
            self._making.pop(key, None)
        return found[1]


NOTHING = np.empty((0, 0, 0), np.float32)


class SceneReader:
    """Reads one scene's bands on the grid; datasets are opened once per thread.

    Parameters
    ----------
    scene : Scene
    bands : tuple of str
        Names of the bands wanted, in this order.
    grid : AnalysisGrid
    move : Registration or None
        Applied to this scene.
    cache : CellCache
    name : str
        Names the scene in the cache.
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
        self.scene = scene
        self.grid = grid
        self.count = len(bands)
        self.layers = scene_layers(scene, bands, grid, move)
        self.mask_layer = mask_layer(scene, grid, move)
        self._cache, self._name = cache, name
        self._local = threading.local()
        self._opened: list[DatasetReader] = []
        self._lock = threading.Lock()

    def read(self, extent: Extent) -> Cell:
        """Return values (band, y, x) and valid (y, x) of an extent; values are 0 where invalid."""
        values, valid = self._layer(0, extent)
        first = self.layers[0].positions
        if first != tuple(range(self.count)):
            part, values = values, np.zeros((self.count, *extent.shape), np.float32)
            values[list(first)] = part
        for number, layer in enumerate(self.layers[1:], start=1):
            if not valid.any():
                break
            part, ok = self._layer(number, extent)
            values[list(layer.positions)] = part
            valid &= ok
        if self.mask_layer is not None and valid.any():
            valid &= self._usable(self.mask_layer, extent)
        clear_invalid(values, valid)
        return values, valid

    def _layer(self, number: int, extent: Extent) -> Cell:
        layer = self.layers[number]
        if layer.offset is not None:
            return self._copied(layer, extent)
        return self._warped(number, layer, extent)

    def close(self) -> None:
        """Close the datasets of all threads."""
        with self._lock:
            for dataset in self._opened:
                dataset.close()
            self._opened.clear()
            self._local = threading.local()

    def _dataset(self, path: Path) -> DatasetReader:
        held: dict[Path, DatasetReader] = self._local.__dict__.setdefault("held", {})
        if path not in held:
            held[path] = open_raster(path)
            with self._lock:
                self._opened.append(held[path])
        return held[path]

    def _copied(self, layer: Layer, extent: Extent) -> Cell:
        assert layer.offset is not None
        row, col = layer.offset
        rows = (extent.row0 - row, extent.row1 - row)
        cols = (extent.col0 - col, extent.col1 - col)
        return self._source_window(layer, rows, cols)

    def _warped(self, number: int, layer: Layer, extent: Extent) -> Cell:
        values = np.zeros((len(layer.bands), *extent.shape), np.float32)
        valid = np.zeros(extent.shape, np.bool_)
        for cell in extent.cells():
            key = (self._name, number, cell)
            found = self._cache.get(key)
            if found is None:
                found = self._warp_cell(layer, cell)
                self._cache.put(key, *found)
            part = cell.intersect(extent)
            here, there = part.slices_in(extent), part.slices_in(cell)
            values[(slice(None), *here)] = found[0][(slice(None), *there)]
            valid[here] = found[1][there]
        return values, valid

    def _warp_cell(self, layer: Layer, cell: Extent) -> Cell:
        target = cell_transform(self.grid, cell, layer.move)
        out = np.zeros((len(layer.bands), *cell.shape), np.float32)
        window = source_window(layer, target, self.grid.crs, cell)
        if window is None:
            return out, np.zeros(cell.shape, np.bool_)
        rows, cols = window
        values, valid = self._source_window(layer, rows, cols)
        first = (rows[0], cols[0])
        method = Resampling.average if layer.is_averaged else Resampling.cubic
        warp(values, out, layer.placement(*first), target, self.grid.crs, method)
        ok = support(layer, valid, first, target, self.grid.crs, cell.shape)
        out *= ok
        return out, ok

    def _source_window(self, layer: Layer, rows: tuple[int, int], cols: tuple[int, int]) -> Cell:
        """Read source pixels, 0 and invalid beyond the source; values are scaled."""
        shape = (rows[1] - rows[0], cols[1] - cols[0])
        values = np.zeros((len(layer.bands), *shape), np.float32)
        valid = np.zeros(shape, np.bool_)
        r0, r1 = max(rows[0], 0), min(rows[1], layer.height)
        c0, c1 = max(cols[0], 0), min(cols[1], layer.width)
        if r0 >= r1 or c0 >= c1:
            return values, valid
        window = Window(c0, r0, c1 - c0, r1 - r0)
        row, col = r0 - rows[0], c0 - cols[0]
        inner = (slice(row, row + r1 - r0), slice(col, col + c1 - c0))
        ok = np.ones((r1 - r0, c1 - c0), np.bool_)
        any_value = np.zeros_like(ok)
        for path, places in _by_file(layer.bands):
            indexes = tuple(layer.bands[p].index for p in places)
            with read_failure(path, indexes, window):
                stored = self._stored(path, indexes, window)
            scaling = _scaling([layer.bands[p] for p in places], stored.dtype)
            widen(stored, np.array(places), *scaling, row, col, values, ok, any_value)
            for p in places:
                if (calibration := layer.bands[p].calibration) is not None:
                    values[(p, *inner)] = calibrated(values[(p, *inner)], calibration, r0, c0)
        valid[inner] = ok & any_value
        clear_invalid(values, valid)
        return values, valid

    def _stored(self, path: Path, indexes: tuple[int, ...], window: Window) -> NDArray[Any]:
        """Return stored values of a window; blocks are decoded once for all who need a part."""
        raster, number = self._dataset(path), indexes[0] - 1
        tall, wide = raster.block_shapes[number]
        least, most = KEPT_SIDES
        if is_remote(path) or min(tall, wide) < least or max(tall, wide) > most:
            return np.asarray(raster.read(list(indexes), window=window))
        row0, col0 = int(window.row_off), int(window.col_off)
        wanted = Extent(row0, col0, row0 + int(window.height), col0 + int(window.width))
        whole = Extent(0, 0, raster.height, raster.width)
        out = np.empty((len(indexes), *wanted.shape), raster.dtypes[number])
        for row in range(row0 // tall * tall, wanted.row1, tall):
            for col in range(col0 // wide * wide, wanted.col1, wide):
                block = Extent(row, col, row + tall, col + wide).intersect(whole)
                place = Window(col, row, block.width, block.height)
                read = partial(raster.read, list(indexes), window=place)
                stored = self._cache.plane((path, indexes, row, col), read)
                part = block.intersect(wanted)
                out[(slice(None), *part.slices_in(wanted))] = stored[
                    (slice(None), *part.slices_in(block))
                ]
        return out

    def _usable(self, layer: Layer, extent: Extent) -> NDArray[np.bool_]:
        mask = self.scene.mask
        assert mask is not None
        codes_of = partial(self._mask_cell, layer, mask)
        out = np.zeros(extent.shape, np.bool_)
        for cell in extent.cells():
            part = cell.intersect(extent)
            usable = self._cache.plane(
                (self._name, "usable", cell),
                partial(grown_cell, codes_of, cell, self.grid, mask.margin_m),
            )
            out[part.slices_in(extent)] = usable[part.slices_in(cell)]
        return out

    def _mask_cell(self, layer: Layer, mask: MaskSource, cell: Extent) -> NDArray[np.uint8]:
        make = partial(self._warped_codes, layer, mask, cell)
        return self._cache.plane((self._name, "mask", cell), make)

    def _warped_codes(self, layer: Layer, mask: MaskSource, cell: Extent) -> NDArray[np.uint8]:
        target = cell_transform(self.grid, cell, layer.move)
        out = np.zeros(cell.shape, np.uint8)
        found = source_window(layer, target, self.grid.crs, cell)
        if found is None:
            return out
        rows, cols = found
        r0, r1 = max(rows[0], 0), min(rows[1], layer.height)
        c0, c1 = max(cols[0], 0), min(cols[1], layer.width)
        window = Window(c0, r0, c1 - c0, r1 - r0)
        with read_failure(mask.path, (mask.index,), window):
            stored = self._dataset(mask.path).read(mask.index, window=window)
        placement = layer.placement(r0, c0)
        warp(mask_codes(stored, mask), out, placement, target, self.grid.crs, Resampling.nearest)
        return out


def _by_file(bands: tuple[BandSource, ...]) -> list[tuple[Path, list[int]]]:
    files: dict[Path, list[int]] = {}
    for place, band in enumerate(bands):
        files.setdefault(band.path, []).append(place)
    return list(files.items())


_Scaling = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.bool_], bool]


def _scaling(bands: Sequence[BandSource], dtype: Any) -> _Scaling:
    """Return scale, offset, value of no data and whether there is one of each band.

    Also whether values may be infinite. Whole numbers of more than 16 bits are scaled in float64.
    """
    wide = np.float64 if dtype.itemsize > 2 and dtype != np.float32 else np.float32
    nodata = [b.nodata for b in bands]
    known = [n is not None and _fits(n, dtype) for n in nodata]
    return (
        np.array([np.float32(b.scale) for b in bands], wide),
        np.array([np.float32(b.offset) for b in bands], wide),
        np.array([n if k else 0 for n, k in zip(nodata, known, strict=True)]).astype(dtype),
        np.array(known, np.bool_),
        dtype.kind == "f",
    )


def _fits(value: float, dtype: Any) -> bool:
    """Tell whether a value of no data can be found among stored values; NaN is no such value."""
    if math.isnan(value) or dtype.kind == "f":
        return not math.isnan(value)
    info = np.iinfo(dtype)
    return value == int(value) and info.min <= value <= info.max
