"""What file names tell: band, scene, day."""

import datetime as dt
import re
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from configs.sensors import SensorSpec, detect_sensor, sensor_names, sensor_spec

__all__ = ["acquired_from_name", "band_name", "is_ignored", "metres", "scene_name"]

BAND_TOKEN = re.compile(
    r"(?:^|(?<=[_.\-]))B(\d{1,2}A?)(?:_(\d{2})m|_VCID_\d)?(?=[_.\-]|$)", re.IGNORECASE
)
DATE_TIME = re.compile(
    r"(?<!\d)((?:19|20)\d{2})-?(\d{2})-?(\d{2})[Tt](\d{2}):?(\d{2}):?(\d{2})(?!\d)"
)
DATE = re.compile(r"(?<!\d)((?:19|20)\d{2})([-_.]?)(\d{2})\2(\d{2})(?!\d)")
CREATED = re.compile(r"_OPER_[A-Z]{3}_L\d[A-C]_T[LC]_")
"""Sentinel-2 granules of before December 2016 are named by the time of processing."""

DAY_OF_YEAR = re.compile(r"L[CETM]\d{7}((?:19|20)\d{2})(\d{3})")


def acquired_from_name(name: str, time_zone: str) -> dt.datetime | None:
    """Return the UTC time that a file or product name tells, or None.

    Where a name tells a day and no time, noon of that day in `time_zone` is taken. A time of
    processing, as in old granule names of Sentinel-2, is not taken.

    Examples
    --------
    >>> acquired_from_name("T49QCD_20161209T031122_B02.tif", "Asia/Shanghai").isoformat()
    '2016-12-09T03:11:22+00:00'
    """
    if CREATED.search(name):
        return None
    for match in DATE_TIME.finditer(name):
        try:
            return dt.datetime(*(int(g) for g in match.groups()), tzinfo=dt.UTC)  # type: ignore[misc, arg-type]
        except ValueError:
            continue
    day = next((d for m in DATE.finditer(name) if (d := _day(m[1], m[3], m[4]))), None)
    numbered = DAY_OF_YEAR.search(name)
    if day is None and numbered:
        day = dt.date(int(numbered[1]), 1, 1) + dt.timedelta(days=int(numbered[2]) - 1)
    if day is None:
        return None
    return dt.datetime.combine(day, dt.time(12), ZoneInfo(time_zone)).astimezone(dt.UTC)


def _day(year: str, month: str, day: str) -> dt.date | None:
    try:
        return dt.date(int(year), int(month), int(day))
    except ValueError:
        return None


def band_name(path: Path, sensor: str | None = None) -> str:
    """Return the name of the band a single-band file holds (``B02``, ``VV``), "" if none."""
    own = _own_token(path, sensor)
    if own is not None:
        match = own.search(path.stem)
        return match[1].upper() if match and match[1] else ""
    match = BAND_TOKEN.search(path.stem)
    return f"B{match[1].upper()}" if match else ""


def scene_name(path: Path, sensor: str | None = None) -> str:
    """Return the file name without the band."""
    own = _own_token(path, sensor)
    name = (own or BAND_TOKEN).sub("", path.stem)
    return re.sub(r"[_.\-]{2,}(?=$)|[_.\-]+$", "", name) or path.parent.name


def metres(path: Path) -> int:
    """Return the resolution a file name tells (``_B02_10m``), 0 where it tells none."""
    match = BAND_TOKEN.search(path.stem)
    return int(match[2] or 0) if match else 0


def is_ignored(path: Path) -> bool:
    """Return whether a file is no image band although its name looks like one."""
    return any(pattern.search(path.name) for pattern in _ignored())


def _own_token(path: Path, sensor: str | None) -> re.Pattern[str] | None:
    kind = sensor or detect_sensor(path.name)
    return _token(sensor_spec(kind)) if kind else None


def _token(spec: SensorSpec) -> re.Pattern[str] | None:
    return re.compile(spec.band_token, re.IGNORECASE) if spec.band_token else None


@lru_cache(maxsize=1)
def _ignored() -> tuple[re.Pattern[str], ...]:
    rules = [sensor_spec(name).ignore for name in sensor_names()]
    return tuple(re.compile(rule) for rule in rules if rule)
