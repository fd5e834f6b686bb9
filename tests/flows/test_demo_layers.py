"""Papers and One-Map layers of the demo county: drawn and dated as the truth says."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest
import shapely

from configs.layers import LayersFile
from configs.run import RunConfig
from flows.demo import onemap
from flows.demo.changes import Change
from flows.demo.county import build_county, make_scenery
from flows.demo.documents import PAPERS, draw_documents
from flows.demo.plan import PLAN, Item
from flows.demo.settings import AFTER, BEFORE
from tiles.geodesy import ellipsoidal_area

BODY = shapely.transform(
    shapely.box(0, 0, 120, 60), lambda p: p @ np.array([[0.9, 0.3], [-0.3, 0.9]]) + [3e5, 4e6]
)


def drawn(papers: str):
    item = Item("new_building", "works", "crop", papers, hectares=0.7)
    return draw_documents([Change(1, item, BODY, "0102")], [], 5)


def covered(rows) -> float:
    union = shapely.union_all([shapely.make_valid(r["geometry"]) for r in rows])
    return shapely.intersection(union, BODY).area / BODY.area


def test_every_plan_item_has_an_expectation():
    assert {item.papers for item in PLAN} == set(PAPERS)


@pytest.mark.parametrize("papers", ["full", "supplied", "mine_full", "bow_tie", "twice"])
def test_lawful_changes_are_covered_before_the_earlier_image(papers):
    rows = drawn(papers).approvals
    assert covered(rows) == pytest.approx(1.0)
    assert all(r["PZRQ"] <= BEFORE for r in rows)
    if papers == "twice":
        assert len(rows) == 2
        assert all(covered([r]) < 0.9 for r in rows)
    if papers == "bow_tie":
        assert not rows[0]["geometry"].is_valid


def test_half_an_approval_covers_half():
    assert covered(drawn("partial").approvals) == pytest.approx(0.5, abs=0.02)
    assert covered(drawn("mine_beyond").rights) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("papers", "low", "high"),
    [("late", AFTER, dt.date.max), ("applied", AFTER, dt.date.max), ("between", BEFORE, AFTER)],
)
def test_approvals_that_do_not_help_are_dated_so(papers, low, high):
    (row,) = drawn(papers).approvals
    assert low < row["PZRQ"] < high
    assert (row["SQRQ"] is not None) == (papers == "applied")


def test_approvals_without_date_or_place():
    assert drawn("undated").approvals[0]["PZRQ"] is None
    assert drawn("unmapped").approvals[0]["geometry"] is None
    assert drawn("none").approvals == []


def test_permits_end_when_they_should():
    ends = {p: drawn(p).permits[0]["JZRQ"] for p in ("temporary", "lapsed", "long_lapsed")}
    assert ends["temporary"] > AFTER
    assert AFTER - dt.timedelta(days=365) < ends["lapsed"] < AFTER
    assert ends["long_lapsed"] < BEFORE - dt.timedelta(days=365)


def test_mining_rights():
    assert drawn("mine_licence").rights[0]["YXQZ"] > AFTER
    assert drawn("mine_expired").rights[0]["YXQZ"] < BEFORE
    assert drawn("mine_none").rights == []


@pytest.fixture(scope="module")
def county(tmp_path_factory):
    return build_county(tmp_path_factory.mktemp("county"), 11, 2, size_px=384)


def test_layers_file_and_config_are_accepted(county):
    layers = LayersFile.load(county.layers)
    roles = [s.role for s in layers.layers]
    assert roles == sorted(set(roles), key=roles.index)
    assert {"landuse", "approval", "temporary", "facility", "mining_right"} <= set(roles)
    assert all(s.source.is_file() for s in layers.layers)
    config = RunConfig.load(county.config)
    assert config.before.date == BEFORE
    assert config.after.mask is not None
    assert config.after.mask.is_file()


def test_shapefiles_are_gbk(county):
    assert (county.folder / "onemap" / "JSYDSP.cpg").read_text() == "GBK"
    table = gpd.read_file(county.folder / "onemap" / "JSYDSP.shp")
    assert table["PWH"].str.startswith("演政土批").all()
    assert str(table.crs) == "EPSG:4526"
    dates = table["PZRQ"].dropna()
    assert {"-" in d for d in dates} == {True, False}


def test_land_use_is_a_partition_with_stated_areas(county):
    table = gpd.read_file(county.folder / "onemap" / "DLTB.gpkg")
    shapes = table.geometry.to_numpy()
    union = shapely.union_all(shapes, grid_size=0.001)
    assert shapely.area(shapes).sum() == pytest.approx(union.area, rel=1e-7)
    areas = ellipsoidal_area(shapes, "EPSG:4526")
    np.testing.assert_allclose(table["TBMJ"], areas, atol=0.006)
    np.testing.assert_allclose(table["TBMJ"] - table["KCMJ"], table["TBDLMJ"], atol=0.006)
    assert table["BSM"].is_unique
    assert set(table.loc[table["DLBM"].str[:2] == "07", "CZCSXM"]) <= {"202", "203"}


def test_a_tenth_of_the_polygons_is_wrong_but_not_under_changes():
    scene = make_scenery(11, 2, 384)
    told = onemap.land_use(scene)["DLBM"].to_numpy()
    wrong = told != scene.land["code"].to_numpy()
    can = scene.land["code"].isin(list(onemap.WRONG)).to_numpy()
    assert 0.05 < wrong[can].mean() < 0.13
    for change in scene.changes:
        assert not wrong[shapely.intersects(scene.land.geometry.to_numpy(), change.geometry)].any()


def test_facility_filings_keep_off_basic_farmland():
    scene = make_scenery(3, 1, 512)
    filed = [c.geometry for c in scene.changes if c.item.papers == "filed"]
    farmland = onemap.basic_farmland(scene).geometry.to_numpy()
    assert filed
    assert shapely.distance(shapely.union_all(farmland), shapely.union_all(filed)) > 100
    assert shapely.area(farmland).sum() > 0.2 * scene.frame.size_m**2
