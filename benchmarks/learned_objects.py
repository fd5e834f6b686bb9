"""Pairs of 2 m (DSIFN) as labelled places, and the plain answer beside them."""

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.plain_methods import vector_otsu
from models.changelearning import pair_halo
from models.changetraining import LabelledPlace, mask_f1, open_place
from tiles.block import Block
from tiles.grid import Extent

__all__ = ["open_villages", "plain_f1"]

PIXEL_M = 2.0
BANDS, WAVELENGTHS = ("red", "green", "blue"), (0.66, 0.56, 0.48)


def open_villages(data: Path) -> list[LabelledPlace]:
    """Read all pairs."""
    folder = data / "dsifn_samples"
    return [_open(folder, path.stem) for path in sorted((folder / "A").glob("*.png"))]


def _open(folder: Path, name: str) -> LabelledPlace:
    halo = pair_halo(PIXEL_M)
    images = [
        np.asarray(Image.open(folder / date / f"{name}.png").convert("RGB"), np.float32)
        for date in "AB"
    ]
    truth = np.asarray(Image.open(folder / "label" / f"{name}.png").convert("L")) > 127
    around = (halo, halo), (halo, halo)
    planes = [np.pad(image.transpose(2, 0, 1), ((0, 0), *around)) for image in images]
    valid = np.pad(np.ones(truth.shape, np.bool_), around)
    source = np.where(valid, 0, 255).astype(np.uint8)
    core = Extent(0, 0, *truth.shape)
    block = Block(core.expand(halo), core, BANDS, *planes, valid, np.stack([source, source]))
    labels = np.where(truth, 2, 1).astype(np.uint8)
    return open_place(name, block, labels, pixel_m=PIXEL_M, wavelengths=WAVELENGTHS)


def plain_f1(place: LabelledPlace) -> float:
    """Return F1 of the length of change vectors, pixel by pixel, cut by Otsu's threshold."""
    core = place.block.core_slices
    before, after = (
        image[:, *core].reshape(len(BANDS), -1).T.astype(np.float64)
        for image in (place.block.before, place.block.after)
    )
    return mask_f1(vector_otsu(before, after).reshape(place.labels.shape), place.labels)
