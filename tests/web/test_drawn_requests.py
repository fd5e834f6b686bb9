"""Requests drawn from the description of the API, by every role: no server error, answers fit."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.web.conftest import ServedDesk
from tests.web.test_roles import VALUES

pytestmark = pytest.mark.slow

FEW = 2
MANY = pytest.param(25, marks=pytest.mark.long)
"""Requests drawn of each kind for each route; the same ones in every run."""

LEAST_DONE = {
    **{"nobody": 4, "citizen": 4, "inspector": 16, "supervisor": 20, "county": 22},
    **{"province": 22, "root": 24},
}
"""Who sends each request that is drawn, one after another, and at how many routes at least one that
fits the description is taken.
"""

ENDING = {("DELETE", "/api/session")}
"""What would end the session that draws. All else is drawn: who changes a password or an account
names the present password or a user, which nothing draws.
"""

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def named(desk: ServedDesk) -> dict[str, str]:
    """Work on a clue; return what the addresses of routes name, by parameter."""
    client, number = desk.as_("county"), desk.clue_nos("county")[0]
    body = {"clue_nos": [number], "assigned_to": "inspector"}
    case_no = client.post("/api/dispatch", json=body).json()["cases"][number]
    image = client.get(f"/api/clues/{number}").json()["images"]["after"][0]["image_id"]
    told = {"clue_no": number, "case_no": case_no, "image_id": image, "action": "desk_check"}
    return VALUES | told | {"collection": "clues", "item": number}


def statuses_of(
    operation: Any, mode: GenerationMode, count: int, desk: ServedDesk, named: dict[str, str]
) -> dict[str, set[int]]:
    """Draw requests for one operation, let everybody send each; return the statuses by sender."""
    found: dict[str, set[int]] = {name: set() for name in LEAST_DONE}
    clients = {n: desk.nobody() if n == "nobody" else desk.as_(n) for n in LEAST_DONE}

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def draw(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = named[name]
        for name, client in clients.items():
            mark = client.headers.get("X-CSRF-Token", "")
            told = case.call(
                headers={"X-CSRF-Token": mark, "If-Match": "1"}, cookies=dict(client.cookies)
            )
            found[name].add(told.status_code)
            case.validate_response(told, checks=CHECKS)

    draw()
    return found


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda m: m.value)
def test_drawn_requests_are_answered_as_described(
    desk: ServedDesk, named: dict[str, str], mode: GenerationMode, count: int
):
    schema = schemathesis.openapi.from_asgi("/openapi.json", desk.app)
    drawn = [
        statuses_of(found, mode, count, desk, named)
        for found in (one.ok() for one in schema.get_all_operations())
        if (found.method.upper(), found.path) not in ENDING
    ]
    assert len(drawn) > 40
    if mode is GenerationMode.POSITIVE:
        done = {n: sum(bool(s[n] & {200, 201, 204}) for s in drawn) for n in LEAST_DONE}
        assert all(done[n] >= least for n, least in LEAST_DONE.items()), done
