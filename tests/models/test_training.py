import dataclasses

import numpy as np
import pytest

from configs.errors import InputError
from configs.vocabulary import COVERS
from models.accuracy import confusion, macro_f1
from models.forest import predict
from models.landcover import LandcoverState, landcover_arrays, landcover_of, vote_pair
from models.samples import SampleTable, cap_samples, draw_samples
from models.training import MIN_SAMPLES, contradicted, fit_landcover
from tiles.state import load_states, save_states, state_hash

BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")


def draw(landscape, per_class=600):
    tables = []
    for cell in landscape.extent.cells():
        block = landscape.block(cell.intersect(landscape.extent), 4)
        tables.append(draw_samples(block, landscape.labels(block.extent), per_cell_cap=300))
    return tables, cap_samples(tables, per_class, seed=0)


def fit(samples, **settings):
    return fit_landcover(
        samples, classes=COVERS, bands=BANDS, trees=settings.pop("trees", 30), **settings
    )


def few(samples, per_class):
    """Return a few samples of each class."""
    return cap_samples([samples], per_class, seed=1)


@pytest.fixture(scope="module")
def samples(landscape):
    return draw(landscape)[1]


@pytest.fixture(scope="module")
def state(samples):
    return fit(samples)


def score(state, landscape, before=True):
    """Macro F1 against the truth, on pixels of the whole scene, borders included."""
    block = landscape.block(landscape.extent, 3)
    rng = np.random.default_rng(0)
    rows, cols = rng.integers(0, 384, (2, 12_000))
    counts = vote_pair(state, block.before, block.after, block.valid, rows + 3, cols + 3)
    truth = landscape.truth_before if before else landscape.truth_after
    return macro_f1(
        confusion(truth[rows, cols] - 1, predict(counts[:, 0 if before else 1]), len(COVERS))
    )


def test_learns_both_dates_from_a_map_with_wrong_parcels(state, landscape):
    assert score(state, landscape) > 0.90
    assert score(state, landscape, before=False) > 0.90


def test_cleaning_helps(state, samples, landscape):
    raw = fit(samples, clean=False)
    assert raw.dropped_counts.sum() == 0
    assert score(state, landscape) > score(raw, landscape)


def test_cleaning_drops_what_is_wrong(state, samples, landscape):
    truth = landscape.truth_before[samples.rows - 1000, samples.cols + 200]
    wrong = truth != samples.labels
    assert 0.8 * wrong.sum() < state.dropped_counts.sum() < 1.1 * wrong.sum()
    assert state.sample_counts.sum() + state.dropped_counts.sum() == len(samples)


def test_accuracy_brackets_the_truth(state, landscape):
    assert state.macro_f1_map < score(state, landscape) < state.macro_f1
    assert state.confusion.sum() == state.sample_counts.sum()
    learned = state.sample_counts > 0
    assert [f is not None for f in state.f1] == learned.tolist()
    assert 0.8 < state.kappa <= 1


def test_two_fits_are_equal_and_order_does_not_matter(landscape):
    tables, samples = draw(landscape, per_class=80)
    shuffled = cap_samples(tables[::-1], 80, seed=0)
    first, second = fit(samples, trees=8), fit(shuffled, trees=8)
    assert state_hash({"landcover": first}) == state_hash({"landcover": second})
    other = fit(samples, trees=8, seed=1)
    assert state_hash({"landcover": first}) != state_hash({"landcover": other})


@pytest.mark.slow
def test_boosting_learns_the_same_and_goes_through_a_model_file(samples, landscape):
    learned = fit(few(samples, 150), classifier="boosting", trees=8, max_depth=4)
    assert learned.boosting is not None
    assert not learned.forest.trees
    assert learned.is_known
    assert score(learned, landscape) > 0.85
    assert 0.7 < learned.macro_f1_map < learned.macro_f1
    arrays = landcover_arrays(learned)
    stored = landcover_of(arrays, "model")
    assert state_hash({"landcover": stored}) == state_hash({"landcover": learned})
    arrays["landcover.boosting.feature"] = arrays["landcover.boosting.feature"] + 99
    with pytest.raises(InputError, match="asks beyond"):
        landcover_of(arrays, "model")


def test_survives_the_disk(state, tmp_path):
    save_states(tmp_path, {"landcover": state})
    back = load_states(tmp_path, {"landcover": LandcoverState})["landcover"]
    for field in dataclasses.fields(state):
        if field.name not in ("forest", "certainty"):
            np.testing.assert_array_equal(getattr(back, field.name), getattr(state, field.name))
    for field in dataclasses.fields(state.forest):
        mine, stored = getattr(state.forest, field.name), getattr(back.forest, field.name)
        np.testing.assert_array_equal(stored, mine)
        assert np.asarray(stored).dtype == np.asarray(mine).dtype
    assert state_hash({"landcover": back}) == state_hash({"landcover": state})


def test_a_rare_class_is_left_out_and_said_so(samples):
    bare = COVERS.index("bare") + 1
    common = samples.take(np.flatnonzero(samples.labels != bare))
    rare = few(samples.take(np.flatnonzero(samples.labels == bare)), MIN_SAMPLES - 1)
    state = fit(few(cap_samples([common, rare], 10**6, seed=0), 60), trees=5)
    assert state.sample_counts[bare - 1] == 0
    assert state.f1[bare - 1] is None
    assert state.notes == (f"bare is not learned: {MIN_SAMPLES - 1} samples, 20 needed",)


@pytest.mark.parametrize("labels", [(), (1,), (1, 2)])
def test_too_little_to_learn_gives_an_unknown_state(samples, labels, tmp_path):
    count = 100 if labels == (1,) else MIN_SAMPLES - 1
    chosen = samples.take(np.flatnonzero(np.isin(samples.labels, labels)))
    state = fit(few(chosen, count) if len(chosen) else chosen)
    assert not state.is_known
    assert "land cover stays unknown" in state.notes[-1]
    assert state.macro_f1 is None
    save_states(tmp_path, {"landcover": state})
    assert not load_states(tmp_path, {"landcover": LandcoverState})["landcover"].is_known


def test_one_block_gives_a_forest_without_accuracy(samples):
    labels = np.repeat(np.array([1, 2], np.int16), 30)
    x = samples.X[:60] + labels[:, None]
    place = np.arange(60)
    table = SampleTable(place // 30, place % 30, labels, x, samples.names)
    state = fit(table, trees=5)
    assert state.is_known
    assert state.macro_f1 is None
    assert "one block" in state.notes[-1]


def test_a_class_is_never_argued_away():
    y = np.repeat([0, 1], 100)
    counts = np.zeros((200, 3), np.int32)
    counts[:, 2] = 10
    counts[:, 0] = np.where(np.arange(200) < 50, 1, 0)
    doubted = contradicted(counts, y, own=0.2, other=0.5, limit=0.4)
    assert doubted[:100].sum() == doubted[100:].sum() == 40
    assert doubted[50:90].all()
    assert not contradicted(np.zeros_like(counts), y).any()


def test_errors(samples):
    with pytest.raises(InputError, match="same bands and roles"):
        fit_landcover(samples, classes=COVERS, bands=BANDS[:4])
    with pytest.raises(InputError, match="labels run from 1 to 10"):
        fit_landcover(samples, classes=COVERS[:3], bands=BANDS)
