"""Which pixels of a tile could be observed at both dates, as runs in global pixels."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from detect.kernels.runs import count_runs, extract_runs
from tiles.files import atomic_path
from tiles.grid import Extent

__all__ = ["Runs", "hidden_boxes", "load_valid_runs", "mask_runs", "save_valid_runs"]

Runs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Row, first column, last column (inclusive), sorted by (row, first)."""

IMAGED = "imaged_"
"""Beginning of the names of what could be observed, where that is more than what is worked."""


def mask_runs(mask: NDArray[np.bool_], extent: Extent) -> Runs:
    """Return row, first and last column of the runs of a mask (y, x) that covers `extent`."""
    mask = np.ascontiguousarray(mask)
    row, first, last = (np.empty(count_runs(mask), np.int64) for _ in range(3))
    extract_runs(mask, extent.row0, extent.col0, row, first, last)
    return row, first, last


def save_valid_runs(
    path: Path, valid: NDArray[np.bool_], extent: Extent, imaged: NDArray[np.bool_]
) -> None:
    """Write the runs of the pixels of a tile that were worked, and of all that could be observed.

    Parameters
    ----------
    path : Path
        Written atomically.
    valid : ndarray of bool, shape of `extent`
        Usable at both dates, of the area that is worked.
    extent : Extent
    imaged : ndarray of bool, shape of `extent`
        Usable at both dates, whether of that area or not.
    """
    names = ("row", "first", "last")
    arrays = dict(zip(names, mask_runs(valid, extent), strict=True))
    if (imaged != valid).any():
        runs = mask_runs(imaged, extent)
        arrays |= {f"{IMAGED}{n}": a for n, a in zip(names, runs, strict=True)}
    with atomic_path(path) as part, part.open("wb") as handle:
        np.savez(handle, allow_pickle=False, **arrays)


def load_valid_runs(paths: Iterable[Path], *, imaged: bool = False) -> Runs:
    """Return the runs of many tiles together, sorted by (row, first).

    Parameters
    ----------
    paths : iterable of Path
    imaged : bool
        Those of all pixels that could be observed, also outside the area that is worked.
    """
    parts = []
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as npz:
                kind = IMAGED if imaged and f"{IMAGED}row" in npz else ""
                parts.append(tuple(npz[f"{kind}{n}"] for n in ("row", "first", "last")))
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"the observed pixels of a tile cannot be read ({error})",
                str(path),
                "delete the file and run the same command again",
            ) from error
    row, first, last = (np.concatenate([p[i] for p in parts]) for i in range(3))
    order = np.lexsort((first, row))
    return row[order], first[order], last[order]


def hidden_boxes(valid: Runs, extent: Extent) -> NDArray[np.int64]:
    """Return boxes that cover the pixels of an extent that no run covers, each pixel once.

    Parameters
    ----------
    valid : Runs
        Sorted by (row, first); inside the extent, not overlapping.
    extent : Extent

    Returns
    -------
    ndarray of int64, shape (n, 4)
        First row and column, and the row and column behind the last.
    """
    rows = np.arange(extent.row0, extent.row1)
    # A gap lies between the border and a run, and behind every run up to the next or the border.
    row = np.concatenate([rows, valid[0]])
    start = np.concatenate([np.full(rows.size, extent.col0), valid[2] + 1])
    order = np.lexsort((start, row))
    row, start = row[order], start[order]
    run_starts = np.concatenate([valid[1], np.full(rows.size, extent.col1)])
    run_rows = np.concatenate([valid[0], rows])
    nexts = run_starts[np.lexsort((run_starts, run_rows))]
    gap = nexts > start
    row, start, nexts = row[gap], start[gap], nexts[gap]
    order = np.lexsort((row, nexts, start))
    row, start, nexts = row[order], start[order], nexts[order]
    new = np.ones(row.size, np.bool_)
    same = (start[1:] == start[:-1]) & (nexts[1:] == nexts[:-1]) & (row[1:] == row[:-1] + 1)
    new[1:] = ~same
    first = np.flatnonzero(new)
    last = np.append(first[1:], row.size) - 1 if row.size else first
    boxes = np.column_stack([row[first], start[first], row[last] + 1, nexts[first]])
    return boxes[np.lexsort((boxes[:, 1], boxes[:, 0]))].astype(np.int64)
