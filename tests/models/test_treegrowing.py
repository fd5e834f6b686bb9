import numpy as np
import pytest
from sklearn.datasets import make_classification

from models.forest import classes_at, predict, votes
from models.growing import MIN_LEAF, grow_forest
from models.treegrowing import STEPS, grow_stepped, stepped


@pytest.fixture(scope="module")
def data():
    x, y = make_classification(
        6000, 20, n_informative=8, n_classes=5, class_sep=1.3, flip_y=0.02, random_state=3
    )
    return x.astype(np.float32), y.astype(np.int64)


def grown(x, y, **settings):
    settings = {"n_classes": 6, "trees": 20, "depth": 10, "seed": 4} | settings
    return grow_stepped(stepped(x), y, **settings)


def test_steps_keep_order_and_cuts_lie_between_values(data):
    x = np.column_stack([data[0][:, 0], np.arange(6000) % 7]).astype(np.float32)
    cut = stepped(x)
    assert cut.codes[0].max() == STEPS - 1
    assert np.bincount(cut.codes[0]).max() <= 2 * 6000 / STEPS
    np.testing.assert_array_equal(cut.codes[1], x[:, 1])
    for f in range(2):
        np.testing.assert_array_equal(cut.codes[f], np.searchsorted(cut.cuts[f], x[:, f]))


def test_as_right_as_scikit_learn_on_rows_it_never_saw(data):
    x, y = data
    ours = grown(x[:3000], y[:3000])
    theirs = grow_forest(x[:3000], y[:3000], n_classes=6, trees=20, depth=10, seed=4)
    assert ours.fault() == ""
    assert 0.8 < len(ours.label) / len(theirs.label) < 1.25
    right = [float((classes_at(f, x[3000:]) == y[3000:]).mean()) for f in (ours, theirs)]
    assert right[0] >= right[1] - 0.015


def test_follows_seed_and_rows_and_sees_only_the_rows_it_is_given(data):
    x, y = data
    one, two = grown(x, y), grown(x, y)
    other = grown(x, y, seed=5)
    assert all(np.array_equal(getattr(one, n), getattr(two, n)) for n in ("threshold", "shares"))
    assert not np.array_equal(one.threshold, other.threshold)
    rows = np.arange(0, 6000, 3)
    part = grow_stepped(stepped(x).take(rows), y[rows], n_classes=6, trees=5, depth=6, seed=1)
    again = grow_stepped(stepped(x).take(rows), y[rows], n_classes=6, trees=5, depth=6, seed=1)
    np.testing.assert_array_equal(votes(part, x), votes(again, x))


def test_leaves_hold_enough_rows_and_rare_classes_are_heard():
    x = np.concatenate([np.zeros(2000), np.ones(MIN_LEAF * 4)]).astype(np.float32)[:, None]
    y = np.concatenate([np.zeros(2000), np.full(MIN_LEAF * 4, 2)]).astype(np.int64)
    forest = grown(x, y, n_classes=3)
    np.testing.assert_array_equal(predict(votes(forest, x)), y)
    few = grown(x[: 2000 + MIN_LEAF - 1], y[: 2000 + MIN_LEAF - 1], n_classes=3)
    assert len(few.label) == few.trees


def test_one_class_is_a_leaf():
    forest = grown(np.zeros((9, 2), np.float32), np.full(9, 1), n_classes=3, trees=3)
    assert votes(forest, np.zeros((1, 2), np.float32)).tolist() == [[0, 3, 0]]
