"""Indices against their formulas, and the change of an index."""

import numpy as np
import pytest

from configs.errors import InputError
from configs.indices import spectral_index
from detect.indices import fit_index, index_statistic
from detect.sample import draw_pixels
from tests.detect.invented import SIX, block_of, changed_pair

FORMULAS = {
    "NDVI": lambda b, g, r, n, s, t: (n - r) / (n + r),
    "NDBI": lambda b, g, r, n, s, t: (s - n) / (s + n),
    "NDWI": lambda b, g, r, n, s, t: (g - n) / (g + n),
    "MNDWI": lambda b, g, r, n, s, t: (g - s) / (g + s),
    "SAVI": lambda b, g, r, n, s, t: 2 * (n - r) / (n + r + 1),
    "EVI": lambda b, g, r, n, s, t: 2.5 * (n - r) / (n + 6 * r - 7.5 * b + 1),
    "BSI": lambda b, g, r, n, s, t: ((s + r) - (n + b)) / ((s + r) + (n + b)),
}


@pytest.mark.parametrize("unit", [1.0, 10_000.0])
@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_every_index_is_its_formula(name, unit):
    before, after, _ = changed_pair((40, 40))
    dates = [np.clip(d, 0.1, 1) * unit for d in (before, after)]
    for date in dates:
        date[0] *= 0.1
    block = block_of(*dates)
    state = fit_index(draw_pixels([block], limit=10**6), name, SIX)
    values = [FORMULAS[name](*(d.astype(np.float64) / unit)) for d in dates]
    change = values[1] - values[0]
    assert state.centre == pytest.approx(np.median(change), abs=1e-3)
    spread = 1.4826 * np.median(np.abs(change - np.median(change)))
    assert 1 / state.inverse_scale == pytest.approx(spread, rel=1e-2)


def test_the_statistic_stands_out_where_vegetation_was_lost():
    before, _, truth = changed_pair()
    before = np.clip(before, 0.05, 1)
    after = before.copy()
    after[3][truth] *= 0.3
    after += np.random.default_rng(0).normal(0, 0.004, after.shape).astype(np.float32)
    block = block_of(before, after)
    state = fit_index(draw_pixels([block], limit=10**6), "ndvi", SIX)
    statistic = index_statistic(block, state, 10.0)
    assert np.median(statistic[truth]) > 10 * np.median(statistic[~truth])


def test_an_unknown_index_and_a_missing_band_say_what_to_do():
    with pytest.raises(InputError, match="no index named 'NDXI'"):
        spectral_index("NDXI")
    block = block_of(*changed_pair((30, 30), 3)[:2])
    pixels = draw_pixels([block], limit=100)
    with pytest.raises(InputError, match="NDVI needs a near infrared band"):
        fit_index(pixels, "NDVI", (0.49, 0.56, 0.66))
    with pytest.raises(InputError, match="unknown"):
        fit_index(pixels, "NDVI", (None, None, None))
