"""Change of texture and of structure against plain NumPy, and what they must not answer to."""

import numpy as np
import pytest

from detect.auto import fit_change, halo_px, score_block
from detect.sample import draw_pixels
from detect.texture import fit_texture, texture_halo, texture_statistic
from tests.detect.invented import block_of, cells_of, landscape

RGB = (0.66, 0.56, 0.48)
PIXEL_M = 4.0
SHAPE = (150, 160)


@pytest.fixture(scope="module")
def pair():
    """The same ground in another light; in one corner rougher, in another another pattern."""
    before = landscape(SHAPE, 3, 1)
    after = before + np.random.default_rng(1).normal(0, 0.004, before.shape)
    rough, other = np.zeros((2, *SHAPE), np.bool_)
    rough[10:50, 10:50] = other[90:130, 100:140] = True
    mean = after[:, rough].mean(axis=1, keepdims=True)
    after[:, rough] = mean + 5 * (after[:, rough] - mean)
    after[:, other] = landscape(SHAPE, 3, 8)[:, other]
    return before, (1.2 * after + 0.03).astype(np.float32), rough, other


def fitted(before, after, structure):
    block = block_of(before, after, halo=texture_halo(PIXEL_M))
    pixels = draw_pixels(cells_of(block, texture_halo(PIXEL_M)), limit=100_000)
    state = fit_texture(pixels, wavelengths=RGB, pixel_m=PIXEL_M, structure=structure)
    return block, state, texture_statistic(block, state, PIXEL_M)


def windows(block, state, row, col):
    """Return the robust scores of both dates in the window around a pixel, clipped."""
    radius = texture_halo(PIXEL_M)
    where = np.s_[:, row - radius : row + radius + 1, col - radius : col + radius + 1]
    for image, scale in ((block.before, state.scale_before), (block.after, state.scale_after)):
        scores = (image[where] - scale.centre[:, None, None]) * scale.inverse[:, None, None]
        yield np.clip(scores, -6, 10).reshape(3, -1).astype(np.float64)


@pytest.mark.parametrize("structure", [False, True])
def test_the_statistic_is_that_of_numpy(pair, structure):
    block, state, found = fitted(*pair[:2], structure)
    for row, col in ((30, 30), (75, 80), (110, 120), (47, 52)):
        first, second = windows(block, state, row, col)
        floor = 0.05
        spreads = first.var(axis=1) + floor, second.var(axis=1) + floor
        if structure:
            both = (first * second).mean(axis=1) - first.mean(axis=1) * second.mean(axis=1) + floor
            wanted = 1 - max(0, float(np.mean(both / np.sqrt(spreads[0] * spreads[1]))))
        else:
            ratio = 0.5 * np.log(spreads[1] / spreads[0])
            wanted = np.linalg.norm(np.clip((ratio - state.centre) * state.inverse, -6, 6))
        assert found[row, col] == pytest.approx(wanted, rel=2e-3, abs=2e-4)


@pytest.mark.parametrize(("method", "changed"), [("texture", 2), ("structure", 3)])
def test_each_finds_its_own_and_light_is_no_change(pair, method, changed):
    block = block_of(*pair[:2], halo=halo_px(method, PIXEL_M))
    state = fit_change(
        cells_of(block, block.core.row0 - block.extent.row0),
        method=method,
        sensitivity="medium",
        target="any",
        pixel_m=PIXEL_M,
        wavelengths=RGB,
    )
    strong = score_block(block, state).strong
    assert strong[pair[changed]].mean() > 0.7
    assert strong[~(pair[2] | pair[3])].mean() < 0.15
    assert "of windows" in state.notes[-1]


def test_texture_is_of_the_visible_bands():
    before = landscape(SHAPE, 4, 1)
    after = before.copy()
    after[3] = landscape(SHAPE, 4, 9)[3] * 9
    block = block_of(before, after, halo=texture_halo(PIXEL_M))
    pixels = draw_pixels(cells_of(block, texture_halo(PIXEL_M)), limit=100_000)
    state = fit_texture(pixels, wavelengths=(*RGB, 0.84), pixel_m=PIXEL_M, structure=False)
    assert state.visible == (0, 1, 2)
    assert (texture_statistic(block, state, PIXEL_M) < 1e-3).all()


def test_flat_windows_are_alike():
    before = np.full((3, 40, 40), 0.2, np.float32)
    found = fitted(before, before + np.float32(0.1), structure=True)[2]
    assert found == pytest.approx(0, abs=1e-3)
