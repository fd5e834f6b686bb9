"""The demo county: an exact partition, changes where they are meant, images that can be read."""

import hashlib
import math

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from configs.errors import InputError
from configs.vocabulary import change_types
from flows.demo.changes import Hosts
from flows.demo.county import build_county, make_scenery
from flows.demo.imagery import scene_name
from flows.demo.land import MARGIN_M, Frame, build_land
from flows.demo.settings import AFTER, BEFORE, difficulty_of
from flows.demo.spectra import BANDS, LOOKS, MATERIALS
from flows.demo.truth import read_truth

pytestmark = pytest.mark.slow

SMALL_PX = 256


@pytest.fixture(scope="module")
def scene():
    return make_scenery(1, 2)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return build_county(tmp_path_factory.mktemp("county"), 7, 2, size_px=SMALL_PX)


def crossed(body: shapely.Polygon, size_px: int) -> tuple[int, int]:
    """Return how many tiles of the global grid a polygon spans along x and y."""
    west, south, east, north = body.bounds
    step = size_px * 10.0
    return (math.floor(east / step) - math.floor(west / step) + 1,
            math.floor(north / step) - math.floor(south / step) + 1)  # fmt: skip


def test_land_is_an_exact_partition():
    frame = Frame(SMALL_PX)
    land = build_land(frame, 3)
    shapes = land.geometry.to_numpy()
    assert shapely.is_valid(shapes).all()
    whole = shapely.union_all(shapes)
    assert shapely.area(shapes).sum() == pytest.approx(whole.area, rel=1e-9)
    assert frame.box(MARGIN_M - 40).within(whole)
    assert set(land["look"]) <= set(LOOKS)
    assert (land["town"].isin(["", "202", "203", "204"])).all()


def test_same_seed_same_land_and_another_seed_another():
    frame = Frame(SMALL_PX)
    first, again, other = (build_land(frame, seed) for seed in (3, 3, 4))
    assert first.to_wkb().equals(again.to_wkb())
    assert len(first) != len(other) or not first.to_wkb().equals(other.to_wkb())


def test_looks_use_known_materials():
    for look in LOOKS.values():
        assert set(look.before) | set(look.after) <= set(MATERIALS)
        assert len(look.before) == len(look.after)


def test_changes_of_every_kind_lie_apart_and_inside(scene):
    kinds = {c.item.kind for c in scene.changes}
    wanted = {t.code for t in change_types() if not t.is_pseudo} - {"unknown"}
    assert kinds == wanted
    assert 60 <= len(scene.changes) <= 95
    shapes = np.array([c.geometry for c in scene.changes])
    assert shapely.is_valid(shapes).all()
    assert scene.frame.box(-50).contains(shapes).all()
    near = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=200)
    assert near.shape[1] == len(shapes)
    hectares = shapely.area(shapes) / 1e4
    assert hectares.min() > 0.09
    assert hectares.max() < 4.2


def test_changes_cross_seams_on_purpose(scene):
    spans = [crossed(c.geometry, 256) for c in scene.changes]
    assert sum(max(s) > 1 for s in spans) >= 10
    assert any(min(s) > 1 for s in spans)
    assert any(min(crossed(c.geometry, 512)) > 1 for c in scene.changes)
    rings = [c.geometry for c in scene.changes if shapely.get_num_interior_rings(c.geometry)]
    holes = [shapely.Polygon(ring.interiors[0]) for ring in rings]
    assert any(max(crossed(hole, 256)) > 1 for hole in holes)


def test_changes_stand_on_their_hosts(scene):
    hosts = Hosts(scene.frame, scene.land)
    for change in scene.changes:
        assert hosts.share(change.geometry, change.item.host) >= change.item.purity


def test_pseudo_changes_are_many_and_clear_of_true_ones(scene):
    assert len(scene.pseudo) >= 0.2 * len(scene.changes)
    fields = scene.land.geometry.to_numpy()[sorted(scene.pseudo)]
    true = shapely.union_all([c.geometry for c in scene.changes])
    assert shapely.distance(fields, true).min() > 90
    kinds = {kind for sky in scene.skies for kind, _ in sky.loose} | set(scene.pseudo.values())
    assert {"harvest", "film_mulch", "flooded_paddy", "cloud_edge", "shadow"} <= kinds


def test_levels_grow_harder():
    easy, middle, hard = (difficulty_of(level) for level in (1, 2, 3))
    for name in ("vigour", "flicker", "pseudo", "clouds", "haze", "noise", "wrong_parcels"):
        assert getattr(easy, name) < getattr(middle, name) < getattr(hard, name)
    assert max(map(abs, hard.shift_px)) <= 1
    with pytest.raises(InputError, match="no difficulty 4"):
        difficulty_of(4)


def test_images_are_sentinel_like_and_masked(small):
    for folder, date in (("before", BEFORE), ("after", AFTER)):
        for band in BANDS:
            path = small.folder / folder / f"{scene_name(date)}_{band}.tif"
            with rasterio.open(path) as source:
                data = source.read(1)
                assert source.crs == "EPSG:32650"
                assert source.block_shapes == [(256, 256)]
                assert source.nodata == 0
            assert data.dtype == np.uint16
            assert data.min() >= 1
            assert 100 < np.median(data) < 5000
        with rasterio.open(small.folder / folder / f"{scene_name(date)}_mask.tif") as source:
            mask = source.read(1)
        assert set(np.unique(mask)) <= {0, 1}
        assert mask.mean() < 0.25


def test_changes_can_be_seen(small):
    with rasterio.open(small.folder / "before" / f"{scene_name(BEFORE)}_B04.tif") as source:
        before, transform = source.read(1).astype(float), source.transform
    with rasterio.open(small.folder / "after" / f"{scene_name(AFTER)}_B04.tif") as source:
        after = source.read(1).astype(float)
    changes, _ = read_truth(small.truth)
    seen = changes[~changes["hidden"]]
    inside = rasterio.features.geometry_mask(
        seen.geometry, before.shape, transform, invert=True
    )  # fmt: skip
    difference = np.abs(after - before)
    assert difference[inside].mean() > 3 * np.median(difference)


def test_same_seed_same_files(small, tmp_path):
    again = build_county(tmp_path, 7, 2, size_px=SMALL_PX)
    names = [f"before/{scene_name(BEFORE)}_B08.tif", f"after/{scene_name(AFTER)}_B11.tif",
             "onemap/STBHHX.geojson", "onemap/JSYDSP.shp", "demo.yaml"]  # fmt: skip
    for name in names:
        first, second = (hashlib.sha256((c.folder / name).read_bytes()).hexdigest()
                         for c in (small, again))  # fmt: skip
        assert first == second, name


def test_after_image_can_come_in_another_zone(tmp_path):
    county = build_county(tmp_path, 7, 1, size_px=SMALL_PX, after_crs="EPSG:32649")
    for path in sorted((county.folder / "after").glob("*.tif")):
        with rasterio.open(path) as source:
            assert source.crs == "EPSG:32649"
            assert source.width > SMALL_PX
    with rasterio.open(next((county.folder / "before").glob("*_B02.tif"))) as source:
        assert source.crs == "EPSG:32650"


def test_truth_lists_changes_and_pseudo_changes(small):
    changes, pseudo = read_truth(small.truth)
    assert changes["change_id"].is_unique
    assert (changes["land"] != "").all()
    assert len(pseudo) >= 0.2 * len(changes)
    assert isinstance(changes, gpd.GeoDataFrame)
    areas = shapely.area(changes.geometry.to_numpy())
    np.testing.assert_allclose(changes["area_m2"], areas, atol=0.006)
