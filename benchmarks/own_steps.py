"""Steps of tuban, each timed in a fresh process beside its peers of ``peer_steps.py``.

``python -m benchmarks.own_steps prepare FOLDER CONFIG SIDE ROWS PATCHES`` writes what all read;
``python -m benchmarks.own_steps STEP FOLDER`` works a small part to warm up, then the whole, and
prints one line of JSON: wall and CPU seconds of the whole, and a figure by which answers compare.
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from benchmarks.measure import cpu_seconds

FLOOR, PIXEL, CRS = 4, 10.0, "EPSG:32650"
TREES, LEARNED, DATES = 100, 20_000, 157
ITERATIONS = 10
STRIP = 512
BANDS = ("red", "nir")

Step = Callable[[bool], float]


def prepare(folder: Path, config: Path, side: int, rows: int, patches: int) -> None:
    """Write the inputs of all steps: the same for a pair, a side and a number of rows."""
    import benchmarks.change_speed as change
    import benchmarks.crosscheck as county
    import benchmarks.forest_speed as forest

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pair.json").write_text(json.dumps(str(config.resolve())), encoding="utf-8")
    np.save(folder / "dates.npy", np.stack(change.invented_pair(side)))
    mask = change.masks(2 * side)["speckled"]
    np.save(folder / "mask.npy", mask)
    scores = np.random.default_rng(3).uniform(1, 60_000, mask.shape) * mask
    np.save(folder / "scores.npy", scores.astype(np.uint16))
    days, values = change.cube(side // 4, DATES)
    np.savez(folder / "cube.npz", days=days, values=values)
    rng = np.random.default_rng(7)
    learned, (x, _) = forest.invented(rng, LEARNED), forest.invented(rng, rows)
    np.savez(folder / "rows.npz", x=x, learned=learned[0], classes=learned[1])
    table, onemap = county.county(patches, 5 * patches, 100)
    table[["patch_id", "area_dm2", "geometry"]].to_file(folder / "patches.gpkg")
    approvals = onemap.layers["approval"].table[["key", "geometry"]]
    approvals.to_file(folder / "approvals.gpkg")


def _pair(folder: Path) -> Any:
    from configs.run import RunConfig

    return RunConfig.load(Path(json.loads((folder / "pair.json").read_text(encoding="utf-8"))))


def index_change(folder: Path) -> Step:
    """Change of NDVI, file to file, by the product's reader and its compiled formula."""
    from configs.indices import spectral_index
    from detect.indices import index_program
    from flows.plan import make_plan
    from tiles.grid import Extent
    from tiles.reader import PairReader

    plan = make_plan(_pair(folder))
    lengths = dict(zip(plan.bands, plan.wavelengths, strict=True))
    program = index_program([spectral_index("NDVI")], [lengths[b] for b in BANDS])
    extent = plan.extent

    def work(small: bool) -> float:
        bottom = min(extent.row1, extent.row0 + (STRIP if small else extent.height))
        profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "tiled": True}
        profile |= {"height": bottom - extent.row0, "width": extent.width, "crs": CRS}
        profile |= {"blockxsize": STRIP, "blockysize": STRIP, "nodata": -9999.0}
        profile |= {"compress": "zstd", "zstd_level": 1, "num_threads": 2}
        cores = [
            Extent(r, c, min(r + STRIP, bottom), min(c + STRIP, extent.col1))
            for r in range(extent.row0, bottom, STRIP)
            for c in range(extent.col0, extent.col1, STRIP)
        ]
        reader = PairReader(plan.before, plan.after, plan.grid, bands=BANDS)
        total = 0.0

        def tile(core: Any) -> tuple[Any, NDArray[np.float32]]:
            block = reader.read(core)
            return core, program.run(block.before, block.after, block.valid, fill=-9999.0)[0]

        with (
            reader,
            rasterio.open(folder / "own.tif", "w", **profile) as raster,
            ThreadPoolExecutor(2) as pool,
        ):
            for core, values in pool.map(tile, cores):
                top, left = core.row0 - extent.row0, core.col0 - extent.col0
                raster.write(values, 1, window=Window(left, top, *values.shape[::-1]))
                total += float(values[values > -9999].sum(dtype=np.float64))
        return total / ((bottom - extent.row0) * extent.width)

    return work


def irmad(folder: Path) -> Step:
    """IR-MAD over all pixels, ten iterations; the first canonical correlation."""
    from benchmarks.change_speed import block_of, fixed_passes
    from detect.projections import fit_irmad, irmad_statistic

    dates = np.load(folder / "dates.npy")

    def work(small: bool) -> float:
        before, after = (np.ascontiguousarray(d[:, : 128 if small else None]) for d in dates)
        with fixed_passes(ITERATIONS):
            state = fit_irmad(*(d.reshape(len(d), -1).T for d in (before, after)), threads=2)
        assert state is not None
        irmad_statistic(block_of(before, after), state)
        return float(np.max(state.correlations))

    return work


def forest(folder: Path) -> Step:
    """Class of every row by a forest of 100 trees; the mean class."""
    from sklearn.ensemble import RandomForestClassifier

    from models.forest import classes_at
    from models.growing import to_arrays

    with np.load(folder / "rows.npz") as kept:
        x, learned, classes = kept["x"], kept["learned"], kept["classes"]
    fitted = RandomForestClassifier(
        TREES, max_depth=12, min_samples_leaf=5, n_jobs=2, random_state=0
    ).fit(learned, classes)
    arrays = to_arrays(fitted, int(classes.max()) + 1)

    def work(small: bool) -> float:
        rows = x[:1000] if small else x
        parts = np.array_split(rows, 8)
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda part: classes_at(arrays, part), parts))
        return float(np.mean(np.concatenate(found)))

    return work


def polygons(folder: Path) -> Step:
    """Outlines of a speckled mask above the floor, as a GeoDataFrame; how many."""
    from benchmarks.change_speed import own_patches

    mask = np.load(folder / "mask.npy")

    def work(small: bool) -> float:
        return float(len(own_patches(mask[:256] if small else mask, FLOOR)))

    return work


def overlay(folder: Path) -> Step:
    """Pieces of patches by approvals, each counted once; m² that approvals cover."""
    import geopandas as gpd

    from benchmarks.crosscheck import layer
    from clues.layers import OneMap
    from clues.overlay import COMPILED_FROM, pieces
    from configs.layers import LayersFile

    patches = gpd.read_file(folder / "patches.gpkg")
    given = gpd.read_file(folder / "approvals.gpkg").geometry
    onemap = OneMap(str(patches.crs), {"approval": layer("approval", given)}, LayersFile())

    def work(small: bool) -> float:
        own = patches.iloc[:COMPILED_FROM] if small else patches
        found = pieces(own, onemap)
        covered = np.zeros(len(found), bool)
        covered[found.owner] = True
        return float(found.area_dm2[covered].sum()) / 100

    return work


def zonal(folder: Path) -> Step:
    """Pixels and sum of scores of every component above the floor, with the labelling."""
    from detect.components import join, label_tile
    from detect.score import Scores
    from tiles.grid import Extent

    mask, scores = np.load(folder / "mask.npy"), np.load(folder / "scores.npy")

    def work(small: bool) -> float:
        at = slice(0, 256 if small else None)
        extent = Extent(0, 0, *mask[at].shape)
        drawn = Scores(scores[at], mask[at], mask[at])
        tile = label_tile(drawn, extent, extent, connectivity=4, floor_px=FLOOR)
        found = join([tile], connectivity=4, floor_px=FLOOR)
        return float(np.sum(found.stats.score_sum))

    return work


def series(folder: Path) -> Step:
    """EWMA's fit of a history; the median of the fitted constant terms."""
    from detect.series import fit_series

    with np.load(folder / "cube.npz") as cube:
        days, values = cube["days"], cube["values"]
    valid = np.isfinite(values)
    filled = np.where(valid, values, 0)[:, None]

    def work(small: bool) -> float:
        part = slice(0, 8 if small else None)
        state = fit_series(days[:-1], filled[:-1, :, part], valid[:-1, part], method="ewma")
        return float(np.median(state.arrays["coefficients"][0]))

    return work


STEPS: dict[str, Callable[[Path], Step]] = {
    "index change": index_change,
    "IR-MAD": irmad,
    "forest": forest,
    "polygons": polygons,
    "overlay": overlay,
    "zonal statistics": zonal,
    "series fit": series,
}


def main() -> None:
    """Prepare, or time one step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", choices=["prepare", *STEPS])
    parser.add_argument("folder", type=Path)
    parser.add_argument("more", nargs="*")
    told = parser.parse_args()
    if told.step == "prepare":
        prepare(told.folder, Path(told.more[0]), *(int(word) for word in told.more[1:]))
        return
    work = STEPS[told.step](told.folder)
    work(True)
    wall, cpu = time.perf_counter(), cpu_seconds()
    answer = work(False)
    took = {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu, "answer": answer}
    print(json.dumps(took))


if __name__ == "__main__":
    main()
