"""How hard a demo county is, measured by what simple methods make of it.

Three yardsticks: the mean absolute difference of the bands with Otsu's threshold, the same of
z-scored bands (change vector analysis), and land cover by nearest centroid. The first two are
scored like a run: recall of changes from 0.3 ha, precision of patches.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.features
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from flows.demo.imagery import Scenery, scene_name, transform_of
from flows.demo.matching import f1, match
from flows.demo.settings import AFTER, BEFORE
from flows.demo.spectra import BANDS, LOOKS
from tiles.grid import splitmix64

FLOOR_PX = 10
"""Patches below are dropped: half the least size of a change that counts."""


@dataclass(frozen=True)
class Baselines:
    """Scores of the simple methods.

    Attributes
    ----------
    raw_f1, cva_f1 : float
        Clue F1 of raw difference and of z-scored change vector analysis, both with Otsu.
    centroid_f1 : float
        Mean F1 over land covers of a nearest-centroid classification of the before image, trained
        on the land-use layer on half of the cells of 32 × 32 pixels, tested on the others.
    post_f1 : float
        Clue F1 of comparing the two nearest-centroid maps.
    """

    raw_f1: float
    cva_f1: float
    centroid_f1: float
    post_f1: float

    def to_dict(self) -> dict[str, float]:
        """Return the scores rounded to three decimals."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def _read(folder: Path, stem: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    bands = []
    for name in BANDS:
        with rasterio.open(folder / f"{stem}_{name}.tif") as source:
            bands.append(source.read(1).astype(np.float32) / 1e4)
    with rasterio.open(folder / f"{stem}_mask.tif") as source:
        usable = source.read(1) == 0
    return np.stack(bands), usable & (bands[0] > 0)


def _clue_f1(changed: NDArray[np.bool_], scene: Scenery) -> float:
    """Return the F1 of the components of a change map against the true changes."""
    frame, changes = scene.frame, scene.changes
    truth = rasterio.features.rasterize(
        [(c.geometry, i + 1) for i, c in enumerate(changes)],
        out_shape=changed.shape,
        transform=transform_of(frame),
        dtype="int32",
    )
    label, count = ndimage.label(changed, np.ones((3, 3)))
    sizes = np.bincount(label.ravel(), minlength=count + 1)
    large = np.flatnonzero(sizes[1:] >= FLOOR_PX) + 1
    table = np.bincount(
        (truth.astype(np.int64) * (count + 1) + label).ravel(),
        minlength=(len(changes) + 1) * (count + 1),
    ).reshape(len(changes) + 1, count + 1)
    pixel = frame.pixel_m**2
    areas = np.array([c.geometry.area for c in changes])
    shared = (table[1:][:, large] * pixel).astype(np.float64)
    result = match(shared, areas, (sizes[large] * pixel).astype(np.float64))
    return f1(result.recall(areas), result.precision())


def _otsu(magnitude: NDArray[np.float32], usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    limit = float(threshold_otsu(magnitude[usable]))  # type: ignore[no-untyped-call]
    return np.asarray((magnitude > limit) & usable)


def _centroids(
    image: NDArray[np.float32], label: NDArray[np.int16], train: NDArray[np.bool_], classes: int
) -> NDArray[np.float32]:
    """Return the mean spectrum of each class; out of reach where a class has no pixel."""
    centroids = np.full((classes, len(image)), 1e3, np.float32)
    for k in range(1, classes + 1):
        own = train & (label == k)
        if own.any():
            centroids[k - 1] = image[:, own].mean(axis=1)
    return centroids


def _nearest(image: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.int16]:
    flat = image.reshape(len(image), -1).T
    distance = (centroids**2).sum(axis=1) - 2 * flat @ centroids.T
    nearest = distance.argmin(axis=1) + 1
    return np.asarray(nearest.reshape(image.shape[1:]), np.int16)


def _macro_f1(
    told: NDArray[np.int16], true: NDArray[np.int16], where: NDArray[np.bool_], classes: int
) -> float:
    scores = []
    for k in range(1, classes + 1):
        hit = np.count_nonzero(where & (told == k) & (true == k))
        both = np.count_nonzero(where & (told == k)) + np.count_nonzero(where & (true == k))
        scores.append(2 * hit / both if both else 1.0)
    return float(np.mean(scores))


def measure_baselines(scene: Scenery, folder: Path) -> Baselines:
    """Score the simple methods on a county whose images lie in `folder`.

    Parameters
    ----------
    scene : Scenery
        The county, with its truth.
    folder : Path
        Where `imagery.render_pair` wrote.

    Returns
    -------
    Baselines
    """
    before, clear1 = _read(folder / "before", scene_name(BEFORE))
    after, clear2 = _read(folder / "after", scene_name(AFTER))
    usable = clear1 & clear2
    raw = np.sqrt(((after - before) ** 2).sum(axis=0))

    def z(image: NDArray[np.float32]) -> NDArray[np.float32]:
        inside = image[:, usable]
        mean, spread = inside.mean(axis=1), inside.std(axis=1)
        return np.asarray((image - mean[:, None, None]) / spread[:, None, None], np.float32)

    z1, z2 = z(before), z(after)
    vector = np.sqrt(((z2 - z1) ** 2).sum(axis=0))

    covers = sorted({look.cover for look in LOOKS.values()} - {""})
    number = {cover: i + 1 for i, cover in enumerate(covers)}
    of_parcel = [number.get(LOOKS[name].cover, 0) for name in scene.land["look"]]
    label: NDArray[np.int16] = rasterio.features.rasterize(
        zip(scene.land.geometry, of_parcel, strict=True),
        out_shape=usable.shape,
        transform=transform_of(scene.frame),
        dtype="int16",
    )
    rows, cols = np.indices(usable.shape)
    half = splitmix64(rows // 32, cols // 32, scene.seed) % np.uint64(2) == 0
    centroids = _centroids(z1, label, half & usable, len(covers))
    map1, map2 = _nearest(z1, centroids), _nearest(z2, centroids)
    test = ~half & usable & (label > 0)
    return Baselines(
        _clue_f1(_otsu(raw, usable), scene),
        _clue_f1(_otsu(vector, usable), scene),
        _macro_f1(map1, label, test, len(covers)),
        _clue_f1((map1 != map2) & usable, scene),
    )
