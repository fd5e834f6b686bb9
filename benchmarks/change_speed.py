"""Speed of the change statistics, of IR-MAD, of patches and of series, beside peers in one run.

Run ``python -m benchmarks.change_speed [--parts statistics irmad patches series threads]``. Prints
tables for RESULTS.md: CPU seconds first (medians of interleaved runs), wall seconds, peer ÷ own.
Peers that the project does not depend on live in folders of their own and are left out, with a word
in the table, where they are not named:

* ``--otb FOLDER``: Orfeo ToolBox 8.1 of Debian 12, unpacked and not installed::

      apt-get install --download-only -o Dir::Cache::archives=/tmp/otb/debs otb-bin
      for f in /tmp/otb/debs/*.deb; do dpkg -x $f /tmp/otb; done

* ``--nrt PYTHON``: the interpreter of an environment made by ``python -m venv /tmp/nrt`` and
  ``/tmp/nrt/bin/pip install nrt``.
"""

import argparse
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks import change_peers as peers
from benchmarks.measure import Task, Timing, bandwidth_gain, in_threads, interleaved, machine, table
from configs.indices import spectral_index
from detect import projections
from detect.components import join, label_tile
from detect.indices import index_program
from detect.magnitudes import fit_vector, vector_length
from detect.outlines import outlines
from detect.programs import Program
from detect.projections import fit_irmad, irmad_statistic
from detect.sample import affine_map
from detect.score import Scores
from detect.series import fit_series, update_series
from tiles.block import Block
from tiles.grid import AnalysisGrid, Extent

BANDS = 6
WAVELENGTHS = (0.49, 0.56, 0.665, 0.842, 1.61, 2.19)
GRID = AnalysisGrid("EPSG:32650", 10.0, 10.0)
ORIGIN = (-400_000, 40_000)
"""First row and column of the invented images: inside the zone of the grid's CRS."""

Image = NDArray[np.float32]


def invented_pair(side: int, seed: int = 1) -> tuple[Image, Image]:
    """Return two dates of correlated bands, the second in other light with 2 % changed."""
    rng = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(rng.normal(size=(3, side, side)), (0, 4, 4))
    fields /= fields.std(axis=(1, 2), keepdims=True)
    mixing = rng.normal(size=(BANDS, 3))
    before = 0.3 + 0.03 * np.einsum("bk,kyx->byx", mixing, fields)
    after = before * rng.uniform(0.8, 1.2, BANDS)[:, None, None] + 0.02
    changed = ndimage.gaussian_filter(rng.normal(size=(side, side)), 8)
    after[:, changed > np.quantile(changed, 0.98)] += 0.1
    noise = rng.normal(0, 0.01, (2, BANDS, side, side))
    return tuple(
        np.clip(i + n, 0.01, 1).astype(np.float32)
        for i, n in zip((before, after), noise, strict=True)
    )  # type: ignore[return-value]


def block_of(before: Image, after: Image) -> Block:
    extent = Extent(0, 0, *before.shape[1:])
    valid = np.ones(extent.shape, np.bool_)
    names = tuple(f"band{k + 1}" for k in range(len(before)))
    return Block(
        extent, extent, names, before, after, valid, np.zeros((2, *extent.shape), np.uint8)
    )


def pixels(image: Image) -> NDArray[np.float64]:
    return np.ascontiguousarray(image.reshape(len(image), -1).T, np.float64)


def row(name: str, own: Timing, other: Timing | None, goal: str) -> list[str]:
    """Return one row: task, CPU seconds of both, their ratio, wall seconds of both, goal."""
    if other is None:
        return [name, f"{own.cpu:.3f}", "–", "–", f"{own.wall:.3f}", "–", goal]
    figures = (f"{own.cpu:.3f}", f"{other.cpu:.3f}", f"**{other.cpu / own.cpu:.1f}**")
    wall = "–" if math.isnan(other.wall) else f"{other.wall:.3f}"
    return [name, *figures, f"{own.wall:.3f}", wall, goal]


HEAD = (
    "task and peer",
    "own CPU s",
    "peer CPU s",
    "peer ÷ own",
    "own wall s",
    "peer wall s",
    "goal",
)


def strips_of(before: Image, after: Image) -> list[Block]:
    """Cut a pair into eight blocks, each with arrays of its own as a reader makes them."""
    parts = (np.array_split(image, 8, axis=1) for image in (before, after))
    return [block_of(*(np.ascontiguousarray(p) for p in pair)) for pair in zip(*parts, strict=True)]


def index_changes_of() -> Program:
    return index_program([spectral_index(n) for n in ("NDVI", "NDBI")], WAVELENGTHS)


def compare_statistics(side: int, repeats: int) -> list[list[str]]:
    before, after = invented_pair(side)
    sample = [pixels(i[:, ::8, ::8]) for i in (before, after)]
    state, mad = fit_vector(*sample), fit_irmad(*sample)
    assert mad is not None
    program, strips = index_changes_of(), strips_of(before, after)

    def own() -> list[tuple[Image, ...]]:
        return [
            (
                program.run(b.before, b.after, b.valid),
                vector_length(b, state),
                irmad_statistic(b, mad),
            )
            for b in strips
        ]

    plain = lambda: peers.numpy_statistics(before, after, state, mad)  # noqa: E731
    mine = [np.concatenate(p, axis=-2) for p in zip(*own(), strict=True)]
    for here, there in zip(mine, plain(), strict=True):
        np.testing.assert_allclose(here, there, atol=2e-4, rtol=2e-4)
    found = interleaved({"own": own, "NumPy": plain}, repeats)
    name = f"dNDVI, dNDBI, CVA, IR-MAD χ², {side}² × {BANDS} bands; NumPy float32"
    return [row(name, found["own"], found["NumPy"], "≥ 3")]


def compare_irmad(
    side: int, repeats: int, otb: Path | None, iterations: int = 10
) -> list[list[str]]:
    before, after = invented_pair(side)
    flat = pixels(before), pixels(after)
    reference = peers.numpy_irmad(before, after, iterations)
    with fixed_passes(iterations):
        own_state = fit_irmad(*flat)
    assert own_state is not None
    np.testing.assert_allclose(own_state.correlations, reference, atol=1e-6)

    def own() -> None:
        with fixed_passes(iterations):
            fit_irmad(*flat)
            irmad_statistic(block_of(before, after), own_state)

    tasks: dict[str, Task] = {
        "own": own,
        "NumPy": lambda: peers.numpy_irmad(before, after, iterations),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if otb:
            images = [write_image(folder / f"{n}.tif", i) for n, i in (("1", before), ("2", after))]
            tasks["own pass"] = lambda: one_pass(*images, folder / "own.tif")
            tasks["OTB"] = lambda: peers.orfeo_mad(otb, *images, folder / "mad.tif")
        found = interleaved(tasks, repeats)
    name = f"IR-MAD, {iterations} iterations over all of {side}² × {BANDS}; NumPy float64"
    rows = [row(name, found["own"], found["NumPy"], "≥ 5")]
    name = f"MAD, one pass, {side}² × {BANDS}, file to file; Orfeo ToolBox 8.1"
    if otb:
        return [*rows, row(name, found["own pass"], found["OTB"], "≥ 1")]
    return [*rows, [f"{name}: left out, not installed", *["–"] * 5, "≥ 1"]]


@contextmanager
def fixed_passes(count: int) -> Iterator[None]:
    """Let every fit work as many iterations, converged or not, as its peer does."""
    kept = projections.ITERATIONS, projections.TOLERANCE
    projections.ITERATIONS, projections.TOLERANCE = count, -1.0
    try:
        yield
    finally:
        projections.ITERATIONS, projections.TOLERANCE = kept


def write_image(path: Path, image: Image) -> Path:
    profile = {"driver": "GTiff", "dtype": "float32", "count": len(image), "tiled": True}
    profile |= {"height": image.shape[1], "width": image.shape[2], "crs": GRID.crs}
    with rasterio.open(path, "w", **profile, transform=Affine(10, 0, 5e5, 0, -10, 4e6)) as raster:
        raster.write(image)
    return path


def one_pass(before: Path, after: Path, out: Path) -> None:
    """Read both dates, fit MAD on all pixels, write its variates, as the peer does."""
    images = []
    for path in (before, after):
        with rasterio.open(path) as raster:
            images.append(raster.read())
    flat = [pixels(i) for i in images]
    state = projections.fit_mad(*flat)
    assert state is not None
    variates = affine_map(
        np.hstack(flat), np.hstack([state.project_before, -state.project_after]), state.offset
    )
    write_image(out, variates.T.reshape(images[0].shape).astype(np.float32))


def masks(side: int) -> dict[str, NDArray[np.bool_]]:
    """Return a speckled mask, 6 % of it set, and a clean one."""
    rng = np.random.default_rng(5)
    field = ndimage.gaussian_filter(rng.standard_normal((side, side)), 2.5)
    plots = field > np.quantile(field, 0.96)
    large = ndimage.gaussian_filter(rng.standard_normal((side, side)), 20)
    return {
        "speckled": plots ^ (rng.random(plots.shape) < 0.02),
        "clean": large > np.quantile(large, 0.9),
    }


def own_patches(mask: NDArray[np.bool_], floor_px: int, smooth: bool = False) -> gpd.GeoDataFrame:
    """Label, drop small components, trace: the way of a run, with one tile."""
    extent = Extent(*ORIGIN, ORIGIN[0] + mask.shape[0], ORIGIN[1] + mask.shape[1])
    scores = Scores(mask.astype(np.uint16), mask, mask)
    tile = label_tile(scores, extent, extent, connectivity=4, floor_px=floor_px)
    found = join([tile], connectivity=4, floor_px=floor_px)
    return gpd.GeoDataFrame(geometry=outlines(found, GRID, smooth=smooth), crs=GRID.crs)


def compare_patches(side: int, repeats: int, floor_px: int = 4) -> list[list[str]]:
    west, north = GRID.xy(np.array([ORIGIN[0]]), np.array([ORIGIN[1]]))
    transform = Affine(10.0, 0.0, float(west[0]), 0.0, -10.0, float(north[0]))
    rows = []
    for kind, mask in masks(side).items():
        image = mask.astype(np.uint8)
        own = own_patches(mask, floor_px)
        other = peers.shapes_then_filter(image, floor_px, transform, GRID.crs)
        assert same_set(own, other)
        found = interleaved(
            {
                "own": lambda m=mask: own_patches(m, floor_px),  # type: ignore[misc]
                "smooth": lambda m=mask: own_patches(m, floor_px, True),  # type: ignore[misc]
                "sieve": lambda i=image: peers.sieve_then_shapes(i, floor_px, transform, GRID.crs),  # type: ignore[misc]
                "shapes": lambda i=image: peers.shapes_then_filter(
                    i, floor_px, transform, GRID.crs
                ),  # type: ignore[misc]
            },
            repeats,
        )
        best = min(("sieve", "shapes"), key=lambda n: found[n].cpu)
        name = f"{kind} mask of {side}², {len(own):,} patches; rasterio "
        name += "sieve → shapes" if best == "sieve" else "shapes → filter"
        goal = "≥ 2" if kind == "speckled" else "≥ 1"
        rows.append(row(name, found["own"], found[best], goal))
        rows.append(row("the same with smoothed outlines", found["smooth"], found[best], "–"))
    return rows


def same_set(one: gpd.GeoDataFrame, other: gpd.GeoDataFrame) -> bool:
    """Tell whether two tables hold the same outlines."""
    here, there = (
        set(shapely.to_wkb(shapely.normalize(t.geometry.to_numpy())).tolist()) for t in (one, other)
    )
    return here == there and len(here) == len(one)


def cube(side: int, dates: int = 157) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return days and an index series with season, noise, clouds and some breaks."""
    rng = np.random.default_rng(9)
    days = np.sort(rng.choice(np.arange(17_000, 17_000 + 5 * 365), dates, replace=False))
    year = 2 * np.pi * days / 365.25
    season = 0.5 + 0.2 * np.sin(year)[:, None, None]
    values = season + rng.normal(0, 0.03, (dates, side, side))
    values[-20:, : side // 10] -= 0.3
    values[rng.random(values.shape) < 0.3] = np.nan
    return days.astype(np.int64), values.astype(np.float32)


def compare_series(side: int, repeats: int, nrt: str | None) -> list[list[str]]:
    days, values = cube(side)
    valid = np.isfinite(values)
    filled = np.where(valid, values, 0)[:, None]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "cube.npz"
        np.savez(path, days=days, values=values)
        for method in ("ewma", "cusum", "mosum"):
            fit = lambda m=method: fit_series(days[:-1], filled[:-1], valid[:-1], method=m)  # noqa: E731
            state = fit()
            step = lambda s=state: update_series(s, int(days[-1]), filled[-1], valid[-1])  # noqa: E731
            found = interleaved({"fit": fit, "update": step}, repeats)
            seconds = peers.nrt_series(nrt, path, method, repeats) if nrt else []
            for k, part in enumerate(("fit", "update")):
                other = Timing.of(seconds[k::2]) if nrt else None
                name = f"{method.upper()} {part}, {side}² pixels, {len(days) - 1} dates; nrt 0.3"
                rows.append(row(name, found[part], other, "≥ 5"))
    return rows


def compare_threads(side: int, repeats: int) -> list[list[str]]:
    """Two threads against one, beside what two threads gain on a memory triad."""
    speed, gain = bandwidth_gain(repeats)
    before, after = invented_pair(side)
    flat = pixels(before), pixels(after)
    mad, vector = fit_irmad(*flat), fit_vector(*(f[::16] for f in flat))
    assert mad is not None
    days, values = cube(side // 4)
    valid = np.isfinite(values)
    filled = np.where(valid, values, 0)[:, None]
    rows_of = side // 4 // 8
    program, strips = index_changes_of(), strips_of(before, after)

    def series(k: int) -> None:
        part = slice(k * rows_of, (k + 1) * rows_of)
        fit_series(days, filled[:, :, part], valid[:, part], method="ewma")

    works = {
        "IR-MAD fit": lambda n: lambda: fit_irmad(*flat, threads=n),
        "IR-MAD χ²": lambda n: in_threads(lambda k: irmad_statistic(strips[k], mad), 8, n),
        "series fit, EWMA": lambda n: in_threads(series, 8, n),
        "change vector": lambda n: in_threads(lambda k: vector_length(strips[k], vector), 8, n),
        "dNDVI, dNDBI": lambda n: in_threads(
            lambda k: program.run(strips[k].before, strips[k].after, strips[k].valid), 8, n
        ),
    }
    rows = [["memory triad", "–", "–", f"{gain:.2f}", f"{speed:.1f} GB/s on one"]]
    for name, make in works.items():
        found = interleaved({"1": make(1), "2": make(2)}, repeats)
        goal = 1.6 if name.startswith(("IR-MAD", "series")) else 0.85 * min(2.0, gain)
        ratio = found["1"].wall / found["2"].wall
        rows.append(
            [
                name,
                f"{found['1'].wall:.3f}",
                f"{found['2'].wall:.3f}",
                f"**{ratio:.2f}**",
                f"≥ {goal:.2f}",
            ]
        )
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = ("statistics", "irmad", "patches", "series", "threads")
    parser.add_argument("--parts", nargs="+", choices=every, default=every)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--otb", type=Path)
    parser.add_argument("--nrt")
    options = parser.parse_args()
    print(machine(("numpy", "numba", "rasterio", "shapely", "geopandas")), flush=True)
    side, repeats = options.side, options.repeats
    makers = {
        "statistics": lambda: compare_statistics(2 * side, repeats),
        "irmad": lambda: compare_irmad(side, repeats, options.otb),
        "patches": lambda: compare_patches(2 * side, repeats),
        "series": lambda: compare_series(side // 4, repeats, options.nrt),
    }
    rows = [r for name, make in makers.items() if name in options.parts for r in make()]
    if rows:
        print("\n" + table(rows, HEAD), flush=True)
    if "threads" in options.parts:
        head = ("two threads", "wall s, 1", "wall s, 2", "gain", "goal")
        print("\n" + table(compare_threads(2 * side, repeats), head))


if __name__ == "__main__":
    main()
