"""Workbooks of strangers, read with limits: no bomb, no formula, no more rows than a list has."""

import posixpath
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from configs.errors import InputError
from tiles.archives import require_plain_xml, safe_entries

__all__ = ["MOST_ROWS", "read_workbook"]

MOST_FILE_BYTES = 64 << 20
MOST_BYTES = 512 << 20
MOST_ROWS, MOST_COLUMNS, MOST_SHEETS = 200_000, 256, 32
FIX = "open it in a spreadsheet, check that it is the right file, and save it as .xlsx again"


def read_workbook(path: Path) -> dict[str, list[Sequence[Any]]]:
    """Return the rows of every sheet, hidden ones too: texts, numbers, dates, None.

    A formula is the text that it is written as; nothing is computed.

    Parameters
    ----------
    path : Path
        ``.xlsx``.

    Raises
    ------
    InputError
        If it is no workbook, is damaged, too large, or made to do harm.
    """
    if not path.is_file():
        raise InputError("the file does not exist", str(path), "name a workbook (.xlsx)")
    if path.stat().st_size > MOST_FILE_BYTES:
        limit = f"at most {MOST_FILE_BYTES >> 20} MB"
        raise InputError(f"{path.stat().st_size >> 20} MB, {limit}", str(path), FIX)
    _require_plain(path)
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, keep_links=False)
        try:
            if len(book.worksheets) > MOST_SHEETS:
                count = f"{len(book.worksheets)} sheets, at most {MOST_SHEETS}"
                raise InputError(count, str(path), FIX)
            return {sheet.title: _rows(sheet, path) for sheet in book.worksheets}
        finally:
            book.close()
    except InputError:
        raise
    except (InvalidFileException, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError) as error:
        raise _unreadable(path, error) from error
    except (OSError, EOFError, OverflowError, AssertionError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"the workbook cannot be read ({type(error).__name__}: {str(error)[:120]})", str(path), FIX
    )


def _require_plain(path: Path) -> None:
    """Refuse an archive that is made to do harm, and XML parts with entities."""
    entries = safe_entries(path, most_bytes=MOST_BYTES, most_files=5000, fix=FIX)
    with zipfile.ZipFile(path) as archive:
        for entry in entries:
            if posixpath.splitext(entry.filename)[1].lower() in (".xml", ".rels", ".vml"):
                try:
                    with archive.open(entry) as part:
                        require_plain_xml(part, f"{path}, {entry.filename}", FIX)
                except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
                    if isinstance(error, InputError):
                        raise
                    raise _unreadable(path, error) from error


def _rows(sheet: Any, path: Path) -> list[Sequence[Any]]:
    """Return the rows up to the last one that holds anything."""
    if not hasattr(sheet, "reset_dimensions"):
        return []
    sheet.reset_dimensions()
    rows: list[Sequence[Any]] = []
    filled = 0
    for row in sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True):
        rows.append(_trimmed(row))
        if rows[-1]:
            filled = len(rows)
        elif len(rows) > filled + MOST_ROWS:
            break
        if filled > MOST_ROWS:
            what = f"sheet {sheet.title} has more than {MOST_ROWS} rows"
            raise InputError(what, str(path), FIX)
    return rows[:filled]


def _trimmed(row: Sequence[Any]) -> Sequence[Any]:
    end = len(row)
    while end and row[end - 1] in (None, ""):
        end -= 1
    return tuple(row[:end])
