"""Works small runs, then prints the kernels that have no compiled signature; run as a module."""

import importlib
import pkgutil
import sys
from pathlib import Path

from numba.core.registry import CPUDispatcher

import detect.kernels
from configs.run import GridSettings, RunConfig
from flows.runner import change_raster, work_run
from flows.stages import RunOptions

WAYS: tuple[dict[str, str], ...] = (
    {"method": "cva"},
    {"method": "irmad"},
    {"method": "logratio"},
    {"method": "omnibus"},
    {"method": "index:NDVI"},
    {"method": "auto", "target": "construction"},
)
COARSE_M = 30.0
"""At coarse pixels ``auto`` asks IR-MAD too."""


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


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]))
    found = kernels()
    idle = sorted(n for n, k in found.items() if not k.nopython_signatures)
    sys.stdout.write(f"{len(found)} kernels\n" + "".join(f"{name}\n" for name in idle))
