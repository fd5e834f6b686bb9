"""Shifts between dates are found, with the right sign and an honest residual."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tiles.block import Block
from tiles.coregister import estimate_registration, register_pair
from tiles.gradients import gradient_magnitude
from tiles.grid import Extent
from tiles.registration import Registration

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


def test_registration_length() -> None:
    assert Registration(3.0, -4.0, 1, 1, 0.0).length_px == 5.0


def field(terms: tuple[tuple[float, float], ...]) -> Registration:
    return Registration(1.25, -0.5, 9, 9, 0.1, origin=(300.0, 200.0), terms=terms)


@pytest.mark.parametrize("count", [0, 2, 5])
def test_a_cell_is_moved_as_the_model_says(count: int) -> None:
    terms = ((2.0, 9.0), (-9.0, 1.0), (3.0, 1.0), (-2.0, 0.5), (1.0, 4.0))[:count]
    registration = field(terms)
    cell = Extent(256, 512, 512, 768)
    place = registration.cell_affine(cell)
    rows, cols = np.array([256.5, 384.0, 500.0]), np.array([767.5, 640.0, 520.0])
    wanted = np.stack([rows, cols], 1) - registration.displacement(rows, cols)
    moved_to = [place @ (c - cell.col0, r - cell.row0) for r, c in zip(rows, cols, strict=True)]
    found = [(y + cell.row0, x + cell.col0) for x, y in moved_to]
    np.testing.assert_allclose(found, wanted, atol=registration.bend_px(256) + 1e-9)
    assert (registration.bend_px(256) > 0) == (count == 5)


def test_corrections_add_up() -> None:
    both = field(((2.0, 9.0), (-9.0, 1.0))).followed_by(field(()))
    assert (both.dy, both.dx, both.model) == (2.5, -1.0, "affine")
    assert both.terms == ((2.0, 9.0), (-9.0, 1.0))


def bent_blocks(texture: Texture, terms: tuple[tuple[float, float], ...]) -> list[Block]:
    """Return cells of a scene whose after date is displaced by a field."""
    size = 1024
    true = Registration(0.4, -0.6, 9, 9, 0.0, origin=(size / 2, size / 2), terms=terms)
    before = np.stack([texture((size, size), s) for s in range(2)])
    rows, cols = np.indices((size, size)).reshape(2, -1) + 0.5
    at = np.stack([rows, cols]) + true.displacement(rows, cols).T - 0.5
    after = np.stack([ndimage.map_coordinates(b, at, mode="wrap") for b in before])
    whole = block_of(before, after.reshape(before.shape))
    blocks = []
    for cell in whole.extent.cells():
        at_cell = (slice(None), *cell.slices_in(whole.extent))
        part = block_of(whole.before[at_cell], whole.after[at_cell])
        blocks.append(
            Block(cell, cell, part.bands, part.before, part.after, part.valid, part.source)
        )
    return blocks


@pytest.mark.slow
@pytest.mark.parametrize(
    ("terms", "model"),
    [
        ((), "shift"),
        (((0.5, 4.0), (-4.0, 0.5)), "affine"),
        (((0.0, 1.0), (1.0, 0.0), (1.4, 0.6), (0.2, -0.3), (-0.6, 1.0)), "field"),
    ],
)
def test_the_poorest_sufficient_model_is_chosen(
    texture: Texture, terms: tuple[tuple[float, float], ...], model: str
) -> None:
    blocks = bent_blocks(texture, terms)
    found = estimate_registration(blocks)
    assert found.model == model
    rows = cols = np.linspace(100.0, 900.0, 9)
    true = Registration(0.4, -0.6, 9, 9, 0.0, origin=(512.0, 512.0), terms=terms)
    left = found.displacement(rows, cols) - true.displacement(rows, cols)
    assert np.hypot(*left.T).max() < 0.1


def test_a_correction_that_makes_it_worse_is_not_kept(texture: Texture) -> None:
    wrong = [shifted_block(texture, 1.0, 0.5)]
    worse = [shifted_block(texture, 2.0, 1.0)]
    result = register_pair(lambda move: wrong if move is None else worse)
    assert result.found.length_px == pytest.approx(np.hypot(1.0, 0.5), abs=0.05)
    assert result.applied.length_px == 0.0
    assert result.left == result.found


def test_gradient_magnitude_is_that_of_scipy():
    image = np.random.default_rng(0).uniform(0, 4000, (40, 53)).astype(np.float32)
    expected = ndimage.gaussian_gradient_magnitude(image.astype(np.float64), 1.0)
    np.testing.assert_allclose(gradient_magnitude(image), expected, rtol=1e-10)
