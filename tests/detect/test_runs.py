"""Runs and tiles: kernels against plain definitions, members, saved products."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import njit

from configs.errors import InputError
from detect.component_tables import MEMBER_SEED
from detect.components import TileRuns, label_tile
from detect.kernels.runs import (
    bottom_members,
    count_runs,
    extract_runs,
    link_runs,
    number_roots,
    pixel_hash,
    run_statistics,
)
from tiles.grid import Extent, splitmix64

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def scores_of(weak, strong=None, score=None):
    return SimpleNamespace(
        weak=weak,
        strong=weak if strong is None else strong,
        score=np.ones(weak.shape, np.uint16) if score is None else score,
    )


def runs_of(mask, row0=0, col0=0):
    row, first, last = (np.empty(count_runs(mask), np.int64) for _ in range(3))
    extract_runs(mask, row0, col0, row, first, last)
    return row, first, last


def test_kernels_are_compiled():
    mask = np.ones((2, 2), bool)
    runs_of(mask)
    label_tile(scores_of(mask), Extent(0, 0, 2, 2), Extent(0, 0, 2, 2))
    kernels = [count_runs, extract_runs, link_runs, number_roots, run_statistics, bottom_members]
    assert all(kernel.signatures for kernel in kernels)


hash_of = njit(lambda row, col, seed: pixel_hash(row, col, seed))


@given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40), st.integers(0, 2**31))
def test_the_compiled_hash_is_the_grids_hash(row, col, seed):
    assert int(hash_of(row, col, seed)) == int(splitmix64(row, col, seed))


@given(MASKS, st.integers(-9, 9), st.integers(-9, 9))
def test_runs_cover_the_mask_and_do_not_touch(mask, row0, col0):
    row, first, last = runs_of(mask, row0, col0)
    painted = np.zeros_like(mask)
    for r, a, b in zip(row - row0, first - col0, last - col0, strict=True):
        assert not painted[r, a : b + 1].any()
        painted[r, a : b + 1] = True
        assert a == 0 or not mask[r, a - 1]
    assert (painted == mask).all()
    assert (np.lexsort((first, row)) == np.arange(len(row))).all()


def test_members_are_the_pixels_with_the_smallest_hash():
    rng = np.random.default_rng(4)
    core = Extent(-20, 100, 60, 190)
    tile = label_tile(scores_of(rng.random(core.shape) < 0.6), core, core, members=5)
    members = tile.members
    assert (np.lexsort((members.hash, members.comp)) == np.arange(len(members))).all()
    for c in range(len(tile.stats)):
        mine = tile.comp == c
        pixels = [
            (int(splitmix64(r, x, MEMBER_SEED)), r, x)
            for r, a, b in zip(tile.row[mine], tile.first[mine], tile.last[mine], strict=True)
            for x in range(a, b + 1)
        ]
        chosen = members.take(members.comp == c)
        found = list(zip(chosen.hash.tolist(), chosen.row, chosen.col, strict=True))
        assert found == sorted(pixels)[:5]


def test_equal_hashes_go_to_the_smaller_row_and_column():
    # with one slot and every pixel offered, the first of equal hashes stays
    row, first, last, comp = (np.array([v], np.int64) for v in (3, 5, 5, 0))
    m_row, m_col, m_hash = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.uint64)
    twice = [np.concatenate([a, a]) for a in (row, first, last, comp)]
    bottom_members(*twice, np.array([0, 1]), 0, m_row, m_col, m_hash)
    assert (m_row[0], m_col[0]) == (3, 5)
    assert m_hash[0] == splitmix64(3, 5, 0)


def test_small_components_are_dropped_unless_they_touch_a_seam():
    weak = np.zeros((6, 6), bool)
    weak[2, 2] = weak[0, 3] = weak[4, 5] = True
    area = Extent(0, 0, 6, 20)
    tile = label_tile(scores_of(weak), Extent(0, 0, 6, 6), area, floor_px=4)
    assert tile.row.tolist() == [4]
    assert tile.seam.tolist() == [1]
    assert (tile.noise_pixels, tile.noise_components) == (2, 2)
    weak[2, 1:5] = True
    tile = label_tile(scores_of(weak, strong=weak & False), area=area, core=Extent(0, 0, 6, 6))
    assert tile.stats.pixels.tolist() == [4, 1]
    tile = label_tile(scores_of(weak, weak & False), Extent(0, 0, 6, 6), area, min_strong=1)
    assert tile.stats.pixels.tolist() == [1]


@settings(max_examples=50)
@given(MASKS, st.sampled_from([4, 8]), st.integers(-(2**40), 2**40))
def test_a_saved_tile_comes_back(tmp_path_factory, mask, connectivity, offset):
    folder = tmp_path_factory.mktemp("tile")
    core = Extent(offset, -offset, offset + mask.shape[0], -offset + mask.shape[1])
    rng = np.random.default_rng(1)
    scores = scores_of(mask, rng.random(mask.shape) < 0.5, rng.integers(0, 65535, mask.shape))
    scores.score = scores.score.astype(np.uint16)
    tile = label_tile(scores, core, core.expand(1), connectivity=connectivity, members=3)
    tile = tile.with_votes(rng.integers(0, 70_000, (len(tile.members), 2, 3)))
    tile = tile.with_values(rng.integers(-30_000, 30_000, (len(tile.members), 2), np.int32))
    tile.save(folder / "a.npz")
    tile.save(folder / "b.npz")
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()
    back = TileRuns.load(folder / "a.npz")
    assert_same(back, tile)


def assert_same(a, b):
    assert type(a) is type(b)
    for field in dataclasses.fields(a):
        mine, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == other.dtype, field.name
            np.testing.assert_array_equal(mine, other, field.name)
        elif dataclasses.is_dataclass(mine):
            assert_same(mine, other)
        else:
            assert mine == other, field.name


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 cut"])
def test_a_damaged_tile_is_refused(tmp_path, content):
    (tmp_path / "tile.npz").write_bytes(content)
    with pytest.raises(InputError, match="tile is worked again"):
        TileRuns.load(tmp_path / "tile.npz")


def test_a_cut_tile_is_refused_and_a_bent_one_never_misread(tmp_path):
    core = Extent(0, 0, 20, 20)
    weak = np.random.default_rng(0).random((20, 20)) < 0.5
    tile = label_tile(scores_of(weak), core, core)
    path = tmp_path / "tile.npz"
    tile.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(InputError, match="no tile product"):
        TileRuns.load(path)
    refused = 0
    for at in range(0, len(whole), 41):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        try:
            assert_same(TileRuns.load(path), tile)  # bytes of the zip that carry nothing
        except InputError:
            refused += 1
    assert refused > len(whole) / 41 / 2


def test_wrong_arguments_are_named():
    core = Extent(0, 0, 3, 3)
    with pytest.raises(InputError, match=r"core of \(3, 3\)"):
        label_tile(scores_of(np.ones((3, 4), bool)), core, core)
    with pytest.raises(InputError, match="connectivity 6"):
        label_tile(scores_of(np.ones((3, 3), bool)), core, core, connectivity=6)
    tile = label_tile(scores_of(np.ones((3, 3), bool)), core, core)
    with pytest.raises(InputError, match="members are 9"):
        tile.with_votes(np.zeros((4, 2, 1), np.int32))
    with pytest.raises(InputError, match="members are 9"):
        tile.with_values(np.zeros((4, 2), np.int32))
