"""Learning true against pseudo change from verdicts."""

from functools import cache

import geopandas as gpd
import numpy as np
import pytest
import shapely

from configs.errors import InputError
from models import feedback
from models.feedback import (
    feature_columns,
    feedback_arrays,
    feedback_of,
    fit_feedback,
    patch_features,
    pseudo_permille,
    spatial_folds,
)
from models.feedbackscores import feedback_scores
from models.heldlimit import held_limit

E0, N0 = 38_500_000, 4_060_000


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feedback, "TREES", 40)


def county(seed: int, n: int = 160) -> tuple[gpd.GeoDataFrame, np.ndarray]:
    """Return patches of which flooded fields (weak, little water index) are no change."""
    rng = np.random.default_rng(seed)
    pseudo = rng.random(n) < 0.4
    side = rng.uniform(40, 120, n)
    x, y = rng.uniform(0, 30_000, (2, n))
    table = gpd.GeoDataFrame(
        {
            "patch_id": [f"T{seed}{i:04d}" for i in range(n)],
            "n_pixels": (side**2 / 100).astype(int),
            "area_dm2": (side**2 * 100).astype(int),
            "change_type": np.where(rng.random(n) < 0.5, "pond", "greenhouse").astype(object),
            "confidence": np.where(pseudo, rng.integers(30, 60, n), rng.integers(45, 95, n)),
            "magnitude": np.where(pseudo, 11_000, 15_000) + rng.normal(0, 1500, n),
            "magnitude_p90": np.where(pseudo, 13_000, 17_000) + rng.normal(0, 1500, n),
            "ndwi_change": np.where(pseudo, 0.36, 0.6) + rng.normal(0, 0.06, n),
            "from_cover": "cropland",
            "to_cover": "water",
            "lon": 114 + x / 90_000,
            "lat": 36 + y / 111_000,
        },
        geometry=shapely.box(E0 + x, N0 + y, E0 + x + side, N0 + y + side),
        crs="EPSG:4526",
    )
    return table, pseudo


@cache
def fitted():
    patches, pseudo = county(1)
    wrong = np.random.default_rng(1).random(len(pseudo)) < 0.05
    told = pseudo ^ wrong
    return fit_feedback(patch_features(patches), told, spatial_folds(patches)), told


def test_it_knows_pseudo_changes_of_another_county():
    (state, held_out, _), told = fitted()
    patches, pseudo = county(2)
    found = feedback_scores(pseudo_permille(state, patches), pseudo, 850)
    assert found.pseudo_gone >= 0.6 * found.pseudo
    assert found.real_lost <= 0.02 * found.real
    assert feedback_scores(held_out, told, 850).brier < 0.12


def test_wrong_verdicts_are_told():
    (_, _, doubted), told = fitted()
    wrong = told ^ county(1)[1]
    assert wrong.sum() >= 5
    assert (doubted & wrong).sum() >= 0.6 * wrong.sum()
    assert (doubted & ~wrong).sum() <= 3


def test_probabilities_mean_what_they_say():
    (state, _, _), _ = fitted()
    patches, pseudo = county(3, n=600)
    p = pseudo_permille(state, patches) / 1000
    assert p.mean() == pytest.approx(pseudo.mean(), abs=0.06)
    sure = p >= 0.85
    assert sure.sum() > 100
    assert pseudo[sure].mean() == pytest.approx(p[sure].mean(), abs=0.08)


def test_verdicts_drawn_at_random_teach_no_certainty():
    patches, pseudo = county(1)
    shuffled = np.random.default_rng(0).permutation(pseudo)
    _, held_out, _ = fit_feedback(patch_features(patches), shuffled, spatial_folds(patches))
    assert feedback_scores(held_out, shuffled, 850).pseudo_gone <= 2
    share = shuffled.mean()
    assert feedback_scores(held_out, shuffled, 850).brier > share * (1 - share) - 0.03


def test_the_model_file_gives_the_same_answers_and_another_one_is_refused():
    (state, _, _), _ = fitted()
    arrays = feedback_arrays(state)
    patches, _ = county(2)
    same = feedback_of(arrays, "m.tuban")
    assert (pseudo_permille(same, patches) == pseudo_permille(state, patches)).all()
    for name, value in (
        ("feedback.permille", arrays["feedback.permille"][:-1]),
        ("feedback.permille", arrays["feedback.permille"] + 1000),
        ("feedback.forest.child", arrays["feedback.forest.child"] * 0),
    ):
        with pytest.raises(InputError, match="cannot be used") as error:
            feedback_of(arrays | {name: value}, "m.tuban")
        assert error.value.where == "m.tuban"


def test_what_imagery_said_first_is_read_where_a_model_changed_it():
    patches, _ = county(1, n=8)
    changed = patches.assign(
        first_type=patches["change_type"],
        first_confidence=patches["confidence"],
        change_type="unknown",
        confidence=99,
    )
    assert (patch_features(changed) == patch_features(patches)).all()
    bare = patch_features(patches[["n_pixels", "area_dm2", "geometry"]])
    assert np.isfinite(bare).all()
    assert bare.shape == (8, len(feature_columns()))


def test_too_few_verdicts_and_one_place_are_refused():
    patches, pseudo = county(1)
    x, fold = patch_features(patches), spatial_folds(patches)
    few = np.zeros(len(x), bool)
    few[:5] = True
    with pytest.raises(InputError, match=r"155 real and 5 pseudo-changes were judged; 20 of each"):
        fit_feedback(x, few, fold)
    with pytest.raises(InputError, match="one block"):
        fit_feedback(x, pseudo, fold * 0)


def test_the_limit_lies_above_every_real_change_that_is_not_doubted():
    held_out = np.array([100, 870, 990, 999])
    pseudo = np.array([False, False, False, True])
    doubted = np.array([False, False, True, False])
    assert held_limit(held_out, pseudo, doubted) == 871
    assert held_limit(held_out[:1], pseudo[:1], doubted[:1]) == 800
    assert held_limit(np.array([1000]), pseudo[:1], doubted[:1]) == 1000
