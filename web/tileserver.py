"""Map tiles for callers: which image, which part of it they may see, what was cut before."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from clues.store.features import division_outline, divisions_stamp
from clues.store.images import ImageRow, counties_of_run, find_image, images
from clues.store.publicview import last_change
from configs.errors import RasterError
from tiles.tilecache import TileCache
from tiles.webtiles import TileAddress, cut_tile, to_mercator
from web.answers import Kept

if TYPE_CHECKING:
    from clues.store.repository import Store

__all__ = ["Tile", "TileServer"]

IMAGES = "images"
"""Folder of display images inside the folder of a desk; nothing else is ever opened."""

OUTLINES_KEPT = 200
RUNS_KEPT = 200
EVERYWHERE: Any = None


@dataclass(frozen=True)
class Tile:
    """A tile that was asked for.

    Attributes
    ----------
    key : str
        Names its pixels: the same key, the same bytes.
    data : bytes or None
        None where nothing is to be seen, or where the caller holds it already.
    """

    key: str
    data: bytes | None


class TileServer:
    """Gives map tiles of the images in a store.

    Parameters
    ----------
    store : Store
    folder : Path
        Of the desk: paths in the store are relative to it.
    cache : TileCache
    """

    def __init__(self, store: "Store", folder: Path, cache: TileCache) -> None:
        self.store, self.cache = store, cache
        self.root = (folder / IMAGES).resolve()
        self._folder = folder.resolve()
        self._outlines: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._runs: Kept[frozenset[str]] = Kept(RUNS_KEPT)
        self._lock = threading.Lock()
        self._cutting = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))

    def listed(self, run: str | None, divisions: tuple[str, ...]) -> list[ImageRow]:
        """Return the images that somebody bound to divisions may see; none bound: all."""
        with self.store.engine.connect() as connection:
            rows = images(connection, run)
            return [r for r in rows if self._part(connection, r, divisions)[0]]

    def tile(
        self,
        image_id: str,
        address: TileAddress,
        suffix: str,
        divisions: tuple[str, ...],
        held: str = "",
    ) -> Tile | None:
        """Return a tile.

        Parameters
        ----------
        image_id : str
            Of the catalogue; it is looked up and never a path.
        address : TileAddress
        suffix : {"png", "webp"}
        divisions : tuple of str
            Whose ground the caller may see; none for all.
        held : str
            Keys that the caller holds: those are not cut again.

        Returns
        -------
        Tile or None
            None where there is no such image for this caller.

        Raises
        ------
        RasterError
            If the image cannot be read.
        """
        with self.store.engine.connect() as connection:
            row = find_image(connection, image_id)
            if row is None:
                return None
            may, within, stamp = self._part(connection, row, divisions)
        if not may:
            return None
        if within is not None:
            box = shapely.box(*address.bounds)
            if not within.intersects(box):
                return Tile("", None)
            within = None if within.contains(box) else within
        part = (divisions, stamp) if within is not None else ()
        key = TileCache.key(row.fingerprint, address.z, address.x, address.y, suffix, *part)
        if key in held:
            return Tile(key, None)
        data = self.cache.get(key)
        if data is None:
            with self._cutting:
                data = cut_tile(self._file(row), address, suffix, within) or b""
            self.cache.put(key, data)
        return Tile(key, data or None)

    def _file(self, row: ImageRow) -> Path:
        """Return the file of an image; a path that leads elsewhere is not followed."""
        path = (self._folder / row.path).resolve()
        if not path.is_relative_to(self.root) or not path.is_file():
            raise RasterError(
                f"the file of the image {row.image_id} is not there",
                row.path,
                "bring the run in again with `tuban desk add`",
            )
        return path

    def _part(
        self, connection: Any, row: ImageRow, divisions: tuple[str, ...]
    ) -> tuple[bool, Any, int]:
        """Return whether an image may be seen, inside what (None: all of it), and its stamp."""
        if not divisions:
            return True, EVERYWHERE, 0
        stamp = divisions_stamp(connection)
        outline = self._outline(connection, divisions, stamp)
        if outline is not None:
            box = to_mercator(shapely.box(*row.bounds))
            return bool(outline.intersects(box)), outline, stamp
        own = self._counties(connection, row.run_id)
        inside = bool(own) and all(
            any(code.startswith(d) or d.startswith(code) for d in divisions) for code in own
        )
        return inside, EVERYWHERE, stamp

    def _counties(self, connection: Any, run_id: int) -> frozenset[str]:
        key = run_id, last_change(connection)
        return self._runs.made(key, lambda: counties_of_run(connection, run_id))

    def _outline(self, connection: Any, divisions: tuple[str, ...], stamp: int) -> Any:
        """Return the outline of divisions in web Mercator, None where none is drawn."""
        key = (divisions, stamp)
        with self._lock:
            if key in self._outlines:
                self._outlines.move_to_end(key)
                return self._outlines[key]
        shape = division_outline(connection, divisions) if stamp else None
        if shape is not None:
            shape = to_mercator(shape)
            shapely.prepare(shape)
        with self._lock:
            self._outlines[key] = shape
            while len(self._outlines) > OUTLINES_KEPT:
                self._outlines.popitem(last=False)
        return shape
