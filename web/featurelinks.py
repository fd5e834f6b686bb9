"""What the features API says of itself: links, conformance, collections, its own description."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request

__all__ = [
    "CONFORMANCE",
    "CRS84",
    "GEOJSON",
    "OPENAPI",
    "Collection",
    "collection_record",
    "description",
    "link",
    "place_of",
]

GEOJSON = "application/geo+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CONFORMANCE = tuple(
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}"
    for name in ("core", "geojson", "oas30")
)
DEFAULT_LIMIT, MOST = 100, 500

Collection = tuple[str, str, str, list[float] | None]
"""Name, title, description, bounds in degrees."""


def place_of(request: Request, *path: str) -> str:
    """Return the address of something below ``/ogc``, as the caller reached the desk."""
    return "/".join([f"{str(request.base_url).rstrip('/')}/ogc", *path])


def link(href: str, rel: str, media: str = "application/json", title: str = "") -> dict[str, str]:
    """Return one link."""
    return {"href": href, "rel": rel, "type": media} | ({"title": title} if title else {})


def collection_record(request: Request, collection: Collection) -> dict[str, Any]:
    """Return what is told of a collection."""
    name, title, text, bounds = collection
    own = place_of(request, "collections", name)
    extent: dict[str, Any] = {"spatial": {"bbox": [bounds], "crs": CRS84}} if bounds else {}
    return {
        "id": name,
        "title": title,
        "description": text,
        "itemType": "feature",
        "crs": [CRS84],
        "storageCrs": CRS84,
        "links": [link(own, "self"), link(f"{own}/items", "items", GEOJSON, title)],
    } | ({"extent": extent} if extent else {})


def description(request: Request, filters: Mapping[str, str]) -> dict[str, Any]:
    """Return the OpenAPI 3.0 description of the features API alone.

    Parameters
    ----------
    request : Request
    filters : mapping of str to str
        Names of the filters that a query may carry, and their kind.
    """
    limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}
    box = {
        "type": "array",
        "items": {"type": "number"},
        "oneOf": [{"minItems": n, "maxItems": n} for n in (4, 6)],
    }
    asked = [
        _parameter("limit", limit, explode=False),
        _parameter("bbox", box, explode=False),
        _parameter("datetime", {"type": "string"}, explode=False),
        *(_parameter(name, {"type": kind}, explode=True) for name, kind in filters.items()),
    ]
    collection = _parameter("collectionId", {"type": "string"}, place="path")
    feature = _parameter("featureId", {"type": "string"}, place="path")
    items = "/collections/{collectionId}/items"
    paths = {
        "/": _get("landing page"),
        "/conformance": _get("conformance"),
        "/collections": _get("collections"),
        "/collections/{collectionId}": _get("collection", [collection]),
        items: _get("features", [collection, *asked], GEOJSON),
        items + "/{featureId}": _get("feature", [collection, feature], GEOJSON),
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": "tuban desk: features", "version": "1"},
        "servers": [{"url": place_of(request)}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": {"limit": asked[0], "bbox": asked[1], "datetime": asked[2]},
        },
        "security": [{"token": []}],
    }


def _parameter(
    name: str, schema: dict[str, Any], *, place: str = "query", explode: bool | None = None
) -> dict[str, Any]:
    told = {"name": name, "in": place, "required": place == "path", "schema": schema}
    return told if explode is None else told | {"style": "form", "explode": explode}


def _get(
    summary: str, parameters: list[dict[str, Any]] | None = None, media: str = "application/json"
) -> dict[str, Any]:
    answers = {"200": {"description": summary, "content": {media: {"schema": {"type": "object"}}}}}
    return {"get": {"summary": summary, "parameters": parameters or [], "responses": answers}}
