"""Speed of the cross-check and judgement of a county, against plain overlays.

Run ``python benchmarks/crosscheck.py [--patches 20000] [--approvals 100000] [--workers 2]``. Makes
a county of irregular patches, overlapping approvals and five further layers (land use, basic
farmland, redline, growth boundary, reserve land), judges it with `judge_patches`, then has
`geopandas.overlay` cut the same patches by the same layers (intersection and difference), and
prints wall time, CPU time and peak memory of both.
"""

import argparse
import datetime as dt
import os
import resource
import time
from collections.abc import Callable
from functools import partial
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


def county(patches: int, approvals: int, seed: int = 1) -> tuple[Any, OneMap]:
    """Return a patch table and its One-Map."""
    rng = np.random.default_rng(seed)
    days = [dt.date.fromordinal(int(d)) for d in FIRST + rng.integers(0, 2500, approvals)]
    given = blobs(rng, lattice(rng, approvals, 0.5), rng.uniform(20, 60, approvals), 12)
    land = tessellation(rng, 150)
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
    """Return patches of 0.05–1 ha with the columns a judgement reads."""
    shapes = blobs(rng, lattice(rng, count, 0.4), rng.uniform(15, 60, count), 24)
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
        },
        geometry=list(shapes),
        crs=CRS,
    )


def timed(name: str, work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Run and print wall and CPU seconds, of this process and its children, and peak memory."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = work()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:44s} wall {wall:7.1f} s   CPU {cpu:7.1f} s   peak {peak:6.0f} MB", flush=True)
    return result, wall, cpu


def cpu_seconds() -> float:
    """Return CPU seconds of this process and of its ended children."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


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
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-overlay", action="store_true")
    args = parser.parse_args()
    patches, onemap = county(args.patches, args.approvals)
    rules = load_rules("cn-land", catalogue())
    timed("index over all features", lambda: onemap.tree)
    batches = [slice(i, i + args.batch) for i in range(0, len(patches), args.batch)]
    timed("pieces alone, 1 worker", lambda: [len(cut(patches, onemap, b)) for b in batches])
    for workers in sorted({1, args.workers}):
        judged, wall, own = timed(
            f"cross-check and judgement, {workers} worker(s)",
            partial(judge_patches, patches, onemap, rules, batch=args.batch, workers=workers),
        )
    counts = judged.findings["outcome"].value_counts().sort_index()
    print(f"{len(judged.findings)} findings:", ", ".join(f"{k} {v}" for k, v in counts.items()))
    if args.no_overlay:
        return
    areas, other_wall, other = timed(
        "geopandas.overlay, intersection + difference", lambda: overlays(patches, onemap)
    )
    for role, (_, outside) in areas.items():
        mine = sum(uncovered(cut(patches, onemap, b), role) for b in batches)
        print(f"  outside {role:16s} overlay {outside:14.2f} m²   pieces {mine:14.2f} m²")
    print(f"overlay ÷ own: CPU {other / own:.1f}, wall {other_wall / wall:.1f}")


def cut(patches: Any, onemap: OneMap, part: slice) -> Pieces:
    """Return the pieces of one batch."""
    return pieces(patches.iloc[part].reset_index(drop=True), onemap)


def uncovered(found: Pieces, role: str) -> float:
    """Return the area of the pieces that no feature of a role covers, in m²."""
    roles = found.features["role"].to_numpy()[found.feature]
    bare = np.ones(len(found), dtype=bool)
    bare[found.owner[roles == role]] = False
    return float(found.area_dm2[bare].sum()) / 100


if __name__ == "__main__":
    main()
