"""Labelled public pairs, read as `tuban detect` reads them, and scores against their labels.

A folder holds ``taizhou_landsat/`` (Taizhou, Landsat 7, sparse labels) and ``oscd/<city>/`` (Onera
Satellite Change Detection, Sentinel-2).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from configs.runparts import CloudSettings
from detect.auto import fit_change, halo_px, score_block
from detect.score import Scores
from models.changetraining import changed_pixels as changed
from tiles.block import Block
from tiles.cloudmap import find_clouds
from tiles.coregister import register_pair
from tiles.grid import Extent, sample_cells
from tiles.reader import PairReader, common_bands, default_grid, pair_extent, wavelengths
from tiles.registration import Registration
from tiles.sensors import open_epoch

__all__ = [
    "CITIES",
    "SENSITIVITIES",
    "Accuracy",
    "LabelledPair",
    "accuracy",
    "changed",
    "detect",
    "open_pair",
    "sample_blocks",
]

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
    sides = grid.pixel_metres(extent)
    pixel_m = float(np.sqrt(sides[0] * sides[1]))
    with PairReader(before, after, grid, bands=bands, registration=found) as reader:
        clouds = find_clouds(
            reader.read_dates, extent, bands, pixel_m=pixel_m, margin_m=CloudSettings().margin_m
        )
    reader = PairReader(before, after, grid, bands=bands, registration=found, clouds=clouds)
    return LabelledPair(name, reader, extent, pixel_m, wavelengths(before, bands), labels, own)


def _sparse_labels(folder: Path) -> NDArray[np.uint8]:
    unchanged, change = (
        np.asarray(Image.open(folder / name).convert("L")) > 127
        for name in ("unchanged.bmp", "change.bmp")
    )
    return np.where(change, 2, np.where(unchanged, 1, 0)).astype(np.uint8)


def sample_blocks(pair: LabelledPair, halo: int) -> list[Block]:
    """Read the cells that a run fits on."""
    with pair.reader as reader:
        return [reader.read(cell, halo) for cell in sample_cells(pair.extent, 0)]


def detect(pair: LabelledPair, method: str, sensitivity: str, target: str) -> Scores:
    """Fit on the sample cells and score the whole pair as one block."""
    halo = halo_px(method, pair.pixel_m)
    state = fit_change(
        sample_blocks(pair, halo),
        method=method,
        sensitivity=sensitivity,  # type: ignore[arg-type]
        target=target,  # type: ignore[arg-type]
        pixel_m=pair.pixel_m,
        wavelengths=pair.wavelengths,
    )
    with pair.reader as reader:
        return score_block(reader.read(pair.extent, halo), state)


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
