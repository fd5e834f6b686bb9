"""The notebooks of the gallery as pages: run from the top, with what they print and draw.

``python docs/gallery.py [NAME …]``, or ``make gallery``, writes a page beside each notebook and its
pictures below ``docs/images``.
"""

import argparse
import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

FOLDER = Path(__file__).parent / "gallery"
SECONDS = 600
"""Until a cell is given up; each takes a few on an idle machine."""


def notebooks() -> list[Path]:
    """Return the notebooks in the order of their names."""
    return sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path) -> list[Any]:
    """Return the cells of a notebook as they are kept, without what they print."""
    import nbformat

    return list(nbformat.read(path, as_version=4).cells)  # type: ignore[no-untyped-call]


def worked(path: Path) -> list[Any]:
    """Run a notebook in a kernel of its own and return its cells with what they print and draw."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(book, timeout=SECONDS, kernel_name="python3").execute()
    return list(book.cells)


def printed(cell: Any) -> str:
    """Return what a cell prints and the value of its last line; warnings are left out."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stdout":
            parts.append(output.text)
        elif output.output_type == "execute_result" and "image/png" not in output.data:
            parts.append(output.data["text/plain"])
    return "\n".join(part.rstrip() for part in parts)


def drawn(cell: Any) -> bytes | None:
    """Return the picture that a cell ends with as PNG."""
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            return base64.b64decode(output.data["image/png"])
    return None


def page(path: Path, filled: list[Any]) -> str:
    """Return the page of a notebook that was run; its pictures are written."""
    from pictures import keep  # beside this file

    parts, number = [], 0
    for cell in filled:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        if said := printed(cell):
            parts.append(f"```text\n{said}\n```")
        if picture := drawn(cell):
            number += 1
            kept = keep(Image.open(io.BytesIO(picture)), f"{path.stem}-{number}")
            parts.append(f"![{path.stem}](../images/{kept.name})")
    parts.append(f"The notebook 笔记本: [{path.name}]({path.name})")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the pages that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [path.stem for path in notebooks()]
    parser.add_argument("names", nargs="*", default=names, help=", ".join(names))
    wanted = parser.parse_args().names
    for path in notebooks():
        if path.stem in wanted:
            path.with_suffix(".md").write_text(page(path, worked(path)), encoding="utf-8")


if __name__ == "__main__":
    main()
