"""How good a classification is: confusion matrix, F1 per class, kappa, error of confidence."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["calibration_error", "chance_error", "confusion", "f1_scores", "kappa", "macro_f1"]

Counts = NDArray[np.int64]


def confusion(truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> Counts:
    """Count how often each class was taken for each other.

    Parameters
    ----------
    truth, predicted : ndarray of int, shape (n,)
        Class numbers from 0; values outside 0 … classes − 1 must not occur.
    classes : int
        Number of classes.

    Returns
    -------
    ndarray of int64, shape (classes, classes)
        Rows are the truth, columns the prediction.
    """
    flat = truth.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def f1_scores(counts: Counts) -> tuple[float | None, ...]:
    """Return the F1 score of each class; None where the truth holds none of it."""
    hits, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return tuple(
        float(2 * h / (s + c)) if s else None for h, s, c in zip(hits, support, called, strict=True)
    )


def macro_f1(counts: Counts) -> float | None:
    """Return the mean F1 of the classes that the truth holds; None if it holds none."""
    scores = [score for score in f1_scores(counts) if score is not None]
    return sum(scores) / len(scores) if scores else None


def calibration_error(
    percent: NDArray[np.integer], right: NDArray[np.bool_], *, bins: int = 10
) -> float | None:
    """Return the expected calibration error of confidences, 0–1; None without any case.

    Parameters
    ----------
    percent : ndarray of int, shape (n,)
        Confidence, 0–100.
    right : ndarray of bool, shape (n,)
        Whether the decision was right.
    bins : int
        Equal intervals of confidence, over which the gap between mean confidence and share of
        right decisions is averaged by the number of decisions.

    References
    ----------
    .. [1] Naeini, Cooper, Hauskrecht (2015). Obtaining well calibrated probabilities using
       Bayesian binning. doi:10.1609/aaai.v29i1.9602
    """
    if not len(percent):
        return None
    place = np.minimum(percent.astype(np.int64) * bins // 100, bins - 1)
    told = np.bincount(place, weights=percent / 100, minlength=bins)
    hits = np.bincount(place, weights=right, minlength=bins)
    return float(np.abs(told - hits).sum() / len(percent))


def chance_error(percent: NDArray[np.integer], *, draws: int = 1000) -> float | None:
    """Return what calibration error confidences exceed by chance in 5 of 100 cases.

    Few decisions leave a gap between confidence and share of right ones even if each is right
    as often as it says.

    Parameters
    ----------
    percent : ndarray of int, shape (n,)
        Confidence, 0–100.
    draws : int
        Times that decisions are made up, always the same ones.
    """
    if not len(percent):
        return None
    lots = np.random.default_rng(0).random((draws, len(percent)))
    errors = [calibration_error(percent, right) for right in lots < percent / 100]
    return float(np.quantile(np.array(errors, np.float64), 0.95))


def kappa(counts: Counts) -> float | None:
    """Return Cohen's kappa; None without any case or where chance alone explains all.

    References
    ----------
    .. [1] Cohen (1960). A coefficient of agreement for nominal scales.
       doi:10.1177/001316446002000104
    """
    total = int(counts.sum())
    if not total:
        return None
    agreed = float(np.trace(counts)) / total
    chance = float((counts.sum(axis=0) * counts.sum(axis=1)).sum()) / total**2
    return (agreed - chance) / (1 - chance) if chance < 1 else None
