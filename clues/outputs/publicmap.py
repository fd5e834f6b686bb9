"""What a map for people outside tells: how many clues lie in the cells of one coarse grid.

The grid belongs to the run and not to the sheet, and sheets that cut divisions show whole cells:
laying sheets beside each other tells nothing finer than a cell.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.outputs.drawing import Paper
from clues.outputs.mapframe import Ink, MapFrame, outlines
from clues.outputs.mapparts import Bounds, Division, MapPart
from clues.outputs.tables import ClueTables
from tiles.geodesy import metres_per_unit

__all__ = ["PublicCells", "cell_inks", "cells_of", "division_count", "with_cells"]

COLOURS = ((1.0, 0.90, 0.65), (0.98, 0.68, 0.38), (0.85, 0.33, 0.20))
LEAST = (1, 3, 6)
"""From how many clues on a cell has each colour."""

EDGE = (0.4, 0.2, 0.1)


@dataclass(frozen=True)
class PublicCells:
    """The cells of a sheet.

    Attributes
    ----------
    corners : ndarray, shape (n, 2)
        South-western corners in the CRS of the run.
    counts : ndarray of int, shape (n,)
        Clues in each; none is empty.
    side : ndarray, shape (2,)
        Along x and y, in units of the CRS.
    """

    corners: NDArray[np.float64]
    counts: NDArray[np.int64]
    side: NDArray[np.float64]

    @cached_property
    def total(self) -> int:
        """Clues of the sheet."""
        return int(self.counts.sum())

    def draw(self, paper: Paper, frame: MapFrame) -> None:
        """Colour the cells by how many clues they hold."""
        for i, (_, ink) in enumerate(cell_inks()):
            most = (*LEAST[1:], np.inf)[i]
            chosen = (self.counts >= LEAST[i]) & (self.counts < most)
            low, high = self.corners[chosen], self.corners[chosen] + self.side
            squares = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
            outlines(paper, frame, squares, ink)


def cells_of(tables: ClueTables, part: MapPart, cell_m: float) -> PublicCells:
    """Return the cells of a part with clues.

    Parameters
    ----------
    tables : ClueTables
    part : MapPart
        Of whole divisions: its own clues count. Else: cells whose middle lies in it count whole.
    cell_m : float
    """
    points = _points(tables)
    west, south, east, north = tables.patches.total_bounds
    middle = ((west + east) / 2, (south + north) / 2)
    side = cell_m / np.array(metres_per_unit(tables.patches.crs.to_string(), *middle))
    places = shapely.get_coordinates(points)
    if part.shape is not None:
        shapely.prepare(part.shape)
        shown = points if part.whole else shapely.points((np.floor(places / side) + 0.5) * side)
        places = places[shapely.intersects(part.shape, shown)]
    cells, counts = np.unique(np.floor(places / side).astype(np.int64), axis=0, return_counts=True)
    return PublicCells(cells.reshape(-1, 2) * side, counts.astype(np.int64), side)


def with_cells(part: MapPart, cells: PublicCells) -> MapPart:
    """Return a part whose bounds hold all its cells."""
    if not len(cells.counts):
        return part
    low, high = cells.corners.min(axis=0), (cells.corners + cells.side).max(axis=0)
    west, south, east, north = part.bounds
    held: Bounds = (
        min(west, float(low[0])),
        min(south, float(low[1])),
        max(east, float(high[0])),
        max(north, float(high[1])),
    )
    return replace(part, bounds=held)


def division_count(tables: ClueTables, part: MapPart, division: Division) -> int | None:
    """Return the clues of a division that a part shows whole; None for all others.

    Numbers of cut divisions would let one sheet be taken from another.
    """
    if not part.whole:
        return None
    if part.shape is not None and not shapely.covered_by(division.shape, part.shape):
        return None
    return int(shapely.intersects(division.shape, _points(tables)).sum())


def cell_inks() -> list[tuple[str, Ink]]:
    """Return the names of the legend's words of cells and how each is drawn."""
    return [(f"cell{i}", Ink(EDGE, fill=fill, width=0.4)) for i, fill in enumerate(COLOURS)]


def _points(tables: ClueTables) -> NDArray[np.object_]:
    points: NDArray[np.object_] = shapely.point_on_surface(tables.clues.geometry.to_numpy())
    return points
