"""The quarterly profile on a real forest: what each quarter reports, when, and how much is right.

``python benchmarks/quarterly.py DATA`` with the folder ``nrt_romania_s2``; the table goes to
standard output, the plot to ``docs/images/quarterly.png``.
"""

import datetime as dt
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from flows.runner import work_run
from flows.stages import RunOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.flows.romania import HISTORY, YEAR_AGO, Forest, is_road, places

PLOT = Path(__file__).resolve().parents[1] / "docs" / "images" / "quarterly.png"
YEARS = (2016, 2017, 2018, 2019, 2020)
FIT_END = dt.date(2018, 12, 31)
COLOURS = {2017: "#2f5597", 2018: "#7f7f7f", 2019: "#c55a11", 2020: "#c00000"}
BOX = (90, 40, 860, 420)

Mask = NDArray[np.bool_]


def main() -> None:
    """Work the quarters and print the table."""
    with tempfile.TemporaryDirectory() as name:
        forest = Forest(Path(sys.argv[1]), Path(name))
        lost = forest.lost()
        found, first = np.zeros_like(lost), np.zeros(lost.shape, np.int32)
        row("quarter", "new scenes", "dates", "clues", "new px", "right", "precision", "recall")
        row(*["---"] * 8)
        told = [("fit to 2018", 4, FIT_END, HISTORY)]
        told += [(f"{y} Q{q}", q, last, YEAR_AGO) for y, q, last in forest.quarters()]
        for title, quarter, last, before in told:
            new = forest.deliver(last)
            config = forest.config(quarter, before=before)
            summary = work_run(config, forest.home / "runs", RunOptions(workers=1), plain=True)
            mask, seen = reported(summary)
            fresh = mask & ~found
            first[fresh], found = seen[fresh], found | mask
            right = np.count_nonzero(found & lost)
            days = " → ".join(days[-1] for days in summary["epochs"].values())
            counts = (summary["stages"]["outputs"]["clues"], fresh.sum(), (fresh & lost).sum())
            shares = (right / max(found.sum(), 1), right / lost.sum())
            row(title, new, days, *counts, *(f"{s:.2f}" for s in shares))
        tell_places(found, first, lost)
        plot(first, found & lost, {y: forest.summer(y) for y in YEARS})


def row(*cells: object) -> None:
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


def reported(summary: Mapping[str, Any]) -> tuple[Mask, NDArray[np.int32]]:
    """Return the pixels of a run's patches, and when the monitor first saw each."""
    with rasterio.open(Path(summary["folder"]) / "change.tif") as source:
        mask = source.read(1) > 1
        transform = source.transform
    version = Path(summary["opening"]["series"])
    with rasterio.open(version / "first_seen.tif") as source:
        if source.transform != transform or source.shape != mask.shape:
            raise SystemExit("the run and the monitor are not on the same pixels")
        return mask, source.read(1)


def tell_places(found: Mask, first: NDArray[np.int32], lost: Mask) -> None:
    """Say how many places of the road and of the clear-cuts were found, and when."""
    for name, road in (("forest road", True), ("clear-cuts", False)):
        own = [p for p in places(lost) if is_road(p) == road]
        hit = [p for p in own if (p & found).any()]
        seen = np.concatenate([first[p & found] for p in own])
        middle = dt.date(1970, 1, 1) + dt.timedelta(days=int(np.median(seen)))
        sys.stdout.write(
            f"{name}: {len(hit)} of {len(own)} places, {sum((p & found).sum() for p in own)} of "
            f"{sum(p.sum() for p in own)} px, first seen {middle} (median)\n"
        )


def plot(first: NDArray[np.int32], right: Mask, summers: Mapping[int, NDArray[np.float64]]) -> None:
    """Draw the summer NDVI of what was found, by the year it was first seen."""
    picture = Image.new("RGB", (900, 480), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    west, north, east, south = BOX
    for value in (0.3, 0.5, 0.7, 0.9):
        y = _y(value)
        pen.line((west, y, east, y), fill="#dddddd")
        pen.text((west - 40, y - 9), f"{value:.1f}", fill="black", font=font)
    for year in YEARS:
        pen.text((_x(year + 0.55) - 18, south + 8), str(year), fill="black", font=font)
    years = (first.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970) * right
    for line, (year, colour) in enumerate(COLOURS.items()):
        own = years == year
        if own.sum() < 5:
            continue
        heights = [float(np.nanmedian(summers[y][own])) for y in YEARS]
        points = [(_x(y + 0.55), _y(h)) for y, h in zip(YEARS, heights, strict=True)]
        pen.line(points, fill=colour, width=3)
        days = np.sort(first[own])
        for share, width in ((0.25, 1), (0.5, 3), (0.75, 1)):
            x = _x(1970 + float(days[int(share * (len(days) - 1))]) / 365.2425)
            pen.line((x, north, x, south), fill=colour, width=width)
        text = f"first seen {year}: {own.sum()} px"
        pen.text((west + 10, south - 90 + 20 * line), text, fill=colour, font=font)
    title = "Summer NDVI (median) of lost pixels; upright: when first seen (quartiles, median)"
    pen.text((west, 12), title, fill="black", font=font)
    picture.save(PLOT, optimize=True)


def _x(year: float) -> float:
    west, _, east, _ = BOX
    return west + (year - 2016.2) / 4.8 * (east - west)


def _y(value: float) -> float:
    _, north, _, south = BOX
    return south - (value - 0.2) / 0.8 * (south - north)


if __name__ == "__main__":
    main()
