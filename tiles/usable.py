"""Which dates of a catalogue are usable for an area: the newest, or the best to compare with."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from configs.errors import InputError
from configs.runparts import DateRule
from configs.told import Told
from tiles.catalog import Entry, search_entries
from tiles.coverage import Acquisition, EqualArea, acquisitions, compare

__all__ = ["ChosenDate", "best_match", "newest_usable"]

UNTOLD = Told("", "")
ROLES = {"before": Told("前时相", "earlier date"), "after": Told("后时相", "later date")}


@dataclass(frozen=True)
class ChosenDate:
    """The images of a date and why they were taken.

    Attributes
    ----------
    images : Acquisition
        Its day is that of the newest scene.
    first : date
        Day of the oldest scene.
    percent : float
        Share of the area that is seen without cloud.
    reason : Told
        Empty until the date is chosen.
    """

    images: Acquisition
    first: dt.date
    percent: float
    reason: Told = UNTOLD

    @property
    def day(self) -> dt.date:
        """Day of the newest scene."""
        return self.images.day


def newest_usable(
    entries: Sequence[Entry],
    area: Any,
    rule: DateRule,
    *,
    role: str,
    time_zone: str,
    later: dt.date | None = None,
) -> ChosenDate:
    """Return the newest usable date of a catalogue.

    Parameters
    ----------
    entries : sequence of Entry
    area : shapely geometry
        Longitude and latitude.
    rule : DateRule
    role : {"before", "after"}
        For sentences.
    time_zone : str
        Zone of civil dates.
    later : date, optional
        First day of the later date: what `rule` says about days apart counts from it.

    Raises
    ------
    InputError
        If no date is usable; the best one is told.
    """
    dates = _dates(entries, area, rule, time_zone, later)
    for passed, date in enumerate(dates):
        if date.percent >= rule.least_usable_percent:
            zh, en = _seen(date, role)
            zh += "，为目录中最新的可用影像"
            en += ", the newest usable images of the catalogue"
            if passed:
                limit = f"{rule.least_usable_percent:g} %"
                zh += f"；更新的 {passed} 期可观测不足 {limit}，未采用"
                en += f"; {passed} newer dates show less than {limit} and were passed over"
            return ChosenDate(date.images, date.first, date.percent, Told(zh, en))
    raise _nothing(dates, rule, f"{role}: latest in the config")


def best_match(
    entries: Sequence[Entry], area: Any, rule: DateRule, after: ChosenDate, *, time_zone: str
) -> ChosenDate:
    """Return the usable earlier date that is best compared with a later one.

    Raises
    ------
    InputError
        If no date is usable; the best one is told.
    """
    equal = EqualArea(area)
    dates = _dates(entries, area, rule, time_zone, after.first)
    usable = [d for d in dates if d.percent >= rule.least_usable_percent]
    if not usable:
        raise _nothing(dates, rule, "before: best in the config")
    pairs = [(compare(d.images, after.images, equal), d) for d in usable]
    pair, date = min(pairs, key=lambda p: (-p[0].score, -p[1].day.toordinal(), p[1].images.sensor))
    zh, en = _seen(date, "before")
    count = len(usable)
    zh += f"，在 {count} 期可用影像中与后时相最可比：{pair.reason('zh')}"
    en += f", of {count} usable dates best compared with the later one: {pair.reason('en')}"
    return ChosenDate(date.images, date.first, date.percent, Told(zh, en))


def _dates(
    entries: Sequence[Entry], area: Any, rule: DateRule, time_zone: str, later: dt.date | None
) -> list[ChosenDate]:
    """Return the dates that a rule admits, the newest first, usable or not."""
    begin, end = rule.begin or dt.date.min, rule.end or dt.date.max
    if later is not None:
        least, most = (dt.timedelta(days=n) for n in rule.apart_days)
        begin, end = max(begin, later - most), min(end, later - least)
    found = search_entries(
        entries, area=area, sensor=rule.sensor, max_cloud=rule.max_cloud, time_zone=time_zone
    )
    days = [a for a in acquisitions(found, area, (begin, end), time_zone) if _counts(rule, a.day)]
    days.sort(key=lambda a: (-a.day.toordinal(), a.sensor))
    equal = EqualArea(area)
    return [_filled(day, days, rule, equal) for day in days]


def _counts(rule: DateRule, day: dt.date) -> bool:
    if rule.months is None:
        return True
    first, last = rule.months
    inside = first <= day.month <= last
    return inside if first <= last else day.month >= first or day.month <= last


def _filled(
    newest: Acquisition, days: Sequence[Acquisition], rule: DateRule, equal: EqualArea
) -> ChosenDate:
    """Return a date with earlier scenes of its sensor, until enough of the area is seen."""
    entries, usable, first = newest.entries, newest.usable, newest.day
    share = equal.share(usable)
    for earlier in days:
        if 100 * share >= rule.least_usable_percent:
            break
        if earlier.sensor != newest.sensor or not (
            0 < (newest.day - earlier.day).days <= rule.within_days
        ):
            continue
        united = shapely.union_all([usable, earlier.usable])
        if (seen := equal.share(united)) > share:
            entries, usable, share = (*entries, *earlier.entries), united, seen
            first = earlier.day
    images = Acquisition(entries, newest.day, newest.sensor, usable)
    return ChosenDate(images, first, round(100 * share, 1))


def _seen(date: ChosenDate, role: str) -> tuple[str, str]:
    days = f"{date.day}" if date.first == date.day else f"{date.first} – {date.day}"
    sensor, percent = date.images.sensor, date.percent
    zh = f"{ROLES[role].zh} {days}（{sensor}，可观测 {percent} %"
    en = f"{ROLES[role].en} {days} ({sensor}, {percent} % of the area seen"
    if date.images.cloud is None:
        zh, en = f"{zh}，云量未知", f"{en}, cloud not known"
    return f"{zh}）", f"{en})"


def _nothing(dates: Sequence[ChosenDate], rule: DateRule, where: str) -> InputError:
    if not dates:
        return InputError(
            "the catalogue has no scene of the area in that time",
            where,
            "widen begin, end, months, apart_days or max_cloud, or build the catalogue again",
        )
    best = max(dates, key=lambda d: (d.percent, d.day))
    return InputError(
        f"no date shows {rule.least_usable_percent:g} % of the area; the best is {best.day} with "
        f"{best.percent} %",
        where,
        "lower least_usable_percent, or let earlier scenes fill gaps by within_days",
    )
