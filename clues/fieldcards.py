"""Check cards that came back: the GeoPackage of a stranger, read with limits, as rows to enter."""

import datetime as dt
import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clues.fieldform import FILLED, field_title
from clues.outputs.fieldlayers import CARDS, FORMAT, KEYS, PHOTOS
from clues.readback import LedgerFile, LedgerRow
from clues.store.answers import Mark
from configs.errors import InputError

__all__ = ["FieldCards", "read_cards"]

MAX_ROWS = 20_000
MAX_TEXT = 20_000
MAX_SECONDS = 30.0
STEPS = 100_000
AGAIN = "ask for the folder again, as QField left it"


@dataclass(frozen=True)
class FieldCards:
    """What a package tells.

    Attributes
    ----------
    ledger : LedgerFile
        The cards, as rows of a ledger.
    photos : dict of str to str
        Clue number by path of a photo.
    """

    ledger: LedgerFile
    photos: dict[str, str]


def read_cards(path: Path, scratch: Path) -> FieldCards:
    """Read the cards of a returned GeoPackage.

    Parameters
    ----------
    path : Path
        ``.gpkg``; it is copied with its write-ahead log, never written to.
    scratch : Path
        Folder for the copy.

    Raises
    ------
    InputError
        If it is no GeoPackage of a field package, or made to do harm.
    """
    copy = scratch / "returned.gpkg"
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.is_file():
            shutil.copyfile(source, copy.with_name(copy.name + suffix))
    with copy.open("rb") as handle:
        if handle.read(16) != b"SQLite format 3\x00":
            raise InputError("it is no GeoPackage", str(path), AGAIN)
    try:
        with closing(sqlite3.connect(copy)) as database:
            _restrict(database)
            _require_plain_tables(database, path)
            keys = {str(k): str(v) for k, v in _rows(database, KEYS, ("kind", "value"))}
            names = _columns(database, CARDS)
            wanted = [n for n in ("fid", "clue_no", "patch_id", *_filled_keys()) if n in names]
            cards = [dict(zip(wanted, row, strict=True)) for row in _rows(database, CARDS, wanted)]
            photos = {}
            if {"photo", "clue_no"} <= _columns(database, PHOTOS):
                told = _rows(database, PHOTOS, ("photo", "clue_no"))
                photos = {_path(p): str(c) for p, c in told if p and c}
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise InputError(f"the GeoPackage cannot be read ({error})", str(path), AGAIN) from error
    return FieldCards(_ledger(keys, cards, path), photos)


def _restrict(database: sqlite3.Connection) -> None:
    """Let a hostile schema run nothing and no question run long."""
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA query_only = ON")
    database.execute("PRAGMA cell_size_check = ON")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 64 << 20)
    end = time.monotonic() + MAX_SECONDS
    database.set_progress_handler(lambda: int(time.monotonic() > end), STEPS)


def _require_plain_tables(database: sqlite3.Connection, path: Path) -> None:
    for name in (CARDS, PHOTOS, KEYS):
        found = database.execute(
            "SELECT type, sql FROM sqlite_master WHERE name = ?", (name,)
        ).fetchall()
        plain = len(found) == 1 and found[0][0] == "table"
        if not plain or "VIRTUAL" in str(found[0][1]).upper().split("(")[0]:
            raise InputError(f"it has no plain table {name!r}", str(path), AGAIN)


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {str(row[1]) for row in database.execute(f'PRAGMA table_info("{table}")')}


def _rows(
    database: sqlite3.Connection, table: str, names: list[str] | tuple[str, ...]
) -> list[tuple[Any, ...]]:
    """Return rows of a table; texts are cut, and what is neither text nor number is dropped."""
    listed = ", ".join(f'"{name}"' for name in names)
    # names of our own columns and layers, never of the file
    asked = f'SELECT {listed} FROM "{table}" LIMIT {MAX_ROWS + 1}'  # nosec B608
    rows = database.execute(asked).fetchall()
    if len(rows) > MAX_ROWS:
        raise InputError(f"more than {MAX_ROWS} rows", f"table {table}", AGAIN)
    return [tuple(_plain(cell) for cell in row) for row in rows]


def _plain(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell[:MAX_TEXT]
    return cell if isinstance(cell, int | float) else None


def _filled_keys() -> list[str]:
    return [f.key for f in FILLED]


def _path(value: Any) -> str:
    return str(value).replace("\\", "/").removeprefix("./")


def _ledger(keys: Mapping[str, str], cards: list[dict[str, Any]], path: Path) -> LedgerFile:
    if keys.get("tuban-field") != FORMAT:
        raise InputError(
            f"its keys are of format {keys.get('tuban-field', '')!r}, this program reads {FORMAT}",
            str(path),
            AGAIN,
        )
    language = "en" if keys.get("language") == "en" else "zh"
    try:
        mark = Mark.of(keys.get("mark", "0.0"))
    except ValueError:
        raise InputError("its mark is none", str(path), AGAIN) from None
    rows = [
        LedgerRow(
            int(card.get("fid") or 0),
            str(card.get("clue_no") or ""),
            str(card.get("patch_id") or ""),
            {
                k: _date(card[k]) if k == "checked_on" else card[k]
                for k in _filled_keys()
                if k in card
            },
            False,
        )
        for card in cards
    ]
    return LedgerFile(
        keys.get("run", ""),
        "en" if language == "en" else "zh",
        mark,
        {f.key: field_title(f, language) for f in FILLED},
        tuple(row for row in rows if row.clue_no or any(row.cells.values())),
        (),
        {row.clue_no: row.patch_id for row in rows},
    )


def _cells(card: Mapping[str, Any]) -> dict[str, Any]:
    cells = {key: card[key] for key in _filled_keys() if key in card}
    return cells | {"checked_on": _date(cells["checked_on"])} if "checked_on" in cells else cells


def _date(value: Any) -> Any:
    """Return a date without the time that some programs add."""
    try:
        return dt.datetime.fromisoformat(str(value)).date().isoformat()
    except ValueError:
        return value
