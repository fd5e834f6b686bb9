"""Works small runs, then prints the kernels that have no compiled signature; run as a module."""

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import get_args

import numpy as np
from numba.core.registry import CPUDispatcher

import detect.kernels
from configs.run import GridSettings, RunConfig
from detect.auto import fit_change, halo_px, score_block
from detect.directions import vector_angles
from detect.magnitudes import fit_vector
from detect.series import SeriesMethod, fit_series, update_series
from flows.runner import change_raster, work_run
from flows.stages import RunOptions
from tests.detect.invented import SIX, block_of, cells_of, changed_pair, uneven

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
    """Return every compiled function of the kernels, the forest and the features, by name."""
    names = [f"detect.kernels.{m.name}" for m in pkgutil.iter_modules(detect.kernels.__path__)]
    found = {}
    for name in (*names, "models.forest", "models.features"):
        for key, value in vars(importlib.import_module(name)).items():
            if isinstance(value, CPUDispatcher):
                found[f"{name}.{key}"] = value
    return found


def work(config_path: Path, out: Path) -> None:
    """Run the chain with every way of detecting change."""
    options = RunOptions(tile=64, workers=2)
    work_run(config_path, out, options, plain=True)
    config = RunConfig.load(config_path).model_copy(update={"layers": None})
    for way in WAYS:
        detection = config.detection.model_copy(update=way)
        chosen = config.model_copy(update={"detection": detection})
        change_raster(chosen, out / "change.tif", options)
    coarse = config.model_copy(update={"grid": GridSettings(resolution=COARSE_M)})
    change_raster(coarse, out / "change.tif", options)


def call() -> None:
    """Call what the small runs do not reach: directions, a pair without one law, series."""
    before, after, _ = changed_pair(bands=len(SIX))
    block = block_of(before, after)
    state = fit_vector(*(d.reshape(len(SIX), -1).T.astype(np.float64) for d in (before, after)))
    vector_angles(block, state)
    vector_angles(block, state, (0, 1))
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
        score_block(block, chosen)
    rng = np.random.default_rng(0)
    days, valid = np.arange(0, 1600, 16), np.ones((100, 4, 4), np.bool_)
    values = rng.normal(0.5, 0.02, (100, 2, 4, 4)).astype(np.float32)
    values[60:] -= 0.4
    for method in get_args(SeriesMethod):
        bands = values if method == "ccdc" else values[:, :1]
        fitted = fit_series(days, bands, valid, method=method)
        update_series(fitted, 1616, bands[-1], valid[-1])


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]))
    call()
    found = kernels()
    idle = sorted(n for n, k in found.items() if not k.nopython_signatures)
    sys.stdout.write(f"{len(found)} kernels\n" + "".join(f"{name}\n" for name in idle))
