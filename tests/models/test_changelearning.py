"""A change detector learned from labels: scene units, the same scores for any tile, honest cuts."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from configs.errors import InputError
from detect.score import STRONG
from models.changelearning import (
    FACTORS,
    POWERS,
    SAMPLES,
    choose_cut,
    fit_pair_scale,
    grow_learner,
    label_scene,
    learned_scores,
    learned_statistic,
    pair_feature_names,
    pair_halo,
)
from models.changetraining import Forests, learn_change, open_place, proves_more, score_place
from models.learnedchange import fit_learned
from tiles.block import Block
from tiles.grid import Extent

BANDS = ("B02", "B03", "B04", "B08")
WAVES = (0.49, 0.56, 0.665, 0.842)
AREA = Extent(0, 0, 170, 180)
PIXEL_M = 10.0
HALO = pair_halo(PIXEL_M)


def whole(seed, gain=1.0):
    """Return a pair with noise, some of its ground built over, and the labels."""
    rng = np.random.default_rng(seed)
    ground = np.stack([ndimage.gaussian_filter(rng.normal(0, 1, AREA.shape), 4) for _ in BANDS])
    before = 0.2 + 0.3 * ground + rng.normal(0, 0.01, ground.shape)
    after = gain * (0.2 + 0.3 * ground) + 0.02 + rng.normal(0, 0.01, ground.shape)
    labels = np.ones(AREA.shape, np.uint8)
    for row, col in rng.integers(10, 150, (5, 2)):
        after[:, row : row + 12, col : col + 12] += gain * 0.15
        labels[row : row + 12, col : col + 12] = 2
    pad = ((0, 0), (HALO, HALO), (HALO, HALO))
    valid = np.pad(np.ones(AREA.shape, np.bool_), HALO)
    images = [np.pad(v, pad).astype(np.float32) for v in (before, after)]
    source = np.where(valid, 0, 255).astype(np.uint8)
    block = Block(AREA.expand(HALO), AREA, BANDS, *images, valid, np.stack([source, source]))
    return block, labels


def part(block, core):
    where = core.expand(HALO).slices_in(block.extent)
    images = [np.ascontiguousarray(v[:, *where]) for v in (block.before, block.after)]
    valid = np.ascontiguousarray(block.valid[where])
    return Block(core.expand(HALO), core, BANDS, *images, valid, block.source[:, *where])


@pytest.fixture(scope="module")
def learned():
    scenes = []
    for seed, gain in ((1, 1.0), (2, 3.0)):
        block, labels = whole(seed, gain)
        scale = fit_pair_scale([block], pixel_m=PIXEL_M, wavelengths=WAVES)
        scenes.append((block, labels, scale, label_scene(f"scene{seed}", block, scale, labels)))
    return scenes, replace(grow_learner([s[3] for s in scenes], BANDS), power=0.5)


def scores(block, scale, learner):
    return learned_scores(block, *learned_statistic(block, scale, learner), learner, PIXEL_M)


@pytest.mark.slow
def test_every_tiling_scores_alike_and_fits_repeat(learned):
    scenes, learner = learned
    block, labels, scale, samples = scenes[0]
    told = scores(block, scale, learner)
    for core in (Extent(0, 0, 64, 96), Extent(64, 96, 170, 180), Extent(31, 57, 94, 58)):
        found, where = scores(part(block, core), scale, learner), core.slices_in(AREA)
        assert np.array_equal(found.score, told.score[where])
        assert np.array_equal(found.weak, told.weak[where])
        assert np.array_equal(found.strong, told.strong[where])
    again = label_scene("scene1", block, scale, labels)
    assert np.array_equal(again.x, samples.x)
    twice = grow_learner([scenes[1][3], again], BANDS)
    assert np.array_equal(twice.forest.threshold, learner.forest.threshold)


@pytest.mark.slow
def test_a_learner_finds_change_in_a_scene_of_other_gain(learned):
    scenes, _ = learned
    block, labels, scale, _ = scenes[1]
    alone = replace(grow_learner([scenes[0][3]], BANDS), power=0.5)
    found = scores(block, scale, alone).weak
    hit = np.count_nonzero(found & (labels == 2))
    assert 2 * hit / (np.count_nonzero(found) + np.count_nonzero(labels == 2)) > 0.7
    plain = scores(block, scale, replace(alone, power=0.0))
    assert np.count_nonzero(plain.score >= STRONG) >= np.count_nonzero(found) / 2


@pytest.mark.slow
def test_samples_are_capped_and_tell_what_they_were_asked(learned):
    scenes, learner = learned
    for _, labels, _, samples in scenes:
        assert samples.x.shape == (len(samples.y), len(pair_feature_names(BANDS)))
        assert samples.y.sum() == np.count_nonzero(labels == 2)
        assert len(samples.y) - samples.y.sum() == SAMPLES["unchanged"]
    with pytest.raises(InputError, match="bands"):
        learned_statistic(replace(scenes[0][0], bands=("a", "b", "c", "d")), scenes[0][2], learner)
    only = replace(scenes[0][3], y=np.zeros_like(scenes[0][3].y))
    with pytest.raises(InputError, match="no changed pixel"):
        grow_learner([only], BANDS)


@pytest.mark.slow
def test_the_cut_is_the_best_mean_and_of_equal_ones_the_plain_statistic(learned):
    _, learner = learned
    wanted = sorted({replace(learner, power=0.0, threshold=3.75 * f).threshold for f in FACTORS})

    def near(power, threshold):
        return lambda cut: 1.0 - abs(cut.power - power) - abs(cut.threshold - threshold) / 10

    chosen = choose_cut(learner, [near(0.5, wanted[4]), near(0.5, wanted[4])])
    assert (chosen.power, chosen.threshold) == (0.5, wanted[4])
    assert choose_cut(learner, [lambda _: 0.5]).power == POWERS[0]


@pytest.mark.slow
def test_places_are_scored_by_what_they_did_not_teach_and_must_prove_it(learned):
    scenes, _ = learned
    places = [
        open_place(f"scene{n}", block, labels, pixel_m=PIXEL_M, wavelengths=WAVES)
        for n, (block, labels, _, _) in enumerate([*scenes, (*whole(3), None, None)])
    ]
    trained = learn_change(places)
    again = learn_change(places[::-1], forests=Forests(places))
    assert {p.name: p.learned for p in again.places} == {p.name: p.learned for p in trained.places}
    assert again.learner.threshold == trained.learner.threshold
    assert all(p.learned > 0.6 for p in trained.places)
    kept = places[0]
    unproven = replace(trained, learner=replace(trained.learner, proven=False))
    assert score_place(kept, unproven, Forests(places)) == kept.auto
    block, labels = whole(4)
    still = open_place(
        "still", replace(block, after=block.before), np.minimum(labels, 1),
        pixel_m=PIXEL_M, wavelengths=WAVES, auto=0.0,
    )  # fmt: skip
    more = learn_change([*places, still])
    assert [p.name for p in more.places] == [p.name for p in places]
    assert min(p.learned for p in more.places) > 0.6
    with pytest.raises(InputError, match="show change: 2"):
        learn_change([*places, still], left=frozenset(("scene0",)))


@pytest.mark.slow
def test_a_model_that_proved_nothing_leaves_change_to_the_method(learned):
    _, learner = learned
    unproven = replace(learner, proven=False)
    state = fit_learned([], unproven, model="0" * 64, pixel_m=PIXEL_M, wavelengths=WAVES)
    assert not state.scores_change
    assert state.halo == 0
    assert "auto scores change" in state.notes[0]


def test_a_proof_needs_more_than_chance():
    assert proves_more([0.02, 0.03, 0.01, 0.02])
    assert not proves_more([0.2, -0.1, 0.01, 0.02])
    assert not proves_more([0.0, 0.0, 0.0])
    assert not proves_more([-0.02, -0.03, -0.01])
