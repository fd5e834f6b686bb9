"""Working days of the public service: weekends, days off, weekends that are worked."""

import datetime as dt
from functools import cache

from configs.loading import StrictModel, load_preset

__all__ = ["is_working_day", "working_days_after"]

SATURDAY = 5


class _Holidays(StrictModel):
    version: int
    days_off: dict[int, tuple[str | dt.date, ...]]
    worked: dict[int, tuple[dt.date, ...]]


@cache
def _days() -> tuple[frozenset[dt.date], frozenset[dt.date]]:
    file = load_preset(_Holidays, "vocabularies", "holidays")
    off: set[dt.date] = set()
    for entry in (e for year in file.days_off.values() for e in year):
        first, _, last = str(entry).partition("..")
        day, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last or first)
        while day <= end:
            off.add(day)
            day += dt.timedelta(days=1)
    return frozenset(off), frozenset(d for year in file.worked.values() for d in year)


def is_working_day(day: dt.date) -> bool:
    """Tell whether offices work on a day.

    Examples
    --------
    >>> is_working_day(dt.date(2025, 10, 8)), is_working_day(dt.date(2025, 10, 11))
    (False, True)
    """
    off, worked = _days()
    return day in worked or (day.weekday() < SATURDAY and day not in off)


def working_days_after(day: dt.date, count: int) -> dt.date:
    """Return the last of so many working days after a day, which does not count itself.

    Examples
    --------
    >>> working_days_after(dt.date(2025, 9, 30), 1)
    datetime.date(2025, 10, 9)
    """
    while count > 0:
        day += dt.timedelta(days=1)
        count -= is_working_day(day)
    return day
