"""How long it took from the image to the clue: what a watch of several periods is judged by."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt

    from clues.outputs.tables import ClueTables

__all__ = ["clue_latency", "latency_of", "nearest_rank"]


def latency_of(folder: Path, tables: "ClueTables", zone: str) -> dict[str, Any] | None:
    """Return how many days lay between the images of a run's clues and their entry in the store.

    Parameters
    ----------
    folder : Path
        Of the run.
    tables : ClueTables
        With clue numbers.
    zone : str
        Time zone of civil days.

    Returns
    -------
    dict or None
        ``clues``, ``p50_days``, ``p90_days``, ``most_days``; None where no clue tells its day.
    """
    from clues.store.entered import entered_days
    from flows.registering import store_of

    store = store_of(folder)
    try:
        entered = entered_days(store, zone)
    finally:
        store.close()
    clues = tables.clues
    seen = dict(zip(clues["clue_no"], clues["after_to"], strict=True))
    return clue_latency(seen, entered)


def clue_latency(
    seen: "Mapping[str, dt.date | None]", entered: "Mapping[str, dt.date]"
) -> dict[str, Any] | None:
    """Return the spread of days from the last image of a clue to its entry.

    A clue that was entered before its images were taken is known from an earlier period.

    Parameters
    ----------
    seen : mapping of str to date or None
        Last civil day of the later images, by clue number.
    entered : mapping of str to date

    Examples
    --------
    >>> import datetime as dt
    >>> day = dt.date(2026, 3, 1)
    >>> entered = {"1": dt.date(2026, 3, 4), "2": dt.date(2026, 3, 11)}
    >>> clue_latency({"1": day, "2": day, "3": None}, entered)
    {'clues': 2, 'p50_days': 3, 'p90_days': 10, 'most_days': 10}
    """
    days = []
    for number, last in seen.items():
        if number not in entered or not hasattr(last, "year") or last != last:
            continue  # without a number or a day
        waited = (entered[number] - _day(last)).days
        if waited >= 0:
            days.append(waited)
    days.sort()
    if not days:
        return None
    return {
        "clues": len(days),
        "p50_days": nearest_rank(days, 50),
        "p90_days": nearest_rank(days, 90),
        "most_days": days[-1],
    }


def nearest_rank(ordered: "list[int]", percent: float) -> int:
    """Return the smallest of ordered numbers that so many percent do not exceed.

    Examples
    --------
    >>> nearest_rank([1, 2, 3, 10], 50), nearest_rank([1, 2, 3, 10], 90)
    (2, 10)
    """
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _day(moment: Any) -> "dt.date":
    """Return a civil day; tables may hold it as a moment."""
    found: dt.date = moment.date() if hasattr(moment, "date") else moment
    return found
