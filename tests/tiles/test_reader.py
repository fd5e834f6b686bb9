"""The pixel reader: the same bits for any tiling, honest validity, clear errors."""

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from configs.errors import RasterError
from tiles.grid import AnalysisGrid, Extent, plan_tiles
from tiles.pairgrid import overlap_percent, resolution_ratio
from tiles.reader import PairReader, common_bands, default_grid, pair_extent, wavelengths
from tiles.registration import Registration
from tiles.scene import Epoch
from tiles.sensors import open_epoch

# Some of the images here are written without georeferencing on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

MakeTif = Callable[..., Path]
Texture = Callable[..., NDArray[np.float32]]
X0, Y0 = 500000.0, 4000000.0


def pair(before: Path | list[Path], after: Path | list[Path], **kwargs: Any) -> tuple[Epoch, Epoch]:
    first, second = ([p] if isinstance(p, Path) else p for p in (before, after))
    return open_epoch(first, **kwargs), open_epoch(second, **kwargs)


def reader_of(
    epochs: tuple[Epoch, Epoch], grid: AnalysisGrid | None = None, **kwargs: Any
) -> tuple[PairReader, Extent]:
    grid = grid or default_grid(*epochs)
    reader = PairReader(*epochs, grid, bands=common_bands(*epochs), **kwargs)
    return reader, pair_extent(*epochs, grid)


def assert_same_for_any_tiling(reader: PairReader, extent: Extent) -> None:
    whole = reader.read(extent)
    for size, halo in ((97, 0), (150, 23), (256, 5)):
        fresh = pickle.loads(pickle.dumps(reader))
        for tile in reversed(plan_tiles(extent, size)):
            block = fresh.read(tile.extent, halo)
            inner = block.extent.intersect(extent)
            here, there = inner.slices_in(block.extent), inner.slices_in(extent)
            for name in ("before", "after", "source"):
                part, full = getattr(block, name), getattr(whole, name)
                np.testing.assert_array_equal(
                    part[(slice(None), *here)], full[(slice(None), *there)]
                )
            np.testing.assert_array_equal(block.valid[here], whole.valid[there])
            assert not block.valid.any() or np.isfinite(block.after).all()
        fresh.close()


def cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel with a = -0.5."""
    d = np.abs(distance)
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def cubic_matrix(centres: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Weights (target, source) of a cubic interpolation at source coordinates `centres`."""
    return cubic(centres[:, None] - (np.arange(size) + 0.5)[None, :])


def test_sources_on_the_grid_are_copied(make_tif: MakeTif) -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(1, 9000, (4, 120, 90)).astype(np.uint16)
    second = rng.integers(1, 9000, (4, 120, 90)).astype(np.uint16)
    epochs = pair(make_tif("a.tif", first), make_tif("b.tif", second, x=X0 + 200, y=Y0 - 100))
    reader, extent = reader_of(epochs)
    assert extent.shape == (110, 70)
    block = reader.read(extent)
    np.testing.assert_array_equal(block.before, first[:, 10:, 20:])
    np.testing.assert_array_equal(block.after, second[:, :110, :70])
    assert block.valid.all()
    assert block.before.dtype == np.float32
    assert_same_for_any_tiling(reader, extent)


def test_halo_beyond_the_images_is_invalid(make_tif: MakeTif) -> None:
    path = make_tif("a.tif", np.ones((1, 20, 30), np.uint8))
    reader, extent = reader_of(pair(path, path))
    block = reader.read(extent, 7)
    assert block.valid.shape == (34, 44)
    assert block.valid.sum() == 600
    assert block.valid[block.core_slices].all()
    far = reader.read(Extent(10**6, 10**6, 10**6 + 5, 10**6 + 5))
    assert not far.valid.any()
    assert (far.source == 255).all()


def test_fractional_shift_is_the_cubic_kernel(make_tif: MakeTif, texture: Texture) -> None:
    image = texture((90, 80))
    path = make_tif("a.tif", image)
    reader, extent = reader_of(pair(path, path), registration=Registration(0.4, -1.3, 1, 1, 0.0))
    block = reader.read(extent)
    rows = cubic_matrix(np.arange(90) + 0.5 - 0.4, 90)
    cols = cubic_matrix(np.arange(80) + 0.5 + 1.3, 80)
    expected = rows @ image.astype(np.float64) @ cols.T
    np.testing.assert_allclose(block.after[0][block.valid], expected[block.valid], atol=2e-6)
    # All four kernel rows (and columns) lie inside: 2 rows lost above, 1 below, 3 columns right.
    lost = np.ones((90, 80), bool)
    lost[2:-1, :-3] = False
    np.testing.assert_array_equal(block.valid, ~lost)
    np.testing.assert_array_equal(block.before[0], np.where(block.valid, image, 0))


def test_registration_moves_after_onto_before(make_tif: MakeTif, texture: Texture) -> None:
    image = texture((100, 100))
    before = make_tif("a.tif", image[10:80, 10:80])
    after = make_tif("b.tif", image[7:77, 12:82])
    # The content of AFTER lies 3 rows too low and 2 columns too far left.
    reader, extent = reader_of(pair(before, after), registration=Registration(-3.0, 2.0, 1, 1, 0.0))
    block = reader.read(extent)
    assert block.valid.sum() == 67 * 68
    np.testing.assert_array_equal(block.before, block.after)


def test_twenty_metre_bands_on_the_ten_metre_grid(make_tif: MakeTif, texture: Texture) -> None:
    fine, coarse = texture((600, 530)) * 1e4, texture((300, 265), 3) * 1e4
    for date in ("d1", "d2"):
        make_tif(f"{date}/x_B04.tif", fine.astype(np.uint16))
        make_tif(f"{date}/x_B11.tif", coarse.astype(np.uint16), size=20)
    folder = make_tif("d1/x_B04.tif", fine.astype(np.uint16)).parents[1]
    reader, extent = reader_of(pair(folder / "d1", folder / "d2"))
    assert reader.grid.x_resolution == 10.0
    block = reader.read(extent)
    rows = cubic_matrix((np.arange(600) + 0.5) / 2, 300)
    cols = cubic_matrix((np.arange(530) + 0.5) / 2, 265)
    expected = rows @ coarse.astype(np.uint16).astype(np.float64) @ cols.T / 1e4
    np.testing.assert_allclose(block.before[1][block.valid], expected[block.valid], atol=1e-5)
    np.testing.assert_array_equal(np.argwhere(block.valid)[[0, -1]], [[3, 3], [596, 526]])
    assert_same_for_any_tiling(reader, extent)


def test_finer_sources_are_averaged(make_tif: MakeTif, texture: Texture) -> None:
    fine = texture((120, 90))
    hole = fine.copy()
    hole[31, 40] = np.nan
    before, after = make_tif("a.tif", texture((40, 30), 5), size=30), make_tif("b.tif", hole)
    reader, extent = reader_of(pair(before, after))
    block = reader.read(extent)
    expected = fine.reshape(40, 3, 30, 3).mean(axis=(1, 3))
    assert np.argwhere(~block.valid).tolist() == [[10, 13]]
    np.testing.assert_allclose(block.after[0][block.valid], expected[block.valid], rtol=1e-5)
    wide = reader.read(extent, 60)
    assert wide.valid.sum() == block.valid.sum()
    after_only = reader.read_dates(extent.expand(60))[1][1]
    assert after_only.sum() == block.valid.sum()


def test_invalid_pixels_and_their_kernel(make_tif: MakeTif, texture: Texture) -> None:
    image = np.stack([texture((60, 60), s) for s in range(4)])
    holed = image.copy()
    holed[2, 20, 20] = np.nan
    holed[3, 20, 20] = np.inf
    holed[1, 40, 10] = -9.0
    holed[:, 50, 50] = 0.0
    holed[0, 5, 5] = 0.0
    epochs = pair(make_tif("a.tif", image), make_tif("b.tif", holed, nodata=-9.0))
    reader, extent = reader_of(epochs)
    block = reader.read(extent)
    assert np.argwhere(~block.valid).tolist() == [[20, 20], [40, 10], [50, 50]]
    assert (block.before[:, ~block.valid] == 0).all()
    assert (block.after[:, ~block.valid] == 0).all()
    moved, _ = reader_of(epochs, registration=Registration(0.5, 0.5, 1, 1, 0.0))
    inner = moved.read(extent).valid[4:-4, 4:-4]
    # A hole at 20 is used by the target centres 19 … 22 of a half-pixel shift.
    for row, col in ((20, 20), (40, 10), (50, 50)):
        assert not inner[row - 5 : row - 1, col - 5 : col - 1].any()
    assert (~inner).sum() == 3 * 16


def test_first_usable_scene_wins(make_tif: MakeTif) -> None:
    def scene(name: str, value: int, hole: slice) -> Path:
        values = np.full((4, 30, 40), value, np.uint8)
        values[:, :, hole] = 0
        return make_tif(name, values)

    first, second = scene("a.tif", 10, slice(0, 20)), scene("b.tif", 20, slice(15, 25))
    third = scene("c.tif", 30, slice(0, 5))
    full = make_tif("full.tif", np.full((4, 30, 40), 7, np.uint8))
    reader, extent = reader_of(pair([first, second, third], full))
    block = reader.read(extent)
    expected = np.repeat([20, 30, 10], [15, 5, 20])
    np.testing.assert_array_equal(block.before[0, 3], expected)
    np.testing.assert_array_equal(block.source[0, 3], np.repeat([1, 2, 0], [15, 5, 20]))
    assert (block.source[1] == 0).all()
    assert_same_for_any_tiling(reader, extent)


@pytest.mark.parametrize("georeferenced", [True, False])
def test_mask_raster(make_tif: MakeTif, tmp_path: Path, georeferenced: bool) -> None:
    path = make_tif("a.tif", np.ones((4, 40, 50), np.uint8))
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 5:9] = 3
    if georeferenced:
        where = make_tif("m.tif", mask[::1])
    else:
        where = tmp_path / "m.png"
        with rasterio.open(
            where, "w", driver="PNG", dtype="uint8", count=1, height=40, width=50
        ) as ds:
            ds.write(mask, 1)
    epochs = (open_epoch([path]), open_epoch([path], mask=where))
    reader, extent = reader_of(epochs)
    np.testing.assert_array_equal(reader.read(extent).valid, mask == 0)
    assert_same_for_any_tiling(reader, extent)


def test_mask_of_another_size_needs_georeferencing(make_tif: MakeTif) -> None:
    path = make_tif("a.tif", np.ones((4, 40, 50), np.uint8))
    mask = make_tif("m.tif", np.zeros((20, 25), np.uint8), crs=None, transform=Affine.identity())
    epochs = (open_epoch([path]), open_epoch([path], mask=mask))
    reader, extent = reader_of(epochs)
    with pytest.raises(RasterError, match=r"20 × 25[\s\S]*m\.tif"):
        reader.read(extent)


def test_quality_bits(make_tif: MakeTif, tmp_path: Path) -> None:
    name = "LC08_L2SP_195025_20130707_20200912_02_T1"
    quality = np.full((30, 30), 1 << 6, np.uint16)
    quality[3, 4] |= 1 << 3
    make_tif(f"s/{name}_SR_B4.TIF", np.full((30, 30), 9000, np.uint16), size=30)
    make_tif(f"s/{name}_QA_PIXEL.TIF", quality, size=30)
    epoch = open_epoch([tmp_path / "s"])
    reader, extent = reader_of((epoch, epoch))
    block = reader.read(extent)
    # The cloud, and one pixel of 30 m around it.
    assert np.argwhere(~block.valid).tolist() == [[2, 4], [3, 3], [3, 4], [3, 5], [4, 4]]
    assert block.before[0, 0, 0] == pytest.approx(9000 * 0.0000275 - 0.2)


def test_another_zone(make_tif: MakeTif) -> None:
    """A linear field of longitude keeps its values when the after image lies in the next zone."""
    from pyproj import Transformer

    west, south, east, north = 116.9, 36.0, 117.0, 36.08

    def field(crs: str, name: str) -> Path:
        forward = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        xs, ys = forward.transform([west, east, west, east], [south, south, north, north])
        x, y = round(min(xs), -2) - 500, round(max(ys), -2) + 500
        shape = (int((y - min(ys)) // 30) + 30, int((max(xs) - x) // 30) + 30)
        cols, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
        lon, lat = forward.transform(x + 30 * cols, y - 30 * rows, direction="INVERSE")
        values = (1 + (lon - west) * 100 + (lat - south) * 50).astype(np.float32)
        return make_tif(name, values, x=x, y=y, size=30, crs=crs)

    epochs = pair(field("EPSG:32650", "a.tif"), field("EPSG:32651", "b.tif"))
    for registration in (None, Registration(0.3, -0.6, 1, 1, 0.0)):
        reader, extent = reader_of(epochs, registration=registration)
        block = reader.read(extent)
        assert block.valid.mean() > 0.7
        difference = (block.after - block.before)[0][block.valid]
        gradient = np.nanmedian(np.diff(np.where(block.valid, block.before[0], np.nan), axis=1))
        down = np.nanmedian(np.diff(np.where(block.valid, block.before[0], np.nan), axis=0))
        moved = 0.0 if registration is None else 0.6 * gradient - 0.3 * down
        assert abs(np.median(difference) - moved) < 0.002 * abs(gradient)
        assert np.abs(difference - moved).max() < 0.03 * abs(gradient)
        assert_same_for_any_tiling(reader, extent)


def test_shift_and_degrees_for_any_tiling(make_tif: MakeTif, texture: Texture) -> None:
    image = np.stack([texture((300, 520), s) for s in range(4)])
    image[:, 100:120, 200:300] = 0
    degrees = {"crs": "EPSG:4326", "x": 109.48390961, "y": 21.61594098, "size": 9.339e-05}
    before = make_tif("a.tif", image, **degrees)
    after = make_tif("b.tif", image[:, 3:], **degrees | {"size": 9.345e-05})
    reader, extent = reader_of(pair(before, after), registration=Registration(0.2, 0.7, 1, 1, 0.0))
    assert reader.grid.x_origin == 109.48390961
    assert_same_for_any_tiling(reader, extent)


def test_threads_read_the_same(make_tif: MakeTif, texture: Texture) -> None:
    path = make_tif("a.tif", np.stack([texture((700, 700), s) for s in range(4)]))
    reader, extent = reader_of(
        pair(path, path), registration=Registration(0.5, 0.5, 1, 1, 0.0), cache_mb=5
    )
    whole = reader.read(extent)
    wrong: list[str] = []

    def work(tiles: list[Any]) -> None:
        for tile in tiles:
            part = reader.read(tile.extent).after
            if not np.array_equal(part, whole.after[(slice(None), *tile.extent.slices_in(extent))]):
                wrong.append(tile.name)

    tiles = plan_tiles(extent, 200)
    threads = [threading.Thread(target=work, args=(tiles[i::3],)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    reader.close()
    np.testing.assert_array_equal(reader.read(extent).after, whole.after)


def test_read_failure_names_file_band_and_window(make_tif: MakeTif) -> None:
    whole = make_tif("w.tif", np.ones((4, 300, 300), np.uint8))
    broken = make_tif("broken.tif", np.ones((4, 300, 300), np.uint8))
    reader, extent = reader_of(pair(whole, broken))
    reader.read(Extent(extent.row0, extent.col0, extent.row0 + 5, extent.col0 + 5))
    reader.close()
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    with pytest.raises(
        RasterError, match=r"broken\.tif, band 1, 2, 3, 4, rows 0–299, columns 0–299"
    ):
        reader.read(extent)


def test_default_grid(make_tif: MakeTif) -> None:
    def grid_of(name: str, **kwargs: Any) -> AnalysisGrid:
        path = make_tif(name, np.ones((4, 30, 30), np.uint8), **kwargs)
        return default_grid(*pair(path, path))

    assert grid_of("a.tif") == AnalysisGrid("EPSG:32650", 10.0, 10.0)
    assert grid_of("b.tif", x=203325, y=3604935, size=30) == AnalysisGrid(
        "EPSG:32650", 30, 30, 15, 15
    )
    degrees = grid_of("c.tif", crs="EPSG:4326", x=109.4839, y=21.6159, size=9.3e-05)
    assert degrees == AnalysisGrid("EPSG:4326", 9.3e-05, 9.3e-05, 109.4839, 21.6159)
    turned = Affine(14.82, -2.31, 577541, -2.31, -14.82, 3612067)
    assert grid_of("d.tif", transform=turned) == AnalysisGrid("EPSG:32650", 15.0, 15.0)
    south_up = Affine(10, 0, 5e5, 0, 10, 4e6)
    assert grid_of("e.tif", transform=south_up) == AnalysisGrid("EPSG:32650", 10.0, 10.0)
    path = make_tif("f.tif", np.ones((4, 30, 30), np.uint8))
    epochs = pair(path, path)
    assert default_grid(*epochs, "EPSG:4527") == AnalysisGrid("EPSG:4527", 10.0, 10.0)
    assert default_grid(*epochs, None, 20.0) == AnalysisGrid("EPSG:32650", 20.0, 20.0)
    assert default_grid(*epochs, "EPSG:4326").x_resolution == pytest.approx(9.99e-05, rel=0.05)
    with pytest.raises(RasterError, match="no coordinate reference system"):
        default_grid(*epochs, "EPSG:0")


def test_south_up_images_are_read(make_tif: MakeTif, texture: Texture) -> None:
    image = texture((60, 60))
    upright = make_tif("a.tif", image, y=Y0)
    flipped = make_tif("b.tif", image[::-1], transform=Affine(10, 0, X0, 0, 10, Y0 - 600))
    reader, extent = reader_of(pair(upright, flipped))
    block = reader.read(extent)
    assert block.valid.mean() > 0.85
    np.testing.assert_allclose(block.after, block.before, atol=1e-6)


def test_images_without_crs(make_tif: MakeTif, texture: Texture) -> None:
    image = texture((60, 60))
    path = make_tif("nocrs.tif", image, crs=None)
    epochs = pair(path, path)
    with pytest.raises(RasterError, match=r"no coordinate reference[\s\S]*nocrs\.tif[\s\S]*--crs"):
        default_grid(*epochs)
    grid = default_grid(*epochs, "EPSG:32650")
    assert grid == AnalysisGrid("EPSG:32650", 10.0, 10.0)
    reader, extent = reader_of(epochs, grid)
    np.testing.assert_array_equal(reader.read(extent).before[0], image)
    bare = make_tif("bare.tif", image, crs=None, transform=Affine.identity())
    with pytest.raises(RasterError, match=r"no georeferencing[\s\S]*bare\.tif"):
        default_grid(*pair(bare, bare), "EPSG:32650")


def test_pairs_that_do_not_fit(make_tif: MakeTif) -> None:
    one = make_tif("a.tif", np.ones((1, 30, 30), np.uint8))
    four = make_tif("b.tif", np.ones((4, 30, 30), np.uint8))
    far = make_tif("c.tif", np.ones((4, 30, 30), np.uint8), x=X0 + 10_000)
    epochs = pair(one, four)
    assert common_bands(*epochs) == ()
    with pytest.raises(RasterError, match=r"no band in common[\s\S]*band1[\s\S]*blue, green"):
        reader_of(epochs)
    epochs = pair(four, far)
    with pytest.raises(RasterError, match=r"do not overlap[\s\S]*b x \d[\s\S]*c x \d"):
        reader_of(epochs)
    assert overlap_percent(*epochs, default_grid(*epochs)) == 0.0
    scene = open_epoch([four])
    reader = PairReader(scene, scene, default_grid(scene, scene), bands=("swir1",))
    with pytest.raises(RasterError, match="no band 'swir1'"):
        reader.read(Extent(0, 0, 5, 5))


def test_pair_figures(make_tif: MakeTif) -> None:
    first = make_tif("a.tif", np.ones((4, 40, 40), np.uint8))
    second = make_tif("b.tif", np.ones((4, 10, 10), np.uint8), x=X0 + 200, size=30)
    epochs = pair(first, second)
    assert default_grid(*epochs).x_resolution == 30.0
    grid = default_grid(*epochs, None, 10.0)
    assert overlap_percent(*epochs, grid) == pytest.approx(100 * 20 / 30)
    assert resolution_ratio(*epochs, grid) == pytest.approx(3.0, rel=2e-3)
    assert wavelengths(epochs[0], ("red", "nir")) == (0.66, 0.83)


@pytest.mark.parametrize(
    ("before", "after", "least"),
    [
        ("taizhou_landsat/2000TM", "taizhou_landsat/2003TM", 1.0),
        ("oscd/saclay_e/imgs_1", "oscd/saclay_e/imgs_2", 0.97),
        ("crc_aster_pair/aster_1.tif", "crc_aster_pair/aster_2.tif", 0.7),
    ],
)
def test_real_pairs(data_dir: Path, before: str, after: str, least: float) -> None:
    epochs = pair(data_dir / before, data_dir / after)
    reader, extent = reader_of(epochs)
    block = reader.read(extent)
    assert block.valid.mean() >= least
    assert_same_for_any_tiling(reader, extent)
    if "aster" in before:
        with rasterio.open(data_dir / before) as ds:
            source = ds.read(1).astype(float)
        assert block.before[0][block.valid].mean() == pytest.approx(source.mean(), rel=0.02)
