"""The join stage: tile products to patches with a change type, and the change raster."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.components import Components, join
from detect.parts import find_parts, split
from detect.patches import (
    index_changes_of,
    large_enough,
    paint_runs,
    paint_values,
    patch_table,
    shape_facts,
    smooth_shares,
    with_classes,
)
from detect.tile_runs import TileRuns
from detect.valid_runs import Runs, load_valid_runs
from flows.fitting import STATE_FOLDER
from flows.tilejob import States
from flows.tiling import TILE_FOLDER, large_px
from models.feedback import with_feedback
from models.fullcover import change_kinds
from models.landcover import LandcoverState, classify
from tiles.files import atomic_path
from tiles.writer import write_runs

if TYPE_CHECKING:
    import geopandas as gpd

    from flows.stages import StageContext

__all__ = ["in_parts", "join_tiles"]

LIKELY = 50
"""Confidence from which a part is a patch by itself: its type is rather right than wrong."""


def join_tiles(context: "StageContext") -> tuple[list[Path], dict[str, Any]]:
    """Join the tiles, trace and classify the patches, paint the change raster.

    Returns
    -------
    files, values
        For the manifest.
    """
    tiles = context.plan.tiles(context.options.tile)
    folder = context.run.path(TILE_FOLDER, str(context.options.tile))
    detection = context.config.detection
    components = join(
        (TileRuns.load(folder / f"{tile.name}.npz") for tile in tiles),
        connectivity=detection.connectivity,
        min_strong=detection.min_strong_px,
        floor_px=detection.floor_px,
        hole_px=detection.hole_px,
        large_px=large_px(context),
    )
    states = States.load(context.run.path(STATE_FOLDER))
    components = in_parts(components, states.landcover, large_px(context))
    patches = _patches(context, components, states)
    large = large_enough(patches, detection.least_area_m2)
    small = patches.loc[~large].groupby("change_type")["n_pixels"].agg(["size", "sum"])
    components, patches = components.take(large), patches[large].reset_index(drop=True)
    if context.feedback is not None:
        limit = round(10 * context.config.feedback.sure_percent)
        patches = with_feedback(patches, context.feedback.state, limit)
    table = context.run.path("work", "patches.parquet")
    with atomic_path(table) as part:
        patches.to_parquet(part, index=False)
    valid = load_valid_runs(folder / f"{tile.name}.valid.npz" for tile in tiles)
    raster = _paint(context, components, patches, valid, states)
    values = {
        "patches": len(patches),
        "changed_pixels": int(components.stats.pixels.sum()),
        "observed_pixels": int((valid[2] - valid[1] + 1).sum()),
        "noise_pixels": components.noise_pixels,
        "noise_components": components.noise_components,
        "too_small": {
            str(code): {"patches": int(count), "pixels": int(pixels)}
            for code, count, pixels in small.itertuples()
        },
    }
    return [table, raster], values


def in_parts(components: Components, state: LandcoverState, large: int) -> Components:
    """Return the components with large ones classified in full and split where their uses part.

    Parts that get the same change type in the end, seen as wholes, are one patch again, and a part
    whose type is not even likely stays with the neighbour it borders on most.

    Parameters
    ----------
    components : Components
        With the covers of the large ones.
    state : LandcoverState
    large : int
        Pixels from which a component is large; a part has half of them or more.
    """
    parts = find_parts(components, change_kinds(state.classes), max(1, large // 2))
    while len(parts):
        found = classify(parts.votes, state.classes, certainty=state.certainty)
        kinds = found["change_type"].astype("category").cat.codes.to_numpy()
        united = parts.united(kinds, doubtful=found["confidence"].to_numpy() < LIKELY)
        if len(united) == len(parts):
            break
        parts = united
    return split(components, parts)


def _patches(context: "StageContext", components: Components, states: States) -> "gpd.GeoDataFrame":
    plan, area = context.plan, context.config.area
    patches = patch_table(
        components,
        plan.grid,
        before=(plan.before.civil_from, plan.before.civil_to),
        after=(plan.after.civil_from, plan.after.civil_to),
        county_code=area.county_code,
        county_name=area.county_name,
        smooth=context.config.detection.smooth_outlines,
    )
    if not states.landcover.is_known or not len(patches):
        return patches
    changes = np.abs(np.stack(list(index_changes_of(components).values())))
    shapes = shape_facts(patches).assign(
        smooth_share=smooth_shares(components), index_change=changes.max(axis=0)
    )
    landcover = states.landcover
    classes = classify(components.votes, landcover.classes, shapes, certainty=landcover.certainty)
    return with_classes(patches, classes)


def _paint(
    context: "StageContext",
    components: Components,
    patches: "gpd.GeoDataFrame",
    valid: Runs,
    states: States,
) -> Path:
    target = context.run.path("change.tif")
    plan = context.plan
    write_runs(
        target,
        plan.grid,
        plan.extent,
        paint_runs(components, paint_values(patches)),
        valid,
        tags={
            "TUBAN_VALUES": "0 nodata, 1 no change, 2 and more: change type",
            "TUBAN_STATE": states.hash,
            "TUBAN_CONFIG": context.config.digest(),
            "TUBAN_ATTRIBUTION": "; ".join(plan.attribution),
        },
    )
    return target
