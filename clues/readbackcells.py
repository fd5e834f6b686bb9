"""What people fill into a ledger, cell by cell: brought to one form, or refused with a hint."""

import datetime as dt
import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from configs.verdicts import verdict_meaning

__all__ = ["Refused", "cell_text", "read_cell"]

LONGEST = {"checked_by": 80, "project": 300, "holder": 300, "illegal_use": 100}
LONGEST_TEXT = 10_000
MOST_MU = Decimal(10_000_000)
DATES = (
    re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"),
    re.compile(r"(\d{4})(\d{2})(\d{2})"),
)


class Refused(Exception):
    """A cell that cannot be taken as it is.

    Parameters
    ----------
    code : str
        Of a message of `clues.readbacktexts`.
    facts : dict
        What the message names.
    """

    def __init__(self, code: str, facts: dict[str, str]) -> None:
        super().__init__(code, facts)
        self.code, self.facts = code, facts


def read_cell(key: str, value: Any, choices: Mapping[str, Sequence[str]], today: dt.date) -> str:
    """Return a cell as the store keeps it; "" where it is empty.

    Parameters
    ----------
    key : str
        One of `clues.outputs.ledgerkeys.FILL_KEYS`.
    value : text, number, date or None
        As the workbook holds it.
    choices : dict of str to sequence of str
        Words of the columns with a drop-down.
    today : date

    Raises
    ------
    Refused
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    if key in choices:
        return _choice(key, value, choices[key])
    reader = _READERS.get(key)
    if reader is not None:
        return reader(value, today)
    text = cell_text(value)
    limit = LONGEST.get(key, LONGEST_TEXT)
    if len(text) > limit:
        raise Refused("too_long", {"length": str(len(text)), "limit": str(limit)})
    return text


def cell_text(value: Any) -> str:
    """Return a text without the traces of programs: ways to end a line, control characters."""
    if isinstance(value, dt.datetime):
        value = value.date() if value.time() == dt.time() else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).replace("_x000D_", "").replace("\r\n", "\n").replace("\r", "\n")
    kept = (c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(kept).strip()


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _choice(key: str, value: Any, words: Sequence[str]) -> str:
    text = cell_text(value)
    by_form = {_folded(word): word for word in words}
    found = by_form.get(_folded(text))
    if found is not None:
        return found
    if key == "verdict" and len(text) <= 20 and verdict_meaning(text) is not None:
        return text
    near = difflib.get_close_matches(_folded(text), list(by_form), n=1, cutoff=0.3)
    code = "wrong_word_near" if near else "wrong_word"
    told = "、".join(words) if not words[0].isascii() else ", ".join(words)
    facts = {"words": told} | ({"near": by_form[near[0]]} if near else {})
    raise Refused(code, facts)


def _day(value: Any, today: dt.date) -> str:
    day = _as_day(value)
    if day is None:
        raise Refused("no_date", {})
    if day > today:
        raise Refused("future_date", {"today": today.isoformat()})
    if day.year < 1990:
        raise Refused("no_date", {})
    return day.isoformat()


def _as_day(value: Any) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    text = _folded(cell_text(value))
    for pattern in DATES:
        match = pattern.fullmatch(text)
        if match:
            try:
                return dt.date(*(int(part) for part in match.groups()))
            except ValueError:
                return None
    return None


def _area(value: Any, _today: dt.date) -> str:
    if isinstance(value, bool | dt.date):
        raise Refused("no_number", {})
    text = _folded(cell_text(value)).removesuffix("亩").replace(",", "")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Refused("no_number", {}) from None
    if not number.is_finite() or not 0 <= number <= MOST_MU:
        raise Refused("no_number", {})
    return str(number.quantize(Decimal("0.01")))


_READERS: dict[str, Callable[[Any, dt.date], str]] = {
    "checked_on": _day,
    "illegal_mu": _area,
    "illegal_cropland_mu": _area,
    "illegal_pbf_mu": _area,
}
