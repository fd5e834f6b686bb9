"""Patches on the map of a report: one by one, or cell by cell where there are too many to tell."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from clues.outputs.reportmodel import MapPatch, Ring
from clues.outputs.tables import ClueTables
from clues.ways import PURSUED

__all__ = ["crowded", "map_patches", "rings_in"]

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
    return map_patches(patches.iloc[shown], shapes[shown], bounds, ranks)


def map_patches(
    patches: Any, shapes: Any, bounds: Bounds, ranks: Mapping[str, int]
) -> tuple[MapPatch, ...]:
    """Return patches as a map shows them, with the outlines given for them."""
    columns = (patches[n].tolist() for n in ("clue_no", "patch_id", "outcome"))
    return tuple(
        MapPatch(clue or patch, outcome, rings, ranks.get(patch, 0))
        for clue, patch, outcome, rings in zip(*columns, rings_in(shapes, bounds), strict=True)
    )


def rings_in(shapes: Any, bounds: Bounds) -> list[tuple[Ring, ...]]:
    """Return the rings of each outline in shares of a frame, from its north-west corner."""
    west, south, east, north = bounds
    parts, shape = shapely.get_parts(shapes, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    xs = (xy[:, 0] - west) / (east - west)
    ys = (north - xy[:, 1]) / (north - south)
    points = list(zip(xs.tolist(), ys.tolist(), strict=True))
    ends = np.searchsorted(ring, np.arange(len(rings) + 1)).tolist()
    found = [tuple(points[a:b]) for a, b in pairwise(ends)]
    ends = np.searchsorted(shape[part], np.arange(len(shapes) + 1)).tolist()
    return [tuple(found[a:b]) for a, b in pairwise(ends)]
