"""The view from above: figures, exceptions, samples, runs and batches, the check of the audit."""

import threading
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from clues.audit.verify import verify
from clues.store.runview import batches_seen, runs_seen
from configs.told import Told
from web import officemodels, toldmodels
from web.access import Caller, may
from web.answers import answer
from web.asking import AskedFilters, ClueNo, Reader, TheDesk
from web.clues_api import seen_clue
from web.errors import Problem

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["overview"])

Viewer = Annotated[Caller, Depends(may("statistics"))]
Overseer = Annotated[Caller, Depends(may("exceptions"))]
Sampler = Annotated[Caller, Depends(may("sample"))]
Auditor = Annotated[Caller, Depends(may("audit"))]
Seed = Annotated[str, Query(min_length=1, max_length=80, description="any text; it draws")]

_checking = threading.Lock()


@router.get(
    "/statistics", summary="Figures of the clues chosen", response_model=toldmodels.Statistics
)
def read_statistics(
    request: Request, desk: TheDesk, caller: Viewer, filters: AskedFilters
) -> Response:
    """Return the funnel, the ratio with its line, counties and the trend."""
    return answer(request, desk.casebook.statistics(caller.scope, filters))


@router.get(
    "/exceptions", summary="What is to be looked at first", response_model=toldmodels.Exceptions
)
def read_exceptions(request: Request, desk: TheDesk, caller: Overseer) -> Response:
    """Return by kind what is overdue, near its limitation, or does not fit."""
    return answer(request, desk.casebook.exceptions(caller.scope))


@router.get("/sample", summary="A sample that can be drawn again", response_model=toldmodels.Sample)
def read_sample(
    request: Request,
    desk: TheDesk,
    caller: Sampler,
    filters: AskedFilters,
    seed: Seed = "1",
    n: Annotated[int, Query(ge=1, le=1000)] = 30,
) -> Response:
    """Return clues drawn by a seed: the same seed draws the same of the same clues."""
    return answer(request, desk.casebook.sample(caller.scope, seed, n, filters))


@router.get(
    "/clues/{clue_no}/timeline", summary="Its history", response_model=officemodels.Timeline
)
def read_timeline(request: Request, desk: TheDesk, caller: Reader, clue_no: ClueNo) -> Response:
    """Return the periods that showed a clue and the events of its cases, in time."""
    thing = seen_clue(desk, caller, clue_no)
    return answer(request, {"items": desk.casebook.timeline(thing["object_id"], caller.scope)})


@router.get("/runs", summary="Runs", response_model=officemodels.RunList)
def read_runs(request: Request, desk: TheDesk, caller: Reader) -> Response:
    """Return the runs whose clues the caller sees."""
    with desk.store.engine.connect() as connection:
        return answer(request, {"items": runs_seen(connection, caller.scope)})


@router.get("/batches", summary="Batches", response_model=officemodels.BatchList)
def read_batches(request: Request, desk: TheDesk, caller: Reader) -> Response:
    """Return the batches whose clues the caller sees."""
    with desk.store.engine.connect() as connection:
        return answer(request, {"items": batches_seen(connection, caller.scope)})


@router.get(
    "/audit/verify",
    summary="Check the store against its events",
    response_model=officemodels.AuditCheck,
)
def check_audit(request: Request, desk: TheDesk, caller: Auditor) -> Response:
    """Walk all events, rows and files; what is broken is named to those who see everything."""
    if not _checking.acquire(blocking=False):
        raise Problem(429, Told("正在核验，请稍候", "a check is under way"), kind="busy")
    try:
        found = verify(desk.store, desk.attachments)
    finally:
        _checking.release()
    told = vars(found) | {"is_sound": not found.broken}
    if caller.scope.divisions:
        del told["broken"]
    return answer(request, told)
