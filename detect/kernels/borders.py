"""How long the border between neighbouring parts is, found on runs."""

import numpy as np
from numpy.typing import NDArray

from tiles.compiled import kernel

__all__ = ["border_lengths"]


@kernel
def border_lengths(
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    part: NDArray[np.int64],
    reach: int,
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    length: NDArray[np.int64],
    inner: NDArray[np.int64],
) -> int:
    """Write the pieces of border between runs of different parts; return how many.

    Parameters
    ----------
    row, first, last : ndarray of int64, shape (n,)
        Runs sorted by (row, first), not overlapping.
    part : ndarray of int64, shape (n,)
        Part of each run.
    reach : int
        0: parts must share an edge; 1: they may also meet at a corner, a border of length 0.
    one, other, length : ndarray of int64, shape (6 n,)
        Written: the two parts and the pixel edges they share.
    inner : ndarray of int64, shape (parts,)
        Added to: edges between pixels of one part that lie in neighbouring runs.
    """
    above, above_end, i, n, count = 0, 0, 0, len(row), 0
    while i < n:
        end = i + 1
        while end < n and row[end] == row[i]:
            if first[end] == last[end - 1] + 1:
                if part[end] == part[end - 1]:
                    inner[part[end]] += 1
                else:
                    one[count], other[count], length[count] = part[end - 1], part[end], 1
                    count += 1
            end += 1
        if above_end > above and row[above] == row[i] - 1:
            a = above
            for b in range(i, end):
                while a < above_end and last[a] + reach < first[b]:
                    a += 1
                k = a
                while k < above_end and first[k] <= last[b] + reach:
                    shared = max(min(last[k], last[b]) - max(first[k], first[b]) + 1, 0)
                    if part[k] == part[b]:
                        inner[part[b]] += shared
                    else:
                        one[count], other[count], length[count] = part[k], part[b], shared
                        count += 1
                    k += 1
        above, above_end, i = i, end, end
    return count
