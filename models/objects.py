"""Image objects of metre-scale imagery: superpixels that no tile can change, and their statistics.

Superpixels grow from the squares of a fixed grid by a few rounds of simple linear iterative
clustering. A pixel only ever looks at the nine squares around its own, the rounds are few and all
sums are integer, so what happens at a pixel depends on `REACH_PX` pixels around it and on nothing
else. Windows that overlap by as much find the same objects, pixel by pixel; none is cut at a seam.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from tiles.compiled import inner, kernel
from tiles.grid import Extent

__all__ = ["OBJECT_HALO", "SQUARE_PX", "Objects", "find_objects", "object_window"]

SQUARE_PX = 8
"""Side in pixels of the squares that objects grow from: a small house of 2 m pixels."""

ROUNDS = 4
"""Rounds of clustering; objects hardly move after the third."""

COMPACTNESS = 1.0
"""Weight of the distance between places: one square away weighs as much as one robust standard
deviation of one band at one date."""

LEVELS = 64
"""Integer steps to one robust standard deviation."""

LEAST_PX = SQUARE_PX * SQUARE_PX // 4
"""Pieces below this, cut off from their object, join the larger object they touch most."""

JOINS = 3
"""Rounds of joining: a small piece among small ones waits until one of these has joined. On ten
pairs of 2 m the first leaves an eighth of the small pieces, the third one in a thousand."""

REACH_PX = (2 * ROUNDS + 3 + 2 * JOINS) * SQUARE_PX
"""Pixels around a pixel that decide on its object. Each round of clustering looks one square
further for the pixels of a cluster and one for the clusters of a pixel; each joining the length of
a small piece, at most two squares, and the last one across an object, three."""

OBJECT_HALO = REACH_PX + (3 + 4 * JOINS) * SQUARE_PX
"""Pixels around a window that its objects depend on, those reaching out of it whole: an object lies
within three squares, the pieces that joined it within two more a round on every side."""


@dataclass(frozen=True)
class Objects:
    """Objects of a window.

    Attributes
    ----------
    labels : ndarray of int32, shape (y, x)
        Number of the object from 0, by row and column of its anchor; −1 where not valid.
    anchors : ndarray of int64, shape (object, 2)
        Row and column, on the grid, of the first pixel of each object in reading order. An object
        belongs to the cell or the tile that its anchor lies in.
    """

    labels: NDArray[np.int32]
    anchors: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.anchors)


def find_objects(planes: NDArray[np.float32], valid: NDArray[np.bool_], extent: Extent) -> Objects:
    """Cut a window into objects, both dates stacked.

    Parameters
    ----------
    planes : ndarray of float32, shape (plane, y, x)
        Bands of both dates in robust scores (`detect.magnitudes.scaled`).
    valid : ndarray of bool, shape (y, x)
        Pixels outside the window count as not valid.
    extent : Extent
        Of the window; its corner must be a multiple of `SQUARE_PX`. Objects within `REACH_PX` of
        its edge may differ from those of a larger window.

    Returns
    -------
    Objects

    Raises
    ------
    InputError
        If the shapes do not fit or the corner lies off the squares.
    """
    if planes.ndim != 3 or planes.shape[1:] != valid.shape or valid.shape != extent.shape:
        raise InputError(
            f"planes {planes.shape}, valid {valid.shape} and window {extent.shape} do not fit",
            "find_objects(planes=..., valid=..., extent=...)",
            "pass planes as (plane, y, x) with one valid pixel plane of the window",
        )
    if extent.row0 % SQUARE_PX or extent.col0 % SQUARE_PX:
        raise InputError(
            f"the window starts at row {extent.row0}, column {extent.col0}",
            "find_objects(extent=...)",
            f"start at multiples of {SQUARE_PX}",
        )
    levels = np.round(planes * np.float32(LEVELS)).astype(np.int32)
    labels = np.full(valid.shape, -1, np.int32)
    cluster_pixels(levels, valid, SQUARE_PX, ROUNDS, COMPACTNESS * LEVELS / SQUARE_PX, labels)
    pieces = np.full(valid.shape, -1, np.int32)
    count = number_pieces(labels, pieces)
    for _ in range(JOINS):
        join_pieces(labels, pieces, count, LEAST_PX)
        pieces[:] = labels
    used, starts = np.unique(labels, return_index=True)
    starts = np.sort(starts[used >= 0])
    number = np.full(count, -1, np.int32)
    number[labels.ravel()[starts]] = np.arange(len(starts), dtype=np.int32)
    labels[valid] = number[labels[valid]]
    rows, cols = np.unravel_index(starts, valid.shape)
    return Objects(labels, np.stack([rows + extent.row0, cols + extent.col0], axis=1))


def object_window(core: Extent) -> Extent:
    """Return the window that gives the objects of a core as any larger one does."""
    reach = core.expand(OBJECT_HALO)
    return Extent(
        reach.row0 // SQUARE_PX * SQUARE_PX,
        reach.col0 // SQUARE_PX * SQUARE_PX,
        reach.row1,
        reach.col1,
    )


@kernel
def cluster_pixels(
    levels: NDArray[np.int32],  # (plane, y, x)
    valid: NDArray[np.bool_],  # (y, x)
    side: int,
    rounds: int,
    pull: float,  # levels that one pixel of distance weighs
    labels: NDArray[np.int32],  # (y, x), −1; written: number of the square it grew from
) -> None:
    """Cluster pixels around squares, each pixel among the nine squares around its own."""
    planes, height, width = levels.shape
    down, across = -(-height // side), -(-width // side)
    sums = np.zeros((down * across, planes + 2), np.int64)
    counts = np.zeros(down * across, np.int64)
    for y in range(height):
        for x in range(width):
            if valid[y, x]:
                labels[y, x] = (y // side) * across + x // side
    centre = np.zeros((down * across, planes + 2), np.float64)
    for _ in range(rounds):
        sums[:], counts[:] = 0, 0
        for y in range(height):
            for x in range(width):
                k = labels[y, x]
                if k >= 0:
                    counts[k] += 1
                    for p in range(planes):
                        sums[k, p] += levels[p, y, x]
                    # from the square's own corner, so that windows round alike
                    sums[k, planes] += y - (k // across) * side
                    sums[k, planes + 1] += x - (k % across) * side
        for k in range(down * across):
            if counts[k] > 0:
                for p in range(planes + 2):
                    centre[k, p] = sums[k, p] / counts[k]
        for y in range(height):
            for x in range(width):
                if valid[y, x]:
                    labels[y, x] = nearest_cluster(
                        levels, y, x, side, (down, across), pull, centre, counts
                    )


@inner
def nearest_cluster(
    levels: NDArray[np.int32],
    y: int,
    x: int,
    side: int,
    squares: tuple[int, int],
    pull: float,
    centre: NDArray[np.float64],  # (square, plane + 2)
    counts: NDArray[np.int64],  # (square,)
) -> int:
    """Return the nearest of the clusters of nine squares; of equal ones the first by row."""
    planes = levels.shape[0]
    best, least = -1, np.inf
    for i in range(max(y // side - 1, 0), min(y // side + 2, squares[0])):
        for j in range(max(x // side - 1, 0), min(x // side + 2, squares[1])):
            k = i * squares[1] + j
            if counts[k] == 0:
                continue
            dy = (y - i * side) - centre[k, planes]
            dx = (x - j * side) - centre[k, planes + 1]
            total = pull * pull * (dy * dy + dx * dx)
            for p in range(planes):
                step = levels[p, y, x] - centre[k, p]
                total += step * step
            if total < least:
                best, least = k, total
    return best


@kernel
def number_pieces(
    labels: NDArray[np.int32],  # (y, x), −1 where not valid
    pieces: NDArray[np.int32],  # (y, x), −1; written: number of the 4-connected piece
) -> int:
    """Give the connected pieces of equal label numbers in reading order; return how many."""
    height, width = labels.shape
    stack = np.empty(height * width, np.int64)
    count = 0
    for start in range(height * width):
        y, x = start // width, start % width
        if labels[y, x] < 0 or pieces[y, x] >= 0:
            continue
        pieces[y, x] = count
        stack[0], top = start, 1
        while top:
            top -= 1
            y, x = stack[top] // width, stack[top] % width
            for side in range(4):
                v, u = y + (side == 1) - (side == 0), x + (side == 3) - (side == 2)
                inside = 0 <= v < height and 0 <= u < width
                if inside and pieces[v, u] < 0 and labels[v, u] == labels[y, x]:
                    pieces[v, u] = count
                    stack[top] = v * width + u
                    top += 1
        count += 1
    return count


@kernel
def join_pieces(
    labels: NDArray[np.int32],  # (y, x); written: number of the piece it belongs to
    pieces: NDArray[np.int32],  # (y, x), −1 where not valid; not all numbers need occur
    count: int,
    least: int,
) -> None:
    """Give small pieces to the large one they share most edges with; of equal ones the first."""
    height, width = pieces.shape
    size = np.zeros(count, np.int64)
    for y in range(height):
        for x in range(width):
            if pieces[y, x] >= 0:
                size[pieces[y, x]] += 1
    slots = 4 * least  # a small piece has no more neighbours than edges
    small = np.cumsum(size < least) - 1
    found = np.full((small[-1] + 1 if count else 0, slots), -1, np.int32)
    edges = np.zeros(found.shape, np.int32)
    for y in range(height):
        for x in range(width):
            p = pieces[y, x]
            if p < 0 or size[p] >= least:
                continue
            for side in range(4):
                v, u = y + (side == 1) - (side == 0), x + (side == 3) - (side == 2)
                if not (0 <= v < height and 0 <= u < width):
                    continue
                q = pieces[v, u]
                if q < 0 or size[q] < least:
                    continue
                slot = 0
                while found[small[p], slot] >= 0 and found[small[p], slot] != q:
                    slot += 1
                found[small[p], slot] = q
                edges[small[p], slot] += 1
    home = np.arange(count).astype(np.int32)
    for p in range(count):
        if size[p] < least:
            most = 0
            for slot in range(slots):
                q, shared = found[small[p], slot], edges[small[p], slot]
                if shared > most or (shared == most and shared > 0 and q < home[p]):
                    home[p], most = q, shared
    for y in range(height):
        for x in range(width):
            labels[y, x] = home[pieces[y, x]] if pieces[y, x] >= 0 else -1
