"""Confidence from made-up changes: monotone, right on average, silent without groups."""

import numpy as np
import pytest

from configs.transitions import transitions
from configs.vocabulary import COVERS
from models.accuracy import calibration_error
from models.certainty import Certainty, fit_certainty
from models.landcover import classify

K = len(COVERS)


def groups(count, seed):
    """Return votes of groups that name their class more or less often, and their labels."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, K, count)
    share = draw.beta(4, 2, count)
    votes = np.zeros((count, 2, K), np.int64)
    for date in range(2):
        p = np.full((count, K), 1 / K) * (1 - share)[:, None]
        p[np.arange(count), labels] += share * draw.choice([1, 0.2], count, p=[0.9, 0.1])
        votes[:, date] = draw.multinomial(40, p / p.sum(axis=1, keepdims=True))
    return votes, labels


@pytest.fixture(scope="module")
def certainty():
    return fit_certainty(*groups(2000, 1), np.ones(K, np.int64), COVERS, transitions())


def test_curves_never_fall_and_say_percent(certainty):
    assert certainty.kinds == transitions().codes()
    assert (np.diff(certainty.percent, axis=1) >= 0).all()
    assert certainty.percent.min() >= 0
    assert certainty.percent.max() <= 100


def test_confidence_of_other_groups_is_how_often_they_are_right(certainty):
    votes, labels = groups(4000, 2)
    one, two = np.arange(2000), np.arange(2000, 4000)
    made = np.stack([votes[one, 0], votes[two, 1]], axis=1)
    table = transitions()
    truth = [
        table.change(COVERS[a], COVERS[b]) for a, b in zip(labels[one], labels[two], strict=True)
    ]
    raw, told = classify(made, COVERS), classify(made, COVERS, certainty=certainty)
    assert raw["change_type"].equals(told["change_type"])
    right = (told["change_type"] == truth).to_numpy()
    errors = [calibration_error(t["confidence"].to_numpy(), right) for t in (raw, told)]
    assert errors[1] <= 0.03 < errors[0]


def test_without_groups_votes_are_told_as_they_are():
    votes, labels = groups(50, 3)
    none = fit_certainty(votes[:0], labels[:0], np.ones(K, np.int64), COVERS, transitions())
    assert none.kinds == ()
    assert classify(votes, COVERS, certainty=none).equals(classify(votes, COVERS))
    assert Certainty.unknown().told(np.array(["pond"], object), np.array([40])).tolist() == [40]
