"""Speed and memory of what is given out for people and programs.

Run ``python -m benchmarks.products RUN [--clues 20000] [--formats xlsx,csv,…]``. Takes the clues of
a finished run (of `tuban demo`, say) as many times as it needs, each time beside the others and
with numbers of its own, writes them in every format, each in a process of its own, and prints wall
and CPU seconds, clues a second, size, and by how much the peak memory of the process grew.
"""

import argparse
import io
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from PIL import Image

from benchmarks.measure import cpu_seconds, machine, table
from clues.outputs.survey import write_update_package
from clues.outputs.tables import ClueTables
from configs.runparts import LEDGER_FORMATS
from flows.finished import finished_tables
from flows.formats import FORMATS, writers_of

PICTURED, SIDE = 500, 160


def many(tables: ClueTables, count: int) -> ClueTables:
    """Return the clues of a run, repeated beside one another until there are `count`."""
    clues = tables.clues
    times = -(-count // len(clues))
    parts: dict[str, list[Any]] = {"patches": [], "findings": [], "coverage": [], "classes": []}
    for i in range(times):
        own = clues.iloc[: count - i * len(clues)]
        chosen = set(own["patch_id"])
        numbers = [f"99990225Q3{i * len(clues) + k + 1:06d}" for k in range(len(own))]
        parts["patches"].append(_copy(own, i).assign(clue_no=numbers))
        for name in ("findings", "coverage", "classes"):
            rows = getattr(tables, name)
            if rows is not None:
                parts[name].append(_copy(rows[rows["patch_id"].isin(chosen).to_numpy()], i))
    joined = {n: pd.concat(p, ignore_index=True) if p else None for n, p in parts.items()}
    return replace(tables, **joined)


def _copy(rows: Any, i: int) -> Any:
    ids = {n: [f"{v}{i:03d}" for v in rows[n]] for n in ("patch_id", "parcel_id") if n in rows}
    shift = np.array((0.0, 20.0 * i))
    if "geometry" in rows:
        moved = shapely.transform(rows.geometry.to_numpy(), lambda xy: xy + shift)
        rows = gpd.GeoDataFrame(rows.drop(columns="geometry"), geometry=moved, crs=rows.crs)
    return rows.assign(**ids)


def pictures(tables: ClueTables) -> dict[str, tuple[bytes, bytes]]:
    """Return pictures with texture for the first clues by priority."""
    rng = np.random.default_rng(0)
    first = tables.clues.sort_values(["priority", "clue_no"], ascending=[False, True])
    made = {}
    for number in first["clue_no"][:PICTURED]:
        pair = []
        for _ in range(2):
            coarse = Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8))
            target = io.BytesIO()
            coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(target, "JPEG", quality=85)
            pair.append(target.getvalue())
        made[str(number)] = (pair[0], pair[1])
    return made


def confirmed(tables: ClueTables) -> pd.DataFrame:
    """Return verdicts that confirm every clue: an update holds what people confirmed."""
    told = {"parcel_no": "0", "line": "", "verdict": "违法", "meaning": "real", "reason": ""}
    told |= {"by": "王五", "at": "2025-10-08T00:00:00Z", "source": "benchmark"}
    return pd.DataFrame({"patch_id": tables.clues["patch_id"].to_numpy()}).assign(**told)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(tables: ClueTables, run: Path, name: str, told: Any) -> None:
    """Write one format and tell what it took."""
    shown = pictures(tables) if FORMATS[name].pictured else {}
    write: Callable[[Path], Any] = writers_of([name], tables, run, lambda: shown)[name]
    if name == "update":
        told_all = confirmed(tables)
        write = lambda path: write_update_package(tables, path, told_all)  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FORMATS[name].name
        before, cpu, wall = peak_mb(), cpu_seconds(), time.perf_counter()
        write(path)
        took = time.perf_counter() - wall, cpu_seconds() - cpu, path.stat().st_size / 1e6
        told.put((*took, peak_mb() - before))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--clues", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--formats", default=",".join(LEDGER_FORMATS))
    told = parser.parse_args()
    print(machine(["xlsxwriter", "pyogrio", "geopandas", "pyarrow"]))
    head = ["format", "clues", "wall s", "CPU s", "clues per CPU s", "file MB", "peak grew by MB"]
    print(table([], head), flush=True)
    forked = multiprocessing.get_context("fork")
    for count in told.clues:
        tables = many(finished_tables(told.run), count)
        for name in told.formats.split(","):
            queue = forked.Queue()
            child = forked.Process(target=measured, args=(tables, told.run, name, queue))
            child.start()
            wall, cpu, size, peak = queue.get()
            child.join()
            cells = [
                f"{wall:.1f}",
                f"{cpu:.1f}",
                f"{count / cpu:,.0f}",
                f"{size:.1f}",
                f"{peak:.0f}",
            ]
            print("| " + " | ".join([name, f"{count:,}", *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
