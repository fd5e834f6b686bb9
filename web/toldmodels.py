"""What the answers of the API look like: models for its description, from which clients are made.

Answers are written from the rows of the store; `tests/web/test_answers_fit.py` holds them to these
models, member by member. Areas are in dm², places in degrees (WGS84), moments in UTC.
"""

import datetime as dt
from typing import Any

from pydantic import BaseModel, Field

__all__ = [
    "Case",
    "CaseList",
    "CasePair",
    "Clue",
    "ClueList",
    "Dispatched",
    "EventList",
    "Exceptions",
    "Explanation",
    "Points",
    "Sample",
    "Statistics",
]

Place = list[float]
Geometry = dict[str, Any]


class Listed(BaseModel):
    """A clue in the list."""

    clue_no: str = Field(description="Number; it never changes and is never given again.")
    object_id: str | None
    patch_id: str | None
    run: str
    county_code: str
    division: str
    change_type: str | None
    area_dm2: int
    cropland_dm2: int
    basic_farmland_dm2: int
    redline_dm2: int
    outcome: str = Field(description="What the machine says: see outcomes of /api/vocabulary.")
    rule: str
    priority: int
    severity: int | None
    state: str = Field(description="Of its least advanced case.")
    review_level: str
    verdict: str = Field(description='Of people; "" until all its cases are judged.')
    due_date: dt.date | None
    assigned_to: str | None
    batch: str | None
    fate: str
    first_seen: dt.date | None
    limitation_until: dt.date | None
    lon: float | None
    lat: float | None
    case_nos: list[str]
    version: int | None = Field(description="Number of its last event; writes name it.")
    bounds: Place | None = Field(description="West, south, east, north.")
    is_overdue: bool


class ClueList(BaseModel):
    """A page of the list."""

    items: list[Listed]
    next: str | None = Field(description="Cursor of the next page; null on the last.")
    total: int


class Points(BaseModel):
    """All clues as points; states and outcomes are named by their place in the lists."""

    columns: list[str]
    states: list[str]
    outcomes: list[str]
    rows: list[list[Any]]


class Finding(BaseModel):
    """A parcel on one line, and what was last found of it."""

    parcel_id: str
    parcel_no: int
    line: str
    area_dm2: int
    areas: dict[str, int]
    documents: list[dict[str, Any]]
    geometry: Geometry
    outcome: str
    rule: str
    rules: str
    flags: list[str]
    reason_zh: str
    reason_en: str
    severity: int | None
    rule_set: str
    rule_set_version: str


class CaseParcel(BaseModel):
    """A parcel of a case."""

    parcel_id: str
    line: str


class Check(BaseModel):
    """A desk check or field check."""

    id: int
    kind: str
    form: dict[str, Any]
    by: str
    at: dt.datetime


class CaseFacts(BaseModel):
    """What every telling of a case holds."""

    case_no: str
    division: str
    state: str
    verdict: str | None
    verdict_reason: str | None
    review_level: str
    returned: str | None
    assigned_to: str | None
    due_date: dt.date | None
    areas: dict[str, int]
    facts: dict[str, Any]
    version: int = Field(description="Writes name it in If-Match.")
    opened_at: dt.datetime
    updated_at: dt.datetime
    allowed: list[str] = Field(description="Steps that the caller may take now.")


class OwnCase(CaseFacts):
    """A case as its clue tells it."""

    parcels: list[CaseParcel]
    checks: list[Check]


class ListedCase(CaseFacts):
    """A case in the list."""

    clue_no: str
    object_id: str
    limitation_until: dt.date | None
    batch: str | None


class CaseList(BaseModel):
    """A page of the list of cases."""

    items: list[ListedCase]
    next: str | None


class Case(CaseFacts):
    """One case."""

    clue_no: str
    object_id: str
    parcels: list[CaseParcel]


class CasePair(BaseModel):
    """The case that was split, and the new one."""

    cases: list[Case]


class Comment(BaseModel):
    """Something said of a clue, and of which version of it."""

    id: int
    text: str
    by: str
    at: dt.datetime
    patch_id: str
    run: str
    period_after: dt.date | None
    case_no: str | None


class Attachment(BaseModel):
    """A file; it is at /api/attachments/{sha256}."""

    id: int
    sha256: str
    name: str
    media_type: str
    size: int
    kind: str
    facts: dict[str, Any]
    by: str
    at: dt.datetime
    case_no: str | None


class Image(BaseModel):
    """An image that map tiles are cut from."""

    image_id: str
    run: str
    role: str
    taken_from: dt.date | None
    taken_to: dt.date | None
    attribution: str
    bounds: Place
    maxzoom: int


class ClueImages(BaseModel):
    """The images of both dates and of the change."""

    before: list[Image]
    after: list[Image]
    change: Image | None


class Neighbours(BaseModel):
    """The clues before and after it in the list that the filters make."""

    previous: str | None
    next: str | None


class Clue(Listed):
    """One clue with all that is known of it."""

    geometry: Geometry | None
    parcels: list[Finding]
    cases: list[OwnCase]
    comments: list[Comment]
    attachments: list[Attachment]
    is_over: bool
    run_id: int
    images: ClueImages
    neighbours: Neighbours


class Told(BaseModel):
    """Why a parcel is what it is: every rule that was tried, in order."""

    parcel_id: str
    line: str
    lines: list[str]


class Explanation(BaseModel):
    """Why it is a clue."""

    clue_no: str
    lang: str
    parcels: list[Told]


class Event(BaseModel):
    """A link of the chain; `hash` holds all others and `previous_hash`."""

    seq: int
    at: dt.datetime
    who: str
    role: str
    what: str
    subject: str
    division: str
    object_id: str | None
    case_id: int | None
    before: Any
    after: Any
    rows_sha256: str | None
    previous_hash: str
    hash: str


class EventList(BaseModel):
    """Events in their order."""

    items: list[Event]


class Dispatched(BaseModel):
    """Case by clue, and why others were left out."""

    cases: dict[str, str]
    left_out: dict[str, dict[str, str]]


class Sum(BaseModel):
    """How many clues, and their areas."""

    count: int
    area_dm2: int
    cropland_dm2: int


class OfState(Sum):
    """By state."""

    state: str


class OfVerdict(Sum):
    """By verdict."""

    verdict: str


class OfOutcome(Sum):
    """By what the machine says."""

    outcome: str


class OfMonth(Sum):
    """By the month of first sight."""

    month: str


class Ratio(BaseModel):
    """Illegal cropland ÷ cropland of all new construction."""

    illegal_cropland_dm2: int
    open_cropland_dm2: int
    new_construction_cropland_dm2: int
    percent: float | None
    percent_if_open_are_illegal: float | None
    limit_percent: float
    is_alert: bool


class WholeRatio(Ratio):
    """That of all that is asked for; `is_partial`: of the clues alone."""

    is_partial: bool


class OfCounty(Sum):
    """By county."""

    county_code: str
    open: int
    illegal: int
    ratio: Ratio


class Statistics(BaseModel):
    """Figures of the clues chosen."""

    total: Sum
    funnel: list[OfState]
    verdicts: list[OfVerdict]
    outcomes: list[OfOutcome]
    months: list[OfMonth]
    counties: list[OfCounty]
    ratio: WholeRatio


class Exceptional(BaseModel):
    """Clues of one kind that are to be looked at."""

    count: int
    items: list[Listed]


class Exceptions(BaseModel):
    """What is to be looked at first, by kind."""

    overdue: Exceptional
    limitation_over: Exceptional
    limitation_soon: Exceptional
    returned: Exceptional
    machine_differs: Exceptional
    gone: Exceptional
    parcels_without_case: Exceptional
    severe_but_cleared: Exceptional


class Sample(BaseModel):
    """Clues drawn by a seed; `digest`: SHA-256 over the numbers drawn from, one a line."""

    seed: str
    n: int
    population: int
    digest: str
    items: list[Listed]
