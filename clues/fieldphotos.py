"""Photos from the field against clues: where each was taken, and why it may not count.

A photo counts for a clue if it was taken in the patch, or within 50 m of it and towards it, after
the day of the later image, by a device that knew place and time. Every other photo is kept and
marked; none is taken silently.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.photos import Photo
from clues.webmaps import undo_gcj02
from tiles.geodesy import metres_per_unit, transformer

__all__ = ["MARKS", "NEAR_M", "ClueGround", "MatchedPhoto", "match_photo", "named_clue"]

NEAR_M = 50.0
"""How far from a patch a photo may be taken."""

AWAY_DEGREES = 60.0
"""How far the patch may lie to the side of the direction of a photo: more than half of what a wide
lens sees, and room for the compass of a phone."""

AWAY_REACH_M = 1e5

WORST_DILUTION = 10.0
"""Worse constellations put a place off by `NEAR_M`, at 5 m for the best."""

DATUMS = ("WGS84", "CGCS2000", "EPSG4326", "EPSG4490")
"""Beginnings of datums whose degrees are taken as they are, in capitals and digits."""

CLOCKS_APART = dt.timedelta(hours=26)
"""Camera and satellites may be in different zones, not further apart."""

MARKS = {
    "no_clue": ("无法对应到线索", "belongs to no clue"),
    "no_position": ("没有定位", "without position"),
    "outside": ("拍摄点在图斑 50 米以外", "taken more than 50 m outside the patch"),
    "other_clue": ("拍摄点更靠近另一线索", "taken at another clue"),
    "vague": ("定位误差大于 50 米", "position is off by more than 50 m"),
    "no_fix": ("拍摄时卫星未定位", "the receiver had no fix"),
    "weak_fix": (
        f"卫星几何精度因子大于 {WORST_DILUTION:g}",
        f"dilution of precision above {WORST_DILUTION:g}",
    ),
    "datum": ("坐标系不是 WGS 84 或 CGCS2000", "positions are on another datum than WGS 84"),
    "away": ("在图斑外拍摄，但未朝向图斑", "taken beside the patch, facing away from it"),
    "no_azimuth": ("在图斑外拍摄，且没有方位角", "taken beside the patch, without azimuth"),
    "old": ("不晚于后时相影像当日", "not later than the day of the later image"),
    "no_time": ("没有拍摄时间", "without time"),
    "ahead": ("拍摄时间在导入之后", "taken after it was handed in"),
    "clock": ("相机时间与卫星时间不符", "clock of the camera disagrees with the satellites"),
    "web_map": (
        "按 GCJ-02 反算后在图斑附近：设备可能写入了偏移坐标",
        "fits once the GCJ-02 shift is undone: the device may shift positions",
    ),
}
"""Why a photo does not count, in both languages."""


@dataclass(frozen=True)
class MatchedPhoto:
    """A photo with its clue.

    Attributes
    ----------
    clue_no : str
        "" where it belongs to none.
    distance_m : float or None
        From the patch, 0 inside; None without position or clue.
    marks : tuple of str
        Keys of `MARKS`; empty where the photo counts.
    """

    photo: Photo
    clue_no: str
    distance_m: float | None
    marks: tuple[str, ...]

    @property
    def counts(self) -> bool:
        """Whether it may stand as evidence for its clue."""
        return not self.marks


class ClueGround:
    """The patches of a run, to look up places.

    Parameters
    ----------
    numbers : sequence of str
    shapes : ndarray of geometry
        In `crs`.
    after : sequence of date or None
        Last day of the later image.
    crs : str
    """

    def __init__(
        self, numbers: Sequence[str], shapes: NDArray[Any], after: Sequence[Any], crs: str
    ) -> None:
        self.numbers = list(numbers)
        self.crs = crs
        self.after = dict(zip(self.numbers, after, strict=True))
        self.shapes = dict(zip(self.numbers, shapes, strict=True))
        self._all = shapes
        self._tree = shapely.STRtree(shapes)

    def distance(self, number: str, lonlat: tuple[float, float]) -> float:
        """Return the metres from a patch to a place, 0 inside."""
        (x, y), scale = self._place(lonlat)
        shape = shapely.transform(self.shapes[number], lambda xy: (xy - (x, y)) * scale)
        return float(shapely.distance(shape, shapely.Point(0, 0)))

    def faced(self, number: str, lonlat: tuple[float, float], azimuth: float) -> bool:
        """Tell whether any of a patch lies within `AWAY_DEGREES` of a direction from a place."""
        (x, y), scale = self._place(lonlat)
        shape = shapely.transform(self.shapes[number], lambda xy: (xy - (x, y)) * scale)
        turns = np.radians(azimuth + np.linspace(-AWAY_DEGREES, AWAY_DEGREES, 13))
        arc = AWAY_REACH_M * np.column_stack([np.sin(turns), np.cos(turns)])
        seen = shapely.polygons(np.vstack([(0.0, 0.0), arc]))
        return bool(shapely.intersects(shape, seen))

    def nearest(self, lonlat: tuple[float, float]) -> tuple[str, float] | None:
        """Return the nearest clue within `NEAR_M` and its distance; ties go to the first number."""
        (x, y), scale = self._place(lonlat)
        reach_x, reach_y = 2 * NEAR_M / scale
        window = shapely.box(x - reach_x, y - reach_y, x + reach_x, y + reach_y)
        found = [
            (self.distance(self.numbers[i], lonlat), self.numbers[i])
            for i in self._tree.query(window)
        ]
        if not found or min(found)[0] > NEAR_M:
            return None
        distance, number = min(found)
        return number, distance

    def _place(
        self, lonlat: tuple[float, float]
    ) -> tuple[tuple[float, float], NDArray[np.float64]]:
        x, y = (float(v) for v in transformer("EPSG:4490", self.crs).transform(*lonlat))
        return (x, y), np.array(metres_per_unit(self.crs, x, y))


def named_clue(name: str, numbers: Iterable[str], told: Mapping[str, str]) -> str:
    """Return the clue that a file was handed in for; "" where nothing tells it.

    Parameters
    ----------
    name : str
        Path of the file in the package.
    numbers : iterable of str
        Clue numbers of the run.
    told : mapping of str to str
        Clue by path, as the form says.
    """
    known = set(numbers)
    for path, clue in told.items():
        if clue in known and (name == path or name.endswith("/" + path)):
            return clue
    found = [(name.rfind(number), number) for number in known if number and number in name]
    return max(found)[1] if found else ""


def match_photo(
    photo: Photo, named: str, ground: ClueGround, today: dt.date, zone: dt.tzinfo
) -> MatchedPhoto:
    """Find the clue of a photo and say why it may not count.

    Parameters
    ----------
    photo : Photo
    named : str
        Clue that it was handed in for, or "".
    ground : ClueGround
    today : date
        Civil day of the import.
    zone : tzinfo
        Zone of civil days.
    """
    marks: list[str] = []
    place, distance, clue = photo.facts.lonlat, None, named
    try:
        near = ground.nearest(place) if place else None
        if not clue and near:
            clue = near[0]
        if place and clue:
            distance = ground.distance(clue, place)
    except (ValueError, OverflowError, FloatingPointError):
        place, near = None, None
    if distance is not None and not np.isfinite(distance):
        place, near, distance = None, None, None
    if not clue:
        marks.append("no_clue")
    if place is None:
        marks.append("no_position")
    elif distance is not None and distance > NEAR_M:
        marks += ["outside", *_why_outside(clue, near, place, ground)]
    elif distance:
        marks += _looking_marks(photo, clue, place, ground)
    if place is not None:
        marks += _place_marks(photo)
    marks += _time_marks(photo, ground.after.get(clue), today, zone)
    shown = None if distance is None else round(distance, 1)
    return MatchedPhoto(photo, clue, shown, tuple(marks))


def _looking_marks(
    photo: Photo, clue: str, place: tuple[float, float], ground: ClueGround
) -> list[str]:
    """Return the mark of a photo from beside the patch that may not show it."""
    azimuth = photo.facts.azimuth
    if azimuth is None:
        return ["no_azimuth"]
    return [] if ground.faced(clue, place, azimuth) else ["away"]


def _place_marks(photo: Photo) -> list[str]:
    """Return what the device says against its own position."""
    facts, marks = photo.facts, []
    if (facts.accuracy_m or 0) > NEAR_M:
        marks.append("vague")
    if not facts.fixed:
        marks.append("no_fix")
    if (facts.dilution or 0) > WORST_DILUTION:
        marks.append("weak_fix")
    plain = "".join(c for c in facts.datum.upper() if c.isalnum())
    if plain and not plain.startswith(DATUMS):
        marks.append("datum")
    return marks


def _why_outside(
    clue: str, near: tuple[str, float] | None, place: tuple[float, float], ground: ClueGround
) -> list[str]:
    found = ["other_clue"] if near and near[0] != clue else []
    moved = undo_gcj02(np.array([place]))[0]
    if ground.distance(clue, (float(moved[0]), float(moved[1]))) <= NEAR_M:
        found.append("web_map")
    return found


def _time_marks(photo: Photo, after: Any, today: dt.date, zone: dt.tzinfo) -> list[str]:
    taken, sky = photo.facts.taken, photo.facts.satellites
    told = sky.astimezone(zone).replace(tzinfo=None) if sky else None
    moment = taken or told
    if moment is None:
        return ["no_time"]
    marks = []
    days = [t.date() for t in (taken, told) if t is not None]
    if hasattr(after, "isoformat") and after == after and min(days) <= after:
        marks.append("old")
    if max(days) > today:
        marks.append("ahead")
    if taken and told and abs(taken - told) > CLOCKS_APART:
        marks.append("clock")
    return marks
