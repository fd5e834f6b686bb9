"""What a run could not see: ``quality/unseen.gpkg`` and ``quality/observed.csv``."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from clues.observed import observed_areas, write_observed
from clues.unseen import ROLES_READ, TILE, NextScene, unseen_parts, write_unseen
from detect.valid_runs import Runs, hidden_boxes, load_valid_runs
from flows.plan import with_settings
from flows.tiling import TILE_FOLDER, worked_tiles
from tiles.catalog import load_catalog

if TYPE_CHECKING:
    from clues.layers import OneMap
    from flows.stages import StageContext

__all__ = ["Unseen"]


@dataclass
class Unseen:
    """The unseen ground of a run, worked out once for all that is written about it.

    Attributes
    ----------
    context : StageContext
    """

    context: "StageContext"

    def publish_parts(self, path: Path) -> None:
        """Write what was not observed at both dates, as a whole and per cropland and red line.

        Each part comes with the next usable scene where the config names a catalogue. Tiles that
        were given up follow by name.
        """
        crs = self.context.plan.grid.crs
        parts = unseen_parts(self._hidden, self._onemap, crs, self._given_up)
        hidden = parts.geometry[parts["role"] != TILE].to_numpy()
        write_unseen(parts, path, self._next_scenes(hidden))

    def publish_shares(self, path: Path) -> list[dict[str, Any]]:
        """Write how much of the county and of each division was observed; return the rows."""
        plan, area = self.context.plan, self.context.config.area
        rows = observed_areas(
            self._hidden,
            shapely.box(*plan.grid.bounds(plan.extent)),
            aoi=shapely.from_wkb(plan.aoi) if plan.aoi is not None else None,
            onemap=self._onemap,
            county=(area.county_code, area.county_name),
            crs=plan.grid.crs,
        )
        write_observed(rows, path)
        return [row.to_dict() for row in rows]

    @property
    def _given_up(self) -> dict[str, Any]:
        """Ground of the tiles that could not be worked, by name."""
        context = self.context
        plan, tiles = context.plan, context.plan.tiles(context.options.tile)
        bounds = {t.name: plan.grid.bounds(t.extent) for t in tiles if t.name in context.given_up}
        return {name: shapely.box(*bounds[name]) for name in context.given_up}

    @cached_property
    def _onemap(self) -> "OneMap | None":
        from clues.layers import read_onemap

        layers = self.context.config.layers
        needed = {"division", *(ROLES_READ if len(self._hidden) else ())}
        crs = self.context.plan.grid.crs
        return read_onemap(layers, crs=crs, only=needed) if layers else None

    @cached_property
    def _observed(self) -> Runs:
        """Runs of the pixels that were observed, also those that a border leaves outside.

        The ground of a pixel on the border is told by its image, whichever side its centre is on.
        """
        folder = self.context.run.path(TILE_FOLDER, str(self.context.options.tile))
        tiles = worked_tiles(self.context)
        return load_valid_runs((folder / f"{t.name}.valid.npz" for t in tiles), imaged=True)

    @property
    def seen(self) -> Any:
        """Ground that was observed at both dates: inside the area of interest, in the images."""
        plan = self.context.plan
        whole = shapely.box(*plan.grid.bounds(plan.extent))
        if plan.aoi is not None:
            whole = shapely.intersection(whole, shapely.from_wkb(plan.aoi))
        return shapely.difference(whole, shapely.union_all(self._hidden))

    @cached_property
    def _hidden(self) -> NDArray[np.object_]:
        """Polygons that were not observed: inside the area of interest, else inside the images."""
        plan = self.context.plan
        boxes = hidden_boxes(self._observed, plan.extent)
        west, north = plan.grid.xy(boxes[:, 0], boxes[:, 1])
        east, south = plan.grid.xy(boxes[:, 2], boxes[:, 3])
        whole = shapely.union_all(shapely.box(west, south, east, north))
        if plan.aoi is not None:
            area = shapely.from_wkb(plan.aoi)
            imaged = shapely.box(*plan.grid.bounds(plan.extent))
            beyond = shapely.difference(area, imaged)
            whole = shapely.union(shapely.intersection(whole, area), beyond)
        parts = shapely.get_parts(shapely.normalize(whole))
        return np.asarray(parts[shapely.get_type_id(parts) == 3], object)

    def _next_scenes(self, parts: NDArray[np.object_]) -> "Sequence[NextScene | None] | None":
        from flows.nextscenes import Search, next_scenes

        plan, config = self.context.plan, self.context.config
        if config.catalog is None or plan.after.civil_to is None:
            return None
        search = Search(
            plan.grid,
            self._observed,
            plan.after.civil_to,
            config.area.time_zone,
            partial(with_settings, config=config),
        )
        return next_scenes(load_catalog(config.catalog), parts, search)
