"""Functions that workers of the tests import."""

import os
import time
from pathlib import Path

import numpy as np

from configs.errors import ConfigError, RasterError, ResourceError


def square(tile: int) -> int:
    return tile * tile


def slow_square(tile: int) -> int:
    time.sleep(0.05)
    return tile * tile


def sleep_long(tile: int) -> int:
    time.sleep(0.2 if tile == 0 else 30)
    return tile


def count_flying(tile: int, folder: Path) -> int:
    """Return how many tiles were started and not yet reported done by the driver."""
    (folder / f"started-{tile}").touch()
    time.sleep(0.02)
    return len(list(folder.glob("started-*"))) - len(list(folder.glob("done-*")))


def fails_twice(tile: int, folder: Path) -> int:
    """Tile 3 cannot be read the first two times."""
    if tile == 3:
        attempts = len(list(folder.glob("attempt-*")))
        if attempts < 2:
            (folder / f"attempt-{attempts}").touch()
            raise OSError(5, "input/output error")
    return tile


def never_reads(tile: int) -> int:
    if tile % 4 == 1:
        raise RasterError("block 7 cannot be decoded", "scene.tif", "copy the file again")
    return tile


def nothing_reads(tile: int) -> int:
    raise RasterError(f"block {tile} cannot be decoded", "scene.tif", "copy the file again")


def misconfigured(tile: int) -> int:
    raise ConfigError("the window is even", "config", "use an odd one")


def fills_disk(tile: int) -> int:
    raise ResourceError("no space left on the disk", "tile.npz", "free some space")


TAKEN = 250 << 20


def takes_memory(tile: int, folder: Path) -> int:
    """Hold memory for a moment; return how many tiles do so at the same time."""
    (folder / f"in-{tile}").touch()
    held = np.ones(TAKEN, np.uint8)
    time.sleep(0.3)
    count = len(list(folder.glob("in-*"))) - len(list(folder.glob("out-*")))
    (folder / f"out-{tile}").touch()
    return count * int(held[-1])


def dies(tile: int) -> int:
    if tile == 5:
        os._exit(7)
    return tile


def environment(tile: int) -> tuple[str | None, str | None]:
    return os.environ.get("OMP_NUM_THREADS"), os.environ.get("GDAL_CACHEMAX")
