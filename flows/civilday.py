"""Today as people at the place of a run count it, whatever zone the machine's clock is in."""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["HOME", "civil_day", "home_day", "zone_of"]

HOME = "Asia/Shanghai"
"""Zone of a run that names none: one that was judged without images."""


def zone_of(summary: Mapping[str, Any]) -> ZoneInfo:
    """Return the zone of the area of a run by its ``run.json``."""
    area = (summary.get("config") or {}).get("area") or {}
    return ZoneInfo(area.get("time_zone") or HOME)


def home_day() -> dt.date:
    """Return the civil day in `HOME`, for a batch or a check that belongs to no run."""
    return dt.datetime.now(ZoneInfo(HOME)).date()


def civil_day(run: Path, now: dt.datetime | None = None) -> dt.date:
    """Return the civil day in the zone of a run, as file names and forms print it.

    Parameters
    ----------
    run : Path
        Run folder; without ``run.json`` the day is that of `HOME`.
    now : datetime, optional
        With zone; the moment asked for.
    """
    path = run / "run.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    moment = now or dt.datetime.now(dt.UTC)
    return moment.astimezone(zone_of(found if isinstance(found, dict) else {})).date()
