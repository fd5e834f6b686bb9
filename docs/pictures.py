"""The pictures of the documentation, made from a finished demo run: products as people see them.

Run ``python docs/pictures.py RUN [--parts sheet]``, or ``make pictures``. Each part writes one
file below ``docs/images``; the same run gives the same pictures.
"""

import argparse
import datetime as dt
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2
from PIL import Image

if TYPE_CHECKING:
    from clues.outputs.mapwords import MapLook

DAY = dt.date(2025, 10, 8)
"""Printed in names of files, which no picture shows."""

IMAGES = Path(__file__).parent / "images"

PLACE_M = 1600.0
CHIP_PX = 320
"""Sides of the ground and of the pictures of two dates."""

CHANGE_COLOURS = ((150, 150, 150), (255, 255, 255), (200, 30, 30))
"""Of what cannot be told, did not change, changed."""

PASSWORD = "sorghum under the levee"
PATIENCE = 120.0
"""Seconds until the desk must have answered."""


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


def county_map(run: Path) -> Path:
    """Return the picture of the map sheet of the county."""
    from clues.outputs.mapwords import MapLook

    return keep(_map(run, MapLook(), "county"), "map")


def township_map(run: Path) -> Path:
    """Return the picture of the map sheet of the first township, in English."""
    from clues.outputs.mapwords import MapLook

    return keep(_map(run, MapLook(language="en"), "township"), "map-en")


def public_map(run: Path) -> Path:
    """Return the picture of a map for the public."""
    from clues.outputs.mapwords import MapLook

    return keep(_map(run, MapLook(public=True), "county"), "map-public")


def _map(run: Path, look: "MapLook", by: str) -> Image.Image:
    from flows.mapping import draw_maps

    with tempfile.TemporaryDirectory() as folder:
        drawn = draw_maps(run, Path(folder), look, day=DAY, by=by, png_dpi=None)
        return page(drawn[0].files[0], 1.4)


def field_page(run: Path) -> Path:
    """Return the picture of the page of the most urgent clue in the map book of the field."""
    from flows.field.building import FieldChoice, build_field_package
    from flows.finished import finished_tables

    clues = finished_tables(run).clues.sort_values(["priority", "clue_no"], ascending=[False, True])
    choice = FieldChoice(clues=(str(clues["clue_no"].iat[0]),))
    with tempfile.TemporaryDirectory() as folder:
        made = build_field_package(run, choice, Path(folder), day=DAY)
        with zipfile.ZipFile(made.path) as archive:
            book = next(name for name in archive.namelist() if name.endswith(".pdf"))
            archive.extract(book, folder)
        return keep(page(Path(folder) / book, 1.4, 2), "field")


def ledger(run: Path) -> Path:
    """Return the picture of the first page of the ledger, as LibreOffice prints it."""
    from clues.outputs.lettering import font_path
    from flows.formats import export_ledger

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (book,) = export_ledger(run, ["xlsx"], folder, day=DAY)
        fonts = f"<fontconfig><dir>{font_path().parent}</dir></fontconfig>"
        (folder / "fonts.conf").write_text(fonts, encoding="utf-8")
        known = os.environ | {"FONTCONFIG_FILE": str(folder / "fonts.conf")}
        home = f"-env:UserInstallation={(folder / 'office').as_uri()}"
        command = ["soffice", home, "--headless", "--convert-to", "pdf", "--outdir", folder, book]
        subprocess.run(command, check=True, capture_output=True, env=known)
        shown = page(book.with_suffix(".pdf"), 2.0).convert("RGB")
        # the usual way to few colours tints the grey of the cells
        return keep(shown.quantize(256, Image.Quantize.MEDIANCUT).convert("RGB"), "ledger")


def report(run: Path) -> Path:
    """Return the first two pages of the report of the quarter, side by side."""
    from configs.runparts import ReportSettings
    from flows.reporting import write_reports

    with tempfile.TemporaryDirectory() as folder:
        settings = ReportSettings(language="zh", clues=6)
        (path,) = write_reports(run, Path(folder), ["pdf"], settings, day=DAY)
        pages = [page(path, 1.3, number) for number in range(2)]
    both = Image.new("RGB", (sum(p.width for p in pages), pages[0].height), "white")
    both.paste(pages[0], (0, 0))
    both.paste(pages[1], (pages[0].width, 0))
    return keep(both, "report")


def report_page(run: Path) -> Path:
    """Return the report as a browser shows it: the first clues under their sliders, in English."""
    from configs.runparts import ReportSettings
    from flows.reporting import write_reports

    with tempfile.TemporaryDirectory() as folder, window(1000, 800) as shown:
        settings = ReportSettings(language="en", clues=2)
        (path,) = write_reports(run, Path(folder), ["html"], settings, day=DAY)
        shown.goto(path.as_uri())
        shown.evaluate("document.fonts.ready")
        shot = shown.locator("#first").screenshot()
    return keep(Image.open(io.BytesIO(shot)), "report-page")


@contextmanager
def window(width: int, height: int) -> Iterator[Any]:
    """Open the page of a browser; close the browser after use."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = shutil.which("chromium")
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": width, "height": height})
        shown.set_default_timeout(1000 * PATIENCE)
        yield shown
        browser.close()


def two_dates(run: Path) -> Path:
    """Return the place with most clues: the earlier image, the later one, what changed between."""
    import numpy as np
    import rasterio
    from rasterio.windows import from_bounds

    from flows.finished import finished_context, finished_tables, run_summary
    from flows.pictures import cutter_of

    clues = finished_tables(run).clues
    places = [centre.buffer(PLACE_M / 2, cap_style="square") for centre in clues.geometry.centroid]
    place = max(places, key=lambda square: int(clues.intersects(square).sum()))
    context = finished_context(run, run_summary(run))
    if context is None:
        raise SystemExit(f"{run} was judged without images")
    with cutter_of(context) as cutter:
        chips = cutter.cut(place.bounds, CHIP_PX)
    with rasterio.open(run / "change.tif") as raster:
        part = from_bounds(*chips[0].bounds, raster.transform)
        shape = (CHIP_PX, CHIP_PX)
        change = raster.read(1, window=part, out_shape=shape, boundless=True, fill_value=0)
    colours = np.array(CHANGE_COLOURS, np.uint8)[change.clip(max=2)]  # 2 and more: what changed
    parts = [*(chip.image for chip in chips), colours]
    gap = np.full((CHIP_PX, 8, 3), 255, np.uint8)
    row = np.hstack([parts[0], gap, parts[1], gap, parts[2]])
    return keep(Image.fromarray(row), "two-dates")


def desk(run: Path) -> Path:
    """Return the page of the desk with the first clue of its list, in English."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
        probe.close()
        tuban = [Path(sys.executable).with_name("tuban"), "desk"]
        store = ["--store", str(Path(folder) / "county.sqlite")]
        subprocess.run([*tuban, "add", run, *store], check=True)
        who = ["user", "add", "anna", "--role", "administrator", "--lasting"]
        subprocess.run([*tuban, *who, *store], check=True, input=PASSWORD, text=True)
        served = subprocess.Popen([*tuban, "serve", *store, "--port", port])
        try:
            shot = _desk_shot(port)
        finally:
            served.terminate()
            served.wait()
    return keep(Image.open(io.BytesIO(shot)), "desk")


def _desk_shot(port: str) -> bytes:
    """Sign in, wait until the first clue is painted on both dates; return what is seen."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 1):
            break
        time.sleep(0.2)
    with window(1280, 760) as shown:
        shown.goto(f"http://127.0.0.1:{port}/?lang=en")
        shown.fill("input[name=name]", "anna")
        shown.fill("input[name=password]", PASSWORD)
        shown.keyboard.press("Enter")
        shown.wait_for_selector(".pane-map[data-painted]")
        shown.wait_for_selector(".why-steps li.holds")
        shown.wait_for_selector("#clue-part:not([aria-busy])")
        shot: bytes = shown.screenshot()
    return shot


PARTS: dict[str, Callable[[Path], Path]] = {
    "two-dates": two_dates,
    "desk": desk,
    "ledger": ledger,
    "sheet": sheet,
    "map": county_map,
    "map-en": township_map,
    "map-public": public_map,
    "field": field_page,
    "report": report,
    "report-page": report_page,
}


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
