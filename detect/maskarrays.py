"""From scores to a change map on xarray, as the run does it: two thresholds, edges, components.

The masks are lazy. A component is strong or not as a whole and may run through the whole scene, so
the map is worked at once, tile after tile: in memory are the pixels of one tile, the runs of what
may have changed, and the map.
"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs.runparts import DetectionSettings
from configs.vocabulary import change_type
from detect.components import Components, join
from detect.dataarrays import apply_pair, pair_block, require_pair, scores_of
from detect.score import ChangeState, score_block
from detect.tile_runs import TileRuns, label_tile
from tiles.grid import Extent

if TYPE_CHECKING:
    import xarray

__all__ = ["change_array", "mask_arrays"]

TILE = 1024
"""Side of the tiles of a map; any other gives the same map."""

NOT_OBSERVED, NO_CHANGE, CHANGE = 0, 1, 2


def mask_arrays(
    before: "xarray.DataArray", after: "xarray.DataArray", state: ChangeState
) -> "xarray.DataArray":
    """Tell where a pair may have changed and where it surely has; lazy where the images are.

    Parameters
    ----------
    before, after : DataArray of dims (band, y, x)
    state : ChangeState
        From `detect.dataarrays.fit_arrays`.

    Returns
    -------
    DataArray of bool, dims (plane, y, x)
        Planes ``weak`` and ``strong``: at or above the threshold, and inside the edge of a change
        where the method draws one.
    """
    return apply_pair(before, after, partial(_masks, state), np.bool_, state.halo, MASKS)


MASKS = ("weak", "strong")


def _masks(state: ChangeState, before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    scores = scores_of(state, before, after)
    return np.stack([scores.weak, scores.strong])


def change_array(
    before: "xarray.DataArray",
    after: "xarray.DataArray",
    state: ChangeState,
    settings: DetectionSettings | None = None,
) -> "xarray.DataArray":
    """Map the change of a pair as ``tuban detect`` does; not lazy.

    Parameters
    ----------
    before, after : DataArray of dims (band, y, x)
        In memory or on Dask; read tile by tile.
    state : ChangeState
        From `detect.dataarrays.fit_arrays`.
    settings : DetectionSettings, optional
        Connectivity, least components, holes and areas; by default those of a run.

    Returns
    -------
    DataArray of uint8, dims (y, x)
        0 not observed, 1 no change, 2 change: components of weak pixels that hold a strong one,
        with small holes filled, observed or not.
    """
    import xarray

    require_pair(before, after)
    chosen = settings or DetectionSettings()
    shape = before.sizes["y"], before.sizes["x"]
    seen = np.zeros(shape, np.bool_)
    found = join(
        _tiles((before, after), state, chosen, seen),
        connectivity=chosen.connectivity,
        min_strong=chosen.min_strong_px,
        floor_px=chosen.floor_px,
        hole_px=chosen.hole_px,
    )
    unknown = change_type("unknown")
    least = chosen.least_area_m2.get(unknown.code, unknown.least_m2)
    found = found.take(found.stats.pixels * state.pixel_m**2 >= least)
    values = np.where(seen, np.uint8(NO_CHANGE), np.uint8(NOT_OBSERVED))
    values[_inside(found, shape)] = CHANGE
    coords = {d: before[d] for d in ("y", "x") if d in before.coords}
    return xarray.DataArray(values, dims=("y", "x"), coords=coords)


def _tiles(
    pair: "tuple[xarray.DataArray, xarray.DataArray]",
    state: ChangeState,
    settings: DetectionSettings,
    seen: NDArray[np.bool_],
) -> Iterator[TileRuns]:
    """Yield the components of tile after tile; tell in `seen` what was observed."""
    import dask

    area = Extent(0, 0, *seen.shape)
    for row in range(0, area.row1, TILE):
        for col in range(0, area.col1, TILE):
            core = Extent(row, col, row + TILE, col + TILE).intersect(area)
            window = core.expand(state.halo).intersect(area)
            rows, cols = window.slices_in(area)
            read = [image[:, rows, cols].data for image in pair]
            one, two = dask.compute(*read)  # type: ignore[attr-defined, no-untyped-call]
            block = pair_block(one, two, window, core, state.halo)
            seen[core.slices_in(area)] = block.valid[block.core_slices]
            yield label_tile(
                score_block(block, state),
                core,
                area,
                connectivity=settings.connectivity,
                floor_px=settings.floor_px,
                members=1,
            )


def _inside(found: Components, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels of components."""
    steps = np.zeros(shape[0] * shape[1] + 1, np.int8)
    steps[found.row * shape[1] + found.first] += 1
    np.subtract.at(steps, found.row * shape[1] + found.last + 1, 1)
    return np.cumsum(steps[:-1], dtype=np.int8).reshape(shape).astype(np.bool_)
