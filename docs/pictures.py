"""The pictures of the documentation, made from a finished demo run: products as people see them.

Run ``python docs/pictures.py RUN [--parts sheet]``, or ``make pictures``. Each part writes one
file below ``docs/images``; the same run gives the same pictures.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import pypdfium2
from PIL import Image

IMAGES = Path(__file__).parent / "images"


def keep(picture: Image.Image, name: str) -> Path:
    """Write a picture with few colours, so that it stays small, and return its path."""
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    return path


def page(path: Path, scale: float, number: int = 0) -> Image.Image:
    """Return a page of a PDF as a picture; a scale of 1 is 72 dots per inch."""
    picture: Image.Image = pypdfium2.PdfDocument(path)[number].render(scale=scale).to_pil()
    return picture


def sheet(run: Path) -> Path:
    """Return the picture of the evidence sheet with most documents."""
    from clues.layers import DOCUMENT_ROLES
    from flows.finished import finished_tables

    tables = finished_tables(run)
    papers = tables.coverage[tables.coverage["role"].isin(DOCUMENT_ROLES)]
    count = papers.groupby("patch_id")["key"].nunique()
    clues = tables.clues.assign(papers=tables.clues["patch_id"].map(count).fillna(0))
    first = clues.sort_values(["papers", "priority", "clue_no"], ascending=[False, False, True])
    return keep(page(run / "evidence" / f"{first['clue_no'].iat[0]}.pdf", 1.6), "sheet")


PARTS: dict[str, Callable[[Path], Path]] = {"sheet": sheet}


def main() -> None:
    """Make the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    wanted = parser.parse_args()
    for name in wanted.parts:
        PARTS[name](wanted.run)


if __name__ == "__main__":
    main()
