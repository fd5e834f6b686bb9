"""How long the store of a desk takes for what a page asks most, with so many clues in SQLite.

Run with ``python -m benchmarks.desk_store --clues 50000``: a judged county is entered through the
real schema, then every question is asked many times; medians and 95th percentiles in ms, and the
median of the processor time, which is the answer time on an idle core.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import shapely

from clues.audit.verify import verify
from clues.cases.actors import Actor
from clues.cases.casebook import Casebook
from clues.store.clueview import clue
from clues.store.inserting import AREA_COLUMNS, RunRecord
from clues.store.repository import Store
from clues.store.worklist import Filters, Scope, count, neighbours, points, worklist

E0, N0 = 38_500_000.0, 4_060_000.0
SIDE = 40.0


def judged_county(n: int) -> tuple[geopandas.GeoDataFrame, geopandas.GeoDataFrame]:
    """Return patches and findings of a county where all n patches are clues."""
    rng = np.random.default_rng(1)
    x, y = E0 + 100.0 * (np.arange(n) % 250), N0 + 100.0 * (np.arange(n) // 250)
    boxes = shapely.box(x, y, x + SIDE, y + SIDE)
    patches = geopandas.GeoDataFrame(
        {
            "patch_id": [f"T{i:012d}" for i in range(n)],
            "county_code": [f"3703{i % 8 + 1:02d}" for i in range(n)],
            "anchor_row": np.arange(n),
            "anchor_col": 0,
            "n_pixels": 16,
            "area_dm2": rng.integers(20_000, 2_000_000, n),
            "change_type": rng.choice(["new_building", "hardened_ground", "road"], n),
            "use": "industry",
            "confidence": 80,
            "disposition": "clue",
            "outcome": rng.choice(["suspected", "unresolved"], n),
            "rule": rng.choice(["V1", "V2", "N3"], n),
            "priority": rng.integers(0, 5000, n),
        },
        geometry=boxes,
        crs="EPSG:4526",
    ).sort_values(["county_code", "anchor_row"])
    findings = geopandas.GeoDataFrame(
        {
            **{n: patches[n] for n in ("patch_id", "area_dm2", "outcome", "rule")},
            **{"line": "land", "parcel_no": 1, "parcel_id": patches["patch_id"]},
            **{"documents": "", "rules": "V1", "flags": "PBF", "reason_zh": "未报即用"},
            **{"reason_en": "used without approval", "trace": "{}", "severity": 1},
            **dict.fromkeys(AREA_COLUMNS, 1000),
        },
        geometry=patches.geometry.to_numpy(),
        crs="EPSG:4526",
    )
    return patches, findings


def entered(place: Path, n: int) -> Store:
    """Return a store with one run of n clues."""
    store = Store.at(place)
    record = RunRecord(
        *("benchmark", "benchmark", "370301", "county", "EPSG:4526", 2026, 1, "cn-land", "1"),
        config={},
        versions={},
    )
    store.register(record, *judged_county(n))
    return store


def timed(work: Callable[[], object], times: int) -> tuple[float, float, float]:
    """Return median and 95th percentile in ms, and the median of processor time."""
    taken, busy = [], []
    for _ in range(times):
        start, used = time.perf_counter(), time.process_time()
        work()
        taken.append(1000 * (time.perf_counter() - start))
        busy.append(1000 * (time.process_time() - used))
    high = sorted(taken)[int(0.95 * (len(taken) - 1))]
    return statistics.median(taken), high, statistics.median(busy)


def questions(store: Store, book: Casebook) -> dict[str, Callable[[], object]]:
    """Return what is asked, by name."""
    county, whole, none = Scope(("370303",)), Scope(), Filters()
    place = (117.0, 36.6, 117.02, 36.62)
    with store.engine.connect() as connection:
        numbers = [r["clue_no"] for r in worklist(connection, none, whole, limit=200).items]
        box = worklist(connection, none, whole, limit=1).items[0]["bounds"]
    place = (box[0] - 0.01, box[1] - 0.01, box[0] + 0.01, box[1] + 0.01)
    turn = iter(numbers * 100)

    def ask(work: Callable[..., object]) -> Callable[[], object]:
        def asked() -> object:
            with store.engine.connect() as connection:
                return work(connection)

        return asked

    return {
        "page of 100 by priority": ask(lambda c: worklist(c, none, whole)),
        "page of 100, one county": ask(lambda c: worklist(c, none, county, "area")),
        "page of 100, by due date": ask(lambda c: worklist(c, none, whole, "due")),
        "page of 100 in a box": ask(lambda c: worklist(c, Filters(bbox=place), whole)),
        "count of all": ask(lambda c: count(c, none, whole)),
        "search by number": ask(lambda c: worklist(c, Filters(q="Q1000077"), whole)),
        "points of all": ask(lambda c: points(c, none, whole)),
        "one clue": ask(lambda c: clue(c, next(turn), whole)),
        "neighbours": ask(lambda c: neighbours(c, next(turn), none, whole)),
        "statistics": lambda: book.statistics(whole),
        "exceptions": lambda: book.exceptions(whole),
        "a comment (write)": lambda: book.comment(Actor("x", "county"), next(turn), "seen"),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clues", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        store = entered(Path(folder) / "desk.sqlite", given.clues)
        print(f"registered {given.clues} clues in {time.perf_counter() - start:.1f} s")
        book = Casebook(store)
        for name, work in questions(store, book).items():
            middle, high, busy = timed(work, given.times)
            print(f"{name:28} median {middle:7.1f}   p95 {high:7.1f}   processor {busy:7.1f} ms")
        start = time.perf_counter()
        done = book.dispatch(Actor("x", "county"), [f"37030126Q1{i:06d}" for i in range(1, 501)])
        print(f"dispatched {len(done.cases)} clues in {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        found = verify(store)
        print(f"verified {found.rows} rows in {time.perf_counter() - start:.1f} s: {found.broken}")
        store.close()


if __name__ == "__main__":
    main()
