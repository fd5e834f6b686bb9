"""Clues where nothing changed, and changes found in the same scene under the same disturbances.

Run ``python -m benchmarks.nothing_changed [--size 3168] [--seed 101] [--only NAME …]``. One scene
of the demo world, 3168 × 3168 pixels of 10 m (1,004 km²), seen twice; at least 200 places of 0.3 ha
and more have changed, together 3 km². The after image is disturbed, one way at a time and all
together, and worked up to the judgement with the settings of the product, without a mask of the
clouds, with land-use map and papers. Counted are clues that touch no change, and the share of the
changes of which patches cover 30 %.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import yaml
from numpy.typing import NDArray
from scipy import ndimage

from configs.run import RunConfig
from configs.vocabulary import change_types
from flows.demo.changes import Change, Hosts, inject
from flows.demo.clouds import Sky, make_sky
from flows.demo.documents import draw_documents
from flows.demo.imagery import Scenery, _band, _field, _Painter, _sensor, transform_of
from flows.demo.land import Frame, build_land
from flows.demo.layers import spare_plots, write_layers
from flows.demo.settings import AFTER, BEFORE, Difficulty, difficulty_of
from flows.demo.spectra import BANDS
from flows.runner import open_run
from flows.stages import STAGES, RunOptions, run_stage

Images = dict[str, NDArray[np.float32]]

STILL = Difficulty(0.0, 0.0, 0.0, 0, 0.0, 0, 0, 0.0, (0.0, 0.0), 0.0015, 0.04, 0.0)
SEASON = replace(STILL, vigour=difficulty_of(2).vigour, flicker=difficulty_of(2).flicker)
"""Fields differ in how much of the ground the later crop covers, as in the demo county."""

LARGE_M2, FOUND_SHARE, WANTED = 3000.0, 0.3, 200
WINDOW_PX = 1056
"""Changes and clouds are dealt by windows of about 111 km²."""

HAZE = {"B02": 0.030, "B03": 0.022, "B04": 0.016, "B08": 0.008, "B11": 0.002, "B12": 0.002}
PSEUDO = {t.code for t in change_types() if t.is_pseudo}
WORKED = tuple(STAGES)[: tuple(STAGES).index("judge") + 1]
"""Books and pages are not needed."""


@dataclass(frozen=True)
class Row:
    """What one disturbance did to the scene."""

    disturbance: str
    km2: float
    clues: int
    changes: int
    found: int
    cpu_s: float


class World:
    """One scene, its ground seen undisturbed, its layers, and the changes to be found in it."""

    def __init__(self, seed: int, size_px: int, out: Path) -> None:
        self.frame, self.seed, self.out = Frame(size_px), seed, out
        land = build_land(self.frame, seed)
        self.changes = deal_changes(self.frame, land, seed)
        clear = make_sky(size_px, [], STILL, np.random.default_rng(seed))
        self.scene = Scenery(self.frame, land, self.changes, {}, (clear, clear), STILL, seed)
        documents = draw_documents(self.changes, spare_plots(self.scene, 12), seed)
        out.mkdir(parents=True, exist_ok=True)
        self.layers = write_layers(self.scene, documents, out)
        self.before = self.seen(after=False)

    @cached_property
    def painter(self) -> _Painter:
        """What all dates share."""
        return _Painter(self.scene)

    def seen(self, *, after: bool, season: bool = False) -> Images:
        """Return a date without air: the ground through the optics, with the sensor's noise."""
        painter = self.painter
        looks = painter.looks
        painter.scene = replace(self.scene, level=SEASON if season and after else STILL)
        if not season:
            painter.looks = [replace(k, after=k.before) for k in looks]
        ground = painter.ground(after)
        painter.looks = looks
        rng = np.random.default_rng([self.seed, 20 + after])
        return {
            name: _sensor(_band(ground, i), name, (0.0, 0.0), rng, STILL.noise)
            for i, name in enumerate(BANDS)
        }


def windows(size_px: int) -> list[tuple[int, int, int]]:
    """Return row, column and side of the windows, in an order that spreads them."""
    across = max(1, round(size_px / WINDOW_PX))
    side = size_px // across
    places = [((i + j) % across, j) for i in range(across) for j in range(across)]
    return [(row * side, col * side, side) for row, col in places]


def deal_changes(frame: Frame, land: gpd.GeoDataFrame, seed: int) -> list[Change]:
    """Place changes window by window until there are enough large ones."""
    changes: list[Change] = []
    for k, (row, col, side) in enumerate(windows(frame.size_px)):
        if sum(c.geometry.area >= LARGE_M2 for c in changes) >= WANTED:
            break
        step = frame.pixel_m
        part = Frame(side, frame.west + col * step, frame.north - row * step)
        near = land.cx[slice(*part.box().bounds[::2]), slice(*part.box().bounds[1::2])]
        for change in inject(Hosts(part, near.reset_index(drop=True)), seed + 1000 * k, 0.0):
            change.number = len(changes) + 1
            changes.append(change)
    return changes


def deal_clouds(size_px: int, rng: np.random.Generator) -> Sky:
    """Put four clouds into every window."""
    whole = make_sky(size_px, [], STILL, rng)
    for row, col, side in windows(size_px):
        places = [tuple(p) for p in rng.uniform(0.1, 0.9, (4, 2)) * side]
        sky = make_sky(side, places, STILL, rng)
        here = slice(row, row + side), slice(col, col + side)
        whole.cloud[here], whole.shadow[here] = sky.cloud, sky.shadow
    return whole


def noise(images: Images, rng: np.random.Generator) -> Images:
    return {n: b + rng.normal(0, 0.005, b.shape).astype(np.float32) for n, b in images.items()}


def haze(images: Images, rng: np.random.Generator) -> Images:
    shape = next(iter(images.values())).shape
    veil = np.clip(1 + 0.6 * _field(shape, (80.0,), rng), 0, 3)
    return {n: b * (1 - HAZE[n] * veil) + HAZE[n] * veil for n, b in images.items()}


def gain(images: Images, rng: np.random.Generator) -> Images:
    return {n: b * np.float32(1.25) + np.float32(0.02) for n, b in images.items()}


def shift(images: Images, rng: np.random.Generator) -> Images:
    """Half a pixel in all."""
    return {n: ndimage.shift(b, (0.3, -0.4), order=3, mode="nearest") for n, b in images.items()}


def sun(images: Images, rng: np.random.Generator) -> Images:
    """The light of another month: lower, from another side, on gentle hills."""
    shape = next(iter(images.values())).shape
    down, right = np.gradient(_field(shape, (30.0, 90.0), rng) * 60.0, 10.0)
    light = np.clip(1 + 1.2 * (0.5 * right - 0.3 * down), 0.7, 1.3).astype(np.float32)
    return {n: b * np.float32(0.8) * light for n, b in images.items()}


def cloud(images: Images, rng: np.random.Generator) -> Images:
    """Clouds and their shadows, elsewhere than at the other date; no mask tells of them."""
    sky = deal_clouds(next(iter(images.values())).shape[0], rng)
    return {n: sky.over(b, n) for n, b in images.items()}


DISTURBANCES: dict[str, tuple[Callable[[Images, np.random.Generator], Images], ...]] = {
    "none": (),
    "noise": (noise,),
    "haze": (haze,),
    "gain": (gain,),
    "shift": (shift,),
    "cloud": (cloud,),
    "sun": (sun,),
    "phenology": (),
    "all": (shift, sun, haze, cloud, gain, noise),
}
WITH_SEASON = ("phenology", "all")


def write_images(world: World, images: Images, folder: Path, stem: str) -> None:
    """Write one date, plainly: packing it would take longer than working it."""
    folder.mkdir()
    for band, values in images.items():
        stored = np.clip(np.round(values * 1e4), 1, 65535).astype(np.uint16)
        with rasterio.open(
            folder / f"{stem}_{band}.tif", "w", driver="GTiff", width=stored.shape[1],
            height=stored.shape[0], count=1, dtype="uint16", crs=world.frame.crs,
            transform=transform_of(world.frame), nodata=0,
            tiled=True, blockxsize=256, blockysize=256,
        ) as target:  # fmt: skip
            target.write(stored, 1)


def write_case(world: World, name: str, after: Images, folder: Path) -> Path:
    """Write images and config; return the config."""
    folder.mkdir(parents=True)
    before = world.out / ("before-cloud" if cloud in DISTURBANCES[name] else "before")
    if not before.exists():
        first = world.before
        if cloud in DISTURBANCES[name]:
            first = cloud(first, np.random.default_rng([world.seed, 30]))
        write_images(world, first, before, f"S2DEMO_{BEFORE:%Y%m%d}")
    write_images(world, after, folder / "after", f"S2DEMO_{AFTER:%Y%m%d}")
    config = {
        "name": name,
        "before": {"scenes": [str(before.resolve())], "date": BEFORE},
        "after": {"scenes": ["after"], "date": AFTER},
        "layers": str(world.layers.resolve()),
        "outputs": {"evidence": "none"},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


def judged(config_path: Path, folder: Path) -> gpd.GeoDataFrame:
    """Work a run up to the judgement; return its patches."""
    config = RunConfig.load(config_path)
    with open_run(config, folder, RunOptions()) as context:
        for name in WORKED:
            run_stage(name, context)
        return gpd.read_parquet(context.run.path("patches.parquet"))


def found_changes(patches: gpd.GeoDataFrame, changes: Sequence[Change]) -> int:
    """Count the changes that are covered by patches not taken for mere appearance."""
    kept = patches[~patches["change_type"].isin(PSEUDO)].geometry.to_numpy()
    found = 0
    for change in changes:
        near = kept[shapely.intersects(kept, change.geometry)]
        common = shapely.intersection(shapely.union_all(near), change.geometry).area
        found += bool(common >= FOUND_SHARE * change.geometry.area)
    return found


def false_clues(patches: gpd.GeoDataFrame, changes: Sequence[Change]) -> gpd.GeoDataFrame:
    """Return the clues that touch no change."""
    clues = patches[patches["disposition"] == "clue"]
    true = shapely.union_all([c.geometry for c in changes])
    return clues[~shapely.intersects(clues.geometry.to_numpy(), true)]


def work_scene(seed: int, names: Sequence[str], size_px: int, out: Path) -> Iterator[Row]:
    """Disturb one scene in the ways named."""
    world = World(seed, size_px, out)
    large = [c for c in world.changes if c.geometry.area >= LARGE_M2]
    changed_m2 = sum(c.geometry.area for c in world.changes)
    km2 = (world.frame.size_m**2 - changed_m2) / 1e6
    for season in (False, True):
        own = [n for n in names if (n in WITH_SEASON) == season]
        ground = world.seen(after=True, season=season) if own else {}
        for name in own:
            start = time.process_time()
            rng, images = np.random.default_rng([seed, 40]), ground
            for disturb in DISTURBANCES[name]:
                images = disturb(images, rng)
            patches = judged(write_case(world, name, images, out / name), out / name / "runs")
            clues, found = len(false_clues(patches, world.changes)), found_changes(patches, large)
            yield Row(name, km2, clues, len(large), found, time.process_time() - start)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| disturbance | km² | clues where nothing changed | changes from 0.3 ha | found | CPU s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for r in sorted(rows, key=lambda r: list(DISTURBANCES).index(r.disturbance)):
        share = 100 * r.found / max(r.changes, 1)
        lines.append(
            f"| {r.disturbance} | {r.km2:.0f} | {r.clues} | {r.changes} | {share:.1f} % "
            f"| {r.cpu_s:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--size", type=int, default=3 * WINDOW_PX, help="pixels along a side")
    parser.add_argument("--only", nargs="*", choices=list(DISTURBANCES), default=None)
    parser.add_argument("--out", type=Path, default=None, help="keep scenes and runs here")
    arguments = parser.parse_args()
    names = arguments.only or list(DISTURBANCES)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tuban-nothing-") as scratch:
        out = arguments.out or Path(scratch)
        for row in work_scene(arguments.seed, names, arguments.size, out):
            rows.append(row)
            print(row, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
