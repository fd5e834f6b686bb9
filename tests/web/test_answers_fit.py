"""What the description of the API says of answers is what they hold, member by member."""

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from tests.web.conftest import ServedDesk
from tests.web.test_hostile import picture
from web import officemodels, toldmodels

pytestmark = pytest.mark.slow

TOLD = {
    "/api/clues": toldmodels.ClueList,
    "/api/clues/points": toldmodels.Points,
    "/api/clues/{clue}": toldmodels.Clue,
    "/api/clues/{clue}/explanation": toldmodels.Explanation,
    "/api/clues/{clue}/events": toldmodels.EventList,
    "/api/cases": toldmodels.CaseList,
    "/api/cases/{case}": toldmodels.Case,
    "/api/statistics": toldmodels.Statistics,
    "/api/exceptions": toldmodels.Exceptions,
    "/api/sample": toldmodels.Sample,
    "/health": officemodels.Health,
    "/api/session": officemodels.Session,
    "/api/tokens": officemodels.TokenList,
    "/api/users": officemodels.UserList,
    "/api/clues/{clue}/timeline": officemodels.Timeline,
    "/api/runs": officemodels.RunList,
    "/api/batches": officemodels.BatchList,
    "/api/images": officemodels.ImageList,
    "/api/audit/verify": officemodels.AuditCheck,
    "/api/public/clues": officemodels.PublicCells,
    "/api/public/statistics": officemodels.PublicTotals,
}
KEEPER = ("/api/users", "/api/audit/verify")
"""What the administrator alone is told whole."""


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a type of a member names, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in get_args(annotation) for m in models_of(part)]


def require_fit(model: type[BaseModel], told: dict[str, Any], where: str) -> None:
    """Require that an answer has exactly the members of a model, and those within it."""
    model.model_validate(told)
    assert set(told) == set(model.model_fields), where
    for name, field in model.model_fields.items():
        value = told[name]
        for inner in models_of(field.annotation):
            parts = value if isinstance(value, list) else [value]
            for part in parts:
                if part is not None:
                    require_fit(inner, part, f"{where}.{name}")


@pytest.fixture(scope="module")
def worked(desk: ServedDesk) -> dict[str, str]:
    """Work on a clue, so that all parts of its answers hold something; return its numbers."""
    client, number = desk.as_("county"), desk.clue_nos("county")[0]
    batch = {"year": 2026, "number": 1, "issue_date": "2026-01-01", "due_date": "2026-02-01"}
    given = {"clue_nos": [number], "assigned_to": "inspector", "batch": batch}
    told = client.post("/api/dispatch", json=given).json()
    toldmodels.Dispatched.model_validate(told)
    case = told["cases"][number]
    step = {"form": {"finding": "a wall"}}
    path = f"/api/cases/{case}/actions/desk_check"
    told = client.post(path, json=step, headers={"If-Match": "1"}).json()
    require_fit(toldmodels.Case, told, path)
    path = f"/api/clues/{number}/comments"
    told = client.post(path, json={"text": "看过", "case_no": case}).json()
    require_fit(officemodels.KeptComment, told, path)
    path, file = f"/api/clues/{number}/attachments", {"file": ("a.jpg", picture(), "image/jpeg")}
    require_fit(officemodels.KeptFile, client.post(path, files=file).json(), path)
    token = desk.as_("city").post("/api/tokens", json={"name": "qgis"}).json()
    require_fit(officemodels.NewToken, token, "/api/tokens")
    return {"clue": number, "case": case}


@pytest.mark.parametrize("path", TOLD)
def test_answers_have_the_members_that_are_described(
    desk: ServedDesk, worked: dict[str, str], path: str
):
    told = desk.as_("root" if path in KEEPER else "city").get(path.format_map(worked)).json()
    require_fit(TOLD[path], told, path)
    items = told.get("items")
    assert items is None or items
    if path == "/api/clues/{clue}":
        assert all(told[n] for n in ("parcels", "cases", "comments", "attachments"))
        assert told["cases"][0]["checks"]


def test_the_description_names_a_model_for_each(desk: ServedDesk):
    paths = desk.nobody().get("/openapi.json").json()["paths"]
    for path, model in TOLD.items():
        own = paths[path.format(clue="{clue_no}", case="{case_no}")]["get"]["responses"]["200"]
        told = own["content"]["application/json"]["schema"]["$ref"]
        assert told.endswith(f"/{model.__name__}"), path
