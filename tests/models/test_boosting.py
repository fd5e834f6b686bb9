import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from configs.errors import InputError
from models.boosting import ROWS, SLOTS, VOTES, add_scores, boosted_classes, boosted_votes
from models.growing import boosting_arrays, grow_boosting


def cloud(rng, n, n_features=12, n_classes=8, steps=None):
    """Overlapping classes; with `steps` the values are few, so that many meet a threshold."""
    y = rng.integers(0, n_classes, n)
    centres = np.random.default_rng(9).normal(size=(n_classes, n_features)) * 0.8
    x = centres[y] + rng.normal(size=(n, n_features))
    if steps:
        x = np.round(x * steps) / steps
    return x.astype(np.float32), y


def boosted(x, y, rounds, leaves=31):
    return HistGradientBoostingClassifier(
        max_iter=rounds, max_leaf_nodes=leaves, early_stopping=False, random_state=0
    ).fit(x, y)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Let scikit-learn use one thread: several wait for each other on a busy machine."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def fitted():
    x, y = cloud(np.random.default_rng(1), 1500)
    model = boosted(x, y + 1, 6)
    return model, boosting_arrays(model, 10)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(60, 300),
    n_classes=st.integers(2, 5),
    leaves=st.sampled_from([2, 7, 32]),
    steps=st.sampled_from([None, 2]),
)
def test_scores_and_class_are_those_of_scikit_learn(seed, n, n_classes, leaves, steps):
    rng = np.random.default_rng(seed)
    x, y = cloud(rng, n, 4, n_classes, steps)
    model = boosted(x, y, 3, leaves)
    fresh = np.concatenate([x, cloud(rng, 200, 4, n_classes, steps)[0]])
    arrays = boosting_arrays(model, n_classes)
    assert arrays.fault() == ""
    np.testing.assert_array_equal(boosted_classes(arrays, fresh), model.predict(fresh))


def test_values_on_a_threshold_go_the_same_way(fitted):
    model, arrays = fitted
    cuts = arrays.threshold
    near = np.concatenate([cuts, np.nextafter(cuts, np.float32(9)), np.nextafter(cuts, -cuts)])
    x = np.random.default_rng(2).choice(near, (3 * ROWS + 7, 12)).astype(np.float32)
    out = np.empty((len(x), 8))
    add_scores(
        x,
        *(arrays.starts, arrays.feature, arrays.threshold, arrays.keep),
        *(arrays.values, arrays.baseline, out),
    )
    np.testing.assert_array_equal(out, model.decision_function(x))
    np.testing.assert_array_equal(boosted_classes(arrays, x), model.predict(x))


def test_votes_are_whole_percent_of_the_probabilities(fitted):
    model, arrays = fitted
    x, _ = cloud(np.random.default_rng(3), 500)
    counts = boosted_votes(arrays, x)
    assert (counts.sum(axis=1) == VOTES).all()
    assert not counts[:, [0, 9]].any()
    assert np.abs(counts[:, 1:9] - 100 * model.predict_proba(x)).max() < 1
    np.testing.assert_array_equal(boosted_votes(arrays, x[100:120]), counts[100:120])


def test_two_classes_have_one_score():
    x, y = cloud(np.random.default_rng(4), 300, 4, 2)
    model = boosted(x, y, 5)
    arrays = boosting_arrays(model, 2)
    assert len(arrays.baseline) == 1
    share = 100 * model.predict_proba(x)
    assert np.abs(boosted_votes(arrays, x) - share).max() < 1


def test_the_slots_of_the_leaves_differ():
    assert sorted(SLOTS.tolist()) == list(range(32))


def test_a_fit_is_repeated_to_the_bit():
    x, y = cloud(np.random.default_rng(5), 400, 4, 3)
    fits = [grow_boosting(x, y, n_classes=3, rounds=4, depth=5, seed=2) for _ in range(2)]
    for name in ("starts", "feature", "threshold", "keep", "values", "baseline"):
        np.testing.assert_array_equal(getattr(fits[0], name), getattr(fits[1], name))


def test_trees_of_too_many_leaves_are_refused():
    x, y = cloud(np.random.default_rng(6), 2000, 4, 2)
    with pytest.raises(InputError, match="max_leaf_nodes of at most 32"):
        boosting_arrays(boosted(x, y, 1, 40), 2)


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("feature", lambda a: a + 99, "asks beyond"),
        ("starts", lambda a: a + 1, "not made of the nodes"),
        ("starts", lambda a: a[::-1].copy(), "not made of the nodes"),
        ("keep", lambda a: a[1:], "differ in length"),
        ("values", lambda a: a[:, :8], "values of the leaves"),
        ("values", lambda a: a.astype(np.float32), "not of the types"),
        ("codes", lambda a: a + 5, "beyond the last"),
        ("codes", lambda a: a[::-1].copy(), "not in order"),
        ("baseline", lambda a: a[:3], "other scores than classes"),
    ],
)
def test_arrays_that_lead_beyond_themselves_are_told(fitted, name, change, fault):
    arrays = dataclasses.replace(fitted[1], **{name: change(getattr(fitted[1], name))})
    assert fault in arrays.fault()


def test_wrong_columns_are_refused(fitted):
    with pytest.raises(InputError, match="fitted on 12 columns"):
        boosted_votes(fitted[1], np.ones((3, 5), np.float32))


@pytest.mark.slow
def test_a_million_rows_get_the_class_of_scikit_learn():
    rng = np.random.default_rng(7)
    model = boosted(*cloud(rng, 5000), 8)
    x, _ = cloud(rng, 1_000_000)
    np.testing.assert_array_equal(boosted_classes(boosting_arrays(model, 8), x), model.predict(x))
