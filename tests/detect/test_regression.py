"""The robust prediction finds the line of the unchanged land in spite of change."""

import numpy as np
import pytest

from detect.regression import fit_prediction, sample_residuals


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    design = rng.normal(size=(4000, 4))
    slopes = rng.normal(size=(2, 4))
    target = design @ slopes.T + [0.3, -0.2] + rng.normal(0, [0.1, 0.2], (4000, 2))
    changed = rng.random(4000) < 0.2
    target[changed] += rng.normal(4, 1, (int(changed.sum()), 2))
    return design, target, slopes, changed


def test_change_does_not_pull_the_line(data):
    design, target, slopes, changed = data
    prediction = fit_prediction(design, target)
    np.testing.assert_allclose(prediction.coefficients[:, :4], slopes, atol=0.03)
    np.testing.assert_allclose(prediction.coefficients[:, 4], [0.3, -0.2], atol=0.05)
    least_squares = np.linalg.lstsq(np.c_[design, np.ones(4000)], target)[0]
    assert abs(least_squares[4] - [0.3, -0.2]).max() > 0.5
    residual = sample_residuals(design, target, prediction)
    assert np.median(np.abs(residual[~changed])) == pytest.approx(0.55, abs=0.15)
    assert np.linalg.norm(residual[changed], axis=1).min() > 4


def test_a_perfect_prediction_keeps_a_floor_of_noise(data):
    design = data[0]
    prediction = fit_prediction(design, design[:, :2])
    assert prediction.inverse_scale.max() <= 100.0001
    assert np.abs(sample_residuals(design, design[:, :2], prediction)).max() < 1


def test_constant_predictors_are_harmless():
    prediction = fit_prediction(np.zeros((200, 2)), np.zeros((200, 1)))
    np.testing.assert_array_equal(prediction.coefficients, 0)
