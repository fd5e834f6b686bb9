"""Images of one date to an epoch: scenes in order of preference, one bad one set aside."""

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from configs.errors import RasterError
from tiles.deliveries import group_files, open_scene
from tiles.rasters import inspect_raster, probe
from tiles.scene import Epoch, MaskSource, Scene, SetAside

__all__ = ["open_epoch"]

log = logging.getLogger(__name__)

ANY_BIT = tuple(range(32))


def open_epoch(
    paths: Sequence[Path],
    *,
    sensor: str | None = None,
    date: dt.date | None = None,
    mask: Path | None = None,
    time_zone: str = "Asia/Shanghai",
) -> Epoch:
    """Make an epoch of images of one date.

    Parameters
    ----------
    paths : sequence of Path
        In order of preference, each a stacked raster, a folder of single-band files
        (``*_B02.tif``), or a STAC item. Single-band files of one scene may also be listed.
    sensor : str or None
        Name of a sensor of ``configs/sensors``; found from the file names if None.
    date : date or None
        Civil date; if None the file names or the item tell it, or it stays unknown.
    mask : Path or None
        Raster of the same extent, 0 = usable; it replaces the sensor's own quality band.
    time_zone : str
        Zone of civil dates.

    Returns
    -------
    Epoch
        Bands are named by role (``blue`` … ``swir2``), or ``band1`` … where nothing tells it.

    Raises
    ------
    RasterError
        If no scene can be used: a file is missing, damaged or of a format that is not read. One
        such scene of several is set aside. Also if a band is missing at one of the scenes.
    """
    scenes: list[Scene] = []
    bad: list[RasterError] = []
    own = None if mask is None else _user_mask(mask)
    for group in group_files([Path(p) for p in paths], sensor):
        try:
            scene = open_scene(group, sensor, time_zone)
        except RasterError as error:
            bad.append(error)
            continue
        scenes.append(scene if own is None else replace(scene, mask=own))
    if not scenes and bad:
        raise bad[0]
    _require_same_bands(scenes)
    epoch = replace(
        Epoch.of(scenes, time_zone, date),
        set_aside=tuple(SetAside(e.where, e.what, e.fix) for e in bad),
    )
    for reason in bad:
        log.warning("a scene is set aside: %s", reason)
    told = sorted({d for s in scenes if (d := s.civil_date(time_zone))})
    if date is not None and told and told != [date]:
        log.warning("the date %s was given, the file names say %s", date, ", ".join(map(str, told)))
    return epoch


def _require_same_bands(scenes: list[Scene]) -> None:
    first = scenes[0]
    for scene in scenes[1:]:
        if missing := [b for b in first.bands if b not in scene.bands]:
            raise RasterError(
                f"the scene lacks the band {', '.join(missing)} that {first.scene_id} has",
                scene.scene_id,
                "give the same bands for every scene of a date",
            )


def _user_mask(path: Path) -> MaskSource:
    facts = inspect_raster(path)
    if facts.dtype.startswith("float"):
        raise RasterError(
            f"the mask holds {facts.dtype} values",
            str(path),
            "save it as whole numbers, 0 = usable",
        )
    probe(path, 1)
    return MaskSource(path, "bits", ANY_BIT)
