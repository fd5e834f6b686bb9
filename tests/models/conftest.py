"""A small invented landscape with known covers: mixed borders, texture, a map with errors."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from configs.vocabulary import COVERS
from tiles.block import Block
from tiles.grid import Extent

BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")
MATERIALS = {
    "cropland": [(0.04, 0.07, 0.05, 0.33, 0.20, 0.11), (0.07, 0.09, 0.12, 0.17, 0.26, 0.21)],
    "garden": [(0.044, 0.068, 0.055, 0.275, 0.195, 0.118)],
    "forest": [(0.026, 0.047, 0.032, 0.290, 0.155, 0.078), (0.02, 0.033, 0.025, 0.215, 0.1, 0.05)],
    "grass": [(0.056, 0.083, 0.090, 0.220, 0.250, 0.170)],
    "water": [(0.070, 0.086, 0.075, 0.042, 0.018, 0.012), (0.05, 0.07, 0.05, 0.04, 0.02, 0.01)],
    "built": [(0.14, 0.16, 0.17, 0.20, 0.22, 0.20), (0.22, 0.20, 0.17, 0.23, 0.24, 0.22)],
    "bare": [(0.128, 0.168, 0.218, 0.288, 0.380, 0.332)],
}
TEXTURE = {"built": 0.16, "water": 0.03}
SHARES = dict.fromkeys(MATERIALS, 0.1) | {"cropland": 0.4}


@dataclass(frozen=True)
class Landscape:
    """Both dates and what they show; label = position in COVERS + 1."""

    before: np.ndarray
    after: np.ndarray
    truth_before: np.ndarray
    truth_after: np.ndarray
    mapped: np.ndarray
    parcels: np.ndarray
    changed: np.ndarray

    @property
    def extent(self) -> Extent:
        return Extent(1000, -200, 1000 + self.mapped.shape[0], -200 + self.mapped.shape[1])

    def block(self, core: Extent, halo: int) -> Block:
        """Read a block; nothing is valid outside the landscape."""
        extent = core.expand(halo)
        inside = extent.intersect(self.extent)
        shape = (len(BANDS), *extent.shape)
        before, after = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        valid = np.zeros(extent.shape, np.bool_)
        to, at = inside.slices_in(extent), inside.slices_in(self.extent)
        before[:, *to], after[:, *to], valid[to] = self.before[:, *at], self.after[:, *at], True
        source = np.zeros((2, *extent.shape), np.uint8)
        return Block(extent, core, BANDS, before, after, valid, source)

    def labels(self, extent: Extent) -> np.ndarray:
        """Return the map's labels over an extent."""
        out = np.zeros(extent.shape, np.int16)
        inside = extent.intersect(self.extent)
        out[inside.slices_in(extent)] = self.mapped[inside.slices_in(self.extent)]
        return out


def _paint(truth, parcels, kinds, rng, noise=0.05):
    """Paint materials, brightness per parcel, texture, and mixed pixels along borders."""
    image = np.zeros((len(BANDS), *truth.shape))
    texture = np.zeros(truth.shape)
    for cover, materials in MATERIALS.items():
        for i, material in enumerate(materials):
            here = (truth == COVERS.index(cover) + 1) & (kinds[parcels] % len(materials) == i)
            image[:, here] = np.array(material)[:, None]
        texture[truth == COVERS.index(cover) + 1] = TEXTURE.get(cover, 0.06)
    image *= 1 + 0.06 * rng.standard_normal(parcels.max() + 1)[parcels]
    image *= 1 + texture * rng.standard_normal(truth.shape)
    image *= 1 + noise * rng.standard_normal(image.shape)
    return ndimage.gaussian_filter(image, (0, 0.6, 0.6)).astype(np.float32)


def make_landscape(seed: int, size: int = 384, wrong: float = 0.1) -> Landscape:
    """Invent a landscape of Voronoi parcels, some of them changed, some wrong on the map."""
    rng = np.random.default_rng(seed)
    count = size * size // 250
    points = rng.uniform(0, size, (count, 2))
    ids = np.full((size, size), -1)
    ids[tuple(points.astype(int).T)] = np.arange(count)
    near = ndimage.distance_transform_edt(ids < 0, return_distances=False, return_indices=True)
    parcels = ids[tuple(near)]
    codes = np.array([COVERS.index(c) + 1 for c in MATERIALS])
    share = np.array([SHARES[c] for c in MATERIALS])
    cover = rng.choice(codes, count, p=share / share.sum())
    kinds = rng.integers(0, 2, count)
    mapped = cover.copy()
    bad = rng.random(count) < wrong
    mapped[bad] = rng.choice(codes, int(bad.sum()))
    later = cover.copy()
    changed = (rng.random(count) < 0.08) & (cover != COVERS.index("built") + 1)
    later[changed] = rng.choice(
        [COVERS.index(c) + 1 for c in ("built", "bare", "water")], int(changed.sum())
    )
    changed &= later != cover
    return Landscape(
        before=_paint(cover[parcels], parcels, kinds, rng),
        after=_paint(later[parcels], parcels, kinds, rng),
        truth_before=cover[parcels].astype(np.int16),
        truth_after=later[parcels].astype(np.int16),
        mapped=mapped[parcels].astype(np.int16),
        parcels=parcels,
        changed=changed,
    )


@pytest.fixture(scope="session")
def landscape() -> Landscape:
    """A landscape of 384×384 px whose map has 10 % wrong parcels."""
    return make_landscape(seed=5)


@pytest.fixture(scope="session")
def invent():
    """Make further landscapes: ``invent(seed, size, wrong)``."""
    return make_landscape
