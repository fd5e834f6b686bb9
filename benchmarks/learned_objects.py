"""Objects of DSIFN pairs (2 m) classified without the pair that is scored."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.accuracy import heading, row
from benchmarks.plain_methods import vector_otsu
from detect.magnitudes import Box, fit_scale, scaled
from detect.thresholds import otsu_threshold
from models.forest import votes
from models.growing import grow_forest
from models.objectfeatures import date_planes, object_statistics
from models.objects import Objects, find_objects
from tiles.grid import Extent

__all__ = ["object_table"]

TREES, DEPTH = 40, 10

NEIGHBOURS_PX = 12
"""Radius over which the votes of neighbouring objects are averaged in the second column: 50 m."""

OBJECT_TEXT = """
## Leave one pair out (DSIFN, red, green and blue, 2 m)

Objects of both dates stacked (`models/objects.py`), their statistics (`models/objectfeatures.py`),
a forest of the other nine pairs, and the votes of the pair cut by Otsu's threshold: nothing is
fitted to its labels, but that cut was taken after one threshold of the other pairs had won eight
of ten only (mean 0.380). In the last column the votes are averaged over 25 × 25 pixels first,
since the labels are coarse polygons of whole building sites; that window was chosen seeing all ten
pairs.
"""


@dataclass(frozen=True)
class VillagePair:
    """A labelled pair: objects, their columns, what changed, the plain answer."""

    name: str
    objects: Objects
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    truth: NDArray[np.bool_]
    plain: NDArray[np.bool_]


def open_villages(data: Path) -> list[VillagePair]:
    """Read all pairs."""
    folder = data / "dsifn_samples"
    return [_open(folder, path.stem) for path in sorted((folder / "A").glob("*.png"))]


def _open(folder: Path, name: str) -> VillagePair:
    images = [
        np.asarray(Image.open(folder / date / f"{name}.png").convert("RGB"), np.float32)
        for date in "AB"
    ]
    truth = np.asarray(Image.open(folder / "label" / f"{name}.png").convert("L")) > 127
    pixels = [image.reshape(-1, 3).astype(np.float64) for image in images]
    planes = [np.ascontiguousarray(image.transpose(2, 0, 1)) for image in images]
    valid, scales = np.ones(truth.shape, np.bool_), [fit_scale(p) for p in pixels]
    stacked = np.concatenate([scaled(p, valid, s) for p, s in zip(planes, scales, strict=True)])
    objects = find_objects(stacked, valid, Extent(0, 0, *truth.shape))
    told = [date_planes(p, valid, s) for p, s in zip(planes, scales, strict=True)]
    x = object_statistics(objects, np.concatenate(told), len(told[0]))
    changed, size = (
        np.bincount(objects.labels.ravel(), weights=w, minlength=len(objects))
        for w in (truth.ravel(), None)
    )
    plain = vector_otsu(*pixels).reshape(truth.shape)
    return VillagePair(name, objects, x, (2 * changed > size).astype(np.int64), truth, plain)


def _cut(share: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which votes lie above Otsu's threshold."""
    steps = np.round(share * 1000).astype(np.int64)
    return np.asarray(steps >= otsu_threshold(np.bincount(steps.ravel(), minlength=1001)))


def _f1(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2 * int((found & truth).sum()) / max(int(found.sum()) + int(truth.sum()), 1)


def object_table(data: Path) -> Iterator[str]:
    """Yield the table of the pairs."""
    yield OBJECT_TEXT
    pairs = open_villages(data)
    yield from heading(
        "pair", "changed", "pixel CVA + Otsu F1", "objects F1", "objects, votes averaged F1"
    )
    found = []
    for pair in pairs:
        others = [p for p in pairs if p is not pair]
        x, y = (np.concatenate([getattr(p, n) for p in others]) for n in "xy")
        forest = grow_forest(x, y, n_classes=2, trees=TREES, depth=DEPTH, seed=0)
        share = (votes(forest, pair.x)[:, 1] / np.float32(TREES)).astype(np.float32)
        plane = share[pair.objects.labels]
        wide = Box(NEIGHBOURS_PX, np.ones(plane.shape, np.bool_)).means(plane[None])[0]
        maps = pair.plain, _cut(plane), _cut(wide)
        found.append([_f1(m, pair.truth) for m in maps])
        yield row([pair.name, f"{100 * pair.truth.mean():.0f} %", *found[-1]])
    scores = np.array(found)
    yield row(["mean", "", *(float(v) for v in scores.mean(axis=0))])
    wins = [int((scores[:, k] > scores[:, 0]).sum()) for k in (1, 2)]
    yield row(["pairs won", "", "", *wins])
