"""Map tiles over HTTP: by catalogue name only, within one's own divisions, cached, bounded."""

import io

import numpy as np
import pytest
import shapely
from PIL import Image
from sqlalchemy import insert, select, update

from clues.store import schema
from clues.store.images import find_image
from tests.web.conftest import FIRST, SECOND, ServedDesk
from tiles.webtiles import MOST_ZOOM

ZOOM = 14

pytestmark = pytest.mark.slow


def images(desk: ServedDesk, name: str = "root") -> dict[str, dict[str, object]]:
    return {i["image_id"]: i for i in desk.as_(name).get("/api/images").json()["items"]}


def named(desk: ServedDesk, county: str, role: str) -> str:
    (found,) = [i for i in images(desk) if i.startswith(f"run-{county}") and i.endswith(role)]
    return found


def address(desk: ServedDesk, image_id: str, zoom: int = ZOOM, at: float = 0.5) -> str:
    """Return the path of the tile at a part of the way through an image, without suffix."""
    west, south, east, north = images(desk)[image_id]["bounds"]
    lon, lat, n = west + (east - west) * at, (south + north) / 2, 1 << zoom
    x = int((lon + 180) / 360 * n)
    y = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * n)
    return f"/tiles/{image_id}/{zoom}/{x}/{y}"


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@pytest.mark.parametrize(("suffix", "media"), [("png", "image/png"), ("webp", "image/webp")])
def test_a_tile_of_each_date_is_shown_and_held(desk: ServedDesk, suffix: str, media: str):
    shown = {}
    for role in ("before", "after"):
        path = f"{address(desk, named(desk, FIRST, role))}.{suffix}"
        told = desk.as_("county").get(path)
        assert told.status_code == 200
        assert told.headers["content-type"] == media
        assert told.headers["cache-control"] == "private, max-age=3600"
        again = desk.as_("county").get(path, headers={"If-None-Match": told.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        shown[role] = pixels(told.content)
    assert shown["before"].shape == (256, 256, 4)
    seen = (shown["before"][..., 3] > 0) & (shown["after"][..., 3] > 0)
    assert seen.mean() > 0.2
    difference = np.abs(shown["before"].astype(int) - shown["after"])[seen][:, :3].mean()
    assert 0 < difference < 25  # the same ground, the same stretch


def test_nothing_to_see_is_204_and_what_is_not_there_404(desk: ServedDesk):
    image = named(desk, FIRST, "before")
    z, x, y = (int(part) for part in address(desk, image).split("/")[-3:])
    root = desk.as_("root")
    assert root.get(f"/tiles/{image}/{z}/{x + 40}/{y}.png").status_code == 204
    assert root.get(f"/tiles/none/{z}/{x}/{y}.png").status_code == 404
    assert root.get(f"/tiles/{image}/{z}/{1 << z}/{y}.png").status_code == 404
    assert root.get(f"/tiles/{image}/{MOST_ZOOM + 1}/0/0.png").status_code == 422
    assert root.get(f"/tiles/{image}/{z}/{x}/{y}.tif").status_code == 422


@pytest.mark.parametrize(
    "name",
    [
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "images%2Frun.tif",
        "file:%2F%2F%2Fetc%2Fpasswd",
        "http:%2F%2Flocalhost%2Fa.tif",
        "%2Fvsicurl%2Fhttp:%2F%2Flocalhost%2Fa.tif",
        "a%00b",
    ],
)
def test_what_a_client_names_is_never_opened(
    desk: ServedDesk, name: str, monkeypatch: pytest.MonkeyPatch
):
    opened: list[object] = []
    monkeypatch.setattr("web.tileserver.cut_tile", lambda *a: opened.append(a))
    told = desk.as_("root").get(f"/tiles/{name}/{ZOOM}/1/1.png")
    assert told.status_code in (400, 404, 422)
    assert not opened


def test_a_path_in_the_store_that_leads_elsewhere_is_not_followed(desk: ServedDesk):
    image = named(desk, SECOND, "change")
    table = schema.images
    with desk.store.transaction() as connection:
        row = find_image(connection, image)
        assert row is not None
        own = table.c.image_id == image
        changed = update(table).where(own)
        connection.execute(changed.values(path="../register.sqlite", fingerprint="x"))
    try:
        told = desk.as_("root").get(f"{address(desk, image)}.png")
        assert told.status_code == 404
        assert b"register" not in told.content
    finally:
        with desk.store.transaction() as connection:
            kept = {"path": row.path, "fingerprint": row.fingerprint}
            connection.execute(update(table).where(own).values(**kept))


def test_a_county_sees_the_images_of_its_own_runs_alone(desk: ServedDesk):
    own, others = (f"{address(desk, named(desk, c, 'after'))}.png" for c in (FIRST, SECOND))
    expected = {
        "county": (200, 404),
        "other": (404, 200),
        "city": (200, 200),
        "inspector": (200, 404),
    }
    for name, codes in expected.items():
        assert tuple(desk.as_(name).get(p).status_code for p in (own, others)) == codes, name
    assert all(i.startswith(f"run-{FIRST}") for i in images(desk, "county"))
    assert desk.nobody().get(own).status_code == 401
    assert desk.as_("citizen").get(own).status_code == 403


def test_where_divisions_are_drawn_pixels_of_others_are_cut_off(desk: ServedDesk):
    image = named(desk, FIRST, "after")
    west, south, east, north = images(desk)[image]["bounds"]
    middle = (west + east) / 2
    _draw_divisions(
        desk,
        {
            FIRST: shapely.box(west - 1, south - 1, middle, north + 1),
            SECOND: shapely.box(middle, south - 1, east + 1, north + 1),
        },
    )
    path = f"{address(desk, image, 12)}.png"
    whole, mine, theirs = (
        pixels(desk.as_(name).get(path).content)[..., 3] > 0 for name in ("root", "county", "other")
    )
    assert whole.sum() == mine.sum() + theirs.sum()
    assert not (mine & theirs).any()
    assert min(mine.sum(), theirs.sum()) > 0.4 * whole.sum()
    rows, cols = np.nonzero(mine)
    assert cols.max() < np.nonzero(theirs)[1].min()
    assert len(rows) == mine.sum()


def _draw_divisions(desk: ServedDesk, shapes: dict[str, shapely.Polygon]) -> None:
    """Enter outlines of divisions as `tuban desk add` does."""
    with desk.store.transaction() as connection:
        version = connection.scalar(select(schema.layer_versions.c.id).limit(1))
        for code, shape in shapes.items():
            w, s, e, n = shape.bounds
            values = {"version_id": version, "role": "division", "feature_key": f"division:{code}"}
            values |= {"counties": f",{code},", "attrs": {"number": code}}
            values |= {"west": w, "south": s, "east": e, "north": n}
            connection.execute(
                insert(schema.layer_features).values(geometry=shapely.to_wkb(shape), **values)
            )


def test_a_tile_is_cut_once(desk: ServedDesk, monkeypatch: pytest.MonkeyPatch):
    paths = [f"{address(desk, named(desk, FIRST, 'before'), z, at)}.webp"
             for z in (13, 14, 15, 16) for at in (0.3, 0.5, 0.7)]  # fmt: skip
    client = desk.as_("root")
    first = [client.get(path) for path in paths]
    assert {told.status_code for told in first} == {200}
    monkeypatch.setattr("web.tileserver.cut_tile", lambda *_: pytest.fail("cut again"))
    assert [client.get(path).content for path in paths] == [told.content for told in first]
    assert list((desk.folder / "register-desk" / "cache" / "tiles").rglob("*.tile"))
