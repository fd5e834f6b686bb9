"""Land cover and change types of the demo county against its truth, with and without cleaning.

Run ``python -m benchmarks.landcover [--seeds 1 2] [--size 1024] [--no-run]``. Prints the macro F1
of the land cover at both dates, learned from a map with 10 % wrong polygons (level 2): at pixels
whose neighbours lie in the same parcel, and at all whose parcel has a cover, mixed ones included.
Beside it how well cleaning finds the wrong labels, and what the right labels alone would give. Then
the score of a whole run: change types, and the error of their confidence.
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio.features
from numpy.typing import NDArray
from scipy import ndimage

from configs.run import RunConfig
from configs.vocabulary import COVERS
from detect.normalise import apply_radiometry, fit_radiometry
from flows.demo.county import build_county, make_scenery
from flows.demo.imagery import Scenery, transform_of
from flows.demo.score import score_lines, score_run
from flows.demo.spectra import LOOKS
from flows.fitjob import Alignment, FitJob, GateJob, draw_landcover, gate_pair, sample_blocks
from flows.fitting import label_shapes
from flows.plan import make_plan
from flows.runner import work_run
from flows.stages import RunOptions
from models.accuracy import confusion, macro_f1
from models.features import HALO
from models.forest import predict
from models.landcover import vote_pair
from models.samples import SampleTable, blocked_folds
from models.training import doubted, fit_landcover

PIXELS = 20_000
"""Pixels asked: their macro F1 is known to about 0.01."""


@dataclass(frozen=True)
class LandcoverScore:
    """Macro F1 against the truth: at pixels inside parcels and at all, before and after."""

    inside: tuple[float, float]
    everywhere: tuple[float, float]


def true_covers(scene: Scenery) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the labels of both dates, 0 where no cover is told, and where neighbours are alike."""
    label = {cover: i + 1 for i, cover in enumerate(COVERS)} | {"": 0}

    def burn(shapes: object) -> NDArray[np.int64]:
        side = scene.frame.size_px
        return np.asarray(
            rasterio.features.rasterize(
                [(g, i + 1) for i, g in enumerate(shapes)],  # type: ignore[arg-type, var-annotated]
                out_shape=(side, side),
                transform=transform_of(scene.frame),
                dtype="int32",
            ),
            np.int64,
        )

    parcel = burn(scene.land.geometry)
    change = burn([c.geometry for c in scene.changes])
    before = np.array([0, *(label[LOOKS[k].cover] for k in scene.land["look"])])[parcel]
    later = np.array([0, *(label[LOOKS[c.item.look].cover] for c in scene.changes)])[change]
    place = np.where(change > 0, change + len(scene.land), parcel)
    alike = ndimage.minimum_filter(place, 3) == ndimage.maximum_filter(place, 3)
    return before, np.where(change > 0, later, before), alike


def label_errors(
    samples: SampleTable, truth: tuple[NDArray[np.int64], ...], origin: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell which samples the map labels wrongly; every pixel comes twice, earlier date first."""
    rows, cols = samples.rows - origin[0], samples.cols - origin[1]
    assert np.array_equal(rows[::2], rows[1::2])
    assert np.array_equal(cols[::2], cols[1::2])
    return np.asarray(np.stack(truth)[np.arange(len(rows)) % 2, rows, cols] != samples.labels)


def measure_landcover(
    folder: Path, seed: int, size: int, *, explain: bool = False
) -> dict[str, LandcoverScore]:
    """Build a county of level 2, fit with and without cleaning, and score both.

    Parameters
    ----------
    folder : Path
        For the county.
    seed, size : int
        Of the county.
    explain : bool
        Print how well cleaning finds wrong labels, and score right ones alone too.
    """
    county = build_county(folder, seed, 2, size_px=size)
    config = RunConfig.load(county.config)
    plan = make_plan(config)
    aligned = gate_pair(GateJob(plan, config.gate, config.seed, config.clouds))[0]
    assert aligned.registration is not None
    assert config.layers is not None
    job = FitJob(plan, aligned.registration, config.detection, config.landcover, config.seed)
    job = replace(job, clouds=aligned.clouds)
    job = replace(job, shapes=label_shapes(config.layers, job))
    blocks = sample_blocks(job)
    radiometry = fit_radiometry(blocks)
    samples = draw_landcover(job, blocks, radiometry)[0]
    with plan.reader(*_parts(aligned)) as reader:
        block = reader.read(plan.extent, HALO)
    after = apply_radiometry(block, radiometry).after
    *truth, alike = true_covers(make_scenery(seed, 2, size))
    grown = {"trees": config.landcover.trees, "max_depth": config.landcover.max_depth}
    learned = [("cleaned", samples, True), ("as the map is", samples, False)]
    if explain:
        wrong = label_errors(samples, tuple(truth), (plan.extent.row0, plan.extent.col0))
        fold = blocked_folds(samples.rows, samples.cols)
        drop = doubted(samples, fold, len(COVERS), (*grown.values(), 0))
        print(
            f"seed {seed}: {100 * wrong.mean():.1f} % of {len(wrong)} labels are wrong; "
            f"{100 * wrong[drop].mean():.1f} % of {drop.sum()} dropped ones are, "
            f"{100 * drop[wrong].mean():.1f} % of the wrong ones are dropped"
        )
        learned.append(("right labels alone", samples.take(np.flatnonzero(~wrong)), False))
    seen = np.argwhere(block.valid[block.core_slices])
    rows, cols = np.random.default_rng(seed).permutation(seen)[:PIXELS].T
    found = {}
    for name, table, clean in learned:
        state = fit_landcover(table, classes=COVERS, bands=plan.bands, clean=clean, **grown)
        at = rows + HALO, cols + HALO
        counts = vote_pair(state, block.before, after, block.valid, *at)
        scores = [
            tuple(
                _score(truth[date][rows, cols], counts[:, date], chosen[rows, cols])
                for date in range(2)
            )
            for chosen in (alike, np.ones_like(alike))
        ]
        found[name] = LandcoverScore(scores[0], scores[1])  # type: ignore[arg-type]
    return found


def _parts(aligned: Alignment) -> tuple[object, ...]:
    return aligned.registration, aligned.clouds


def _score(truth: NDArray[np.int64], counts: NDArray[np.int32], chosen: NDArray[np.bool_]) -> float:
    asked = chosen & (truth > 0)
    return macro_f1(confusion(truth[asked] - 1, predict(counts[asked]), len(COVERS))) or 0.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--no-run", action="store_true", help="land cover only")
    options = parser.parse_args()
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            found = measure_landcover(work / "county", seed, options.size, explain=True)
            print(
                "| seed | samples | inside parcels, before | after | all pixels, before | after |"
            )
            print("|---|---|---|---|---|---|")
            for name, score in found.items():
                cells = " | ".join(f"{f:.3f}" for f in (*score.inside, *score.everywhere))
                print(f"| {seed} | {name} | {cells} |", flush=True)
            if options.no_run:
                continue
            config = next((work / "county").glob("demo*.yaml"))
            run = work_run(RunConfig.load(config), work, RunOptions(tile=512), plain=True)
            lines = score_lines(score_run(Path(run["folder"]), work / "county" / "truth.gpkg"))
            print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
