"""Two-stage against exact mode: what is lost by looking at changed pixels only, and what is saved.

Run ``python -m benchmarks.exact_mode [--data FOLDER] [--cities bercy saclay_e] [--work FOLDER]``.
The demo county (level 2) is run in both modes from the same fitted states; its clues are compared
by outcome. The cities have no layers, so a land-use map is made of their earlier image by
thresholds of indices (`made_map`), and their patches are compared. A patch of the exact mode is
lost where patches of the two-stage mode cover less than 30 % of it; each is printed with a reason.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import rasterio.features
import shapely

from configs.run import RunConfig
from configs.runparts import EpochSettings, LandcoverSettings
from configs.vocabulary import COVERS
from detect.components import join
from detect.patches import large_enough, patch_table, shape_facts, smooth_shares, with_classes
from detect.score import STRONG
from detect.tile_runs import TileRuns
from flows.demo.county import build_county
from flows.demo.matching import FOUND_SHARE, PATCH_SHARE
from flows.demo.truth import read_truth
from flows.fitjob import FitJob, GateJob, LabelShapes, fit_pair, gate_pair
from flows.joining import in_parts
from flows.plan import RunPlan, make_plan
from flows.runner import work_run
from flows.stages import RunOptions
from flows.tilejob import STATE_CLASSES, TileJob, run_tile
from models.landcover import classify
from tiles.grid import Extent
from tiles.reader import pair_extent
from tiles.state import save_states, state_hash

SQUARE, AGREED = 8, 0.75
"""Side of a parcel of the made map in pixels, and the share of them that must agree."""

MODES = ("two_stage", "exact")


@dataclass(frozen=True)
class Answer:
    """Patches of one mode and the seconds of wall and CPU of its tiles and join."""

    patches: gpd.GeoDataFrame
    wall: float
    cpu: float


def covered(patches: gpd.GeoDataFrame, by: gpd.GeoDataFrame) -> np.ndarray:
    """Return the share of each patch that others cover."""
    one, two = patches.geometry.to_numpy(), by.geometry.to_numpy()
    first, second = shapely.STRtree(two).query(one, predicate="intersects")
    shared = np.zeros(len(one))
    np.add.at(shared, first, shapely.area(shapely.intersection(one[first], two[second])))
    return np.asarray(shared / shapely.area(one))


def reason(patch: gpd.GeoSeries, other: gpd.GeoDataFrame) -> str:
    """Say why the other mode does not tell a patch."""
    met = other[other.intersects(patch.geometry)]
    if not met.empty:
        told = ", ".join(
            f"{p.change_type} {getattr(p, 'outcome', '')}".strip() for p in met.itertuples()
        )
        return f"there: {told}"
    if patch["magnitude_p90"] < STRONG:
        return (
            f"the image changed by {100 * patch['magnitude_p90'] / STRONG:.0f} % of what counts as "
            f"change, the forest says {patch['from_cover']} became {patch['to_cover']}"
        )
    return "the image changed enough, but over too few pixels or below the least area"


def compare(name: str, answers: dict[str, Answer], truth: gpd.GeoDataFrame | None = None) -> None:
    """Print times, outcomes of both modes, and each difference with its reason."""
    two, exact = (answers[mode].patches for mode in MODES)
    print(f"\n## {name}")
    for mode in MODES:
        print(f"{mode}: {answers[mode].wall:.1f} s wall, {answers[mode].cpu:.1f} s CPU")
    column = "outcome" if "outcome" in two else "change_type"
    counts = [p[column].value_counts().to_dict() for p in (two, exact)]
    for kind in sorted({*counts[0], *counts[1]}):
        print(f"  {kind}: {counts[0].get(kind, 0)} two-stage, {counts[1].get(kind, 0)} exact")
    wanted = [p[p["outcome"] == "suspected"] if "outcome" in p else p for p in (two, exact)]
    sides = [
        ("lost by two-stage", wanted[1], wanted[0], two),
        ("only in two-stage", wanted[0], wanted[1], exact),
    ]
    if "outcome" in two:
        rest = [p[p["outcome"] != "suspected"] for p in (two, exact)]
        sides.append(("not suspected, lost by two-stage", rest[1], two, two))
        sides.append(("not suspected, only in two-stage", rest[0], exact, exact))
    for title, mine, theirs, all_theirs in sides:
        gone = mine[covered(mine, theirs) < FOUND_SHARE] if len(theirs) else mine
        print(f"{title}: {len(gone)} of {len(mine)} ({100 * len(gone) / max(1, len(mine)):.1f} %)")
        if truth is not None:
            real, lost = (sum(_on(p, truth) != "no" for _, p in t.iterrows()) for t in (mine, gone))
            print(f"  of those on true changes: {lost} of {real}")
        for _, patch in gone.iterrows():
            real = "" if truth is None else f", on a true change: {_on(patch, truth)}"
            area, sure = patch["area_dm2"] / 1e6, patch["confidence"]
            kind = f"{patch['change_type']} ({sure} %) {area:.2f} ha"
            print(f"  {kind}{real}: {reason(patch, all_theirs)}")


def _on(patch: gpd.GeoSeries, truth: gpd.GeoDataFrame) -> str:
    shared = shapely.area(shapely.intersection(truth.geometry.to_numpy(), patch.geometry))
    met = truth[shared >= PATCH_SHARE * patch.geometry.area]
    return met["kind"].iloc[0] if len(met) else "no"


def demo(work: Path, seed: int, size: int) -> None:
    """Run the demo county in both modes, the second from the states of the first."""
    county = build_county(work / "county", seed, 2, size_px=size)
    text = county.config.read_text(encoding="utf-8")
    answers, state = {}, None
    for mode in MODES:
        config = county.config.with_name(f"{mode}.yaml")
        config.write_text(f"{text}\nlandcover: {{mode: {mode}}}\noutputs: {{evidence: 0}}\n")
        options = RunOptions(tile=512, workers=1, state=state)
        folder = Path(work_run(config, work / mode, options, plain=True)["folder"])
        state = state or folder / "work" / "states"
        answers[mode] = Answer(gpd.read_parquet(folder / "patches.parquet"), *_seconds(folder))
    truth = read_truth(county.truth)[0].to_crs(answers["exact"].patches.crs)
    compare(f"Demo county, seed {seed}, {size} × {size} pixels", answers, truth)


def _seconds(folder: Path) -> tuple[float, float]:
    """Return wall and CPU seconds of tiles and join, as the run recorded them."""
    import json

    records = json.loads((folder / "run.json").read_text(encoding="utf-8"))["records"]
    own = [r for r in records if r["stage"] in ("tiles", "join")]
    return sum(r["seconds"] for r in own), sum(r["cpu_seconds"] for r in own)


def made_map(plan: RunPlan, cells: list[Extent]) -> LabelShapes:
    """Return squares of the earlier image whose pixels agree on a cover by index thresholds."""
    place = {band: i for i, band in enumerate(plan.bands)}
    shapes, labels = [], []
    with plan.reader() as reader:
        blocks = [reader.read(cell) for cell in cells]
    for block in blocks:
        red, nir, green = (block.before[place[b]] for b in ("red", "nir", "green"))
        ndvi = (nir - red) / np.maximum(nir + red, 1e-6)
        ndwi = (green - nir) / np.maximum(green + nir, 1e-6)
        cover = np.select(
            [~block.valid, ndwi > 0.05, ndvi > 0.65, ndvi > 0.45, ndvi > 0.25, ndvi > -1],
            [0, *(COVERS.index(c) + 1 for c in ("water", "forest", "cropland", "grass", "built"))],
        )
        height, width = (n // SQUARE * SQUARE for n in cover.shape)
        squares = cover[:height, :width].reshape(height // SQUARE, SQUARE, -1, SQUARE)
        squares = squares.transpose(0, 2, 1, 3).reshape(height // SQUARE, -1, SQUARE**2)
        for label in np.unique(cover[cover > 0]):
            agreed = (squares == label).mean(axis=2) >= AGREED
            for row, col in zip(*np.nonzero(agreed), strict=True):
                r, c = block.extent.row0 + row * SQUARE, block.extent.col0 + col * SQUARE
                outline = Extent(r, c, r + SQUARE, c + SQUARE)
                shapes.append(shapely.box(*plan.grid.bounds(outline)))
                labels.append(label)
    return LabelShapes(np.array(shapes, object), np.array(labels, np.int16))


def city(name: str, data: Path, work: Path) -> None:
    """Work a city of the OSCD set in both modes from the same states."""
    folder = data / "oscd" / name
    before, after = (EpochSettings(scenes=(folder / f"imgs_{i}",)) for i in (1, 2))
    config = RunConfig(name=name, before=before, after=after)
    plan = make_plan(config)
    aligned = gate_pair(GateJob(plan, config.gate, 0, config.clouds))[0]
    assert aligned.registration is not None
    job = FitJob(plan, aligned.registration, config.detection, LandcoverSettings(), 0)
    shapes = made_map(plan, job.cells())
    job = FitJob(
        plan, aligned.registration, config.detection, job.landcover, 0, shapes, aligned.clouds
    )
    states = fit_pair(job)
    save_states(work / name, {n: getattr(states, n) for n in STATE_CLASSES})
    digest = state_hash({n: getattr(states, n) for n in STATE_CLASSES})
    large = round(LandcoverSettings().split_above_m2 / plan.pixel_m**2)
    answers = {}
    for part, mode in enumerate((*MODES, *MODES)):  # the first round compiles, the second counts
        wall, cpu = time.perf_counter(), time.process_time()
        tiles = TileJob(
            reader=plan.reader(aligned.registration, aligned.clouds),
            states=work / name,
            states_hash=digest,
            folder=work / name / f"{part}_{mode}",
            area=plan.extent,
            connectivity=8,
            floor_px=config.detection.floor_px,
            large_px=large,
            exact=mode == "exact",
        )
        tiles.folder.mkdir(parents=True)
        cut = plan.tiles(512)
        for tile in cut:
            run_tile(tiles, tile)
        components = join(
            (TileRuns.load(tiles.paths(tile)[0]) for tile in cut), hole_px=4, large_px=large
        )
        components = in_parts(components, states.landcover, large)
        patches = patch_table(components, plan.grid, before=(None, None), after=(None, None))
        forms = shape_facts(patches).assign(smooth_share=smooth_shares(components))
        told = states.landcover
        classes = classify(components.votes, told.classes, forms, certainty=told.certainty)
        patches = with_classes(patches, classes)
        patches = patches[large_enough(patches)].reset_index(drop=True)
        answers[mode] = Answer(patches, time.perf_counter() - wall, time.process_time() - cpu)
    title = f"{name}, macro F1 against its made map {states.landcover.macro_f1:.2f}"
    compare(title, answers, labelled(folder, plan))


def labelled(folder: Path, plan: RunPlan) -> gpd.GeoDataFrame:
    """Return the labelled changes of a city; its labels lie on the grid of the earlier image."""
    with rasterio.open(folder / "cm" / f"{folder.name}-cm.tif") as source:
        changed = source.read(1) == 2
    own = pair_extent(plan.before, plan.before, plan.grid)
    outlines = rasterio.features.shapes(
        changed.astype(np.uint8), mask=changed, transform=plan.grid.transform(own)
    )
    shapes = [shapely.geometry.shape(outline) for outline, _ in outlines]
    return gpd.GeoDataFrame(
        {"kind": ["labelled"] * len(shapes)}, geometry=shapes, crs=plan.grid.crs
    )


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("TUBAN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--cities", nargs="*", default=["bercy", "saclay_e"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=1024, help="0: no demo county")
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        for name in options.cities:
            city(name, options.data, work)
        if options.size:
            demo(work, options.seed, options.size)


if __name__ == "__main__":
    main()
