"""Accuracy of the change methods on labelled public pairs, read as `tuban detect` reads them.

Run ``python benchmarks/accuracy.py [--data FOLDER] [--methods auto cva irmad]``. FOLDER holds
``taizhou_landsat/`` (Taizhou, Landsat 7, sparse labels) and ``oscd/<city>/`` (Onera Satellite
Change Detection, Sentinel-2). Prints F1, precision, recall and kappa of the change class.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import label as label_components

from detect.auto import fit_change, halo_px, score_block
from detect.score import Scores
from tiles.block import Block
from tiles.coregister import register_pair
from tiles.grid import Extent, sample_cells
from tiles.reader import PairReader, common_bands, default_grid, pair_extent, wavelengths
from tiles.registration import Registration
from tiles.sensors import open_epoch

CITIES = (
    "beihai",
    "rennes",
    "cupertino",
    "aguasclaras",
    "bordeaux",
    "paris",
    "bercy",
    "saclay_e",
)
SENSITIVITIES = ("low", "medium", "high")


@dataclass(frozen=True)
class LabelledPair:
    """A registered pair with its labels: 0 unknown, 1 unchanged, 2 changed, on `labels_at`."""

    name: str
    reader: PairReader
    extent: Extent
    pixel_m: float
    wavelengths: tuple[float | None, ...]
    labels: NDArray[np.uint8]
    labels_at: Extent


@dataclass(frozen=True)
class Accuracy:
    """Scores of the change class."""

    f1: float
    precision: float
    recall: float
    kappa: float


def open_pair(name: str, data: Path) -> LabelledPair:
    """Open and register Taizhou or a city of the OSCD set."""
    if name == "taizhou":
        folder = data / "taizhou_landsat"
        paths, labels = (folder / "2000TM", folder / "2003TM"), _sparse_labels(folder)
    else:
        folder = data / "oscd" / name
        paths = folder / "imgs_1", folder / "imgs_2"
        with rasterio.open(folder / "cm" / f"{name}-cm.tif") as source:
            labels = source.read(1)
    before, after = (open_epoch([path]) for path in paths)
    grid = default_grid(before, after)
    bands = common_bands(before, after)
    own = pair_extent(before, before, grid)
    extent = pair_extent(before, after, grid)
    cells = sample_cells(extent, 0)

    def read(move: Registration | None) -> list[Block]:
        with PairReader(before, after, grid, bands=bands, registration=move) as reader:
            return [reader.read(cell) for cell in cells]

    found = register_pair(read).applied
    reader = PairReader(before, after, grid, bands=bands, registration=found)
    sides = grid.pixel_metres(extent)
    pixel_m = float(np.sqrt(sides[0] * sides[1]))
    return LabelledPair(name, reader, extent, pixel_m, wavelengths(before, bands), labels, own)


def _sparse_labels(folder: Path) -> NDArray[np.uint8]:
    unchanged, change = (
        np.asarray(Image.open(folder / name).convert("L")) > 127
        for name in ("unchanged.bmp", "change.bmp")
    )
    return np.where(change, 2, np.where(unchanged, 1, 0)).astype(np.uint8)


def detect(pair: LabelledPair, method: str, sensitivity: str, target: str) -> Scores:
    """Fit on the sample cells and score the whole pair as one block."""
    halo = halo_px(method, pair.pixel_m)
    with pair.reader as reader:
        state = fit_change(
            [reader.read(cell, halo) for cell in sample_cells(pair.extent, 0)],
            method=method,
            sensitivity=sensitivity,  # type: ignore[arg-type]
            target=target,  # type: ignore[arg-type]
            pixel_m=pair.pixel_m,
            wavelengths=pair.wavelengths,
        )
        block = reader.read(pair.extent, halo)
    return score_block(block, state)


def changed(scores: Scores, floor_px: int) -> NDArray[np.bool_]:
    """Return weak components that hold a strong pixel and at least `floor_px` pixels."""
    labels, count = label_components(scores.weak, np.ones((3, 3)))
    pixels = np.bincount(labels.ravel(), minlength=count + 1)
    strong = np.bincount(labels.ravel(), weights=scores.strong.ravel(), minlength=count + 1)
    keep = (pixels >= floor_px) & (strong > 0)
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)


def accuracy(found: NDArray[np.bool_], pair: LabelledPair) -> Accuracy:
    """Score a map over `pair.extent` against the labels."""
    answer = np.zeros(pair.labels_at.shape, np.bool_)
    answer[pair.extent.slices_in(pair.labels_at)] = found
    known, truth = pair.labels > 0, pair.labels == 2
    hit = int(np.count_nonzero(answer & truth))
    false = int(np.count_nonzero(answer & known & ~truth))
    missed = int(np.count_nonzero(~answer & truth))
    total = int(np.count_nonzero(known))
    right = total - false - missed
    chance = (hit + false) * (hit + missed) + (total - hit - false) * (total - hit - missed)
    expected = chance / total**2
    return Accuracy(
        2 * hit / max(2 * hit + false + missed, 1),
        hit / max(hit + false, 1),
        hit / max(hit + missed, 1),
        (right / total - expected) / max(1 - expected, 1e-12),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("TUBAN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--methods", nargs="+", default=["auto", "irmad", "cva"])
    parser.add_argument("--floor-px", type=int, default=4)
    options = parser.parse_args()
    pairs = [open_pair(name, options.data) for name in (*CITIES, "taizhou")]
    print("| method | target | sensitivity | OSCD mean F1 | " + " | ".join(CITIES), end="")
    print(" | Taizhou F1 | P | R | kappa |\n" + "|---" * (len(CITIES) + 8) + "|")
    for method in options.methods:
        for target in ("any", "construction") if method == "auto" else ("any",):
            for sensitivity in SENSITIVITIES:
                found = []
                for pair in pairs:
                    scores = detect(pair, method, sensitivity, target)
                    found.append(accuracy(changed(scores, options.floor_px), pair))
                cities = [a.f1 for a in found[:-1]]
                last = found[-1]
                figures = [np.mean(cities), *cities, last.f1, last.precision, last.recall]
                cells = " | ".join(f"{value:.3f}" for value in (*figures, last.kappa))
                print(f"| {method} | {target} | {sensitivity} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
