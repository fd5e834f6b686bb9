"""The join stage: tile products to patches with a change type, and the change raster."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.components import Components, join
from detect.cover_runs import cover_batches
from detect.parts import Parts, PartTable, find_parts, split
from detect.patches import (
    PaintRuns,
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
from flows.opening import Opening
from flows.tilejob import States, TileJob
from flows.tiling import tile_job, worked_tiles
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


@dataclass(frozen=True)
class _Joined:
    """What one county, or a run that knows none, joined into."""

    components: Components
    patches: "gpd.GeoDataFrame"
    too_small: dict[str, tuple[int, int]]


def join_tiles(context: "StageContext") -> tuple[list[Path], dict[str, Any]]:
    """Join the tiles, trace and classify the patches, paint the change raster.

    Returns
    -------
    files, values
        For the manifest.
    """
    states = States.load(context.run.path(STATE_FOLDER))
    job, area = tile_job(context), context.config.area
    counties = [(c.code, c.code, c.name) for c in job.counties.own] if job.counties else []
    alone = [("", area.county_code, area.county_name)]
    found = [_joined(context, states, job, *named) for named in counties or alone]
    patches = _stacked([f.patches for f in found])
    if context.feedback is not None:
        limit = context.feedback.limit(context.config.feedback.sure_percent)
        patches = with_feedback(patches, context.feedback.state, limit)
    table = context.run.path("work", "patches.parquet")
    with atomic_path(table) as part:
        patches.to_parquet(part, index=False)
    valid = load_valid_runs(job.paths(tile)[-1] for tile in worked_tiles(context))
    raster = _paint(context, found, valid, states)
    too_small: dict[str, list[int]] = {}
    for code, sizes in (pair for f in found for pair in f.too_small.items()):
        kept = too_small.setdefault(code, [0, 0])
        too_small[code] = [a + b for a, b in zip(kept, sizes, strict=True)]
    values = {
        "patches": len(patches),
        "changed_pixels": sum(int(f.components.stats.pixels.sum()) for f in found),
        "observed_pixels": int((valid[2] - valid[1] + 1).sum()),
        "noise_pixels": sum(f.components.noise_pixels for f in found),
        "noise_components": sum(f.components.noise_components for f in found),
        "too_small": {
            code: {"patches": count, "pixels": pixels}
            for code, (count, pixels) in sorted(too_small.items())
        },
    }
    return [table, raster], values


def _joined(
    context: "StageContext", states: States, job: TileJob, part: str, code: str, name: str
) -> _Joined:
    """Join what the tiles found of one county (`part` is its code; "" where there are none)."""
    detection, large_px = context.config.detection, job.large_px
    tiles = worked_tiles(context)
    paths = [p for tile in tiles if (p := job.runs_path(tile, part)) in job.paths(tile)]
    components = join(
        (TileRuns.load(path) for path in paths),
        connectivity=detection.connectivity,
        min_strong=detection.min_strong_px,
        floor_px=detection.floor_px,
        hole_px=detection.hole_px,
        large_px=large_px,
    )
    components = in_parts(components, states.landcover, large_px)
    patches = _patches(context, components, states, (code, name))
    large = large_enough(patches, detection.least_area_m2)
    small = patches.loc[~large].groupby("change_type")["n_pixels"].agg(["size", "sum"])
    return _Joined(
        components.take(large),
        patches[large].reset_index(drop=True),
        {str(kind): (int(count), int(pixels)) for kind, count, pixels in small.itertuples()},
    )


def _stacked(tables: "list[gpd.GeoDataFrame]") -> "gpd.GeoDataFrame":
    """Return the patches of all counties, in the order of their codes."""
    import pandas as pd

    full = [t for t in tables if len(t)]
    return full[0] if len(full) == 1 else pd.concat(full or tables[:1], ignore_index=True)


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
    kinds, least = change_kinds(state.classes), max(1, large // 2)
    found = [
        PartTable.of(components, _settled(find_parts(components, kinds, least, chosen), state))
        for chosen in cover_batches(components.covers)
    ]
    return split(components, PartTable.concatenate(found)) if found else components


def _settled(parts: Parts, state: LandcoverState) -> Parts:
    """Return the parts united until their types differ and each type is likely."""
    while True:
        found = classify(parts.votes, state.classes, certainty=state.certainty)
        kinds = found["change_type"].astype("category").cat.codes.to_numpy()
        united = parts.united(kinds, doubtful=found["confidence"].to_numpy() < LIKELY)
        if len(united) == len(parts):
            return parts
        parts = united


def _patches(
    context: "StageContext", components: Components, states: States, county: tuple[str, str]
) -> "gpd.GeoDataFrame":
    plan = context.plan
    patches = patch_table(
        components,
        plan.grid,
        before=(plan.before.civil_from, plan.before.civil_to),
        after=(plan.after.civil_from, plan.after.civil_to),
        county_code=county[0],
        county_name=county[1],
        smooth=context.config.detection.smooth_outlines,
    )
    if states.marks.is_there and (series := Opening.of(context.run.folder).series):
        from flows.seriesmarks import dated

        patches = dated(patches, components, Path(series), plan)
    if not states.landcover.is_known or not len(patches):
        return patches
    changes = np.abs(np.stack(list(index_changes_of(components).values())))
    shapes = shape_facts(patches).assign(
        smooth_share=smooth_shares(components), index_change=changes.max(axis=0)
    )
    landcover = states.landcover
    classes = classify(components.votes, landcover.classes, shapes, certainty=landcover.certainty)
    return with_classes(patches, classes)


def _paint(context: "StageContext", found: list[_Joined], valid: Runs, states: States) -> Path:
    target = context.run.path("change.tif")
    plan = context.plan
    runs = [paint_runs(f.components, paint_values(f.patches)) for f in found]
    row, first, last = (np.concatenate([r[i] for r in runs]) for i in range(3))
    value, order = np.concatenate([r.value for r in runs]), np.lexsort((first, row))
    write_runs(
        target,
        plan.grid,
        plan.extent,
        PaintRuns(row[order], first[order], last[order], value[order]),
        valid,
        tags={
            "TUBAN_VALUES": "0 nodata, 1 no change, 2 and more: change type",
            "TUBAN_STATE": states.hash,
            "TUBAN_CONFIG": context.config_digest(),
            "TUBAN_ATTRIBUTION": "; ".join(plan.attribution),
        },
    )
    return target
