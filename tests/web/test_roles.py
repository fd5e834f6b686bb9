"""Who may do what, and where: every role at every route, and no county sees another."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from PIL import Image

from tests.web.conftest import FIRST, PASSWORD, PEOPLE, SECOND, ServedDesk
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
    ("GET", "/ogc"): STAFF,
    ("GET", "/ogc/"): STAFF,
    ("GET", "/ogc/api"): STAFF,
    ("GET", "/ogc/conformance"): STAFF,
    ("GET", "/ogc/collections"): STAFF,
    ("GET", "/ogc/collections/{collection}"): STAFF,
    ("GET", "/ogc/collections/{collection}/items"): STAFF,
    ("GET", "/ogc/collections/{collection}/items/{item}"): STAFF,
}

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
    "collection": "clues",
    "item": "0",
}
"""What an address names, by parameter; none of it is there."""


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
    assert {(m, p) for m, p, _ in routes(desk)} == set(TABLE)


@pytest.mark.parametrize("name", [*PEOPLE, "nobody"])
def test_every_role_at_every_route(desk: ServedDesk, name: str):
    for method, path, _ in routes(desk):
        if (method, path) == ("DELETE", "/api/session"):
            continue
        client = desk.nobody() if name == "nobody" else desk.as_(name)
        roles = TABLE[method, path]
        told = client.request(method, path.format_map(VALUES))
        refused = told.status_code in (401, 403) and told.json()["type"].split(":")[-1] in (
            "role",
            "sign-in",
        )
        wanted = name not in roles
        if (method, path) == ("POST", "/api/session"):
            wanted = False  # a form is missing: 422
        assert refused == wanted, (name, method, path, told.status_code, told.text[:200])
        assert told.status_code < 500, (name, method, path, told.text)


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


SAID = "kept by the other county"


@pytest.fixture(scope="module")
def secret(desk: ServedDesk) -> dict[str, Any]:
    """Let a county work on all its clues; return one with what nobody else may learn of it."""
    theirs, numbers = desk.as_("other"), desk.clue_nos("other")
    file = {"file": ("a.jpg", photo(), "image/jpeg")}
    sent = theirs.post(f"/api/clues/{numbers[0]}/attachments", files=file)
    assert sent.status_code == 201, sent.text
    batch = {"year": 2026, "number": 77, "issue_date": "2026-01-01", "due_date": "2026-02-01"}
    body = {"clue_nos": numbers, "batch": batch, "assigned_to": "other"}
    case_no = theirs.post("/api/dispatch", json=body).json()["cases"][numbers[0]]
    said = {"text": SAID, "case_no": case_no}
    assert theirs.post(f"/api/clues/{numbers[0]}/comments", json=said).status_code == 201
    found: dict[str, Any] = theirs.get(f"/api/clues/{numbers[0]}").json()
    own = {"numbers": numbers, "case_no": case_no, "digest": sent.json()["sha256"]}
    hidden = [*numbers, found["object_id"], found["patch_id"], case_no, own["digest"]]
    return found | own | {"hidden": [*hidden, SECOND, SAID, "2026-77", f"run-{SECOND}"]}


def lists_of(secret: dict[str, Any], formats: list[str]) -> list[str]:
    """Return every address that tells of many things, plain and narrowed to what is hidden."""
    filtered = (
        *("/api/clues", "/api/clues/points", "/api/cases", "/api/statistics", "/api/sample"),
        *("/ogc/collections/clues/items", *(f"/api/exports/{name}" for name in formats)),
    )
    box = ",".join(str(v) for v in secret["bounds"])
    asked = ("", f"division={SECOND}", f"bbox={box}", "batch=2026-77", "assigned_to=other")
    sought = [f"q={secret[n]}" for n in ("clue_no", "object_id", "patch_id", "case_no")]
    layers = ("patches", "approval", "temporary")
    return [
        *(f"{path}?{query}" for path in filtered for query in (*asked, *sought)),
        *("/api/exceptions", "/api/images", "/api/runs", "/api/batches", "/api/audit/verify"),
        *(f"/api/images?run=run-{SECOND}", "/ogc/collections"),
        *(f"/ogc/collections/{n}/items?{q}" for n in layers for q in ("limit=500", f"bbox={box}")),
    ]


@pytest.mark.parametrize("name", ["county", "inspector", "supervisor"])
def test_no_list_tells_a_county_of_another(desk: ServedDesk, secret: dict[str, Any], name: str):
    own = desk.as_(name)
    formats = own.get("/api/vocabulary").json()["formats"]
    asked = lists_of(secret, formats)
    answered = 0
    for path in asked:
        told = own.get(path)
        assert told.status_code in (200, 403, 404), (path, told.text[:300])
        said = opened(told.content)
        assert not [h for h in secret["hidden"] if h in said and h not in path], path
        if told.status_code == 200 and path.endswith(SECOND) and "statistics" in path:
            assert told.json()["total"]["count"] == 0
        answered += told.status_code == 200
    assert answered > len(asked) / 4  # an inspector exports nothing


def test_nothing_of_a_county_opens_for_another(desk: ServedDesk, secret: dict[str, Any]):
    theirs, number, case_no = desk.as_("other"), secret["clue_no"], secret["case_no"]
    image = secret["images"]["before"][0]["image_id"]
    ends = ("", "/explanation", "/events", "/timeline")
    paths = [
        *(f"/api/clues/{number}{end}" for end in ends),
        *(f"/api/cases/{case_no}", f"/api/attachments/{secret['digest']}"),
        *(f"/tiles/{image}/0/0/0.png", f"/ogc/collections/clues/items/{number}"),
    ]
    for path in paths:
        assert theirs.get(path).status_code in (200, 204), path
        for name in ("county", "inspector", "supervisor"):
            assert desk.as_(name).get(path).status_code == 404, (name, path)


def test_nothing_of_a_county_is_changed_by_another(desk: ServedDesk, secret: dict[str, Any]):
    own, number, case_no = desk.as_("county"), secret["clue_no"], secret["case_no"]
    before = desk.store.counts()
    parcels = [{"line": p["line"], "parcel_id": p["parcel_id"]} for p in secret["parcels"]]
    ring = [[118.0, 36.0], [118.1, 36.0], [118.1, 36.1], [118.0, 36.0]]
    for path, body in (
        (f"/api/clues/{number}/comments", {"text": "x"}),
        (f"/api/clues/{number}/rejudge", {"number": "x"}),
        (
            f"/api/clues/{number}/outline",
            {"polygons": [{"type": "Polygon", "coordinates": [ring]}]},
        ),
        (f"/api/cases/{case_no}/actions/desk_check", {"form": {"finding": "x"}}),
        (f"/api/cases/{case_no}/undo", {}),
        (f"/api/cases/{case_no}/split", {"parcels": parcels[:1]}),
        (f"/api/cases/{case_no}/assign", {"assigned_to": "county"}),
    ):
        assert own.post(path, json=body, headers={"If-Match": "1"}).status_code == 404, path
    left = own.post("/api/dispatch", json={"clue_nos": secret["numbers"]}).json()
    assert left["cases"] == {}
    file = {"file": ("a.jpg", photo(), "image/jpeg")}
    assert own.post(f"/api/clues/{number}/attachments", files=file).status_code == 404
    (mine, *_) = desk.clue_nos("county")
    foreign = {"text": "x", "case_no": case_no}
    assert own.post(f"/api/clues/{mine}/comments", json=foreign).status_code == 404
    scan = {"number": "x", "attachment": secret["digest"]}
    assert own.post(f"/api/clues/{mine}/rejudge", json=scan).status_code == 422
    assert desk.store.counts() == before


def test_an_administrator_of_a_division_keeps_its_accounts_alone(desk: ServedDesk):
    root, own = desk.as_("root"), "barley beyond the dyke"
    user = {"name": "branch", "role": "administrator", "division": "3703", "password": own}
    assert root.post("/api/users", json=user).status_code == 201
    desk.accounts.set_password("branch", PASSWORD, by="setup")
    branch = desk.as_("branch")
    names = {u["name"] for u in branch.get("/api/users").json()["items"]}
    assert {"county", "other", "inspector", "branch"} <= names
    assert not {"root", "province"} & names
    for division in ("", "37", "3704"):
        more = user | {"name": "more", "division": division}
        assert branch.post("/api/users", json=more).status_code == 403, division
    for name in ("root", "province"):
        told = branch.patch(f"/api/users/{name}", json={"password": own})
        assert told.status_code == 404, name
    assert branch.patch("/api/users/branch", json={"division": ""}).status_code == 403
    assert branch.patch("/api/users/county", json={"division": "3704"}).status_code == 403
    below = {"name": "town", "role": "inspector", "division": FIRST, "password": own}
    assert branch.post("/api/users", json=below).status_code == 201
    assert branch.patch("/api/users/town", json={"active": False}).status_code == 200


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
