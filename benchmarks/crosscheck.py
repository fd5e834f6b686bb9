"""Speed of the cross-check and judgement of a county, against plain overlays.

Run ``python -m benchmarks.crosscheck [--patches 20000] [--approvals 100000] [--workers 2]``. Makes
a county of irregular patches, overlapping approvals and five further layers (land use, basic
farmland, redline, growth boundary, reserve land), judges it with `judge_patches` (cutting, areas,
rules, reasons in two languages, traces; making the county is not counted), has
`geopandas.overlay` cut the same patches by the same layers (intersection and difference), in turns,
and prints wall and CPU seconds of both, the peak memory of each batch, and whether the areas agree.
"""

import argparse
import datetime as dt
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from clues.catalogue import catalogue
from clues.judgement import judge_patches
from clues.layers import LayerTable, OneMap
from clues.overlay import Pieces, pieces
from configs.layers import LayersFile, LayerSpec, role_fields
from configs.rules import load_rules
from tiles.geodesy import ellipsoidal_area

CRS = "EPSG:4526"
WEST, SOUTH = 38_480_000.0, 4_040_000.0
SIDE = 50_000.0
"""The county is a square of 50 km."""
USES = ("industry", "dwelling", "road", "livestock_shed", "orchard", "hardened", "mining")
CODES = (("0103", "agricultural", "cropland"), ("0301", "agricultural", "forest"))
CODES += (("0404", "unused", "unused"), ("0702", "construction", "construction"))
FIRST = dt.date(2019, 1, 1).toordinal()
CORNERS = (8, 16, 24, 40, 60)
AGREE = 5e-6
"""Areas may differ by this share of all patches: pieces below 1 m² have joined a neighbour."""

Floats = NDArray[np.float64]


def blobs(rng: np.random.Generator, centres: Floats, radius: Floats, corners: int) -> Any:
    """Return one irregular polygon per centre."""
    angle = np.sort(rng.random((len(centres), corners)), axis=1) * 0.8 / corners
    angle = (angle + np.arange(corners) / corners) * 2 * np.pi
    reach = radius[:, None] * rng.uniform(0.7, 1.3, angle.shape)
    x = centres[:, :1] + reach * np.cos(angle)
    y = centres[:, 1:] + reach * np.sin(angle)
    return shapely.set_precision(shapely.polygons(np.stack([x, y], axis=2)), 0.001)


def lattice(rng: np.random.Generator, count: int, wander: float) -> Floats:
    """Return `count` points spread over the county."""
    n = int(np.ceil(np.sqrt(count)))
    step = SIDE / n
    cells = rng.permutation(n * n)[:count]
    grid = np.column_stack([cells % n, cells // n]).astype(np.float64)
    own = (grid + 0.5 + rng.uniform(-wander, wander, grid.shape)) * step
    return own + np.array([WEST, SOUTH])


def layer(role: str, geometry: Any, **columns: Any) -> LayerTable:
    """Return a complete layer in memory with all fields of its role."""
    n = len(geometry)
    ids = [f"{role}:{i:06d}" for i in range(n)]
    table = gpd.GeoDataFrame({"key": ids}, geometry=list(geometry), crs=CRS)
    for name, spec in role_fields(role).items():
        empty: Any = np.full(n, np.nan) if spec.kind in ("number", "area") else [None] * n
        table[name] = pd.Series(
            columns.get(name, empty), dtype=None if spec.kind in ("number", "area") else object
        )
    for name, values in columns.items():
        table[name] = values
    frame = pd.DataFrame()
    spec_of = LayerSpec(role=role, source="memory", complete=True)
    return LayerTable(role, (spec_of,), table, frame, frame, "benchmark", True)


def tessellation(rng: np.random.Generator, n: int) -> Any:
    """Return n × n cells with bent borders in common."""
    x, y = np.meshgrid(np.linspace(0, SIDE, 2 * n + 1), np.linspace(0, SIDE, 2 * n + 1))
    shift = SIDE / n / 6
    inner = np.zeros_like(x)
    inner[1:-1, 1:-1] = 1
    x = np.round(WEST + x + inner * rng.uniform(-shift, shift, x.shape), 3)
    y = np.round(SOUTH + y + inner * rng.uniform(-shift, shift, y.shape), 3)
    i, j = (2 * k.reshape(-1) for k in np.meshgrid(np.arange(n), np.arange(n)))
    ring = ((0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    rings = [(x[i + di, j + dj], y[i + di, j + dj]) for di, dj in ring]
    xy = np.stack([np.column_stack(r) for r in rings], axis=1)
    return shapely.polygons(xy)


def county(patches: int, approvals: int, parcels: int, seed: int = 1) -> tuple[Any, OneMap]:
    """Return a patch table and its One-Map with a land-use map of about so many parcels."""
    rng = np.random.default_rng(seed)
    days = [dt.date.fromordinal(int(d)) for d in FIRST + rng.integers(0, 2500, approvals)]
    given = blobs(rng, lattice(rng, approvals, 0.5), rng.uniform(20, 60, approvals), 12)
    land = tessellation(rng, round(parcels**0.5))
    code = rng.choice(len(CODES), len(land), p=(0.6, 0.15, 0.1, 0.15))
    columns = dict(
        zip(("code", "category", "group"), zip(*[CODES[c] for c in code], strict=True), strict=True)
    )
    layers = {
        "landuse": layer(
            "landuse",
            land,
            scheme=["sandiao"] * len(land),
            cover=None,
            kcxs=np.full(len(land), 0.05),
            **columns,
        ),
        "approval": layer(
            "approval",
            given,
            number=[f"A{i}" for i in range(approvals)],
            date=days,
            applied=days,
            use=list(rng.choice(USES[:3], approvals)),
        ),
    }
    for role, count, reach, corners in (
        ("basic_farmland", 3000, 300.0, 60),
        ("redline", 60, 2500.0, 2000),
        ("growth_boundary", 25, 2500.0, 1500),
        ("reserve", 800, 150.0, 10),
    ):
        shapes = blobs(rng, lattice(rng, count, 0.3), rng.uniform(0.5, 1, count) * reach, corners)
        layers[role] = layer(role, shapes, number=[f"{role}{i}" for i in range(count)])
    return patch_table(rng, patches), OneMap(CRS, layers, LayersFile())


def patch_table(rng: np.random.Generator, count: int) -> Any:
    """Return patches of 0.05–1 ha and 8–60 corners with the columns a judgement reads."""
    centres, radius = lattice(rng, count, 0.4), rng.uniform(15, 60, count)
    shapes = np.empty(count, dtype=object)
    for i, corners in enumerate(CORNERS):
        own = slice(i, None, len(CORNERS))
        shapes[own] = blobs(rng, centres[own], radius[own], corners)
    area = np.rint(ellipsoidal_area(shapes, CRS) * 100).astype(np.int64)
    before, after = dt.date(2025, 3, 5), dt.date(2025, 6, 12)
    return gpd.GeoDataFrame(
        {
            "patch_id": [f"T{i:06d}" for i in range(count)],
            "county_code": "999901",
            "area_dm2": area,
            "before_from": before,
            "before_to": before,
            "after_from": after,
            "after_to": after,
            "change_type": "new_building",
            "use": rng.choice(USES, count),
            "confidence": 90,
        },
        geometry=list(shapes),
        crs=CRS,
    )


def timed(name: str, work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Run and print wall and CPU seconds, of this process and its children, and peak memory."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins anew
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = work()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    spent = f"wall {wall:7.1f} s   CPU {cpu:7.1f} s   peak {peak_mb():6.0f} MB"
    print(f"{name:46s} {spent}", flush=True)
    return result, wall, cpu


def cpu_seconds() -> float:
    """Return CPU seconds of this process and of its ended children."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def peak_mb() -> float:
    """Return the most memory this process has held since its peak began anew."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def overlays(patches: Any, onemap: OneMap) -> dict[str, tuple[float, float]]:
    """Cut the patches by each layer with `geopandas.overlay`; m² inside and outside per layer."""
    own = patches[["patch_id", "geometry"]]
    areas = {}
    for role, table in onemap.layers.items():
        other = table.table[["key", "geometry"]]
        inside = gpd.overlay(own, other, how="intersection", keep_geom_type=True)
        outside = gpd.overlay(own, other, how="difference", keep_geom_type=True)
        areas[role] = (
            float(ellipsoidal_area(inside.geometry.to_numpy(), CRS).sum()),
            float(ellipsoidal_area(outside.geometry.to_numpy(), CRS).sum()),
        )
    return areas


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patches", type=int, default=20_000)
    parser.add_argument("--approvals", type=int, default=100_000)
    parser.add_argument("--parcels", type=int, default=22_500, help="of the land-use map")
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--no-overlay", action="store_true")
    args = parser.parse_args()
    patches, onemap = county(args.patches, args.approvals, args.parcels)
    rules = load_rules("cn-land", catalogue())
    judge_patches(patches.iloc[:200], onemap, rules)  # warm
    starts = range(0, len(patches), args.batch)
    batches = [patches.iloc[i : i + args.batch].reset_index(drop=True) for i in starts]
    for i, batch in enumerate(batches):
        timed(f"batch {i + 1} alone", partial(judge_patches, batch, onemap, rules))
    timed("all pieces, 1 worker", lambda: [len(pieces(b, onemap)) for b in batches])
    work = partial(judge_patches, patches, onemap, rules, batch=args.batch)
    alone, _, _ = timed("cross-check and judgement, 1 worker", partial(work, workers=1))
    own, other = [], []
    for _ in range(args.repeats):
        name = f"cross-check and judgement, {args.workers} workers"
        judged, *spent = timed(name, partial(work, workers=args.workers))
        own.append(spent)
        if not args.no_overlay:
            name = "geopandas.overlay, intersection + difference"
            areas, *spent = timed(name, lambda: overlays(patches, onemap))
            other.append(spent)
    assert judged.findings.equals(alone.findings), "the answer depends on the workers"
    counts = judged.findings["outcome"].value_counts().sort_index()
    print(f"{len(judged.findings)} findings:", ", ".join(f"{k} {v}" for k, v in counts.items()))
    if other:
        total = float(patches["area_dm2"].sum()) / 100
        compare(areas, [pieces(b, onemap) for b in batches], total)
        wall, cpu = (
            statistics.median(theirs) / statistics.median(mine)
            for theirs, mine in zip(zip(*other, strict=True), zip(*own, strict=True), strict=True)
        )
        print(f"overlay ÷ own: wall {wall:.1f}, CPU {cpu:.1f}")


def compare(areas: dict[str, tuple[float, float]], found: list[Pieces], total: float) -> None:
    """Print the areas outside each layer by both ways, which must agree."""
    for role, (_, outside) in areas.items():
        mine = sum(uncovered(p, role) for p in found)
        print(f"  outside {role:16s} overlay {outside:14.2f} m²   pieces {mine:14.2f} m²")
        assert abs(mine - outside) <= AGREE * total, role


def uncovered(found: Pieces, role: str) -> float:
    """Return the area of the pieces that no feature of a role covers, in m²."""
    roles = found.features["role"].to_numpy()[found.feature]
    bare = np.ones(len(found), dtype=bool)
    bare[found.owner[roles == role]] = False
    return float(found.area_dm2[bare].sum()) / 100


if __name__ == "__main__":
    main()
