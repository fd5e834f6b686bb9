"""The unseen ground of a run: from the runs of observed pixels to ``quality/unseen.gpkg``."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.unseen import unseen_parts, write_unseen
from detect.valid_runs import hidden_boxes, load_valid_runs
from flows.tiling import TILE_FOLDER

if TYPE_CHECKING:
    from flows.stages import StageContext

__all__ = ["publish_unseen"]


def publish_unseen(context: "StageContext", path: Path) -> None:
    """Write what was not observed at both dates, as a whole and per cropland and red line."""
    from clues.layers import read_onemap

    plan, layers = context.plan, context.config.layers
    onemap = read_onemap(layers, crs=plan.grid.crs) if layers is not None else None
    parts = unseen_parts(_hidden(context), onemap, plan.grid.crs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_unseen(parts, path)


def _hidden(context: "StageContext") -> NDArray[np.object_]:
    """Return the polygons of the pixels that were not observed, inside the area of interest."""
    plan, size = context.plan, context.options.tile
    folder = context.run.path(TILE_FOLDER, str(size))
    valid = load_valid_runs(folder / f"{tile.name}.valid.npz" for tile in plan.tiles(size))
    boxes = hidden_boxes(valid, plan.extent)
    west, north = plan.grid.xy(boxes[:, 0], boxes[:, 1])
    east, south = plan.grid.xy(boxes[:, 2], boxes[:, 3])
    whole = shapely.union_all(shapely.box(west, south, east, north))
    if plan.aoi is not None:
        whole = shapely.intersection(whole, shapely.from_wkb(plan.aoi))
    parts = shapely.get_parts(shapely.normalize(whole))
    return np.asarray(parts[shapely.get_type_id(parts) == 3], object)
