"""The next usable scene of hidden ground: the earliest later day of a catalogue that shows it."""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.unseen import NextScene
from configs.errors import RasterError
from configs.sensors import sensor_names, sensor_spec
from detect.valid_runs import Runs, hidden_boxes, mask_runs
from tiles.catalog import Entry, search_entries
from tiles.deliveries import open_scene
from tiles.geodesy import transformer
from tiles.grid import AnalysisGrid, Extent, plan_tiles
from tiles.rasters import gdal_env
from tiles.scene import Scene
from tiles.sources import CellCache, SceneReader

__all__ = ["Search", "next_scenes"]

log = logging.getLogger(__name__)

SHOWN = 0.95
"""Share of a part from which it counts as shown: edges and single pixels do not matter."""

LOOK_DAYS = 366
"""How far ahead is looked: by then the next survey is due."""

TILE_PX = 1024
CACHE_MB = 64.0


@dataclass(frozen=True)
class Search:
    """Where is looked, and for what.

    Attributes
    ----------
    grid : AnalysisGrid
    observed : Runs
        Pixels that the run did observe.
    after : date
        Later days only.
    time_zone : str
    scene : callable
        Gives an opened scene what the config says about all scenes.
    """

    grid: AnalysisGrid
    observed: Runs
    after: dt.date
    time_zone: str
    scene: Callable[[Scene], Scene]


def next_scenes(
    entries: Sequence[Entry], parts: NDArray[np.object_], search: Search
) -> list[NextScene | None]:
    """Return for each part the earliest later day that shows it.

    Days are tried in order until every part is shown. What a scene shows is told by its own
    pixels and quality raster, read on the grid of the run.

    Parameters
    ----------
    entries : sequence of Entry
        Scenes of a catalogue, in any order.
    parts : ndarray of Polygon or MultiPolygon, shape (n,)
        Hidden ground in the CRS of the grid.
    search : Search

    Returns
    -------
    list of NextScene or None
        Where no day shows a part the one that shows most of it; None where none shows any.
    """
    best: list[NextScene | None] = [None] * len(parts)
    if not len(parts):
        return best
    tree, areas = shapely.STRtree(parts), shapely.area(parts)
    for day, members in _days(entries, parts, search):
        open_parts = np.array([b is None or not b.is_shown for b in best])
        if not open_parts.any():
            break
        scenes = _opened(members, search)
        if not scenes:
            continue
        seen = _seen(scenes, parts[open_parts], search)
        pairs = tree.query(seen, predicate="intersects")
        overlap = shapely.area(shapely.intersection(seen[pairs[0]], parts[pairs[1]]))
        shares = np.bincount(pairs[1], overlap, len(parts)) / areas
        name = ",".join(s.scene_id for s in scenes)
        told = all(s.mask is not None for s in scenes)
        for i in np.flatnonzero(open_parts & (shares > 0)):
            was, share = best[i], min(float(shares[i]), 1.0)
            if share >= SHOWN or was is None or round(100 * share, 1) > was.percent:
                best[i] = NextScene(day, name, round(100 * share, 1), share >= SHOWN, told)
    return best


def _days(
    entries: Sequence[Entry], parts: NDArray[np.object_], search: Search
) -> Iterator[tuple[dt.date, list[Entry]]]:
    """Yield the later days with the optical scenes that meet the parts, one sensor at a time."""
    to_lonlat = transformer(search.grid.crs, "EPSG:4326").transform
    hull = shapely.transform(
        shapely.box(*shapely.total_bounds(parts)).segmentize(10_000 * search.grid.x_resolution),
        lambda xy: np.column_stack(to_lonlat(xy[:, 0], xy[:, 1])),
    )
    later = search_entries(
        entries,
        area=hull,
        begin=search.after + dt.timedelta(days=1),
        end=search.after + dt.timedelta(days=LOOK_DAYS),
        time_zone=search.time_zone,
    )
    radar = {n for n in sensor_names() if sensor_spec(n).kind == "radar"}
    groups: dict[tuple[dt.date, str], list[Entry]] = {}
    for entry in later:
        if entry.sensor not in radar:
            day = entry.acquired.astimezone(ZoneInfo(search.time_zone)).date()
            groups.setdefault((day, entry.sensor), []).append(entry)
    for (day, _), members in sorted(groups.items(), key=lambda item: item[0]):
        yield day, members


def _opened(members: Sequence[Entry], search: Search) -> list[Scene]:
    found = []
    for entry in members:
        try:
            found.append(search.scene(open_scene([Path(entry.path)], None, search.time_zone)))
        except RasterError as error:
            log.warning("a scene of the catalogue is passed over: %s", error)
    return found


def _seen(
    scenes: Sequence[Scene], parts: NDArray[np.object_], search: Search
) -> NDArray[np.object_]:
    """Return boxes of the hidden pixels near some parts that a day's scenes show."""
    grid, cache = search.grid, CellCache(CACHE_MB)
    readers = [
        SceneReader(s, (next(iter(s.bands)),), grid, None, cache, s.scene_id) for s in scenes
    ]
    tree = shapely.STRtree(parts)
    boxes = []
    with gdal_env():
        for tile in plan_tiles(grid.extent_of(tuple(shapely.total_bounds(parts))), TILE_PX):
            if not tree.query(shapely.box(*grid.bounds(tile.extent)), predicate="intersects").size:
                continue
            shown = np.zeros(tile.extent.shape, np.bool_)
            for reader in readers:
                shown |= _valid(reader, tile.extent)
            shown &= ~_observed(search.observed, tile.extent)
            boxes.append(hidden_boxes(mask_runs(~shown, tile.extent), tile.extent))
    for reader in readers:
        reader.close()
    found = np.concatenate(boxes) if boxes else np.empty((0, 4), np.int64)
    west, north = grid.xy(found[:, 0], found[:, 1])
    east, south = grid.xy(found[:, 2], found[:, 3])
    return np.asarray(shapely.box(west, south, east, north), object)


def _valid(reader: SceneReader, extent: Extent) -> NDArray[np.bool_]:
    """Return what a scene shows of an extent; nothing where its pixels cannot be read."""
    try:
        return reader.read(extent)[1]
    except RasterError as error:
        log.warning("a scene of the catalogue is passed over: %s", error)
        return np.zeros(extent.shape, np.bool_)


def _observed(runs: Runs, extent: Extent) -> NDArray[np.bool_]:
    """Return the pixels of an extent that runs cover."""
    out = np.zeros(extent.shape, np.bool_)
    low, high = np.searchsorted(runs[0], (extent.row0, extent.row1))
    row, first, last = (part[low:high] for part in runs)
    here = (last >= extent.col0) & (first < extent.col1)
    starts = np.maximum(first - extent.col0, 0)
    for r, a, b in zip(row[here], starts[here], last[here], strict=True):
        out[r - extent.row0, a : b + 1 - extent.col0] = True
    return out
