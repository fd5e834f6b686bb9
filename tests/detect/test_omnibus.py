"""The omnibus test against the printed formulas, and against what chance does."""

import numpy as np
import pytest
from scipy.stats import chi2

from detect.omnibus import looks_of_ratios, omnibus_changes, omnibus_law, omnibus_test


def wishart_series(rng, dates, looks, shape):
    """Return multi-looked covariances of two correlated polarisations as four planes."""
    mixing = np.array([[1.0, 0.0], [0.3 + 0.2j, 0.5]])
    noise = rng.normal(size=(dates, looks, 2, *shape, 2)).view(np.complex128)[..., 0]
    fields = np.einsum("pq,tlqyx->tlpyx", mixing, noise / np.sqrt(2))
    cross = (fields[:, :, 0] * fields[:, :, 1].conj()).mean(axis=1)
    powers = (np.abs(fields) ** 2).mean(axis=1)
    return np.stack([powers[:, 0], cross.real, cross.imag, powers[:, 1]], axis=1)


def reference(matrices, n):
    """Return the p-value of Conradsen et al. (2016) of one pixel, by matrices."""
    k, p = len(matrices), matrices[0].shape[0]
    sums = [n * m for m in matrices]
    log_q = n * (
        p * k * np.log(k)
        + sum(np.log(np.linalg.det(x).real) for x in sums)
        - k * np.log(np.linalg.det(sum(sums)).real)
    )
    f = (k - 1) * p**2
    rho = 1 - (2 * p**2 - 1) / (6 * (k - 1) * p) * (k / n - 1 / (n * k))
    omega = p**2 * (p**2 - 1) / (24 * rho**2) * (k / n**2 - 1 / (n * k) ** 2)
    omega -= p**2 * (k - 1) / 4 * (1 - 1 / rho) ** 2
    z = -2 * rho * log_q
    return 1 - (chi2.cdf(z, f) + omega * (chi2.cdf(z, f + 4) - chi2.cdf(z, f)))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("dates", [2, 5])
def test_p_values_are_those_of_the_paper(full, dates):
    rng = np.random.default_rng(dates)
    series = wishart_series(rng, dates, 7, (3, 4))
    series[1] *= 1.7
    if not full:
        series = series[:, :1]
    found = omnibus_test(series, [7.0], full=full)
    for y, x in np.ndindex(3, 4):
        pixel = series[:, :, y, x]
        if full:
            cross = pixel[:, 1] + 1j * pixel[:, 2]
            matrices = [
                np.array([[c[0], z], [z.conj(), c[3]]]) for c, z in zip(pixel, cross, strict=True)
            ]
        else:
            matrices = [np.array([[c[0]]]) for c in pixel]
        assert found[y, x] == pytest.approx(reference(matrices, 7.0), abs=1e-10)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("looks", [4.4, 16.0])
def test_unchanged_speckle_passes_as_often_as_it_says(channels, looks):
    rng = np.random.default_rng(1)
    series = (
        rng.gamma(looks, size=(4, channels, 200, 250)) * np.array([1.0, 0.2])[:channels, None, None]
    )
    p = omnibus_test(series, [looks] * channels)
    assert np.mean(p < 1e-2) == pytest.approx(1e-2, rel=0.2)
    assert np.mean(p < 0.5) == pytest.approx(0.5, rel=0.03)
    law = omnibus_law(4, [looks] * channels)
    assert law.p_value(np.array([law.threshold(1e-3)]))[0] == pytest.approx(1e-3, rel=1e-6)


def test_the_dates_of_changes_are_found():
    rng = np.random.default_rng(2)
    looks = 20.0
    series = rng.gamma(looks, size=(6, 2, 40, 50)) / looks
    series[2:, :, 10:20] *= 6
    series[4:, :, 10:20] /= 6
    series[5:, 0, 30:] *= 8
    changed = omnibus_changes(series, [looks, looks], 1e-3)
    assert changed.shape == (5, 40, 50)
    shares = changed[:, 10:20].mean(axis=(1, 2))
    assert (shares[[1, 3]] > 0.97).all()
    assert (shares[[0, 2, 4]] < 0.01).all()
    assert changed[4, 30:].mean() > 0.97
    assert changed[:, :10].mean() < 2e-3


@pytest.mark.parametrize("looks", [1.0, 4.4, 60.0])
def test_looks_are_estimated_from_the_ratios_of_any_ground(looks):
    rng = np.random.default_rng(3)
    ground = rng.gamma(2.0, size=60_000)
    first, second = (ground * rng.gamma(looks, size=60_000) for _ in range(2))
    second[:1500] *= 20
    ratio = np.log(second / first)
    assert looks_of_ratios(ratio - np.median(ratio)) == pytest.approx(looks, rel=0.15)


def test_looks_of_what_does_not_vary_are_many():
    assert looks_of_ratios(np.zeros(50)) == 1e4
    assert looks_of_ratios(np.full(50, 1e3)) == 0.3
    assert looks_of_ratios(np.zeros(0)) == 1e4
