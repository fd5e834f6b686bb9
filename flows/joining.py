"""The join stage: tile products to patches with a change type, and the change raster.

Components are joined and split as a whole; patches are made of them, classified and written some
thousands at a time, so that their outlines are never all in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.components import Components, join
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
from flows.environment import give_back_memory
from flows.fitting import STATE_FOLDER
from flows.opening import Opening
from flows.patchfile import PatchFile
from flows.tilejob import States, TileJob
from flows.tiling import tile_job, worked_tiles
from models.feedback import with_feedback
from models.fullcover import change_kinds
from models.landcover import LandcoverState, classify
from tiles.files import atomic_path
from tiles.writer import write_runs

if TYPE_CHECKING:
    import geopandas as gpd

    from flows.seriesmarks import SeenDays
    from flows.stages import StageContext

__all__ = ["in_parts", "join_tiles"]

LIKELY = 50
"""Confidence from which a part is a patch by itself: its type is rather right than wrong."""


AT_ONCE = 20_000
"""Components whose patches are made and classified at a time."""


@dataclass
class _Joined:
    """What was joined so far: numbers, and the runs to paint of each county."""

    patches: int = 0
    changed_pixels: int = 0
    noise_pixels: int = 0
    noise_components: int = 0
    too_small: dict[str, tuple[int, int]] = field(default_factory=dict)
    painted: list[PaintRuns] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """Return the numbers for the manifest."""
        return {
            "patches": self.patches,
            "changed_pixels": self.changed_pixels,
            "noise_pixels": self.noise_pixels,
            "noise_components": self.noise_components,
            "too_small": {
                code: {"patches": count, "pixels": pixels}
                for code, (count, pixels) in sorted(self.too_small.items())
            },
        }

    def drop(self, small: "gpd.GeoDataFrame") -> None:
        """Count patches that are below the least size of their type."""
        sizes = small.groupby("change_type")["n_pixels"].agg(["size", "sum"])
        for code, count, pixels in sizes.itertuples():
            before = self.too_small.get(str(code), (0, 0))
            self.too_small[str(code)] = (before[0] + int(count), before[1] + int(pixels))


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
    found, table = _Joined(), context.run.path("work", "patches.parquet")
    with atomic_path(table) as part, PatchFile(part) as file:
        for code, *named in counties or [("", area.county_code, area.county_name)]:
            components = _joined(context, states, job, code)
            found.noise_pixels += components.noise_pixels
            found.noise_components += components.noise_components
            _write_patches(context, states, components, named, file, found)
            del components
            give_back_memory()
    valid = load_valid_runs(job.paths(tile)[-1] for tile in worked_tiles(context))
    raster = _paint(context, found.painted, valid, states)
    observed = int((valid[2] - valid[1] + 1).sum())
    return [table, raster], found.values() | {"observed_pixels": observed}


def _joined(context: "StageContext", states: States, job: TileJob, part: str) -> Components:
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
        scratch=context.run.path("work"),
    )
    give_back_memory()
    return in_parts(components, states.landcover, large_px)


def _write_patches(
    context: "StageContext",
    states: States,
    components: Components,
    county: Sequence[str | None],
    file: PatchFile,
    found: _Joined,
) -> None:
    """Write the patches of a county to the table, and keep what is painted of them."""
    days, least = _days_of(context, components, states), context.config.detection.least_area_m2
    values, at = np.zeros(len(components), np.uint8), 0
    for some in components.batches(AT_ONCE):
        patches = _patches(context, some, states, county)
        if days is not None:
            patches = days.dated(patches, at)
        patches = _classified(patches, some, states)
        large = large_enough(patches, least)
        found.drop(patches.loc[~large])
        patches = patches[large].reset_index(drop=True)
        values[at : at + len(some)][large] = paint_values(patches)
        file.add(_with_verdicts(context, patches))
        found.patches += len(patches)
        found.changed_pixels += int(patches["n_pixels"].sum())
        at += len(some)
        give_back_memory()
    found.painted.append(paint_runs(components, values))


def in_parts(components: Components, state: LandcoverState, large: int) -> Components:
    """Return the components with large ones classified in full and split where their uses part.

    Parts that get the same change type in the end, seen as wholes, are one patch again, and a part
    whose type is not even likely stays with the neighbour it borders on most.

    Parameters
    ----------
    components : Components
        With the covers and members of the large ones.
    state : LandcoverState
    large : int
        Pixels from which a component is large; a part has half of them or more.
    """
    found = list(_part_tables(components, state, large))
    return split(components, PartTable.concatenate(found)) if found else components


def _part_tables(components: Components, state: LandcoverState, large: int) -> Iterator[PartTable]:
    """Yield the parts of the large components, some of these at a time."""
    kinds, least = change_kinds(state.classes), max(1, large // 2)
    for covers, members in components.large.batches() if components.large else ():
        if len(covers):
            parts = _settled(find_parts(components, kinds, least, covers), state)
            yield PartTable.of(components, parts, members)


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
    context: "StageContext", components: Components, states: States, county: Sequence[str | None]
) -> "gpd.GeoDataFrame":
    plan = context.plan
    return patch_table(
        components,
        plan.grid,
        before=(plan.before.civil_from, plan.before.civil_to),
        after=(plan.after.civil_from, plan.after.civil_to),
        county_code=county[0],
        county_name=county[1],
        smooth=context.config.detection.smooth_outlines,
    )


def _days_of(context: "StageContext", components: Components, states: States) -> "SeenDays | None":
    """Return when a series saw the change of each component; None without a series."""
    if not states.marks.is_there or not (series := Opening.of(context.run.folder).series):
        return None
    from flows.seriesmarks import SeenDays

    return SeenDays.of(components, Path(series), context.plan)


def _classified(
    patches: "gpd.GeoDataFrame", components: Components, states: States
) -> "gpd.GeoDataFrame":
    if not states.landcover.is_known or not len(patches):
        return patches
    changes = np.abs(np.stack(list(index_changes_of(components).values())))
    shapes = shape_facts(patches).assign(
        smooth_share=smooth_shares(components), index_change=changes.max(axis=0)
    )
    landcover = states.landcover
    classes = classify(components.votes, landcover.classes, shapes, certainty=landcover.certainty)
    return with_classes(patches, classes)


def _with_verdicts(context: "StageContext", patches: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """Return the patches as the model of verdicts sees them, where the run has one."""
    if context.feedback is None:
        return patches
    limit = context.feedback.limit(context.config.feedback.sure_percent)
    return with_feedback(patches, context.feedback.state, limit)


def _paint(context: "StageContext", runs: list[PaintRuns], valid: Runs, states: States) -> Path:
    target = context.run.path("change.tif")
    plan = context.plan
    write_runs(
        target,
        plan.grid,
        plan.extent,
        _in_order(runs),
        valid,
        tags={
            "TUBAN_VALUES": "0 nodata, 1 no change, 2 and more: change type",
            "TUBAN_STATE": states.hash,
            "TUBAN_CONFIG": context.config_digest(),
            "TUBAN_ATTRIBUTION": "; ".join(plan.attribution),
        },
    )
    return target


def _in_order(counties: list[PaintRuns]) -> PaintRuns:
    """Return the runs of all counties, sorted by (row, first)."""
    if len(counties) == 1:
        return counties[0]
    row, first, last, value = (np.concatenate(column) for column in zip(*counties, strict=True))
    order = np.lexsort((first, row))
    return PaintRuns(row[order], first[order], last[order], value[order])
