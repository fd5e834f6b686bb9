"""The quarterly profile on a real forest: what each quarter reports, when, and how much is right.

``python -m benchmarks.quarterly DATA`` with the folder ``nrt_romania_s2``; the table goes to
standard output, the pictures to ``docs/images/quarterly.png`` and ``quarterly-zh.png``.
"""

import datetime as dt
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.quarterly_picture import Place, draw, quarter_name
from flows.runner import work_run
from flows.stages import RunOptions
from tests.flows.romania import HISTORY, LOST, TREES, YEAR_AGO, Forest, is_road, places

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PICTURES = {"en": "quarterly.png", "zh": "quarterly-zh.png"}
EPOCH = dt.date(1970, 1, 1)
YEARS = (2016, 2017, 2018, 2019, 2020)
WOOD = 30
"""Percent of tree cover that is forest."""

FIT_END = dt.date(2018, 12, 31)

Mask = NDArray[np.bool_]


def main() -> None:
    """Work the quarters and print the table."""
    with tempfile.TemporaryDirectory() as home:
        forest = Forest(Path(sys.argv[1]), Path(home))
        lost = forest.lost()
        found, first = np.zeros_like(lost), np.zeros(lost.shape, np.int32)
        told_in = np.full(lost.shape, -1)
        row("quarter", "new scenes", "dates", "clues", "new px", "right", "precision", "recall")
        row(*["---"] * 8)
        told = [("fit to 2018", 4, FIT_END, HISTORY)]
        told += [(f"{y} Q{q}", q, last, YEAR_AGO) for y, q, last in forest.quarters()]
        for turn, (title, quarter, last, before) in enumerate(told):
            new = forest.deliver(last)
            config = forest.config(quarter, before=before)
            summary = work_run(config, forest.home / "runs", RunOptions(workers=1), plain=True)
            mask, seen = reported(summary)
            fresh = mask & ~found
            first[fresh], told_in[fresh], found = seen[fresh], turn, found | mask
            right = np.count_nonzero(found & lost)
            days = " → ".join(days[-1] for days in summary["epochs"].values())
            counts = (summary["stages"]["outputs"]["clues"], fresh.sum(), (fresh & lost).sum())
            shares = (right / max(found.sum(), 1), right / lost.sum())
            row(title, new, days, *counts, *(f"{s:.2f}" for s in shares))
        summers = {y: forest.summer(y) for y in YEARS}
        drawn = picture_places(found, first, lost, summers)
        tell_places(drawn, told_in, [title for title, *_ in told])
        with rasterio.open(Path(sys.argv[1]) / TREES) as source:
            tell_beside(found, lost, summers, source.read(1, out_shape=lost.shape) >= WOOD)
        for language, name in PICTURES.items():
            ndvi = (YEARS[-1], summers[YEARS[-1]])
            draw(IMAGES / name, language, drawn, first, found, lost, ndvi)


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


def tell_places(drawn: Sequence[Place], told_in: NDArray[np.int64], titles: Sequence[str]) -> None:
    """Print each place, when it was first seen and in which quarter first reported."""
    row("place", "kind", "px", "reported", "first seen", "reported in")
    row(*["---"] * 6)
    for n, place in enumerate(drawn, 1):
        kind = "forest road" if place.is_road else "clear-cut"
        when = told_in[place.pixels & (told_in >= 0)]
        first = quarter_name(place.seen) if place.seen else "-"
        title = titles[int(when.min())] if when.size else "-"
        row(n, kind, place.pixels.sum(), place.found, first, title)


def tell_beside(
    found: Mask, lost: Mask, summers: Mapping[int, NDArray[np.float64]], wood: Mask
) -> None:
    """Say what the summers tell of pixels that were reported beside the label."""
    beside = found & ~lost
    lower = {year: ndvi - summers[YEARS[0]] for year, ndvi in summers.items()}
    back = np.any([low < LOST for low in lower.values()], axis=0)
    faint = ~back & np.any([low < LOST / 2 for low in lower.values()], axis=0)
    sys.stdout.write(
        f"beside the label: {beside.sum()} px; {(beside & back).sum()} lay 0.2 below the summer of "
        f"2016 in a summer between, {(beside & faint).sum()} lay 0.1 below it; "
        f"{(beside & ~wood).sum()} are no forest (tree cover below 30 %)\n"
        f"in forest: precision {(found & lost & wood).sum() / (found & wood).sum():.2f}, recall "
        f"{(found & lost & wood).sum() / (lost & wood).sum():.2f} of {(lost & wood).sum()} px\n"
    )


def picture_places(
    found: Mask, first: NDArray[np.int32], lost: Mask, summers: Mapping[int, NDArray[np.float64]]
) -> list[Place]:
    """Return the places of the label as they are drawn: clear-cuts first, then the road."""
    told = []
    for pixels in sorted(places(lost), key=is_road):
        seen = first[pixels & found]
        heights = {year: float(np.nanmedian(ndvi[pixels])) for year, ndvi in summers.items()}
        day = EPOCH + dt.timedelta(days=int(np.median(seen))) if seen.size else None
        told.append(Place(pixels, is_road(pixels), seen.size, day, heights))
    return told


if __name__ == "__main__":
    main()
