"""What requests carry: filters, numbers, bodies; one reading of each for all routes."""

import datetime as dt
import math
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from clues.store.worklist import Filters
from configs.told import Told
from web.access import Caller, may
from web.desk import TheDesk
from web.errors import Problem

__all__ = [
    "AskedFilters",
    "Body",
    "CaseNo",
    "ClueNo",
    "FilterValues",
    "Reader",
    "TheDesk",
    "asked_filters",
    "refuse_foreign_signs",
    "today",
]

Reader = Annotated[Caller, Depends(may("read"))]
ClueNo = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,20}$", description="Number of a clue.")]
CaseNo = Annotated[str, Path(pattern=r"^[0-9A-Za-z_\-]{1,40}$", description="Number of a case.")]

MOST_AREA = 10**15
Code = Annotated[str, Field(max_length=40)]
Codes = Annotated[list[Code], Query(max_length=40)]
Area = Annotated[int | None, Query(ge=0, le=MOST_AREA)]


class Body(BaseModel):
    """Base of what is sent: unknown members are refused, and signs that no store keeps."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_kept(cls, value: Any) -> Any:
        _require_plain(value, 0)
        return value


class FilterValues(Body):
    """Filters in a body, as in a query."""

    run: str = Field("", max_length=200)
    batch: str = Field("", max_length=20)
    division: str = Field("", max_length=12)
    state: list[Code] = Field([], max_length=40)
    outcome: list[Code] = Field([], max_length=40)
    rule: list[Code] = Field([], max_length=40)
    change_type: list[Code] = Field([], max_length=40)
    verdict: list[Code] = Field([], max_length=40)
    fate: list[Code] = Field([], max_length=40)
    min_area: int | None = Field(None, ge=0, le=MOST_AREA)
    max_area: int | None = Field(None, ge=0, le=MOST_AREA)
    q: str = Field("", max_length=60)
    bbox: str = Field("", max_length=120)
    overdue: bool = False
    assigned_to: str = Field("", max_length=80)

    def filters(self, day: dt.date) -> Filters:
        """Return them as the store asks by."""
        told = self.model_dump(exclude={"bbox"})
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
        return Filters(**plain, bbox=_bbox(self.bbox), day=day)


def today(desk: TheDesk) -> dt.date:
    """Return the civil day at the desk."""
    return dt.datetime.now(ZoneInfo(desk.zone)).date()


async def asked_filters(
    desk: TheDesk,
    run: Annotated[str, Query(max_length=200)] = "",
    batch: Annotated[str, Query(max_length=20, description="such as 2025-3")] = "",
    division: Annotated[str, Query(max_length=12, description="digits it begins with")] = "",
    state: Codes = [],  # noqa: B006 - a default of FastAPI, never changed
    outcome: Codes = [],  # noqa: B006
    rule: Codes = [],  # noqa: B006
    change_type: Codes = [],  # noqa: B006
    verdict: Codes = [],  # noqa: B006
    fate: Codes = [],  # noqa: B006
    min_area: Area = None,
    max_area: Area = None,
    q: Annotated[str, Query(max_length=60, description="part of a number")] = "",
    bbox: Annotated[str, Query(max_length=120, description="west,south,east,north")] = "",
    overdue: bool = False,
    assigned_to: Annotated[str, Query(max_length=80)] = "",
) -> Filters:
    """Return which clues a query asks for."""
    return Filters(
        run=run,
        batch=batch,
        division=division,
        state=tuple(state),
        outcome=tuple(outcome),
        rule=tuple(rule),
        change_type=tuple(change_type),
        verdict=tuple(verdict),
        fate=tuple(fate),
        min_area=min_area,
        max_area=max_area,
        q=q,
        bbox=_bbox(bbox),
        overdue=overdue,
        assigned_to=assigned_to,
        day=today(desk),
    )


AskedFilters = Annotated[Filters, Depends(asked_filters)]


async def refuse_foreign_signs(request: Request) -> None:
    """Refuse signs in a query that no store keeps."""
    if "\0" in str(request.query_params) or "%00" in request.url.query:
        raise Problem(400, Told("请求含有空字符", "the query holds a null sign"))


def _bbox(text: str) -> tuple[float, float, float, float] | None:
    if not text.strip():
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = math.nan
    fits = -180 <= west <= east <= 180 and -90 <= south <= north <= 90
    if not fits:
        raise Problem(
            422,
            Told("bbox 须为 西,南,东,北（度）", "bbox is west,south,east,north in degrees"),
            kind="values",
        )
    return west, south, east, north


def _require_plain(value: Any, depth: int) -> None:
    """Raise `ValueError` for what cannot be kept as text: nulls, halves of signs, no numbers."""
    if depth > 12:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        if "\0" in value or (not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value)):
            raise ValueError("holds signs that are no text")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is none")
    elif isinstance(value, int) and abs(value) >= 2**62:
        raise ValueError("holds a number that is too large")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _require_plain(key, depth + 1)
            _require_plain(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _require_plain(inner, depth + 1)
