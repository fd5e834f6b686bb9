import numpy as np
import pytest
from scipy import ndimage

from configs.errors import InputError
from models.features import HALO
from models.samples import SampleTable, blocked_folds, cap_samples, draw_samples, join_dates
from tiles.grid import CELL, Extent


def draw(landscape, core, **settings):
    block = landscape.block(core, 4)
    return draw_samples(block, landscape.labels(block.extent), **settings)


def same(a: SampleTable, b: SampleTable) -> bool:
    return all(
        np.array_equal(getattr(a, n), getattr(b, n)) for n in ("rows", "cols", "labels", "X")
    )


def test_only_pixels_whose_neighbours_agree(landscape):
    core = Extent(1024, -180, 1124, -80)
    table = draw(landscape, core, erode_px=2, per_cell_cap=10**9)
    mapped = landscape.labels(core.expand(2))
    windows = np.lib.stride_tricks.sliding_window_view(mapped, (5, 5))
    pure = (windows == windows[:, :, 2:3, 2:3]).all(axis=(2, 3)) & (mapped[2:-2, 2:-2] > 0)
    rows, cols = np.nonzero(pure)
    np.testing.assert_array_equal(table.rows, rows + core.row0)
    np.testing.assert_array_equal(table.cols, cols + core.col0)
    np.testing.assert_array_equal(table.labels, mapped[2:-2, 2:-2][pure])
    assert table.X.dtype == np.float32
    assert table.X.shape[1] == len(table.names)


def test_without_erosion_every_labelled_valid_pixel_is_a_sample(landscape):
    core = Extent(990, -200, 1010, -180)
    table = draw(landscape, core, erode_px=0, per_cell_cap=10**9)
    assert len(table) == 10 * 20


def test_the_cap_holds_per_cell_and_class(landscape):
    table = draw(landscape, landscape.extent, per_cell_cap=30)
    key = np.stack([table.rows // CELL, table.cols // CELL, table.labels], axis=1)
    assert np.unique(key, axis=0, return_counts=True)[1].max() == 30


def test_tiling_and_order_do_not_matter(landscape):
    whole = cap_samples([draw(landscape, landscape.extent, per_cell_cap=60)], 150, seed=0)
    for size in (64, 100, 256):
        parts = [
            draw(landscape, part.intersect(landscape.extent), per_cell_cap=60)
            for part in landscape.extent.cells(size)
        ]
        np.random.default_rng(size).shuffle(parts)
        assert same(cap_samples(parts, 150, seed=0, per_cell_cap=60), whole)
    assert np.bincount(whole.labels).max() == 150
    assert (np.diff(whole.rows * 10_000 + whole.cols) > 0).all()


def test_a_pixel_drawn_twice_counts_once(landscape):
    table = draw(landscape, Extent(1024, -180, 1080, -120))
    assert same(cap_samples([table, table], 10**6, seed=0), table)
    other = SampleTable(table.rows, table.cols, table.labels + np.int16(1), table.X, table.names)
    assert same(cap_samples([other, table], 10**6, seed=0), table)


def test_another_seed_draws_others(landscape):
    a = draw(landscape, landscape.extent, per_cell_cap=20, seed=1)
    b = draw(landscape, landscape.extent, per_cell_cap=20, seed=2)
    assert not np.array_equal(a.rows, b.rows)


def test_folds_keep_blocks_together():
    rows, cols = np.divmod(np.arange(2048 * 2048, step=97), 2048)
    folds = blocked_folds(rows, cols, folds=4, seed=1)
    block = rows // CELL * 100 + cols // CELL
    for name in np.unique(block):
        assert len(np.unique(folds[block == name])) == 1
    assert np.bincount(folds).min() > 0.2 * len(rows)


def test_a_small_area_is_cut_into_smaller_blocks():
    rows, cols = np.divmod(np.arange(128 * 128), 128)
    assert len(np.unique(blocked_folds(rows, cols, folds=4))) == 4
    assert not blocked_folds(rows[:5], cols[:5]).any()
    assert len(blocked_folds(rows[:0], cols[:0])) == 0


def test_empty_cells_give_empty_tables(landscape):
    far = draw(landscape, Extent(0, 0, 20, 20))
    assert len(far) == 0
    near = draw(landscape, Extent(1024, -180, 1044, -160))
    assert same(cap_samples([far, near], 10**6, seed=0), near)


def test_errors(landscape):
    block = landscape.block(Extent(1024, -180, 1044, -160), HALO - 1)
    with pytest.raises(InputError, match="read the block with halo=3"):
        draw_samples(block, landscape.labels(block.extent))
    with pytest.raises(InputError, match=r"over block\.extent"):
        draw_samples(block, landscape.labels(block.core))
    with pytest.raises(InputError, match="no sample table"):
        cap_samples([], 10, seed=0)
    table = draw(landscape, Extent(1024, -180, 1044, -160))
    renamed = SampleTable(table.rows, table.cols, table.labels, table.X, ("other",))
    with pytest.raises(InputError, match="different features"):
        cap_samples([table, renamed], 10, seed=0)


def test_the_landscape_is_mixed_along_borders(landscape):
    """The scene of these tests is not trivially pure."""
    edges = ndimage.maximum_filter(landscape.parcels, 3) != landscape.parcels
    assert 0.1 < edges.mean() < 0.6


def test_the_dates_of_a_pixel_stay_apart() -> None:
    def table(rows: list[int], value: float) -> SampleTable:
        n = len(rows)
        return SampleTable(
            np.array(rows, np.int64),
            np.zeros(n, np.int64),
            np.ones(n, np.int16),
            np.full((n, 1), value, np.float32),
            ("a",),
        )

    joined = join_dates([table([1, 5], 0.0), table([1, 3], 1.0)])
    assert joined.rows.tolist() == [1, 1, 3, 5]
    assert joined.X[:, 0].tolist() == [0.0, 1.0, 1.0, 0.0]
