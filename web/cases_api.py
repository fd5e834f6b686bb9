"""Cases: dispatch, steps, splitting, assignment; every write names the version that was seen."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from clues.store.batches import Batch
from clues.store.cases import case_rows
from clues.store.worklist import clue_numbers_matching
from configs.told import Told
from web import toldmodels
from web.access import ACTIONS, Caller, may
from web.answers import IfMatch, answer, version_of
from web.asking import (
    AskedFilters,
    Body,
    CaseNo,
    FilterValues,
    Reader,
    TheDesk,
    today,
)
from web.casetelling import told_case
from web.desk import Desk
from web.errors import Problem

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["cases"])

Doer = Annotated[Caller, Depends(may("act"))]
Dispatcher = Annotated[Caller, Depends(may("dispatch"))]
Assigner = Annotated[Caller, Depends(may("assign"))]
ActionName = Annotated[str, Path(pattern=r"^[a-z_]{1,40}$", description="Of /api/vocabulary.")]
Digits = Annotated[str, Field(pattern=r"^[0-9]{0,12}$")]
Day = Annotated[dt.date, Field(ge=dt.date(2000, 1, 1), le=dt.date(2200, 1, 1))]
MOST_AT_ONCE = 2000


class StepForm(Body):
    """What a step tells: the fields of its form."""

    form: dict[str, Any] = Field({}, max_length=40)


class Parcel(Body):
    """A parcel on a line."""

    line: str = Field(max_length=16)
    parcel_id: str = Field(max_length=40)


class Splitting(Body):
    """Parcels that become a case of their own."""

    parcels: list[Parcel] = Field(min_length=1, max_length=200)


class Assignment(Body):
    """Who gets a case; division: a township of its county."""

    assigned_to: str = Field("", max_length=80)
    division: Digits = ""


class IssuedBatch(Body):
    """The batch that clues are issued in."""

    year: int = Field(ge=2000, le=2200)
    number: int = Field(ge=1, le=999)
    issue_date: Day
    due_date: Day


class Dispatch(Body):
    """Clues to hand out: by their numbers, or all that filters choose."""

    clue_nos: list[Annotated[str, Field(max_length=20)]] = Field([], max_length=MOST_AT_ONCE)
    filters: FilterValues | None = None
    batch: IssuedBatch | None = None
    division: Digits = ""
    assigned_to: str = Field("", max_length=80)
    due_date: Day | None = None


@router.get("/cases", summary="The list of cases", response_model=toldmodels.CaseList)
def read_cases(
    request: Request,
    desk: TheDesk,
    caller: Reader,
    filters: AskedFilters,
    cursor: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Return a page of the cases on the clues that the caller sees and asks for."""
    with desk.store.engine.connect() as connection:
        rows = case_rows(connection, filters, caller.scope, cursor, limit + 1)
    items = [told_case(row, caller.actor) for row in rows[:limit]]
    following = items[-1]["case_no"] if len(rows) > limit else None
    return answer(request, {"items": items, "next": following})


@router.get("/cases/{case_no}", summary="One case", response_model=toldmodels.Case)
def read_case(request: Request, desk: TheDesk, caller: Reader, case_no: CaseNo) -> Response:
    """Return a case with its version and the steps that the caller may take."""
    return _told(request, desk.casebook.case(caller.actor, case_no))


@router.post(
    "/cases/{case_no}/actions/{action}", summary="Take a step", response_model=toldmodels.Case
)
def act(
    request: Request,
    desk: TheDesk,
    caller: Doer,
    case_no: CaseNo,
    action: ActionName,
    body: StepForm,
    if_match: IfMatch = None,
) -> Response:
    """Take a step on a case as it was seen; return the case after it."""
    if action == "dispatch" and caller.role not in ACTIONS["dispatch"]:
        raise Problem(403, Told("无权下发", "this role may not dispatch"), kind="role")
    version = version_of(if_match)
    return _told(request, desk.casebook.act(caller.actor, case_no, action, version, body.form))


@router.post(
    "/cases/{case_no}/undo", summary="Take one's last step back", response_model=toldmodels.Case
)
def undo(
    request: Request, desk: TheDesk, caller: Doer, case_no: CaseNo, if_match: IfMatch = None
) -> Response:
    """Take back one's own last step where nothing came after it."""
    return _told(request, desk.casebook.undo(caller.actor, case_no, version_of(if_match)))


@router.post(
    "/cases/{case_no}/split",
    summary="Make a case of some parcels",
    response_model=toldmodels.CasePair,
)
def split(
    request: Request,
    desk: TheDesk,
    caller: Assigner,
    case_no: CaseNo,
    body: Splitting,
    if_match: IfMatch = None,
) -> Response:
    """Move some parcels of a case into a new one; return both."""
    parcels = [(p.line, p.parcel_id) for p in body.parcels]
    found = desk.casebook.split(caller.actor, case_no, version_of(if_match), parcels)
    return answer(request, found)


@router.post(
    "/cases/{case_no}/assign", summary="Give a case to somebody", response_model=toldmodels.Case
)
def assign(
    request: Request,
    desk: TheDesk,
    caller: Assigner,
    case_no: CaseNo,
    body: Assignment,
    if_match: IfMatch = None,
) -> Response:
    """Give a case to an inspector or to a township of its county."""
    version = version_of(if_match)
    _require_worker(desk, caller, body.assigned_to)
    found = desk.casebook.assign(caller.actor, case_no, version, body.assigned_to, body.division)
    return _told(request, found)


@router.post("/dispatch", summary="Hand clues out", response_model=toldmodels.Dispatched)
def dispatch(request: Request, desk: TheDesk, caller: Dispatcher, body: Dispatch) -> Response:
    """Open cases on clues and hand them out; tells which clues were left out, and why."""
    numbers = list(body.clue_nos)
    if body.filters is not None:
        asked = body.filters.filters(today(desk))
        with desk.store.engine.connect() as connection:
            numbers += clue_numbers_matching(connection, asked, caller.scope)
    if not numbers:
        raise Problem(422, Told("没有选择线索", "no clue is chosen"), kind="values")
    if len(numbers) > MOST_AT_ONCE:
        raise Problem(
            422,
            Told(f"一次最多下发 {MOST_AT_ONCE} 条", f"at most {MOST_AT_ONCE} clues at once"),
            Told("缩小筛选范围，分批下发", "narrow the filters and dispatch in parts"),
            kind="values",
        )
    _require_worker(desk, caller, body.assigned_to)
    batch = Batch(**body.batch.model_dump()) if body.batch else None
    if batch and batch.due_date < batch.issue_date:
        raise Problem(
            422,
            Told("办理期限早于下发日期", "the due date is before the day of issue"),
            Told("核对两个日期", "check both dates"),
            kind="values",
        )
    done = desk.casebook.dispatch(
        caller.actor,
        numbers,
        batch,
        division=body.division,
        assigned_to=body.assigned_to,
        due_date=body.due_date,
    )
    left = {n: {"zh": why.zh, "en": why.en} for n, why in done.left_out.items()}
    return answer(request, {"cases": done.cases, "left_out": left})


def _require_worker(desk: Desk, caller: Caller, name: str) -> None:
    """Refuse a name with which nobody who works on cases of the caller's division signs in."""
    own = caller.actor.division
    workers = (u for u in desk.accounts.users() if u.active and u.role in ACTIONS["act"])
    around = (u for u in workers if u.division.startswith(own) or own.startswith(u.division))
    if name and name not in {u.name for u in around}:
        raise Problem(
            422,
            Told(f"没有可办理案件的用户 {name}", f"nobody who works on cases signs in as {name}"),
            Told("填写经办人的登录用户名", "write the name that this person signs in with"),
            kind="values",
        )


def _told(request: Request, case: dict[str, Any]) -> Response:
    response = answer(request, case)
    response.headers["X-Version"] = str(case["version"])
    return response
