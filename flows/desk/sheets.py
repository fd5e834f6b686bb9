"""Evidence sheets of clues chosen at the desk: one PDF, a page per clue, by their numbers."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from configs.errors import InputError

if TYPE_CHECKING:
    from clues.outputs.tables import ClueTables

__all__ = ["MOST_SHEETS", "write_sheet_book"]

MOST_SHEETS = 100
"""Sheets of one book: each is cut from the images, which takes about a second."""


def write_sheet_book(files: Path, tables: "Mapping[str, ClueTables]", path: Path) -> None:
    """Write the sheets of all clues of some tables as one PDF.

    Parameters
    ----------
    files : Path
        Of the desk: it knows where the folders of its runs are.
    tables : mapping of str to ClueTables
        By run, as the desk knows them now.
    path : Path

    Raises
    ------
    InputError
        If there are more than `MOST_SHEETS` clues, or the folder or the images of a run are not at
        hand.
    """
    count = sum(len(t.clues) for t in tables.values())
    if count > MOST_SHEETS:
        raise InputError(
            f"a PDF holds {MOST_SHEETS} evidence sheets at most, and {count} clues are chosen",
            "filters",
            "narrow the filters, or write the sheets of the whole run with `tuban run`",
        )
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        for run, own in tables.items():
            _write_sheets(files, run, own, Path(scratch))
        _bind(sorted(Path(scratch).glob("*.pdf")), path)


def _write_sheets(files: Path, run: str, tables: "ClueTables", folder: Path) -> None:
    from clues.outputs.sheet import evidence_sheets
    from flows.desk.images import require_same_images
    from flows.desk.outline import run_folder
    from flows.finished import finished_context, run_summary
    from flows.sheeting import cut_sheets

    origin = run_folder(files, run)
    summary = run_summary(origin)
    context = finished_context(origin, summary)
    if context is None:
        raise InputError(
            f"the run {run} was judged without images", str(origin), "choose another format"
        )
    require_same_images(context, summary)
    sheets = {sheet.clue_no: sheet for sheet in evidence_sheets(tables)}
    for _ in cut_sheets(context, tables, sheets, folder):
        pass


def _bind(pages: list[Path], path: Path) -> None:
    """Write PDF files one behind the other."""
    import pypdfium2

    book = pypdfium2.PdfDocument.new()
    for page in pages:
        part = pypdfium2.PdfDocument(page)
        book.import_pages(part)
        part.close()
    book.save(path)
    book.close()
