"""Clues: the list, the points of the map, one clue with all that is known of it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from clues.store.clueview import clue as clue_view
from clues.store.eventview import events_seen
from clues.store.images import images
from clues.store.publicview import last_change
from clues.store.traces import traces_of
from clues.store.worklist import Filters, Order, Scope, count, neighbours, points, worklist
from configs.told import Told
from web import officemodels, toldmodels
from web.access import Caller, may
from web.answers import Packed, answer, packed
from web.asking import AskedFilters, Body, ClueNo, Reader, TheDesk
from web.casetelling import told_case
from web.errors import Problem
from web.explaining import explained
from web.tiles_api import image_record

__all__ = ["router", "seen_clue"]

router = APIRouter(prefix="/api", tags=["clues"])

Commenter = Annotated[Caller, Depends(may("comment"))]
MOST_EVENTS = 1000


class NewComment(Body):
    """Something to say of a clue; `case_no` where it belongs to one case."""

    text: Annotated[str, Query(min_length=1, max_length=4000)]
    case_no: Annotated[str | None, Query(max_length=40)] = None


def no_clue() -> Problem:
    """Return the refusal for a clue that is not there, or not for the caller."""
    return Problem(404, Told("没有此线索", "there is no such clue"), kind="clue")


def seen_clue(desk: TheDesk, caller: Caller, clue_no: str) -> dict[str, Any]:
    """Return a clue that the caller sees; `Problem` 404 otherwise."""
    with desk.store.engine.connect() as connection:
        found = clue_view(connection, clue_no, caller.scope)
    if found is None:
        raise no_clue()
    return found


@router.get("/clues", summary="The list of clues", response_model=toldmodels.ClueList)
def read_clues(
    request: Request,
    desk: TheDesk,
    caller: Reader,
    filters: AskedFilters,
    order: Order = "priority",
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Return a page of the clues that the caller sees and asks for, and how many there are."""
    with desk.store.engine.connect() as connection:
        change, own = last_change(connection), (filters, caller.scope)
        total = _counted(desk, connection, change, *own)
        whole = _counted(desk, connection, change, Filters(), Scope())
        page = worklist(connection, *own, order, cursor, limit, (total, whole))
    return answer(request, {"items": page.items, "next": page.next or None, "total": total})


@router.get("/clues/points", summary="All clues as points", response_model=toldmodels.Points)
def read_points(request: Request, desk: TheDesk, caller: Reader, filters: AskedFilters) -> Response:
    """Return every clue that the caller sees and asks for as a short row; made for maps."""
    with desk.store.engine.connect() as connection:
        key = (last_change(connection), caller.scope, filters)
        body = desk.points.made(key, lambda: _points_body(connection, filters, caller.scope))
    return packed(request, body)


def _counted(desk: TheDesk, connection: Any, change: int, filters: Filters, scope: Scope) -> int:
    key = change, filters, scope
    return desk.counts.made(key, lambda: count(connection, filters, scope))


def _points_body(connection: Any, filters: Filters, scope: Scope) -> Packed:
    found = points(connection, filters, scope)
    rows = [
        (n, None if x is None else round(x, 6), None if y is None else round(y, 6), *rest)
        for n, x, y, *rest in found.rows
    ]
    names = {"columns": found.columns, "states": found.states, "outcomes": found.outcomes}
    return Packed.of(names | {"rows": rows})


@router.get("/clues/{clue_no}", summary="One clue", response_model=toldmodels.Clue)
def read_clue(
    request: Request, desk: TheDesk, caller: Reader, clue_no: ClueNo, filters: AskedFilters
) -> Response:
    """Return a clue with parcels, documents, images, cases, comments, files and neighbours.

    The neighbours are those in the list that the filters of the query make.
    """
    with desk.store.engine.connect() as connection:
        found = clue_view(connection, clue_no, caller.scope, filters)
        if found is None:
            raise no_clue()
        rows = images(connection, found["run"])
        beside = neighbours(connection, clue_no, filters, caller.scope)
    by_role: dict[str, list[Any]] = {"before": [], "after": [], "change": []}
    for row in rows:
        by_role.setdefault(row.role, []).append(image_record(row))
    told = found | {
        "images": by_role | {"change": next(iter(by_role["change"]), None)},
        "cases": [told_case(case, caller.actor) for case in found["cases"]],
        "neighbours": beside,
    }
    return answer(request, told)


@router.get(
    "/clues/{clue_no}/explanation",
    summary="Why it is a clue",
    response_model=toldmodels.Explanation,
)
def read_explanation(
    request: Request,
    desk: TheDesk,
    caller: Reader,
    clue_no: ClueNo,
    lang: Literal["zh", "en"] = "zh",
) -> Response:
    """Return every rule that was tried, in order, and why it held or fell."""
    with desk.store.engine.connect() as connection:
        found = traces_of(connection, clue_no, caller.scope)
    if found is None:
        raise no_clue()
    parcels = explained(desk.folder, *found, lang)
    return answer(request, {"clue_no": clue_no, "lang": lang, "parcels": parcels})


@router.get(
    "/clues/{clue_no}/events",
    summary="What happened to it",
    response_model=toldmodels.EventList,
)
def read_events(request: Request, desk: TheDesk, caller: Reader, clue_no: ClueNo) -> Response:
    """Return the events of a clue and its cases, in their order."""
    thing = seen_clue(desk, caller, clue_no)
    with desk.store.engine.connect() as connection:
        found = events_seen(connection, thing["object_id"], caller.scope)
    return answer(request, {"items": [vars(e) for e in found[-MOST_EVENTS:]]})


@router.post(
    "/clues/{clue_no}/comments",
    status_code=201,
    summary="Say something of it",
    response_model=officemodels.KeptComment,
)
def add_comment(
    request: Request, desk: TheDesk, caller: Commenter, clue_no: ClueNo, form: NewComment
) -> Response:
    """Keep a comment on the clue as it is shown now."""
    seen_clue(desk, caller, clue_no)
    kept = desk.casebook.comment(caller.actor, clue_no, form.text, form.case_no)
    return answer(request, kept, 201)
