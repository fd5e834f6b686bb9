"""False alarms before and after a quarter of verdicts, on counties that nobody judged.

Every county of the seeds is built and run (level 3); the clues of the learning counties get
verdicts from the truth, of which a share is wrong. The model learned from them is applied to the
patches of each other county, and the change list is scored as `tuban demo` scores it.

    python -m benchmarks.verdicts --out /tmp/verdicts --seeds 5 11 12 13 14 --learn 1 2

Limit "own" is the one that the model chose from its verdicts; "equal" is the lowest at which the
recall is that of before, which nobody knows beforehand: what the ranking is worth.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from configs.run import RunConfig
from flows.demo.county import build_county
from flows.demo.matching import PATCH_SHARE
from flows.demo.score import score_run
from flows.demo.truth import read_truth
from flows.runner import open_run
from flows.stages import RunOptions, run_stage
from models.feedback import fit_feedback, patch_features, spatial_folds, with_feedback
from models.heldlimit import held_limit

STAGES = ("plan", "gate", "fit", "tiles", "join", "judge")


def finished(folder: Path, seed: int, level: int, size: int) -> tuple[Path, Path]:
    """Return run folder and truth of a county; what is there is used."""
    truth = folder / "county" / "truth.gpkg"
    for run in sorted(folder.glob("demo-*")):
        if (run / "findings.parquet").is_file():
            return run, truth
    county = build_county(folder / "county", seed, level, size_px=size)
    with open_run(RunConfig.load(county.config), folder, RunOptions(tile=512)) as context:
        for stage in STAGES:
            run_stage(stage, context)
        return context.run.folder, truth


def are_pseudo(patches: gpd.GeoDataFrame, truth: Path) -> np.ndarray:
    """Return which patches do not lie on true changes, as the score counts them."""
    changes = read_truth(truth)[0]
    own = patches.to_crs(changes.crs).geometry.to_numpy()
    of_patch, of_change = shapely.STRtree(changes.geometry.to_numpy()).query(own, "intersects")
    shared = shapely.area(
        shapely.intersection(own[of_patch], changes.geometry.to_numpy()[of_change])
    )
    return np.bincount(of_patch, shared, len(own)) < PATCH_SHARE * shapely.area(own)


def score_with(run: Path, truth: Path, patches: gpd.GeoDataFrame) -> dict[str, float]:
    """Score a run as if these were its patches."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        patches.to_parquet(folder / "patches.parquet")
        for name in ("findings.parquet", "change.tif"):
            (folder / name).symlink_to(run.resolve() / name)
        return score_run(folder, truth)


def main() -> None:
    """Print one line per model, noise and county, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 11, 12, 13, 14])
    parser.add_argument("--learn", type=int, nargs="+", default=[1, 2], help="counties judged")
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--draws", type=int, default=2, help="draws of the wrong verdicts")
    parser.add_argument("--limits", type=int, nargs="+", default=[900], help="in 1/1000, besides")
    parser.add_argument("--level", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024)
    args = parser.parse_args()
    runs = {s: finished(args.out / str(s), s, args.level, args.size) for s in args.seeds}
    tables = {s: gpd.read_parquet(run / "patches.parquet") for s, (run, _) in runs.items()}
    pseudo = {s: are_pseudo(tables[s], truth) for s, (_, truth) in runs.items()}
    before = {s: score_with(*runs[s], tables[s]) for s in runs}
    rows = []
    for count in args.learn:
        for taught in itertools.combinations(args.seeds, count):
            for draw in range(args.draws):
                rows += _after(args, taught, draw, runs, tables, pseudo, before)
    table = pd.DataFrame(rows)
    with pd.option_context("display.width", 200, "display.max_rows", 1000):
        print(table.drop(columns="fall").to_string(index=False))
        groups = table.groupby(["limit", "counties"])
        figures = groups[["alarms", "left", "recall", "recall_after", "fall"]].mean()
        worst = groups["fall"].min().rename("least fall")
        print(figures.join(worst).round(4).to_string())


def _after(args, taught, draw, runs, tables, pseudo, before) -> list[dict[str, object]]:
    parts = [tables[s].assign(pseudo=pseudo[s]) for s in taught]
    joined = pd.concat([p[p["disposition"] == "clue"] for p in parts])
    judged = joined.sort_values("patch_id").reset_index(drop=True)
    wrong = np.random.default_rng([*taught, draw]).random(len(judged)) < args.noise
    told = judged["pseudo"].to_numpy() ^ wrong
    state, held_out, doubted = fit_feedback(patch_features(judged), told, spatial_folds(judged))
    own = held_limit(held_out, told, doubted)
    limits = [("own", own), *((str(n), n) for n in args.limits), ("equal", 0)]
    rows = []
    for seed, (name, limit) in itertools.product(set(runs) - set(taught), limits):
        score = _least(
            lambda n, s=seed: score_with(*runs[s], with_feedback(tables[s], state, n)),
            limit,
            before[seed]["recall"] if name == "equal" else 0.0,
        )
        old = before[seed]
        rows.append(
            {
                "limit": name, "counties": len(taught), "verdicts": len(judged),
                "learned": "+".join(map(str, taught)), "draw": draw, "applied": seed,
                "alarms": old["false_alarms"], "left": score["false_alarms"],
                "recall": old["recall"], "recall_after": score["recall"],
                "fall": 1 - score["false_alarms"] / max(1, old["false_alarms"]),
            }
        )  # fmt: skip
    return rows


def _least(score, limit, recall):
    """Return the score at the lowest limit from `limit` on with at least this recall."""
    found, high = score(limit), 1001
    if found["recall"] >= recall:
        return found
    while high - limit > 1:
        middle = (limit + high) // 2
        told = score(middle)
        limit, high = (limit, middle) if told["recall"] >= recall else (middle, high)
    return score(high)


if __name__ == "__main__":
    main()
