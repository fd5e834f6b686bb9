"""Works every kernel on at most 64 x 64 pixels and keeps what comes out; run as a module.

Started twice by `test_interpreted`: with the kernels compiled, and with ``NUMBA_DISABLE_JIT=1``.
"""

import sys
from pathlib import Path
from typing import get_args

import numpy as np
import rasterio

from configs.run import RunConfig
from configs.runparts import GridSettings
from detect.series import SeriesMethod, fit_series, series_breaks, update_series
from flows.runner import change_raster, work_run
from flows.stages import RunOptions
from models.boosting import votes_of
from models.forest import classes_at
from models.growing import grow_boosting, grow_forest
from models.objectfeatures import object_statistics
from models.objects import find_objects
from tests.flows.compiled import COARSE_M, WAYS, pairs
from tests.flows.minicounty import build_mini, write_config
from tiles.grid import Extent

SIDE = 64
Found = dict[str, np.ndarray]


def corner(folder: Path) -> Path:
    """Cut a corner with a new building out of both images of the small county."""
    build_mini(folder)
    for date in ("before", "after"):
        with rasterio.open(folder / f"{date}.tif") as whole:
            part, profile = whole.read(window=((0, SIDE), (0, SIDE))), whole.profile
        small = {"width": SIDE, "height": SIDE, "tiled": False, "blockysize": 8}
        profile.pop("blockxsize", None)
        with rasterio.open(folder / f"{date}-{SIDE}.tif", "w", **profile | small) as out:
            out.write(part)
    return write_config(
        folder,
        before={"scenes": [f"before-{SIDE}.tif"], "date": "2025-04-18"},
        after={"scenes": [f"after-{SIDE}.tif"], "date": "2025-09-06"},
        outputs={"evidence": "none", "pictures": 0, "formats": ["geojson"]},
    )


def run(folder: Path) -> Found:
    """Run the chain, then change alone in every way."""
    config_path, options = corner(folder), RunOptions(tile=SIDE, workers=1)
    work_run(config_path, folder / "runs", options, plain=True)
    (change,) = (folder / "runs").glob("*/change.tif")
    found = {"run": _pixels(change)}
    config = RunConfig.load(config_path).model_copy(update={"layers": None})
    ways = [
        config.model_copy(update={"detection": config.detection.model_copy(update=w)}) for w in WAYS
    ]
    coarse = config.model_copy(update={"grid": GridSettings(resolution=COARSE_M)})
    for number, way in enumerate((*ways, coarse)):
        change_raster(way, path := folder / f"change-{number}.tif", options)
        found[f"way {number}"] = _pixels(path)
    return found


def _pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return np.asarray(raster.read())


def series() -> Found:
    """Fit and go on with every method, over a break and over gaps."""
    rng, found = np.random.default_rng(0), Found()
    days, valid = np.arange(0, 1600, 16), rng.random((100, 4, 4)) > 0.2
    values = rng.normal(0.5, 0.02, (100, 2, 4, 4)).astype(np.float32)
    values[60:, :, :2] -= 0.4
    for method in get_args(SeriesMethod):
        bands = values if method == "ccdc" else values[:, :1]
        fitted = fit_series(days[:50], bands[:50], valid[:50], method=method)
        for number in range(50, 100):
            fitted = update_series(fitted, int(days[number]), bands[number], valid[number])
        told = series_breaks(fitted)
        found[f"series {method}"] = np.stack([told.first_seen, told.confirmed, told.confidence])
        found[f"size of breaks {method}"] = told.magnitude
    return found


def learners() -> Found:
    """Grow and ask the models."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0)
    forest = grow_forest(x, y, n_classes=3, trees=4, depth=3, seed=0)
    planes = rng.normal(size=(4, 40, 40)).astype(np.float32)
    objects = find_objects(planes, np.ones((40, 40), np.bool_), Extent(0, 0, 40, 40))
    return {
        "forest": classes_at(forest, x),
        "boosting": votes_of(grow_boosting(x, y, n_classes=3, rounds=2, depth=3, seed=0), x),
        "objects": object_statistics(objects, planes, 2),
    }


if __name__ == "__main__":
    place = Path(sys.argv[1])
    np.savez(place / "found.npz", **run(place), **pairs((SIDE, SIDE)), **series(), **learners())
