"""Patches on the map of a report: one by one, or cell by cell where there are too many to tell."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely

from clues.outputs.reportmodel import MapPatch, Ring
from clues.outputs.tables import ClueTables
from clues.ways import PURSUED

__all__ = ["crowded", "rings_in"]

CELLS = 250
"""Cells along the longer side of a map: on a page they are smaller than a millimetre."""

Bounds = tuple[float, float, float, float]


def crowded(tables: ClueTables, bounds: Bounds, ranks: Mapping[str, int]) -> tuple[MapPatch, ...]:
    """Return what a map shows of very many patches.

    Patches of two cells and more, and those with a number, have their outline. Of the others a
    cell shows one square, of a clue before others: that of the first by number.
    """
    patches, (west, south, east, north) = tables.patches, bounds
    boxes = patches.geometry.bounds.to_numpy()
    cell = max(east - west, north - south) / CELLS
    own = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) >= 2 * cell
    own |= patches["patch_id"].isin(ranks).to_numpy()
    places = ((boxes[:, :2] + boxes[:, 2:]) / 2 - (west, south)) // cell
    quiet = ~patches["outcome"].isin(PURSUED).to_numpy()
    order = np.lexsort((np.arange(len(patches)), quiet, places[:, 0], places[:, 1], own))
    order = order[~own[order]]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (places[order][1:] != places[order][:-1]).any(axis=1)
    squares = np.sort(order[new])
    shapes = patches.geometry.to_numpy().copy()
    low = (west, south) + places[squares] * cell
    shapes[squares] = shapely.box(*low.T, *(low + cell).T)
    shown = np.union1d(np.flatnonzero(own), squares)
    columns = (patches[n].iloc[shown] for n in ("clue_no", "patch_id", "outcome"))
    return tuple(
        MapPatch(clue or patch, outcome, rings_in(shape, bounds), ranks.get(patch, 0))
        for clue, patch, outcome, shape in zip(*columns, shapes[shown], strict=True)
    )


def rings_in(shape: Any, bounds: Bounds) -> tuple[Ring, ...]:
    """Return the rings of an outline in shares of a frame, from its north-west corner."""
    west, south, east, north = bounds
    found = []
    for ring in shapely.get_rings(shapely.get_parts(shape)):
        points = shapely.get_coordinates(ring)
        xs = (points[:, 0] - west) / (east - west)
        ys = (north - points[:, 1]) / (north - south)
        found.append(tuple((float(x), float(y)) for x, y in zip(xs, ys, strict=True)))
    return tuple(found)
