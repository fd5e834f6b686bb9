"""Clues where nothing changed, and changes still found under the same disturbances.

Run ``python benchmarks/nothing_changed.py [--counties 10] [--only NAME …] [--out FOLDER]``.
Counties of the demo world, 1024 × 1024 pixels of 10 m (105 km²) each, seeds 101, 102 …: ten are
1,049 km². Each is rendered twice with the ground unchanged, and once with changes. The after image
is then disturbed, one way at a time and all together, without a mask of the clouds, and worked by
a whole run with its land-use map and papers. Counted are clues where nothing changed, and the
share of changes from 0.3 ha of which patches cover 30 %.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
import yaml
from numpy.typing import NDArray
from scipy import ndimage

from configs.vocabulary import change_types
from flows.demo.changes import Change, Hosts, inject
from flows.demo.clouds import make_sky
from flows.demo.documents import draw_documents
from flows.demo.imagery import Scenery, _band, _field, _Painter, _sensor, write_raster
from flows.demo.land import Frame, build_land
from flows.demo.layers import spare_plots, write_layers
from flows.demo.settings import AFTER, BEFORE, Difficulty
from flows.demo.spectra import BANDS
from flows.runner import work_run
from flows.stages import RunOptions

Images = dict[str, NDArray[np.float32]]

STILL = Difficulty(0.0, 0.0, 0.0, 0, 0.0, 0, 0, 0.0, (0.0, 0.0), 0.0015, 0.04, 0.0)
LARGE_M2, FOUND_SHARE = 3000.0, 0.3
HAZE = {"B02": 0.030, "B03": 0.022, "B04": 0.016, "B08": 0.008, "B11": 0.002, "B12": 0.002}
PSEUDO = {t.code for t in change_types() if t.is_pseudo}


@dataclass(frozen=True)
class Row:
    """What one disturbance did to one county."""

    disturbance: str
    km2: float
    clues: int
    changes: int
    found: int


class World:
    """One county and its ground, seen undisturbed."""

    def __init__(self, seed: int, size_px: int) -> None:
        self.frame, self.seed = Frame(size_px), seed
        land = build_land(self.frame, seed)
        self.changes = inject(Hosts(self.frame, land), seed, 0.0)
        sky = make_sky(size_px, [], STILL, np.random.default_rng(seed))
        self.scene = Scenery(self.frame, land, self.changes, {}, (sky, sky), STILL, seed)
        self.documents = draw_documents(self.changes, spare_plots(self.scene, 12), seed)
        self.before = self.seen(after=False, season=False, changes=[])

    def seen(self, *, after: bool, season: bool, changes: list[Change]) -> Images:
        """Return a date without air: the ground through the optics, with the sensor's noise."""
        painter = _Painter(replace(self.scene, changes=changes))
        if not season:
            painter.looks = [replace(k, after=k.before) for k in painter.looks]
        ground = painter.ground(after)
        rng = np.random.default_rng([self.seed, 20 + after])
        return {
            name: _sensor(_band(ground, i), name, (0.0, 0.0), rng, STILL.noise)
            for i, name in enumerate(BANDS)
        }


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
    size = next(iter(images.values())).shape[0]
    places = [tuple(p) for p in rng.uniform(0.1, 0.9, (4, 2)) * size]
    sky = make_sky(size, places, STILL, rng)
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


def write_case(world: World, name: str, after: Images, folder: Path) -> Path:
    """Write images, layers and config; return the config."""
    folder.mkdir(parents=True)
    first = world.before
    if cloud in DISTURBANCES[name]:
        first = cloud(first, np.random.default_rng([world.seed, 30]))
    for date, day, images in (("before", BEFORE, first), ("after", AFTER, after)):
        for band, values in images.items():
            stored = np.clip(np.round(values * 1e4), 1, 65535).astype(np.uint16)
            path = folder / date / f"S2DEMO_{day:%Y%m%d}_{band}.tif"
            write_raster(path, stored, world.frame, 0)
    layers = write_layers(world.scene, world.documents, folder)
    config = {
        "name": name,
        "before": {"scenes": ["before"], "date": BEFORE},
        "after": {"scenes": ["after"], "date": AFTER},
        "layers": layers.name,
        "outputs": {"evidence": "none"},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


def reported(world: World, name: str, after: Images, folder: Path) -> gpd.GeoDataFrame:
    """Work a run; return its patches."""
    config = write_case(world, name, after, folder)
    summary = work_run(config, folder / "runs", RunOptions(), plain=True)
    return gpd.read_parquet(Path(summary["folder"]) / "patches.parquet")


def found_changes(patches: gpd.GeoDataFrame, changes: Sequence[Change]) -> list[bool]:
    """Tell which changes are covered by patches that are not taken for crops."""
    kept = patches[~patches["change_type"].isin(PSEUDO)].geometry.to_numpy()
    found = []
    for change in changes:
        near = kept[shapely.intersects(kept, change.geometry)]
        common = shapely.intersection(shapely.union_all(near), change.geometry).area
        found.append(common >= FOUND_SHARE * change.geometry.area)
    return found


def work_county(seed: int, names: Sequence[str], size_px: int, out: Path) -> Iterator[Row]:
    """Disturb one county in the ways named."""
    world = World(seed, size_px)
    km2 = (world.frame.size_m / 1000) ** 2
    large = [c for c in world.changes if c.geometry.area >= LARGE_M2]
    grounds = {
        (season, changed): world.seen(
            after=True, season=season, changes=world.changes if changed else []
        )
        for season in sorted({n in WITH_SEASON for n in names})
        for changed in (False, True)
    }
    for name in names:
        patches = []
        for changed in (False, True):
            images = grounds[name in WITH_SEASON, changed]
            rng = np.random.default_rng([seed, 40])
            for disturb in DISTURBANCES[name]:
                images = disturb(images, rng)
            folder = out / f"{seed}-{name}-{'changed' if changed else 'still'}"
            patches.append(reported(world, name, images, folder))
        still, changed_patches = patches
        clues = int((still["disposition"] == "clue").sum())
        yield Row(name, km2, clues, len(large), sum(found_changes(changed_patches, large)))


def table(rows: Sequence[Row]) -> str:
    """Return the sums by disturbance as a Markdown table."""
    lines = [
        "| disturbance | km² | clues where nothing changed | changes from 0.3 ha | found |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in DISTURBANCES:
        own = [r for r in rows if r.disturbance == name]
        if own:
            changes, found = sum(r.changes for r in own), sum(r.found for r in own)
            lines.append(
                f"| {name} | {sum(r.km2 for r in own):.0f} | {sum(r.clues for r in own)} "
                f"| {changes} | {100 * found / max(changes, 1):.1f} % |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counties", type=int, default=10)
    parser.add_argument("--size", type=int, default=1024, help="pixels along a side of a county")
    parser.add_argument("--only", nargs="*", choices=list(DISTURBANCES), default=None)
    parser.add_argument("--out", type=Path, default=None, help="keep the counties here")
    arguments = parser.parse_args()
    names = arguments.only or list(DISTURBANCES)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tuban-nothing-") as scratch:
        out = arguments.out or Path(scratch)
        for seed in range(101, 101 + arguments.counties):
            for row in work_county(seed, names, arguments.size, out):
                rows.append(row)
                print(row, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
