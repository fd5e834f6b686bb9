"""What a join holds does not grow with what the tiles tell of large components."""

import dataclasses
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from detect.components import join, label_tile
from detect.cover_runs import cover_runs, wanted_pixels
from tiles.grid import Extent

TALL, WIDE, STEP, SIDE = 132, 528, 11, 9
"""Rows of a band, columns, distance and side of the squares that changed."""
COVERS, LARGE = 3, 64


def band(number: int, bands: int):
    """Return the one tile of a band: squares in which every pixel has covers of its own."""
    core = Extent(number * TALL, 0, (number + 1) * TALL, WIDE)
    rows, cols = np.indices(core.shape)
    weak = (rows % STEP < SIDE) & (cols % STEP < SIDE)
    scores = SimpleNamespace(weak=weak, strong=weak, score=weak.astype(np.uint16) * 20_000)
    runs = label_tile(scores, core, Extent(0, 0, bands * TALL, WIDE))
    draw = np.random.default_rng(number)
    runs = runs.with_votes(draw.integers(0, 9, (len(runs.members), 2, COVERS)))
    pixels = wanted_pixels(runs, LARGE)
    votes = draw.integers(0, 99, (len(pixels[0]), 2, COVERS))
    return dataclasses.replace(runs, covers=cover_runs(pixels, votes, scores, core))


def worked(tiles, folder):
    """Join tiles; return how many components and cover runs there are."""
    found = join(tiles, large_px=LARGE, scratch=folder, batch_runs=20_000)
    runs = sum(len(covers) for covers, _ in found.large.batches())
    return sum(len(some) for some in found.batches(100)), runs


def measured(bands: int, folder):
    """Return the same of some bands, and the bytes that joining took."""
    tracemalloc.start()
    try:
        counts = worked((band(number, bands) for number in range(bands)), folder)
        return *counts, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_more_bands_take_little_more(tmp_path):
    worked([band(0, 1)], tmp_path)  # kernels are loaded once
    few, runs, low = measured(2, tmp_path)
    many, more_runs, high = measured(10, tmp_path)
    assert many == 5 * few
    assert more_runs > 4.9 * runs > 100 * few
    per_component = (high - low) / (many - few)
    # in memory the 60 runs of covers of a component alone took 5,000 bytes
    assert per_component < 2500, f"{per_component:.0f} bytes"
