"""What everybody may know: clues counted by coarse cells and by county."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from clues.store.publicview import CELL, last_change, public_cells, public_totals
from web import officemodels
from web.access import Caller, may
from web.answers import answer
from web.asking import TheDesk
from web.desk import Desk

__all__ = ["router"]

router = APIRouter(prefix="/api/public", tags=["public"])

Anybody = Annotated[Caller, Depends(may("public"))]


@router.get("/clues", summary="Clues counted by cells", response_model=officemodels.PublicCells)
def read_cells(request: Request, desk: TheDesk, _caller: Anybody) -> Response:
    """Return how many clues of each kind lie in each cell of some five kilometres."""
    items = _made(desk, "cells", public_cells)
    return answer(request, {"cell_degrees": CELL, "items": items})


@router.get(
    "/statistics", summary="Clues counted by county", response_model=officemodels.PublicTotals
)
def read_totals(request: Request, desk: TheDesk, _caller: Anybody) -> Response:
    """Return how many clues of each kind lie in each county."""
    return answer(request, {"items": _made(desk, "totals", public_totals)})


def _made(desk: Desk, name: str, make: Callable[[Any], Any]) -> Any:
    """Return what was made since the last event, so that nobody can make the store work hard."""
    with desk.store.engine.connect() as connection:
        key = name, last_change(connection)
        return desk.told.made(key, lambda: make(connection))
