"""Joining tiles: equal to labelling the whole raster, for any tiling."""

import dataclasses
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from configs.errors import InputError
from detect import joined_runs
from detect.component_tables import MEMBER_SEED, NO_VALUE, Members, sums
from detect.components import join, label_tile
from tiles.grid import Extent, plan_tiles, splitmix64

EIGHT = np.ones((3, 3), int)
FOUR = ndimage.generate_binary_structure(2, 1)
STRUCTURE = {4: FOUR, 8: EIGHT}
LIMIT = 6


def label_area(weak, strong, score, tiles, area, connectivity, **settings):
    """Label every tile; the votes of a member tell its row and column."""
    for extent in tiles:
        cut = extent.slices_in(area)
        arrays = SimpleNamespace(weak=weak[cut], strong=strong[cut], score=score[cut])
        tile = label_tile(
            arrays, extent, area, connectivity=connectivity, members=LIMIT, **settings
        )
        row, col = tile.members.row - area.row0, tile.members.col - area.col0
        told = np.where((row + col) % 3 > 0, row, NO_VALUE)[:, None]
        yield tile.with_values(told).with_votes(
            np.stack([np.stack([row, col], 1), np.stack([col, row * 0 + 1], 1)], 1)
        )


def ragged(area, rng):
    """Cut the area at random rows and columns."""
    rows = [area.row0, *sorted(rng.choice(np.arange(area.row0, area.row1), 4)), area.row1]
    cols = [area.col0, *sorted(rng.choice(np.arange(area.col0, area.col1), 3)), area.col1]
    return [
        Extent(int(r0), int(c0), int(r1), int(c1))
        for r0, r1 in pairwise(rows)
        for c0, c1 in pairwise(cols)
        if r0 < r1 and c0 < c1
    ]


def tilings(area, rng, sizes=(1, 7, 64)):
    yield [area]
    for size in sizes:
        yield [tile.extent for tile in plan_tiles(area, size)]
    yield ragged(area, rng)


def reference(weak, strong, score, area, connectivity, *, min_strong, floor_px, hole_px):
    """The definition on the whole raster, with scipy."""
    label, n = ndimage.label(weak, STRUCTURE[connectivity])
    numbers = np.arange(1, n + 1)
    pixels = np.bincount(label.ravel(), minlength=n + 1)[1:]
    hard = np.asarray(ndimage.sum_labels(strong & weak, label, numbers)).astype(int)
    alive = (pixels >= floor_px) & (hard >= min_strong)
    survivors = np.where(np.isin(label, numbers[alive]), label, 0)
    pad = np.pad(survivors, 1)
    background, holes = ndimage.label(pad == 0, STRUCTURE[12 - connectivity])
    filled = pad.copy()
    for hole in range(1, holes + 1):
        inside = background == hole
        ring = set(np.unique(pad[ndimage.binary_dilation(inside, FOUR)])) - {0}
        if not inside[0, 0] and inside.sum() <= hole_px and len(ring) == 1:
            filled[inside] = ring.pop()
    filled = filled[1:-1, 1:-1]
    facts = []
    for number in numbers[alive]:
        mine = survivors == number
        rows, cols = np.nonzero(mine)
        hashes = splitmix64(rows + area.row0, cols + area.col0, MEMBER_SEED)
        chosen = np.lexsort((cols, rows, hashes))[:LIMIT]
        votes = [[rows[chosen].sum(), cols[chosen].sum()], [cols[chosen].sum(), len(chosen)]]
        sums = (filled == number).sum(), hard[number - 1], score[mine].sum(dtype=np.int64)
        high = np.sort(score[rows[chosen], cols[chosen]])[-(-9 * len(chosen) // 10) - 1]
        told = rows[chosen][(rows + cols)[chosen] % 3 > 0]
        mean = told.sum() / len(told) if len(told) else np.nan
        facts.append((*(int(v) for v in sums), votes, int(high), mean))
    rank = np.zeros(n + 1, int)
    rank[numbers[alive]] = np.arange(alive.sum()) + 1  # scipy numbers by first pixel
    return rank[filled], facts, int(pixels[~alive].sum())


def painted(components, area):
    image = np.zeros(area.shape, int)
    for r, a, b, c in zip(
        components.row - area.row0,
        components.first - area.col0,
        components.last - area.col0,
        components.comp,
        strict=True,
    ):
        assert (image[r, a : b + 1] == 0).all()
        image[r, a : b + 1] = c + 1
    return image


def assert_is_reference(weak, connectivity, rng, *, tile_settings=None, **rules):
    area = Extent(-5, 1000, -5 + weak.shape[0], 1000 + weak.shape[1])
    strong = rng.random(weak.shape) < 0.2
    score = rng.integers(0, 65536, weak.shape).astype(np.uint16)
    image, facts, noise = reference(weak, strong, score, area, connectivity, **rules)
    seen = None
    for tiles in tilings(area, rng, (1, 7, 64) if weak.size < 400 else (7, 64)):
        floor = {"floor_px": rules["floor_px"]} if len(tiles) % 2 else {"floor_px": 1}
        runs = label_area(weak, strong, score, tiles, area, connectivity, **floor)
        found = join(runs, connectivity=connectivity, **rules)
        np.testing.assert_array_equal(painted(found, area), image)
        stats = found.stats
        assert stats.pixels.tolist() == [f[0] for f in facts]
        assert stats.strong.tolist() == [f[1] for f in facts]
        assert stats.score_sum.tolist() == [f[2] for f in facts]
        assert found.votes.tolist() == [f[3] for f in facts] or not facts
        assert found.high_score.tolist() == [f[4] for f in facts]
        np.testing.assert_array_equal(found.values.ravel(), [f[5] for f in facts])
        assert_takes(found, rng)
        assert found.noise_pixels == noise
        seen = seen or found
        assert_equal_components(found, seen)


def assert_takes(found, rng):
    keep = rng.random(len(found)) < 0.5
    kept, number = found.take(keep), np.cumsum(keep) - 1
    mine = keep[found.comp]
    assert kept.comp.tolist() == number[found.comp[mine]].tolist()
    assert kept.first.tolist() == found.first[mine].tolist()
    assert kept.stats.pixels.tolist() == found.stats.pixels[keep].tolist()
    assert kept.anchor_row.tolist() == found.anchor_row[keep].tolist()


def assert_equal_components(a, b):
    for field in dataclasses.fields(a):
        mine, other = getattr(a, field.name), getattr(b, field.name)
        if dataclasses.is_dataclass(mine):
            assert_equal_components(mine, other)
        else:
            np.testing.assert_array_equal(mine, other, field.name)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("density", [0.05, 0.3, 0.45, 0.6, 0.7])
def test_random_masks_are_labelled_as_a_whole(density, connectivity):
    rng = np.random.default_rng(int(density * 100))
    for shape in [(1, 1), (1, 40), (40, 1), (13, 17), (40, 33)]:
        weak = rng.random(shape) < density
        assert_is_reference(weak, connectivity, rng, min_strong=0, floor_px=1, hole_px=0)
        assert_is_reference(weak, connectivity, rng, min_strong=1, floor_px=3, hole_px=4)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_large_mask_is_labelled_as_a_whole(connectivity):
    rng = np.random.default_rng(connectivity)
    field = ndimage.gaussian_filter(rng.standard_normal((300, 280)), 2)
    weak = (field > np.quantile(field, 0.6)) ^ (rng.random(field.shape) < 0.02)
    area = Extent(0, 0, *weak.shape)
    label, n = ndimage.label(weak, STRUCTURE[connectivity])
    for tiles in tilings(area, rng, (64,)):
        runs = label_area(weak, weak, weak.astype(np.uint16), tiles, area, connectivity)
        found = join(runs, connectivity=connectivity, floor_px=4)
        pixels = np.bincount(label.ravel())[1:]
        assert sorted(found.stats.pixels) == sorted(pixels[pixels >= 4])
        assert found.noise_components == (pixels < 4).sum()
        assert found.noise_components + len(found) == n


@pytest.mark.parametrize("at_once", [1, 3])
def test_holes_are_found_some_components_at_a_time(at_once, monkeypatch):
    monkeypatch.setattr(joined_runs, "AT_ONCE", at_once)
    rng = np.random.default_rng(at_once)
    for density in (0.4, 0.6):
        weak = rng.random((40, 33)) < density
        assert_is_reference(weak, 8, rng, min_strong=0, floor_px=2, hole_px=5)
        assert_is_reference(weak, 4, rng, min_strong=0, floor_px=1, hole_px=9)
    rings = shapes()["rings"]
    assert_is_reference(rings, 8, rng, min_strong=0, floor_px=1, hole_px=10_000)


def spiral(size):
    mask = np.zeros((size, size), bool)
    r0, c0, r1, c1 = 0, 0, size - 1, size - 1
    mask[0, :] = True
    while r1 - r0 > 2 and c1 - c0 > 2:
        mask[r0 : r1 + 1, c1] = mask[r1, c0 : c1 + 1] = True
        mask[r0 + 2 : r1 + 1, c0] = mask[r0 + 2, c0 : c1 - 1] = True
        r0, c0, r1, c1 = r0 + 2, c0 + 2, r1 - 2, c1 - 2
    return mask


def shapes():
    comb = np.zeros((18, 21), bool)
    comb[:, ::2] = True
    comb[-1] = True
    board = np.indices((21, 18)).sum(axis=0) % 2 == 0
    rings = np.zeros((41, 41), bool)
    for k in range(0, 20, 2):
        rings[k : 41 - k, k : 41 - k] = True
        rings[k + 1 : 40 - k, k + 1 : 40 - k] = False
    return {
        "spiral": spiral(19),
        "comb": comb,
        "comb down": comb[::-1],
        "comb left": comb.T,
        "board": board,
        "rings": rings,
        "large spiral": spiral(65),
        "all": np.ones((30, 33), bool),
        "none": np.zeros((30, 33), bool),
    }


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("name", shapes())
def test_awkward_shapes_are_labelled_as_a_whole(name, connectivity):
    rng = np.random.default_rng(3)
    weak = shapes()[name]
    assert_is_reference(weak, connectivity, rng, min_strong=0, floor_px=1, hole_px=3)
    assert_is_reference(weak, connectivity, rng, min_strong=2, floor_px=2, hole_px=10_000)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.sampled_from([4, 8]),
    st.integers(0, 2),
    st.integers(1, 4),
    st.integers(0, 6),
    st.integers(0, 2**31),
)
def test_any_small_mask(weak, connectivity, min_strong, floor_px, hole_px, seed):
    rng = np.random.default_rng(seed)
    rules = {"min_strong": min_strong, "floor_px": floor_px, "hole_px": hole_px}
    assert_is_reference(weak, connectivity, rng, **rules)


def test_all_holes_are_those_of_scipy():
    rng = np.random.default_rng(8)
    field = ndimage.gaussian_filter(rng.standard_normal((120, 90)), 1.5)
    weak = ndimage.label(field > -0.02, EIGHT)[0]
    weak = weak == np.argmax(np.bincount(weak.ravel())[1:]) + 1
    area = Extent(0, 0, *weak.shape)
    runs = label_area(weak, weak, weak.astype(np.uint16), [area], area, 8)
    found = join(runs, connectivity=8, hole_px=10**9)
    np.testing.assert_array_equal(painted(found, area) > 0, ndimage.binary_fill_holes(weak, FOUR))


def test_a_hole_with_a_survivor_stays_and_one_with_noise_is_filled():
    weak = np.zeros((9, 9), bool)
    weak[1:8, 1:8] = True
    weak[2:7, 2:7] = False
    weak[4, 4] = True
    area = Extent(0, 0, 9, 9)

    def join_with(floor_px):
        runs = label_area(weak, weak, weak.astype(np.uint16), [area], area, 8, floor_px=floor_px)
        return join(runs, floor_px=floor_px, hole_px=25)

    assert join_with(1).stats.pixels.tolist() == [24, 1]
    alone = join_with(2)
    assert alone.stats.pixels.tolist() == [49]
    assert alone.filled.tolist() == [25]
    assert alone.noise_pixels == 1


def test_a_missing_tile_is_no_change():
    weak = np.ones((8, 12), bool)
    area = Extent(0, 0, 8, 12)
    tiles = [t.extent for t in plan_tiles(area, 4)]
    del tiles[1]
    found = join(label_area(weak, weak, weak.astype(np.uint16), tiles, area, 8), hole_px=100)
    assert found.stats.pixels.tolist() == [8 * 12 - 16]
    upper, middle, lower = tiles[:2], tiles[2:2], tiles[2:]
    assert not middle
    gap = [dataclasses.replace(e, row0=e.row0 + 1, row1=e.row1 + 1) for e in lower]
    weak, area = np.ones((9, 12), bool), Extent(0, 0, 9, 12)
    runs = label_area(weak, weak, weak.astype(np.uint16), [*upper, *gap], area, 8)
    assert len(join(runs)) == 3


def test_no_tile_and_no_votes():
    assert len(join([])) == 0
    area = Extent(0, 0, 3, 3)
    weak = np.ones((3, 3), bool)
    plain = SimpleNamespace(weak=weak, strong=weak, score=weak.astype(np.uint16))
    found = join([label_tile(plain, area, area)])
    assert found.votes.shape == (1, 2, 0)
    assert found.n_members.tolist() == [9]


def test_tiles_out_of_order_or_of_other_settings_are_refused():
    weak = np.ones((8, 8), bool)
    area = Extent(0, 0, 8, 8)
    extents = [t.extent for t in plan_tiles(area, 4)]
    tiles = list(label_area(weak, weak, weak.astype(np.uint16), extents, area, 8))
    for wrong in (tiles[::-1], [tiles[1], tiles[0]], [tiles[0], tiles[0]]):
        with pytest.raises(InputError, match="out of order or overlap"):
            join(wrong)
    with pytest.raises(InputError, match="connectivity 8"):
        join(tiles, connectivity=4)
    with pytest.raises(InputError, match="floor 4"):
        join(tiles, floor_px=2)
    other = tiles[1].with_votes(np.zeros((len(tiles[1].members), 2, 5), np.int32))
    with pytest.raises(InputError, match="or others"):
        join([tiles[0], other])


@pytest.mark.parametrize("twice", [False, True])
def test_the_members_of_the_smallest_hash_are_chosen(twice):
    rng = np.random.default_rng(3)
    comp, row, col = rng.integers(0, (30, 10**6, 10**6), (2000, 3)).T
    if twice:  # hashes that are alike in all their bits
        comp[1000:], row[1000:], col[1000:] = comp[:1000], row[:1000], col[:1000]
    members = Members.of(comp, row, col, np.arange(2000, dtype=np.int32)[:, None])
    kept = members.smallest(8)
    rows = sorted(zip(comp, members.hash, row, col, range(2000), strict=True))
    wanted = [r for k in range(30) for r in [x for x in rows if x[0] == k][:8]]
    found = kept.comp, kept.hash, kept.row, kept.col, kept.values[:, 0]
    assert list(zip(*found, strict=True)) == wanted


def test_sums_by_label_are_of_whole_numbers():
    rng = np.random.default_rng(4)
    label, values = rng.integers(0, 5, 300), rng.integers(-(2**31), 2**31, (300, 2, 3))
    wanted = [values[label == k].sum(axis=0) for k in range(6)]
    assert np.array_equal(sums(label, values, 6), wanted)
    assert sums(label[:0], values[:0], 0).shape == (0, 2, 3)
