"""The change statistics on xarray: fit on sample cells, then apply lazily, chunk by chunk.

For notebooks and for data that other libraries have read. An image is a DataArray of dims
``(band, y, x)``, in memory or on Dask, NaN where it may not be read; a coordinate ``wavelength``
(µm) on ``band`` tells what the bands are. Applying builds a graph and computes no pixel; the answer
does not depend on the chunks.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import InputError
from configs.indices import spectral_index
from detect.auto import Sensitivity, Target, fit_change
from detect.directions import vector_angles
from detect.indices import index_program
from detect.magnitudes import VectorState
from detect.methods import Threshold
from detect.programs import Program
from detect.score import ChangeState, Scores, halo_px, score_block
from tiles.block import Block
from tiles.grid import Extent, sample_cells

if TYPE_CHECKING:
    import xarray

__all__ = [
    "angle_arrays",
    "apply_pair",
    "fit_arrays",
    "index_arrays",
    "pair_block",
    "require_pair",
    "score_arrays",
    "scores_of",
]

DIMS = ("band", "y", "x")

LEAST_PIXEL_M = 0.01
"""No camera in the air or in orbit sees less: a smaller pixel is a mistake of unit."""

DEGREE_STEP = 0.1
"""Steps below this between coordinates within a circle are degrees where nothing tells their unit:
0.1° are 11 km, and 0.1 m around an origin of one's own is so rare that it can be said."""

Array = NDArray[Any]


def fit_arrays(
    before: "xarray.DataArray",
    after: "xarray.DataArray",
    *,
    method: str = "auto",
    sensitivity: Sensitivity = "medium",
    target: Target = "any",
    pixel_m: float | None = None,
    threshold: Threshold = "default",
    significance: float = 1e-3,
    looks: float | None = None,
    seed: int = 0,
) -> ChangeState:
    """Fit a change detector on sample cells of a pair; only these are computed.

    Parameters
    ----------
    before, after : DataArray of dims (band, y, x)
        Same bands, rows and columns.
    method, sensitivity, target, threshold, significance, looks
        As for `detect.auto.fit_change`.
    pixel_m : float, optional
        Ground size of a pixel in metres; default: the step of the coordinate ``x``, which must be
        in metres then.
    seed : int
        Of the sample cells.

    Returns
    -------
    ChangeState

    Raises
    ------
    InputError
        If the images do not match, or the pixel size is not known or in degrees.
    """
    import dask

    require_pair(before, after)
    size = _pixel_m(before, pixel_m)
    halo = halo_px(method, size)
    height, width = before.sizes["y"], before.sizes["x"]
    cells = sample_cells(Extent(0, 0, height, width), seed)
    windows = [cell.expand(halo).intersect(Extent(0, 0, height, width)) for cell in cells]
    read = [
        [image[:, w.row0 : w.row1, w.col0 : w.col1].data for image in (before, after)]
        for w in windows
    ]
    computed = dask.compute(*read)  # type: ignore[attr-defined, no-untyped-call]
    blocks = [
        pair_block(one, two, window, cell, halo)
        for (one, two), window, cell in zip(computed, windows, cells, strict=True)
    ]
    return fit_change(
        blocks,
        method=method,
        sensitivity=sensitivity,
        target=target,
        pixel_m=size,
        wavelengths=_wavelengths(before),
        threshold=threshold,
        significance=significance,
        looks=looks,
    )


def score_arrays(
    before: "xarray.DataArray", after: "xarray.DataArray", state: ChangeState
) -> "xarray.DataArray":
    """Score a pair; lazy where the images are.

    Parameters
    ----------
    before, after : DataArray of dims (band, y, x)
    state : ChangeState
        From `fit_arrays`.

    Returns
    -------
    DataArray of uint16, dims (y, x)
        10,000 is the strong threshold; 0 where a pixel is not valid.
    """
    return apply_pair(before, after, partial(_score, state), np.uint16, state.halo)


def angle_arrays(
    before: "xarray.DataArray",
    after: "xarray.DataArray",
    state: ChangeState,
    plane: tuple[int, int] | None = None,
) -> "xarray.DataArray":
    """Return the direction of the change vectors of a pair; lazy where the images are.

    Parameters
    ----------
    before, after : DataArray of dims (band, y, x)
    state : ChangeState
        From `fit_arrays` with the method ``cva``.
    plane : tuple of two int, optional
        As for `detect.directions.vector_angles`.

    Returns
    -------
    DataArray of float32, dims (y, x)
        Radians; NaN where a pixel is not valid.

    Raises
    ------
    InputError
        If the state has no change vector or the bands do not fit.
    """
    if state.vector is None:
        raise InputError(
            f"a state of the method {state.method!r} has no change vector",
            "angle_arrays(state)",
            "fit one with method='cva'",
        )
    return apply_pair(before, after, partial(_angles, state.vector, plane), np.float32, 0)


def index_arrays(
    before: "xarray.DataArray",
    after: "xarray.DataArray",
    names: Sequence[str],
    *,
    dates: Sequence[str] = ("change",),
    unit: float = 1.0,
    constants: Mapping[str, float] | None = None,
) -> "xarray.DataArray":
    """Compute any set of indices of a pair in one pass; lazy where the images are.

    Parameters
    ----------
    before, after : DataArray of dims (band, y, x)
    names : sequence of str
        Indices of the catalogue (`configs.indices`).
    dates : sequence of {"before", "after", "change"}
        What is wanted of each; ``change`` is after minus before.
    unit : float
        What reflectance one is in the images, 10,000 for example.
    constants : mapping of str to float, optional
        Constants other than the defaults.

    Returns
    -------
    DataArray of float32, dims (plane, y, x)
        Coordinate ``plane``: ``NAME date``. Valid are the finite pixels of a plane; the rest is
        NaN: a pixel that is not valid at both dates, or where this index is undefined. A
        quotient of 0 and 0 has no value, and any number in its place would enter means and
        thresholds as if it had been measured. Only detection, which needs a score
        everywhere, counts an undefined change as zero.

    Raises
    ------
    InputError
        If an index is not known, or a band or constant is missing.
    """
    indices = [spectral_index(name) for name in names]
    program = index_program(
        indices,
        _wavelengths(before),
        dates=dates,
        names=[str(b) for b in before.indexes.get("band", ())],
        unit=unit,
        given=constants,
    )
    planes = [f"{index.name} {date}" for index in indices for date in dates]
    return apply_pair(before, after, partial(_planes, program), np.float32, 0, planes)


def _score(state: ChangeState, before: Array, after: Array) -> Array:
    return scores_of(state, before, after).score


def scores_of(state: ChangeState, before: Array, after: Array) -> Scores:
    """Return the scores inside windows of both dates that reach the state's halo further."""
    halo = state.halo
    height, width = before.shape[1] - 2 * halo, before.shape[2] - 2 * halo
    window = Extent(-halo, -halo, height + halo, width + halo)
    return score_block(pair_block(before, after, window, Extent(0, 0, height, width), 0), state)


def _angles(
    state: VectorState, plane: tuple[int, int] | None, before: Array, after: Array
) -> Array:
    block = pair_block(before, after, Extent(0, 0, *before.shape[1:]), Extent(0, 0, 1, 1), 0)
    return np.where(block.valid, vector_angles(block, state, plane), np.float32(np.nan))


def _planes(program: Program, before: Array, after: Array) -> Array:
    block = pair_block(before, after, Extent(0, 0, *before.shape[1:]), Extent(0, 0, 1, 1), 0)
    return program.run(block.before, block.after, block.valid, fill=np.nan)


def pair_block(before: Array, after: Array, window: Extent, core: Extent, halo: int) -> Block:
    """Return a block of windows of both dates, with a rim of pixels that are not valid."""
    images = [np.asarray(i, np.float32) for i in (before, after)]
    valid = np.isfinite(images[0]).all(axis=0) & np.isfinite(images[1]).all(axis=0)
    reach = core.expand(halo) if halo else window
    rim = (
        (window.row0 - reach.row0, reach.row1 - window.row1),
        (window.col0 - reach.col0, reach.col1 - window.col1),
    )
    padded = [np.pad(np.where(valid, i, np.float32(0)), ((0, 0), *rim)) for i in images]
    use = np.pad(valid, rim)
    source = np.where(use, 0, 255).astype(np.uint8)
    names = tuple(f"band{k + 1}" for k in range(len(before)))
    return Block(reach, core, names, padded[0], padded[1], use, np.stack([source, source]))


def apply_pair(
    before: "xarray.DataArray",
    after: "xarray.DataArray",
    function: Callable[[Array, Array], Array],
    dtype: type[np.generic],
    halo: int,
    planes: Sequence[str] | None = None,
) -> "xarray.DataArray":
    """Apply a function of both dates, each with a halo, to a pair or to every chunk of it."""
    import xarray

    require_pair(before, after)
    images = [image.data.astype(np.float32) for image in (before, after)]
    if before.chunks is None and after.chunks is None:
        rim = ((0, 0), (halo, halo), (halo, halo))
        data = function(*(np.pad(i, rim, constant_values=np.nan) for i in images))
    else:
        data = _by_chunks(images, function, dtype, halo, planes)
    coords = {d: before[d] for d in ("y", "x") if d in before.coords}
    dims = ("y", "x") if planes is None else ("plane", "y", "x")
    return xarray.DataArray(
        data, dims=dims, coords=coords | ({} if planes is None else {"plane": list(planes)})
    )


def _by_chunks(
    images: Sequence[Any],
    function: Callable[[Array, Array], Array],
    dtype: type[np.generic],
    halo: int,
    planes: Sequence[str] | None,
) -> Any:
    from dask import array as da

    whole = da.asarray(images[0]).rechunk({0: -1})  # type: ignore[no-untyped-call]
    pair = [whole, da.asarray(images[1]).rechunk(whole.chunks)]  # type: ignore[no-untyped-call]
    depth = {0: 0, 1: halo, 2: halo}
    rim = {0: "none", 1: np.nan, 2: np.nan}
    reached = [da.overlap.overlap(i, depth, rim) for i in pair]  # type: ignore[no-untyped-call]
    chunks = tuple(tuple(n - 2 * halo for n in c) for c in reached[0].chunks[1:])
    lead = () if planes is None else ((len(planes),),)
    return da.map_blocks(  # type: ignore[no-untyped-call]
        function,
        *reached,
        dtype=dtype,
        chunks=lead + chunks,
        drop_axis=0 if planes is None else None,
        meta=np.empty((0,) * (2 + len(lead)), dtype),
    )


def require_pair(before: "xarray.DataArray", after: "xarray.DataArray") -> None:
    """Refuse two images that are not of the same bands and pixels."""
    for name, image in (("before", before), ("after", after)):
        if image.dims != DIMS:
            raise InputError(
                f"the image has the dims {image.dims}", name, f"transpose it to {DIMS}"
            )
    if before.shape != after.shape:
        raise InputError(
            f"the dates have the shapes {before.shape} and {after.shape}",
            "before, after",
            "bring both to the same bands and grid",
        )
    for axis in ("y", "x"):
        here, there = (image.indexes.get(axis) for image in (before, after))
        if here is not None and there is not None and not here.equals(there):
            raise InputError(
                f"the dates lie on other {axis} coordinates",
                "before, after",
                "bring both to the same grid",
            )


def _pixel_m(image: "xarray.DataArray", given: float | None) -> float:
    """Return the ground size of a pixel: what is given, else the step of a coordinate in metres.

    Degrees are refused rather than turned into metres: a pixel of them is no square on the ground,
    and every window of a statistic is one.
    """
    steps = np.abs(np.diff(image["x"].to_numpy())) if "x" in image.coords else np.zeros(0)
    if given is None and not steps.size:
        raise InputError(
            "the ground size of a pixel is not known",
            "before",
            "give pixel_m, or a coordinate x in metres",
        )
    size = float(steps.mean()) if given is None else given
    if given is None and _in_degrees(image, size):
        raise InputError(
            f"the coordinate x is in degrees, with a step of {size:g}",
            "before",
            "give pixel_m, the ground size of a pixel in metres, or bring both dates to a "
            "projected CRS",
        )
    if not size >= LEAST_PIXEL_M:
        raise InputError(
            f"pixels of {size:g} m are no imagery",
            "pixel_m" if given is not None else "before",
            f"give pixel_m in metres, at least {LEAST_PIXEL_M:g}",
        )
    return size


def _in_degrees(image: "xarray.DataArray", step: float) -> bool:
    """Return whether the CRS or the units say so, or else a small step within a circle."""
    grid = image.coords.get("spatial_ref")
    told = {} if grid is None else grid.attrs
    mapping, text = str(told.get("grid_mapping_name", "")), str(told.get("crs_wkt", ""))
    if mapping:
        return mapping == "latitude_longitude"
    if text:
        return text.startswith("GEOG")
    unit = str(image["x"].attrs.get("units", ""))
    if unit:
        return unit.startswith("degree")
    return step < DEGREE_STEP and bool((np.abs(image["x"].to_numpy()) <= 360).all())


def _wavelengths(image: "xarray.DataArray") -> list[float | None]:
    if "wavelength" not in image.coords:
        return [None] * image.sizes["band"]
    return [float(w) if np.isfinite(w) else None for w in image["wavelength"].to_numpy()]
