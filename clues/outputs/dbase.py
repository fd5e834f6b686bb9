"""dBASE tables of Shapefiles, with fields exactly as a profile wants them.

GDAL chooses kinds and widths of fields by itself; where a hand-in profile prescribes them the
table is written here.
"""

import datetime as dt
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["DbaseField", "encoding_for", "shortened", "spelled", "write_dbase"]

SPELLED = {"km²": "平方千米", "m²": "平方米", "−": "-", "©": "(C)"}
VERSION, END_OF_HEAD, END_OF_FILE, ROW = 3, b"\r", b"\x1a", b" "


@dataclass(frozen=True)
class DbaseField:
    """A field: a text of `width` bytes, or a number of `width` characters.

    Attributes
    ----------
    name : str
        At most ten ASCII characters.
    decimals : int or None
        None: a text.
    """

    name: str
    width: int
    decimals: int | None = None


def encoding_for(texts: Iterable[str]) -> str:
    """Return GBK where it can hold all texts, else UTF-8.

    Examples
    --------
    >>> encoding_for(["磁县"]), encoding_for(["㙦村"])
    ('GBK', 'UTF-8')
    """
    try:
        for text in texts:
            text.encode("gbk")
    except UnicodeEncodeError:
        return "UTF-8"
    return "GBK"


def spelled(value: Any) -> Any:
    """Return a text with signs that GBK lacks spelled out; anything else as it is.

    Examples
    --------
    >>> spelled("面积 6400.00 m²（9.60 亩）")
    '面积 6400.00 平方米（9.60 亩）'
    """
    if not isinstance(value, str):
        return value
    for sign, words in SPELLED.items():
        value = value.replace(sign, words)
    return value


def shortened(text: str, width: int, encoding: str) -> bytes:
    """Return a text in at most `width` bytes; what is cut off ends with dots, never mid-character.

    Examples
    --------
    >>> shortened("耕地耕地", 7, "GBK").decode("GBK")
    '耕地...'
    """
    plain = " ".join(text.replace("\0", "").split("\n"))
    data = plain.encode(encoding, errors="replace")
    if len(data) <= width:
        return data
    while plain and len(plain.encode(encoding, errors="replace")) > width - 3:
        plain = plain[:-1]
    return (plain + "...").encode(encoding, errors="replace")[:width]


def write_dbase(
    path: Path,
    fields: Sequence[DbaseField],
    rows: Sequence[Mapping[str, Any]],
    *,
    encoding: str,
    day: dt.date,
) -> None:
    """Write a dBASE table.

    Parameters
    ----------
    path : Path
        ``.dbf``.
    fields : sequence of DbaseField
    rows : sequence of mapping
        Values by name of the field; None and NaN are empty.
    encoding : str
    day : date
        Of the last change, as the head of the file tells it.
    """
    size = 1 + sum(field.width for field in fields)
    head = struct.pack(
        *("<BBBBIHH20x", VERSION, day.year - 1900, day.month, day.day),
        *(len(rows), 33 + 32 * len(fields), size),
    )
    with path.open("wb") as target:
        target.write(head)
        for field in fields:
            kind = b"C" if field.decimals is None else b"N"
            name = field.name.encode("ascii")
            target.write(struct.pack("<11sc4xBB14x", name, kind, field.width, field.decimals or 0))
        target.write(END_OF_HEAD)
        for row in rows:
            target.write(ROW + b"".join(_cell(row.get(f.name), f, encoding) for f in fields))
        target.write(END_OF_FILE)


def _cell(value: Any, field: DbaseField, encoding: str) -> bytes:
    if value is None or value != value:
        return b" " * field.width
    if field.decimals is None:
        return shortened(str(value), field.width, encoding).ljust(field.width)
    return f"{value:.{field.decimals}f}".encode("ascii").rjust(field.width)
