"""Land classes that people told of clues: a plain table, read by its heads."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clues.workbooks import read_workbook
from configs.errors import InputError

__all__ = ["read_told_classes"]

HEADS = {
    "clue": ("线索编号", "clue_no", "clue"),
    "code": ("实地地类", "land_class", "地类编码", "dlbm"),
}
"""Words for the columns; a head may hold several, such as ``线索编号 clue_no``."""

MOST_BYTES = 16 << 20


def read_told_classes(path: Path) -> dict[str, str]:
    """Return the land class or use of each clue that a table names.

    Parameters
    ----------
    path : Path
        ``.xlsx`` or ``.csv`` (UTF-8 or GB 18030) with one column for the number, one for the class.

    Raises
    ------
    InputError
        If it cannot be read, lacks a column, or tells two classes of one clue.
    """
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise InputError(
            "there is no such file, or it is larger than 16 MB", str(path), "name a table"
        )
    for rows in _sheets(path):
        for at, row in enumerate(rows[:5]):
            heads = [_text(cell).casefold().split() for cell in row]
            places = [
                next((i for i, head in enumerate(heads) if set(head) & set(words)), None)
                for words in HEADS.values()
            ]
            if None not in places:
                return _told(rows[at + 1 :], int(places[0] or 0), int(places[1] or 0), path)
    raise InputError(
        "no table with a column for the clue and one for the land class",
        str(path),
        "name them 线索编号 and 实地地类, or clue_no and land_class",
    )


def _sheets(path: Path) -> list[list[Sequence[Any]]]:
    if path.suffix.lower() == ".xlsx":
        return list(read_workbook(path).values())
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")
    return [list(csv.reader(text.splitlines()))]


def _told(rows: list[Sequence[Any]], clue: int, code: int, path: Path) -> dict[str, str]:
    told: dict[str, str] = {}
    for row in rows:
        number, value = (_text(row[i]) if i < len(row) else "" for i in (clue, code))
        if not number or not value:
            continue
        if told.setdefault(number, value) != value:
            raise InputError(
                f"clue {number} has two land classes: {told[number]} and {value}",
                str(path),
                "keep one",
            )
    return told


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()
