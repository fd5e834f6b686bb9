"""A stack of scenes: one epoch per civil date, read date by date on one grid."""

import datetime as dt
import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError, RasterError
from tiles.deliveries import open_scene
from tiles.files import fingerprint
from tiles.grid import AnalysisGrid, Extent
from tiles.mosaic import mosaicked
from tiles.pairgrid import scene_extent
from tiles.rasters import gdal_env
from tiles.reader import AnyReader, lay_over
from tiles.remote import is_remote, remote_fingerprint
from tiles.scene import Epoch, Scene, SetAside
from tiles.sharpened import scene_reader
from tiles.sources import CellCache

__all__ = ["StackDate", "StackReader", "StackScene", "open_stack", "stack_extent"]

CACHE_MB = 32.0
"""Memory for warped cells per thread, MB."""


@dataclass(frozen=True)
class StackScene:
    """A scene and the files it was opened from.

    Attributes
    ----------
    scene : Scene
    paths : tuple of Path
        As they were named: one folder, file or item, or the band files of one scene.
    """

    scene: Scene
    paths: tuple[Path, ...]

    @property
    def fingerprint(self) -> str:
        """Hash of the names and the content of all files that are read."""
        scene, digest = self.scene, hashlib.sha256()
        sources = [scene.bands[name] for name in sorted(scene.bands)]
        files = [s.path for s in (*sources, scene.pan, scene.mask) if s is not None]
        for file in dict.fromkeys(files):
            told = remote_fingerprint(file) if is_remote(file) else fingerprint(file)
            digest.update(told.encode())
        return digest.hexdigest()[:32]


@dataclass(frozen=True)
class StackDate:
    """One civil date of a stack.

    Attributes
    ----------
    day : date
    scenes : tuple of StackScene
        In order of preference: the first usable pixel wins.
    """

    day: dt.date
    scenes: tuple[StackScene, ...]

    @property
    def number(self) -> int:
        """Days since 1 January 1970."""
        return (self.day - dt.date(1970, 1, 1)).days

    @property
    def epoch(self) -> Epoch:
        """The scenes as an epoch."""
        return Epoch(tuple(s.scene for s in self.scenes), self.day, self.day)


def open_stack(
    groups: Iterable[Sequence[Path]], *, sensor: str | None = None, time_zone: str = "Asia/Shanghai"
) -> tuple[tuple[StackDate, ...], tuple[SetAside, ...]]:
    """Open the heads of all scenes and put them in the order of their civil dates.

    Parameters
    ----------
    groups : iterable of sequences of Path
        What each scene is made of, see `tiles.deliveries.group_files`.
    sensor : str or None
        Name of a sensor of ``configs/sensors``; found from the file names if None.
    time_zone : str
        Zone of civil dates.

    Returns
    -------
    dates : tuple of StackDate
        Scenes of one date in an order that does not depend on the order of listing.
    set_aside : tuple of SetAside
        Scenes that cannot be used.

    Raises
    ------
    RasterError
        If no scene can be used.
    InputError
        If nothing tells the date of a scene.
    """
    by_day: dict[dt.date, list[StackScene]] = {}
    bad: list[RasterError] = []
    for group in groups:
        try:
            scene = open_scene(
                [p if is_remote(p) else p.resolve() for p in group], sensor, time_zone
            )
        except RasterError as error:
            bad.append(error)
            continue
        day = scene.civil_date(time_zone)
        if day is None:
            raise InputError(
                "nothing tells when the scene was taken",
                scene.scene_id,
                "put the date into its name (…_20200611_…), or give a STAC item",
            )
        by_day.setdefault(day, []).append(StackScene(scene, tuple(group)))
    if not by_day and bad:
        raise bad[0]
    dates = tuple(StackDate(day, _ordered(by_day[day])) for day in sorted(by_day))
    return dates, tuple(SetAside(e.where, e.what, e.fix) for e in bad)


def _ordered(scenes: list[StackScene]) -> tuple[StackScene, ...]:
    order = mosaicked(Epoch(tuple(s.scene for s in scenes)), "newest").scenes
    places = {id(scene): k for k, scene in enumerate(order)}
    return tuple(sorted(scenes, key=lambda s: places[id(s.scene)]))


def stack_extent(dates: Sequence[StackDate], grid: AnalysisGrid) -> Extent:
    """Return the pixels that the bounding boxes of all scenes cover together."""
    boxes = [scene_extent(s.scene, grid) for d in dates for s in d.scenes]
    return Extent(
        min(b.row0 for b in boxes),
        min(b.col0 for b in boxes),
        max(b.row1 for b in boxes),
        max(b.col1 for b in boxes),
    )


@dataclass(frozen=True)
class StackReader:
    """Reads one date after another on the grid; it can be pickled.

    Files are opened for one read and closed after it, so that a stack of any length needs a few
    open files only; how each is to be read is worked out once per thread.

    Attributes
    ----------
    epochs : tuple of Epoch
    grid : AnalysisGrid
    bands : tuple of str
        In the order of the values.
    """

    epochs: tuple[Epoch, ...]
    grid: AnalysisGrid
    bands: tuple[str, ...]
    token: str = field(default="", init=False)

    def __post_init__(self) -> None:
        for epoch in self.epochs:
            if missing := [b for b in self.bands if b not in epoch.bands]:
                raise RasterError(
                    f"the scene has no band {', '.join(missing)}; it has {', '.join(epoch.bands)}",
                    epoch.scenes[0].scene_id,
                    "leave it out, or name the sensor (sensor: in the config)",
                )
        told = repr((self.epochs, self.grid, self.bands))
        object.__setattr__(self, "token", hashlib.sha256(told.encode()).hexdigest())

    def read(self, number: int, extent: Extent) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read one date.

        Parameters
        ----------
        number : int
            Place in `epochs`.
        extent : Extent

        Returns
        -------
        tuple of (values, valid)
            float32 (band, y, x), 0 where not valid, and bool (y, x): false without image, and
            where the quality raster of a scene excludes the pixel.

        Raises
        ------
        RasterError
            Naming file, band and window, if pixels cannot be read.
        """
        with gdal_env():
            readers = [r for box, r in self._readers(number) if not box.intersect(extent).is_empty]
            try:
                if readers:
                    values, valid, _ = lay_over(readers, extent)
                    return values, valid
            finally:
                for reader in readers:
                    reader.close()
        shape = (len(self.bands), *extent.shape)
        return np.zeros(shape, np.float32), np.zeros(extent.shape, np.bool_)

    def _readers(self, number: int) -> list[tuple[Extent, AnyReader]]:
        """Return the readers of a date with what each covers, made once per thread."""
        held: dict[object, Any] = _threads.__dict__.setdefault("held", {})
        if held.get("token") != self.token:
            held.clear()
            held |= {"token": self.token, "cache": CellCache(CACHE_MB)}
        if number not in held:
            held[number] = [
                (
                    scene_extent(scene, self.grid),
                    scene_reader(
                        scene, self.bands, self.grid, None, held["cache"], f"{number} {k}"
                    ),
                )
                for k, scene in enumerate(self.epochs[number].scenes)
            ]
        readers: list[tuple[Extent, AnyReader]] = held[number]
        return readers


_threads = threading.local()
