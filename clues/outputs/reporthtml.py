"""The report as one page of HTML: self-contained, offline, for screens and for paper."""

from pathlib import Path

from clues.outputs.figure import Figure, svg
from clues.outputs.page import write_page
from clues.outputs.reportblocks import Document

__all__ = ["write_html"]


def write_html(document: Document, path: Path) -> None:
    """Write the page; on screens the two dates of a clue lie under a slider, on paper side by side.

    Parameters
    ----------
    document : Document
    path : Path
        Written atomically.
    """
    from markupsafe import Markup

    def drawn(figure: Figure) -> Markup:
        return Markup(svg(figure))  # nosec B704 # `svg` escapes every text

    write_page(path, "report.html.j2", document=document, svg=drawn)
