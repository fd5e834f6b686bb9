"""The description of the API (OpenAPI): who asks, what is answered, and how it is refused."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from web.access import COOKIE
from web.errors import MEDIA_TYPE, PROBLEM

__all__ = ["describe"]

OF_FASTAPI = ("HTTPValidationError", "ValidationError")
"""How FastAPI would tell a wrong value; the desk tells all refusals in one way."""


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of an app; made once.

    Every operation names its answers; whatever else comes are problem details (RFC 9457).
    """
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        parts = found.setdefault("components", {})
        schemas = parts.setdefault("schemas", {})
        for name in OF_FASTAPI:
            schemas.pop(name, None)
        schemas["Problem"] = PROBLEM
        for path in found["paths"].values():
            for method, operation in path.items():
                _tell_refusals(method, operation["responses"])
        parts["securitySchemes"] = {
            "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            "token": {"type": "http", "scheme": "bearer"},
        }
        found["security"] = [{"session": []}, {"token": []}]
        app.openapi_schema = json.loads(json.dumps(found))
    return app.openapi_schema


def _tell_refusals(method: str, responses: dict[str, Any]) -> None:
    responses.pop("422", None)
    if method == "get":
        responses.setdefault("304", {"description": "The caller holds it."})
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    responses["default"] = {
        "description": "It is refused; `fix_zh` and `fix_en` tell what to do.",
        "content": {MEDIA_TYPE: problem},
    }
