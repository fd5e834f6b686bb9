"""What a catalogue shows of an area in a period, and which two dates are best compared."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pyproj
import shapely

from tiles.catalog import Entry, cloud_percent

__all__ = [
    "Acquisition",
    "Coverage",
    "EqualArea",
    "PairProposal",
    "acquisitions",
    "compare",
    "coverage_of",
    "periods",
    "propose_pairs",
]

LONLAT = "EPSG:4326"
YEAR_DAYS = 365.25
SMALLEST_GAP = 1e-4
"""Share of the area below which what is not seen is rounding."""

WORST = {"season": YEAR_DAYS / 2, "cloud": 100.0, "view": 30.0, "sun": 60.0}
WEIGHTS = {"seen": 4.0, "season": 2.0, "cloud": 1.0, "view": 1.0, "sun": 0.5, "sensor": 0.5}
"""Of the penalties of a pair; what both dates show of the area counts most."""


@dataclass(frozen=True)
class Coverage:
    """What the scenes of a period show of an area.

    Attributes
    ----------
    period : str
        ``2025``, ``2025-Q1``, ``2025-03``.
    scenes : int
        Scenes that meet the area.
    usable_percent : float
        Share of the area that at least one scene shows without cloud.
    gaps : shapely geometry
        What none shows, longitude and latitude.
    """

    period: str
    scenes: int
    usable_percent: float
    gaps: Any


@dataclass(frozen=True)
class Acquisition:
    """Scenes of one sensor and civil day: what one pass shows of an area.

    Attributes
    ----------
    entries : tuple of Entry
    day : date
    sensor : str
    usable : shapely geometry
        Part of the area that is seen without cloud.
    """

    entries: tuple[Entry, ...]
    day: dt.date
    sensor: str
    usable: Any

    def mean(self, name: str) -> float | None:
        """Return the mean of a numeric property, None where no scene tells it."""
        values = [v for e in self.entries if (v := e.number(name)) is not None]
        return sum(values) / len(values) if values else None

    @property
    def cloud(self) -> float | None:
        """Mean cloud of the scenes in percent."""
        values = [v for e in self.entries if (v := cloud_percent(e)) is not None]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class PairProposal:
    """Two acquisitions to be compared, and why.

    Attributes
    ----------
    seen_percent : float
        Share of the area that both dates show.
    score : float
        0 worst, 1 best.
    season_days : float
        Distance of the two days within the year.
    cloud_percent, view_degrees, sun_degrees : float or None
        Cloud of the worse date; differences of view and sun. None where it is not told.
    """

    before: Acquisition
    after: Acquisition
    seen_percent: float
    score: float
    season_days: float
    cloud_percent: float | None
    view_degrees: float | None
    sun_degrees: float | None

    def reason(self, language: str) -> str:
        """Return the reason in one sentence, ``zh`` or ``en``."""
        zh, en = [], []
        zh.append(f"两期均可观测 {self.seen_percent:.1f} %")
        en.append(f"both dates show {self.seen_percent:.1f} % of the area")
        zh.append(f"季节相差 {self.season_days:.0f} 天")
        en.append(f"{self.season_days:.0f} days apart in the year")
        if self.cloud_percent is None:
            zh.append("云量未知")
            en.append("cloud not known")
        for value, text, english in (
            (self.cloud_percent, "云量最多 {:.0f} %", "at most {:.0f} % cloud"),
            (self.view_degrees, "观测角相差 {:.0f}°", "view angles differ by {:.0f}°"),
            (self.sun_degrees, "太阳高度角相差 {:.0f}°", "sun elevations differ by {:.0f}°"),
        ):
            if value is not None:
                zh.append(text.format(value))
                en.append(english.format(value))
        if self.before.sensor != self.after.sensor:
            zh.append(f"传感器不同（{self.before.sensor}、{self.after.sensor}）")
            en.append(f"different sensors ({self.before.sensor}, {self.after.sensor})")
        return "，".join(zh) if language == "zh" else ", ".join(en)


def periods(entries: Sequence[Entry], every: str, time_zone: str) -> list[str]:
    """Return the names of all periods from the first scene to the last, gaps included."""
    days = sorted(e.acquired.astimezone(ZoneInfo(time_zone)).date() for e in entries)
    if not days:
        return []
    months = range(days[0].year * 12 + days[0].month - 1, days[-1].year * 12 + days[-1].month)
    names = (_period(dt.date(m // 12, m % 12 + 1, 1), every) for m in months)
    return list(dict.fromkeys(names))


def _period(day: dt.date, every: str) -> str:
    if every == "year":
        return f"{day.year}"
    if every == "quarter":
        return f"{day.year}-Q{(day.month + 2) // 3}"
    return f"{day:%Y-%m}"


def coverage_of(
    entries: Sequence[Entry], area: Any, *, every: str = "quarter", time_zone: str
) -> list[Coverage]:
    """Return what the scenes of each period show of an area, periods without any included.

    Parameters
    ----------
    entries : sequence of Entry
    area : shapely geometry
        Longitude and latitude.
    every : {"year", "quarter", "month"}
    time_zone : str
        Zone of civil dates.
    """
    zone = ZoneInfo(time_zone)
    equal = EqualArea(area)
    found = []
    for name in periods(entries, every, time_zone):
        members = [
            e
            for e in entries
            if _period(e.acquired.astimezone(zone).date(), every) == name
            and e.footprint.intersects(area)
        ]
        usable = shapely.union_all([e.usable for e in members]).intersection(area)
        share = equal.share(usable)
        gaps = area.difference(usable) if share < 1 - SMALLEST_GAP else shapely.Polygon()
        found.append(Coverage(name, len(members), round(100 * share, 2), gaps))
    return found


def propose_pairs(
    entries: Sequence[Entry],
    area: Any,
    *,
    before: tuple[dt.date, dt.date],
    after: tuple[dt.date, dt.date],
    time_zone: str,
    count: int = 3,
) -> list[PairProposal]:
    """Return the best pairs of acquisitions, the best first; none shows nothing of the area.

    A pair is the better the more of the area both dates show without cloud, the nearer the days
    are within the year, the less cloud there is, and the less view and sun differ.

    Parameters
    ----------
    entries : sequence of Entry
    area : shapely geometry
        Longitude and latitude.
    before, after : tuple of date
        First and last civil day in which each date may lie.
    time_zone : str
    count : int
        Pairs returned at most.
    """
    equal = EqualArea(area)
    first, second = (acquisitions(entries, area, span, time_zone) for span in (before, after))
    pairs = [
        compare(a, b, equal)
        for a in first
        for b in second
        if a.day < b.day and not a.usable.intersection(b.usable).is_empty
    ]
    order = sorted(pairs, key=lambda p: (-p.score, p.before.day, p.after.day, p.before.sensor))
    return order[:count]


def acquisitions(
    entries: Sequence[Entry], area: Any, span: tuple[dt.date, dt.date], time_zone: str
) -> list[Acquisition]:
    """Return what meets an area between two civil days, by day and sensor."""
    groups: dict[tuple[dt.date, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: (e.acquired, e.name)):
        day = entry.acquired.astimezone(ZoneInfo(time_zone)).date()
        if span[0] <= day <= span[1] and entry.footprint.intersects(area):
            groups.setdefault((day, entry.sensor), []).append(entry)
    return [
        Acquisition(
            tuple(members),
            day,
            sensor,
            shapely.union_all([e.usable for e in members]).intersection(area),
        )
        for (day, sensor), members in sorted(groups.items())
    ]


def compare(first: Acquisition, second: Acquisition, equal: "EqualArea") -> PairProposal:
    """Return how well two acquisitions are compared over an area."""
    seen = equal.share(first.usable.intersection(second.usable))
    apart = abs((second.day - first.day).days) % YEAR_DAYS
    season = min(apart, YEAR_DAYS - apart)
    clouds = [c for c in (first.cloud, second.cloud) if c is not None]
    cloud = max(clouds) if clouds else None
    view = _difference(first, second, "view:off_nadir")
    sun = _difference(first, second, "view:sun_elevation")
    penalties = {
        "seen": 1 - seen,
        "season": season / WORST["season"],
        "cloud": (cloud or 0.0) / WORST["cloud"],
        "view": min((view or 0.0) / WORST["view"], 1.0),
        "sun": min((sun or 0.0) / WORST["sun"], 1.0),
        "sensor": float(first.sensor != second.sensor),
    }
    total = sum(WEIGHTS[name] * value for name, value in penalties.items())
    score = round(1 - total / sum(WEIGHTS.values()), 4)
    return PairProposal(first, second, round(100 * seen, 2), score, season, cloud, view, sun)


def _difference(first: Acquisition, second: Acquisition, name: str) -> float | None:
    a, b = first.mean(name), second.mean(name)
    return None if a is None or b is None else abs(a - b)


class EqualArea:
    """Shares of an area, in an equal-area projection about its middle."""

    def __init__(self, area: Any) -> None:
        x, y = area.centroid.x, area.centroid.y
        self._to = pyproj.Transformer.from_crs(
            LONLAT, f"+proj=laea +lat_0={y} +lon_0={x} +ellps=GRS80", always_xy=True
        )
        self._whole = self._area(area)

    def share(self, part: Any) -> float:
        """Return the share of the whole that a part takes, 0 to 1."""
        return min(1.0, self._area(part) / self._whole) if self._whole else 0.0

    def _area(self, shape: Any) -> float:
        if shape.is_empty:
            return 0.0
        flat = shapely.transform(shape, self._to.transform, interleaved=False)
        return float(shapely.area(flat))
