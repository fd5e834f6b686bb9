"""Tables of runs as lines for a terminal; wide characters take two columns."""

import unicodedata
from collections.abc import Sequence

__all__ = ["columns", "size_text", "time_text"]


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Return rows as lines with aligned columns.

    Parameters
    ----------
    rows : sequence of sequence of str
        The first is the head.
    right : sequence of int
        Columns that are aligned on the right: numbers.

    Examples
    --------
    >>> columns([["county", "clues"], ["磁县", "7"]], right=[1])
    ['county  clues', '磁县        7']
    """
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for i, (text, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _width(text))
            cells.append(space + text if i in right else text + space)
        lines.append("  ".join(cells).rstrip())
    return lines


def size_text(count: float | None) -> str:
    """Return bytes with a unit; "" where they are not known.

    Examples
    --------
    >>> size_text(1_234_567), size_text(None)
    ('1.2 MB', '')
    """
    if count is None:
        return ""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def time_text(seconds: float | None) -> str:
    """Return a duration as a person reads it.

    Examples
    --------
    >>> time_text(3.21), time_text(75), time_text(9000), time_text(400_000)
    ('3.2 s', '1:15 min', '2:30 h', '4.6 d')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f}:{seconds % 60:02.0f} min"
    if seconds < 2 * 86400:
        return f"{seconds // 3600:.0f}:{seconds % 3600 // 60:02.0f} h"
    return f"{seconds / 86400:.1f} d"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
