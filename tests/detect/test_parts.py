"""Parts of large components: the same for every tiling, nothing lost, ids kept."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from detect.components import Components, join, label_tile
from detect.cover_runs import cover_runs, wanted_pixels
from detect.outlines import outlines
from detect.parts import PartTable, find_parts, split
from tiles.grid import AnalysisGrid, Extent, plan_tiles

COVERS, LARGE = 3, 60
KINDS = np.arange(COVERS * COVERS) % 4


def worked(weak, pair, size, large=LARGE, seed=3, **kept):
    """Join the tiles of a mask whose pixels bear pairs of covers."""
    draw = np.random.default_rng(seed)
    score = np.where(weak, draw.integers(8000, 20_000, weak.shape), 0).astype(np.uint16)
    area, tiles = Extent(0, 0, *weak.shape), []
    for tile in plan_tiles(area, size):
        here = tile.extent.slices_in(area)
        scores = SimpleNamespace(score=score[here], weak=weak[here], strong=score[here] > 12_000)
        runs = label_tile(scores, tile.extent, area)
        runs = runs.with_votes(votes(pair[runs.members.row, runs.members.col]))
        pixels = wanted_pixels(runs, large)
        told = cover_runs(pixels, votes(pair[pixels[0], pixels[1]]), scores, tile.extent)
        tiles.append(dataclasses.replace(runs, covers=told))
    return join(tiles, hole_px=4, large_px=large, **kept)


def votes(pair):
    """Ten trees, of one mind."""
    out = np.zeros((len(pair), 2, COVERS), np.int32)
    out[np.arange(len(pair)), 0, pair // COVERS] = 10
    out[np.arange(len(pair)), 1, pair % COVERS] = 10
    return out


def in_parts(components: Components, least=20) -> Components:
    found = [
        PartTable.of(components, find_parts(components, KINDS, least, covers), members)
        for covers, members in components.large.batches()
    ]
    return split(components, PartTable.concatenate(found))


def painted(components: Components, shape):
    out = np.full(shape, -1)
    for row, first, last, comp in zip(
        components.row, components.first, components.last, components.comp, strict=True
    ):
        assert (out[row, first : last + 1] == -1).all()
        out[row, first : last + 1] = comp
    return out


@pytest.fixture(scope="module")
def scene():
    draw = np.random.default_rng(3)
    weak = ndimage.gaussian_filter(draw.standard_normal((96, 96)), 4) > 0.02
    weak &= draw.random((96, 96)) > 0.02
    plain = ndimage.gaussian_filter(draw.standard_normal((96, 96)), 5) > 0
    return weak, np.where(plain, 1, 6) + np.where(draw.random((96, 96)) < 0.1, 2, 0)


@pytest.mark.parametrize("size", [7, 16, 33])
def test_tiling_leaves_no_trace(scene, size):
    whole, tiled = in_parts(worked(*scene, 96)), in_parts(worked(*scene, size))
    for name in ("row", "first", "last", "comp", "filled", "anchor_row", "anchor_col", "votes"):
        np.testing.assert_array_equal(getattr(tiled, name), getattr(whole, name))
    for name, values in whole.stats.arrays().items():
        np.testing.assert_array_equal(getattr(tiled.stats, name), values)
    np.testing.assert_array_equal(tiled.high_score, whole.high_score)


def test_nothing_is_lost_and_the_first_part_keeps_the_id(scene):
    before = worked(*scene, 33)
    after = in_parts(before)
    assert len(after) > len(before)
    shape = scene[0].shape
    np.testing.assert_array_equal(painted(before, shape) >= 0, painted(after, shape) >= 0)
    for name in ("pixels", "strong", "score_sum"):
        assert getattr(after.stats, name).sum() == getattr(before.stats, name).sum()
    assert after.filled.sum() == before.filled.sum()
    anchors = set(zip(after.anchor_row.tolist(), after.anchor_col.tolist(), strict=True))
    assert set(zip(before.anchor_row, before.anchor_col, strict=True)) <= anchors
    assert len(anchors) == len(after)


def two_halves(rim=0):
    weak, pair = np.zeros((20, 40), np.bool_), np.full((20, 40), 1)
    weak[4:16, 4:36] = True
    pair[:, 20:] = 6
    pair[:, 20 - rim : 20] = 7
    return weak, pair


def test_two_uses_are_two_patches_that_share_a_border():
    parts = in_parts(worked(*two_halves(), 16))
    assert parts.stats.pixels.tolist() == [192, 192]
    grid = AnalysisGrid("EPSG:32650", 10.0, 10.0)
    one, two = outlines(parts, grid)
    assert one.area == two.area == 19_200
    assert one.touches(two)
    assert one.intersection(two).length == 120
    assert parts.votes[0, 1].argmax() != parts.votes[1, 1].argmax()


def test_a_rim_between_two_uses_is_no_part():
    parts = in_parts(worked(*two_halves(rim=1), 16), least=4)
    assert parts.stats.pixels.tolist() in ([192, 192], [180, 204])


def test_a_small_component_stays_whole():
    weak, pair = two_halves()
    small = worked(weak, pair, 16, large=1000)
    assert len(in_parts(small)) == 1


def test_a_doubtful_part_stays_with_the_neighbour_it_borders_on_most():
    weak, pair = two_halves()
    pair[4:10, 30:] = 8  # touches the right half only
    components = worked(weak, pair, 16)
    [(covers, _)] = components.large.batches()
    parts = find_parts(components, np.arange(COVERS * COVERS), 20, covers)
    assert len(parts) == 3
    kinds = np.arange(3)
    sure = parts.united(kinds, doubtful=np.zeros(3, np.bool_))
    assert len(sure) == 3
    corner = int(parts.votes[:, 1, 2].argmax())
    joined = parts.united(kinds, doubtful=kinds == corner)
    assert sorted(joined.votes.sum(axis=(1, 2)).tolist()) == [3840, 3840]
    assert len(parts.united(kinds, doubtful=np.ones(3, np.bool_))) == 1


@pytest.mark.parametrize("most", [1, 40, 10**6])
def test_batches_of_components_in_files_leave_no_trace(scene, most, tmp_path):
    alone = worked(*scene, 33)
    components = worked(*scene, 33, scratch=tmp_path, batch_runs=most)
    assert (components.large.count > 1) == (most < len(components.large.covers))
    one, other = in_parts(components), in_parts(alone)
    for name in ("row", "first", "last", "comp", "filled", "anchor_row", "votes", "high_score"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("most", [1, 3, 10**6])
def test_batches_of_components_are_all_of_them(scene, most):
    components = in_parts(worked(*scene, 16))
    batches = list(components.batches(most))
    assert len(batches) == -(-len(components) // most)
    grid = AnalysisGrid("EPSG:32650", 10.0, 10.0)
    whole = outlines(components, grid, smooth=True)
    cut = np.concatenate([outlines(some, grid, smooth=True) for some in batches])
    assert [a.wkb for a in cut] == [b.wkb for b in whole]
    shape, at = scene[0].shape, 0
    label = painted(components, shape)
    for some in batches:
        own = painted(some, shape)
        np.testing.assert_array_equal(own >= 0, (label >= at) & (label < at + len(some)))
        np.testing.assert_array_equal(own[own >= 0] + at, label[own >= 0])
        for name in ("filled", "anchor_row", "votes", "values"):
            rows = getattr(components, name)[at : at + len(some)]
            np.testing.assert_array_equal(getattr(some, name), rows)
        at += len(some)
