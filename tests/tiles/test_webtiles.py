"""Map tiles of the desk: the pair as the run saw it, and nothing where there is no image."""

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from scipy import ndimage

from configs.errors import InputError
from tiles.deskimages import CHANGE_COLOUR, write_change_image, write_date_images
from tiles.pairgrid import default_grid, pair_extent
from tiles.registration import Registration
from tiles.sensors import open_epoch
from tiles.tilecache import TileCache
from tiles.webtiles import SIDE, TileAddress, cut_tile, to_mercator

MakeTif = Callable[..., Path]
Texture = Callable[..., NDArray[np.float32]]

PIXELS = 320
X, Y, SIZE = 500000.0, 4000000.0, 10.0
ZOOM = 14
SHIFT = (4, -3)
"""Rows and columns by which the later image lies wrong."""


def address(row: float, col: float, zoom: int = ZOOM) -> TileAddress:
    """Return the tile that holds a pixel of the images."""
    lon, lat = Transformer.from_crs("EPSG:32650", "EPSG:4326", always_xy=True).transform(
        X + col * SIZE, Y - row * SIZE
    )
    n = 1 << zoom
    x = (lon + 180) / 360 * n
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * n
    return TileAddress(zoom, int(x), int(y))


def pixels(data: bytes | None) -> NDArray[np.uint8]:
    """Return red, green, blue, alpha of a tile."""
    assert data is not None
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@pytest.fixture
def ground(texture: Texture) -> NDArray[np.float32]:
    return np.stack([0.05 + 0.4 * texture((PIXELS, PIXELS), s) for s in range(3)]).astype(
        np.float32
    )


def shown(
    tmp_path: Path, before: list[Path], after: list[Path], move: Registration | None = None
) -> tuple[Path, Path]:
    """Write the display images of a pair."""
    pair = open_epoch(before), open_epoch(after)
    grid = default_grid(*pair)
    paths = tmp_path / "shown" / "before.tif", tmp_path / "shown" / "after.tif"
    write_date_images(paths, pair, grid, pair_extent(*pair, grid), move)
    return paths


def offset(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[int, int]:
    """Return how far `other` must be moved to lie on `one`, tile pixels."""
    best = (-2.0, (0, 0))
    a = one[40:-40, 40:-40, 0].astype(float).ravel()
    for dy in range(-5, 6):
        for dx in range(-5, 6):
            b = other[40 - dy : SIDE - 40 - dy, 40 - dx : SIDE - 40 - dx, 0].astype(float).ravel()
            best = max(best, (float(np.corrcoef(a, b)[0, 1]), (dy, dx)))
    return best[1]


def test_the_after_date_is_shown_registered_as_the_run_saw_it(
    make_tif: MakeTif, ground: NDArray[np.float32], tmp_path: Path
) -> None:
    moved = ndimage.shift(ground, (0, *SHIFT), order=1, mode="nearest")
    files = [make_tif("a_20240101.tif", ground)], [make_tif("b_20250101.tif", moved)]
    at = address(160, 160)
    known = Registration(dy=-SHIFT[0], dx=-SHIFT[1], windows=9, used=9, residual_px=0.1)
    before, after = shown(tmp_path / "moved", *files, known)
    one, other = (pixels(cut_tile(p, at, "png")) for p in (before, after))
    assert offset(one, other) == (0, 0)
    _, plain = shown(tmp_path / "plain", *files, None)
    rows, cols = offset(one, pixels(cut_tile(plain, at, "png")))
    assert rows <= -3
    assert cols >= 2


def test_both_dates_have_one_tone_curve(
    make_tif: MakeTif, ground: NDArray[np.float32], tmp_path: Path
) -> None:
    brighter = ground.copy()
    brighter[:, :, 160:] *= 1.5
    before, after = shown(
        tmp_path, [make_tif("a_20240101.tif", ground)], [make_tif("b_20250101.tif", brighter)]
    )
    same, changed = address(160, 60), address(160, 260)
    for place, least, most in ((same, -2.0, 2.0), (changed, 20.0, 120.0)):
        one, other = (pixels(cut_tile(p, place, "png")).astype(float) for p in (before, after))
        both = (one[..., 3] > 0) & (other[..., 3] > 0)
        inner = ndimage.binary_erosion(both, iterations=8)
        if place is same:  # the left half of the ground alone
            inner &= np.arange(SIDE)[None, :] < SIDE // 2
        difference = (other[..., 0] - one[..., 0])[inner].mean()
        assert least < difference < most, place


def test_a_date_of_several_scenes_is_one_picture(
    make_tif: MakeTif, ground: NDArray[np.float32], tmp_path: Path
) -> None:
    half = PIXELS // 2
    west = make_tif("west_20250101.tif", ground[:, :, :half])
    east = make_tif("east_20250101.tif", ground[:, :, half:], x=X + half * SIZE)
    whole = make_tif("a_20240101.tif", ground)
    before, after = shown(tmp_path, [whole], [west, east])
    one, other = (pixels(cut_tile(p, address(160, 160), "png")) for p in (before, after))
    assert (other[..., 3] == 255).all()
    assert np.abs(one[..., :3].astype(int) - other[..., :3]).mean() < 3


def test_no_data_is_transparent_and_outside_there_is_no_tile(
    make_tif: MakeTif, ground: NDArray[np.float32], tmp_path: Path
) -> None:
    holed = ground.copy()
    holed[:, 120:200, 120:200] = 0
    before, after = shown(
        tmp_path, [make_tif("a_20240101.tif", ground)], [make_tif("b_20250101.tif", holed)]
    )
    at = address(160, 160)
    for suffix in ("png", "webp"):
        tile = pixels(cut_tile(after, at, suffix))
        assert tile.shape == (SIDE, SIDE, 4)
        assert 0.01 < (tile[..., 3] == 0).mean() < 0.9
        assert set(np.unique(tile[..., 3])) == {0, 255}
    assert (pixels(cut_tile(before, at, "png"))[..., 3] == 255).all()
    far = TileAddress(ZOOM, at.x + 9, at.y)
    assert cut_tile(before, far, "png") is None


def test_what_lies_outside_an_outline_is_transparent(
    make_tif: MakeTif, ground: NDArray[np.float32], tmp_path: Path
) -> None:
    paths = [make_tif("a_20240101.tif", ground)], [make_tif("b_20250101.tif", ground)]
    before, _ = shown(tmp_path, *paths)
    at = address(160, 160)
    west, south, east, north = at.bounds
    middle = (west + east) / 2
    left = shapely.box(west, south, middle, north)
    tile = pixels(cut_tile(before, at, "png", left))
    assert (tile[:, : SIDE // 2 - 1, 3] == 255).all()
    assert (tile[:, SIDE // 2 + 1 :] == 0).all()
    assert cut_tile(before, at, "png", shapely.box(west - 9, south, west - 1, north)) is None


def test_changed_pixels_are_one_colour_and_the_rest_is_transparent(
    make_tif: MakeTif, tmp_path: Path
) -> None:
    classes = np.ones((PIXELS, PIXELS), np.uint8)
    classes[:40] = 0
    classes[150:170, 150:170] = 7
    path = tmp_path / "shown.tif"
    write_change_image(path, make_tif("change.tif", classes, nodata=0))
    tile = pixels(cut_tile(path, address(160, 160, 13), "png"))
    seen = tile[tile[..., 3] > 0]
    assert len(seen)
    assert (seen[:, :3] == CHANGE_COLOUR).all()
    assert cut_tile(path, address(60, 60, 16), "png") is None


def test_display_images_have_overviews_and_tiles_are_quick(
    make_tif: MakeTif, texture: Texture, tmp_path: Path
) -> None:
    large = np.stack([0.05 + 0.4 * texture((1100, 1100), s) for s in range(3)]).astype(np.float32)
    before, _ = shown(tmp_path, *([make_tif(n, large)] for n in ("a.tif", "b.tif")))
    with rasterio.open(before) as image:
        assert image.overviews(1)
        assert image.profile["compress"] == "jpeg"
    times = []
    for zoom in (9, 11, 12, 13, 14, 15, 16):
        start = time.perf_counter()
        assert cut_tile(before, address(500, 500, zoom), "webp")
        times.append(time.perf_counter() - start)
    assert np.median(times) < 1.0


@pytest.mark.parametrize("name", [(-1, 0, 0), (3, 8, 0), (3, 0, -1), (23, 0, 0)])
def test_an_address_that_no_map_has_is_refused(name: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="no map tile"):
        TileAddress(*name)


def test_the_mercator_of_a_shape_is_that_of_proj() -> None:
    points = shapely.linestrings([(117.5, 36.2), (-71.0, -33.5), (0.0, 0.0)])
    there = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    expected = np.stack(there.transform(*shapely.get_coordinates(points).T), axis=1)
    np.testing.assert_allclose(shapely.get_coordinates(to_mercator(points)), expected, atol=1e-4)


def test_the_cache_is_bounded_and_found_again(tmp_path: Path) -> None:
    cache = TileCache(tmp_path / "cache", limit_mb=0.01)
    keys = [TileCache.key("image", i) for i in range(20)]
    for i, key in enumerate(keys):
        cache.put(key, bytes([i]) * 1000)
        cache.get(keys[0])
    kept = [i for i, key in enumerate(keys) if cache.get(key) is not None]
    assert kept == [0, *range(11, 20)]
    stored = sum(p.stat().st_size for p in (tmp_path / "cache").rglob("*") if p.is_file())
    assert stored == cache.size_bytes == 10_000
    (tmp_path / "cache" / keys[19][:2] / ".part-left.tile").write_bytes(b"x")
    again = TileCache(tmp_path / "cache", limit_mb=0.005)
    assert again.size_bytes == 5_000
    assert again.get(keys[19]) == bytes([19]) * 1000
    assert not list((tmp_path / "cache").rglob(".part-*"))


def test_a_kept_tile_that_went_missing_is_no_tile(tmp_path: Path) -> None:
    cache = TileCache(tmp_path)
    cache.put(TileCache.key(1), b"tile")
    next(tmp_path.rglob("*.tile")).unlink()
    assert cache.get(TileCache.key(1)) is None
    assert cache.size_bytes == 0
