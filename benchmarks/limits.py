"""The limits of the machine: decoding by GDAL, memory, disk. Each is asked in a fresh process.

Run ``python -m benchmarks.limits decode THREADS FILE …``, ``memory`` or ``disk FOLDER``; prints one
line of JSON.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import bandwidth_gain, cpu_seconds

DISK_BYTES = 1 << 30
CHUNK = 8 << 20


def decode(files: Sequence[Path], threads: int) -> dict[str, float]:
    """Read every block of some rasters by GDAL, each thread by handles of its own.

    Parameters
    ----------
    files : sequence of Path
    threads : int

    Returns
    -------
    dict
        ``wall`` and ``cpu`` seconds, ``bytes`` of the pixels.
    """
    import rasterio

    jobs = []
    for path in files:
        with rasterio.open(path) as raster:
            rows = sorted({window.row_off for _, window in raster.block_windows(1)})
            jobs += [(path, row) for row in rows]

    def work(number: int) -> int:
        moved, handles = 0, {path: rasterio.open(path) for path in files}
        for path, row in jobs[number::threads]:
            raster = handles[path]
            high = min(raster.block_shapes[0][0], raster.height - row)
            for col in range(0, raster.width, raster.block_shapes[0][1]):
                wide = min(raster.block_shapes[0][1], raster.width - col)
                moved += raster.read(window=((row, row + high), (col, col + wide))).nbytes
        for raster in handles.values():
            raster.close()
        return moved

    wall, cpu = time.perf_counter(), cpu_seconds()
    with rasterio.Env(GDAL_CACHEMAX=64), ThreadPoolExecutor(threads) as pool:
        moved = sum(pool.map(work, range(threads)))
    return {
        "wall": time.perf_counter() - wall,
        "cpu": cpu_seconds() - cpu,
        "bytes": float(moved),
    }


def memory() -> dict[str, float]:
    """Return GB/s of a triad on one and on two threads."""
    speed, gain = bandwidth_gain(5)
    return {"triad_1": speed, "triad_2": speed * gain}


def disk(folder: Path) -> dict[str, float]:
    """Return GB/s of writing a file until it is safe, and of reading it when it is not cached."""
    path = folder / "disk.part"
    block = os.urandom(CHUNK)
    try:
        began = time.perf_counter()
        with path.open("wb", buffering=0) as handle:
            for _ in range(DISK_BYTES // CHUNK):
                handle.write(block)
            os.fsync(handle.fileno())
        written = time.perf_counter() - began
        with path.open("rb", buffering=0) as handle:
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            began = time.perf_counter()
            while handle.read(CHUNK):
                pass
        read = time.perf_counter() - began
    finally:
        path.unlink(missing_ok=True)
    return {"write": DISK_BYTES / written / 1e9, "read": DISK_BYTES / read / 1e9}


def main() -> None:
    """Print one limit as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("limit", choices=("decode", "memory", "disk"))
    parser.add_argument("more", nargs="*")
    told = parser.parse_args()
    found: dict[str, Any] = {}
    if told.limit == "decode":
        found = decode([Path(name) for name in told.more[1:]], int(told.more[0]))
    elif told.limit == "memory":
        found = memory()
    else:
        found = disk(Path(told.more[0]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
