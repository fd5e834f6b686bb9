"""Who may do what, and where: every role at every route, and no county sees another."""

import io
import json
import zipfile
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from PIL import Image

from tests.web.conftest import FIRST, PEOPLE, SECOND, ServedDesk
from web.access import ACTIONS, COOKIE

pytestmark = pytest.mark.slow

OFFICES = {"root", "province", "city", "county", "other"}
HANDS = OFFICES | {"inspector"}
STAFF = HANDS | {"supervisor"}
SIGNED = STAFF | {"citizen"}
ALL = SIGNED | {"nobody"}
CLUE, CASE = "/api/clues/{clue_no}", "/api/cases/{case_no}"

TABLE: dict[tuple[str, str], set[str]] = {
    ("GET", "/"): ALL,
    ("GET", "/health"): ALL,
    ("GET", "/api/session"): ALL,
    ("POST", "/api/session"): ALL,
    ("DELETE", "/api/session"): SIGNED,
    ("POST", "/api/session/password"): SIGNED,
    ("GET", "/api/tokens"): SIGNED,
    ("POST", "/api/tokens"): SIGNED,
    ("DELETE", "/api/tokens/{token}"): SIGNED,
    ("GET", "/api/users"): {"root"},
    ("POST", "/api/users"): {"root"},
    ("PATCH", "/api/users/{name}"): {"root"},
    ("GET", "/api/vocabulary"): STAFF,
    ("GET", "/api/clues"): STAFF,
    ("GET", "/api/clues/points"): STAFF,
    ("GET", CLUE): STAFF,
    ("GET", f"{CLUE}/explanation"): STAFF,
    ("GET", f"{CLUE}/events"): STAFF,
    ("GET", f"{CLUE}/timeline"): STAFF,
    ("POST", f"{CLUE}/comments"): HANDS,
    ("POST", f"{CLUE}/attachments"): HANDS,
    ("POST", f"{CLUE}/rejudge"): OFFICES,
    ("POST", f"{CLUE}/outline"): OFFICES,
    ("GET", "/api/attachments/{sha256}"): STAFF,
    ("GET", "/api/cases"): STAFF,
    ("GET", CASE): STAFF,
    ("POST", f"{CASE}/actions/{{action}}"): HANDS,
    ("POST", f"{CASE}/undo"): HANDS,
    ("POST", f"{CASE}/split"): OFFICES,
    ("POST", f"{CASE}/assign"): OFFICES,
    ("POST", "/api/dispatch"): OFFICES,
    ("GET", "/api/exports/{format_name}"): OFFICES | {"supervisor"},
    ("GET", "/api/runs"): STAFF,
    ("GET", "/api/batches"): STAFF,
    ("GET", "/api/images"): STAFF,
    ("GET", "/tiles/{image_id}/{z}/{x}/{y}.{suffix}"): STAFF,
    ("GET", "/api/statistics"): OFFICES | {"supervisor"},
    ("GET", "/api/exceptions"): OFFICES | {"supervisor"},
    ("GET", "/api/sample"): {"root", "province", "city", "supervisor"},
    ("GET", "/api/audit/verify"): {"root", "supervisor"},
    ("GET", "/api/public/clues"): ALL,
    ("GET", "/api/public/statistics"): ALL,
}
OGC = STAFF
"""Every route below ``/ogc``."""

VALUES = {
    "clue_no": "000000",
    "case_no": "000000",
    "sha256": "0" * 64,
    "name": "nobody-of-that-name",
    "token": "999999",
    "action": "judge",
    "format_name": "csv",
    "image_id": "none",
    "z": "0",
    "x": "0",
    "y": "0",
    "suffix": "png",
}


def routes(desk: ServedDesk) -> Iterator[tuple[str, str, APIRoute]]:
    waiting = list(desk.app.routes)
    while waiting:
        route = waiting.pop(0)
        if hasattr(route, "original_router"):  # how FastAPI keeps what was included
            waiting += route.original_router.routes
        elif isinstance(route, APIRoute):
            for method in sorted(route.methods - {"HEAD"}):
                yield method, route.path, route


def actions_of(route: APIRoute) -> list[str]:
    found, waiting = [], list(route.dependant.dependencies)
    while waiting:
        one = waiting.pop()
        waiting += one.dependencies
        found += [one.call.action] if hasattr(one.call, "action") else []
    return sorted(set(found))


def test_every_route_names_exactly_one_action(desk: ServedDesk):
    for method, path, route in routes(desk):
        assert len(actions_of(route)) == 1, (method, path)


def test_the_table_knows_every_route_and_no_other(desk: ServedDesk):
    known = {(m, p) for m, p, _ in routes(desk) if not p.startswith("/ogc")}
    assert known == set(TABLE)
    assert any(p.startswith("/ogc") for _, p, _ in routes(desk))


@pytest.mark.parametrize("name", [*PEOPLE, "nobody"])
def test_every_role_at_every_route(desk: ServedDesk, name: str):
    for method, path, _ in routes(desk):
        if (method, path) == ("DELETE", "/api/session"):
            continue
        client = desk.nobody() if name == "nobody" else desk.as_(name)
        roles = OGC if path.startswith("/ogc") else TABLE[method, path]
        values = {**VALUES, "collectionId": "clues", "collection": "clues", "item": "0"}
        values |= {"feature": "0", "featureId": "0", "number": "0"}
        told = client.request(method, path.format_map(_Any(values)))
        refused = told.status_code in (401, 403) and told.json()["type"].split(":")[-1] in (
            "role",
            "sign-in",
        )
        wanted = name not in roles
        if (method, path) == ("POST", "/api/session"):
            wanted = False  # a form is missing: 422
        assert refused == wanted, (name, method, path, told.status_code, told.text[:200])
        assert told.status_code < 500, (name, method, path, told.text)


class _Any(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "0"


def test_a_write_without_the_header_of_the_session_is_refused(desk: ServedDesk):
    client = desk.as_("county")
    (number, *_) = desk.clue_nos("county")
    path = f"/api/clues/{number}/comments"
    for headers in ({"X-CSRF-Token": ""}, {"X-CSRF-Token": "forged"}):
        told = client.post(path, json={"text": "x"}, headers=headers)
        assert told.status_code == 403
        assert told.json()["type"].endswith(":csrf")
    told = client.post(path, json={"text": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert told.status_code == 403


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(desk: ServedDesk):
    client = desk.nobody()
    body = {"name": "county", "password": "sorghum under the levee"}
    cookie = client.post("/api/session", json=body).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()


def test_a_token_does_what_its_user_may_and_makes_no_other(desk: ServedDesk):
    made = desk.as_("supervisor").post("/api/tokens", json={"name": "qgis"}).json()
    client = desk.nobody()
    client.headers["Authorization"] = f"Bearer {made['secret']}"
    assert client.get("/api/clues").status_code == 200
    assert client.post("/api/tokens", json={"name": "more"}).status_code == 403
    assert desk.as_("supervisor").delete(f"/api/tokens/{made['id']}").status_code == 204
    assert client.get("/api/clues").status_code == 401


def test_a_first_password_opens_nothing_but_its_change(desk: ServedDesk):
    first, own = "a first one for them", "barley beyond the dyke"
    user = {"name": "zhao", "role": "county", "division": FIRST, "password": first}
    assert desk.as_("root").post("/api/users", json=user).status_code == 201
    client = desk.nobody()
    csrf = client.post("/api/session", json={"name": "zhao", "password": first}).json()["csrf"]
    client.headers["X-CSRF-Token"] = csrf
    assert client.get("/api/clues").json()["type"].endswith(":password")
    told = client.post("/api/session/password", json={"old": first, "new": own})
    assert told.status_code == 204, told.text
    assert client.get("/api/clues").status_code == 200


def opened(content: bytes) -> str:
    """Return all that a file says, packed or not."""
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            return "".join(opened(file.read(name)) for name in file.namelist())
    return content.decode("utf-8", "ignore") + content.decode("utf-16-le", "ignore")


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (90, 120, 60)).save(out, "JPEG")
    return out.getvalue()


def test_county_a_never_sees_county_b(desk: ServedDesk):
    own, theirs = desk.as_("county"), desk.as_("other")
    numbers = desk.clue_nos("other")
    secret = theirs.get(f"/api/clues/{numbers[0]}").json()
    sent = theirs.post(
        f"/api/clues/{numbers[0]}/attachments", files={"file": ("a.jpg", photo(), "image/jpeg")}
    )
    assert sent.status_code == 201, sent.text
    digest = sent.json()["sha256"]
    handed = theirs.post("/api/dispatch", json={"clue_nos": numbers}).json()["cases"]
    case_no = handed[numbers[0]]
    image = secret["images"]["before"][0]["image_id"]
    lists = [
        *("/api/clues?limit=500", f"/api/clues?q={numbers[0]}", f"/api/clues?division={SECOND}"),
        *("/api/clues/points", "/api/cases?limit=500", "/api/images", "/api/runs", "/api/batches"),
        *("/api/statistics", "/api/exceptions", "/ogc/collections/clues/items?limit=500"),
        *("/ogc/collections/patches/items?limit=500", "/ogc/collections/approval/items?limit=500"),
        *(f"/api/exports/{n}" for n in own.get("/api/vocabulary").json()["formats"]),
    ]
    west, south, east, north = secret["bounds"]
    box = f"{west},{south},{east},{north}"
    lists += [f"/api/clues?bbox={box}", f"/ogc/collections/approval/items?bbox={box}"]
    hidden = [*numbers, secret["object_id"], secret["patch_id"], SECOND, case_no, digest]
    for path in lists:
        told = own.get(path)
        assert told.status_code in (200, 404), (path, told.text[:300])
        said = opened(told.content)
        assert not [h for h in hidden if h in said and not path.endswith(h)], path
    for path in (
        *(f"/api/clues/{numbers[0]}{end}" for end in ("", "/explanation", "/events")),
        *(f"/api/cases/{case_no}", f"/api/attachments/{digest}"),
        *(f"/tiles/{image}/0/0/0.png", f"/ogc/collections/clues/items/{numbers[0]}"),
    ):
        assert theirs.get(path).status_code in (200, 204), path
        assert own.get(path).status_code == 404, path
    version = {"If-Match": "1"}
    form = {"form": {"finding": "x"}}
    for path, body in (
        (f"/api/clues/{numbers[0]}/comments", {"text": "x"}),
        (f"/api/clues/{numbers[0]}/rejudge", {"number": "x"}),
        (f"/api/cases/{case_no}/actions/desk_check", form),
        (f"/api/cases/{case_no}/undo", {}),
        (f"/api/cases/{case_no}/assign", {"assigned_to": "county"}),
    ):
        assert own.post(path, json=body, headers=version).status_code == 404, path
    left = own.post("/api/dispatch", json={"clue_nos": numbers}).json()
    assert left["cases"] == {}
    file = {"file": ("a.jpg", photo(), "image/jpeg")}
    assert own.post(f"/api/clues/{numbers[0]}/attachments", files=file).status_code == 404


def test_an_inspector_sees_what_was_given_to_them_and_nothing_else(desk: ServedDesk):
    assert desk.clue_nos("inspector") == []
    (number, *_) = desk.clue_nos("county")
    body = {"clue_nos": [number], "assigned_to": "inspector"}
    assert desk.as_("county").post("/api/dispatch", json=body).json()["cases"]
    assert desk.clue_nos("inspector") == [number]
    points = desk.as_("inspector").get("/api/clues/points").json()["rows"]
    assert [row[0] for row in points] == [number]


def test_the_public_is_told_numbers_and_nothing_that_leads_to_a_plot(desk: ServedDesk):
    client = desk.nobody()
    cells, totals = (client.get(f"/api/public/{n}").json() for n in ("clues", "statistics"))
    rows = desk.as_("root").get("/api/clues").json()["items"]
    said = json.dumps([cells, totals])
    for row in rows:
        assert not [row[n] for n in ("clue_no", "object_id", "patch_id") if row[n] in said]
        assert str(row["area_dm2"]) not in said
    assert sum(c["patches"] for c in cells["items"]) == len(rows)
    assert sum(t["patches"] for t in totals["items"]) == len(rows)
    assert not (set(ACTIONS["read"]) & {"public", "nobody"})
