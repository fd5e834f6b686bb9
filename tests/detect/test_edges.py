"""The outline of a change ends where the change does, not where its smoothing does."""

import numpy as np
import pytest
from scipy import ndimage

from detect.edges import EDGE_PERCENT, edge_radius, inside_edge


def blurred_square(side: int, sigma: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    truth = np.zeros((80, 80), bool)
    truth[20 : 20 + side, 20 : 20 + side] = True
    magnitude = ndimage.gaussian_filter(truth * height, sigma) + 1.0
    return truth, magnitude


@pytest.mark.parametrize(("pixel_m", "radius"), [(2.0, 19), (10.0, 3), (20.0, 1), (30.0, 0)])
def test_the_window_follows_the_smoothing(pixel_m: float, radius: int):
    assert edge_radius(pixel_m) == radius


@pytest.mark.parametrize("height", [6.0, 8.0, 10.0])  # magnitudes are cut there
def test_the_outline_does_not_grow_with_the_strength_of_the_change(height: float):
    truth, magnitude = blurred_square(24, 2.0, height)
    score = (1000 * magnitude).astype(np.uint16)
    fixed = score >= 4000
    kept = fixed & inside_edge(score, edge_radius(10.0))
    assert kept.sum() <= fixed.sum()
    assert abs(kept.sum() / truth.sum() - 1) < 0.2
    assert (kept & truth).sum() / (kept | truth).sum() > 0.8


def test_a_pixel_needs_the_share_of_the_highest_score_nearby():
    rng = np.random.default_rng(3)
    score = rng.integers(0, 65_535, (40, 50), dtype=np.uint16)
    reference = np.zeros(score.shape, bool)
    for r in range(40):
        for c in range(50):
            window = score[max(0, r - 2) : r + 3, max(0, c - 2) : c + 3]
            reference[r, c] = 100 * int(score[r, c]) >= EDGE_PERCENT * int(window.max())
    assert (inside_edge(score, 2) == reference).all()
    assert inside_edge(score, 0).all()
