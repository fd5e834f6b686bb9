"""Memory of the join alone, by the number of patches.

Run ``python -m benchmarks.join_memory 20000 268000 --work FOLDER``. The tiles of a pair of 2,048 x
2,048 pixels of `benchmarks/scenes.py` (some 1,300 patches) are laid side by side, a pixel apart, as
often as it needs; a process of its own joins them, classifies and writes the patches and paints the
raster. Printed are its peak memory (resident set), what it held before, and hashes of the patches
in their order and of the raster: another way of working must not alter them.
"""

import argparse
import hashlib
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio

from benchmarks.measure import machine, table
from benchmarks.scenes import build_pair
from configs.run import RunConfig
from detect.tile_runs import TileRuns
from detect.valid_runs import load_valid_runs, save_valid_runs
from flows.joining import join_tiles
from flows.plan import RunPlan
from flows.runner import open_run
from flows.stages import RunOptions, StageContext, run_stage
from flows.tiling import tile_job
from tiles.grid import Extent, Tile

SIDE, TILE, APART = 2048, 1024, 2049
EARLIER = ("plan", "gate", "fit", "tiles")
HEAD = ["patches", "copies", "before, MB", "peak, MB", "wall s", "patches", "raster"]


@dataclass(frozen=True)
class LaidPlan(RunPlan):
    """The plan of a pair whose tiles are laid side by side, `copies` x `copies` times."""

    copies: int = 1

    def tiles(self, size: int) -> list[Tile]:
        """Return the tiles of all copies, row-major."""
        side = self.extent.height - APART * (self.copies - 1)
        origin = Extent(
            self.extent.row0, self.extent.col0, self.extent.row0 + side, self.extent.col0 + side
        )
        own = RunPlan.tiles(replace(self, extent=origin, copies=1), size)
        bands = sorted({t.row for t in own})
        return [
            moved(tile, down, right)
            for down in range(self.copies)
            for band in bands
            for right in range(self.copies)
            for tile in own
            if tile.row == band
        ]


def moved(tile: Tile, down: int, right: int) -> Tile:
    """Return the tile of a copy; 100 names lie between two copies."""
    at = extent_moved(tile.extent, down * APART, right * APART)
    return Tile(tile.row + 100 * down, tile.col + 100 * right, at)


def extent_moved(e: Extent, down: int, right: int) -> Extent:
    return Extent(e.row0 + down, e.col0 + right, e.row1 + down, e.col1 + right)


def runs_moved(runs: TileRuns, down: int, right: int) -> TileRuns:
    """Return what a tile found at the place of a copy."""
    stats, members, covers = runs.stats, runs.members, runs.covers
    return replace(
        runs,
        core=extent_moved(runs.core, down, right),
        row=runs.row + down,
        first=runs.first + right,
        last=runs.last + right,
        stats=replace(
            stats,
            row_min=stats.row_min + down,
            row_max=stats.row_max + down,
            col_min=stats.col_min + right,
            col_max=stats.col_max + right,
        ),
        members=replace(members, row=members.row + down, col=members.col + right),
        covers=replace(
            covers,
            row=covers.row + down,
            first=covers.first + right,
            last=covers.last + right,
        ),
    )


@contextmanager
def opened(work: Path) -> Iterator[StageContext]:
    """Open the run of the pair, worked up to its tiles."""
    config = RunConfig.load(build_pair(work, SIDE))
    with open_run(config, work / "join", RunOptions(tile=TILE)) as context:
        for stage in EARLIER:
            run_stage(stage, context)
        yield context


def lay(context: StageContext, copies: int) -> None:
    """Write the tiles of all copies, and make their plan that of the run."""
    job, size, found = tile_job(context), context.options.tile, context.plan.extent
    first = context.plan.tiles(size)
    for tile in first:
        runs, valid = TileRuns.load(job.runs_path(tile)), load_valid_runs([job.paths(tile)[-1]])
        for down, right in np.ndindex(copies, copies):
            copy = moved(tile, down, right)
            if job.paths(copy)[-1].is_file():
                continue
            runs_moved(runs, down * APART, right * APART).save(job.runs_path(copy))
            mask = np.zeros(copy.extent.shape, np.bool_)
            for row, begin, end in zip(*(a.tolist() for a in valid), strict=True):
                left = tile.extent.col0
                mask[row - tile.extent.row0, begin - left : end + 1 - left] = True
            save_valid_runs(job.paths(copy)[-1], mask, copy.extent, mask)
    more = APART * (copies - 1)
    whole = replace(found, row1=found.row1 + more, col1=found.col1 + more)
    told = {n: getattr(context.plan, n) for n in RunPlan.__dataclass_fields__}
    vars(context)["plan"] = LaidPlan(**told | {"extent": whole}, copies=copies)


def joined(work: Path, copies: int) -> dict[str, Any]:
    """Join the copies in this process and return what it took."""
    with opened(work) as context:
        lay(context, copies)
        held, began = rss(), time.perf_counter()
        (patches, raster), values = join_tiles(context)
        wall, peak = time.perf_counter() - began, rss()
        rows = gpd.read_parquet(patches)
        digest = hashlib.sha256(pd.util.hash_pandas_object(rows.drop(columns="geometry")).values)
        digest.update(b"".join(rows.geometry.to_wkb()))
        return {
            "patches": values["patches"],
            "copies": copies,
            "held": held,
            "peak": peak,
            "wall": wall,
            "rows": digest.hexdigest()[:12],
            "raster": pixels_hash(raster),
            "values": values,
        }


def pixels_hash(path: Path) -> str:
    """Return a hash of the pixels of a raster, read strip by strip."""
    digest = hashlib.sha256()
    with rasterio.open(path) as raster:
        for _, window in raster.block_windows(1):
            digest.update(raster.read(1, window=window).tobytes())
    return digest.hexdigest()[:12]


def rss() -> int:
    """Return the largest resident set of this process so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patches", type=int, nargs="*", default=[20_000])
    parser.add_argument("--work", type=Path, default=Path("scaling"))
    parser.add_argument("--copies", type=int, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.copies:
        print(json.dumps(joined(told.work, told.copies)))
        return
    rows = []
    for wanted in told.patches:
        copies = max(1, round(math.sqrt(wanted / 1278)))
        command = [
            sys.executable,
            "-m",
            "benchmarks.join_memory",
            "--work",
            str(told.work),
            "--copies",
            str(copies),
        ]
        for _ in range(2):  # the first lays the tiles, which takes memory too
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        one = json.loads(out.splitlines()[-1])
        cells = [f"{one['patches']:,}", f"{copies}²", f"{one['held'] / 1e6:,.0f}"]
        cells += [f"{one['peak'] / 1e6:,.0f}", f"{one['wall']:,.0f}", one["rows"], one["raster"]]
        rows.append(cells)
        print(table(rows, HEAD), flush=True)
    print(machine(["geopandas", "pyarrow"]))


if __name__ == "__main__":
    main()
