"""Samples of pixels for fits: canonical order, thinned by a hash, exact moments.

A fit sees the same numbers in the same order whatever order its cells arrive in, so the fitted
state has the same bits in every run.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.kernels.moments import map_rows, reweighted_moments, weighted_moments
from tiles.block import Block
from tiles.grid import splitmix64

__all__ = [
    "SAMPLE_SEED",
    "CellPixels",
    "affine_map",
    "column_medians",
    "draw_pixels",
    "gather",
    "order_cells",
    "reweighted_covariance",
    "robust_spread",
    "weighted_covariance",
]

SAMPLE_SEED = 0x7475_6261
"""Seed of the hash that thins pixels inside cells."""

TINY = 1e-300

CHUNK = 65_536
"""Pixels summed up at once where threads share the work."""

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a Gaussian in units of its median absolute deviation."""


@dataclass(frozen=True)
class CellPixels:
    """The sampled pixels of one cell.

    Attributes
    ----------
    block : Block
        The cell with its halo.
    rows, cols : ndarray of int64, shape (n,)
        Positions in the arrays of the block, row-major, inside the core.
    """

    block: Block
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]

    def take(self, planes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the values of planes (band, y, x) at the pixels, shape (n, band)."""
        return np.ascontiguousarray(planes[:, self.rows, self.cols].T.astype(np.float64))


def order_cells(cells: Sequence[Block]) -> list[Block]:
    """Return the cells ordered by their core, each core once."""
    seen = {cell.core: cell for cell in cells}
    return [seen[core] for core in sorted(seen)]


def draw_pixels(cells: Sequence[Block], *, limit: int, seed: int = SAMPLE_SEED) -> list[CellPixels]:
    """Choose about `limit` valid core pixels; all of them where there are fewer.

    The choice depends on the global row and column of a pixel and on the number of valid pixels
    in all cells together, not on the order of the cells.

    Parameters
    ----------
    cells : sequence of Block
        Sample cells; their cores do not overlap.
    limit : int
        Expected number of pixels drawn.
    seed : int
        Seed of the hash.

    Returns
    -------
    list of CellPixels
        In the order of `order_cells`.
    """
    ordered = order_cells(cells)
    total = sum(int(np.count_nonzero(c.valid[c.core_slices])) for c in ordered)
    share = min(1.0, limit / max(total, 1))
    bound = np.uint64(min(int(share * 2.0**64), 2**64 - 1))
    return [_thin(cell, bound, seed) for cell in ordered]


def _thin(cell: Block, bound: np.uint64, seed: int) -> CellPixels:
    core_rows, core_cols = cell.core_slices
    rows, cols = np.nonzero(cell.valid[core_rows, core_cols])
    chosen = splitmix64(rows + cell.core.row0, cols + cell.core.col0, seed) <= bound
    return CellPixels(cell, rows[chosen] + core_rows.start, cols[chosen] + core_cols.start)


def gather(pixels: Sequence[CellPixels]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values of both dates at the sampled pixels, each of shape (pixel, band)."""
    before = [p.take(p.block.before) for p in pixels]
    after = [p.take(p.block.after) for p in pixels]
    return np.concatenate(before), np.concatenate(after)


def column_medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of every column of (pixel, column) values."""
    return np.asarray(np.median(values, axis=0), np.float64)


def robust_spread(values: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1.4826 × the median distance of values (pixel, column) from `middle` (column,)."""
    return MAD_TO_SIGMA * column_medians(np.abs(values - middle))


def weighted_covariance(
    values: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weighted mean (column,) and covariance (column, column) of a sample.

    Parameters
    ----------
    values : ndarray of float64, shape (pixel, column)
    weight : ndarray of float64, shape (pixel,)
        Not negative, with a positive sum.
    """
    columns = values.shape[1]
    shift = values.mean(axis=0)
    sums, products = np.empty(columns), np.empty((columns, columns))
    total = weighted_moments(values - shift, weight, sums, products)
    mean = sums / total
    return mean + shift, products / total - np.outer(mean, mean)


def reweighted_covariance(
    values: NDArray[np.float64],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    workers: Executor | None = None,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return weight, mean (column,) and covariance (column, column) of re-weighted pixels.

    Every pixel weighs as much as its |matrix · value + offset|² is likely to be exceeded by
    chi-square with as many degrees of freedom as the matrix has rows.

    Parameters
    ----------
    values : ndarray of float64, shape (column, pixel)
        Means near zero.
    matrix : ndarray of float64, shape (row, column)
        Of zeros, as the offset: every pixel weighs one.
    offset : ndarray of float64, shape (row,)
    workers : Executor, optional
        Threads. The pixels are summed up in fixed chunks, so the answer is the same without.
    """
    columns, count = values.shape

    def chunk(first: int) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        sums, products = np.empty(columns), np.empty((columns, columns))
        part = values[:, first : first + CHUNK]
        return reweighted_moments(part, matrix, offset, sums, products), sums, products

    starts = range(0, count, CHUNK)
    parts = list(workers.map(chunk, starts) if workers else map(chunk, starts))
    total = max(sum(weight for weight, _, _ in parts), TINY)
    mean = sum((sums for _, sums, _ in parts), np.zeros(columns)) / total
    second = sum((products for _, _, products in parts), np.zeros((columns, columns))) / total
    return total, mean, second - np.outer(mean, mean)


def affine_map(
    values: NDArray[np.float64], matrix: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return matrix · value + offset for every row of `values`, shape (pixel, row).

    A matrix product of the linear algebra library may add in another order on another number of
    threads; this one does not.
    """
    out = np.empty((values.shape[0], matrix.shape[0]))
    map_rows(np.ascontiguousarray(values), np.ascontiguousarray(matrix), offset, out)
    return out
