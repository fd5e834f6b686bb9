"""Speed and memory of `score_block` with ``auto``: CPU seconds on one thread.

Run ``python -m benchmarks.scoring_speed [--side 4096]``. The pair is invented: six bands of 10 m,
two dates that differ by gain, noise and some buildings. Scored once as one block and once in tiles
of 1024 pixels as a run does; memory is what is allocated beside the block itself.
"""

import argparse
import time
import tracemalloc

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from detect.auto import fit_change, halo_px, score_block
from detect.score import ChangeState, cut_block
from tiles.block import Block
from tiles.grid import Extent

WAVELENGTHS = (0.49, 0.56, 0.665, 0.84, 1.61, 2.19)
PIXEL_M = 10.0
TILE = 1024


def invented(side: int, halo: int) -> Block:
    """Return a pair with its halo."""
    core = Extent(0, 0, side, side)
    extent = core.expand(halo)
    rng = np.random.default_rng(7)
    cell = rng.standard_normal((6, 512, 512)).astype(np.float32)
    ground = np.stack([gaussian_filter(plane, 2, mode="wrap") for plane in cell])
    repeats = -(-max(extent.shape) // 512)
    before = np.tile(ground, (1, repeats, repeats))[:, : extent.shape[0], : extent.shape[1]]
    after = 1.2 * before + 0.1 + 0.05 * rng.standard_normal(before.shape, np.float32)
    for row, col in rng.integers(0, side, (side // 16, 2)):
        after[:, row : row + 8, col : col + 8] += 1
    valid = np.ones(extent.shape, np.bool_)
    source = np.zeros((2, *extent.shape), np.uint8)
    bands = tuple(f"b{i}" for i in range(6))
    return Block(extent, core, bands, planes(before), planes(after), valid, source)


def planes(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return planes as a reader hands them over."""
    return np.ascontiguousarray(values, np.float32)


def measured(block: Block, state: ChangeState) -> float:
    """Return the CPU seconds of scoring a block."""
    start = time.process_time()
    score_block(block, state)
    return time.process_time() - start


def main() -> None:
    """Print speed and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    halo = halo_px("auto", PIXEL_M)
    whole = invented(options.side, halo)
    tiles = [cut_block(whole, tile, halo) for tile in whole.core.cells(TILE)]
    state = fit_change(
        tiles[:2],
        method="auto",
        sensitivity="medium",
        target="any",
        pixel_m=PIXEL_M,
        wavelengths=WAVELENGTHS,
    )
    score_block(tiles[0], state)
    for name, blocks in (("one block", [whole]), (f"tiles of {TILE}", tiles)):
        seconds = min(sum(measured(b, state) for b in blocks) for _ in range(options.repeats))
        tracemalloc.start()
        score_block(blocks[0], state)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        size = options.side**2 / 1e6
        print(
            f"{name}: {size:.1f} Mpx, {seconds:.2f} CPU s, {size / seconds:.2f} Mpx/s, "
            f"{peak:.0f} MB beside a block of {blocks[0].core.shape} pixels"
        )


if __name__ == "__main__":
    main()
