"""Shifts between dates are found, with the right sign and an honest residual."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tiles.block import Block
from tiles.coregister import estimate_registration, register_pair
from tiles.grid import Extent, sample_cells
from tiles.reader import PairReader, common_bands, default_grid, pair_extent
from tiles.registration import Registration
from tiles.sensors import open_epoch

Texture = Callable[..., NDArray[np.float32]]


def block_of(
    before: NDArray[np.float32], after: NDArray[np.float32], valid: NDArray[np.bool_] | None = None
) -> Block:
    extent = Extent(0, 0, *before.shape[1:])
    valid = np.ones(extent.shape, np.bool_) if valid is None else valid
    names = tuple(f"band{i}" for i in range(len(before)))
    source = np.zeros((2, *extent.shape), np.uint8)
    return Block(extent, extent, names, before * valid, after * valid, valid, source)


def moved(image: NDArray[np.float32], dy: float, dx: float) -> NDArray[np.float32]:
    """Move the content down and right by a fraction of a pixel, in the frequency domain."""
    spectrum = ndimage.fourier_shift(np.fft.fft2(image), (dy, dx))
    return np.fft.ifft2(spectrum).real.astype(np.float32)


def shifted_block(
    texture: Texture, dy: float, dx: float, size: int = 256, noise: float = 0.0, seed: int = 0
) -> Block:
    big = np.stack([texture((size + 40, size + 40), seed + s) for s in range(3)])
    cut = (slice(None), slice(20, -20), slice(20, -20))
    after = np.stack([moved(b, dy, dx) for b in big])[cut]
    after = 1.7 * after - 0.05 + noise * np.random.default_rng(seed).standard_normal(after.shape)
    return block_of(big[cut], after.astype(np.float32))


@pytest.mark.parametrize(
    ("dy", "dx"),
    [(0.0, 0.0), (0.3, -0.7), (-1.3, 2.7), (0.8, 0.8), (-0.5, -0.5), (6.4, -5.25), (0.0, 1.0)],
)
def test_sub_pixel_shifts_are_recovered(texture: Texture, dy: float, dx: float) -> None:
    blocks = [shifted_block(texture, dy, dx, seed=10 * i, noise=0.01) for i in range(3)]
    found = estimate_registration(blocks)
    # Content that lies dy too low must be moved up.
    assert (found.dy, found.dx) == pytest.approx((-dy, -dx), abs=0.1)
    assert (found.windows, found.used) == (27, 27)
    assert found.residual_px < 0.1


def test_a_small_shift_is_not_worth_a_resampling(texture: Texture) -> None:
    blocks = [shifted_block(texture, 0.03, -0.02)]
    result = register_pair(lambda _: blocks)
    assert result.found.used == 9
    assert (result.applied.dy, result.applied.dx) == (0.0, 0.0)


def test_changed_windows_are_outvoted(texture: Texture) -> None:
    blocks = [shifted_block(texture, 1.2, -0.4, seed=10 * i) for i in range(5)]
    other = np.stack([texture((256, 256), 900 + s) for s in range(3)])
    blocks[1] = block_of(blocks[1].before, other)
    blocks[3] = shifted_block(texture, -4.0, 4.0, seed=500)
    found = estimate_registration(blocks)
    assert (found.dy, found.dx) == pytest.approx((-1.2, 0.4), abs=0.1)
    assert found.windows == 45
    assert 27 <= found.used <= 30


def test_local_distortion_shows_in_the_residual(texture: Texture) -> None:
    shifts = [(1.0, 0.0), (0.4, 0.5), (-0.2, 0.0), (0.4, -0.5)]
    blocks = [shifted_block(texture, *s, seed=10 * i) for i, s in enumerate(shifts)]
    found = estimate_registration(blocks)
    assert 0.3 < found.residual_px < 1.0


def test_invalid_pixels_draw_no_edges(texture: Texture) -> None:
    block = shifted_block(texture, 1.4, -2.2)
    rng = np.random.default_rng(1)
    valid = ndimage.zoom(rng.random((8, 8)), 32, order=0) > 0.25
    found = estimate_registration([block_of(block.before, block.after, valid)])
    assert (found.dy, found.dx) == pytest.approx((-1.4, 2.2), abs=0.1)


def test_a_large_shift_is_reported_for_the_gate(texture: Texture) -> None:
    found = estimate_registration([shifted_block(texture, 15.0, -3.0)], max_shift_px=8.0)
    assert (found.dy, found.dx) == pytest.approx((-15.0, 3.0), abs=0.2)
    assert found.length_px > 8.0


@pytest.mark.parametrize("case", ["small", "flat", "cloudy", "none", "unrelated"])
def test_without_evidence_nothing_is_moved(texture: Texture, case: str) -> None:
    image = np.stack([texture((256, 256), s) for s in range(3)])
    other = np.stack([texture((256, 256), 70 + s) for s in range(3)])
    blocks = {
        "small": [block_of(image[:, :60, :60], image[:, 2:62, :60])],
        "flat": [block_of(np.ones_like(image), np.ones_like(image))],
        "cloudy": [block_of(image, image, np.indices((256, 256))[0] < 60)],
        "none": [],
        "unrelated": [block_of(image, other)],
    }[case]
    found = estimate_registration(blocks)
    assert (found.dy, found.dx, found.used, found.residual_px) == (0.0, 0.0, 0, 0.0)
    assert found.windows == {"flat": 9, "unrelated": 9}.get(case, 0)


@pytest.mark.parametrize(
    ("city", "dy", "dx"),
    [
        ("beihai", -0.8, -0.8),
        ("bordeaux", 0.15, -0.8),
        ("saclay_e", 0.0, -1.0),
        ("bercy", -0.05, -0.55),
    ],
)
def test_offsets_of_real_pairs(data_dir: Path, city: str, dy: float, dx: float) -> None:
    before, after = (open_epoch([data_dir / "oscd" / city / f"imgs_{i}"]) for i in (1, 2))
    grid = default_grid(before, after)
    bands = common_bands(before, after)
    cells = sample_cells(pair_extent(before, after, grid), 0)
    with PairReader(before, after, grid, bands=bands) as reader:
        found = estimate_registration([reader.read(cell) for cell in cells])
    assert (found.dy, found.dx) == pytest.approx((dy, dx), abs=0.25)
    assert found.used >= 4
    with PairReader(before, after, grid, bands=bands, registration=found) as reader:
        left = estimate_registration([reader.read(cell) for cell in cells])
    assert left.length_px < 0.1
    assert left.residual_px < 0.5


def test_registration_length() -> None:
    assert Registration(3.0, -4.0, 1, 1, 0.0).length_px == 5.0
