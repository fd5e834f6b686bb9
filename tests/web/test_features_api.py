"""OGC API – Features: what QGIS asks, page by page, within one's own divisions."""

import json

import pytest
import shapely

from tests.web.conftest import FIRST, SECOND, ServedDesk

COLLECTIONS = ("clues", "patches", "landuse", "approval")

pytestmark = pytest.mark.slow


def features(desk: ServedDesk, name: str, collection: str, **query: object) -> list[dict]:
    """Return all features of a collection, by the links from page to page."""
    url, found = f"/ogc/collections/{collection}/items", []
    params: dict[str, object] | None = {"limit": 7, **query}
    while url:
        told = desk.as_(name).get(url, params=params)
        assert told.status_code == 200, told.text
        page = told.json()
        assert page["numberReturned"] == len(page["features"]) <= 7
        found += page["features"]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        params = None
    assert len(found) == page["numberMatched"]
    assert len({f["id"] for f in found}) == len(found)
    return found


def test_a_client_finds_its_way_from_the_landing_page(desk: ServedDesk):
    client = desk.as_("county")
    links = {link["rel"]: link for link in client.get("/ogc/").json()["links"]}
    assert {"self", "service-desc", "conformance", "data"} <= set(links)
    classes = client.get(links["conformance"]["href"]).json()["conformsTo"]
    assert all(c.startswith("http://www.opengis.net/spec/ogcapi-features-1/1.0/") for c in classes)
    described = client.get(links["service-desc"]["href"])
    assert described.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    api = described.json()
    assert api["openapi"].startswith("3.0")
    assert api["components"]["parameters"]["limit"]["schema"]["maximum"] == 500
    told = client.get(links["data"]["href"]).json()["collections"]
    assert set(COLLECTIONS) <= {c["id"] for c in told}
    for one in told:
        items = next(link for link in one["links"] if link["rel"] == "items")
        page = client.get(items["href"])
        assert page.headers["content-type"].startswith("application/geo+json")
        assert page.json()["type"] == "FeatureCollection"
        assert client.get(f"/ogc/collections/{one['id']}").json()["id"] == one["id"]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_pages_hold_everything_once_and_each_feature_is_found_alone(
    desk: ServedDesk, collection: str
):
    found = features(desk, "root", collection)
    assert found
    one = desk.as_("root").get(f"/ogc/collections/{collection}/items/{found[-1]['id']}")
    assert one.json()["geometry"] == found[-1]["geometry"]
    assert one.json()["properties"] == found[-1]["properties"]
    shapes = [shapely.from_geojson(json.dumps(f["geometry"])) for f in found]
    assert all(s.is_valid for s in shapes)
    bounds = shapely.total_bounds(shapes)
    assert 110 < bounds[0] < bounds[2] < 120
    assert 30 < bounds[1] < bounds[3] < 40


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_county_sees_its_own_features_alone(desk: ServedDesk, collection: str):
    everything = {f["id"] for f in features(desk, "root", collection)}
    own, others = ({f["id"] for f in features(desk, n, collection)} for n in ("county", "other"))
    assert own
    assert others
    assert not own & others
    assert own | others == everything
    client = desk.as_("county")
    for name in sorted(others)[:3]:
        path = f"/ogc/collections/{collection}/items/{name}"
        assert client.get(path).status_code == 404
    bounds = shapely.total_bounds(
        [
            shapely.from_geojson(json.dumps(f["geometry"]))
            for f in features(desk, "other", collection)
        ]
    )
    box = ",".join(f"{v:.6f}" for v in bounds)
    assert features(desk, "county", collection, bbox=box) == []


def test_the_filters_are_those_of_the_list(desk: ServedDesk):
    for query in ({}, {"outcome": "suspected"}, {"division": FIRST}, {"min_area": 15000}):
        listed = desk.clue_nos("root", **query)
        assert [f["id"] for f in features(desk, "root", "clues", **query)] == listed, query
    assert not features(desk, "county", "clues", division=SECOND)


def test_a_box_and_a_time_choose(desk: ServedDesk):
    found = features(desk, "root", "patches")
    one = shapely.from_geojson(json.dumps(found[0]["geometry"]))
    box = ",".join(f"{v:.6f}" for v in one.bounds)
    near = {f["id"] for f in features(desk, "root", "patches", bbox=box)}
    assert found[0]["id"] in near
    assert len(near) < len(found)
    assert features(desk, "root", "patches", bbox="0,0,1,1") == []
    day = found[0]["properties"]["after_to"]
    assert len(features(desk, "root", "patches", datetime=f"{day}T00:00:00Z/..")) == len(found)
    assert features(desk, "root", "patches", datetime="../2001-01-01") == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("clues/items?unheard=1", 400),
        ("clues/items?datetime=yesterday", 400),
        ("clues/items?limit=0", 400),
        ("clues/items?crs=http://www.opengis.net/def/crs/EPSG/0/3857", 400),
        ("clues/items?bbox=1,2", 400),
        ("clues/items?min_area=x", 400),
        ("nothing/items", 404),
        ("nothing", 404),
        ("patches/items?after=x", 404),
        ("patches/items/0", 404),
        ("clues/items/NONE", 404),
    ],
)
def test_what_cannot_be_answered_is_told(desk: ServedDesk, path: str, code: int):
    told = desk.as_("root").get(f"/ogc/collections/{path}")
    assert told.status_code == code
    assert told.headers["content-type"] == "application/problem+json"


def test_programs_name_the_reference_system_that_they_were_told(desk: ServedDesk):
    client = desk.as_("county")
    (told, *_) = client.get("/ogc/collections").json()["collections"]
    for name in ("crs", "bbox-crs"):
        asked = {name: told["storageCrs"], "bbox": "110,30,120,40"}
        page = client.get("/ogc/collections/clues/items", params=asked).json()
        assert page["numberMatched"] == len(desk.clue_nos("county")) > 0


def test_who_may_not_read_sees_no_feature(desk: ServedDesk):
    assert desk.nobody().get("/ogc/collections/clues/items").status_code == 401
    assert desk.as_("citizen").get("/ogc/collections/clues/items").status_code == 403


def test_what_the_caller_holds_is_not_sent_again(desk: ServedDesk):
    client = desk.as_("county")
    told = client.get("/ogc/collections/clues/items")
    held = {"If-None-Match": told.headers["etag"]}
    assert client.get("/ogc/collections/clues/items", headers=held).status_code == 304
