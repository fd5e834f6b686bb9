"""Two-way robust regression: what each date says about the other, season and light included.

Every band of one date is predicted from all bands of the other and their local means. Changed
pixels are outliers of the fit and get little weight (Cauchy), so the prediction learns what the
unchanged land does between the dates; the standardised residual is the change.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.sample import affine_map, robust_spread, weighted_covariance

__all__ = ["Prediction", "fit_prediction", "sample_residuals"]

ITERATIONS = 6
"""Re-weightings of the fit: twice as many move no coefficient of real pairs by more than 0.001."""

CAUCHY = 2.0
"""Residual, in robust standard deviations, at which a pixel's weight has fallen to one half: a
little below the 2.385 of 95 % efficiency on Gaussian noise, for there is always change."""

RIDGE = 1e-3
"""Ridge on the coefficients, in squared robust scores: a thousandth of a band's own variance, so
that copied bands can be inverted."""

SCALE_FLOOR = 1e-2
"""Smallest residual scale, in robust scores: (nearly) identical images stay unchanged. Real pairs
have 0.2 to 0.8."""


@dataclass(frozen=True)
class Prediction:
    """A fitted prediction of one date from the other.

    Attributes
    ----------
    coefficients : ndarray of float32, shape (band, 2 band + 1)
        Weights of the other date's bands, of their local means, and the intercept.
    inverse_scale : ndarray of float32, shape (band,)
        1 / robust standard deviation of the residual.
    """

    coefficients: NDArray[np.float32]
    inverse_scale: NDArray[np.float32]


def fit_prediction(design: NDArray[np.float64], target: NDArray[np.float64]) -> Prediction:
    """Fit a robust linear prediction by iteratively re-weighted least squares.

    Parameters
    ----------
    design : ndarray of float64, shape (pixel, 2 band)
        Robust scores of the predicting date and their local means.
    target : ndarray of float64, shape (pixel, band)
        Robust scores of the predicted date.

    References
    ----------
    .. [1] Schaum, Stocker (1997). Long-interval chronochrome target detection.
    .. [2] Holland, Welsch (1977). Robust regression using iteratively reweighted least-squares.
       doi:10.1080/03610927708827533
    """
    columns = design.shape[1]
    joint = np.hstack([design, target])
    weight, nothing = np.ones(joint.shape[0]), np.zeros(target.shape[1])
    for _ in range(ITERATIONS):
        mean, covariance = weighted_covariance(joint, weight)
        moment = covariance[:columns, :columns] + RIDGE * np.eye(columns)
        slopes = np.linalg.solve(moment, covariance[:columns, columns:]).T
        intercept = mean[columns:] - np.sum(slopes * mean[:columns], axis=1)
        residual = affine_map(joint, np.hstack([-slopes, np.eye(target.shape[1])]), -intercept)
        scale = np.maximum(robust_spread(residual, nothing), SCALE_FLOOR)
        weight = 1.0 / (1.0 + np.mean((residual / scale) ** 2, axis=1) / CAUCHY**2)
    coefficients = np.hstack([slopes, intercept[:, None]]).astype(np.float32)
    return Prediction(coefficients, (1.0 / scale).astype(np.float32))


def sample_residuals(
    design: NDArray[np.float64], target: NDArray[np.float64], prediction: Prediction
) -> NDArray[np.float64]:
    """Return the standardised residuals of a sample, shape (pixel, band)."""
    coefficients = prediction.coefficients.astype(np.float64)
    predicted = affine_map(design, coefficients[:, :-1], coefficients[:, -1])
    return np.asarray((target - predicted) * prediction.inverse_scale, np.float64)
