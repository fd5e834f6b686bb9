import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from configs.errors import InputError
from configs.transitions import transitions
from configs.vocabulary import COVERS
from models.features import feature_names
from models.growing import grow_forest
from models.landcover import LandcoverState, classify, landcover_arrays, landcover_of, vote_pair
from models.samples import cap_samples, draw_samples
from models.training import fit_landcover
from tiles.state import state_hash

K = len(COVERS)


def ballot(before, after):
    """Votes of one component from {cover: votes} of both dates."""
    out = np.zeros((1, 2, K), np.int32)
    for date, counts in enumerate((before, after)):
        for cover, count in counts.items():
            out[0, date, COVERS.index(cover)] = count
    return out


def decide(before, after, shapes=None):
    return tuple(classify(ballot(before, after), COVERS, shapes).iloc[0])


def reference(counts, linear):
    """The rule in plain words, for one component."""
    table, weights = transitions(), {}
    for i, a in enumerate(COVERS):
        for j, b in enumerate(COVERS):
            share = table.same_cover_percent if i == j else 100
            weights[a, b] = int(counts[0, i]) * int(counts[1, j]) * share
    total = sum(weights.values())
    if not total:
        return "", "", "unknown", -1
    mass = dict.fromkeys(table.codes(), 0)
    for (a, b), weight in weights.items():
        mass[table.change(a, b, form="linear" if linear else "any")] += weight
    change = max(mass, key=lambda code: mass[code])
    meant = {
        p: w
        for p, w in weights.items()
        if table.change(*p, form="linear" if linear else "any") == change
    }
    pair = max(meant, key=lambda p: meant[p])
    confidence = mass[change] * 100 // total
    if change == "same_cover" and confidence < table.same_cover_sure_percent:
        change = "unknown"
    return (*pair, change, confidence)


@settings(max_examples=60, deadline=None)
@given(
    counts=hnp.arrays(np.int32, (3, 2, K), elements=st.sampled_from([0, 0, 0, 1, 2, 7, 3000])),
    linear=hnp.arrays(np.bool_, 3),
)
def test_equals_the_rule(counts, linear):
    shapes = pd.DataFrame(
        {"width_m": np.where(linear, 10.0, 90.0), "elongation": np.where(linear, 20.0, 2.0)}
    )
    found = classify(counts, COVERS, shapes)
    for i in range(3):
        assert tuple(found.iloc[i]) == reference(counts[i], bool(linear[i]))


def test_sure_votes_give_a_sure_type():
    assert decide({"cropland": 640}, {"built": 640}) == (
        "cropland",
        "built",
        "new_building",
        100,
    )


def test_shape_tells_roads_from_buildings():
    strip = pd.DataFrame({"width_m": [10.0], "elongation": [60.0]})
    square = pd.DataFrame({"width_m": [80.0], "elongation": [1.0]})
    assert decide({"cropland": 9}, {"built": 9}, strip)[2] == "road"
    assert decide({"cropland": 9}, {"built": 9}, square)[2] == "new_building"
    assert decide({"cropland": 9}, {"road": 9}, square)[2] == "hardened_ground"


def test_one_factor_in_all_bands_is_another_light():
    def shape(change: float) -> pd.DataFrame:
        return pd.DataFrame({"width_m": [80.0], "elongation": [1.0], "index_change": [change]})

    assert decide({"bare": 90}, {"built": 90}, shape(0.01)) == ("bare", "bare", "same_cover", 90)
    assert decide({"cropland": 9}, {"facility": 9}, shape(0.01))[2] == "crop_rotation"
    assert decide({"bare": 90}, {"built": 90}, shape(0.03))[2] == "new_building"
    assert decide({"bare": 90}, {"built": 90}, shape(np.nan))[2] == "new_building"
    assert decide({"pit": 90}, {"built": 90}, shape(0.01))[2] == "new_building"
    assert decide({}, {}, shape(0.01)) == ("", "", "unknown", -1)


def test_covers_that_mean_the_same_type_are_added():
    found = decide({"cropland": 40, "grass": 60}, {"built": 45, "facility": 35, "water": 20})
    assert found == ("grass", "built", "new_building", 45)


def test_the_next_best_votes_decide_where_the_cover_stays():
    assert decide({"forest": 60, "grass": 40}, {"forest": 35, "built": 65})[1:3] == (
        "built",
        "new_building",
    )
    assert decide({"forest": 90, "bare": 10}, {"forest": 55, "built": 45})[2] == "new_building"
    assert decide({"forest": 95, "bare": 5}, {"forest": 95, "built": 5})[:3] == (
        "forest",
        "forest",
        "same_cover",
    )
    assert decide({"forest": 90, "bare": 10}, {"forest": 90, "built": 10})[:3] == (
        "forest",
        "forest",
        "unknown",
    )
    assert decide({"pit": 95}, {"pit": 95})[2] == "unknown"
    assert decide({"cropland": 95}, {"cropland": 90, "built": 5})[2] == "crop_rotation"


def test_without_votes_nothing_is_claimed():
    assert decide({}, {}) == ("", "", "unknown", -1)
    assert decide({"forest": 5}, {}) == ("", "", "unknown", -1)


def test_a_component_is_decided_alone():
    counts = np.random.default_rng(0).integers(0, 900, (50, 2, K)).astype(np.int32)
    whole = classify(counts, COVERS)
    parts = pd.concat([classify(counts[:7], COVERS), classify(counts[7:], COVERS)])
    pd.testing.assert_frame_equal(whole, parts.reset_index(drop=True))
    assert list(whole) == ["from_cover", "to_cover", "change_type", "confidence"]
    assert classify(counts[:0], COVERS).empty


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match="one shape per component"):
        classify(ballot({}, {}), COVERS[:4])
    with pytest.raises(InputError, match="2 shapes"):
        classify(ballot({}, {}), COVERS, pd.DataFrame({"width_m": [1, 2], "elongation": [1, 2]}))


def test_change_types_of_parcels_are_right(landscape):
    block = landscape.block(landscape.extent, 4)
    table = draw_samples(block, landscape.labels(block.extent), per_cell_cap=200)
    state = fit_landcover(
        cap_samples([table], 400, seed=0), classes=COVERS, bands=block.bands, trees=30
    )
    parcels = landscape.parcels
    at = np.isin(parcels, np.flatnonzero(landscape.changed))
    rows, cols = np.nonzero(at)
    counts = vote_pair(state, block.before, block.after, block.valid, rows + 4, cols + 4)
    assert (counts.sum(axis=2) == 30).all()
    names, first, which = np.unique(parcels[at], return_index=True, return_inverse=True)
    votes = np.zeros((len(names), 2, K), np.int64)
    np.add.at(votes, which, counts)
    found = classify(votes, COVERS)
    truth = [
        transitions().change(COVERS[a - 1], COVERS[b - 1])
        for a, b in zip(
            landscape.truth_before[at][first], landscape.truth_after[at][first], strict=True
        )
    ]
    assert len(names) > 25
    assert (found["change_type"] == truth).mean() >= 0.9
    assert found["confidence"].median() > 70


def test_no_trees_no_votes(landscape):
    block = landscape.block(landscape.extent, 4)
    table = draw_samples(block, landscape.labels(block.extent), per_cell_cap=5)
    state = fit_landcover(table.take(np.arange(0)), classes=COVERS, bands=block.bands)
    counts = vote_pair(state, block.before, block.after, block.valid, [9], [9])
    assert counts.shape == (1, 2, K)
    assert not counts.any()


FAULTS = {
    "forest.child": (lambda a: a + 1_000_000, "child stands before"),
    "forest.feature": (lambda a: a + 999, "asks beyond"),
    "forest.label": (lambda a: np.where(a >= 0, a + 99, a).astype(np.int16), "asks beyond"),
    "forest.roots": (lambda a: a - 1, "roots are no nodes"),
    "forest.depths": (lambda a: a - 1, "does not end at a leaf"),
    "forest.threshold": (lambda a: np.where(a > 1e9, 0, a).astype(np.float32), "a leaf leads"),
    "forest.label of other type": (lambda a: a.astype(np.float64), "not of the types"),
    "forest.threshold cut": (lambda a: a[:-1], "differ in length"),
}


def test_a_state_goes_through_arrays_and_what_would_break_the_kernel_is_refused():
    rng, bands = np.random.default_rng(3), ("blue", "nir")
    names = feature_names(bands)
    x = rng.random((400, len(names)), np.float32)
    forest = grow_forest(x, (x[:, 0] * 3).astype(int), n_classes=3, trees=3, depth=4, seed=3)
    counts, scores = np.full(3, 133), (0.9, None, 0.8)
    matrix = np.diag(counts)
    state = LandcoverState(
        ("cropland", "water", "built"),
        bands,
        bands,
        names,
        forest,
        counts,
        counts,
        matrix,
        scores,
        0.85,
        0.8,
        None,
        ("a note",),
    )
    arrays = landcover_arrays(state)
    assert state_hash({"s": landcover_of(arrays, "a file")}) == state_hash({"s": state})
    for name, (alter, told) in FAULTS.items():
        key = f"landcover.{name.split()[0]}"
        with pytest.raises(InputError, match=told):
            landcover_of(arrays | {key: alter(arrays[key])}, "a file")
    for wrong in ({}, {"states": np.frombuffer(b'{"landcover": {"bands": []}}', np.uint8)}):
        with pytest.raises(InputError, match="holds no landcover"):
            landcover_of(wrong, "a file")
