"""IR-MAD against an independent float64 NumPy implementation."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
from scipy.linalg import eigh
from scipy.stats import chi2

from detect.projections import fit_irmad, fit_isfa, fit_mad, irmad_statistic
from tests.detect.invented import block_of, changed_pair


def reference_irmad(before, after, iterations):
    """Nielsen's IR-MAD by the generalised eigenvalue problem, pixel by pixel weights."""
    n, bands = before.shape
    weight = np.ones(n)
    for _ in range(iterations):
        joint = np.hstack([before, after])
        covariance = np.cov(joint.T, aweights=weight, ddof=0)
        mean = np.average(joint, axis=0, weights=weight)
        sxx, sxy, syy = (
            covariance[:bands, :bands],
            covariance[:bands, bands:],
            covariance[bands:, bands:],
        )
        values, a = eigh(sxy @ np.linalg.solve(syy, sxy.T), sxx)
        rho = np.sqrt(np.clip(values, 0, 1))
        b = np.linalg.solve(syy, sxy.T @ a) / rho
        mad = (before - mean[:bands]) @ a - (after - mean[bands:]) @ b
        statistic = np.sum(mad**2 / (2 * (1 - rho)), axis=1)
        weight = chi2.sf(statistic, bands)
    return np.sqrt(statistic), rho[::-1]


def reference_isfa(before, after, iterations):
    """Slow features after Wu et al. (2014): standardise, solve, weight, pixel by pixel."""
    weight = np.ones(len(before))
    for _ in range(iterations):
        dates = []
        for values in (before, after):
            mean = np.average(values, axis=0, weights=weight)
            dates.append((values - mean) / np.sqrt(np.average((values - mean) ** 2, 0, weight)))
        change = dates[0] - dates[1]
        first = (change * weight[:, None]).T @ change / weight.sum()
        second = sum((d * weight[:, None]).T @ d for d in dates) / (2 * weight.sum())
        values, vectors = eigh(first, second)
        statistic = np.sum((change @ vectors) ** 2 / values, axis=1)
        weight = chi2.sf(statistic, before.shape[1])
    return np.sqrt(statistic), values


def sample(pair):
    before, after, _ = pair
    return (
        before.reshape(before.shape[0], -1).T.astype(np.float64),
        after.reshape(after.shape[0], -1).T.astype(np.float64),
    )


@pytest.mark.parametrize("bands", [2, 4, 6])
def test_irmad_equals_the_reference(bands):
    pair = changed_pair((60, 70), bands)
    before, after = sample(pair)
    state = fit_irmad(before, after)
    wanted, rho = reference_irmad(before, after, state.iterations)
    np.testing.assert_allclose(state.correlations, rho, atol=1e-6)
    found = irmad_statistic(block_of(*pair[:2]), state)
    np.testing.assert_allclose(found.ravel(), wanted, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("bands", [1, 3, 6])
def test_isfa_equals_the_reference(bands):
    pair = changed_pair((60, 70), bands)
    before, after = sample(pair)
    state = fit_isfa(before, after)
    wanted, values = reference_isfa(before, after, state.iterations)
    np.testing.assert_allclose(state.correlations, 1 - values / 2, atol=1e-6)
    found = irmad_statistic(block_of(*pair[:2]), state)
    np.testing.assert_allclose(found.ravel(), wanted, rtol=5e-3, atol=5e-3)


def test_mad_is_the_first_pass_of_irmad():
    pair = changed_pair((60, 70), 5)
    before, after = sample(pair)
    state = fit_mad(before, after)
    wanted, rho = reference_irmad(before, after, 1)
    assert state.iterations == 1
    np.testing.assert_allclose(state.correlations, rho, atol=1e-6)
    found = irmad_statistic(block_of(*pair[:2]), state)
    np.testing.assert_allclose(found.ravel(), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(
    shutil.which("otbcli_MultivariateAlterationDetector") is None,
    reason="Orfeo ToolBox (otbcli_MultivariateAlterationDetector) is not installed",
)
def test_mad_equals_that_of_orfeo_toolbox(tmp_path):
    before, after, _ = changed_pair((60, 70), 4)
    for name, image in (("before", before), ("after", after)):
        profile = {"driver": "GTiff", "count": 4, "height": 60, "width": 70, "dtype": "float32"}
        with rasterio.open(tmp_path / f"{name}.tif", "w", **profile) as target:
            target.write(image)
    subprocess.run(
        [
            "otbcli_MultivariateAlterationDetector",
            *("-in1", "before.tif", "-in2", "after.tif", "-out", "mad.tif", "double"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    with rasterio.open(tmp_path / "mad.tif") as source:
        theirs = source.read().reshape(4, -1)
    state = fit_mad(*sample((before, after, None)))
    own = sample((before, after, None))
    ours = own[0] @ state.project_before.T - own[1] @ state.project_after.T + state.offset
    both = np.abs(np.corrcoef(ours.T, theirs)[:4, 4:])
    np.testing.assert_allclose(both.max(axis=1), 1, atol=1e-5)


def test_a_band_that_is_constant_where_nothing_changed_is_borne():
    before, after, truth = changed_pair((40, 50), 3)
    before[1, ~truth] = after[1, ~truth] = 0.5
    for fit in (fit_irmad, fit_isfa, fit_mad):
        state = fit(*sample((before, after, None)))
        statistic = irmad_statistic(block_of(before, after), state)
        assert np.isfinite(statistic).all()


@pytest.mark.parametrize("fit", [fit_mad, fit_irmad])
def test_a_linear_change_of_radiometry_is_not_seen(fit):
    before, after, _ = changed_pair((50, 60), 3)
    mixing = np.array([[2.0, 0.3, 0], [0, 0.5, 0.2], [0.1, 0, 3]])
    other = (np.einsum("ij,jyx->iyx", mixing, after) + 0.7).astype(np.float32)
    statistics, correlations = [], []
    for dates in ((before, after), (before, other)):
        state = fit(*sample((*dates, None)))
        statistics.append(irmad_statistic(block_of(*dates), state))
        correlations.append(state.correlations)
    np.testing.assert_allclose(correlations[0], correlations[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(statistics[0], statistics[1], rtol=2e-4, atol=1e-5)


def test_the_statistic_of_unchanged_gaussian_land_has_the_shape_of_chi():
    rng = np.random.default_rng(4)
    before = rng.normal(size=(4, 150, 150)).astype(np.float32)
    after = (before + 0.3 * rng.normal(size=before.shape)).astype(np.float32)
    state = fit_irmad(*sample((before, after, None)))
    statistic = irmad_statistic(block_of(before, after), state)
    found = np.quantile(statistic, [0.5, 0.95, 0.999])
    wanted = np.sqrt(chi2.ppf([0.5, 0.95, 0.999], 4))
    np.testing.assert_allclose(found / found[0], wanted / wanted[0], rtol=0.03)


def test_constant_bands_are_left_out():
    before, after, _ = changed_pair((40, 40), 3)
    before[1] = 7
    state = fit_irmad(*sample((before, after, None)))
    assert state.offset.size == 2
    assert (state.project_before[:, 1] == 0).all()
    assert np.isfinite(irmad_statistic(block_of(before, after), state)).all()
    copied = np.stack([before[0], before[0], before[2]])
    block = block_of(copied, after)
    assert np.isfinite(irmad_statistic(block, fit_irmad(*sample((copied, after, None))))).all()
    flat = np.ones((500, 2))
    assert fit_irmad(flat, flat) is None
