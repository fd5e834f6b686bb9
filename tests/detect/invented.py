"""Invented pairs and blocks for the tests of change detection."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tiles.block import Block
from tiles.grid import Extent

Wavelengths = tuple[float | None, ...]
SIX: Wavelengths = (0.49, 0.56, 0.665, 0.842, 1.61, 2.19)


def block_of(
    before: NDArray[np.generic],
    after: NDArray[np.generic],
    valid: NDArray[np.bool_] | None = None,
    *,
    halo: int = 0,
    row0: int = 0,
    col0: int = 0,
) -> Block:
    """Make one block of whole images, with `halo` invalid pixels around them."""
    shape = before.shape[1:]
    use = np.ones(shape, np.bool_) if valid is None else valid
    core = Extent(row0, col0, row0 + shape[0], col0 + shape[1])

    def pad(planes: NDArray[np.generic]) -> NDArray[np.float32]:
        widths = ((0, 0), (halo, halo), (halo, halo))
        return np.pad(np.where(use, planes, 0), widths).astype(np.float32)

    padded = np.pad(use, halo)
    source = np.where(padded, 0, 255).astype(np.uint8)
    bands = tuple(f"band{i}" for i in range(before.shape[0]))
    return Block(
        core.expand(halo), core, bands, pad(before), pad(after), padded, np.stack([source] * 2)
    )


def cut(block: Block, core: Extent, halo: int) -> Block:
    """Cut another core with its halo out of a block."""
    extent = core.expand(halo)
    rows, cols = extent.slices_in(block.extent)
    return Block(
        extent,
        core,
        block.bands,
        block.before[:, rows, cols].copy(),
        block.after[:, rows, cols].copy(),
        block.valid[rows, cols].copy(),
        block.source[:, rows, cols].copy(),
    )


def cells_of(block: Block, halo: int) -> list[Block]:
    """Cut the sample cells of a whole-scene block."""
    return [cut(block, cell.intersect(block.core), halo) for cell in block.core.cells()]


def landscape(shape: tuple[int, int], bands: int, seed: int) -> NDArray[np.float32]:
    """Invent reflectance with fields, texture and correlated bands, float32 (band, y, x)."""
    rng = np.random.default_rng(seed)
    base = gaussian_filter(rng.normal(size=(3, *shape)), (0, 6, 6))
    base /= base.std(axis=(1, 2), keepdims=True)
    fine = gaussian_filter(rng.normal(size=(bands, *shape)), (0, 0.7, 0.7))
    mixing = rng.normal(size=(bands, 3))
    planes = 0.25 + 0.03 * np.einsum("bk,kyx->byx", mixing, base) + 0.02 * fine
    return planes.astype(np.float32)


def changed_pair(
    shape: tuple[int, int] = (160, 180), bands: int = 6, seed: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Invent a pair: another light and noise everywhere, other land in a few rectangles."""
    rng = np.random.default_rng(seed + 1000)
    before = landscape(shape, bands, seed)
    gain = rng.uniform(0.7, 1.3, bands)[:, None, None]
    after = before * gain + 0.02 + rng.normal(0, 0.004, before.shape)
    before = before + rng.normal(0, 0.004, before.shape)
    truth = np.zeros(shape, np.bool_)
    for row, col in ((20, 30), (70, 120), (120, 40)):
        truth[row : row + 14, col : col + 18] = True
    colour = 0.35 * np.where(np.arange(bands) % 2, 1.0, -0.5)[:, None]
    after[:, truth] = np.abs(0.3 + colour + rng.normal(0, 0.03, (bands, int(truth.sum()))))
    return before.astype(np.float32), after.astype(np.float32), truth


def uneven(
    before: NDArray[np.floating[Any]],
    after: NDArray[np.floating[Any]],
    *,
    sd: float = 0.01,
    halo: int = 20,
) -> Block:
    """Make the dates differ by noise twice as strong on every other stripe: no one law fits."""
    noise = np.random.default_rng(3).normal(0, sd, after.shape)
    noise[:, (np.arange(after.shape[1]) // 30) % 2 == 0] *= 2
    return block_of(before, after + noise, halo=halo)
