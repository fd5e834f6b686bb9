"""Works small runs, then prints the kernels that have no compiled signature; run as a module."""

import importlib
import pkgutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from numba.core.registry import CPUDispatcher

import clues.kernels
import detect.kernels
from configs.run import RunConfig
from configs.runparts import GridSettings
from detect.auto import fit_change, halo_px, score_block
from detect.directions import vector_angles
from detect.magnitudes import fit_vector
from detect.series import SeriesMethod, fit_series, update_series
from flows.rehearsal import rehearse_cutting
from flows.runner import change_raster, work_run
from flows.stages import RunOptions
from models.boosting import votes_of
from models.forest import classes_at
from models.growing import grow_boosting, grow_forest
from models.objectfeatures import object_statistics
from models.objects import find_objects
from tests.detect.invented import SIX, block_of, cells_of, changed_pair, uneven
from tiles.grid import Extent

LEARNERS = tuple(
    f"models.{name}"
    for name in ("forest", "features", "treegrowing", "boosting", "objects", "objectfeatures")
)
WAYS: tuple[dict[str, str], ...] = (
    {"method": "cva"},
    {"method": "irmad"},
    {"method": "isfa"},
    {"method": "texture"},
    {"method": "structure"},
    {"method": "logratio"},
    {"method": "omnibus"},
    {"method": "index:NDVI"},
    {"method": "auto", "target": "construction"},
)
COARSE_M = 30.0
"""At coarse pixels ``auto`` multiplies IR-MAD in."""


def kernels() -> dict[str, CPUDispatcher]:
    """Return every compiled function of the kernels and of the models, by name."""
    names = [
        f"{room.__name__}.{m.name}"
        for room in (clues.kernels, detect.kernels)
        for m in pkgutil.iter_modules(room.__path__)
    ]
    found = {}
    for name in (*names, *LEARNERS):
        for key, value in vars(importlib.import_module(name)).items():
            if isinstance(value, CPUDispatcher):
                found[f"{name}.{key}"] = value
    return found


def work(config_path: Path, out: Path) -> None:
    """Run the chain with every way of detecting change."""
    options = RunOptions(tile=64, workers=1)  # nothing is compiled beside
    work_run(config_path, out, options, plain=True)
    config = RunConfig.load(config_path).model_copy(update={"layers": None})
    for way in WAYS:
        detection = config.detection.model_copy(update=way)
        chosen = config.model_copy(update={"detection": detection})
        change_raster(chosen, out / "change.tif", options)
    coarse = config.model_copy(update={"grid": GridSettings(resolution=COARSE_M)})
    change_raster(coarse, out / "change.tif", options)


def pairs(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Work what small runs do not reach: directions, a pair without one law."""
    before, after, _ = changed_pair(shape, bands=len(SIX))
    block, found = block_of(before, after), dict[str, np.ndarray]()
    state = fit_vector(*(d.reshape(len(SIX), -1).T.astype(np.float64) for d in (before, after)))
    found["angles"] = vector_angles(block, state)
    found["angles of two bands"] = vector_angles(block, state, (0, 1))
    block = uneven(before, after)
    for pixel_m in (10.0, COARSE_M):
        chosen = fit_change(
            cells_of(block, halo_px("auto", pixel_m)),
            method="auto",
            sensitivity="medium",
            target="any",
            pixel_m=pixel_m,
            wavelengths=SIX,
        )
        found[f"auto at {pixel_m:g} m"] = score_block(block, chosen).score
    return found


def series() -> None:
    """Fit a break with every method and go on."""
    rng = np.random.default_rng(0)
    days, valid = np.arange(0, 1600, 16), np.ones((100, 4, 4), np.bool_)
    values = rng.normal(0.5, 0.02, (100, 2, 4, 4)).astype(np.float32)
    values[60:] -= 0.4
    for method in get_args(SeriesMethod):
        bands = values if method == "ccdc" else values[:, :1]
        fitted = fit_series(days, bands, valid, method=method)
        update_series(fitted, 1616, bands[-1], valid[-1])


def learn() -> None:
    """Call the models that a run asks for only where it is told to."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0)
    forest = grow_forest(x, y, n_classes=3, trees=4, depth=3, seed=0)
    classes_at(replace(forest, shares=np.full_like(forest.shares, 1 / 3)), x)
    votes_of(grow_boosting(x, y, n_classes=3, rounds=2, depth=3, seed=0), x)
    planes = rng.normal(size=(4, 40, 40)).astype(np.float32)
    objects = find_objects(planes, np.ones((40, 40), np.bool_), Extent(0, 0, 40, 40))
    object_statistics(objects, planes, 2)


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]))
    pairs((160, 180))
    series()
    learn()
    rehearse_cutting()
    found = kernels()
    idle = sorted(n for n, k in found.items() if not k.nopython_signatures)
    sys.stdout.write(f"{len(found)} kernels\n" + "".join(f"{name}\n" for name in idle))
