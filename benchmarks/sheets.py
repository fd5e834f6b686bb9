"""Speed and memory of evidence sheets: those of a finished run, moved over its whole area.

Run ``python -m benchmarks.sheets RUN [--count 1000]``; RUN is the folder of a judged run whose
images and layers are where its ``run.json`` says. The clues of the run are laid out again at drawn
places until there are enough, so that pictures are cut and layers searched all over the area.
Prints a table for RESULTS.md: CPU seconds per sheet (PDF and page) and peak memory as they grow.
"""

import argparse
import json
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from benchmarks.measure import machine, table
from clues.outputs.sheet import evidence_sheets
from clues.outputs.tables import ClueTables
from configs.run import RunConfig
from flows.finished import finished_tables
from flows.manifest import Run
from flows.sheeting import cut_sheets
from flows.stages import RunOptions, StageContext

STEPS = (0.1, 0.25, 0.5, 1.0)


def spread(tables: ClueTables, bounds: tuple[float, float, float, float], count: int) -> ClueTables:
    """Return `count` clues: those of the tables in turn, each moved to a drawn place."""
    rng = np.random.default_rng(1)
    west, south, east, north = bounds
    clues = tables.clues.reset_index(drop=True)
    patches, findings, coverage = [], [], []
    for i in range(count):
        one = clues.iloc[[i % len(clues)]]
        place = (rng.uniform(west, east), rng.uniform(south, north))
        centre = shapely.get_coordinates(one.geometry.iat[0].centroid)[0]
        old, new = one["patch_id"].iat[0], f"T{i:012d}"
        for made, source in (
            (patches, one.assign(clue_no=f"9999{i:06d}")),
            (findings, tables.findings[tables.findings["patch_id"] == old]),
        ):
            moved = source.assign(patch_id=new)
            made.append(moved.set_geometry(moved.translate(*(place - centre))))
        coverage.append(tables.coverage[tables.coverage["patch_id"] == old].assign(patch_id=new))

    def joined(parts: list[Any]) -> Any:
        frame = pd.concat(parts, ignore_index=True)
        return gpd.GeoDataFrame(frame, geometry="geometry", crs=clues.crs)

    return replace(
        tables,
        patches=joined(patches),
        findings=joined(findings),
        coverage=pd.concat(coverage, ignore_index=True),
        leads=None,
    )


def peak_mb() -> float:
    """Return the most memory this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    """Write the sheets and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    wanted = parser.parse_args()
    config = json.loads((wanted.run / "run.json").read_text(encoding="utf-8"))["config"]
    run = Run.open(wanted.run)
    context = StageContext(run, RunConfig.model_validate(config), RunOptions())
    bounds = context.plan.grid.bounds(context.plan.extent)
    tables = spread(finished_tables(wanted.run), bounds, wanted.count)
    sheets = {sheet.clue_no: sheet for sheet in evidence_sheets(tables)}
    marks = {max(1, round(step * wanted.count)) for step in STEPS}
    rows, started = [], peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        cutting = cut_sheets(context, tables, sheets, Path(folder))
        next(cutting)  # reads the layers and cuts all clues along them
        cpu, wall = time.process_time(), time.perf_counter()
        for number, files in enumerate(cutting, start=2):
            size = sum(path.stat().st_size for path in files)
            if number in marks:
                each = (time.process_time() - cpu) / (number - 1)
                lasted = (time.perf_counter() - wall) / (number - 1)
                shown = (f"{1e3 * each:.0f}", f"{1e3 * lasted:.0f}", f"{1 / each:.1f}")
                rows.append((str(number), *shown, f"{peak_mb():.0f}", f"{size / 1e3:.0f}"))
            for path in files:
                path.unlink()
    print(machine(["reportlab", "shapely", "numpy"]))
    print(f"before the first sheet: {started:.0f} MB")
    heads = ("sheets", "CPU ms each", "wall ms each", "a second and core", "peak MB", "last, kB")
    print(table(rows, heads))


if __name__ == "__main__":
    main()
