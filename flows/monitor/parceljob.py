"""What a worker does for the parcels of a monitor: their medians, date by date."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from flows.monitor.job import MonitorJob, load_found
from tiles.grid import AnalysisGrid, Extent
from tiles.labels import burn_labels

__all__ = ["GroupSeries", "ParcelGroup", "group_parcels", "read_group"]

GROUP_PX = 512
"""Parcels whose middle lies in the same square of so many pixels are read together."""


@dataclass(frozen=True)
class ParcelGroup:
    """Parcels that are read together.

    Attributes
    ----------
    name : str
        Tells groups apart, also by what they hold.
    numbers : tuple of int
        Places of the parcels in their table.
    shapes : tuple of bytes
        WKB in the CRS of the grid.
    extents : tuple of Extent
        Pixels that each parcel may hold.
    """

    name: str
    numbers: tuple[int, ...]
    shapes: tuple[bytes, ...]
    extents: tuple[Extent, ...]

    @property
    def extent(self) -> Extent:
        """Pixels of all."""
        rows0, cols0, rows1, cols1 = zip(
            *((e.row0, e.col0, e.row1, e.col1) for e in self.extents), strict=True
        )
        return Extent(min(rows0), min(cols0), max(rows1), max(cols1))


class GroupSeries(NamedTuple):
    """Medians and cloud-free shares (t, k); pixels, lost pixels and their first day (k,)."""

    median: NDArray[np.float32]
    share: NDArray[np.float32]
    pixels: NDArray[np.int64]
    lost: NDArray[np.int64]
    lost_since: NDArray[np.int64]


def group_parcels(shapes: Sequence[Any], grid: AnalysisGrid, area: Extent) -> list[ParcelGroup]:
    """Group parcels by place; those outside the area are in no group.

    Parameters
    ----------
    shapes : sequence of Polygon or MultiPolygon
        In the CRS of the grid.
    grid : AnalysisGrid
    area : Extent
        Pixels of the monitor.
    """
    squares: dict[tuple[int, int], list[tuple[int, bytes, Extent]]] = {}
    for number, shape in enumerate(shapes):
        whole = grid.extent_of(shape.bounds)
        extent = whole.intersect(area)
        if not extent.is_empty:
            row, col = (whole.row0 + whole.row1) // 2, (whole.col0 + whole.col1) // 2
            place = (row // GROUP_PX, col // GROUP_PX)
            squares.setdefault(place, []).append((number, shapely.to_wkb(shape), extent))
    groups = []
    for (row, col), members in sorted(squares.items()):
        numbers, wkb, extents = zip(*members, strict=True)
        digest = hashlib.sha256(b"".join(wkb)).hexdigest()[:8]
        groups.append(ParcelGroup(f"p{row:+05d}{col:+05d}-{digest}", numbers, wkb, extents))
    return groups


def read_group(job: MonitorJob, group: ParcelGroup) -> GroupSeries:
    """Return the series of a group of parcels.

    Parameters
    ----------
    job : MonitorJob
        Its dates are read; its draft holds what the tiles tell.
    group : ParcelGroup

    Raises
    ------
    RasterError
        If pixels cannot be read.
    """
    plan, extent, count = job.plan, group.extent, len(group.numbers)
    masks = []
    for shape, own in zip(group.shapes, group.extents, strict=True):
        burnt = burn_labels([shapely.from_wkb(shape)], np.ones(1, np.int64), plan.grid, own)
        masks.append((own.slices_in(extent), burnt == 1))
    pixels = np.array([mask.sum() for _, mask in masks], np.int64)
    median = np.full((len(job.days), count), np.nan, np.float32)
    share = np.zeros((len(job.days), count), np.float32)
    for number in range(len(job.days)):
        values, valid = job.values(number, extent)
        for k, (where, mask) in enumerate(masks):
            clear = values[0][where][mask & valid[where]]
            if len(clear):
                median[number, k] = np.median(clear)
                share[number, k] = len(clear) / pixels[k]
    confirmed, first_seen = _losses(job, extent)
    lost, since = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for k, (where, mask) in enumerate(masks):
        here = mask & confirmed[where]
        lost[k] = here.sum()
        since[k] = first_seen[where][here].min() if lost[k] else 0
    return GroupSeries(median, share, pixels, lost, since)


def _losses(job: MonitorJob, extent: Extent) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Return where a loss that counts is confirmed, and the day on which it was first seen."""
    confirmed = np.zeros(extent.shape, np.bool_)
    first_seen = np.zeros(extent.shape, np.int32)
    for tile in job.plan.tiles():
        part = tile.extent.intersect(extent)
        if part.is_empty:
            continue
        found = load_found(job.found_path(tile))
        there, here = part.slices_in(tile.extent), part.slices_in(extent)
        loss = found["magnitude"][there] <= -job.plan.drawn.least_change
        confirmed[here] = (found["confirmed"][there] > 0) & loss
        first_seen[here] = found["first_seen"][there]
    return confirmed, first_seen
