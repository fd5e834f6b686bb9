"""The only pixel reader: both dates of any extent of the grid as one `Block`."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import RasterError
from tiles.block import Block
from tiles.cloudmap import CloudMap
from tiles.grid import AnalysisGrid, Extent
from tiles.pairgrid import common_bands, default_grid, pair_extent, wavelengths
from tiles.rasters import gdal_env
from tiles.registration import Registration
from tiles.scene import Epoch
from tiles.sharpened import SharpReader, scene_reader
from tiles.sources import CellCache, SceneReader
from tiles.widen import clear_invalid

__all__ = [
    "AnyReader",
    "DateArrays",
    "PairReader",
    "common_bands",
    "default_grid",
    "lay_over",
    "pair_extent",
    "wavelengths",
]

NO_SCENE = np.uint8(255)

AnyReader = SceneReader | SharpReader

DateArrays = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.uint8]]
"""Values (band, y, x), valid (y, x) and scene index (y, x) of one date."""


class PairReader:
    """Reads both dates on the grid.

    The same pixels come back bit for bit for any division into cores and halos. The object can be
    pickled: only its description travels, files are opened where it arrives, once per thread.

    Parameters
    ----------
    before, after : Epoch
    grid : AnalysisGrid
    bands : tuple of str
        Bands of the blocks, in this order; see `common_bands`.
    registration : Registration or None
        Applied to the after date.
    clouds : CloudMap or None
        What it hides is not valid in a block; pictures show it.
    cache_mb : float
        Memory for warped cells and stored blocks, per process and reader, MB.

    Raises
    ------
    RasterError
        On the first read, if a file cannot be used.
    """

    def __init__(
        self,
        before: Epoch,
        after: Epoch,
        grid: AnalysisGrid,
        *,
        bands: tuple[str, ...],
        registration: Registration | None = None,
        clouds: CloudMap | None = None,
        cache_mb: float = 192.0,
    ) -> None:
        if not bands:
            raise RasterError(
                "the two dates have no band in common",
                f"{before.scenes[0].scene_id} ({', '.join(before.bands)}) and "
                f"{after.scenes[0].scene_id} ({', '.join(after.bands)})",
                "give images with common bands, or name the sensor: --sensor, or sensor: in the "
                "config",
            )
        self.before, self.after, self.grid, self.bands = before, after, grid, bands
        self.registration, self.clouds = registration, clouds
        self.cache_mb = cache_mb
        self._start()

    def _start(self) -> None:
        self._readers: tuple[list[AnyReader], list[AnyReader]] | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __enter__(self) -> "PairReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all files and drop the cached cells; the next read opens them again."""
        with self._lock:
            for reader in (r for side in self._readers or () for r in side):
                reader.close()
            self._readers = None

    def read(self, core: Extent, halo: int = 0) -> Block:
        """Read a block.

        Parameters
        ----------
        core : Extent
            Pixels the block answers for.
        halo : int
            Pixels added on every side; beyond the images they are invalid.

        Raises
        ------
        RasterError
            Naming file, band and window, if pixels cannot be read.
        """
        extent = core.expand(halo)
        dates = self.read_dates(extent)
        (before, before_valid, before_source), (after, after_valid, after_source) = dates
        valid = before_valid & after_valid
        if self.clouds is not None:
            valid &= self.clouds.usable(extent)
        clear_invalid(before, valid)
        clear_invalid(after, valid)
        return Block(
            extent=extent,
            core=core,
            bands=self.bands,
            before=before,
            after=after,
            valid=valid,
            source=np.stack([before_source, after_source]),
        )

    def read_dates(self, extent: Extent) -> tuple[DateArrays, DateArrays]:
        """Read both dates, each with its own valid pixels (pictures need no common ones).

        Returns
        -------
        tuple of (values, valid, source)
            float32 (band, y, x), bool (y, x) and uint8 (y, x) of before and after.
        """
        before_side, after_side = self._sides()
        with gdal_env():
            return lay_over(before_side, extent), lay_over(after_side, extent)

    def read_date(self, date: int, extent: Extent) -> DateArrays:
        """Read one date alone: 0 before, 1 after."""
        side = self._sides()[date]
        with gdal_env():
            return lay_over(side, extent)

    def read_scene(
        self, date: int, number: int, extent: Extent
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read one scene alone.

        Parameters
        ----------
        date : int
            0 before, 1 after.
        number : int
            Place of the scene in its epoch.
        extent : Extent

        Returns
        -------
        tuple of (values, valid)
            float32 (band, y, x), 0 where not valid, and bool (y, x).
        """
        reader = self._sides()[date][number]
        with gdal_env():
            return reader.read(extent)

    def _sides(self) -> tuple[list[AnyReader], list[AnyReader]]:
        with self._lock:
            if self._readers is None:
                cache = CellCache(self.cache_mb)
                sides = (("before", self.before, None), ("after", self.after, self.registration))
                with gdal_env():
                    before, after = (
                        [
                            scene_reader(s, self.bands, self.grid, move, cache, f"{name} {i}")
                            for i, s in enumerate(epoch.scenes)
                        ]
                        for name, epoch, move in sides
                    )
                self._readers = (before, after)
            return self._readers


def lay_over(readers: Sequence[AnyReader], extent: Extent) -> DateArrays:
    """Lay the scenes of a date over each other: the first one with a valid pixel wins.

    Parameters
    ----------
    readers : sequence of SceneReader or SharpReader
        At least one, in order of preference.
    extent : Extent
    """
    values, valid = readers[0].read(extent)
    source = np.where(valid, np.uint8(0), NO_SCENE)
    for number, reader in enumerate(readers[1:], start=1):
        if valid.all():
            break
        part, ok = reader.read(extent)
        new = ok & ~valid
        np.copyto(values, part, where=new)
        source[new] = number
        valid |= new
    return values, valid, source
