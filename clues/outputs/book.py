"""Plain workbooks: sheets of texts and figures with a filter, words of an answer on its colour."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tiles.files import atomic_path

__all__ = ["Book", "open_book", "write_sheet"]

HEAD, FONT = "#4472C4", "微软雅黑"
WIDE = {
    "说明",
    "sentence",
    "内容",
    "content",
    "来源",
    "sources",
    "原因",
    "reason",
    "处理",
    "what to do",
}


@dataclass(frozen=True)
class Book:
    """A workbook that is being written.

    Attributes
    ----------
    book : xlsxwriter.Workbook
    formats : mapping of str to Format
        ``head``, ``text``, ``number``, and one per coloured word.
    """

    book: Any
    formats: Mapping[str, Any]


@contextmanager
def open_book(path: Path, colours: Mapping[str, str]) -> Iterator[Book]:
    """Give a workbook that is written atomically when the block succeeds.

    Parameters
    ----------
    path : Path
    colours : mapping of str to str
        Colour of a cell that holds just this word.
    """
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    base = {"font_name": FONT, "font_size": 10, "border": 1, "valign": "top", "text_wrap": True}
    with atomic_path(path) as part, xlsxwriter.Workbook(str(part), options) as book:
        made = {
            "head": book.add_format(base | {"bold": True, "font_color": "white", "bg_color": HEAD}),
            "text": book.add_format(base),
            "number": book.add_format(base | {"num_format": "#,##0.00"}),
        }
        for word, colour in colours.items():
            made[word] = book.add_format(base | {"bg_color": colour})
        yield Book(book, made)


def write_sheet(book: Book, name: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write one sheet; every text is written as text, None as an empty cell.

    Parameters
    ----------
    book : Book
    name : str
    heads : sequence of str
    rows : sequence of sequences
        Decimal is written with two decimals, int as it is, all else as text.
    """
    formats, sheet = book.formats, book.book.add_worksheet(name)
    sheet.freeze_panes(1, 2)
    for c, head in enumerate(heads):
        sheet.set_column(c, c, 60 if head in WIDE else 16)
        sheet.write_string(0, c, head, formats["head"])
    for r, row in enumerate(rows, start=1):
        for c, value in enumerate(row):
            if isinstance(value, Decimal):
                sheet.write_number(r, c, float(value), formats["number"])
            elif isinstance(value, int | float) and value == value:
                sheet.write_number(r, c, value, formats["text"])
            else:
                text = "" if value is None or value != value else str(value)
                sheet.write_string(r, c, text, formats.get(text, formats["text"]))
    if rows:
        sheet.autofilter(0, 0, len(rows), len(heads) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
