"""A scene larger than the memory that is allowed is prepared within it."""

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import rasterio
from affine import Affine
from scipy import ndimage

from tests.flows.command import run_folder, start, unfinished

LIMIT = 560 << 20
SIDE, BANDS = 6144, 4


def write_scene(path: Path, shift: tuple[float, float] = (0.0, 0.0)) -> None:
    """Write 604 MB of float32 that take little room on the disk."""
    noise = np.random.default_rng(0).uniform(100, 4000, (BANDS, 512, 512))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2), mode="wrap")
    cell = ndimage.shift(smooth, (0, *shift), mode="grid-wrap").astype(np.float32)
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": BANDS,
        "height": SIDE,
        "width": SIDE,
        "crs": "EPSG:32650",
        "transform": Affine(10, 0, 500000, 0, -10, 4000000),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "zstd",
        "zstd_level": 1,
    }
    with rasterio.open(path, "w", **profile) as raster:
        for row in range(0, SIDE, 512):
            for col in range(0, SIDE, 512):
                raster.write(cell, window=rasterio.windows.Window(col, row, 512, 512))


def proportional_bytes(process: psutil.Process) -> int:
    """Return the memory of a process and all its children; what they share counts once."""
    total = 0
    for part in (process, *process.children(recursive=True)):
        with suppress(psutil.Error, OSError):
            lines = Path(f"/proc/{part.pid}/smaps_rollup").read_text(encoding="ascii").split("\n")
            total += next(int(x.split()[1]) << 10 for x in lines if x.startswith("Pss:"))
    return total


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
def test_a_scene_larger_than_the_memory(tmp_path: Path):
    write_scene(tmp_path / "first.tif")
    write_scene(tmp_path / "second.tif", (1.4, -2.3))
    assert SIDE * SIDE * BANDS * 4 > LIMIT
    config = tmp_path / "c.yaml"
    config.write_text(
        "name: big\nbefore: {scenes: [first.tif], date: 2024-03-05}\n"
        "after: {scenes: [second.tif], date: 2025-03-05}\nclouds: {search: never}\n"
    )
    process = start("prepare", config, "-o", tmp_path / "runs", "--memory", LIMIT, "--quiet")
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        with suppress(psutil.Error):
            peak = max(peak, proportional_bytes(watched))
        time.sleep(0.05)
    _, told = process.communicate()
    assert process.returncode == 0, told[-2000:]
    assert 100 << 20 < peak <= LIMIT, f"{peak / 2**20:.0f} MiB"
    folder = run_folder(tmp_path / "runs")
    assert not unfinished(folder)
    window = rasterio.windows.Window(5 * 512, 7 * 512, 512, 512)
    dates = []
    for name in ("before/first.tif", "after/second.tif"):
        with rasterio.open(folder / "prepared" / name) as raster:
            assert raster.shape == (SIDE, SIDE)
            dates.append(raster.read(window=window))
    with rasterio.open(tmp_path / "first.tif") as source:
        truth = source.read(window=window)
    np.testing.assert_array_equal(dates[0], truth)
    assert (dates[1] - truth).std() < 0.1 * truth.std()
