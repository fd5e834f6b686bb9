import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from configs.errors import InputError
from models.forest import (
    CALM_STEPS,
    FURTHER_STEPS,
    ROWS,
    Forest,
    add_words,
    classes_at,
    count_votes,
    predict,
    votes,
)
from models.growing import MIN_LEAF, grow_forest, to_arrays


def cloud(rng, n, n_features=16, n_classes=8, steps=None):
    """Overlapping classes; with `steps` the values are few, so that many meet a threshold."""
    y = rng.integers(0, n_classes, n)
    centres = np.random.default_rng(9).normal(size=(n_classes, n_features)) * 0.8
    x = centres[y] + rng.normal(size=(n, n_features))
    if steps:
        x = np.round(x * steps) / steps
    return x.astype(np.float32), y


def grown(x, y, trees, depth, seed=0):
    return RandomForestClassifier(
        trees, max_depth=depth, n_jobs=1, random_state=seed, class_weight="balanced_subsample"
    ).fit(x, y)


def tree_by_tree(model, x, n_classes):
    """Each tree of scikit-learn votes for the class it predicts."""
    out = np.zeros((len(x), n_classes), np.int32)
    for tree in model.estimators_:
        label = model.classes_[tree.tree_.predict(x).argmax(axis=1)]
        out[np.arange(len(x)), label] += 1
    return out


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 300),
    n_classes=st.integers(1, 5),
    depth=st.integers(1, 8),
    steps=st.sampled_from([None, 2, 3]),
)
def test_votes_as_every_tree_of_scikit_learn(seed, n, n_classes, depth, steps):
    rng = np.random.default_rng(seed)
    x, y = cloud(rng, n, 4, n_classes, steps)
    model = grown(x, y, 5, depth, seed)
    fresh = np.concatenate([x, cloud(rng, 200, 4, n_classes, steps)[0]])
    forest = to_arrays(model, n_classes + 1)
    np.testing.assert_array_equal(votes(forest, fresh), tree_by_tree(model, fresh, n_classes + 1))


def test_values_on_a_threshold_go_the_same_way():
    rng = np.random.default_rng(3)
    x, y = cloud(rng, 3000, 3, 4)
    model = grown(x, y, 10, 10)
    forest = to_arrays(model, 4)
    cuts = forest.threshold[np.isfinite(forest.threshold)]
    near = np.concatenate([cuts, np.nextafter(cuts, np.float32(9)), np.nextafter(cuts, -cuts)])
    rows = rng.choice(near, (20_000, 3)).astype(np.float32)
    np.testing.assert_array_equal(votes(forest, rows), tree_by_tree(model, rows, 4))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 300),
    n_classes=st.integers(1, 6),
    depth=st.sampled_from([1, 3, 8, None]),
    steps=st.sampled_from([None, 2, 3]),
)
def test_the_class_is_that_of_scikit_learn(seed, n, n_classes, depth, steps):
    rng = np.random.default_rng(seed)
    x, y = cloud(rng, n, 4, n_classes, steps)
    model = grown(x, y, 4, depth, seed)
    fresh = np.concatenate([x, cloud(rng, 200, 4, n_classes, steps)[0]])
    forest = to_arrays(model, n_classes + 1)
    np.testing.assert_array_equal(classes_at(forest, fresh), model.predict(fresh))


def test_near_ties_are_settled_by_the_shares_themselves():
    x, y = cloud(np.random.default_rng(4), 600, 4, 5)
    model = grown(x, y, 1, 2)
    forest = to_arrays(model, 5)
    leaf = np.full(5, 0.2)
    leaf[3], leaf[1] = np.nextafter(0.2, 1), np.nextafter(0.2, 0)
    level = dataclasses.replace(forest, shares=np.tile(leaf, (len(forest.shares), 1)))
    assert (classes_at(level, x) == 3).all()
    even = dataclasses.replace(forest, shares=np.full_like(forest.shares, 0.2))
    assert (classes_at(even, x) == 0).all()


def test_rows_that_end_early_and_late_keep_their_leaf():
    x, y = cloud(np.random.default_rng(5), 4000, 3, 4)
    model = grown(x, y, 6, None)
    forest = to_arrays(model, 4)
    assert forest.depths.max() > CALM_STEPS + 2 * FURTHER_STEPS
    fresh, _ = cloud(np.random.default_rng(6), 3 * ROWS + 5, 3, 4)
    np.testing.assert_array_equal(votes(forest, fresh), tree_by_tree(model, fresh, 4))


def test_ties_go_to_the_smaller_class():
    np.testing.assert_array_equal(predict(np.array([[0, 2, 2], [1, 0, 1], [0, 0, 0]])), [1, 0, 0])
    x = np.zeros((4, 2), np.float32)
    model = RandomForestClassifier(3, bootstrap=False, random_state=0, n_jobs=1)
    forest = to_arrays(model.fit(x, np.array([1, 1, 2, 2])), 3)
    assert votes(forest, x[:1]).tolist() == [[0, 3, 0]]


def test_every_row_gets_all_votes_whatever_its_neighbours():
    x, y = cloud(np.random.default_rng(5), 3 * ROWS + 7)
    forest = grow_forest(x, y, n_classes=8, trees=7, depth=6, seed=1)
    counts = votes(forest, x)
    assert (counts.sum(axis=1) == 7).all()
    for part in (slice(0, 1), slice(ROWS - 1, ROWS + 2), slice(100, 900)):
        np.testing.assert_array_equal(votes(forest, x[part]), counts[part])
    np.testing.assert_array_equal(votes(forest, np.asfortranarray(x)), counts)


def test_the_arrays_are_as_documented():
    x, y = cloud(np.random.default_rng(6), 500)
    forest = grow_forest(x, y, n_classes=8, trees=4, depth=5, seed=1)
    leaf = forest.label >= 0
    assert forest.trees == 4
    assert (forest.child[leaf] == np.flatnonzero(leaf)).all()
    assert np.isposinf(forest.threshold[leaf]).all()
    assert (forest.child[~leaf] > np.flatnonzero(~leaf)).all()
    assert forest.depths.max() <= 5
    assert leaf.sum() <= 4 * 500 / MIN_LEAF
    for name, kind in (("feature", np.int16), ("threshold", np.float32), ("child", np.int32)):
        assert getattr(forest, name).dtype == kind


def test_a_forest_without_trees_does_not_vote():
    assert not votes(Forest.empty(3, 4), np.ones((5, 3), np.float32)).any()
    assert votes(Forest.empty(3, 4), np.ones((0, 3), np.float32)).shape == (0, 4)


def test_wrong_columns_are_refused():
    with pytest.raises(InputError, match="grown on 3 columns"):
        votes(Forest.empty(3, 4), np.ones((5, 2), np.float32))


def test_the_kernel_is_compiled():
    x, y = cloud(np.random.default_rng(8), 50, 3, 2)
    forest = to_arrays(grown(x, y, 2, 2), 2)
    votes(forest, x)
    classes_at(forest, x)
    assert count_votes.nopython_signatures
    assert add_words.nopython_signatures


@pytest.mark.slow
@pytest.mark.parametrize("depth", [6, 12])
def test_a_million_rows_get_the_class_of_scikit_learn(depth):
    rng = np.random.default_rng(7)
    model = grown(*cloud(rng, 5000), 25, depth)
    forest = to_arrays(model, 8)
    x, _ = cloud(rng, 1_000_000)
    np.testing.assert_array_equal(classes_at(forest, x), model.predict(x))
