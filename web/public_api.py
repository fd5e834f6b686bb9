"""What everybody may know: clues counted by coarse cells and by county."""

import threading
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from clues.store.publicview import CELL, last_change, public_cells, public_totals
from web.access import Caller, may
from web.answers import answer
from web.asking import TheDesk
from web.desk import Desk

__all__ = ["router"]

router = APIRouter(prefix="/api/public", tags=["public"])

Anybody = Annotated[Caller, Depends(may("public"))]

_making = threading.Lock()


@router.get("/clues", summary="Clues counted by cells")
def read_cells(request: Request, desk: TheDesk, _caller: Anybody) -> Response:
    """Return how many clues of each kind lie in each cell of some five kilometres."""
    items = _made(request, desk, "cells", public_cells)
    return answer(request, {"cell_degrees": CELL, "items": items})


@router.get("/statistics", summary="Clues counted by county")
def read_totals(request: Request, desk: TheDesk, _caller: Anybody) -> Response:
    """Return how many clues of each kind lie in each county."""
    return answer(request, {"items": _made(request, desk, "totals", public_totals)})


def _made(request: Request, desk: Desk, name: str, make: Callable[[Any], Any]) -> Any:
    """Return what was made since the last event, so that nobody can make the store work hard."""
    kept: dict[str, tuple[int, Any]] = request.app.state.__dict__.setdefault("_public", {})
    with _making, desk.store.engine.connect() as connection:
        seq = last_change(connection)
        if name not in kept or kept[name][0] != seq:
            kept[name] = seq, make(connection)
        return kept[name][1]
