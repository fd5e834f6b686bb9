"""Scores: the same bits however a scene is cut, and nothing but numbers for any input."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from configs.runparts import METHODS as NAMED
from detect.auto import fit_change
from detect.score import STRONG, Scores, change_statistic, halo_px, score_block
from tests.detect.invented import SIX, block_of, cells_of, changed_pair, cut
from tiles.grid import Extent

METHODS = (*NAMED, "index:NDVI")
THRESHOLDS = ("default", "otsu", "kittler", "rosin", "significance")


def fit(cells, method, pixel_m, bands=6, sensitivity="medium", target="any", **more):
    return fit_change(
        cells,
        method=method,
        sensitivity=sensitivity,
        target=target,
        pixel_m=pixel_m,
        wavelengths=SIX[:bands],
        **more,
    )


def holey_scene(halo):
    before, after, _ = changed_pair((150, 170), seed=3)
    valid = np.random.default_rng(0).random((150, 170)) > 0.02
    valid[:9] = valid[60:75, 40:90] = valid[:, 165:] = False
    return block_of(before, after, valid, halo=halo, row0=-37, col0=1000)


def scored_by_parts(block, state, cuts_y, cuts_x, halo):
    core = block.core
    rows = [core.row0, *(core.row0 + c for c in sorted(cuts_y)), core.row1]
    cols = [core.col0, *(core.col0 + c for c in sorted(cuts_x)), core.col1]
    out = np.zeros(core.shape, np.uint16)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(cols):
            part = Extent(top, left, bottom, right)
            if not part.is_empty:
                out[part.slices_in(core)] = score_block(cut(block, part, halo), state).score
    return out


@pytest.fixture(scope="module")
def fitted():
    found = {}
    for method, pixel_m, target in (
        ("auto", 10.0, "any"),
        ("auto", 10.0, "construction"),
        ("auto", 30.0, "any"),
        ("auto", 5.0, "any"),
        ("cva", 10.0, "any"),
        ("irmad", 10.0, "any"),
        ("logratio", 10.0, "any"),
        ("omnibus", 10.0, "any"),
        ("texture", 5.0, "any"),
        ("structure", 5.0, "any"),
        ("index:NDVI", 10.0, "any"),
    ):
        halo = halo_px(method, pixel_m)
        block = holey_scene(halo + 5)
        state = fit(cells_of(block, halo), method, pixel_m, target=target)
        found[method, pixel_m, target] = block, state, score_block(block, state)
    return found


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_cutting_gives_the_bytes_of_the_whole(fitted, data):
    key = data.draw(st.sampled_from(sorted(fitted)))
    block, state, whole = fitted[key]
    cuts_y = data.draw(st.lists(st.integers(1, 149), max_size=3))
    cuts_x = data.draw(st.lists(st.integers(1, 169), max_size=3))
    halo = data.draw(st.integers(state.halo, state.halo + 5))
    parts = scored_by_parts(block, state, cuts_y, cuts_x, halo)
    assert parts.tobytes() == whole.score.tobytes()


@pytest.mark.parametrize("panel", [(11, 47), (512, 512)])
def test_panels_do_not_change_the_answer(fitted, monkeypatch, panel):
    monkeypatch.setattr("detect.score.PANEL", panel)
    for block, state, whole in fitted.values():
        assert score_block(block, state).score.tobytes() == whole.score.tobytes()


def test_values_under_invalid_pixels_are_not_used(fitted):
    for block, state, whole in fitted.values():
        for side in (block.before, block.after):
            side[:, ~block.valid] = 1e9
        assert score_block(block, state).score.tobytes() == whole.score.tobytes()
        for side in (block.before, block.after):
            side[:, ~block.valid] = 0


def test_scores_and_thresholds(fitted):
    for block, state, whole in fitted.values():
        assert isinstance(whole, Scores)
        assert whole.score.shape == block.core.shape
        assert whole.score.dtype == np.uint16
        valid = block.valid[block.core_slices]
        assert (whole.score[~valid] == 0).all()
        assert (whole.score[whole.strong] >= STRONG).all()
        assert (whole.score[whole.weak] >= state.weak).all()
        np.testing.assert_array_equal(whole.strong, whole.weak & (whole.score >= STRONG))


@pytest.mark.parametrize("pixel_m", [2.0, 10.0, 30.0])
def test_nothing_beyond_the_halo_counts(pixel_m):
    halo = halo_px("auto", pixel_m)
    before, after, _ = changed_pair((2 * halo + 9, 2 * halo + 11), 2, seed=5)
    block = block_of(before, after, halo=halo)
    state = fit([block], "auto", pixel_m, bands=2)
    far = block_of(before, after, halo=halo)
    core = Extent(halo, halo, halo + 9, halo + 11)
    ring = np.ones(far.extent.shape, np.bool_)
    ring[core.expand(halo).slices_in(far.extent)] = False
    far.before[:, ring] += 3
    far.valid[ring] = False
    near, other = (change_statistic(b, state)[core.slices_in(b.extent)] for b in (block, far))
    assert near.tobytes() == other.tobytes()


def test_a_small_halo_and_other_bands_are_refused(fitted):
    block, state, _ = fitted["auto", 10.0, "any"]
    with pytest.raises(InputError, match="does not reach 12 pixels beyond"):
        score_block(cut(block, block.core, 3), state)
    fewer = block_of(block.before[:2], block.after[:2], halo=12)
    with pytest.raises(InputError, match="has 2 bands, the fitted state 6"):
        score_block(fewer, state)


def odd_scene(kind, bands, shape, seed):
    rng = np.random.default_rng(seed)
    before, after = rng.normal(size=(2, bands, *shape)).astype(np.float32)
    valid = np.ones(shape, np.bool_)
    if kind == "constant":
        before[:], after[:] = 3, 4
    elif kind == "one constant band":
        before[0], after[-1] = 0, 1e6
    elif kind == "two values":
        before, after = (rng.integers(0, 2, (2, bands, *shape)) * 255).astype(np.float32)
    elif kind == "saturated":
        before[:] = after[:] = 65535
        after[:, : shape[0] // 2] = 0
    elif kind == "identical":
        after = before.copy()
    elif kind == "one pixel changed":
        after = before.copy()
        after[:, 0, 0] += 9
    elif kind == "scaled":
        after = before * np.float32(1e-12)
    elif kind == "huge":
        before *= np.float32(1e15)
    elif kind == "no data":
        valid[:] = False
    elif kind == "few valid":
        valid = rng.random(shape) > 0.95
    elif kind == "one pixel valid":
        valid[:] = False
        valid[0, 0] = True
    return before, after, valid


def units(state):
    """Return 1 / threshold of the parts that a state has."""
    parts = ("evidence", "mad", "vector", "index", "radar")
    return [getattr(state, f"{p}_unit") for p in parts if getattr(state, p) is not None]


KINDS = (
    "constant",
    "one constant band",
    "two values",
    "saturated",
    "identical",
    "one pixel changed",
    "scaled",
    "huge",
    "no data",
    "few valid",
    "one pixel valid",
)


@given(
    kind=st.sampled_from(KINDS),
    method=st.sampled_from(METHODS),
    target=st.sampled_from(["any", "construction"]),
    threshold=st.sampled_from(THRESHOLDS),
    pixel_m=st.sampled_from([10.0, 30.0]),
    bands=st.sampled_from([1, 3, 4, 6]),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 9),
)
@example("constant", "structure", "any", "default", 10.0, 1, (7, 15), 0)
@settings(max_examples=250, deadline=None)
def test_odd_scenes_give_finite_scores_without_a_warning(
    kind, method, target, threshold, pixel_m, bands, shape, seed
):
    if method.startswith("index") and bands < 4:
        method = "cva"
    before, after, valid = odd_scene(kind, bands, shape, seed)
    halo = halo_px(method, pixel_m)
    block = block_of(before, after, valid, halo=halo)
    state = fit(cells_of(block, halo), method, pixel_m, bands, target=target, threshold=threshold)
    assert state.notes
    assert all(0 < unit < np.inf for unit in units(state))
    statistic = change_statistic(block, state)
    assert statistic is None or np.isfinite(statistic[block.core_slices][valid]).all()
    scores = score_block(block, state)
    if kind in ("constant", "identical", "no data"):
        assert not scores.weak.any()
