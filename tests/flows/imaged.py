"""What maps and field packages of a run with images hold: checked on a run that others made."""

import datetime as dt
import zipfile
from pathlib import Path

import numpy as np
import pdfplumber
import rasterio
from lxml import etree
from PIL import Image

from clues.outputs.mapwords import MapLook
from flows.field.building import FieldChoice, build_field_package
from flows.finished import finished_tables
from flows.mapping import draw_maps

__all__ = ["map_has_its_image", "package_has_its_images"]

DAY = dt.date(2025, 10, 8)


def map_has_its_image(run: Path, out: Path) -> None:
    """The image of the later date lies under the clues, in the PDF and in the picture of it."""
    (drawn,) = draw_maps(run, out, MapLook(), day=DAY, png_dpi=60)
    pdf, png = drawn.files
    with pdfplumber.open(pdf) as book:
        (image,) = book.pages[0].images
        frame = max(book.pages[0].rects, key=lambda r: r["width"] * r["height"])
        assert image["x0"] <= frame["x1"]
        assert image["x1"] >= frame["x0"]
        assert f"线索 {len(finished_tables(run).clues)} 个" in book.pages[0].extract_text()
    picture = np.asarray(Image.open(png))
    assert len(np.unique(picture[::3, ::3, 1])) >= 64


def package_has_its_images(run: Path, out: Path) -> None:
    """Around every patch there are pixels of both dates, and the project shows the later one."""
    package = build_field_package(run, FieldChoice(), out, day=DAY)
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(out)
    (folder,) = (p for p in out.iterdir() if p.is_dir())
    clues = finished_tables(run).clues
    for name in ("before.tif", "after.tif"):
        with rasterio.open(folder / name) as image:
            assert image.crs.to_string() == clues.crs.to_string()
            mask, pixels = image.dataset_mask(), image.read()
            for point in clues.geometry.representative_point():
                assert mask[image.index(point.x, point.y)] == 255
            assert len(np.unique(pixels[:, mask > 0])) >= 64
    with zipfile.ZipFile(next(folder.glob("*.qgz"))) as archive:
        root = etree.fromstring(archive.read(archive.namelist()[0]))
    shown = {
        n.get("source"): n.get("checked") for n in root.findall(".//layer-tree-layer[@providerKey]")
    }
    assert shown["./after.tif"] == "Qt::Checked"
    assert shown["./before.tif"] == "Qt::Unchecked"
    with pdfplumber.open(next(folder.glob("*.pdf"))) as book:
        index = range(1, len(book.pages) - len(clues))
        assert [i for i, page in enumerate(book.pages) if not page.images] == list(index)
