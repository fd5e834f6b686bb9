"""The report of a run as a document in one language, by template, and as a file of a format."""

from collections.abc import Callable
from pathlib import Path

from clues.outputs.reportaccuracy import quality
from clues.outputs.reportblocks import Chapter, Document
from clues.outputs.reportchapters import cropland, first_clues, overview_map, statistics, summary
from clues.outputs.reportmodel import ReportModel
from clues.outputs.reportquality import (
    comparison,
    exceptions,
    indicators,
    leads,
    next_steps,
    sources,
    verification,
)
from clues.outputs.reportteller import Teller, Template
from configs.vocabulary import Language

__all__ = ["FORMATS", "report_document", "write_report"]

FORMATS = ("html", "docx", "pdf")

CHAPTERS: dict[Template, tuple[Callable[[Teller], Chapter | None], ...]] = {
    "quarterly": (
        *(summary, overview_map, first_clues, indicators, cropland, statistics, comparison),
        *(leads, exceptions, next_steps, quality, sources),
    ),
    "annual": (
        *(summary, indicators, statistics, cropland, verification, first_clues, comparison),
        *(overview_map, leads, quality, exceptions, next_steps, sources),
    ),
}
"""A quarter is read to act: map, clues, alerts first. A year is read to account for it."""


def report_document(
    model: ReportModel, language: Language, template: Template = "quarterly"
) -> Document:
    """Return the chapters of a report in one language.

    Parameters
    ----------
    model : ReportModel
    language : str
        zh or en.
    template : str
        quarterly or annual; a quarter tells of verification once somebody has verified.
    """
    tell, title = Teller(model, language, template), model.title
    wanted = CHAPTERS[template]
    if template == "quarterly" and (model.verdicts or model.rectified):
        wanted = (*wanted[:6], verification, *wanted[6:])
    made = [make(tell) for make in wanted]
    heading = tell(template, place=tell.place, year=title.year, quarter=title.quarter)
    return Document(
        language,
        heading,
        tell("lead_not_verdict"),
        tell("contents"),
        tell("hint"),
        tuple(chapter for chapter in made if chapter is not None),
        tell("footer", run=title.run_name),
        tell("page", page="{page}"),
    )


def write_report(document: Document, path: Path) -> None:
    """Write a report; the ending of the path names the format.

    Parameters
    ----------
    document : Document
    path : Path
        ``.html`` (opens without network), ``.docx`` or ``.pdf``; written atomically.

    Raises
    ------
    DependencyError
        If python-docx is not installed.
    """
    match path.suffix:
        case ".docx":
            from clues.outputs.reportdocx import write_docx

            write_docx(document, path)
        case ".pdf":
            from clues.outputs.reportpdf import write_pdf

            write_pdf(document, path)
        case _:
            from clues.outputs.reporthtml import write_html

            write_html(document, path)
