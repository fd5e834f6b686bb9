"""Official names of files that are handed on, by county, quarter, topic and day."""

import datetime as dt
import re

from clues.outputs.tables import RunTitle

__all__ = ["official_name"]

FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
"""What Windows allows in no file name."""

MOST_BYTES = 200
"""Of a name: file systems take 255, and programs add endings of their own."""


def official_name(title: RunTitle, topic: str, day: dt.date, suffix: str) -> str:
    """Return the name of a file: code and county, year and quarter, topic, day.

    Parameters
    ----------
    title : RunTitle
    topic : str
        What the file holds, such as 卫片执法线索台账.
    day : date
        On which it is handed on.
    suffix : str
        Ending, without dot.

    Examples
    --------
    >>> title = RunTitle("130427", "磁县", 2026, 3, "run", {})
    >>> official_name(title, "卫片执法线索台账", dt.date(2026, 10, 8), "xlsx")
    '130427磁县_2026Q3_卫片执法线索台账_20261008.xlsx'
    """
    stem = _plain(f"{title.stem}_{topic}").strip("_")
    end = f"_{day:%Y%m%d}.{suffix}"
    while len((stem + end).encode()) > MOST_BYTES:
        stem = stem[:-1]
    return stem + end


def _plain(text: str) -> str:
    return FORBIDDEN.sub("_", text).strip(" .")
