import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.accuracy import (
    calibration_error,
    chance_error,
    confusion,
    f1_scores,
    kappa,
    macro_f1,
)

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(pairs)
def test_equals_plain_counting(cases):
    truth, predicted = np.array(cases).T
    counts = confusion(truth, predicted, 4)
    for i in range(4):
        for j in range(4):
            assert counts[i, j] == sum(c == (i, j) for c in cases)
    for label, score in enumerate(f1_scores(counts)):
        hits = int(((truth == label) & (predicted == label)).sum())
        wrong = int(((truth == label) ^ (predicted == label)).sum())
        if (truth == label).any():
            assert score == pytest.approx(2 * hits / (2 * hits + wrong))
        else:
            assert score is None


def test_kappa_of_a_textbook_table():
    assert kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_chance_leaves_less_error_to_many_decisions():
    few, many = np.full(20, 90), np.full(2000, 90)
    # Binomial spread of the share of right ones: 1.96 standard deviations hold 95 of 100.
    assert chance_error(many) == pytest.approx(1.96 * np.sqrt(0.09 / 2000), rel=0.1)
    assert chance_error(few) > 5 * chance_error(many)
    assert chance_error(np.full(9, 100)) == calibration_error(np.full(9, 100), np.ones(9)) == 0


def test_nothing_to_measure():
    assert chance_error(np.zeros(0, np.int64)) is None
    empty = np.zeros((3, 3), np.int64)
    assert macro_f1(empty) is None
    assert kappa(empty) is None
    assert kappa(np.diag([5, 0, 0])) is None
