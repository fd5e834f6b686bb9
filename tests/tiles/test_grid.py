"""Global pixels, tiles and cells."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tiles.grid import CELL, AnalysisGrid, Extent, plan_tiles, sample_cells, splitmix64

GRID = AnalysisGrid("EPSG:32650", 10.0, 10.0)
edges = st.integers(-3000, 3000)


@st.composite
def extents(draw: st.DrawFn) -> Extent:
    row, col = draw(edges), draw(edges)
    return Extent(row, col, row + draw(st.integers(1, 900)), col + draw(st.integers(1, 900)))


def reference_splitmix(row: int, col: int, seed: int) -> int:
    """SplitMix64 in plain integers."""

    def mix(value: int) -> int:
        value = (value + 0x9E3779B97F4A7C15) % 2**64
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
        return value ^ (value >> 31)

    return mix((mix((row % 2**64 + seed) % 2**64) + col) % 2**64)


@given(edges, edges, st.integers(0, 10**6))
def test_splitmix_is_the_reference(row: int, col: int, seed: int) -> None:
    assert int(splitmix64(row, col, seed)) == reference_splitmix(row, col, seed)


def test_splitmix_gives_every_pixel_its_own_number() -> None:
    ranks = splitmix64(np.arange(1000)[:, None], np.arange(1000), 7)
    assert len(np.unique(ranks)) == ranks.size
    assert abs(float((ranks >> np.uint64(63)).mean()) - 0.5) < 0.01


@given(extents(), st.integers(1, 700))
def test_tiles_cover_the_extent_once(extent: Extent, size: int) -> None:
    if extent.height * extent.width / size**2 > 5000:
        return
    tiles = plan_tiles(extent, size)
    assert sum(t.extent.height * t.extent.width for t in tiles) == extent.height * extent.width
    for tile in tiles:
        assert not tile.extent.is_empty
        assert tile.extent.intersect(extent) == tile.extent
        assert tile.extent.row0 // size == tile.row == (tile.extent.row1 - 1) // size
    assert [(t.row, t.col) for t in tiles] == sorted((t.row, t.col) for t in tiles)
    assert len({t.name for t in tiles}) == len(tiles)


@given(extents(), st.integers(0, 5))
def test_sample_is_part_of_the_cells_and_ordered(extent: Extent, seed: int) -> None:
    cells = sample_cells(extent, seed, share=0.3, minimum=2)
    known = [c.intersect(extent) for c in extent.cells()]
    assert set(cells) <= set(known)
    assert cells == sorted(cells)
    assert len(cells) == min(len(known), max(2, -(-len(known) * 3 // 10)))


def test_sample_follows_the_seed_alone() -> None:
    extent = Extent(0, 0, CELL * 20, CELL * 20)
    assert sample_cells(extent, 1) == sample_cells(extent, 1)
    assert sample_cells(extent, 1) != sample_cells(extent, 2)
    assert len(sample_cells(extent, 1)) == 64
    assert len(sample_cells(Extent(0, 0, CELL * 43, CELL * 43), 1)) == 96


@given(extents())
def test_bounds_and_extent_are_inverse(extent: Extent) -> None:
    for grid in (GRID, AnalysisGrid("EPSG:4326", 9.33e-05, 9.34e-05, 109.48390961, 21.61594098)):
        assert grid.extent_of(grid.bounds(extent)) == extent


def test_extent_arithmetic() -> None:
    outer, inner = Extent(-2, 3, 8, 13), Extent(0, 5, 4, 9)
    array = np.zeros(outer.shape)
    array[inner.slices_in(outer)] = 1
    assert array.sum() == 16
    assert array[2, 2] == 1
    assert inner.expand(2) == Extent(-2, 3, 6, 11)
    assert inner.intersect(Extent(50, 50, 60, 60)).is_empty
    assert [c.row0 for c in Extent(-1, 0, 257, 1).cells()] == [-256, 0, 256]


def test_grid_transform_matches_xy() -> None:
    extent = Extent(-5, 7, 20, 30)
    transform = GRID.transform(extent)
    x, y = GRID.xy(np.array([-5]), np.array([7]))
    assert transform @ (0, 0) == (x[0], y[0]) == (70.0, 50.0)


def test_grid_id_names_what_differs() -> None:
    same = AnalysisGrid(**GRID.to_dict())
    assert same.grid_id == GRID.grid_id
    others = [
        AnalysisGrid("EPSG:32651", 10.0, 10.0),
        AnalysisGrid("EPSG:32650", 20.0, 10.0),
        AnalysisGrid("EPSG:32650", 10.0, 10.0, 5.0),
        AnalysisGrid("EPSG:32650", 10.0, 10.0, 0.0, 5.0),
    ]
    assert len({g.grid_id for g in [GRID, *others]}) == 5


def test_pixel_metres_of_degrees() -> None:
    grid = AnalysisGrid("EPSG:4326", 9.33909e-05, 9.344521e-05, 109.48390961, 21.61594098)
    mx, my = grid.pixel_metres(Extent(0, 0, 902, 772))
    assert (round(mx, 1), round(my, 1)) == (9.7, 10.3)
    assert grid.is_geographic
    assert not GRID.is_geographic
