"""Small holes of components, found on runs: which gaps between runs are to be filled."""

import numpy as np
from numpy.typing import NDArray

from detect.kernels.runs import link_runs, number_roots

__all__ = ["gaps_to_fill"]

FAR = 1 << 62
"""A column beyond every grid."""


def gaps_to_fill(
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    comp: NDArray[np.int64],
    connectivity: int,
    hole_px: int,
) -> NDArray[np.int64]:
    """Return the runs whose gap to the run at their left belongs to a small hole.

    A hole is a set of pixels outside all runs that hang together by the dual connectivity and do
    not reach the outside. Its surroundings are one component; what else it touches are islands.
    Each island has a gap at its left, so looking at the two runs beside every gap finds them all.

    Parameters
    ----------
    row, first, last, comp : ndarray of int64, shape (n,)
        Runs sorted by (row, first), not touching within a row, and their components.
    connectivity : {4, 8}
        Of the components; holes have the other one.
    hole_px : int
        Most pixels of a hole to fill. Holes with an island are never filled.

    Returns
    -------
    ndarray of int64
        Indices of runs, ascending.
    """
    if hole_px < 1 or len(row) < 2:
        return np.empty(0, np.int64)
    label, count = _label_background(row, first, last, connectivity)
    inner = np.flatnonzero(label >= 0)
    gap = label[inner]
    size, least, most = np.zeros(count, np.int64), np.full(count, FAR), np.full(count, -1)
    np.add.at(size, gap, first[inner] - last[inner - 1] - 1)
    for beside in (comp[inner - 1], comp[inner]):
        np.minimum.at(least, gap, beside)
        np.maximum.at(most, gap, beside)
    small = (size <= hole_px) & (least == most)
    small[0] = False  # the outside
    return np.asarray(inner[small[gap]])


def _label_background(
    row: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64], connectivity: int
) -> tuple[NDArray[np.int64], int]:
    """Label the gap at the left of each run by dual connectivity.

    Label 0 reaches the outside, −1 stands at the first run of a row. The two ends of every row
    and the empty rows beside are runs of the outside, node 0; other gaps are the node of their
    run, which is never the first.
    """
    n = len(row)
    begins = np.ones(n, bool)
    begins[1:] = row[1:] != row[:-1]
    starts = np.flatnonzero(begins)
    rows, row_end = row[starts], last[np.append(starts[1:], n) - 1]
    empty = np.setdiff1d(np.union1d(rows - 1, rows + 1), rows)
    left = np.where(begins, -FAR, np.append(-FAR, last[:-1] + 1))
    g_row = np.concatenate([row, rows, empty])
    g_first = np.concatenate([left, row_end + 1, np.full(len(empty), -FAR)])
    g_last = np.concatenate([first - 1, np.full(len(rows) + len(empty), FAR)])
    node = np.zeros(len(g_row), np.int64)
    node[:n] = np.where(begins, 0, np.arange(n))
    order = np.lexsort((g_first, g_row))
    parent, label = np.arange(n), np.empty(n, np.int64)
    link_runs(
        g_row[order], g_first[order], g_last[order], node[order], int(connectivity == 4), parent
    )
    count = number_roots(parent, label)
    return np.where(begins, -1, label), count
