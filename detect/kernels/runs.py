"""Horizontal runs of a mask: extraction, linking by union-find, statistics, bottom-k members.

A run is (row, first column, last column), the last column inclusive, in global pixels. Runs are
always sorted by (row, first). Kernels only loop; the caller allocates and checks.
"""

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import inner, kernel

__all__ = [
    "bottom_members",
    "count_runs",
    "extract_runs",
    "link_runs",
    "number_roots",
    "pixel_hash",
    "run_statistics",
]


@kernel
def count_runs(mask: NDArray[np.bool_]) -> int:
    """Return the number of horizontal runs of True in a mask (y, x)."""
    count = 0
    for r in range(mask.shape[0]):
        before = False
        for c in range(mask.shape[1]):
            here = mask[r, c]
            if here and not before:
                count += 1
            before = here
    return count


@kernel
def extract_runs(
    mask: NDArray[np.bool_],
    row0: int,
    col0: int,
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> None:
    """Write the runs of a mask whose north-west pixel is (row0, col0), sorted by (row, first)."""
    i = -1
    for r in range(mask.shape[0]):
        before = False
        for c in range(mask.shape[1]):
            here = mask[r, c]
            if here and not before:
                i += 1
                row[i] = row0 + r
                first[i] = col0 + c
            elif before and not here:
                last[i] = col0 + c - 1
            before = here
        if before:
            last[i] = col0 + mask.shape[1] - 1


@inner
def _root(parent: NDArray[np.int64], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@inner
def _unite(parent: NDArray[np.int64], a: int, b: int) -> None:
    # the smaller node becomes the root, so that numbering needs one ascending pass
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    elif b < a:
        parent[a] = b


@kernel
def link_runs(
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    node: NDArray[np.int64],
    reach: int,
    parent: NDArray[np.int64],
) -> None:
    """Unite the nodes of neighbouring runs.

    Parameters
    ----------
    row, first, last : ndarray of int64, shape (n,)
        Runs sorted by (row, first), not overlapping.
    node : ndarray of int64, shape (n,)
        Node of the union-find to which each run belongs.
    reach : int
        0: runs of neighbouring rows must share a column (4-connectivity); 1: they may also meet
        at a corner (8-connectivity).
    parent : ndarray of int64
        Union-find, changed in place; ``parent[i] <= i`` always holds.
    """
    above, above_end, i, n = 0, 0, 0, len(row)
    while i < n:
        end = i + 1
        while end < n and row[end] == row[i]:
            if first[end] == last[end - 1] + 1:  # one run cut by a vertical seam
                _unite(parent, node[end - 1], node[end])
            end += 1
        if above_end > above and row[above] == row[i] - 1:
            a = above
            for b in range(i, end):
                while a < above_end and last[a] + reach < first[b]:
                    a += 1
                k = a
                while k < above_end and first[k] <= last[b] + reach:
                    _unite(parent, node[k], node[b])
                    k += 1
        above, above_end, i = i, end, end


@kernel
def number_roots(parent: NDArray[np.int64], label: NDArray[np.int64]) -> int:
    """Write labels 0, 1, … in the order of each set's smallest node; return how many."""
    count = 0
    for i in range(len(parent)):
        if parent[i] == i:
            label[i] = count
            count += 1
        else:
            label[i] = label[parent[i]]
    return count


@kernel
def run_statistics(
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    comp: NDArray[np.int64],
    score: NDArray[np.uint16],
    strong: NDArray[np.bool_],
    row0: int,
    col0: int,
    sums: NDArray[np.int64],
    box: NDArray[np.int64],
) -> None:
    """Add up what lies under the runs of each component.

    Parameters
    ----------
    row, first, last, comp : ndarray of int64, shape (n,)
        Runs and the component of each.
    score, strong : ndarray of uint16 and bool, shape (y, x)
        Rasters whose north-west pixel is (row0, col0).
    sums : ndarray of int64, shape (components, 3)
        Written, zero before: pixels, strong pixels, sum of scores.
    box : ndarray of int64, shape (components, 4)
        Written: first and last row, first and last column. Before: large, small, large, small.
    """
    for i in range(len(row)):
        c, r = comp[i], row[i] - row0
        sums[c, 0] += last[i] - first[i] + 1
        for x in range(first[i] - col0, last[i] - col0 + 1):
            sums[c, 1] += strong[r, x]
            sums[c, 2] += score[r, x]
        box[c, 0] = min(box[c, 0], row[i])
        box[c, 1] = max(box[c, 1], row[i])
        box[c, 2] = min(box[c, 2], first[i])
        box[c, 3] = max(box[c, 3], last[i])


@inner
def _mix(value: np.uint64) -> np.uint64:
    value += np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@inner
def pixel_hash(row: int, col: int, seed: int) -> np.uint64:
    """Return ``tiles.grid.splitmix64(row, col, seed)`` of one pixel."""
    return _mix(_mix(np.uint64(row) + np.uint64(seed)) + np.uint64(col))


@inner
def _worst(
    lo: int,
    hi: int,
    m_hash: NDArray[np.uint64],
    m_row: NDArray[np.int64],
    m_col: NDArray[np.int64],
) -> int:
    worst = lo
    for s in range(lo + 1, hi):
        if m_hash[s] > m_hash[worst] or (
            m_hash[s] == m_hash[worst] and (m_row[s], m_col[s]) > (m_row[worst], m_col[worst])
        ):
            worst = s
    return worst


@kernel
def bottom_members(
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    comp: NDArray[np.int64],
    slots: NDArray[np.int64],
    seed: int,
    m_row: NDArray[np.int64],
    m_col: NDArray[np.int64],
    m_hash: NDArray[np.uint64],
) -> None:
    """Keep the pixels with the smallest hash of each component, ties to the smaller (row, col).

    Parameters
    ----------
    row, first, last, comp : ndarray of int64, shape (n,)
        Runs sorted by (row, first) and the component of each.
    slots : ndarray of int64, shape (components + 1,)
        Component c fills slots ``slots[c]:slots[c + 1]``; it has at least that many pixels.
    seed : int
        Seed of the hash.
    m_row, m_col, m_hash : ndarray of int64, int64, uint64, shape (slots[-1],)
        Written; the order within a component is not defined.
    """
    free = slots[:-1].copy()
    worst = slots[:-1].copy()
    for i in range(len(row)):
        c = comp[i]
        for col in range(first[i], last[i] + 1):
            value = pixel_hash(row[i], col, seed)
            if free[c] < slots[c + 1]:
                slot = free[c]
                free[c] += 1
            elif value < m_hash[worst[c]]:  # pixels come in (row, col) order: a tie is worse
                slot = worst[c]
            else:
                continue
            m_row[slot], m_col[slot], m_hash[slot] = row[i], col, value
            if free[c] == slots[c + 1]:
                worst[c] = _worst(slots[c], slots[c + 1], m_hash, m_row, m_col)
