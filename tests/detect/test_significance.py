"""A significance lets through what it says where nothing changed: on noise of any tail."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import f, norm, t

from detect.auto import fit_change
from detect.calibration import calibrate
from detect.projections import fit_irmad
from detect.sample import draw_pixels, gather
from detect.score import ChangeState, change_statistic, halo_px
from detect.significance import fit_noise
from tests.detect.invented import block_of, cells_of

ALPHAS = (1e-2, 1e-3)
NORMAL = np.linspace(-6, 6, 4001)
STUDENT = t.ppf(norm.cdf(NORMAL), 5)


def noise(kind, rng, shape):
    """Return Gaussian noise, t(5) noise, or t(5) noise with a spatial correlation."""
    if kind == "gaussian":
        return rng.standard_normal(shape, np.float32)
    if kind == "t5":
        return rng.standard_t(5, shape).astype(np.float32)
    field = gaussian_filter(rng.standard_normal(shape, np.float32), (0, 1.5, 1.5))
    return np.interp(field / field.std(), NORMAL, STUDENT).astype(np.float32)


def unchanged(bands, kind, shape):
    """Return a pair of which one date is an affine image of the other, each with its noise."""
    rng = np.random.default_rng(bands)
    ground = gaussian_filter(rng.standard_normal((3, *shape), np.float32), (0, 4, 4))
    ground /= ground.std()
    planes = np.einsum("bk,kyx->byx", rng.normal(size=(bands, 3)).astype(np.float32), ground)
    gain = rng.uniform(0.6, 1.5, bands).astype(np.float32)[:, None, None]
    shift = rng.normal(size=(bands, 1, 1)).astype(np.float32)
    level = np.float32(0.3)
    return (
        planes + level * noise(kind, rng, planes.shape),
        gain * planes + shift + level * noise(kind, rng, planes.shape),
    )


def speckled(shape):
    """Return two intensities of two channels of one ground, each with its own speckle."""
    rng = np.random.default_rng(1)
    ground = np.exp(0.3 * rng.standard_normal(shape, np.float32))
    return [ground * rng.gamma(5.0, 0.2, (2, *shape)).astype(np.float32) for _ in range(2)]


def factors(block, method, pixel_m=30.0, alphas=ALPHAS):
    """Return the share above the threshold of each significance, relative to it."""
    found = []
    for alpha in alphas:
        state = fit_change(
            cells_of(block, halo_px(method, pixel_m)),
            method=method,
            sensitivity="medium",
            target="any",
            pixel_m=pixel_m,
            wavelengths=[None] * len(block.bands),
            threshold="significance",
            significance=alpha,
        )
        assert f"significance {alpha:g} of" in state.notes[-1]
        statistic = change_statistic(block, replace(state, notes=()))
        found.append(float((statistic > 1)[block.core_slices].mean()) / alpha)
    return found


@pytest.mark.parametrize("method", ["mad", "irmad", "isfa", "cva"])
def test_a_significance_is_kept_on_small_pairs(method):
    block = block_of(*unchanged(4, "t5", (500, 500)), halo=6)
    for factor in factors(block, method):
        assert 0.5 < factor < 2


def test_a_significance_is_kept_where_the_smoothing_reaches_far():
    block = block_of(*unchanged(4, "gaussian", (700, 700)), halo=halo_px("cva", 5.0))
    (factor,) = factors(block, "cva", 5.0, [1e-2])
    assert 0.5 < factor < 2


@pytest.mark.slow
@pytest.mark.parametrize("pixel_m", [5.0, 10.0])
@pytest.mark.parametrize("method", ["cva", "logratio"])
def test_a_smoothed_statistic_keeps_its_significance(method, pixel_m):
    shape = (2048, 2048)
    pair = unchanged(4, "gaussian", shape) if method == "cva" else speckled(shape)
    block = block_of(*pair, halo=halo_px(method, pixel_m))
    for factor in factors(block, method, pixel_m):
        assert 0.8 < factor < 1.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bands", "kind", "low", "high"),
    [(2, "gaussian", 0.8, 1.2), (10, "gaussian", 0.8, 1.2), (5, "correlated t5", 0.5, 2.0)],
)
def test_a_significance_is_kept_on_four_million_pixels(bands, kind, low, high):
    block = block_of(*unchanged(bands, kind, (2048, 2048)))
    pixels = draw_pixels(cells_of(block, 0), limit=100_000)
    mad = fit_irmad(*gather(pixels))
    state = ChangeState("irmad", "medium", "any", 30.0, bands, 0, 0.0, mad=mad, mad_unit=1.0)
    calm = calibrate(pixels, state, calm=True)
    law = fit_noise(calm.counts, calm.steps, bands)
    statistic = change_statistic(block, state)
    for alpha in ALPHAS:
        factor = float((statistic > law.threshold(alpha)).mean()) / alpha
        assert low < factor < high, (alpha, factor)


@pytest.mark.parametrize(("first", "second"), [(2, 8), (6, 30), (10, 1e4)])
def test_the_distribution_is_found_again(first, second):
    values = np.sqrt(3.0 * f.rvs(first, second, size=400_000, random_state=1))
    counts = np.bincount((values * 4096 + 0.5).astype(np.int64), minlength=1 << 16)
    noise_model = fit_noise(counts, 4096, 4)
    for alpha in ALPHAS:
        wanted = np.sqrt(3.0 * f.isf(alpha, first, second))
        assert noise_model.threshold(alpha) == pytest.approx(wanted, rel=0.04)


def test_scores_that_tell_nothing_have_no_distribution():
    assert fit_noise(np.bincount([0] * 900 + [7] * 9, minlength=99), 4096, 4) is None
    assert fit_noise(np.bincount([50] * 900, minlength=99), 4096, 4) is None
    assert fit_noise(np.zeros(99, np.int64), 4096, 4) is None
