"""The only pixel reader: both dates of any extent of the grid as one `Block`."""

import math
import threading
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from configs.errors import RasterError
from configs.sensors import ROLES
from tiles.block import Block
from tiles.coregister import Registration
from tiles.geodesy import metres_per_unit
from tiles.grid import SNAP, AnalysisGrid, Extent
from tiles.rasters import RasterFacts, crs_name, gdal_env, inspect_raster
from tiles.scene import Epoch
from tiles.sources import CellCache, SceneReader

__all__ = ["PairReader", "common_bands", "default_grid", "pair_extent", "wavelengths"]

NO_SCENE = np.uint8(255)


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
        Shift applied to the after date.
    cache_mb : float
        Memory for warped cells, per process and reader, MB.

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
        cache_mb: float = 160.0,
    ) -> None:
        if not bands:
            raise RasterError(
                "the two dates have no band in common",
                f"{before.scenes[0].scene_id} ({', '.join(before.bands)}) and "
                f"{after.scenes[0].scene_id} ({', '.join(after.bands)})",
                "give images with common bands, or name the sensor with --sensor",
            )
        self.before, self.after, self.grid, self.bands = before, after, grid, bands
        self.registration = registration
        self.cache_mb = cache_mb
        self._start()

    def _start(self) -> None:
        self._readers: tuple[list[SceneReader], list[SceneReader]] | None = None
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
        before_side, after_side = self._sides()
        with gdal_env():
            before, before_valid, before_source = self._mosaic(before_side, extent)
            after, after_valid, after_source = self._mosaic(after_side, extent)
        valid = before_valid & after_valid
        before *= valid
        after *= valid
        return Block(
            extent=extent,
            core=core,
            bands=self.bands,
            before=before,
            after=after,
            valid=valid,
            source=np.stack([before_source, after_source]),
        )

    def _sides(self) -> tuple[list[SceneReader], list[SceneReader]]:
        with self._lock:
            if self._readers is None:
                cache = CellCache(self.cache_mb)
                shift = self.registration
                moved = (shift.dy, shift.dx) if shift is not None else (0.0, 0.0)
                with gdal_env():
                    self._readers = (
                        [
                            SceneReader(s, self.bands, self.grid, (0.0, 0.0), cache, f"before {i}")
                            for i, s in enumerate(self.before.scenes)
                        ],
                        [
                            SceneReader(s, self.bands, self.grid, moved, cache, f"after {i}")
                            for i, s in enumerate(self.after.scenes)
                        ],
                    )
            return self._readers

    def _mosaic(
        self, readers: list[SceneReader], extent: Extent
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.uint8]]:
        """Lay the scenes over each other: the first one with a valid pixel wins."""
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


def common_bands(before: Epoch, after: Epoch) -> tuple[str, ...]:
    """Return the bands that both dates have: known roles from blue to swir2, then the others."""
    both = [b for b in before.bands if b in after.bands]
    return tuple([r for r in ROLES if r in both] + [b for b in both if b not in ROLES])


def wavelengths(epoch: Epoch, bands: tuple[str, ...]) -> tuple[float | None, ...]:
    """Return the band centres in micrometres, None where nothing tells them."""
    scene = epoch.scenes[0]
    return tuple(scene.bands[b].wavelength_um for b in bands)


def default_grid(
    before: Epoch,
    after: Epoch,
    crs: str | None = None,
    resolution: float | None = None,
) -> AnalysisGrid:
    """Return the grid of the finest common band of the before date.

    A projected grid has its origin at multiples of the resolution where the image lies so, else
    at the image's own phase; a grid in degrees keeps the image's corner. A rotated image gives a
    north-up grid of the same pixel size.

    Parameters
    ----------
    before, after : Epoch
    crs : str or None
        Another CRS. Images without a CRS are taken to be in this one.
    resolution : float or None
        Another pixel size, in CRS units.

    Raises
    ------
    RasterError
        If the dates have no common band, or the image has no CRS and none is given.
    """
    scene = before.scenes[0]
    bands = common_bands(before, after) or before.bands
    facts = min((inspect_raster(scene.bands[b].path) for b in bands), key=lambda f: f.pixel_area)
    for epoch in (before, after):
        for path in sorted({b.path for s in epoch.scenes for b in s.bands.values()}):
            _require_crs(inspect_raster(path), crs)
    own = facts.crs or crs
    target = _normal_crs(crs) if crs else own
    assert own is not None
    assert target is not None
    if target == own and facts.is_north_up and _keeps(facts, resolution):
        return _own_grid(target, facts)
    if resolution is None:
        resolution = _resolution_in(target, own, facts)
    return AnalysisGrid(target, resolution, resolution)


def pair_extent(before: Epoch, after: Epoch, grid: AnalysisGrid) -> Extent:
    """Return the pixels covered by the bounding boxes of both dates.

    Raises
    ------
    RasterError
        If the dates do not meet.
    """
    parts = []
    for epoch in (before, after):
        boxes = np.array([_scene_bounds(scene, grid.crs) for scene in epoch.scenes])
        west, south = boxes[:, :2].min(axis=0)
        east, north = boxes[:, 2:].max(axis=0)
        parts.append(grid.extent_of((west, south, east, north)))
    common = parts[0].intersect(parts[1])
    if common.is_empty:
        raise RasterError(
            "the two dates do not overlap",
            f"{before.scenes[0].scene_id} and {after.scenes[0].scene_id}",
            "give two images of the same place; check the CRS of both",
        )
    return common


def _require_crs(facts: RasterFacts, crs: str | None) -> None:
    if not facts.georeferenced:
        raise RasterError(
            "the raster has no georeferencing (no geotransform)",
            str(facts.path),
            "georeference it, for example gdal_translate -a_srs EPSG:… -a_ullr W N E S",
        )
    if facts.crs is None and crs is None:
        raise RasterError(
            "the raster has no coordinate reference system",
            str(facts.path),
            "name it with --crs EPSG:… (grid.crs in the config)",
        )


def _normal_crs(crs: str) -> str:
    try:
        found = pyproj.CRS(crs)
    except pyproj.exceptions.CRSError as error:
        raise RasterError(
            f"{crs!r} is no coordinate reference system", "grid.crs", "write EPSG: and a number"
        ) from error
    return crs_name(CRS.from_wkt(found.to_wkt()))


def _keeps(facts: RasterFacts, resolution: float | None) -> bool:
    if resolution is None:
        return True
    sizes = (facts.transform.a, -facts.transform.e)
    return all(math.isclose(size, resolution, rel_tol=1e-9) for size in sizes)


def _own_grid(crs: str, facts: RasterFacts) -> AnalysisGrid:
    t = facts.transform
    if pyproj.CRS(crs).is_geographic:
        return AnalysisGrid(crs, t.a, -t.e, t.c, t.f)
    x_phase, y_phase = _phase(t.c, t.a), _phase(t.f, -t.e)
    return AnalysisGrid(crs, t.a, -t.e, x_phase, y_phase)


def _phase(corner: float, size: float) -> float:
    """Return the distance of a corner from the multiple of the pixel size below it."""
    phase = math.fmod(corner, size)
    phase += size if phase < 0 else 0.0
    return 0.0 if min(phase, size - phase) < SNAP * size else phase


def _resolution_in(target: str, own: str, facts: RasterFacts) -> float:
    """Return the image's pixel size in units of another CRS, to three significant digits."""
    t = facts.transform
    if target == own:
        return _rounded(math.sqrt(facts.pixel_area))
    x, y = t * (facts.width / 2, facts.height / 2)
    mx, my = metres_per_unit(own, x, y)
    metres = math.sqrt(facts.pixel_area * mx * my)
    west, south, east, north = transform_bounds(own, target, x, y, x, y)
    tx, ty = metres_per_unit(target, (west + east) / 2, (south + north) / 2)
    return _rounded(metres / math.sqrt(tx * ty))


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _scene_bounds(scene: Any, crs: str) -> tuple[float, float, float, float]:
    boxes = []
    for path in sorted({b.path for b in scene.bands.values()}):
        facts = inspect_raster(path)
        corners = [facts.transform * (c, r) for c in (0, facts.width) for r in (0, facts.height)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        box = (min(xs), min(ys), max(xs), max(ys))
        if facts.crs and facts.crs != crs:
            box = transform_bounds(facts.crs, crs, *box, densify_pts=21)
        boxes.append(box)
    west, south, east, north = np.array(boxes).T
    return float(west.max()), float(south.max()), float(east.min()), float(north.min())
