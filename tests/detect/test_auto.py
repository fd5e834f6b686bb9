"""Fitting: determinism, sensitivity, false alarms, choices, and states on disk."""

import numpy as np
import pytest

from configs.errors import InputError
from detect.auto import ChangeState, fit_change, halo_px, score_block
from tests.detect.invented import SIX, block_of, cells_of, changed_pair, cut, landscape, uneven
from tiles.grid import Extent
from tiles.state import load_states, save_states, state_hash

METHODS = ("auto", "cva", "irmad", "isfa", "index:NDVI")


def fit(block, method="auto", sensitivity="medium", target="any", pixel_m=10.0, order=1):
    cells = cells_of(block, halo_px(method, pixel_m))[::order]
    return fit_change(
        cells,
        method=method,
        sensitivity=sensitivity,
        target=target,
        pixel_m=pixel_m,
        wavelengths=SIX[: len(block.bands)],
    )


@pytest.fixture(scope="module")
def scene():
    before, after, truth = changed_pair((260, 190))
    return block_of(before, after, halo=20), truth


@pytest.mark.parametrize("pixel_m", [10.0, 30.0])
@pytest.mark.parametrize("method", METHODS)
def test_planted_changes_are_found(scene, method, pixel_m):
    block, truth = scene
    scores = score_block(block, fit(block, method, pixel_m=pixel_m))
    assert scores.strong[truth].mean() > 0.8
    assert scores.weak[~truth].mean() < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_states_travel_through_files_and_do_not_depend_on_cell_order(scene, tmp_path, method):
    block, _ = scene
    for pixel_m in (10.0, 30.0):
        state = fit(block, method, target="construction", pixel_m=pixel_m)
        other = fit(block, method, target="construction", pixel_m=pixel_m, order=-1)
        assert state_hash({"change": state}) == state_hash({"change": other})
        save_states(tmp_path, {"change": state})
        loaded = load_states(tmp_path, {"change": ChangeState})["change"]
        assert state_hash({"change": loaded}) == state_hash({"change": state})
        first, second = score_block(block, state), score_block(block, loaded)
        assert first.score.tobytes() == second.score.tobytes()


@pytest.mark.parametrize("pixel_m", [10.0, 30.0])
@pytest.mark.parametrize("method", METHODS)
def test_more_sensitive_finds_more(scene, method, pixel_m):
    block, _ = scene
    found = [
        np.count_nonzero(score_block(block, fit(block, method, s, pixel_m=pixel_m)).strong)
        for s in ("low", "medium", "high")
    ]
    assert 0 < found[0] <= found[1] <= found[2]


@pytest.mark.parametrize("pixel_m", [10.0, 30.0])
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_found_where_nothing_changed(method, pixel_m):
    rng = np.random.default_rng(7)
    before = landscape((200, 200), 6, 2)
    after = 1.2 * before + 0.01 + rng.normal(0, 0.005, before.shape)
    block = block_of(before + rng.normal(0, 0.005, before.shape), after, halo=20)
    scores = score_block(block, fit(block, method, pixel_m=pixel_m))
    allowed = {"auto": 0, "cva": 2e-3, "irmad": 2e-3, "isfa": 2e-3, "index:NDVI": 3e-2}[method]
    assert scores.strong.mean() <= allowed


@pytest.mark.parametrize("method", METHODS)
def test_identical_dates_are_told_and_give_no_change(method):
    before = landscape((90, 90), 6, 4)
    block = block_of(before, before, halo=20)
    state = fit(block, method)
    assert "identical" in state.notes[0]
    assert not score_block(block, state).score.any()
    later = before.copy()
    later[:, 30:40, 30:40] += 1
    whole = block_of(before, later, halo=20)
    scores = score_block(whole, state)
    assert scores.strong[33:37, 33:37].all()
    assert not scores.weak[:20].any()
    half = cut(whole, Extent(35, 0, 90, 90), halo_px(method, 10.0))
    assert score_block(half, state).score.tobytes() == scores.score[35:].tobytes()


def test_a_change_on_noiseless_dates_is_found():
    before = landscape((120, 120), 6, 4)
    after = before.copy()
    after[:, 50:62, 50:62] = 0.9
    block = block_of(before, after, halo=20)
    scores = score_block(block, fit(block))
    assert scores.strong[52:60, 52:60].all()
    assert not scores.weak[:40].any()


def test_the_choice_is_told(scene):
    block, _ = scene
    lawful = fit(block)
    assert lawful.evidence is None
    assert lawful.mad is not None
    assert "IR-MAD used: its no-change class" in lawful.notes[1]
    block = uneven(*changed_pair((260, 190))[:2])
    fine, coarse = fit(block), fit(block, pixel_m=30.0)
    assert fine.mad is None
    assert "pixels of 10.0 m" in fine.notes[1]
    assert coarse.evidence is not None


@pytest.mark.parametrize("pixel_m", [2.0, 10.0, 30.0])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_the_changed_share_and_the_pixel_do_not_matter_where_the_noise_is_gaussian(share, pixel_m):
    rng = np.random.default_rng(11)
    truth = np.kron(rng.random((10, 10)) < share, np.ones((15, 15), np.bool_))
    before, after = landscape((150, 150), 6, 1), 1.1 * landscape((150, 150), 6, 1)
    after[:, truth] = landscape((150, 150), 6, 9)[:, truth] + 0.1
    before, after = (v + rng.normal(0, 0.004, v.shape) for v in (before, after))
    block = block_of(before, after, halo=halo_px("auto", pixel_m))
    scores = score_block(block, fit(block, pixel_m=pixel_m))
    assert scores.strong[truth].mean() > 0.98
    assert scores.weak[~truth].mean() < 0.002


def test_nothing_reached_is_told():
    before = landscape((120, 120), 6, 2)
    state = fit(uneven(before, 1.2 * before))
    assert "reaches the threshold" in state.notes[-1]


def test_dates_that_do_not_tell_each_other_are_split_in_two():
    """Land of another kind everywhere, and much rougher in one part: no median measures noise."""
    rough = np.zeros((160, 160), np.bool_)
    rough[30:90, 40:120] = True
    before, after = landscape((160, 160), 3, 4), landscape((160, 160), 3, 5)
    after[:, rough] += 4 * (landscape((160, 160), 3, 6)[:, rough] - 0.25)
    block = block_of(before, after, halo=halo_px("auto", 10.0))
    state = fit(block)
    assert state.evidence.unexplained >= 0.87
    assert "check the pair" in state.notes[-1]
    strong = score_block(block, state).strong
    assert strong[rough].mean() > 0.6 > 3 * strong[~rough].mean()


def test_noise_alone_is_not_split():
    before, after = 0.3 + np.random.default_rng(2).normal(0, 0.01, (2, 3, 160, 160))
    block = block_of(before, after, halo=halo_px("auto", 10.0))
    assert not score_block(block, fit(block)).strong.any()


def test_irmad_without_a_no_change_class_is_not_trusted():
    rng = np.random.default_rng(0)
    before, after = rng.gamma(0.3, size=(2, 6, 120, 120))
    after[:, ::2] *= 30
    state = fit(block_of(before, after, halo=20), pixel_m=30.0)
    assert state.mad is None
    assert "IR-MAD not used" in state.notes[1]


def test_an_unknown_method_is_refused(scene):
    with pytest.raises(InputError, match="no method 'pca'"):
        fit(scene[0], "pca")
