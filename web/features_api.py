"""OGC API – Features: clues, patches and layers as GeoJSON, so that QGIS and others connect."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

import numpy as np
import shapely
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from clues.store.features import Place, count_features, feature, feature_roles, features
from clues.store.outlines import Outlined, Period, clue_extent, clue_outlines, patch_outlines
from clues.store.worklist import Filters, Scope
from configs.told import Told
from configs.vocabulary import role_name
from web.access import Caller, may
from web.answers import answer, as_json, sent
from web.asking import AskedFilters, TheDesk, refuse_foreign_signs
from web.errors import Problem
from web.featurelinks import (
    CONFORMANCE,
    CRS84,
    DEFAULT_LIMIT,
    GEOJSON,
    MOST,
    OPENAPI,
    Collection,
    collection_record,
    description,
    link,
    place_of,
)

__all__ = ["router"]

router = APIRouter(prefix="/ogc", tags=["features"], dependencies=[Depends(refuse_foreign_signs)])

Viewer = Annotated[Caller, Depends(may("features"))]
CollectionId = Annotated[str, Path(pattern=r"^[a-z_]{1,40}$")]
DIGITS = 7

FILTERS = {
    **dict.fromkeys(("run", "batch", "division", "state", "outcome", "rule"), "string"),
    **dict.fromkeys(("change_type", "verdict", "fate", "q", "assigned_to"), "string"),
    **dict.fromkeys(("min_area", "max_area"), "integer"),
    "overdue": "boolean",
}
"""Filters of `clues.store.worklist` that a query may carry."""

SYSTEMS = {"crs", "bbox-crs"}
OWN = {"limit", "bbox", "datetime", "after", "f", *SYSTEMS}

TITLES = {
    "clues": ("线索 clues", "图斑线索，办理状态 Clues with the state of their cases."),
    "patches": (
        "变化图斑 changed patches",
        "全部变化图斑，含未列为线索者 All patches of all runs.",
    ),
}
AROUND = "图斑周边 1 千米内的要素 Features within 1 km of a patch."


@router.get("", include_in_schema=False)
@router.get("/", summary="Landing page")
def landing(request: Request, caller: Viewer) -> Response:
    """Return where everything is."""
    here = place_of(request)
    links = [
        link(f"{here}/", "self"),
        link(f"{here}/api", "service-desc", OPENAPI),
        link(f"{here}/conformance", "conformance"),
        link(f"{here}/collections", "data"),
    ]
    text = "线索、图斑与图层 Clues, patches and layers of a tuban desk."
    return answer(request, {"title": "tuban", "description": text, "links": links})


@router.get(
    "/api",
    summary="Description of the features API (OpenAPI 3.0)",
    response_class=Response,
    responses={200: {"content": {OPENAPI: {}}}},
)
def api(request: Request, caller: Viewer) -> Response:
    """Return the description."""
    return sent(request, as_json(description(request, FILTERS)), OPENAPI)


@router.get("/conformance", summary="Classes of the standard that hold")
def conformance(request: Request, caller: Viewer) -> Response:
    """Return the classes."""
    return answer(request, {"conformsTo": list(CONFORMANCE)})


@router.get("/collections", summary="Collections of features")
def collections(request: Request, desk: TheDesk, caller: Viewer) -> Response:
    """Return clues, patches and the layers that were brought in."""
    told = [collection_record(request, c) for c in _collections(desk, caller.scope)]
    links = [link(place_of(request, "collections"), "self")]
    return answer(request, {"links": links, "collections": told})


@router.get("/collections/{collection}", summary="One collection")
def collection(
    request: Request, desk: TheDesk, caller: Viewer, collection: CollectionId
) -> Response:
    """Return what is told of a collection."""
    found = [c for c in _collections(desk, caller.scope) if c[0] == collection]
    if not found:
        raise _none(collection)
    return answer(request, collection_record(request, found[0]))


@router.get(
    "/collections/{collection}/items",
    summary="Features of a collection",
    response_class=Response,
    responses={200: {"content": {GEOJSON: {}}}},
)
def items(
    request: Request,
    desk: TheDesk,
    caller: Viewer,
    collection: CollectionId,
    filters: AskedFilters,
    limit: Annotated[int, Query(ge=1, le=10_000, description=f"at most {MOST} are sent")] = (
        DEFAULT_LIMIT
    ),
    datetime: Annotated[str, Query(max_length=80, description="day or interval")] = "",
    after: Annotated[str, Query(max_length=40, description="of the link to the next page")] = "",
    f: Annotated[str, Query(max_length=10)] = "json",
) -> Response:
    """Return a page of features that meet the box and the filters, with a link to the next."""
    _require_known(request)
    _require_degrees(request)
    page = _page(
        desk, caller.scope, collection, filters, _period(datetime), after, min(limit, MOST)
    )
    own = place_of(request, "collections", collection)
    links = [
        link(str(request.url), "self", GEOJSON),
        link(own, "collection"),
    ]
    if page.next:
        asked = [(k, v) for k, v in request.query_params.multi_items() if k != "after"]
        query = urlencode([*asked, ("after", page.next)])
        links.append(link(f"{own}/items?{query}", "next", GEOJSON))
    body = _feature_collection(page, links)
    return sent(request, body, GEOJSON)


@router.get(
    "/collections/{collection}/items/{item}",
    summary="One feature",
    response_class=Response,
    responses={200: {"content": {GEOJSON: {}}}},
)
def item(
    request: Request,
    desk: TheDesk,
    caller: Viewer,
    collection: CollectionId,
    item: Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,20}$")],
) -> Response:
    """Return one feature by its name."""
    page = _one(desk, caller.scope, collection, item)
    if not page.names:
        raise Problem(404, Told(f"没有要素 {item}", f"there is no feature {item}"))
    own = place_of(request, "collections", collection)
    links = [link(f"{own}/items/{item}", "self", GEOJSON), link(own, "collection")]
    (text,) = _features(page)
    body = text[:-1] + b',"links":' + as_json(links) + b"}"
    return sent(request, body, GEOJSON)


def _collections(desk: TheDesk, scope: Scope) -> list[Collection]:
    with desk.store.engine.connect() as connection:
        extent = clue_extent(connection, scope)
        roles = feature_roles(connection)
    bounds = list(extent) if extent else None
    own: list[Collection] = [(name, *told, bounds) for name, told in TITLES.items()]
    return own + [
        (role, f"{role_name(role, 'zh')} {role_name(role, 'en')}", AROUND, bounds) for role in roles
    ]


def _page(
    desk: TheDesk,
    scope: Scope,
    collection: str,
    filters: Filters,
    period: Period,
    after: str,
    limit: int,
) -> Outlined:
    with desk.store.engine.connect() as connection:
        if collection == "clues":
            return clue_outlines(connection, filters, scope, period, after, limit)
        number = _number(after)
        if collection == "patches":
            return patch_outlines(connection, filters, scope, period, str(number), limit)
        if collection not in feature_roles(connection):
            raise _none(collection)
        place = Place(scope.divisions, filters.bbox)
        rows = features(connection, collection, place, number, limit + 1)
        matched = count_features(connection, collection, place)
    more = str(rows[limit - 1].id) if len(rows) > limit else ""
    return _of_layer(rows[:limit], matched, more)


def _one(desk: TheDesk, scope: Scope, collection: str, item: str) -> Outlined:
    with desk.store.engine.connect() as connection:
        if collection == "clues":
            own = Filters(q=item)
            found = clue_outlines(connection, own, scope, Period(), "", MOST)
            return _only(found, item)
        number = _number(item)
        if collection == "patches":
            before = str(max(number - 1, 0))
            found = patch_outlines(connection, Filters(), scope, Period(), before, 1)
            return _only(found, item)
        if collection not in feature_roles(connection):
            raise _none(collection)
        row = feature(connection, collection, number, Place(scope.divisions))
    return _of_layer([] if row is None else [row], 1, "")


def _only(page: Outlined, name: str) -> Outlined:
    at = [i for i, n in enumerate(page.names) if n == name]
    fields = tuple(page.fields[i] for i in at)
    outlines = [page.outlines[i] for i in at]
    return Outlined(tuple(page.names[i] for i in at), fields, outlines, len(at), "")


def _of_layer(rows: Sequence[Any], matched: int, more: str) -> Outlined:
    fields = tuple({"key": row.key} | row.attrs for row in rows)
    return Outlined(
        tuple(str(r.id) for r in rows), fields, [r.geometry for r in rows], matched, more
    )


def _feature_collection(page: Outlined, links: list[dict[str, str]]) -> bytes:
    head = {
        "type": "FeatureCollection",
        "numberMatched": page.matched,
        "numberReturned": len(page.names),
        "links": links,
    }
    return as_json(head)[:-1] + b',"features":[' + b",".join(_features(page)) + b"]}"


def _features(page: Outlined) -> list[bytes]:
    """Return features as texts; all outlines are written by one call."""
    shapes = shapely.transform(np.asarray(page.outlines, dtype=object), _rounded)
    outlines = shapely.to_geojson(shapes)
    return [
        b'{"type":"Feature","id":%b,"geometry":%b,"properties":%b}'
        % (as_json(name), outline.encode(), as_json(fields))
        for name, outline, fields in zip(page.names, outlines, page.fields, strict=True)
    ]


def _rounded(points: Any) -> Any:
    return np.round(points, DIGITS)


def _none(name: str) -> Problem:
    return Problem(404, Told(f"没有要素集 {name}", f"there is no collection {name}"))


def _number(text: str) -> int:
    """Return the number of a row; one that no store has where it is none."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Problem(404, Told("没有此要素", "there is no such feature"))
    return int(text)


def _require_known(request: Request) -> None:
    """Refuse what the standard has refused: a parameter that nobody knows."""
    unknown: Mapping[str, Any] = {
        k: v for k, v in request.query_params.items() if k not in FILTERS and k not in OWN
    }
    if unknown:
        name = sorted(unknown)[0][:40]
        raise Problem(400, Told(f"没有参数 {name}", f"there is no parameter {name}"))


def _require_degrees(request: Request) -> None:
    """Refuse another reference system than the one that is told: programs name it all the same."""
    for name in SYSTEMS:
        asked = request.query_params.get(name, CRS84)
        if asked != CRS84:
            told = Told(f"{name} 仅支持 CRS84", f"{name} can only be {CRS84}")
            raise Problem(400, told, kind="values")


def _period(text: str) -> Period:
    """Return the days of a moment or interval such as ``2025-01-01/..``."""
    if not text:
        return Period()
    ends = text.split("/")
    try:
        days = [None if end in ("", "..") else _day(end) for end in ends]
        if len(days) > 2 or (len(days) == 2 and days == [None, None] and "" in ends):
            raise ValueError(text)
    except ValueError as error:
        told = Told("datetime 须为日期或区间", "datetime is a day or an interval of two")
        raise Problem(400, told, kind="values") from error
    return Period(days[0], days[-1])


def _day(text: str) -> dt.date:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).date()
